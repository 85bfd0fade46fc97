/** The tables, and how they came to be. Types are those that every database has: texts, and integers for times in ms. */
import { type Generated, type Kysely, type RawBuilder, sql } from 'kysely';
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
  /** Whether its flow is recorded: 0 or 1. */
  recorded: number;
  message: string;
  /** JSON. */
  input: string;
  /** JSON. */
  result: string;
}

/**
 * A flow. Values are texts: `''` says that a value is in `millrace_values`, as it is large or has binary parts. Nothing is ever written
 * but by whoever has the epoch.
 */
export interface FlowRow {
  /** What the other tables call it. */
  key: Generated<number>;
  id: string;
  book: string | null;
  name: string;
  factory: string | null;
  state: string;
  /** Counts the leases. */
  epoch: number;
  /** The number of the last commit, by which a commit whose answer was lost is found. */
  seq: number;
  /** The connection that has the lease; its process, and since when; when that was last heard of, by the clock of the server. */
  holder: string | null;
  host: string | null;
  pid: number | null;
  held_since: number | null;
  beat_at: number | null;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
  inputs: string;
  injected: string | null;
  metadata: string | null;
  notes: string | null;
}

/** An atom that has left `PENDING` once. */
export interface AtomRow {
  flow: number;
  name: string;
  kind: string;
  parent: string | null;
  state: string;
  intention: string;
  attempts: number;
  /** `order` means something in SQL. */
  place: number;
  started_at: number | null;
  finished_at: number | null;
  progress: string | null;
  result: string | null;
  failure: string | null;
  revert_result: string | null;
  revert_failure: string | null;
  metadata: string | null;
  notes: string | null;
  version: string | null;
  rounds: number;
}

/** An attempt of a retry. */
export interface AttemptRow {
  flow: number;
  retry: string;
  /** From 0. */
  n: number;
  value: string | null;
  failures: string | null;
}

/** A part of a large value: of part 0 the text, of the others the data. */
export interface ValueRow {
  flow: number;
  /** `''`: of the flow itself. */
  atom: string;
  /** Its column; of an attempt with its number: `value 3`. */
  field: string;
  part: number;
  text: string | null;
  data: Uint8Array | null;
}

export interface Tables {
  millrace_tasks: TaskRow;
  millrace_flows: FlowRow;
  millrace_atoms: AtomRow;
  millrace_attempts: AttemptRow;
  millrace_values: ValueRow;
  /** Which migrations have been made. */
  millrace_migrations: { version: number };
}

type Migration = (db: Kysely<Tables>, text: RawBuilder<string>, backend: Backend) => Promise<void>;

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
  async (db, text, backend) => {
    const blob = sql.raw(backend.blob);
    const end = sql.raw(backend.small);
    await db.schema
      .createTable('millrace_flows')
      .addColumn('key', sql.raw(backend.serial))
      .addColumn('id', text, (column) => column.unique().notNull())
      .addColumn('book', text)
      .addColumn('name', text, (column) => column.notNull())
      .addColumn('factory', text)
      .addColumn('state', text, (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('seq', 'bigint', (column) => column.notNull())
      .addColumn('holder', text)
      .addColumn('host', text)
      .addColumn('pid', 'bigint')
      .addColumn('held_since', 'bigint')
      .addColumn('beat_at', 'bigint')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .addColumn('finished_at', 'bigint')
      .addColumn('inputs', text, (column) => column.notNull())
      .addColumn('injected', text)
      .addColumn('metadata', text)
      .addColumn('notes', text)
      .execute();
    const index = (name: string) => db.schema.createIndex(`millrace_flows_${name}`).on('millrace_flows');
    await index('by_time').columns(['created_at', 'id']).execute();
    await index('by_book').columns(['book', 'created_at', 'id']).execute();
    await index('by_state').columns(['state', 'created_at', 'id']).execute();
    await index('by_end').column('finished_at').where('finished_at', 'is not', null).execute();
    await index('by_holder').column('holder').where('holder', 'is not', null).execute();
    await db.schema
      .createTable('millrace_atoms')
      .addColumn('flow', 'bigint', (column) => column.notNull())
      .addColumn('name', text, (column) => column.notNull())
      .addColumn('kind', text, (column) => column.notNull().defaultTo('task'))
      .addColumn('parent', text)
      .addColumn('state', text, (column) => column.notNull().defaultTo('PENDING'))
      .addColumn('intention', text, (column) => column.notNull().defaultTo('EXECUTE'))
      .addColumn('attempts', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('place', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('started_at', 'bigint')
      .addColumn('finished_at', 'bigint')
      .addColumn('progress', text)
      .addColumn('result', text)
      .addColumn('failure', text)
      .addColumn('revert_result', text)
      .addColumn('revert_failure', text)
      .addColumn('metadata', text)
      .addColumn('notes', text)
      .addColumn('version', text)
      .addColumn('rounds', 'bigint', (column) => column.notNull().defaultTo(0))
      .addPrimaryKeyConstraint('millrace_atoms_key', ['flow', 'name'])
      .modifyEnd(end)
      .execute();
    await db.schema
      .createTable('millrace_attempts')
      .addColumn('flow', 'bigint', (column) => column.notNull())
      .addColumn('retry', text, (column) => column.notNull())
      .addColumn('n', 'bigint', (column) => column.notNull())
      .addColumn('value', text)
      .addColumn('failures', text)
      .addPrimaryKeyConstraint('millrace_attempts_key', ['flow', 'retry', 'n'])
      .modifyEnd(end)
      .execute();
    await db.schema
      .createTable('millrace_values')
      .addColumn('flow', 'bigint', (column) => column.notNull())
      .addColumn('atom', text, (column) => column.notNull())
      .addColumn('field', text, (column) => column.notNull())
      .addColumn('part', 'bigint', (column) => column.notNull())
      .addColumn('text', text)
      .addColumn('data', blob)
      .addPrimaryKeyConstraint('millrace_values_key', ['flow', 'atom', 'field', 'part'])
      .execute();
    await db.schema
      .alterTable('millrace_tasks')
      .addColumn('recorded', 'integer', (column) => column.notNull().defaultTo(0))
      .execute();
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
    await migration(db, sql.raw<string>(backend.text), backend);
    await db
      .insertInto('millrace_migrations')
      .values({ version: i + 1 })
      .execute();
  }
}
