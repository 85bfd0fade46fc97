import { RunError } from '../errors.js';
import { describe, isError } from './errors.js';

/**
 * Makes what a task threw into the error that comes out of the run.
 *
 * An error keeps its identity and gets, where it lacks them, `task` and `code` (`'ERR_MILLRACE_TASK_FAILED'`), both not
 * enumerable, and a last line in its stack that names the task: once, even when it is thrown again by a retry or by the flow
 * around. An error that is not extensible, as a frozen one, is left as it is. Anything else that was thrown becomes the
 * `cause` of a `RunError` with the code `ERR_MILLRACE_NON_ERROR_THROWN`. Never throws.
 */
export function markFailed(error: unknown, task: string, flow: string): Error {
  if (!isError(error)) {
    const message = `Task '${task}' threw ${describe(error)} instead of an Error`;
    return new RunError('ERR_MILLRACE_NON_ERROR_THROWN', message, { cause: error, task });
  }
  try {
    if (Object.isExtensible(error)) {
      if (!('task' in error)) hide(error, 'task', task);
      if (!('code' in error)) hide(error, 'code', 'ERR_MILLRACE_TASK_FAILED');
      markStack(error, `    at task ${oneLine(task)} (flow ${oneLine(flow)})`);
    }
  } catch {
    // A proxy, or an error with getters that throw: it stays as it is.
  }
  return error;
}

const marked = /\n {4}at task .+ \(flow .*\)/;

function markStack(error: Error, line: string): void {
  const { stack } = error;
  if (typeof stack === 'string' && !marked.test(stack)) hide(error, 'stack', `${stack}\n${line}`);
}

function hide(error: Error, key: string, value: string): void {
  Reflect.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true });
}

function oneLine(name: string): string {
  return name.replace(/\s+/g, ' ');
}
