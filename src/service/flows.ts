/** The recorded flows of tasks: each has the id of its task, and is kept for as long as the record of the task is. */
import type { RecordOptions } from '../engine/index.js';
import type {
  AtomChange,
  AttemptChange,
  FlowChange,
  FlowStore,
  Lease,
  NewFlow,
  RecordedFlow,
} from '../engine/recording.js';
import { isMillraceError, StoreError } from '../errors.js';
import type { Store } from '../storage/index.js';
import type { TaskRepository } from './repository.js';

/** The book that the flows of tasks are in. */
export const TASK_BOOK = 'task service';

const HOUR = 3_600_000;

export class TaskFlows {
  readonly #store: Store;
  readonly #repository: TaskRepository;

  /** @param store has the flows of the tasks of no other repository */
  constructor(store: Store, repository: TaskRepository) {
    this.#store = store;
    this.#repository = repository;
  }

  /** Lends the store to the engine that runs the flow of a task. */
  lend(id: string): LentStore {
    return new LentStore(this.#store, id);
  }

  /** Whether the flow of a task is recorded. */
  async has(id: string): Promise<boolean> {
    try {
      await this.#store.read(id);
      return true;
    } catch (error) {
      if (isMillraceError(error) && error.code === 'ERR_MILLRACE_FLOW_NOT_FOUND') return false;
      throw error;
    }
  }

  /** Deletes the flow of a task, unless that is being carried out. */
  async forget(id: string): Promise<void> {
    try {
      await this.#store.delete(id);
    } catch (error) {
      if (!isMillraceError(error) || error.code !== 'ERR_MILLRACE_OWNED') throw error;
    }
  }

  /**
   * Deletes the flows whose tasks are forgotten.
   *
   * @param timeToLive how long a task is kept once it has ended, in hours; the flows of younger ones are not looked at
   */
  async forgetExpired(timeToLive: number): Promise<void> {
    const createdBefore = new Date(Date.now() - timeToLive * HOUR);
    if (Number.isNaN(createdBefore.getTime())) return; // they are kept for ever
    for (const { id } of await this.#store.flows({ book: TASK_BOOK, createdBefore })) {
      if (!(await this.#repository.get(id))) await this.forget(id);
    }
  }
}

/** A store as one engine has it. The flow can be taken away from the engine while that runs. */
export class LentStore implements FlowStore {
  /** How the engine is to use it. */
  readonly record: RecordOptions;
  readonly #store: FlowStore;
  #lease: LentLease | undefined;

  constructor(store: FlowStore, id: string) {
    this.#store = store;
    this.record = { store: this, id, book: TASK_BOOK };
  }

  async create(flow: NewFlow): Promise<Lease> {
    this.#lease = new LentLease(await this.#store.create(flow));
    return this.#lease;
  }

  async acquire(id: string): Promise<Lease> {
    this.#lease = new LentLease(await this.#store.acquire(id));
    return this.#lease;
  }

  /** Ends what is recorded here and now, as if the process had ended: what the engine does from now on does not count. */
  reclaim(): void {
    this.#lease?.reclaim();
  }

  /** It is only lent. */
  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A lease that can be taken back. */
class LentLease implements Lease {
  readonly id: string;
  readonly epoch: number;
  readonly #lease: Lease;
  readonly #lost = new AbortController();

  constructor(lease: Lease) {
    this.id = lease.id;
    this.epoch = lease.epoch;
    this.#lease = lease;
    lease.signal.addEventListener('abort', () => this.#lost.abort(lease.signal.reason), { once: true });
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  reclaim(): void {
    const message = `Flow ${this.id}: its task is suspended; nothing is recorded any more`;
    this.#lost.abort(new StoreError('ERR_MILLRACE_LEASE_LOST', message, { flow: this.id }));
  }

  read(): Promise<RecordedFlow> {
    return this.#lease.read();
  }

  flow(change: FlowChange): void {
    this.#lease.flow(change);
  }

  atom(name: string, change: AtomChange): void {
    this.#lease.atom(name, change);
  }

  remove(atom: string): void {
    this.#lease.remove(atom);
  }

  attempt(retry: string, n: number, change: AttemptChange): void {
    this.#lease.attempt(retry, n, change);
  }

  forget(retry: string): void {
    this.#lease.forget(retry);
  }

  commit(): void | Promise<void> {
    this.#lost.signal.throwIfAborted();
    return this.#lease.commit();
  }

  release(): Promise<void> {
    return this.#lease.release();
  }
}
