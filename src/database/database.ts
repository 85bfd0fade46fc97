import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely } from 'kysely';
import type { Durability } from '../engine/recording.js';
import { isMillraceError, ServiceError } from '../errors.js';
import { type Backend, databaseError } from './backend.js';
import { openPostgres } from './postgres.js';
import { migrate, type Tables } from './schema.js';
import { openSqlite } from './sqlite.js';

export interface DatabaseOptions {
  /** How long to wait while the database is locked or cannot be reached, in ms. Default: 30,000. */
  readonly patience?: number;
  /** What a commit survives. Default: what the database does by itself; with SQLite, the end of the process. */
  readonly durability?: Durability;
}

/** The longest pause between two attempts, in ms; the first is 1 ms, and each twice as long as the one before. */
const LONGEST_PAUSE = 50;

/**
 * Opens a database, and brings its tables up to date.
 *
 * @param url `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
 * @throws {@link ArgumentError} when the URL is malformed
 * @throws {@link ServiceError} `ERR_MILLRACE_DATABASE` when it cannot be opened, when its driver is not installed, or when its
 *   tables are those of a newer Millrace
 */
export async function openDatabase(url: string, options: DatabaseOptions = {}): Promise<Database> {
  const { patience = 30_000, durability } = options;
  const backend = url.startsWith('sqlite:')
    ? await openSqlite(url.slice('sqlite:'.length), durability ?? 'normal')
    : await openPostgres(url, patience, durability);
  const database = new Database(backend, patience);
  try {
    await database.run((db) =>
      db.transaction().execute(async (transaction) => {
        await backend.prepare(transaction);
        await migrate(transaction, backend);
        await backend.hold(database.holder);
      }),
    );
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

/** A connection to a database. As long as it lives, other processes can see that it does. */
export class Database implements AsyncDisposable {
  /** What this connection is called. */
  readonly holder = randomUUID();
  /** @internal */
  readonly backend: Backend;
  readonly #patience: number;
  readonly #db: Kysely<Tables>;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(backend: Backend, patience: number) {
    this.backend = backend;
    this.#patience = patience;
    this.#db = new Kysely<Tables>({ dialect: backend.dialect });
  }

  /**
   * Does some work, which should be one statement or one transaction; again, while the database is locked or cannot be reached.
   *
   * @param work its second argument says whether an earlier attempt failed: that one may have been carried out all the same
   * @throws {@link ServiceError} `ERR_MILLRACE_DATABASE`
   */
  async run<T>(work: (db: Kysely<Tables>, again: boolean) => Promise<T>): Promise<T> {
    if (this.#closing) throw new ServiceError('ERR_MILLRACE_DATABASE', `${this.backend.name} has been closed`);
    const running = this.#attempt(work);
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }

  /** Whether another connection, of that name, has come to its end. */
  isGone(holder: string): Promise<boolean> {
    return this.run((db) => this.backend.isGone(db, holder));
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #attempt<T>(work: (db: Kysely<Tables>, again: boolean) => Promise<T>): Promise<T> {
    const begun = performance.now();
    for (let pause = 1, again = false; ; pause = Math.min(pause * 2, LONGEST_PAUSE), again = true) {
      try {
        return await work(this.#db, again);
      } catch (error) {
        if (isMillraceError(error)) throw error;
        const { name } = this.backend;
        if (!this.backend.passes(error)) throw databaseError(name, error);
        const left = begun + this.#patience - performance.now();
        if (left <= 0) throw databaseError(name, error, ` (for ${this.#patience / 1000} s)`);
        await sleep(Math.min(pause, left));
      }
    }
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    try {
      await this.#db.destroy();
    } finally {
      await this.backend.release();
    }
  }
}
