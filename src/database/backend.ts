import type { Dialect, Kysely } from 'kysely';
import { ServiceError } from '../errors.js';
import type { Tables } from './schema.js';

/** A connection whose calls are synchronous: what is used of the API of `node:sqlite`. */
export interface Connection {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
}
export interface Statement {
  columns(): unknown[];
  all(...parameters: unknown[]): unknown[];
  get(...parameters: unknown[]): unknown;
  run(...parameters: unknown[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  iterate(...parameters: unknown[]): IterableIterator<unknown>;
}

/** What each kind of database does in its own way. */
export interface Backend {
  /** What messages call the database. */
  readonly name: string;
  readonly dialect: Dialect;
  /** The type of a text that is sorted by its code points. */
  readonly text: 'text' | 'text collate "C"';
  /** The type of bytes. */
  readonly blob: 'blob' | 'bytea';
  /** The definition of a column that is the key of its table and numbers the rows by itself, never twice the same. */
  readonly serial: string;
  /** What ends the definition of a table whose rows are small and are looked for by the whole key. */
  readonly small: '' | 'without rowid';
  /** An expression: the time of the server, in ms. Without it, who has not released its lock lives. */
  readonly clock: string | undefined;
  /** A further connection, where calls may be synchronous. The caller closes it. */
  connect?(): Connection;
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
