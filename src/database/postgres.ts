/**
 * PostgreSQL. A connection of its own holds an advisory lock by the name of the holder, which the server releases when that connection
 * ends; by keepalives it finds out within seconds that a machine is gone.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely';
import type { Client, ClientConfig, Pool } from 'pg';
import type { Durability } from '../engine/recording.js';
import { ArgumentError, ServiceError } from '../errors.js';
import { type Backend, databaseError } from './backend.js';
import type { Tables } from './schema.js';

/** Connections lost and refused, deadlocks and the like, a server that starts or stops, too many connections. */
const PASSING_CODE =
  /^(08...|40001|40P01|53300|55P03|57P0[123]|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOENT)$/;
/** What `pg` says of a connection without a code. */
const PASSING_MESSAGE =
  /^(Connection terminated|Client (has encountered|was closed)|Query read timeout|timeout exceeded)/;

/** The oid of the type that `pg` makes a string of: an integer of 64 bits. Times are below 2^53. */
const INT8 = 20;

/** How long an answer may take beyond the time that the server has to find it, in ms. */
const ANSWER = 5000;

/** The longest pause between two attempts to take the lock again, in ms. */
const LONGEST_PAUSE = 1000;

/** What a statement starts with that the server is to keep prepared: it comes again and again, and its result is always of the same type. */
export const PREPARED = '/* prepared */ ';

/** How many statements are kept prepared. */
const MOST_PREPARED = 100;

type Driver = typeof import('pg');

/** The types of `pg` do not know it all. */
type Holding = Client & { ref(): void; unref(): void };

/** @throws {@link ArgumentError} when the URL is malformed */
export async function openPostgres(
  url: string,
  patience: number,
  durability: Durability | undefined,
): Promise<Backend> {
  const name = nameOf(url);
  const driver = await loadDriver();
  try {
    return new Postgres(name, driver, url, patience, durability);
  } catch (error) {
    throw databaseError(name, error); // a certificate cannot be read, ...
  }
}

class Postgres implements Backend {
  readonly name: string;
  readonly dialect: PostgresDialect;
  readonly text = 'text collate "C"';
  readonly blob = 'bytea';
  readonly serial = 'bigint generated always as identity primary key';
  readonly small = '';
  readonly clock = '(extract(epoch from clock_timestamp()) * 1000)::bigint';
  readonly #driver: Driver;
  readonly #config: ClientConfig;
  #key: string | undefined;
  #held: Holding | undefined;
  #released = false;

