/**
 * The tasks of this thread, by module and name: how a worker finds, after importing a module, the task that a packet names.
 * There is one registry a thread, also when the package is loaded twice.
 */
import { ArgumentError } from '../errors.js';
import type { Definition } from './definition.js';

interface ThreadState {
  readonly definitions: Map<string, Map<string, Definition>>;
  /** What the running task has marked with `transfer()`; `undefined` outside the pool's workers, where nothing moves. */
  transfers: Transferred[] | undefined;
}

/** What may move to another thread instead of being copied. */
export type Transferred = ArrayBuffer | import('node:worker_threads').MessagePort;

const key = Symbol.for('millrace.thread');
const scope = globalThis as { [key]?: ThreadState };

/** State of this thread, shared by every loaded copy of the package. */
export function thread(): ThreadState {
  scope[key] ??= { definitions: new Map(), transfers: undefined };
  return scope[key];
}

/** Remembers a task that may travel. Two tasks of one name in one module could not be told apart in a worker. */
export function register(module: string, definition: Definition): void {
  const { definitions } = thread();
  const tasks = definitions.get(module) ?? new Map<string, Definition>();
  definitions.set(module, tasks);
  if (tasks.has(definition.name)) {
    throw new ArgumentError(
      `Task '${definition.name}' is defined twice in ${module}: a worker finds a task by its module and name. ` +
        'Give one of them another name, or make copies of one task with .with({ name })',
      { task: definition.name },
    );
  }
  tasks.set(definition.name, definition);
}

export function registered(module: string, name: string): Definition | undefined {
  return thread().definitions.get(module)?.get(name);
}

/** The names of the tasks that a module has defined, for messages. */
export function registeredNames(module: string): string[] {
  return [...(thread().definitions.get(module)?.keys() ?? [])];
}
