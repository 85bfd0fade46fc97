/** Takes tasks, keeps their records, and has the configured executor carry them out. */
import { EventEmitter } from 'node:events';
import type { Config } from '../config/index.js';
import { emitSafely } from '../engine/index.js';
import { ArgumentError, isMillraceError, received, ServiceError } from '../errors.js';
import { type Care, careOf } from './care.js';
import {
  type ExecutorDescription,
  type ExecutorFactory,
  type ExecutorHost,
  type FlowRun,
  notFound,
  type TaskExecutor,
} from './executor.js';
import { withError } from './logger.js';
import { type Notification, publish } from './notifications.js';
import { checkQuery, type TaskQuery } from './query.js';
import { isExpired, type NewTaskOptions, newTask, summaryOf, type TaskRecord, type TaskSummary } from './record.js';
import { closeOnSignal } from './signals.js';
import { isFinal } from './status.js';

/** The events of a service. A listener that throws harms nothing: its error becomes a process warning. */
export interface TaskServiceEvents {
  create: [TaskSummary];
  /** A task is about to be carried out. */
  run: [TaskSummary];
  processing: [TaskSummary];
  success: [TaskSummary];
  failure: [TaskSummary];
  remove: [TaskSummary];
  /** The flow of a task is about to run; the second argument emits what an engine does: `'flow'`, `'task'`, `'progress'`, `'log'`. */
  start: [TaskSummary, FlowRun];
}

/** Whose tasks a call is about. */
export interface OwnerOptions {
  /** Only a task of this owner is found. Default: of any. */
  readonly owner?: string | undefined;
}

/** How a service is closed. */
export interface CloseOptions {
  /** How long tasks under way may take to end, in ms; then they are aborted, and fail. Default: `Infinity`. */
  readonly timeout?: number;
}

/** A task that waits for its turn. */
interface Queued {
  readonly id: string;
  /** Whether it was begun by another process, or another service. */
  readonly begun: boolean;
}

/** What is open for as long as a service is. */
export interface Closable {
  close(): Promise<void>;
}

/** What a service is made of; `createTaskService()` prepares it. */
export interface ServiceParts extends Omit<ExecutorHost, 'signal' | 'changed' | 'starting'> {
  /** What to close with the service. */
  readonly owned: readonly Closable[];
  /** Whether to close the service when the process is told to end. */
  readonly handleSignals: boolean;
}

/** How many tasks a list has that does not say it, and how many at most. */
const LIST_DEFAULT = 25;
const LIST_MOST = 1000;
/** How often to look for what has expired and what a killed process has left, in ms. */
const SWEEP = 60_000;
/** How long to wait before a task is tried again that could not begin, since the database did not answer, in ms. */
const TRY_AGAIN = 1000;
/** How often to look whether a task has ended that another process carries out, in ms. */
const POLL = 1000;
/** The longest delay that a timer of Node.js can have. */
const LONGEST = 2 ** 31 - 1;

/**
 * Made by `createTaskService()`.
 *
 * It keeps the process alive while a task is being carried out, and not otherwise. When the process ends all the same, or is killed, the
 * next service on the same database settles what was left: see {@link TaskService.recover}.
 */
export class TaskService extends EventEmitter<TaskServiceEvents> implements AsyncDisposable {
  readonly #parts: ServiceParts;
  readonly #care: Care;
  #executor!: TaskExecutor;
  readonly #abort = new AbortController();
  /** What has been submitted and not begun. */
  readonly #queue: Queued[] = [];
  /** How many submitted tasks are being carried out. */
  #slots = 0;
  /** All that is being carried out. */
  readonly #underWay = new Set<Promise<void>>();
  /** Emits the name of each task that has changed, and the end of all, for those who wait. */
  readonly #changes = new EventEmitter().setMaxListeners(0);
  /** Keeps the process alive while anything is being carried out, also what waits for nothing that would. */
  #sweep: NodeJS.Timeout | undefined;
  #recovering: Promise<void> | undefined;
  #forgetSignals: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  /** Nothing is under way any more. */
  #closed = false;

