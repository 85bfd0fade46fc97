/** The tables, and how they came to be. Types are those that every database has: texts, and integers for times in ms. */
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { ServiceError } from '../errors.js';
import type { Backend } from './backend.js';

/** A task record. Lists read all but the last three, so these come last. */
export interface TaskRow {
  id: string;
  type: string;
  status: string;
  owner: string | null;
  holder: string | null;
  created_at: number;
  updated_at: number;
  expires_at: number | null;
  message: string;
  /** JSON. */
  input: string;
  /** JSON. */
  result: string;
}

export interface Tables {
  millrace_tasks: TaskRow;
  /** Which migrations have been made. */
  millrace_migrations: { version: number };
}

type Migration = (db: Kysely<Tables>, text: RawBuilder<string>) => Promise<void>;

/** The n-th makes version n of an older one. What has once been released is never changed. */
const MIGRATIONS: readonly Migration[] = [
  async (db, text) => {
    await db.schema
      .createTable('millrace_tasks')
      .addColumn('id', text, (column) => column.primaryKey().notNull())
      .addColumn('type', text, (column) => column.notNull())
      .addColumn('status', text, (column) => column.notNull())
      .addColumn('owner', text)
      .addColumn('holder', text)
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint')
      .addColumn('message', text, (column) => column.notNull())
      .addColumn('input', text, (column) => column.notNull())
      .addColumn('result', text, (column) => column.notNull())
      .execute();
    const index = (name: string) => db.schema.createIndex(`millrace_tasks_${name}`).on('millrace_tasks');
    await index('by_time').columns(['created_at', 'id']).execute();
    await index('by_owner').columns(['owner', 'created_at', 'id']).execute();
    await index('by_expiry').column('expires_at').execute();
    await index('by_holder').column('holder').where('holder', 'is not', null).execute();
  },
];

/**
 * Makes what is missing of the tables, within a transaction that excludes others.
 *
 * @throws {@link ServiceError} `ERR_MILLRACE_DATABASE` when they are those of a newer Millrace
 */
export async function migrate(db: Kysely<Tables>, backend: Backend): Promise<void> {
  // Once the tables are there, this needs no right to make any.
  if (!(await backend.hasTable(db, 'millrace_migrations'))) {
    await db.schema
      .createTable('millrace_migrations')
      .addColumn('version', 'integer', (column) => column.primaryKey().notNull())
      .execute();
  }
  const { version } = await db
    .selectFrom('millrace_migrations')
    .select(({ fn }) => fn.coalesce(fn.max('version'), sql<number>`0`).as('version'))
    .executeTakeFirstOrThrow();
  if (version > MIGRATIONS.length) {
    throw new ServiceError(
      'ERR_MILLRACE_DATABASE',
      `${backend.name} is of a newer Millrace: its tables are of version ${version}, and this one knows ${MIGRATIONS.length}`,
    );
  }
  for (const [i, migration] of MIGRATIONS.entries()) {
    if (i < version) continue;
    await migration(db, sql.raw<string>(backend.text));
    await db
      .insertInto('millrace_migrations')
      .values({ version: i + 1 })
      .execute();
  }
}
