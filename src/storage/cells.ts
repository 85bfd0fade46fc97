/** From the cells of a change to what a statement is given. */
import type { Stored } from '../engine/recording.js';
import type { Cell, Changes, Row } from './changes.js';
import { fieldOf, isLarge, largeKey } from './flows.js';
import type { FlowLease } from './lease.js';

export type Bound = string | number | null;

/** A large value that is new, or `undefined`: one that is no more. */
export interface LargeChange {
  readonly atom: string;
  readonly field: string;
  readonly value: Stored | undefined;
}

/** Tells the values of a commit that stay in their rows from those that are large. */
export class Binder {
  /** The large values that are new, and those that are no more. */
  readonly large: LargeChange[] = [];
  readonly #before: ReadonlySet<string>;

  constructor({ large }: FlowLease) {
    this.#before = large;
  }

  /** Appends the cells of a row to what its statement is given, and returns that. */
  bind(bound: Bound[], { mask, cells }: Row, columns: readonly string[], atom: string, n?: number): Bound[] {
    for (let left = mask; left !== 0; left &= left - 1) {
      const column = 31 - Math.clz32(left & -left);
      const cell: Cell = cells[column];
      if (typeof cell !== 'object' || cell === null) {
        if (this.#before.size > 0) this.#note(columns[column], atom, n, undefined);
        bound.push(cell ?? null);
      } else {
        const value = isLarge(cell) ? cell : undefined;
        if (value !== undefined || this.#before.size > 0) this.#note(columns[column], atom, n, value);
        bound.push(value === undefined ? cell.text : '');
      }
    }
    return bound;
  }

  /** The large values of what is gone altogether are no more. */
  clear(changes: Changes): void {
    for (const key of this.#before) {
      const [field, atom] = split(key);
      const [, n] = field.split(' ');
      const history = changes.histories.get(atom);
      const gone = n === undefined ? changes.removed.has(atom) : history?.forgotten && Number(n) >= history.rows.size;
      if (gone) this.large.push({ atom, field, value: undefined });
    }
  }

  #note(column: string, atom: string, n: number | undefined, value: Stored | undefined): void {
    const field = n === undefined ? column : fieldOf(column, n);
    if (value || this.#before.has(largeKey(atom, field))) this.large.push({ atom, field, value });
  }
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