  constructor(
    name: string,
    driver: Driver,
    connectionString: string,
    patience: number,
    durability: Durability | undefined,
  ) {
    this.name = name;
    this.#driver = driver;
    this.#config = {
      connectionString,
      connectionTimeoutMillis: patience,
      keepAlive: true,
      fallback_application_name: 'millrace',
    };
    const pool = new driver.Pool({
      ...this.#config,
      query_timeout: patience + ANSWER, // the server may be gone without a word
      allowExitOnIdle: true,
      types: {
        getTypeParser: (oid: number, format?: any) => (oid === INT8 ? Number : driver.types.getTypeParser(oid, format)),
      },
    });
    // What uses a connection is told of its errors, and an idle one is replaced: nobody else needs to know.
    pool.on('error', () => {});
    pool.on('connect', (client) => {
      client.on('error', () => {});
      const settings = durability ? `; set synchronous_commit = ${durability === 'full' ? 'on' : 'off'}` : '';
      client.query(`set statement_timeout = ${patience}${settings}`).catch(() => {});
    });
    this.dialect = new PostgresDialect({ pool: guarded(pool) });
  }

  passes(error: unknown): boolean {
    const { code, message } = error as { code?: unknown; message?: unknown };
    return typeof code === 'string' ? PASSING_CODE.test(code) : PASSING_MESSAGE.test(String(message));
  }

  async prepare(transaction: Kysely<Tables>): Promise<void> {
    const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(transaction);
    const [{ server_encoding: encoding }] = rows;
    if (encoding !== 'UTF8') {
      throw new ServiceError('ERR_MILLRACE_DATABASE', `${this.name}: the encoding must be UTF8; it is ${encoding}`);
    }
    await sql`select pg_advisory_xact_lock(${keyOf('millrace:migrations')}::bigint)`.execute(transaction);
  }

  async hasTable(db: Kysely<Tables>, table: string): Promise<boolean> {
    const { rows } = await sql<{ found: boolean }>`select to_regclass(${table}) is not null as found`.execute(db);
    return rows[0].found;
  }

  async hold(holder: string): Promise<void> {
    if (this.#held) return;
    this.#key = keyOf(holder);
    await this.#take();
  }

  async isGone(db: Kysely<Tables>, holder: string): Promise<boolean> {
    // Several may ask at a time. The lock lasts as long as the statement.
    const { rows } = await sql<{ gone: boolean }>`
      select pg_try_advisory_xact_lock_shared(${keyOf(holder)}::bigint) as gone`.execute(db);
    return rows[0].gone;
  }

  async release(): Promise<void> {
    this.#released = true;
    this.#held?.ref();
    await this.#held?.end();
  }

  async #take(): Promise<void> {
    const client = new this.#driver.Client({ ...this.#config, keepAliveInitialDelayMillis: 1000 }) as Holding;
    client.on('error', () => {}); // its end follows
    try {
      await client.connect();
      await client.query('set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3');
      // Waits while the server does not know yet that the connection before this one has been lost.
      await client.query('select pg_advisory_lock($1::bigint)', [this.#key]);
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
    client.once('end', () => this.#takeAgain());
    client.unref(); // keeps no process alive
    this.#held = client;
    if (this.#released) await this.release();
  }

  /** The connection is lost, and so is the lock. Until it is taken again, another process may take this one for gone. */
  async #takeAgain(): Promise<void> {
    for (let pause = 50; !this.#released; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      try {
        return await this.#take();
      } catch {
        await sleep(pause, undefined, { ref: false });
      }
    }
  }
}

/**
 * A pool that does not take a connection back on which a query has failed without an answer of the server, and that has statements
 * prepared.
 */
function guarded(pool: Pool): PostgresPool {
  const names = new Map<string, string>();
  const preparedName = (text: string) => {
    if (!text.startsWith(PREPARED)) return undefined;
    if (!names.has(text) && names.size < MOST_PREPARED) names.set(text, `millrace_${names.size}`);
    return names.get(text);
  };
  return {
    end: () => pool.end(),
    connect: async () => {
      const client = await pool.connect();
      let broken = false;
      const guard = {
        release: () => client.release(broken),
        query: async (text: string, values: unknown[]) => {
          try {
            const name = preparedName(text);
            return await (name ? client.query({ name, text, values }) : client.query(text, values));
          } catch (error) {
            broken = !('severity' in (error as Error));
            throw error;
          }
        },
      };
      return guard as unknown as PostgresPoolClient;
    },
  };
}

function keyOf(name: string): string {
  return String(createHash('sha256').update(name).digest().readBigInt64BE());
}

async function loadDriver(): Promise<Driver> {
  try {
    return await import('pg');
  } catch (cause) {
    throw new ServiceError('ERR_MILLRACE_DATABASE', 'PostgreSQL needs a package: npm install pg@8', { cause });
  }
}

/** What the database is called, without the password. */
function nameOf(url: string): string {
  const { protocol, username, host, pathname, hash } = URL.canParse(url) ? new URL(url) : ({} as Partial<URL>);
  // A password with a '#' or a '/' would be taken for something else, and end up in messages.
  if (pathname === undefined || hash || /[@:]/.test(pathname)) {
    throw new ArgumentError(
      "The URL of a PostgreSQL database must look like 'postgres://USER:PASSWORD@HOST:PORT/DATABASE', with special characters percent-encoded",
    );
  }
  return `PostgreSQL database ${protocol}//${username && `${username}@`}${host}${pathname}`;
}
