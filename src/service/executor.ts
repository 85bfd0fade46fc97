/**
 * What every executor has in common: how a task goes through its states, and which message it ends with. An executor only says how
 * a flow is run, so that whoever hands a task over cannot tell one from the other.
 */
import { isThenable } from '../atoms/index.js';
import type { Config } from '../config/index.js';
import { type FlowState, onAbort, type RecordOptions } from '../engine/index.js';
import { ServiceError } from '../errors.js';
import type { FlowItem } from '../flows/index.js';
import type { OfferedServices } from '../load.js';
import { attach, type Logger, logging, type ObservedRun } from '../observe/index.js';
import { careOf } from './care.js';
import type { TaskFlows } from './flows.js';
import { withError } from './logger.js';
import { beginTask, failTask, succeedTask, type TaskRecord } from './record.js';
import { explained, isSuspended, NotResumable, RecordedRun, suspended } from './recorded-run.js';
import type { PreparedTask, Registry } from './registry.js';
import type { TaskRepository } from './repository.js';
import { checkTransition, isFinal } from './status.js';

/** What the message of a task says when the reason is none of the submitter's business. */
export const INTERNAL_ERROR = 'Task failed due to Internal Error';

/** How long to wait before the database is asked again that did not answer, in ms. */
const ASK_AGAIN = 1000;

/** A flow that is about to run. An engine is one. It tells what happens by the events of an engine. */
export interface FlowRun extends ObservedRun {
  /** Runs the flow to its end, and gives what it provides. */
  run(): Promise<unknown>;
  close(): Promise<void>;
  /** Takes the flow if it is recorded, and reads how far it is. */
  open?(): Promise<unknown>;
  /** Lets the steps under way end, and begins no other: `run()` resolves or rejects, and the flow is `'SUSPENDED'`. */
  suspend?(): void;
  readonly state?: FlowState;
  /** What the flow has failed with, if it has come to its end so. */
  readonly failure?: Error | undefined;
}

/** How a flow is to be run. */
export interface FlowSetup {
  readonly inputs: any;
  /** Aborted when the run has to end now. */
  readonly signal: AbortSignal;
  /** What tasks may call. */
  readonly services: OfferedServices;
  /** Where the flow is recorded, when tasks are to be resumed. */
  readonly record?: RecordOptions;
}

/** What an executor works with. */
export interface ExecutorHost {
  readonly config: Config;
  readonly repository: TaskRepository;
  readonly registry: Registry;
  readonly services: OfferedServices;
  readonly logger: Logger;
  /** Aborted when tasks under way have to end. */
  readonly signal: AbortSignal;
  /** @internal The recorded flows, when tasks are to be resumed. */
  readonly flows?: TaskFlows | undefined;
  /** A task has changed its status; `before` is how it was. */
  changed(task: TaskRecord, before: TaskRecord): void;
  /** The flow of a task is about to run. */
  starting(task: TaskRecord, run: FlowRun): void;
}

/** What an executor says of itself. */
export interface ExecutorDescription {
  /** The name by which it was chosen. */
  readonly executor: string;
  /** The engine that runs its flows, if it has one. */
  readonly engine?: 'serial' | 'parallel';
  /** How many worker threads it may use, if it uses any. */
  readonly workers?: number;
}

/** Makes an executor; registered by name. */
export type ExecutorFactory = (host: ExecutorHost) => TaskExecutor | Promise<TaskExecutor>;

/** Carries tasks out. A subclass says how their flows are run. */
export abstract class TaskExecutor {
  abstract readonly description: ExecutorDescription;
  /** Whether its flows can be recorded and resumed: it hands `setup.record` to an engine. Default: `false`. */
  readonly resumes: boolean = false;
  protected readonly host: ExecutorHost;

  constructor(host: ExecutorHost) {
    this.host = host;
  }

