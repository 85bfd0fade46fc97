/**
 * What has changed of a flow since its last commit. A row holds a value for each column of its table that has changed, and its mask says
 * which, so that as many statements are needed as there are masks, and that is few.
 */
import type {
  AtomChange,
  AtomKind,
  AttemptChange,
  FlowChange,
  RecordedAtom,
  RecordedAttempt,
  Stored,
} from '../engine/recording.js';
import type { FlowState, TaskState } from '../engine/states.js';
import type { TaskIntention } from '../engine/storage.js';
import { ArgumentError, received } from '../errors.js';

export type Cell = string | number | Stored | null | undefined;

export interface Row {
  /** Bit i: column i has changed. */
  mask: number;
  readonly cells: Cell[];
}

export const FLOW_COLUMNS = ['state', 'finished_at', 'injected', 'metadata', 'notes'] as const;
export const ATOM_COLUMNS = [
  'kind',
  'parent',
  'state',
  'intention',
  'attempts',
  'place',
  'started_at',
  'finished_at',
  'progress',
  'result',
  'failure',
  'revert_result',
  'revert_failure',
  'metadata',
  'notes',
  'version',
  'rounds',
] as const;
export const ATTEMPT_COLUMNS = ['value', 'failures'] as const;

const FLOW_FIELDS = indices({ state: 0, injected: 2, metadata: 3, notes: 4 } satisfies Record<
  keyof FlowChange,
  number
>);
const FINISHED = 1;

const STATE = 2;
const ATOM_STARTED = 6;
const ATOM_FINISHED = 7;
const ATOM_FIELDS = indices({
  kind: 0,
  parent: 1,
  state: STATE,
  intention: 3,
  attempts: 4,
  order: 5,
  progress: 8,
  result: 9,
  failure: 10,
  revertResult: 11,
  revertFailure: 12,
  metadata: 13,
  notes: 14,
  version: 15,
  rounds: 16,
} satisfies Record<keyof AtomChange, number>);
const ATTEMPT_FIELDS = indices({ value: 0, failures: 1 } satisfies Record<keyof AttemptChange, number>);

/** An atom of which nothing is known. */
const NEW_ATOM: readonly Cell[] = ['task', null, 'PENDING', 'EXECUTE', 0, 0, ...Array<null>(10).fill(null), 0];
/** The columns of an atom that are never null. */
const NOT_NULL = new Set([0, 2, 3, 4, 5, 16]);
const ALL = 2 ** ATOM_COLUMNS.length - 1;

export const ENDED: ReadonlySet<FlowState> = new Set<FlowState>(['SUCCESS', 'FAILURE', 'REVERTED']);

/** What changes of the attempts of a retry. */
export interface History {
  /** Whether all of them are gone but for the rows that follow, from 0 on. */
  forgotten: boolean;
  readonly rows: Map<number, Row>;
}

export class Changes {
  /** That of the commit; 0 as long as it has not begun. */
  seq = 0;
  flow: Row | undefined;
  readonly atoms = new Map<string, Row>();
  readonly removed = new Set<string>();
  readonly histories = new Map<string, History>();

  get empty(): boolean {
    return !this.flow && this.atoms.size === 0 && this.removed.size === 0 && this.histories.size === 0;
  }

  changeFlow(change: FlowChange): void {
    this.flow ??= { mask: 0, cells: [] };
    const { state } = change;
    apply(this.flow, change, FLOW_FIELDS, 'A flow');
    if (state !== undefined) put(this.flow, FINISHED, ENDED.has(state) ? Date.now() : null);
  }

  changeAtom(name: string, change: AtomChange): void {
    let row = this.atoms.get(name);
    if (!row) {
      checkName(name);
      // As if its row had been removed, and made anew.
      row = this.removed.delete(name) ? { mask: ALL, cells: [...NEW_ATOM] } : { mask: 0, cells: [] };
      this.atoms.set(name, row);
    }
    apply(row, change, ATOM_FIELDS, 'An atom');
    if (change.state !== undefined) stamp(row, change.state);
  }

  removeAtom(name: string): void {
    checkName(name);
    this.atoms.delete(name);
    this.removed.add(name);
    this.forget(name);
  }

