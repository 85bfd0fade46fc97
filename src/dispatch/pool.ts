import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { thread as thisThread } from '../atoms/index.js';
import { RunError } from '../errors.js';
import { decodeError, encodeError, type FromWorker, type ServiceAnswer, type ServiceHost } from '../wire/index.js';
import { UnhandledInWorker, warnOfDeath } from './deaths.js';
import { type FlightOwner, Lane } from './lane.js';
import { type Thread, Threads, type ThreadsHandler } from './threads.js';

const require = createRequire(import.meta.url);

/** So long packets may be written one after the other, in ms, before the event loop turns. */
const SLICE = 2;

/** A run that uses the pool. */
export interface PoolClient extends FlightOwner {
  /** Whether it is part of a run that uses the pool already. */
  readonly nested: boolean;
  /** Whether tasks of the run wait for a thread. */
  readonly waiting: boolean;
  /** Whether packets of the run are with a thread. */
  readonly flying: boolean;
  /** Sends a packet to a thread; `false`: nothing is ready. */
  fill(lane: Lane): boolean;
  /** A value that stayed with a thread has come from there, or cannot. */
  fetched(atom: number, value: unknown, error: unknown): void;
  /** A thread has died, with all that stayed with it. */
  died(lane: Lane, error: unknown): void;
  /** No threads can be started. */
  broken(error: Error): void;
  /** Calls a service for a task. */
  call(task: string, service: string, args: unknown[]): Promise<unknown>;
}

export interface PoolOptions {
  /** How many threads. */
  readonly workers: number;
  /** How long threads are kept that nothing needs, in ms. */
  readonly idleTimeout: number;
  readonly resourceLimits?: import('node:worker_threads').ResourceLimits | undefined;
  /** How many runs may wait for a free thread. */
  readonly maxQueue: number;
}

/** Worker threads that runs share. It never keeps the process alive while nothing runs. */
export class ThreadPool implements AsyncDisposable {
  /** How many threads the pool has when it is in use. */
  readonly size: number;
  readonly #maxQueue: number;
  readonly #threads: Threads;
  readonly #lanes = new Map<Thread, Lane>();
  readonly #clients = new Map<number, PoolClient>();
  /** Those who wait for all threads to be ready, or for the last run to end. */
  readonly #watchers = new Set<() => void>();
  #turn = 0;
  /** Goes on handing out work when the event loop has turned. */
  #rest: NodeJS.Immediate | undefined;
  #broken: Error | undefined;
  #closing: Promise<void> | undefined;

  constructor({ workers, idleTimeout, resourceLimits, maxQueue }: PoolOptions) {
    if (!isMainThread && thisThread().transfers !== undefined) {
      throw new RunError(
        'ERR_MILLRACE_NOT_IN_WORKER',
        "A worker of a pool cannot have a pool of its own. To run a flow within a task, pass { engine: 'serial' }; when a " +
          'module that defines tasks also runs flows, do that only if isMainThread (node:worker_threads) is true',
      );
    }
    this.size = workers;
    this.#maxQueue = maxQueue;
    const handler: ThreadsHandler = {
      ready: (thread) => this.#ready(thread),
      message: (thread, message) => this.#received(thread, message as FromWorker),
      lost: (thread, error) => this.#lost(thread, error),
      broken: (error) => this.#fail(error),
    };
    this.#threads = new Threads({ size: workers, idleTimeout, resourceLimits }, handler);
  }

