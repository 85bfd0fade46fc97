/**
 * The life of worker threads. Piscina starts the threads and replaces the dead; each of them runs one long task, a session,
 * which serves messages from a port until it is told to stop (`workers/session.ts`). What the messages say is not known here.
 *
 *   acquire() -> starting -> ready -> stopping -> idle, warm in Piscina -> gone after `idleTimeout`
 *
 * What Piscina 5.3 does by itself is kept out of the way, with a reason each:
 * - as many threads at least as at most: otherwise the dead are replaced only up to the minimum;
 * - `close()` is never called: it kills running tasks, and an abort while it works can spin for ever;
 * - the entry is named in each `run()`: a bad one in the constructor kills threads until a `run()` waits for ever;
 * - each session has a signal of its own: an abort ends its thread, and no other session shares it.
 */
import { fileURLToPath } from 'node:url';
import { MessageChannel, type MessagePort, type ResourceLimits, type TransferListItem } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { ArgumentError, RunError, received } from '../errors.js';
import type { SessionData } from '../wire/index.js';

/** How many words of shared memory each thread has. */
export const WORDS = 16;

/** How long threads are kept in session after the last `release()`, in ms, so that runs in a row do not pay for the start. */
const LINGER = 5;
/** How long a session may take to stop before its thread is ended, in ms. */
const GRACE = 1000;
/** How long to wait until a thread that was ended has let go of its port, in ms; a thread in a system call may take longer. */
const DEATH = 100;
/** So many threads in a row that die before they are ready are no accident. */
const ATTEMPTS = 3;
/** `setTimeout` fires at once beyond this delay. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** One worker thread in session. */
export interface Thread {
  /** Unique, never reused. */
  readonly id: number;
  /** {@link WORDS} words of shared memory, zero at first; the worker sees the same. */
  readonly words: Int32Array;
  /** The main side of a second port, not listened to; it does not keep the process alive. */
  readonly services: MessagePort;
  /**
   * Sends a message to the thread; does nothing when the thread is lost.
   * @throws {DOMException} `DataCloneError` when the message cannot be cloned.
   */
  post(message: unknown, transfer?: readonly TransferListItem[]): void;
  /** Ends the thread now. `lost(thread, reason)` follows, and a replacement starts. */
  terminate(reason: Error): void;
}

/** What is told about the threads. Nothing is called before `acquire()` has returned, nor after `close()` has resolved. */
export interface ThreadsHandler {
  /** The thread may take messages. */
  ready(thread: Thread): void;
  /** The thread has sent a message. */
  message(thread: Thread, message: unknown): void;
  /**
   * The thread is no longer there, for good; called once for each thread that was ready, after its last message. `error` is
   * - what was thrown, when the worker died of an uncaught error (`ERR_WORKER_OUT_OF_MEMORY` when it ran out of memory);
   * - the reason that `terminate()` was given;
   * - a RunError `ERR_MILLRACE_WORKER_EXIT`, when the worker ended by itself;
   * - a RunError `ERR_MILLRACE_CLOSED`, when it was let go after the last `release()` or by `close()`.
   */
  lost(thread: Thread, error: unknown): void;
  /**
   * Threads die before they are ready, three in a row: none is started any more until the next `acquire()`. `error` is a
   * RunError `ERR_MILLRACE_WORKER_START` whose `cause` is the last death.
   */
  broken(error: Error): void;
}

/** How {@link Threads} are made. */
export interface ThreadsOptions {
  /** How many threads: a whole number, at least 1. */
  readonly size: number;
  /** How long threads that no one needs are kept, in ms; `Infinity` is for ever. They never keep the process alive. */
  readonly idleTimeout: number;
  /** What each thread may use, as in `new Worker()`. */
  readonly resourceLimits?: ResourceLimits | undefined;
  /** The module that the threads run; its default export comes from `session()`. Beside it lies `worker.cjs`, which starts it. */
  readonly entry?: URL | undefined;
}

/**
 * A fixed number of worker threads, started when they are first needed, replaced when they die, ended when they have not
 * been needed for long.
 */