  changeAttempt(retry: string, n: number, change: AttemptChange): void {
    checkName(retry);
    if (!Number.isSafeInteger(n) || n < 0) {
      throw new ArgumentError(`The number of an attempt must be an integer of 0 or more; received ${received(n)}`);
    }
    let history = this.histories.get(retry);
    if (!history) {
      history = { forgotten: false, rows: new Map() };
      this.histories.set(retry, history);
    }
    let row = history.rows.get(n);
    if (!row) {
      if (history.forgotten && n !== history.rows.size) {
        throw new ArgumentError(`The next attempt of '${retry}' must be number ${history.rows.size}; received ${n}`);
      }
      row = history.forgotten ? { mask: 3, cells: [null, null] } : { mask: 0, cells: [] };
      history.rows.set(n, row);
    }
    apply(row, change, ATTEMPT_FIELDS, 'An attempt');
  }

  forget(retry: string): void {
    checkName(retry);
    this.histories.set(retry, { forgotten: true, rows: new Map() });
  }
}

/** An atom that has changed from what it was. */
export function changedAtom(name: string, before: RecordedAtom | undefined, row: Row): RecordedAtom {
  const cell = <T>(i: number, old: T): T => (row.mask & (1 << i) ? ((row.cells[i] ?? undefined) as T) : old);
  const time = (i: number, old: Date | undefined) =>
    row.mask & (1 << i) ? dateOf(row.cells[i] as number | null) : old;
  return {
    name,
    kind: cell<AtomKind>(0, before?.kind ?? 'task'),
    parent: cell(1, before?.parent),
    state: cell<TaskState>(STATE, before?.state ?? 'PENDING'),
    intention: cell<TaskIntention>(3, before?.intention ?? 'EXECUTE'),
    attempts: cell(4, before?.attempts ?? 0),
    order: cell(5, before?.order ?? 0),
    startedAt: time(ATOM_STARTED, before?.startedAt),
    finishedAt: time(ATOM_FINISHED, before?.finishedAt),
    progress: cell(8, before?.progress),
    result: cell(9, before?.result),
    failure: cell(10, before?.failure),
    revertResult: cell(11, before?.revertResult),
    revertFailure: cell(12, before?.revertFailure),
    metadata: cell(13, before?.metadata),
    notes: cell(14, before?.notes),
    version: cell(15, before?.version),
    rounds: cell(16, before?.rounds ?? 0),
  };
}

/** An attempt that has changed from what it was. */
export function changedAttempt(before: RecordedAttempt | undefined, { mask, cells }: Row): RecordedAttempt {
  const cell = (i: number, old: Stored | undefined) =>
    mask & (1 << i) ? ((cells[i] ?? undefined) as Stored | undefined) : old;
  return { value: cell(0, before?.value), failures: cell(1, before?.failures) };
}

export function dateOf(time: number | null | undefined): Date | undefined {
  return time === null || time === undefined ? undefined : new Date(time);
}

/** A database cannot hold each string as it is: none with NUL, or with half of a character. */
export function checkName(name: unknown, what = 'The name of an atom'): asserts name is string {
  if (typeof name === 'string' && name !== '' && !name.includes('\0') && isWellFormed(name)) return;
  throw new ArgumentError(`${what} must be a string, not empty, that a database can hold; received ${received(name)}`);
}

/** `String.prototype.isWellFormed`, of which the types do not know yet. */
function isWellFormed(name: string): boolean {
  return (name as unknown as { isWellFormed(): boolean }).isWellFormed();
}

function stamp(row: Row, state: TaskState): void {
  if (state === 'RUNNING' || state === 'REVERTING') {
    put(row, ATOM_STARTED, Date.now());
    put(row, ATOM_FINISHED, null);
  } else if (state === 'PENDING') {
    put(row, ATOM_STARTED, null);
    put(row, ATOM_FINISHED, null);
  } else if (state !== 'RETRYING') {
    put(row, ATOM_FINISHED, Date.now());
  }
}

function put(row: Row, column: number, cell: Cell): void {
  row.mask |= 1 << column;
  row.cells[column] = cell;
}

function apply(row: Row, change: object, fields: ReadonlyMap<string, number>, what: string): void {
  for (const field in change) {
    const cell = (change as Record<string, Cell>)[field];
    if (cell === undefined) continue;
    const column = fields.get(field);
    if (column === undefined) throw new ArgumentError(`${what} has no property '${field}' that is recorded`);
    if (cell === null && fields === ATOM_FIELDS && NOT_NULL.has(column)) {
      throw new ArgumentError(`The '${field}' of an atom cannot be taken away`);
    }
    put(row, column, cell);
  }
}

function indices(fields: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(fields));
}
