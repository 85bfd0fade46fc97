import { onAbort, type RecordOptions } from '../engine/index.js';
import { ExposedError, isMillraceError, ServiceError } from '../errors.js';
import type { ExecutorHost, FlowRun } from './executor.js';
import type { LentStore, TaskFlows } from './flows.js';
import { withError } from './logger.js';
import type { TaskRecord } from './record.js';

/** How long to wait before a flow goes on that the database has suspended, in ms. */
const TRY_AGAIN = 1000;

/** What keeps a flow from being taken, and passes. */
const PASSING: readonly string[] = [
  'ERR_MILLRACE_DATABASE',
  'ERR_MILLRACE_LEASE_LOST',
  'ERR_MILLRACE_OWNED', // the connections of a process that is gone do not end at the same moment
  'ERR_MILLRACE_STORE_FULL',
  'ERR_MILLRACE_STORE_READ_ONLY',
];

/** What keeps a flow from being resumed for good, and what whoever submitted the task is told of that. */
const LASTING: Readonly<Record<string, string>> = {
  ERR_MILLRACE_STORE_CORRUPT: 'what is recorded of it cannot be read',
  ERR_MILLRACE_UNKNOWN_TYPE: 'its type is not known any more',
  ERR_MILLRACE_UNREADABLE: 'what is recorded of it cannot be read',
  ERR_MILLRACE_VERSION_CHANGED: 'its flow has changed',
};

/**
 * Sees to the run of a flow that is recorded, which has an end later if it has none now: it outlasts trouble with the database, and when
 * tasks have to end now, it is suspended instead of reverted.
 */
export class RecordedRun {
  readonly #task: TaskRecord;
  readonly #resumed: boolean;
  readonly #host: ExecutorHost;
  readonly #lent: LentStore;
  #through = () => {};

  constructor(task: TaskRecord, resumed: boolean, host: ExecutorHost, flows: TaskFlows) {
    this.#task = task;
    this.#resumed = resumed;
    this.#host = host;
    this.#lent = flows.lend(task.id);
  }

  /** How the flow is to be run. An abort would have it reverted. */
  get setup(): { readonly signal: AbortSignal; readonly record: RecordOptions } {
    return { signal: new AbortController().signal, record: this.#lent.record };
  }

  /**
   * Runs the flow to its end, from where it was.
   *
   * @throws what `run()` of an engine throws; {@link ServiceError} `ERR_MILLRACE_TASK_SUSPENDED`
   */
  async carryOut(run: FlowRun): Promise<unknown> {
    const { signal } = this.#host;
    const forget = onAbort(signal, () => void this.#suspend(run));
    try {
      await this.#open(run);
      if (run.failure) throw run.failure;
      this.#host.starting(this.#task, run);
      for (;;) {
        if (signal.aborted) throw suspended(this.#task, signal.reason);
        try {
          const gives = await run.run();
          if (run.state !== 'SUSPENDED') return gives;
        } catch (error) {
          if (run.state !== 'SUSPENDED') throw error;
          if (isLost(error)) throw suspended(this.#task, signal.aborted ? signal.reason : error);
          await this.#outlast(error);
          continue;
        }
        throw suspended(this.#task, signal.reason);
      }
    } finally {
      forget();
      this.#through();
    }
  }

  /** Leaves the flow to whoever takes it next. */
  async close(run: FlowRun): Promise<void> {
    try {
      await run.close();
    } catch (error) {
      this.#host.logger.error?.(withError(`The flow of task ${this.#task.id} cannot be released`, error));
    }
  }

  async #open(run: FlowRun): Promise<void> {
    const { signal } = this.#host;
    for (;;) {
      if (signal.aborted) throw suspended(this.#task, signal.reason);
      try {
        await run.open?.();
        return;
      } catch (error) {
        await this.#outlast(error);
      }
    }
  }

  /** Waits before it is tried again what failed with an error, if that is of any use. @throws if not */
  async #outlast(error: unknown): Promise<void> {
    if (!isMillraceError(error) || !PASSING.includes(error.code)) throw this.#resumed ? explained(error) : error;
    const { signal, logger } = this.#host;
    const { id, type } = this.#task;
    logger.error?.(withError(`Task ${id} (${type}) waits: its flow cannot be recorded`, error));
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN));
  }

  /**
   * Steps under way may end, and no other begins. Those that do not end in time are told to stop, and are to run again when the flow is
   * resumed.
   */
  async #suspend(run: FlowRun): Promise<void> {
    const { abortGrace } = this.#host.config;
    run.suspend?.();
    const inTime = await new Promise((resolve) => {
      const timer = setTimeout(resolve, abortGrace, false);
      this.#through = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    if (!inTime) this.#lent.reclaim();
  }
}

/** The task is left as it is, for a service to go on with. */
export function suspended({ id, type }: TaskRecord, cause: unknown): ServiceError {
  return new ServiceError('ERR_MILLRACE_TASK_SUSPENDED', `Task ${id} (${type}) is suspended`, { id, cause });
}

export function isSuspended(error: unknown, id: string): boolean {
  return error instanceof ServiceError && error.code === 'ERR_MILLRACE_TASK_SUSPENDED' && error.id === id;
}

/** Ends a task that cannot be resumed. */
export class NotResumable extends ExposedError {
  constructor(why: string, cause?: unknown) {
    super(`Task could not be resumed: ${why}`, { cause });
  }
}

/** Why a task cannot be resumed, if that is what an error says. Others are returned as they are. */
export function explained(error: unknown): unknown {
  const why = isMillraceError(error) && LASTING[error.code];
  return why ? new NotResumable(why, error) : error;
}

function isLost(error: unknown): boolean {
  return isMillraceError(error) && error.code === 'ERR_MILLRACE_LEASE_LOST';
}
