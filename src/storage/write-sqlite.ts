/** Commits to SQLite: prepared statements on a connection of their own, without anything in between. */
import type { Connection, Statement } from '../database/index.js';
import { Binder, masked, noteLarge } from './cells.js';
import { ATOM_COLUMNS, ATTEMPT_COLUMNS, type Changes, FLOW_COLUMNS } from './changes.js';
import type { FlowLease } from './lease.js';

const UNDO = 'rollback';

/** How long a flow may say that it was last updated before it was, in ms. Its row is on a page of its own, and a page is what a commit costs. */
const FRESH = 1000;

export class SqliteWriter {
  readonly #connection: Connection;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #epoch: Statement;
  /** By the mask of what they change. */
  readonly #flows = new Map<number, Statement>();
  readonly #atoms = new Map<number, Statement>();
  readonly #attempts = new Map<number, Statement>();
  readonly #rare = new Map<string, Statement>();

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#begin = connection.prepare('begin immediate');
    this.#commit = connection.prepare('commit');
    this.#epoch = connection.prepare('select epoch from millrace_flows where key = ?');
  }

  /**
   * Throws what SQLite throws, and has written nothing then. If it should have written all the same, it may be called again: the second
   * time makes no difference.
   */
  write(lease: FlowLease, changes: Changes): void {
    const { key } = lease;
    const now = Date.now();
    this.#begin.run();
    try {
      // Nobody else can write now.
      const found = this.#epoch.get(key) as { epoch: number } | undefined;
      if (found?.epoch !== lease.epoch) throw lease.lose();
      const { flow, atoms, removed, histories } = changes;
      const binder = new Binder(lease);
      const isStale = now - lease.updatedAt >= FRESH || now < lease.updatedAt;
      if (flow || isStale) {
        const bound = flow ? binder.bind([now], flow, FLOW_COLUMNS, '') : [now];
        this.#flow(flow?.mask ?? 0).run(...bound, key);
      }
      for (const name of removed) this.#run('delete from millrace_atoms where flow = ? and name = ?', key, name);
      for (const [name, row] of atoms) {
        this.#atom(row.mask).run(...binder.bind([key, name], row, ATOM_COLUMNS, name));
      }
      for (const [retry, { forgotten, rows }] of histories) {
        const gone = 'delete from millrace_attempts where flow = ? and retry = ? and n >= ?';
        if (forgotten) this.#run(gone, key, retry, rows.size);
        for (const [n, row] of rows) {
          this.#attempt(row.mask).run(...binder.bind([key, retry, n], row, ATTEMPT_COLUMNS, retry, n));
        }
      }
      binder.clear(changes);
      for (const { atom, field, value } of binder.large) {
        this.#run('delete from millrace_values where flow = ? and atom = ? and field = ?', key, atom, field);
        if (!value) continue;
        const insert = 'insert into millrace_values (flow, atom, field, part, text, data) values (?, ?, ?, ?, ?, ?)';
        this.#run(insert, key, atom, field, 0, value.text, null);
        for (const [i, part] of value.parts.entries()) this.#run(insert, key, atom, field, i + 1, null, part);
      }
      this.#commit.run();
      if (flow || isStale) lease.updatedAt = now;
      noteLarge(lease, binder.large);
    } catch (error) {
      try {
        this.#connection.exec(UNDO);
      } catch {
        // SQLite has ended the transaction by itself.
      }
      throw error;
    }
  }

  close(): void {
    this.#connection.close();
  }

  #flow(mask: number): Statement {
    let statement = this.#flows.get(mask);
    if (!statement) {
      const columns = ['updated_at', ...masked(FLOW_COLUMNS, mask)].map((column) => `${column} = ?`);
      statement = this.#connection.prepare(`update millrace_flows set ${columns.join(', ')} where key = ?`);
      this.#flows.set(mask, statement);
    }
    return statement;
  }

  #atom(mask: number): Statement {
    return this.#upsert(this.#atoms, 'millrace_atoms', ['flow', 'name'], ATOM_COLUMNS, mask);
  }

  #attempt(mask: number): Statement {
    return this.#upsert(this.#attempts, 'millrace_attempts', ['flow', 'retry', 'n'], ATTEMPT_COLUMNS, mask);
  }

  #upsert(
    statements: Map<number, Statement>,
    table: string,
    key: readonly string[],
    all: readonly string[],
    mask: number,
  ): Statement {
    let statement = statements.get(mask);
    if (!statement) {
      const changed = masked(all, mask);
      const columns = [...key, ...changed];
      const update = changed.map((column) => `${column} = excluded.${column}`).join(', ');
      statement = this.#connection.prepare(
        `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})
         on conflict (${key.join(', ')}) do ${update ? `update set ${update}` : 'nothing'}`,
      );
      statements.set(mask, statement);
    }
    return statement;
  }

  #run(text: string, ...parameters: unknown[]): void {
    let statement = this.#rare.get(text);
    if (!statement) {
      statement = this.#connection.prepare(text);
      this.#rare.set(text, statement);
    }
    statement.run(...parameters);
  }
}
