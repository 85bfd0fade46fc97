/** What the death of a thread means for the tasks that it held. */
import { inspect } from 'node:util';
import { isMillraceError, RunError, type RunErrorCode, received } from '../errors.js';

/** Says that a thread died of an error which nobody caught; `cause` is that error. */
export class UnhandledInWorker {
  readonly cause: unknown;
  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** The failure of a task whose result was lost when a later one of its packet ended the thread. */
export function takenDown(task: string, death: Error): RunError {
  const message = `Task '${task}' had run when its worker ended, and its result is lost: ${death.message}`;
  return new RunError('ERR_MILLRACE_WORKER_EXIT', message, { task, cause: death });
}

/** The failure of a task that needed what was with a thread only. */
export function lostWith(task: string, source: string, cause: unknown): RunError {
  const reason = cause instanceof Error ? cause.message : received(cause);
  const message = `Task '${task}' needs the result of '${source}', which is lost: ${reason}`;
  return new RunError('ERR_MILLRACE_WORKER_EXIT', message, { task, cause });
}

/** What a thread died of, as the failure of a task that ran on it. */
export function deathOf(task: string, error: unknown): RunError {
  const unhandled = error instanceof UnhandledInWorker;
  const cause = unhandled ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : received(cause);
  if (unhandled) {
    const message = `Task '${task}': its worker died of an error that nobody caught: ${reason}`;
    return new RunError('ERR_MILLRACE_UNHANDLED_ERROR', message, { task, cause });
  }
  if ((error as { code?: unknown } | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = `Task '${task}': its worker ran out of memory; resourceLimits say how much it may use`;
    return new RunError('ERR_MILLRACE_WORKER_MEMORY', message, { task, cause });
  }
  const code = isMillraceError(error) ? (error.code as RunErrorCode) : 'ERR_MILLRACE_WORKER_EXIT';
  return new RunError(code, `Task '${task}': ${reason}`, { task, cause });
}

/** A thread has died of something that no task can be blamed for. */
export function warnOfDeath(cause: unknown): void {
  process.emitWarning(
    `A worker thread died of an error that nobody caught, after its task had ended: ${inspect(cause)}`,
    'MillraceWarning',
  );
}
