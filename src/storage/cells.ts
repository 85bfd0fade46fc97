/** From the cells of a change to what a statement is given. */
import type { Stored } from '../engine/recording.js';
import type { Cell, Changes, Row } from './changes.js';
import { ATOM_COLUMNS, ATTEMPT_COLUMNS, FLOW_COLUMNS } from './changes.js';
import { fieldOf, isLarge, largeKey } from './flows.js';
import type { FlowLease } from './lease.js';

export type Bound = string | number | null;

/** A large value that is new, or `undefined`: one that is no more. */
export interface LargeChange {
  readonly atom: string;
  readonly field: string;
  readonly value: Stored | undefined;
}

/** What a commit writes, once it is known which values are large. */
export interface Writes {
  readonly flow: Bound[];
  readonly atoms: { readonly mask: number; readonly name: string; readonly cells: Bound[] }[];
  readonly attempts: { readonly mask: number; readonly retry: string; readonly n: number; readonly cells: Bound[] }[];
  /** The attempts of a retry from the n-th on are gone. */
  readonly forgotten: { readonly retry: string; readonly n: number }[];
  readonly large: LargeChange[];
}

export function writesOf({ large: before }: FlowLease, changes: Changes): Writes {
  const large: LargeChange[] = [];
  const bind = ({ mask, cells }: Row, columns: readonly string[], atom: string, n?: number): Bound[] => {
    const bound: Bound[] = [];
    for (let i = 0; i < columns.length; i++) {
      if ((mask & (1 << i)) === 0) continue;
      const cell: Cell = cells[i];
      const isValue = typeof cell === 'object' && cell !== null;
      if (before.size > 0 || (isValue && isLarge(cell))) {
        const field = n === undefined ? columns[i] : fieldOf(columns[i], n);
        if (isValue && isLarge(cell)) large.push({ atom, field, value: cell });
        else if (before.has(largeKey(atom, field))) large.push({ atom, field, value: undefined });
      }
      bound.push(isValue ? (isLarge(cell) ? '' : cell.text) : (cell ?? null));
    }
    return bound;
  };
  const flow = changes.flow ? bind(changes.flow, FLOW_COLUMNS, '') : [];
  const atoms: Writes['atoms'] = [];
  for (const [name, row] of changes.atoms) atoms.push({ mask: row.mask, name, cells: bind(row, ATOM_COLUMNS, name) });
  const attempts: Writes['attempts'] = [];
  const forgotten: Writes['forgotten'] = [];
  for (const [retry, history] of changes.histories) {
    if (history.forgotten) forgotten.push({ retry, n: history.rows.size });
    for (const [n, row] of history.rows) {
      attempts.push({ mask: row.mask, retry, n, cells: bind(row, ATTEMPT_COLUMNS, retry, n) });
    }
  }
  for (const key of before) {
    const [field, atom] = split(key);
    const [, n] = field.split(' ');
    const history = changes.histories.get(atom);
    const gone = n === undefined ? changes.removed.has(atom) : history?.forgotten && Number(n) >= history.rows.size;
    if (gone) large.push({ atom, field, value: undefined });
  }
  return { flow, atoms, attempts, forgotten, large };
}

/** Once a commit has been carried out, the lease knows which values are large. */
export function noteLarge(lease: FlowLease, large: readonly LargeChange[]): void {
  for (const { atom, field, value } of large) {
    if (value) lease.large.add(largeKey(atom, field));
    else lease.large.delete(largeKey(atom, field));
  }
}

/** The columns that a mask stands for. */
export function masked(columns: readonly string[], mask: number): string[] {
  return columns.filter((_, i) => mask & (1 << i));
}

function split(key: string): [field: string, atom: string] {
  const at = key.indexOf('\n');
  return [key.slice(0, at), key.slice(at + 1)];
}
