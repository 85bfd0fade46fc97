/** Finds a task's code in this thread: imports its module, once, and looks it up by name. */
import { type Definition, registered, registeredNames } from '../src/atoms/index.js';
import { RunError } from '../src/errors.js';
import type { WireShape } from '../src/wire/index.js';

/**
 * @throws {@link RunError} `ERR_MILLRACE_MODULE_LOAD` when the module cannot be imported, `ERR_MILLRACE_TASK_NOT_FOUND` when
 *   it does not define the task
 */
export async function load({ module, name }: WireShape): Promise<Definition> {
  const known = registered(module, name);
  if (known) return known;
  try {
    await import(module);
  } catch (cause) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new RunError(
      'ERR_MILLRACE_MODULE_LOAD',
      `Task '${name}': its module ${module} could not be imported in a worker thread: ${reason}`,
      { task: name, cause },
    );
  }
  const found = registered(module, name);
  if (found) return found;
  const names = registeredNames(module);
  throw new RunError(
    'ERR_MILLRACE_TASK_NOT_FOUND',
    `Task '${name}': its module ${module} was imported in a worker thread and does not define it ` +
      `(it defines ${names.length > 0 ? names.join(', ') : 'no tasks'}). Call task(import.meta.url, ...) at the top level of the module`,
    { task: name },
  );
}
