/** Flows between their rows and what is read of them. */

import type { Selectable } from 'kysely';
import type { AtomRow, AttemptRow, FlowRow, ValueRow } from '../database/index.js';
import type {
  AtomKind,
  FlowSummary,
  NewFlow,
  RecordedAtom,
  RecordedAttempt,
  RecordedFlow,
  Stored,
} from '../engine/recording.js';
import type { FlowState, TaskState } from '../engine/states.js';
import type { TaskIntention } from '../engine/storage.js';
import { StoreError } from '../errors.js';
import { checkName, dateOf } from './changes.js';
import { printable } from './inspect.js';

/** A text that is longer is stored in a table of its own, and not read and written with the row. In UTF-16 code units. */
const LARGE = 64 * 1024;

/** @throws {@link ArgumentError} */
export function checkNewFlow({ id, book, name, factory }: NewFlow): void {
  if (id !== undefined) checkName(id, 'The id of a flow');
  if (book !== undefined) checkName(book, 'The name of a book');
  if (factory !== undefined) checkName(factory, 'The name of a factory');
  checkName(name, 'The name of a flow');
}

/** Whether a value is stored in a table of its own. Its row has an empty text then, which no value has that is stored there. */
export function isLarge({ text, parts }: Stored): boolean {
  return parts.length > 0 || text.length > LARGE || text === '';
}

export type SummaryRow = Pick<
  FlowRow,
  | 'id'
  | 'book'
  | 'name'
  | 'factory'
  | 'state'
  | 'host'
  | 'pid'
  | 'held_since'
  | 'created_at'
  | 'updated_at'
  | 'finished_at'
>;

export function summaryOf(row: SummaryRow): FlowSummary {
  return {
    id: row.id,
    book: row.book ?? undefined,
    name: row.name,
    factory: row.factory ?? undefined,
    state: row.state as FlowState,
    owner:
      row.host === null || row.pid === null || row.held_since === null
        ? undefined
        : { host: row.host, pid: row.pid, since: new Date(row.held_since) },
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    finishedAt: dateOf(row.finished_at),
  };
}

export function recordedFlow(
  row: Selectable<FlowRow>,
  atoms: readonly AtomRow[],
  attempts: readonly AttemptRow[],
  values: readonly ValueRow[],
): RecordedFlow {
  const find = valuesOf(values);
  const read = <R extends object>(atom: string, row: R, column: keyof R & string, field: string = column) => {
    const text = row[column] as string | null;
    if (text === null) return undefined;
    return text === '' ? find(atom, field) : { text, parts: [] };
  };
  const histories = new Map<string, RecordedAttempt[]>();
  for (const attempt of attempts) {
    const { retry, n } = attempt;
    const history = histories.get(retry) ?? [];
    histories.set(retry, history);
    history.push({
      value: read(retry, attempt, 'value', fieldOf('value', n)),
      failures: read(retry, attempt, 'failures', fieldOf('failures', n)),
    });
  }
  return printable({
    ...summaryOf(row),
    inputs: read('', row, 'inputs')!,
    injected: read('', row, 'injected'),
    metadata: read('', row, 'metadata'),
    notes: read('', row, 'notes'),
    atoms: new Map(
      atoms.map((atom): [string, RecordedAtom] => [
        atom.name,
        {
          name: atom.name,
          kind: atom.kind as AtomKind,
          parent: atom.parent ?? undefined,
          state: atom.state as TaskState,
          intention: atom.intention as TaskIntention,
          attempts: atom.attempts,
          order: atom.place,
          startedAt: dateOf(atom.started_at),
          finishedAt: dateOf(atom.finished_at),
          progress: read(atom.name, atom, 'progress'),
          result: read(atom.name, atom, 'result'),
          failure: read(atom.name, atom, 'failure'),
          revertResult: read(atom.name, atom, 'revert_result'),
          revertFailure: read(atom.name, atom, 'revert_failure'),
          metadata: read(atom.name, atom, 'metadata'),
          notes: read(atom.name, atom, 'notes'),
          version: atom.version ?? undefined,
          rounds: atom.rounds,
        },
      ]),
    ),
    histories,
  });
}

/** What the table of large values calls a value of an attempt. */
export function fieldOf(column: string, n: number): string {
  return `${column} ${n}`;
}

/** Large values, from their rows in order. */
function valuesOf(rows: readonly ValueRow[]): (atom: string, field: string) => Stored {
  const found = new Map<string, { text: string; parts: Uint8Array[] }>();
  for (const { atom, field, part, text, data } of rows) {
    const key = largeKey(atom, field);
    if (part === 0) found.set(key, { text: text!, parts: [] });
    else found.get(key)?.parts.push(new Uint8Array(data!));
  }
  return (atom, field) => {
    const value = found.get(largeKey(atom, field));
    if (value) return value;
    const whose = atom === '' ? 'the flow' : `'${atom}'`;
    throw new StoreError(
      'ERR_MILLRACE_STORE_CORRUPT',
      `The ${field} of ${whose} should be in millrace_values, and is not`,
    );
  };
}

/** What a lease calls a large value. No field has a line feed. */
export function largeKey(atom: string, field: string): string {
  return `${field}\n${atom}`;
}
