/** What is known by name: types of tasks, what plug-ins add to their flows, and executors. */
import { isTask } from '../atoms/index.js';
import { ArgumentError, ExposedError, FlowError, received, ServiceError } from '../errors.js';
import { type FlowItem, isFlow } from '../flows/index.js';
import type { ExecutorFactory } from './executor.js';
import type { TaskRecord } from './record.js';
import type { FlowContext, SubflowFactory, TaskType } from './task-type.js';

/** What a module may add to a service; it is the module's default export. */
export interface TaskPlugin {
  readonly types?: readonly TaskType[];
  /** What it adds to the flows of types: `{ import: { convert: (input, context) => flow } }`. */
  readonly subflows?: Readonly<Record<string, Readonly<Record<string, SubflowFactory>>>>;
  /** Executors that the configuration may name. */
  readonly executors?: Readonly<Record<string, ExecutorFactory>>;
}

/** A task that is ready to be carried out. */
export interface PreparedTask {
  readonly flow: FlowItem;
  readonly inputs: any;
  /** Makes the result of the task of what the flow provides. */
  result(gives: any): unknown;
}

export class Registry {
  readonly types = new Map<string, TaskType>();
  readonly executors = new Map<string, ExecutorFactory>();
  readonly #subflows = new Map<string, SubflowFactory>();

  /** Adds what the parts of a service bring along: types and executors first, as a sub-flow may be for a type of another plug-in. */
  constructor(plugins: readonly TaskPlugin[]) {
    for (const plugin of plugins) checkPlugin(plugin);
    for (const { types = [], executors = {} } of plugins) {
      for (const type of types) add(this.types, type.name, type, `Two task types are called '${type.name}'`);
      for (const [name, make] of Object.entries(executors)) {
        add(this.executors, name, make, `Two executors are called '${name}'`);
      }
    }
    for (const { subflows = {} } of plugins) {
      for (const [name, factories] of Object.entries(subflows)) {
        const slots = this.typeOf(name).subflows ?? [];
        for (const [slot, make] of Object.entries(factories)) {
          if (!slots.includes(slot)) {
            throw new ArgumentError(
              `A plug-in adds '${slot}' to the flow of '${name}' tasks, which has ${places(slots)} for sub-flows`,
            );
          }
          add(this.#subflows, placeOf(name, slot), make, `Two plug-ins add '${slot}' to the flow of '${name}' tasks`);
        }
      }
    }
  }

  /** @throws {@link ServiceError} `ERR_MILLRACE_UNKNOWN_TYPE` */
  typeOf(name: string): TaskType {
    const type = this.types.get(name);
    if (type) return type;
    const known = [...this.types.keys()].map((one) => `'${one}'`).join(', ') || 'none';
    throw new ServiceError('ERR_MILLRACE_UNKNOWN_TYPE', `There is no task type '${name}'; registered are ${known}`);
  }

  /**
   * Makes the flow of a task.
   *
   * @throws {@link ExposedError} when the input is bad; whatever a factory throws
   */
  async prepare(
    { id, type: name, owner, input: given }: TaskRecord,
    workDir: string | undefined,
  ): Promise<PreparedTask> {
    const type = this.typeOf(name);
    const about = { taskId: id, type: name, owner, workDir };
    const input = await checkInput(type, given);
    const subflows: FlowItem[] = [];
    for (const slot of type.subflows ?? []) {
      const flow = await this.#subflows.get(placeOf(name, slot))?.(input, about);
      if (flow !== undefined && flow !== null)
        subflows.push(checkFlow(flow, `sub-flow '${slot}' of task type '${name}'`));
    }
    const context: FlowContext = { ...about, subflows };
    const flow = checkFlow(await type.flow(input, context), `flow of task type '${name}'`);
    const inputs = type.inputs ? await type.inputs(input, context) : (input ?? {});
    return { flow, inputs, result: (gives) => (type.result ? type.result(gives, input, context) : gives) };
  }
}

async function checkInput({ name, requires = [], check }: TaskType, input: any): Promise<unknown> {
  if (requires.length > 0) {
    if (input === null) throw new ExposedError(`Input to ${name} task is empty.`);
    if (typeof input !== 'object' || Array.isArray(input)) {
      throw new ExposedError(`Input to ${name} task must be an object; received ${received(input)}`);
    }
    const missing = requires.find((field) => !Object.hasOwn(input, field));
    if (missing !== undefined) throw new ExposedError(`Input does not contain '${missing}' field`);
  }
  if (!check) return input;
  try {
    return await check(input);
  } catch (cause) {
    throw new ExposedError(cause instanceof Error ? cause.message : received(cause), { cause });
  }
}

function checkFlow(value: unknown, what: string): FlowItem {
  if (isTask(value) || isFlow(value)) return value as unknown as FlowItem;
  throw new FlowError('ERR_MILLRACE_NOT_A_FLOW', `The ${what} must be a task or a flow; received ${received(value)}`);
}

/** @throws {@link ArgumentError} when something in it is not what it should be */
export function checkPlugin(plugin: TaskPlugin): void {
  const wrong = (what: string, expected: string, value: unknown) =>
    new ArgumentError(`A plug-in's ${what} must be ${expected}; received ${received(value)}`);
  const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
  if (!isObject(plugin)) throw new ArgumentError(`A plug-in must be an object; received ${received(plugin)}`);
  const { types = [], subflows = {}, executors = {}, ...others } = plugin;
  const [unknown] = Object.keys(others);
  if (unknown) throw new ArgumentError(`A plug-in has types, subflows and executors; received '${unknown}'`);
  if (!Array.isArray(types)) throw wrong('types', 'a list', types);
  for (const type of types) {
    const { name, flow } = (isObject(type) ? type : {}) as Partial<TaskType>;
    if (typeof name !== 'string' || typeof flow !== 'function') throw wrong('types', 'made by taskType()', type);
  }
  if (!isObject(executors)) throw wrong('executors', 'an object of functions', executors);
  if (!isObject(subflows)) throw wrong('subflows', 'an object: { type: { place: function } }', subflows);
  for (const [name, factories] of Object.entries(subflows)) {
    if (!isObject(factories)) throw wrong(`subflows.${name}`, 'an object of functions', factories);
  }
  const functions = [...Object.values(subflows).flatMap(Object.entries), ...Object.entries(executors)];
  for (const [name, value] of functions) if (typeof value !== 'function') throw wrong(`'${name}'`, 'a function', value);
}

function add<T>(map: Map<string, T>, key: string, value: T, twice: string): void {
  if (map.has(key)) throw new ArgumentError(twice);
  map.set(key, value);
}

function placeOf(type: string, slot: string): string {
  return JSON.stringify([type, slot]);
}

function places(slots: readonly string[]): string {
  return slots.length > 0 ? `the places ${slots.map((slot) => `'${slot}'`).join(', ')}` : 'no place';
}