  private constructor(parts: ServiceParts) {
    super();
    this.#parts = parts;
    this.#care = careOf(parts.repository);
  }

  /** @internal */
  static async open(parts: ServiceParts, makeExecutor: ExecutorFactory): Promise<TaskService> {
    const service = new TaskService(parts);
    service.#executor = await makeExecutor({
      ...parts,
      signal: service.#abort.signal,
      changed: (task, before) => service.#changed(task, before),
      starting: (task, run) => service.#starting(task, run),
    });
    service.#sweep = setInterval(() => service.#sweepNow(), SWEEP).unref();
    if (parts.handleSignals) service.#forgetSignals = closeOnSignal(() => service.close({ timeout: 0 }));
    try {
      await service.recover();
    } catch (error) {
      clearInterval(service.#sweep);
      service.#forgetSignals?.();
      await service.#executor.close();
      throw error;
    }
    return service;
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#parts.config;
  }

  /** What carries tasks out. */
  get executor(): ExecutorDescription {
    return this.#executor.description;
  }

  /**
   * Records a task, which stays pending until {@link run} is called.
   *
   * @param type a registered task type
   * @param input what to work on, as JSON. It is checked when the task is carried out.
   * @throws {@link ServiceError} `ERR_MILLRACE_UNKNOWN_TYPE`, `ERR_MILLRACE_NOT_JSON`, `ERR_MILLRACE_DATABASE`
   */
  async create(type: string, input?: unknown, options?: NewTaskOptions): Promise<TaskRecord> {
    return this.#add(this.#new(type, input, options));
  }

  /** As {@link create}, and the task is carried out as soon as its turn has come; {@link finished} waits for it. */
  async submit(type: string, input?: unknown, options?: NewTaskOptions): Promise<TaskRecord> {
    const { repository } = this.#parts;
    const task = Object.freeze({ ...this.#new(type, input, options), holder: repository.holder });
    await this.#enqueue(task.id, () => this.#add(task));
    return task;
  }

  /**
   * Carries a pending task out, now, and waits until it has ended.
   *
   * @throws what {@link TaskExecutor.beginProcessing} throws
   */
  async run(id: string): Promise<void> {
    this.#checkOpen();
    await this.#track(this.#run(id));
  }

  /** @throws {@link ServiceError} `ERR_MILLRACE_RECORD_NOT_FOUND`, also when the task has another owner, or has expired */
  async get(id: string, options?: OwnerOptions): Promise<TaskRecord> {
    const task = await this.#find(id, options);
    if (isExpired(task, new Date())) throw notFound(id);
    return task;
  }

  /**
   * The tasks that match, the newest first, without input, result and message. What has expired is removed before.
   *
   * @param query `limit` is 25 unless it is given, and 1,000 at most
   * @throws {@link ArgumentError} when the query is wrong, or there is no task with the id of its marker
   */
  async list(query: TaskQuery = {}): Promise<TaskSummary[]> {
    checkQuery(query);
    const { repository } = this.#parts;
    await repository.removeExpired(new Date());
    return repository.list({ ...query, limit: Math.min(query.limit ?? LIST_DEFAULT, LIST_MOST) });
  }

  /** Removes the record of a task. One that is being carried out goes on, and leaves nothing behind. */
  async remove(id: string, options?: OwnerOptions): Promise<void> {
    const task = await this.get(id, options);
    const { repository, flows, logger } = this.#parts;
    if (!(await repository.remove(id))) throw notFound(id);
    this.#notify('remove', task);
    await flows
      ?.forget(id)
      .catch((error) => logger.error?.(withError(`The flow of task ${id} cannot be deleted`, error)));
  }

  /**
   * Waits until a task has ended.
   *
   * @throws {@link ServiceError} as {@link get}, but not because it has expired; `ERR_MILLRACE_SERVICE_CLOSED` when the service is closed
   *   before; the reason of `signal` when it is aborted
   */
  async finished(
    id: string,
    { signal, ...options }: OwnerOptions & { signal?: AbortSignal } = {},
  ): Promise<TaskRecord> {
    for (;;) {
      const change = this.#nextChange(id, signal); // before the look, lest it comes between the two
      try {
        signal?.throwIfAborted();
        const task = await this.#find(id, options); // also one that may be forgotten as soon as it has ended
        if (isFinal(task.status)) return task;
        if (!this.#closed) await change.seen;
        if (this.#closed) throw closed();
      } finally {
        change.forget();
      }
    }
  }

  /**
   * Looks for tasks that a killed process has left: those that it was carrying out fail, those that it had not begun are carried
   * out. Removes what has expired. A service does so when it starts, and each minute.
   */
  recover(): Promise<void> {
    this.#recovering ??= this.#track(this.#recover()).finally(() => {
      this.#recovering = undefined;
    });
    return this.#recovering;
  }

  /**
   * Closes the service: nothing more is begun, and the tasks under way end. What was submitted and not begun stays pending, for the
   * next start.
   */
  close({ timeout = Number.POSITIVE_INFINITY }: CloseOptions = {}): Promise<void> {
    if (typeof timeout !== 'number' || !(timeout >= 0)) {
      throw new ArgumentError(
        `option 'timeout' must be a number of milliseconds from 0; received ${received(timeout)}`,
      );
    }
    this.#closing ??= this.#close();
    const abort = () => this.#abort.abort(closed());
    if (timeout === 0) abort();
    else if (timeout <= LONGEST) {
      const timer = setTimeout(abort, timeout);
      const stop = () => clearTimeout(timer);
      this.#closing.then(stop, stop);
    }
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #starting(task: TaskRecord, run: FlowRun): void {
    if (this.listenerCount('start') === 0) return;
    emitSafely<TaskServiceEvents, 'start'>(this, 'the task service', 'start', summaryOf(task), run);
  }

  #new(type: string, input: unknown, options: NewTaskOptions | undefined): TaskRecord {
    this.#checkOpen();
    this.#parts.registry.typeOf(type);
    return newTask(type, input, options);
  }

  async #find(id: string, { owner }: OwnerOptions = {}): Promise<TaskRecord> {
    const task = await this.#parts.repository.get(checkId(id));
    if (!task || (owner !== undefined && task.owner !== owner)) throw notFound(id);
    return task;
  }

  async #add(task: TaskRecord): Promise<TaskRecord> {
    const { repository } = this.#parts;
    try {
      await repository.add(task);
    } catch (error) {
      // The answer may have been lost.
      if (!(await repository.get(task.id).catch(() => undefined))) throw error;
    }
    this.#notify('create', task);
    return task;
  }

  async #recover(): Promise<void> {
    const { repository, logger, flows, config } = this.#parts;
    await repository.removeExpired(new Date());
    const before = new Set([...this.#care.queued, ...this.#care.underWay]); // these may end while the list is made
    for (const task of await repository.held()) {
      const { id } = task;
      if (this.#closing) return;
      if (before.has(id) || this.#care.has(id)) continue;
      try {
        const begun = task.status === 'processing';
        if (begun && !flows) await this.#executor.settle(task);
        else await this.#enqueue(id, () => repository.save({ ...task, holder: repository.holder }, task), begun);
      } catch (error) {
        logger.error?.(withError(`Task ${id} was left behind, and cannot be settled`, error));
      }
    }
    await flows?.forgetExpired(config.task.timeToLive);
  }

  async #sweepNow(): Promise<void> {
    if (this.#closing) return;
    try {
      await this.recover();
    } catch (error) {
      const { logger } = this.#parts;
      logger.error?.(withError('What has expired, or was left behind, cannot be looked for', error));
    }
  }

  /** Puts a task into the queue, once `hold` has made this connection its holder. */
  async #enqueue(id: string, hold: () => Promise<unknown>, begun = false): Promise<void> {
    this.#care.queued.add(id);
    try {
      if ((await hold()) && !this.#closing) this.#queue.push({ id, begun });
      else this.#care.queued.delete(id);
    } catch (error) {
      this.#care.queued.delete(id);
      throw error;
    }
    this.#next();
  }

  #next(): void {
    while (!this.#closing && this.#slots < this.#parts.config.task.concurrency && this.#queue.length > 0) {
      this.#slots++;
      void this.#track(this.#carryOutSubmitted(this.#queue.shift()!));
    }
  }

  async #run(id: string): Promise<void> {
    await this.get(id);
    await this.#executor.beginProcessing(id);
  }

  /** Nobody waits for the error of a submitted task; the executor has logged it. */
  async #carryOutSubmitted({ id, begun }: Queued): Promise<void> {
    try {
      while (!this.#closing && !(await this.#hasBegun(id, begun))) await new Promise((go) => setTimeout(go, TRY_AGAIN));
    } finally {
      this.#care.queued.delete(id);
      this.#slots--;
      this.#next();
    }
  }

  /** Carries a task out, unless the database does not let it begin and it is to be tried again. */
  async #hasBegun(id: string, begun: boolean): Promise<boolean> {
    try {
      await (begun ? this.#executor.resumeProcessing(id) : this.#executor.beginProcessing(id));
    } catch (error) {
      if (!isDatabaseError(error)) return true;
      this.#parts.logger.error?.(withError(`Task ${id} cannot begin`, error));
      return false;
    }
    return true;
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#underWay.add(work);
    this.#sweep?.ref();
    try {
      await work;
    } finally {
      this.#underWay.delete(work);
      if (this.#underWay.size === 0) this.#sweep?.unref();
    }
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    clearInterval(this.#sweep);
    this.#closed = true;
    this.#changes.emit('closed');
    for (const { id } of this.#queue.splice(0)) this.#care.queued.delete(id);
    try {
      await this.#executor.close();
    } finally {
      this.#forgetSignals?.();
      await closeAll(this.#parts.owned);
    }
  }

  /** Seen when the task has changed or somebody else may have changed it, when nothing will, and when `signal` is aborted. */
  #nextChange(id: string, signal: AbortSignal | undefined): { seen: Promise<void>; forget(): void } {
    let wake!: () => void;
    const seen = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const timer = setTimeout(wake, POLL);
    this.#changes.once(`task ${id}`, wake).once('closed', wake);
    signal?.addEventListener('abort', wake);
    const forget = () => {
      clearTimeout(timer);
      this.#changes.off(`task ${id}`, wake).off('closed', wake);
      signal?.removeEventListener('abort', wake);
    };
    return { seen, forget };
  }

  #checkOpen(): void {
    if (this.#closing) throw closed();
  }

  #changed(task: TaskRecord, before: TaskRecord): void {
    if (task.status === 'processing') this.#notify('run', before);
    this.#notify(task.status as Notification, task);
  }

  #notify(notification: Notification, task: TaskSummary): void {
    const summary = summaryOf(task);
    publish(notification, summary);
    emitSafely<TaskServiceEvents, Notification>(this, 'the task service', notification, summary);
    this.#changes.emit(`task ${task.id}`);
  }
}

/** Closes all of them, whatever happens to one. */
export async function closeAll(parts: readonly Closable[]): Promise<void> {
  const ends = await Promise.allSettled(parts.map((part) => part.close()));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function closed(): ServiceError {
  return new ServiceError('ERR_MILLRACE_SERVICE_CLOSED', 'The task service is closed');
}

function isDatabaseError(error: unknown): boolean {
  return isMillraceError(error) && error.code === 'ERR_MILLRACE_DATABASE';
}

function checkId(id: unknown): string {
  if (typeof id === 'string') return id;
  throw new ArgumentError(`The id of a task must be a string; received ${received(id)}`);
}