export class Threads {
  /** How many threads there are while they are needed. */
  readonly size: number;
  readonly #idleTimeout: number;
  readonly #resourceLimits: ResourceLimits | undefined;
  readonly #entry: URL;
  readonly #handler: ThreadsHandler;
  readonly #sessions = new Set<Session>();
  #pool: Piscina | undefined;
  #users = 0;
  #failures = 0;
  #lingering: NodeJS.Timeout | undefined;
  #idling: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @throws {ArgumentError} when `size` or `idleTimeout` is not a number that it can be. */
  constructor(options: ThreadsOptions, handler: ThreadsHandler) {
    const { size, idleTimeout, resourceLimits, entry = new URL('./worker.js', import.meta.url) } = options;
    if (!Number.isInteger(size) || size < 1) {
      throw new ArgumentError(`The number of threads must be a whole number of at least 1; received ${received(size)}`);
    }
    if (typeof idleTimeout !== 'number' || !(idleTimeout >= 0)) {
      throw new ArgumentError(
        `The idle timeout must be a number of ms, or Infinity; received ${received(idleTimeout)}`,
      );
    }
    this.size = size;
    this.#idleTimeout = idleTimeout;
    this.#resourceLimits = resourceLimits;
    this.#entry = entry;
    this.#handler = handler;
  }