  /** Starts all threads. Without it they start when a run first needs them, which then takes some 50 ms longer. */
  async warmUp(): Promise<void> {
    this.#checkOpen();
    this.#acquire();
    try {
      await this.#until(() => this.#lanes.size === this.size || this.#broken !== undefined);
      if (this.#broken) throw this.#broken;
    } finally {
      this.#threads.release();
    }
  }

  /** Waits until the runs that use the pool have ended, then ends its threads. A new run is refused from now on. */
  close(): Promise<void> {
    this.#closing ??= this.#until(() => this.#clients.size === 0).then(() => this.#threads.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Whether several runs share the threads, or several flows within one wait for them.
   * @internal
   */
  get crowded(): boolean {
    if (this.#clients.size < 2) return false;
    let runs = 0;
    let waiting = 0;
    for (const client of this.#clients.values()) {
      if (!client.nested) runs++;
      if (client.waiting) waiting++;
      if (runs > 1 || waiting > 1) return true;
    }
    return false;
  }

  /** @internal */
  attach(client: PoolClient): void {
    // What has begun may go on: the pool closes when all of it has ended.
    if (!client.nested) this.#checkRoom();
    this.#clients.set(client.run, client);
    this.#acquire();
  }

  #checkRoom(): void {
    this.#checkOpen();
    const others = [...this.#clients.values()];
    const waiting = others.filter((other) => !other.nested && other.waiting && !other.flying).length;
    const busy = [...this.#lanes.values()].filter((lane) => lane.flights.length + lane.reserved > 0).length;
    if (busy >= this.size && waiting >= this.#maxQueue) {
      throw new RunError(
        'ERR_MILLRACE_QUEUE_FULL',
        `All ${this.size} workers are busy and ${waiting} runs wait for one already; maxQueue is ${this.#maxQueue}`,
      );
    }
  }

  /** @internal */
  detach(client: PoolClient): void {
    this.#clients.delete(client.run);
    for (const lane of this.#lanes.values()) lane.forget(client.run);
    this.#threads.release();
    this.#look();
  }

  /**
   * Hands work to threads that can take some: to the least busy one first, and to the runs in turn. When there is none for an
   * idle thread, it gets what waits behind a packet that has turned out to be long.
   *
   * To write large packets takes some ms: unless it is to be done `atOnce`, the event loop turns between them.
   * @internal
   */
  offer(atOnce = false): void {
    if (this.#rest && !atOnce) return;
    const until = performance.now() + SLICE;
    for (;;) {
      let best: Lane | undefined;
      for (const lane of this.#lanes.values()) {
        if (lane.open && (!best || lane.flights.length < best.flights.length)) best = lane;
      }
      if (!best) return;
      if (!this.#fill(best) && (best.flights.length > 0 || best.reserved > 0 || !this.#recall())) return;
      if (atOnce || performance.now() < until) continue;
      this.#rest = setImmediate(() => {
        this.#rest = undefined;
        this.offer();
      });
      return;
    }
  }

  #recall(): boolean {
    for (const { flights } of this.#lanes.values()) {
      for (const flight of flights) {
        // What is with the thread keeps the tasks that need it there.
        if (flight.draft.borrowed.length === 0 && flight.owner?.recall(flight)) return true;
      }
    }
    return false;
  }

  #fill(lane: Lane): boolean {
    const clients = this.#clients.size === 1 ? this.#clients.values() : this.#inTurn();
    for (const client of clients) if (client.fill(lane)) return true;
    return false;
  }

  #inTurn(): PoolClient[] {
    const clients = [...this.#clients.values()];
    const first = ++this.#turn % clients.length;
    return [...clients.slice(first), ...clients.slice(0, first)];
  }

  #ready(thread: Thread): void {
    this.#lanes.set(thread, new Lane(thread));
    const host: ServiceHost = { call: (run, task, service, args) => this.#call(run, task, service, args) };
    this.#look();
    this.offer();
    // Not before the thread has something to do: it takes some ms to load this, which nobody is to wait for.
    const { expose } = require('comlink') as typeof import('comlink');
    expose(host, thread.services as never);
    thread.services.unref();
  }

  async #call(run: number, task: string, service: string, args: unknown[]): Promise<ServiceAnswer> {
    try {
      const client = this.#clients.get(run);
      if (!client)
        throw new RunError('ERR_MILLRACE_SERVICE', `Task '${task}' called service '${service}' after its run`);
      return { value: await client.call(task, service, args) };
    } catch (error) {
      return { error: encodeError(error) };
    }
  }

  #received(thread: Thread, message: FromWorker): void {
    const lane = this.#lanes.get(thread)!;
    if (message.type === 'fatal') {
      lane.fatal = decodeError(message.error);
      return;
    }
    if (message.type === 'value') {
      const { run, number, value, error } = message;
      this.#clients.get(run)?.fetched(number, value, error && decodeError(error));
      return;
    }
    const flight = lane.flights.find(({ id }) => id === message.id);
    if (!flight) return;
    const { owner } = flight;
    owner?.received(flight, message);
    if (message.type !== 'done') return;
    if (message.last) lane.land(flight);
    owner?.advance();
    this.offer();
  }

  #lost(thread: Thread, error: unknown): void {
    const lane = this.#lanes.get(thread)!;
    this.#lanes.delete(thread);
    if (lane.flights.length === 0 && lane.fatal !== undefined) warnOfDeath(lane.fatal);
    const cause = lane.fatal === undefined ? error : new UnhandledInWorker(lane.fatal);
    lane.crash(cause);
    for (const client of [...this.#clients.values()]) client.died(lane, cause);
    if (this.#broken) this.#fail(this.#broken);
    this.offer();
  }

  /** No threads come any more. Those that are there go on. */
  #fail(error: Error): void {
    this.#broken = error;
    if (this.#lanes.size === 0) for (const client of [...this.#clients.values()]) client.broken(error);
    this.#look();
  }

  #acquire(): void {
    this.#broken = undefined;
    this.#threads.acquire();
  }

  #until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  #look(): void {
    for (const look of [...this.#watchers]) look();
  }

  #checkOpen(): void {
    if (this.#closing)
      throw new RunError('ERR_MILLRACE_CLOSED', 'The pool is closed; make another one with createPool()');
  }
}
