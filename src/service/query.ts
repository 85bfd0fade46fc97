import { ArgumentError, received } from '../errors.js';
import { STATUSES, type TaskStatus } from './status.js';

/** By what a list may be sorted. */
export const SORT_KEYS = ['createdAt', 'updatedAt', 'expiresAt', 'id', 'type', 'status', 'owner'] as const;

export type SortKey = (typeof SORT_KEYS)[number];

/** Which tasks are listed, and in which order. */
export interface TaskQuery {
  readonly type?: string | undefined;
  readonly status?: TaskStatus | undefined;
  /** Only the tasks of this owner. */
  readonly owner?: string | undefined;
  /** Default: `'createdAt'`. Equal ones are sorted by `createdAt`, then by `id`; what is `null` is the least. */
  readonly sortKey?: SortKey | undefined;
  /** Default: `'desc'`. */
  readonly sortDir?: 'asc' | 'desc' | undefined;
  /** The id of the task behind which the list starts. */
  readonly marker?: string | undefined;
  /** How many at most; `0`: none. Default: all. */
  readonly limit?: number | undefined;
}

/** @throws {@link ArgumentError} when a query is not one */
export function checkQuery(query: TaskQuery): void {
  const wrong = (name: string, expected: string, value: unknown) =>
    new ArgumentError(`list(): '${name}' must be ${expected}; received ${received(value)}`);
  if (typeof query !== 'object' || query === null) {
    throw new ArgumentError(`list(): the query must be an object; received ${received(query)}`);
  }
  const { type, owner, marker, status, sortKey, sortDir, limit, ...others } = query;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new ArgumentError(`list(): there is no '${unknown}' to ask for`);
  for (const [name, value] of Object.entries({ type, owner, marker })) {
    if (value !== undefined && typeof value !== 'string') throw wrong(name, 'a string', value);
  }
  for (const [name, value, words] of [
    ['status', status, STATUSES],
    ['sortKey', sortKey, SORT_KEYS],
    ['sortDir', sortDir, ['asc', 'desc']],
  ] as const) {
    if (value === undefined || (words as readonly unknown[]).includes(value)) continue;
    throw wrong(name, words.map((word) => `'${word}'`).join(' or '), value);
  }
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
    throw wrong('limit', 'a whole number from 0', limit);
  }
}

/** There is no task behind which a list could start. */
export function unknownMarker(marker: string): ArgumentError {
  return new ArgumentError(`The marker of a list must be the id of a task; received ${received(marker)}`);
}
