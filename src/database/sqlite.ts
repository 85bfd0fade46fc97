/**
 * SQLite, in a file. Its API is synchronous, so nothing here ever waits for a lock: what finds the database locked fails at once, and
 * is tried again later.
 *
 * A connection holds an exclusive lock on a file of its own, beside the database: `<database>-<holder>.lock`. SQLite takes it, and not
 * we, since a process loses all its POSIX locks on a file when it closes any descriptor of that file; SQLite sees to that.
 */
import { closeSync, existsSync, openSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  type Kysely,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  sql,
  type TransactionSettings,
  type SqliteDatabase as UnderKysely,
} from 'kysely';
import type { Durability } from '../engine/recording.js';
import { ArgumentError, received, ServiceError } from '../errors.js';
import { type Backend, type Connection, databaseError } from './backend.js';
import type { Tables } from './schema.js';

type DatabaseSync = new (path: string, options?: { readOnly?: boolean }) => Connection;

/** The connections that hold a lock file. One that is only forgotten must not be collected, and thereby closed. */
const holding = new Set<Connection>();

const SYNCHRONOUS: Readonly<Record<Durability, string>> = { full: 'full', normal: 'normal', none: 'off' };

/** How long the write-ahead log may become, in pages of 4 KiB: a page that is written again meanwhile is copied to the file once. */
const LOG_PAGES = 4000;

const BUSY = 5;
const LOCKED = 6;
/** Others were too busy with the write-ahead log. */
const PROTOCOL = 15;

/** @throws {@link ServiceError} `ERR_MILLRACE_DATABASE`; nothing is made of a file that exists */
export async function openSqlite(path: string, durability: Durability): Promise<Backend> {
  if (path === '' || path === ':memory:') {
    throw new ArgumentError(
      `The URL of an SQLite database must be 'sqlite:PATH'; received ${received(`sqlite:${path}`)}`,
    );
  }
  const file = resolve(path);
  const driver = await loadDriver();
  try {
    create(file);
    // By whichever path it is opened, the lock files are the same.
    return new Sqlite(realpathSync(file), driver, durability);
  } catch (error) {
    throw databaseError(nameOf(file), error);
  }
}

class Sqlite implements Backend {
  readonly name: string;
  readonly dialect: SqliteDialect;
  readonly text = 'text';
  readonly blob = 'blob';
  readonly serial = 'integer primary key autoincrement';
  readonly small = 'without rowid';
  readonly clock = undefined;
  readonly #file: string;
  readonly #Database: DatabaseSync;
  readonly #synchronous: string;
  #held: { readonly connection: Connection; readonly file: string } | undefined;

  constructor(file: string, Database: DatabaseSync, durability: Durability) {
    this.#file = file;
    this.#Database = Database;
    this.#synchronous = SYNCHRONOUS[durability];
    this.name = nameOf(file);
    this.dialect = new ImmediateDialect({ database: async () => forKysely(this.connect()) });
  }

  passes(error: unknown): boolean {
    const { errcode, message } = error as { errcode?: unknown; message?: unknown };
    // The upper bits tell more about it. Some calls of @photostructure/sqlite leave it out.
    if (typeof errcode === 'number') return [BUSY, LOCKED, PROTOCOL].includes(errcode & 0xff);
    return message === 'database is locked' || message === 'database table is locked';
  }

  /** A transaction keeps others waiting anyway. */
  async prepare(): Promise<void> {}

  async hasTable(db: Kysely<Tables>, table: string): Promise<boolean> {
    const { rows } = await sql`select 1 from sqlite_master where type = 'table' and name = ${table}`.execute(db);
    return rows.length > 0;
  }

  async hold(holder: string): Promise<void> {
    if (this.#held) return;
    // No connection is between having made its lock file and having locked it now, as each does this in such a transaction.
    this.#sweep();
    const file = this.#lockFile(holder);
    closeSync(openSync(file, 'wx', 0o600));
    const connection = new this.#Database(file);
    this.#held = { connection, file };
    holding.add(connection);
    connection.exec('pragma journal_mode = memory; begin exclusive');
  }

  async isGone(_db: unknown, holder: string): Promise<boolean> {
    return this.#isGone(this.#lockFile(holder));
  }

  async release(): Promise<void> {
    if (!this.#held) return;
    const { connection, file } = this.#held;
    connection.close();
    holding.delete(connection);
    rmSync(file, { force: true });
  }

  connect(): Connection {
    const connection = new this.#Database(this.#file);
    try {
      connection.exec(
        `pragma busy_timeout = 0; pragma journal_mode = wal; pragma synchronous = ${this.#synchronous};
         pragma wal_autocheckpoint = ${LOG_PAGES}`,
      );
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Whether nobody has locked a file. Then it is removed. */
  #isGone(file: string): boolean {
    if (!existsSync(file)) return true;
    let probe: Connection | undefined;
    try {
      probe = new this.#Database(file, { readOnly: true });
      probe.exec('select * from sqlite_master'); // without a statement that would keep it open
    } catch (error) {
      if (this.passes(error)) return false;
      if (existsSync(file)) throw error;
    } finally {
      probe?.close();
    }
    rmSync(file, { force: true });
    return true;
  }

  /** Removes the lock files that killed processes have left. */
  #sweep(): void {
    const folder = dirname(this.#file);
    const start = `${basename(this.#file)}-`;
    for (const name of readdirSync(folder)) {
      if (name.startsWith(start) && /^[0-9a-f-]{36}\.lock$/.test(name.slice(start.length))) {
        this.#isGone(join(folder, name));
      }
    }
  }

  #lockFile(holder: string): string {
    return `${this.#file}-${holder}.lock`;
  }
}

/** A transaction that reads before it writes could not be carried on if somebody else had written in between. */
class ImmediateDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig;

  constructor(config: SqliteDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#config);
  }
}

class ImmediateDriver extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings = {}): Promise<void> {
    const begin = settings.accessMode === 'read only' ? 'begin' : 'begin immediate';
    await connection.executeQuery(CompiledQuery.raw(begin));
  }
}

/** Kysely expects the API of better-sqlite3. */
function forKysely(connection: Connection): UnderKysely {
  return {
    // With @photostructure/sqlite, the file is closed when the statements have been collected.
    close: () => connection.close(),
    prepare: (text) => {
      const statement = connection.prepare(text);
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...parameters),
        run: (parameters) => statement.run(...parameters),
        iterate: (parameters) => statement.iterate(...parameters),
      };
    },
  };
}

/** Makes an empty file, if there is none. SQLite would make it for all to read; what it puts beside it has the same mode. */
function create(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

async function loadDriver(): Promise<DatabaseSync> {
  let cause: unknown;
  for (const name of ['node:sqlite', '@photostructure/sqlite']) {
    try {
      const { DatabaseSync, StatementSync } = await import(name);
      if ('columns' in StatementSync.prototype) return DatabaseSync; // not before Node.js 22.16
    } catch (error) {
      cause = error;
    }
  }
  throw new ServiceError(
    'ERR_MILLRACE_DATABASE',
    'SQLite needs Node.js 22.16 or later, or a package: npm install @photostructure/sqlite@1',
    { cause },
  );
}

function nameOf(file: string): string {
  return `SQLite database '${file}'`;
}
