import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type ExpressionBuilder, type Kysely, sql } from 'kysely';
import type { Database, FlowRow, Tables } from '../database/index.js';
import type { FlowStore, FlowSummary, NewFlow, RecordedFlow, Stored } from '../engine/recording.js';
import {
  type Archive,
  type BookSummary,
  checkQuery,
  duplicateFlow,
  type FlowQuery,
  flowNotFound,
  owned,
  statesOf,
} from './archive.js';
import type { LargeChange } from './cells.js';
import { type Changes, checkName } from './changes.js';
import { checkNewFlow, isLarge, largeKey, recordedFlow, summaryOf } from './flows.js';
import { FlowLease, type Keeper } from './lease.js';
import { storeClosed, storeError } from './store-errors.js';
import { writePostgres } from './write-postgres.js';
import { SqliteWriter } from './write-sqlite.js';

const FLOWS = 'millrace_flows';
const SUMMARY = [
  'id',
  'book',
  'name',
  'factory',
  'state',
  'host',
  'pid',
  'held_since',
  'created_at',
  'updated_at',
  'finished_at',
] as const;

const COLUMNS = {
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  name: 'name',
  state: 'state',
  id: 'id',
} as const satisfies Readonly<Record<string, keyof FlowRow>>;

/** How many flows are removed in one transaction. */
const AT_ONCE = 100;

const NOBODY = { holder: null, host: null, pid: null, held_since: null, beat_at: null };

export interface SqlStoreOptions {
  /**
   * After how many ms without a heartbeat somebody else may take a flow, by the clock of the server. There are three in that time.
   * SQLite has none: who holds its lock file lives.
   */
  readonly silence: number;
}

/** Flows in a database. */
export class SqlStore implements FlowStore, Archive, Keeper {
  readonly #database: Database;
  readonly #silence: number;
  /** Of SQLite. */
  readonly #writer: SqliteWriter | undefined;
  readonly #leases = new Map<string, FlowLease>();
  readonly #taking = new Set<string>();
  readonly #heart: NodeJS.Timeout | undefined;
  /** When the server last heard of this store, by the clock of the process that never jumps. */
  #heard = performance.now();
  #closing: Promise<void> | undefined;

  /** @param database is closed with the store */
  constructor(database: Database, { silence }: SqlStoreOptions) {
    this.#database = database;
    this.#silence = silence;
    const { backend } = database;
    if (backend.connect) this.#writer = new SqliteWriter(backend.connect());
    if (backend.clock) this.#heart = setInterval(() => void this.beat(), silence / 3).unref();
  }

