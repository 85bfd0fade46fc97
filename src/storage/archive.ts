/** What has been recorded, to be looked at and cleared away. */
import type { FlowSummary, RecordedAtom, RecordedFlow } from '../engine/recording.js';
import type { FlowState } from '../engine/states.js';
import { ArgumentError, received, StoreError } from '../errors.js';

export interface Archive {
  /** The books that flows are in, by name. */
  books(): Promise<BookSummary[]>;
  /**
   * The flows that meet all conditions.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_FLOW_NOT_FOUND` when there is no flow `after`
   */
  flows(query?: FlowQuery): Promise<FlowSummary[]>;
  /**
   * All that is committed of a flow, whoever owns it.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_FLOW_NOT_FOUND`
   */
  read(id: string): Promise<RecordedFlow>;
  /**
   * Removes a flow. Returns whether there was one.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_OWNED`
   */
  delete(id: string): Promise<boolean>;
  /** Removes the flows that came to their end before a time, and that nobody owns. Returns how many. */
  expire(before: Date, query?: Pick<FlowQuery, 'book' | 'name' | 'state'>): Promise<number>;
}

export interface BookSummary {
  readonly name: string;
  /** How many flows are in it. */
  readonly flows: number;
  /** Of the first of them. */
  readonly createdAt: Date;
  /** When something was last recorded in it. */
  readonly updatedAt: Date;
}

export interface FlowQuery {
  readonly book?: string | undefined;
  readonly name?: string | undefined;
  /** One of these. */
  readonly state?: FlowState | readonly FlowState[] | undefined;
  readonly createdBefore?: Date | undefined;
  readonly createdAfter?: Date | undefined;
  /** Default: `'createdAt'`; what is the same by it is sorted by time and id. */
  readonly sortKey?: FlowSortKey | undefined;
  /** Default: `'desc'`. */
  readonly sortDir?: 'asc' | 'desc' | undefined;
  /** The id of the last flow of the page before. */
  readonly after?: string | undefined;
  /** How many at most. Default: all. */
  readonly limit?: number | undefined;
}

export type FlowSortKey = 'createdAt' | 'updatedAt' | 'name' | 'state' | 'id';

const SORT_KEYS: readonly string[] = ['createdAt', 'updatedAt', 'name', 'state', 'id'] satisfies FlowSortKey[];

/** An atom with those of the flow that it built. */
export interface AtomTree {
  readonly atom: RecordedAtom;
  readonly children: readonly AtomTree[];
}

/** The atoms of a flow as a tree, in the order in which they finished; those that have not come last, by name. */
export function atomTree(flow: Pick<RecordedFlow, 'atoms'>): AtomTree[] {
  const children = new Map<string | undefined, RecordedAtom[]>();
  for (const atom of flow.atoms.values()) {
    // An atom is never lost, whatever its parent.
    const parent = atom.parent !== undefined && flow.atoms.has(atom.parent) ? atom.parent : undefined;
    const siblings = children.get(parent);
    if (siblings) siblings.push(atom);
    else children.set(parent, [atom]);
  }
  const seen = new Set<string>();
  const below = (parent: string | undefined): AtomTree[] =>
    (children.get(parent) ?? []).sort(byOrder).flatMap((atom) => {
      if (seen.has(atom.name)) return [];
      seen.add(atom.name);
      return [{ atom, children: below(atom.name) }];
    });
  return below(undefined);
}

function byOrder(a: RecordedAtom, b: RecordedAtom): number {
  const difference = (a.order || Number.POSITIVE_INFINITY) - (b.order || Number.POSITIVE_INFINITY);
  return difference || (a.name < b.name ? -1 : 1); // NaN: neither has finished
}

/** @throws {@link ArgumentError} */
export function checkQuery({ sortKey, sortDir, limit }: FlowQuery): void {
  if (sortKey !== undefined && !SORT_KEYS.includes(sortKey)) {
    throw new ArgumentError(`sortKey must be one of ${SORT_KEYS.join(', ')}; received ${received(sortKey)}`);
  }
  if (sortDir !== undefined && sortDir !== 'asc' && sortDir !== 'desc') {
    throw new ArgumentError(`sortDir must be 'asc' or 'desc'; received ${received(sortDir)}`);
  }
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new ArgumentError(`limit must be an integer of 0 or more; received ${received(limit)}`);
  }
}

export function statesOf(state: FlowQuery['state']): readonly FlowState[] | undefined {
  return typeof state === 'string' ? [state] : state;
}

export function flowNotFound(id: unknown): StoreError {
  return new StoreError('ERR_MILLRACE_FLOW_NOT_FOUND', `There is no flow ${String(id)}`, { flow: String(id) });
}

export function duplicateFlow(id: string): StoreError {
  return new StoreError('ERR_MILLRACE_DUPLICATE_FLOW', `There is a flow ${id} already`, { flow: id });
}

export function owned({ id, owner }: Pick<FlowSummary, 'id' | 'owner'>): StoreError {
  const who = owner
    ? `process ${owner.pid} on ${JSON.stringify(owner.host)}, since ${owner.since.toISOString()}`
    : 'this process';
  return new StoreError(
    'ERR_MILLRACE_OWNED',
    `Flow ${id} belongs to ${who}; it can be taken when it is released, or when that process has ended`,
    { flow: id },
  );
}
