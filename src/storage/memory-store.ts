import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type {
  FlowStore,
  FlowSummary,
  NewFlow,
  Owner,
  RecordedAtom,
  RecordedAttempt,
  RecordedFlow,
  Stored,
} from '../engine/recording.js';
import type { FlowState } from '../engine/states.js';
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
import { type Changes, changedAtom, changedAttempt, dateOf, type Row } from './changes.js';
import { checkNewFlow } from './flows.js';
import { printable } from './inspect.js';
import { FlowLease, type Keeper } from './lease.js';
import { storeClosed } from './store-errors.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Flow extends Mutable<RecordedFlow> {
  readonly atoms: Map<string, RecordedAtom>;
  readonly histories: Map<string, RecordedAttempt[]>;
  epoch: number;
}

/** Flows in memory: they last as long as the store, and nobody else sees them. */
export class MemoryStore implements FlowStore, Archive, Keeper {
  readonly #flows = new Map<string, Flow>();
  readonly #leases = new Map<string, FlowLease>();
  #closed = false;

  async create(flow: NewFlow): Promise<FlowLease> {
    this.#checkOpen();
    checkNewFlow(flow);
    const { id = randomUUID(), book, name, factory, inputs, metadata } = flow;
    if (this.#flows.has(id)) throw duplicateFlow(id);
    const now = new Date();
    this.#flows.set(id, {
      ...{ id, book, name, factory, inputs, metadata },
      state: 'PENDING',
      owner: undefined,
      injected: undefined,
      notes: undefined,
      createdAt: now,
      updatedAt: now,
      finishedAt: undefined,
      atoms: new Map(),
      histories: new Map(),
      epoch: 0,
    });
    return this.#take(this.#flows.get(id)!);
  }

  async acquire(id: string): Promise<FlowLease> {
    this.#checkOpen();
    const flow = this.#find(id);
    if (flow.owner) throw owned(flow);
    return this.#take(flow);
  }

  async read(id: string): Promise<RecordedFlow> {
    this.#checkOpen();
    const flow = this.#find(id);
    const { inputs, injected, metadata, notes, atoms, histories } = flow;
    return printable({
      ...summaryOf(flow),
      ...{ inputs, injected, metadata, notes },
      atoms: new Map(atoms),
      histories: new Map([...histories].map(([name, attempts]) => [name, [...attempts]])),
    });
  }

  async books(): Promise<BookSummary[]> {
    this.#checkOpen();
    const books = new Map<string, Mutable<BookSummary>>();
    for (const { book, createdAt, updatedAt } of this.#flows.values()) {
      if (book === undefined) continue;
      const summary = books.get(book) ?? { name: book, flows: 0, createdAt, updatedAt };
      books.set(book, summary);
      summary.flows++;
      if (createdAt < summary.createdAt) summary.createdAt = createdAt;
      if (updatedAt > summary.updatedAt) summary.updatedAt = updatedAt;
    }
    return [...books.values()].sort((a, b) => compare(a.name, b.name));
  }

  async flows(query: FlowQuery = {}): Promise<FlowSummary[]> {
    this.#checkOpen();
    checkQuery(query);
    const { sortKey = 'createdAt', sortDir = 'desc', after, limit } = query;
    const order = (a: Flow, b: Flow) => {
      const difference = compare(a[sortKey], b[sortKey]) || compare(a.createdAt, b.createdAt) || compare(a.id, b.id);
      return sortDir === 'asc' ? difference : -difference;
    };
    const last = after === undefined ? undefined : this.#find(after);
    return [...this.#flows.values()]
      .filter((flow) => meets(flow, query) && (!last || order(flow, last) > 0))
      .sort(order)
      .slice(0, limit)
      .map(summaryOf);
  }

  async delete(id: string): Promise<boolean> {
    this.#checkOpen();
    const flow = this.#flows.get(id);
    if (!flow) return false;
    if (flow.owner) throw owned(flow);
    this.#flows.delete(id);
    return true;
  }

  async expire(before: Date, query: Pick<FlowQuery, 'book' | 'name' | 'state'> = {}): Promise<number> {
    this.#checkOpen();
    const expired = [...this.#flows.values()].filter(
      (flow) => flow.finishedAt && flow.finishedAt < before && !flow.owner && meets(flow, query),
    );
    for (const { id } of expired) this.#flows.delete(id);
    return expired.length;
  }

  write(lease: FlowLease, changes: Changes): void {
    this.#checkOpen();
    const flow = this.#flows.get(lease.id);
    if (flow?.epoch !== lease.epoch) throw lease.lose();
    if (changes.flow) changeFlow(flow, changes.flow);
    for (const name of changes.removed) flow.atoms.delete(name);
    for (const [name, row] of changes.atoms) flow.atoms.set(name, changedAtom(name, flow.atoms.get(name), row));
    for (const [name, { forgotten, rows }] of changes.histories) {
      const attempts = (!forgotten && flow.histories.get(name)) || [];
      for (const [n, row] of rows) attempts[n] = changedAttempt(attempts[n], row);
      if (attempts.length > 0) flow.histories.set(name, attempts);
      else flow.histories.delete(name);
    }
    flow.updatedAt = new Date();
  }

  async release(lease: FlowLease): Promise<void> {
    const flow = this.#flows.get(lease.id);
    if (flow?.epoch === lease.epoch) flow.owner = undefined;
    this.#leases.delete(lease.id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#leases.values()].map((lease) => lease.release()));
    this.#closed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #take(flow: Flow): FlowLease {
    flow.epoch++;
    flow.owner = { host: hostname(), pid: process.pid, since: new Date() } satisfies Owner;
    const lease = new FlowLease(this, flow.id, { epoch: flow.epoch });
    this.#leases.set(flow.id, lease);
    return lease;
  }

  #find(id: string): Flow {
    const flow = this.#flows.get(id);
    if (!flow) throw flowNotFound(id);
    return flow;
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed('The store in memory');
  }
}

function changeFlow(flow: Flow, { mask, cells }: Row): void {
  if (mask & 1) flow.state = cells[0] as FlowState;
  if (mask & 2) flow.finishedAt = dateOf(cells[1] as number | null);
  if (mask & 4) flow.injected = (cells[2] ?? undefined) as Stored | undefined;
  if (mask & 8) flow.metadata = (cells[3] ?? undefined) as Stored | undefined;
  if (mask & 16) flow.notes = (cells[4] ?? undefined) as Stored | undefined;
}

function meets(flow: Flow, { book, name, state, createdBefore, createdAfter }: FlowQuery): boolean {
  return (
    (book === undefined || flow.book === book) &&
    (name === undefined || flow.name === name) &&
    (statesOf(state)?.includes(flow.state) ?? true) &&
    (createdBefore === undefined || flow.createdAt < createdBefore) &&
    (createdAfter === undefined || flow.createdAt > createdAfter)
  );
}

function summaryOf(flow: Flow): FlowSummary {
  const { id, book, name, factory, state, owner, createdAt, updatedAt, finishedAt } = flow;
  return { id, book, name, factory, state, owner, createdAt, updatedAt, finishedAt };
}

/** Strings by their code points, as the databases do. */
function compare(a: string | Date, b: string | Date): number {
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return a.getTime() - (b as Date).getTime();
}
