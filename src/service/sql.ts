import type { ExpressionBuilder, Kysely } from 'kysely';
import type { Database, Tables, TaskRow } from '../database/index.js';
import { ServiceError } from '../errors.js';
import { type SortKey, type TaskQuery, unknownMarker } from './query.js';
import { isText, summaryOf, type TaskRecord, type TaskSummary } from './record.js';
import type { TaskRepository } from './repository.js';
import type { TaskStatus } from './status.js';

const TABLE = 'millrace_tasks';
const SUMMARY = ['id', 'type', 'status', 'owner', 'created_at', 'updated_at', 'expires_at'] as const;

type SummaryRow = Pick<TaskRow, (typeof SUMMARY)[number]>;

const COLUMNS: Readonly<Record<SortKey, keyof SummaryRow>> = {
  createdAt: 'created_at',
  updatedAt: 'updated_at',
  expiresAt: 'expires_at',
  id: 'id',
  type: 'type',
  status: 'status',
  owner: 'owner',
};

/** Task records in a database. */
export class SqlTaskRepository implements TaskRepository {
  readonly holder: string;
  readonly #database: Database;

  /** @param database is closed with the repository */
  constructor(database: Database) {
    this.#database = database;
    this.holder = database.holder;
  }

  async add(task: TaskRecord): Promise<void> {
    const row = rowOf(task);
    const added = await this.#database.run(async (db, again) => {
      const { numInsertedOrUpdatedRows: count } = await db
        .insertInto(TABLE)
        .values(row)
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      return count === 1n || (again && (await isStored(db, row)));
    });
    if (added) return;
    throw new ServiceError('ERR_MILLRACE_DUPLICATE_RECORD', `There is a task ${task.id} already`, { id: task.id });
  }

  async get(id: string): Promise<TaskRecord | undefined> {
    const row = await this.#database.run(async (db) => (isText(id) ? find(db, id) : undefined));
    return row && recordOf(row);
  }

  async list(query: TaskQuery = {}): Promise<TaskSummary[]> {
    const { sortKey = 'createdAt', sortDir = 'desc', marker, limit } = query;
    const columns = [COLUMNS[sortKey], 'created_at', 'id'] as const;
    const filters = (['type', 'status', 'owner'] as const).flatMap((column) => {
      const value = query[column];
      return value === undefined ? [] : [{ column, value }];
    });
    const rows = await this.#database.run(async (db) => {
      const summaries = db.selectFrom(TABLE).select(SUMMARY);
      let last: SummaryRow | undefined;
      if (marker !== undefined) {
        last = isText(marker) ? await summaries.where('id', '=', marker).executeTakeFirst() : undefined;
        if (!last) throw unknownMarker(marker);
      }
      if (!filters.every(({ value }) => isText(value))) return [];
      let select = summaries;
      for (const { column, value } of filters) select = select.where(column, '=', value);
      if (last) select = select.where((eb) => isBehind(eb, columns, last, sortDir));
      for (const column of columns) {
        select = select.orderBy(column, (order) =>
          sortDir === 'asc' ? order.asc().nullsFirst() : order.desc().nullsLast(),
        );
      }
      return await (limit === undefined ? select : select.limit(limit)).execute();
    });
    return rows.map((row) => summaryOf(fieldsOf(row)));
  }

  async save(next: TaskRecord, previous: TaskRecord): Promise<boolean> {
    const row = rowOf(next);
    return await this.#database.run(async (db, again) => {
      const { numUpdatedRows: count } = await db
        .updateTable(TABLE)
        .set(row)
        .where('id', '=', previous.id)
        .where('status', '=', previous.status)
        .where('holder', previous.holder === null ? 'is' : '=', previous.holder)
        .executeTakeFirst();
      return count === 1n || (again && (await isStored(db, row)));
    });
  }

  async remove(id: string): Promise<boolean> {
    return await this.#database.run(async (db, again) => {
      if (!isText(id)) return false;
      const { numDeletedRows: count } = await db.deleteFrom(TABLE).where('id', '=', id).executeTakeFirst();
      return count === 1n || again;
    });
  }

  async removeExpired(now: Date): Promise<number> {
    return await this.#database.run(async (db) => {
      const { numDeletedRows } = await db.deleteFrom(TABLE).where('expires_at', '<=', now.getTime()).executeTakeFirst();
      return Number(numDeletedRows);
    });
  }

  async held(): Promise<TaskRecord[]> {
    const holders = await this.#database.run((db) =>
      db.selectFrom(TABLE).select('holder').distinct().where('holder', 'is not', null).execute(),
    );
    const found: string[] = [];
    for (const { holder } of holders) {
      if (holder === this.holder || (await this.#database.isGone(holder!))) found.push(holder!);
    }
    if (found.length === 0) return [];
    const rows = await this.#database.run((db) =>
      db.selectFrom(TABLE).selectAll().where('holder', 'in', found).orderBy('created_at').orderBy('id').execute(),
    );
    return rows.map(recordOf);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function find(db: Kysely<Tables>, id: string): Promise<TaskRow | undefined> {
  return db.selectFrom(TABLE).selectAll().where('id', '=', id).executeTakeFirst();
}

/** Whether a row is there just as it is given. */
async function isStored(db: Kysely<Tables>, row: TaskRow): Promise<boolean> {
  const stored = await find(db, row.id);
  return (
    stored !== undefined && (Object.keys(row) as (keyof TaskRow)[]).every((column) => stored[column] === row[column])
  );
}

/** That a row comes after another one, in the order of some columns. */
function isBehind(
  eb: ExpressionBuilder<Tables, typeof TABLE>,
  [column, ...others]: readonly (keyof SummaryRow)[],
  last: SummaryRow,
  sortDir: 'asc' | 'desc',
): ReturnType<typeof eb.or> {
  const value = last[column];
  const cases: ReturnType<typeof eb.or>[] = [];
  // What is null is the least: everything else is above it, and nothing below.
  if (sortDir === 'asc') cases.push(value === null ? eb(column, 'is not', null) : eb(column, '>', value));
  else if (value !== null) cases.push(eb(column, '<', value), eb(column, 'is', null));
  if (others.length > 0) {
    const equal = eb(column, value === null ? 'is' : '=', value);
    cases.push(eb.and([equal, isBehind(eb, others, last, sortDir)]));
  }
  return eb.or(cases);
}

function rowOf(task: TaskRecord): TaskRow {
  const { id, type, status, owner, holder, recorded, createdAt, updatedAt, expiresAt, message, input, result } = task;
  return {
    ...{ id, type, status, owner, holder, message },
    recorded: Number(recorded),
    created_at: createdAt.getTime(),
    updated_at: updatedAt.getTime(),
    expires_at: expiresAt === null ? null : expiresAt.getTime(),
    // As JSON text, NUL and halves of characters are escaped.
    input: JSON.stringify(input),
    result: JSON.stringify(result),
  };
}

function recordOf(row: TaskRow): TaskRecord {
  const { holder, recorded, message, input, result } = row;
  return Object.freeze({
    ...{ ...fieldsOf(row), holder, recorded: recorded === 1, message },
    ...{ input: JSON.parse(input), result: JSON.parse(result) },
  });
}

function fieldsOf({ id, type, status, owner, created_at, updated_at, expires_at }: SummaryRow): TaskSummary {
  return {
    ...{ id, type, status: status as TaskStatus, owner },
    createdAt: new Date(created_at),
    updatedAt: new Date(updated_at),
    expiresAt: expires_at === null ? null : new Date(expires_at),
  };
}