  async create(flow: NewFlow): Promise<FlowLease> {
    checkNewFlow(flow);
    const { id = randomUUID(), book = null, name, factory = null, inputs, metadata } = flow;
    const now = Date.now();
    const row = {
      ...{ id, book, name, factory },
      ...{ state: 'PENDING', epoch: 1, seq: 0, created_at: now, updated_at: now },
      ...this.#me(now),
      inputs: isLarge(inputs) ? '' : inputs.text,
      metadata: metadata ? (isLarge(metadata) ? '' : metadata.text) : null,
    };
    const large = Object.entries({ inputs, metadata }).flatMap(([field, value]) =>
      value && isLarge(value) ? [{ atom: '', field, value }] : [],
    );
    return await this.#take(id, duplicateFlow, () =>
      this.#inTransaction(async (db, again) => {
        await this.#lastingly(db);
        const [made] = await db
          .insertInto(FLOWS)
          .values({ ...row, beat_at: this.#clock() })
          .onConflict((conflict) => conflict.column('id').doNothing())
          .returning('key')
          .execute();
        if (made) {
          await insertLarge(db, made.key, large);
          return this.#lease(
            id,
            1,
            made.key,
            0,
            large.map(({ atom, field }) => largeKey(atom, field)),
          );
        }
        // An earlier attempt whose answer was lost may have been carried out.
        const found = await db
          .selectFrom(FLOWS)
          .select(['key', 'holder', 'seq', 'epoch'])
          .where('id', '=', id)
          .execute();
        const [{ key, holder, seq, epoch }] = found;
        if (!again || holder !== row.holder || seq !== 0 || epoch !== 1) throw duplicateFlow(id);
        return this.#lease(
          id,
          1,
          key,
          0,
          large.map(({ atom, field }) => largeKey(atom, field)),
        );
      }),
    );
  }

  async acquire(id: string): Promise<FlowLease> {
    checkName(id, 'The id of a flow');
    return await this.#take(
      id,
      (taken) => owned({ id: taken, owner: undefined }),
      () =>
        this.#inTransaction(async (db) => {
          const flow = await this.#locked(db, id);
          if (!flow) throw flowNotFound(id);
          if (await this.#isOwned(db, flow)) throw owned(summaryOf(flow));
          const epoch = flow.epoch + 1;
          await this.#lastingly(db);
          await db
            .updateTable(FLOWS)
            .set({ epoch, ...this.#me(Date.now()), beat_at: this.#clock() })
            .where('key', '=', flow.key)
            .execute();
          const large = await db
            .selectFrom('millrace_values')
            .select(['atom', 'field'])
            .where('flow', '=', flow.key)
            .where('part', '=', 0)
            .execute();
          return this.#lease(
            id,
            epoch,
            flow.key,
            flow.seq,
            large.map(({ atom, field }) => largeKey(atom, field)),
          );
        }),
    );
  }

  async read(id: string): Promise<RecordedFlow> {
    checkName(id, 'The id of a flow');
    return await this.#run((store) =>
      // All of one moment.
      store
        .transaction()
        .setIsolationLevel('repeatable read')
        .setAccessMode('read only')
        .execute(async (db) => {
          const flow = await db.selectFrom(FLOWS).selectAll().where('id', '=', id).executeTakeFirst();
          if (!flow) throw flowNotFound(id);
          const of = flow.key;
          const atoms = await db.selectFrom('millrace_atoms').selectAll().where('flow', '=', of).execute();
          const attempts = await db
            .selectFrom('millrace_attempts')
            .selectAll()
            .where('flow', '=', of)
            .orderBy('n')
            .execute();
          const values = await db
            .selectFrom('millrace_values')
            .selectAll()
            .where('flow', '=', of)
            .orderBy('part')
            .execute();
          return recordedFlow(flow, atoms, attempts, values);
        }),
    );
  }

  async books(): Promise<BookSummary[]> {
    const rows = await this.#run((db) =>
      db
        .selectFrom(FLOWS)
        .select(({ fn }) => [
          'book',
          fn.countAll<number>().as('flows'),
          fn.min('created_at').as('created_at'),
          fn.max('updated_at').as('updated_at'),
        ])
        .where('book', 'is not', null)
        .groupBy('book')
        .orderBy('book')
        .execute(),
    );
    return rows.map(({ book, flows, created_at, updated_at }) => ({
      name: book!,
      flows,
      createdAt: new Date(created_at),
      updatedAt: new Date(updated_at),
    }));
  }

  async flows(query: FlowQuery = {}): Promise<FlowSummary[]> {
    checkQuery(query);
    const {
      book,
      name,
      state,
      createdBefore,
      createdAfter,
      sortKey = 'createdAt',
      sortDir = 'desc',
      after,
      limit,
    } = query;
    const states = statesOf(state);
    const columns = [...new Set([COLUMNS[sortKey], 'created_at', 'id'] as const)];
    const rows = await this.#run(async (db) => {
      let select = db.selectFrom(FLOWS).select(SUMMARY);
      if (after !== undefined) {
        const last = await select.where('id', '=', after).executeTakeFirst();
        if (!last) throw flowNotFound(after);
        select = select.where((eb) => isBehind(eb, columns, last, sortDir === 'asc' ? '>' : '<'));
      }
      if (book !== undefined) select = select.where('book', '=', book);
      if (name !== undefined) select = select.where('name', '=', name);
      if (states) select = select.where('state', 'in', states.length > 0 ? [...states] : ['']);
      if (createdBefore) select = select.where('created_at', '<', createdBefore.getTime());
      if (createdAfter) select = select.where('created_at', '>', createdAfter.getTime());
      for (const column of columns) select = select.orderBy(column, sortDir);
      return await (limit === undefined ? select : select.limit(limit)).execute();
    });
    return rows.map(summaryOf);
  }

  async delete(id: string): Promise<boolean> {
    checkName(id, 'The id of a flow');
    return await this.#inTransaction(async (db, again) => {
      const flow = await this.#locked(db, id);
      if (!flow) return again;
      if (await this.#isOwned(db, flow)) throw owned(summaryOf(flow));
      await remove(db, [flow.key]);
      return true;
    });
  }

  async expire(before: Date, query: Pick<FlowQuery, 'book' | 'name' | 'state'> = {}): Promise<number> {
    const { book, name, state } = query;
    const states = statesOf(state);
    const expired = (db: Kysely<Tables>) => {
      let select = db.selectFrom(FLOWS).where('finished_at', '<', before.getTime());
      if (book !== undefined) select = select.where('book', '=', book);
      if (name !== undefined) select = select.where('name', '=', name);
      if (states) select = select.where('state', 'in', states.length > 0 ? [...states] : ['']);
      return select;
    };
    let count = 0;
    for (let last = 0; ; ) {
      const keys = await this.#inTransaction(async (db) => {
        let select = expired(db)
          .select(['key', 'holder', 'beat_at', 'id'])
          .where('key', '>', last)
          .orderBy('key')
          .limit(AT_ONCE);
        if (this.#database.backend.clock) select = select.forUpdate();
        const rows = await select.execute();
        const gone: number[] = [];
        for (const row of rows) if (!(await this.#isOwned(db, row))) gone.push(row.key);
        await remove(db, gone);
        last = rows.at(-1)?.key ?? 0;
        return { removed: gone.length, found: rows.length };
      });
      count += keys.removed;
      if (keys.found < AT_ONCE) return count;
    }
  }

  write(lease: FlowLease, changes: Changes): void | Promise<void> {
    if (this.#closing) throw storeClosed(this.#database.backend.name);
    const { backend } = this.#database;
    const writer = this.#writer;
    if (!writer) return this.#run((db) => writePostgres(db, backend.clock!, lease, changes), lease.id);
    try {
      writer.write(lease, changes);
    } catch (error) {
      if (!backend.passes(error)) throw storeError(error, backend.name, lease.id);
      // Somebody else is writing.
      return this.#run(async () => writer.write(lease, changes), lease.id);
    }
  }

  async release({ id, epoch }: FlowLease): Promise<void> {
    try {
      await this.#run((db) =>
        db.updateTable(FLOWS).set(NOBODY).where('id', '=', id).where('epoch', '=', epoch).execute(),
      );
    } finally {
      if (this.#leases.get(id)?.epoch === epoch) this.#leases.delete(id);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Tells the server that this store lives, and learns which leases are lost.
   *
   * @internal
   */
  async beat(): Promise<void> {
    const held = [...this.#leases.values()].filter(({ over }) => !over);
    const now = performance.now();
    try {
      const rows = await this.#database.run((db) =>
        db
          .updateTable(FLOWS)
          .set({ beat_at: this.#clock() })
          .where('holder', '=', this.#database.holder)
          .returning(['id', 'epoch'])
          .execute(),
      );
      this.#heard = now;
      const good = new Map(rows.map(({ id, epoch }) => [id, epoch]));
      for (const lease of held) if (good.get(lease.id) !== lease.epoch && !lease.over) lease.lose();
    } catch {
      // Somebody else may have taken them all; nobody here can know.
      if (performance.now() - this.#heard < this.#silence) return;
      for (const lease of held)
        lease.lose('the database has been out of reach for too long, so that it may have been taken');
    }
  }

  async #close(): Promise<void> {
    clearInterval(this.#heart);
    try {
      await Promise.allSettled([...this.#leases.values()].map((lease) => lease.release()));
      this.#writer?.close();
    } finally {
      await this.#database.close();
    }
  }

  /** Takes a flow, unless somebody in this process has it, or is about to. */
  async #take(id: string, refusal: (id: string) => Error, take: () => Promise<FlowLease>): Promise<FlowLease> {
    if (this.#closing) throw storeClosed(this.#database.backend.name);
    const held = this.#leases.get(id);
    if (this.#taking.has(id) || (held && !held.over)) throw refusal(id);
    this.#taking.add(id);
    try {
      const lease = await take();
      this.#leases.set(id, lease);
      return lease;
    } finally {
      this.#taking.delete(id);
    }
  }

  #lease(id: string, epoch: number, key: number, seq: number, large: readonly string[]): FlowLease {
    return new FlowLease(this, id, { epoch, key, seq, large });
  }

  #me(now: number) {
    return { holder: this.#database.holder, host: hostname(), pid: process.pid, held_since: now };
  }

  /** An epoch must not come twice, not even when the server crashes: whatever the durability, this transaction survives that. */
  async #lastingly(db: Kysely<Tables>): Promise<void> {
    if (this.#database.backend.clock) await sql`set local synchronous_commit = on`.execute(db);
  }

  #clock() {
    const { clock } = this.#database.backend;
    return clock ? sql<number>`${sql.raw(clock)}` : null;
  }

  /** Nobody takes or releases a flow that has been read so, until the end of the transaction. */
  async #locked(db: Kysely<Tables>, id: string) {
    const select = db
      .selectFrom(FLOWS)
      .select([...SUMMARY, 'key', 'epoch', 'seq', 'holder', 'beat_at'])
      .where('id', '=', id);
    return await (this.#database.backend.clock ? select.forUpdate() : select).executeTakeFirst();
  }

  /** Whether somebody who lives has a flow. */
  async #isOwned(
    db: Kysely<Tables>,
    { id, holder, beat_at }: Pick<FlowRow, 'id' | 'holder' | 'beat_at'>,
  ): Promise<boolean> {
    const { backend, holder: me } = this.#database;
    if (holder === null) return false;
    if (holder === me) {
      // What this store has no lease of, it has failed to release, or to learn that it has taken it.
      const lease = this.#leases.get(id);
      return lease !== undefined && !lease.over;
    }
    if (await backend.isGone(db, holder)) return false;
    const clock = this.#clock();
    if (clock === null || beat_at === null) return true;
    const { rows } = await sql<{ silence: number }>`select ${clock} - ${beat_at}::bigint as silence`.execute(db);
    return rows[0].silence < this.#silence;
  }

  #inTransaction<T>(work: (db: Kysely<Tables>, again: boolean) => Promise<T>): Promise<T> {
    return this.#run((db, again) => db.transaction().execute((transaction) => work(transaction, again)));
  }

  async #run<T>(work: (db: Kysely<Tables>, again: boolean) => Promise<T>, flow?: string): Promise<T> {
    try {
      return await this.#database.run(work);
    } catch (error) {
      throw storeError(error, this.#database.backend.name, flow);
    }
  }
}

async function insertLarge(
  db: Kysely<Tables>,
  flow: number,
  large: readonly (LargeChange & { value: Stored })[],
): Promise<void> {
  for (const { atom, field, value } of large) {
    const rows = [
      { flow, atom, field, part: 0, text: value.text, data: null },
      ...value.parts.map((data, i) => ({ flow, atom, field, part: i + 1, text: null, data: Buffer.from(data) })),
    ];
    for (const row of rows) await db.insertInto('millrace_values').values(row).execute();
  }
}

async function remove(db: Kysely<Tables>, keys: readonly number[]): Promise<void> {
  if (keys.length === 0) return;
  for (const table of ['millrace_atoms', 'millrace_attempts', 'millrace_values'] as const) {
    await db.deleteFrom(table).where('flow', 'in', keys).execute();
  }
  await db.deleteFrom(FLOWS).where('key', 'in', keys).execute();
}

/** That a row comes after another one, in the order of some columns. */
function isBehind(
  eb: ExpressionBuilder<Tables, typeof FLOWS>,
  [column, ...others]: readonly ('created_at' | 'updated_at' | 'name' | 'state' | 'id')[],
  last: Pick<FlowRow, 'created_at' | 'updated_at' | 'name' | 'state' | 'id'>,
  operator: '<' | '>',
): ReturnType<typeof eb.or> {
  const behind = eb(column, operator, last[column]);
  if (others.length === 0) return eb.or([behind]);
  return eb.or([behind, eb.and([eb(column, '=', last[column]), isBehind(eb, others, last, operator)])]);
}
