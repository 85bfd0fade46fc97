/**
 * Commits to PostgreSQL: one statement, which is a transaction of its own, and so one round trip. Each part of it writes only if the
 * first one, which locks the row of the flow, has found the lease good.
 */
import { CompiledQuery, type Kysely } from 'kysely';
import { PREPARED, type Tables } from '../database/index.js';
import { Binder, type Bound, type LargeChange, masked, noteLarge } from './cells.js';
import { ATOM_COLUMNS, ATTEMPT_COLUMNS, type Changes, FLOW_COLUMNS, type History } from './changes.js';
import type { FlowLease } from './lease.js';

const INTEGERS = new Set(['attempts', 'rounds', 'place', 'started_at', 'finished_at', 'n', 'part']);

/** @param clock an expression: the time of the server, in ms */
export async function writePostgres(
  db: Kysely<Tables>,
  clock: string,
  lease: FlowLease,
  changes: Changes,
): Promise<void> {
  const binder = new Binder(lease);
  const { rows } = await db.executeQuery<{ held: number }>(
    new CommitStatement(clock, lease, changes, binder).compile(),
  );
  if (rows[0].held === 0) {
    // The row that the statement has locked, or waited for, is what it is now.
    const found = await db
      .selectFrom('millrace_flows')
      .select(['epoch', 'seq'])
      .where('key', '=', lease.key)
      .executeTakeFirst();
    if (found?.epoch !== lease.epoch) throw lease.lose();
    // Unless an earlier attempt, whose answer was lost, has been carried out.
    if (found.seq !== changes.seq)
      throw lease.lose('its database has lost what was committed last, as its server has crashed');
  }
  noteLarge(lease, binder.large);
}

class CommitStatement {
  readonly #parameters: unknown[] = [];
  readonly #parts: string[] = [];
  readonly #key: string;

  constructor(clock: string, lease: FlowLease, changes: Changes, binder: Binder) {
    this.#key = `${this.#bind(lease.key)}::bigint`;
    const seq = `${this.#bind(changes.seq)}::bigint`;
    const { flow, atoms, removed, histories } = changes;
    const columns = ['updated_at', ...masked(FLOW_COLUMNS, flow?.mask ?? 0)];
    const values = flow ? binder.bind([Date.now()], flow, FLOW_COLUMNS, '') : [Date.now()];
    const set = columns.map((column, i) => `${column} = ${this.#bind(values[i])}`).join(', ');
    this.#parts.push(
      `held as (update millrace_flows set seq = ${seq}, beat_at = ${clock}, ${set}
        where key = ${this.#key} and epoch = ${this.#bind(lease.epoch)} and seq = ${seq} - 1 returning 1)`,
    );
    if (removed.size > 0) this.#delete('millrace_atoms', 'name', [...removed]);
    this.#forget(histories);
    this.#upsertAll(
      'millrace_atoms',
      ['name'],
      ATOM_COLUMNS,
      [...atoms].map(([name, row]) => ({ mask: row.mask, row: binder.bind([name], row, ATOM_COLUMNS, name) })),
    );
    this.#upsertAll(
      'millrace_attempts',
      ['retry', 'n'],
      ATTEMPT_COLUMNS,
      [...histories].flatMap(([retry, { rows }]) =>
        [...rows].map(([n, row]) => ({
          mask: row.mask,
          row: binder.bind([retry, n], row, ATTEMPT_COLUMNS, retry, n),
        })),
      ),
    );
    binder.clear(changes);
    this.#writeLarge(binder.large);
  }

  compile(): CompiledQuery<{ held: number }> {
    return CompiledQuery.raw(
      `${PREPARED}with ${this.#parts.join(',\n')} select count(*)::int as held from held`,
      this.#parameters,
    ) as CompiledQuery<{ held: number }>;
  }

  #forget(histories: ReadonlyMap<string, History>): void {
    const forgotten = [...histories].filter(([, history]) => history.forgotten);
    if (forgotten.length === 0) return;
    const gone = this.#table([
      ['text', forgotten.map(([retry]) => retry)],
      ['bigint', forgotten.map(([, { rows }]) => rows.size)],
    ]);
    this.#parts.push(
      `${this.#name()} as (delete from millrace_attempts a using ${gone} as gone (retry, n)
        where a.flow = ${this.#key} and a.retry = gone.retry and a.n >= gone.n and exists (select 1 from held))`,
    );
  }

  /** No part may touch a row that another one touches: of a value that is replaced, only what it has no more of is removed. */
  #writeLarge(large: readonly LargeChange[]): void {
    if (large.length === 0) return;
    const gone = this.#table([
      ['text', large.map(({ atom }) => atom)],
      ['text', large.map(({ field }) => field)],
      ['bigint', large.map(({ value }) => (value ? value.parts.length + 1 : 0))],
    ]);
    this.#parts.push(
      `${this.#name()} as (delete from millrace_values v using ${gone} as gone (atom, field, part)
        where v.flow = ${this.#key} and v.atom = gone.atom and v.field = gone.field and v.part >= gone.part
        and exists (select 1 from held))`,
    );
    const rows = large.flatMap(({ atom, field, value }) =>
      value
        ? [[atom, field, 0, value.text, null], ...value.parts.map((part, i) => [atom, field, i + 1, null, bytes(part)])]
        : [],
    );
    if (rows.length > 0) this.#upsert('millrace_values', ['atom', 'field', 'part'], ['text', 'data'], rows);
  }

  #delete(table: string, column: string, names: readonly string[]): void {
    this.#parts.push(
      `${this.#name()} as (delete from ${table} where flow = ${this.#key} and ${column} = any(${this.#bind(names)}::text[])
        and exists (select 1 from held))`,
    );
  }

  /** One part for all rows in which the same columns change. */
  #upsertAll(
    table: string,
    key: readonly string[],
    columns: readonly string[],
    rows: readonly { readonly mask: number; readonly row: Bound[] }[],
  ): void {
    const byMask = new Map<number, Bound[][]>();
    for (const { mask, row } of rows) {
      const others = byMask.get(mask);
      if (others) others.push(row);
      else byMask.set(mask, [row]);
    }
    for (const [mask, some] of byMask) this.#upsert(table, key, masked(columns, mask), some);
  }

  #upsert(table: string, key: readonly string[], changed: readonly string[], rows: readonly unknown[][]): void {
    const columns = [...key, ...changed];
    const values = this.#table(columns.map((column, i) => [typeOf(column), rows.map((row) => row[i])]));
    const update = changed.map((column) => `${column} = excluded.${column}`).join(', ');
    this.#parts.push(
      `${this.#name()} as (insert into ${table} (flow, ${columns.join(', ')})
        select ${this.#key}, v.* from ${values} as v where exists (select 1 from held)
        on conflict (flow, ${key.join(', ')}) do ${update ? `update set ${update}` : 'nothing'})`,
    );
  }

  #table(columns: readonly (readonly [type: string, values: readonly unknown[]])[]): string {
    return `unnest(${columns.map(([type, values]) => `${this.#bind(values)}::${type}[]`).join(', ')})`;
  }

  #bind(value: unknown): string {
    this.#parameters.push(value);
    return `$${this.#parameters.length}`;
  }

  #name(): string {
    return `part_${this.#parts.length}`;
  }
}

function typeOf(column: string): string {
  if (column === 'data') return 'bytea';
  return INTEGERS.has(column) ? 'bigint' : 'text';
}

/** The driver takes any other view for an array of numbers. */
function bytes(part: Uint8Array): Buffer {
  return Buffer.from(part.buffer, part.byteOffset, part.byteLength);
}