  /**
   * Carries a pending task out, to its end. The task ends in `success` or in `failure`, whatever happens; if it is removed
   * meanwhile, nothing is left of it.
   *
   * @throws what its flow failed with, unless that is meant for whoever submitted the task (`expose`)
   * @throws {@link ServiceError} `ERR_MILLRACE_RECORD_NOT_FOUND`, `ERR_MILLRACE_ILLEGAL_TRANSITION` when the task is not pending,
   *   `ERR_MILLRACE_SERVICE_CLOSED`, and `ERR_MILLRACE_DATABASE`: then nothing has happened; `ERR_MILLRACE_TASK_SUSPENDED` when it has
   *   not ended, and is to be resumed
   */
  beginProcessing(id: string): Promise<void> {
    return this.#underWay(id, async () => this.#process(await this.#begin(id)));
  }

  /**
   * Goes on with a task whose process has ended before it did, to its end, once it belongs to the repository of this executor.
   *
   * @throws as {@link beginProcessing}
   */
  resumeProcessing(id: string): Promise<void> {
    return this.#underWay(id, async () => {
      const { repository, logger, flows } = this.host;
      const task = await repository.get(id);
      if (task?.status !== 'processing' || task.holder !== repository.holder) return; // somebody else was faster
      // A flow that was to be recorded and is not has not begun.
      if (task.recorded || (await flows?.has(id))) {
        logger.info?.(`Task ${id} (${task.type}) is resumed`);
        await this.#process(task, true);
      } else {
        await this.#fail(task, new NotResumable('its flow was not recorded'), 'is left behind');
      }
    });
  }

  /** Ends a task whose process was killed while it carried it out. @throws when the database does not take it */
  async settle(task: TaskRecord): Promise<void> {
    const { logger } = this.host;
    logger.warn?.(`Task ${task.id} (${task.type}) has failed: the process that carried it out is gone`);
    // Twice, as an answer may be lost. Whoever looks after such tasks comes again.
    await this.#end(failTask(task, INTERNAL_ERROR, this.host.config.task.timeToLive), task, 2);
  }

  /** Frees what the executor has; no task is being carried out any more. */
  async close(): Promise<void> {}

  /** Makes the run of a flow. */
  protected abstract load(flow: FlowItem, setup: FlowSetup): FlowRun;

  async #underWay(id: string, work: () => Promise<void>): Promise<void> {
    const { repository, logger } = this.host;
    const { underWay } = careOf(repository);
    if (underWay.has(id)) checkTransition(id, 'processing', 'processing');
    underWay.add(id);
    try {
      await work();
    } catch (error) {
      if (isSuspended(error, id)) logger.info?.(withError('A task is left to whoever resumes it', error));
      throw error;
    } finally {
      underWay.delete(id);
    }
  }

  async #process(task: TaskRecord, resumed = false): Promise<void> {
    const { registry, config } = this.host;
    let prepared: PreparedTask;
    try {
      prepared = await this.#unlessAborted(task, registry.prepare(task, config.task.workDir));
    } catch (error) {
      if (isSuspended(error, task.id)) throw error;
      await this.#fail(task, resumed ? explained(error) : error, 'could not be prepared');
      return;
    }
    let ended: TaskRecord;
    try {
      ended = succeedTask(task, await this.#carryOut(task, prepared, resumed), config.task.timeToLive);
    } catch (error) {
      if (isSuspended(error, task.id)) throw error;
      if (await this.#fail(task, error, 'failed')) return;
      throw error;
    }
    await this.#end(ended, task);
  }

  async #begin(id: string): Promise<TaskRecord> {
    const { repository, signal, flows } = this.host;
    for (;;) {
      const found = await repository.get(id);
      if (!found) throw notFound(id);
      signal.throwIfAborted();
      const task = beginTask(found, repository.holder, flows !== undefined);
      try {
        if (!(await repository.save(task, found)) && !(await this.#isStored(task))) continue; // somebody else was faster
      } catch (error) {
        if (!(await this.#isStored(task))) throw error;
      }
      this.host.changed(task, found);
      return task;
    }
  }

  /** Whether a record was saved although the database could not say so, however long it takes to learn that. */
  async #isStored(saved: TaskRecord): Promise<boolean> {
    const { repository, signal, logger } = this.host;
    for (;;) {
      const last = signal.aborted;
      try {
        const found = await repository.get(saved.id);
        return found !== undefined && isSame(found, saved);
      } catch (error) {
        logger.error?.(withError(`Task ${saved.id} (${saved.type}) may have been saved as '${saved.status}'`, error));
        if (last) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
    }
  }

  async #carryOut(task: TaskRecord, { flow, inputs, result }: PreparedTask, resumed: boolean): Promise<unknown> {
    const { services, signal, logger, flows } = this.host;
    const recorded = flows && new RecordedRun(task, resumed, this.host, flows);
    const run = this.load(flow, { inputs, services, ...(recorded?.setup ?? { signal }) });
    if (logger.debug && logger.warn) attach(run, logging({ logger, prefix: `Task ${task.id}: ` }));
    try {
      const made = result(await (recorded ? recorded.carryOut(run) : this.#run(task, run)));
      return isThenable(made) ? await this.#unlessAborted(task, made) : made;
    } finally {
      await (recorded ? recorded.close(run) : run.close());
    }
  }

  #run(task: TaskRecord, run: FlowRun): Promise<unknown> {
    this.host.starting(task, run);
    return run.run();
  }

  /** What the functions of a task type come to; they have `abortGrace` to do so once the signal is aborted, as tasks have. */
  #unlessAborted<T>(task: TaskRecord, work: PromiseLike<T>): Promise<T> {
    const { signal, config, flows } = this.host;
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const abort = () => {
        timer = setTimeout(() => reject(flows ? suspended(task, signal.reason) : signal.reason), config.abortGrace);
      };
      const forget = onAbort(signal, abort);
      if (signal.aborted) abort();
      const through = () => {
        forget();
        clearTimeout(timer);
      };
      work.then(resolve, reject).then(through);
    });
  }

  /** Ends a task as failed. Returns whether the error was meant for whoever submitted it. */
  async #fail(task: TaskRecord, error: unknown, how: string): Promise<boolean> {
    const { logger, config } = this.host;
    const message = messageOf(error);
    const line = `Task ${task.id} (${task.type}) ${how}`;
    if (message === undefined || error instanceof NotResumable) logger.error?.(withError(line, error));
    else logger.info?.(`${line}: ${message}`);
    await this.#end(failTask(task, message ?? INTERNAL_ERROR, config.task.timeToLive), task);
    return message !== undefined;
  }

  /** Saves a task that has ended, however long that takes unless `times` says how often to try: it must not stay as it was. */
  async #end(ended: TaskRecord, task: TaskRecord, times = Number.POSITIVE_INFINITY): Promise<void> {
    const { repository, signal, logger, flows } = this.host;
    for (let time = 1; ; time++) {
      const last = signal.aborted || time >= times;
      try {
        if (await repository.save(ended, task)) return this.host.changed(ended, task);
        const found = await repository.get(task.id);
        if (found && isSame(found, ended)) return this.host.changed(ended, task);
        const what = !found
          ? 'was removed'
          : isFinal(found.status)
            ? `has ended already, in '${found.status}'`
            : 'is held by another process';
        logger.warn?.(`Task ${task.id} (${task.type}) ${what}; nothing was saved`);
        if (!found) await flows?.forget(task.id);
        return;
      } catch (error) {
        logger.error?.(withError(`Task ${task.id} (${task.type}) cannot be saved as '${ended.status}'`, error));
        if (last) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN));
    }
  }
}

export function notFound(id: string): ServiceError {
  return new ServiceError('ERR_MILLRACE_RECORD_NOT_FOUND', `There is no task ${id}`, { id });
}

/** Whether what was found is what was saved, although the database could not say so. */
function isSame(found: TaskRecord, saved: TaskRecord): boolean {
  const { status, holder, updatedAt, message } = saved;
  const same = found.status === status && found.holder === holder && found.message === message;
  return same && found.updatedAt.getTime() === updatedAt.getTime();
}

/** The message of an error that may be shown; of several errors the first, if each may be shown. */
function messageOf(error: unknown): string | undefined {
  try {
    return exposed(error);
  } catch {
    return undefined; // what was thrown cannot be looked at
  }
}

function exposed(error: unknown): string | undefined {
  const { expose, errors, message } = (error ?? {}) as { expose?: unknown; errors?: unknown; message?: unknown };
  if (expose === true) return String(message);
  if (!(error instanceof AggregateError) || !Array.isArray(errors)) return undefined;
  const messages = errors.map(exposed);
  return messages.includes(undefined) ? undefined : messages[0];
}
