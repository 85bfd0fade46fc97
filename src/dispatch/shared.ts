/** Pools as users have them. The threads, and Piscina with them, are loaded when a run first needs some. */
import type { Config } from '../config/index.js';
import { RunError } from '../errors.js';
import type { ThreadPool } from './pool.js';

/** Worker threads for parallel runs: given to several runs, they share them. Made by `createPool()`. */
export class Pool implements AsyncDisposable {
  readonly #config: Config;
  #threads: ThreadPool | undefined;
  #loading: Promise<ThreadPool> | undefined;
  #closed = false;

  /** @internal */
  constructor(config: Config) {
    this.#config = config;
  }

  /** How many threads the pool has when it is in use. */
  get size(): number {
    return this.#config.workers;
  }

  /**
   * Starts the threads now. Without it they start when a run first needs them, which makes that run some 50 ms longer.
   *
   * @throws {@link RunError} `ERR_MILLRACE_WORKER_START` when they cannot be started
   */
  async warmUp(): Promise<void> {
    await (await this.threads()).warmUp();
  }

  /** Waits until the runs that use the pool have ended, then ends its threads. New runs are refused from now on. */
  async close(): Promise<void> {
    this.#closed = true;
    // A pool that could not be made has nothing to close.
    await this.#loading?.then(
      (threads) => threads.close(),
      () => {},
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal */
  threads(): ThreadPool | Promise<ThreadPool> {
    if (this.#closed)
      throw new RunError('ERR_MILLRACE_CLOSED', 'The pool is closed; make another one with createPool()');
    if (this.#threads) return this.#threads;
    this.#loading ??= import('./pool.js').then(({ ThreadPool }) => {
      this.#threads = new ThreadPool(this.#config);
      return this.#threads;
    });
    return this.#loading;
  }
}

const shared = new Map<string, Pool>();

/** The pool of all runs in this process that have the same configuration and no pool of their own. */
export function sharedPool(config: Config): Pool {
  const { workers, idleTimeout, resourceLimits, maxQueue } = config;
  const key = JSON.stringify([workers, String(idleTimeout), resourceLimits, String(maxQueue)]);
  const pool = shared.get(key) ?? new Pool(config);
  shared.set(key, pool);
  return pool;
}
