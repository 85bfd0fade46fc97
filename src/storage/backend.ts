import type { Dialect, Kysely } from 'kysely';
import { ServiceError } from '../errors.js';
import type { Tables } from './schema.js';

/** What each kind of database does in its own way. */
export interface Backend {
  /** What messages call the database. */
  readonly name: string;
  readonly dialect: Dialect;
  /** The type of a text that is sorted by its code points. */
  readonly text: 'text' | 'text collate "C"';
  /** Whether the cause of an error passes, so that it helps to try again. */
  passes(error: unknown): boolean;
  /** At the start of the transaction that makes the tables: keeps others waiting until it ends. Refuses what is of no use. */
  prepare(transaction: Kysely<Tables>): Promise<void>;
  hasTable(db: Kysely<Tables>, table: string): Promise<boolean>;
  /**
   * Takes a lock by the name of this connection. It is released, by the operating system or by the server, when the process ends,
   * however it does. Called within the transaction that makes the tables, and again when it is repeated.
   */
  hold(holder: string): Promise<void>;
  /** Whether nobody has the lock of that name. */
  isGone(db: Kysely<Tables>, holder: string): Promise<boolean>;
  /** Releases the lock. */
  release(): Promise<void>;
}

/** What a database, or the lack of a driver for it, has failed a call with. */
export function databaseError(name: string, cause: unknown, note = ''): ServiceError {
  const { message, code } = cause as { message?: unknown; code?: unknown };
  // Node.js may try several addresses, and the message of an AggregateError is empty.
  return new ServiceError('ERR_MILLRACE_DATABASE', `${name}: ${message || code}${note}`, { cause });
}