  /**
   * Says that the threads are needed, until `release()`: those that are not in session are started.
   * @throws {RunError} `ERR_MILLRACE_CLOSED` after `close()`.
   */
  acquire(): void {
    if (this.#closing) throw new RunError('ERR_MILLRACE_CLOSED', 'The worker threads have been closed; make new ones');
    clearTimeout(this.#lingering);
    clearTimeout(this.#idling);
    this.#users++;
    if (this.#failures >= ATTEMPTS) this.#failures = 0;
    this.#fill();
  }

  /**
   * The counterpart of `acquire()`. When no one needs the threads any more, they leave their sessions after a few ms: from
   * then on nothing here keeps the process alive.
   */
  release(): void {
    if (this.#users === 0) return; // once too often: below zero the threads would start again
    this.#users--;
    if (this.#users > 0 || this.#closing) return;
    this.#lingering = setTimeout(() => {
      for (const session of this.#sessions) session.stop();
      this.#rest();
    }, LINGER).unref();
  }

  /** Ends the threads, within a second or so whatever they do. What they are doing is lost: wait for it first. */
  close(): Promise<void> {
    this.#closing ??= Promise.resolve().then(async () => {
      clearTimeout(this.#lingering);
      clearTimeout(this.#idling);
      for (const session of this.#sessions) session.stop();
      await Promise.all(Array.from(this.#sessions, (session) => session.over));
      await Promise.all([this.#ending, this.#end()]);
    });
    return this.#closing;
  }

  #fill(): void {
    if (this.#users === 0 || this.#closing || this.#failures >= ATTEMPTS) return;
    try {
      this.#pool ??= this.#start();
    } catch (error) {
      this.#failures = ATTEMPTS;
      queueMicrotask(() => this.#giveUp(error));
      return;
    }
    while (this.#sessions.size < this.size) {
      const session = new Session(this.#pool, this.#entry, this.#handler, this.#started);
      this.#sessions.add(session);
      session.over.then((error) => this.#ended(session, error));
    }
  }

  #start(): Piscina {
    const pool = new Piscina({
      minThreads: this.size,
      maxThreads: this.size,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: this.#resourceLimits,
    });
    let last: unknown;
    pool.on('error', (error) => {
      last = error;
    });
    // Looked at in a later turn, when Piscina has replaced the thread and the session in it, if any, is over.
    pool.on('workerDestroy', () => setImmediate(() => this.#reclaim(pool, last)));
    return pool;
  }

  /**
   * Piscina does not replace a thread that died before it could take a task, not even when a task waits for it: that task
   * would wait for ever. When a thread is missing, the youngest session that is not ready is given up; the one that comes
   * after it makes Piscina start a thread, wherever the first was.
   */
  #reclaim(pool: Piscina, last: unknown): void {
    if (pool !== this.#pool) return;
    const running = [...this.#sessions].filter((session) => session.running);
    if (pool.threads.length >= running.length) return;
    const death =
      last instanceof Error ? last : new RunError('ERR_MILLRACE_WORKER_EXIT', 'The worker thread ended at once');
    running.findLast((session) => !session.wasReady)?.terminate(death);
  }

  readonly #started = (): void => {
    if (this.#failures < ATTEMPTS) this.#failures = 0;
  };

  #ended(session: Session, error: unknown): void {
    this.#sessions.delete(session);
    if (!session.wasReady && !session.stopped && ++this.#failures === ATTEMPTS) this.#giveUp(error);
    this.#fill();
    this.#rest();
  }

  #giveUp(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : received(cause);
    const message = `Worker threads cannot be started, they die before they are ready: ${reason}`;
    this.#handler.broken(new RunError('ERR_MILLRACE_WORKER_START', message, { cause }));
  }

  #rest(): void {
    if (this.#users > 0 || this.#sessions.size > 0 || this.#closing) return;
    clearTimeout(this.#idling);
    if (this.#idleTimeout > LONGEST_TIMEOUT) return;
    this.#idling = setTimeout(() => {
      this.#ending = this.#end();
    }, this.#idleTimeout).unref();
  }

  async #end(): Promise<void> {
    const pool = this.#pool;
    if (!pool) return;
    this.#pool = undefined;
    // A thread that throws while it is ended makes Piscina believe that all are gone, and then replace it.
    pool.on('workerCreate', () => pool.destroy());
    await within(GRACE, pool.destroy());
  }
}

let count = 0;

/** A thread from the moment a session is asked for until all that it said has been heard. */
class Session implements Thread {
  readonly id = ++count;
  readonly words = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT));
  readonly services: MessagePort;
  /** Resolves with the reason when the session is over; never rejects. */
  readonly over: Promise<unknown>;
  /** Whether Piscina runs the session, or will. */
  running = true;
  wasReady = false;
  stopped = false;
  readonly #port: MessagePort;
  readonly #closed: Promise<void>;
  readonly #kill = new AbortController();
  readonly #handler: ThreadsHandler;
  readonly #started: () => void;
  #grace: NodeJS.Timeout | undefined;

  constructor(pool: Piscina, entry: URL, handler: ThreadsHandler, started: () => void) {
    const main = new MessageChannel();
    const services = new MessageChannel();
    this.#handler = handler;
    this.#started = started;
    this.#port = main.port1;
    this.services = services.port1;
    this.#closed = new Promise((resolve) => this.#port.once('close', resolve));
    this.#port.on('message', (message) => this.#receive(message));
    this.#port.on('messageerror', (error) => this.terminate(error));
    this.over = this.#live(pool, entry, { port: main.port2, services: services.port2, words: this.words });
  }

  post(message: unknown, transfer?: readonly TransferListItem[]): void {
    this.#port.postMessage(message, transfer);
  }

  terminate(reason: Error): void {
    this.#kill.abort(reason);
  }

  /** Asks the session to stop; from now on the thread is lost for the outside. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.#port.postMessage({ type: 'stop' });
    const closed = new RunError(
      'ERR_MILLRACE_CLOSED',
      'The worker thread was let go, since nothing needed it any more',
    );
    if (this.running) this.#grace = setTimeout(() => this.terminate(closed), GRACE);
    if (this.wasReady) this.#handler.lost(this, closed);
  }

  #receive(message: unknown): void {
    if (this.stopped) return;
    if (this.wasReady) {
      this.#handler.message(this, message);
    } else {
      this.wasReady = true;
      this.#started();
      this.#handler.ready(this);
    }
  }

  async #live(pool: Piscina, entry: URL, data: SessionData): Promise<unknown> {
    const error = await this.#run(pool, entry, data);
    this.running = false;
    clearTimeout(this.#grace);
    // What the worker sent before it died is delivered before its end of the port closes.
    if (this.wasReady && !this.stopped) await within(DEATH, this.#closed);
    this.#port.close();
    this.services.close();
    if (this.wasReady && !this.stopped) {
      this.stopped = true;
      this.#handler.lost(this, error);
    }
    return error;
  }

  async #run(pool: Piscina, entry: URL, data: SessionData): Promise<unknown> {
    const { signal } = this.#kill;
    try {
      const filename = fileURLToPath(new URL('./worker.cjs', entry));
      await pool.run({ ...data, entry: entry.href }, { filename, signal, transferList: [data.port, data.services] });
    } catch (error) {
      return signal.aborted ? signal.reason : explained(error);
    }
    // Piscina takes an uncaught `null` for success.
    return new RunError(
      'ERR_MILLRACE_WORKER_EXIT',
      'The worker thread ended, most likely since something threw null in it',
    );
  }
}

/** Piscina tells of an exit in words only. */
function explained(error: unknown): unknown {
  const exit = error instanceof Error && /^worker exited with code: (-?\d+)$/.exec(error.message);
  if (!exit) return error;
  const message = `The worker thread ended with exit code ${exit[1]}; code that runs in it must not call process.exit()`;
  return new RunError('ERR_MILLRACE_WORKER_EXIT', message, { cause: error });
}

/** Waits for a promise, yet no longer than so many ms. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}
