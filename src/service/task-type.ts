/** What carries a kind of task out: how its input is checked, which flow it becomes, and what of the flow is its result. */
import type { Dataflow, Simplify } from '../atoms/index.js';
import { ArgumentError, received } from '../errors.js';
import type { FlowItem, InputsOf } from '../flows/index.js';

/** What a flow factory knows beside the input of its task. */
export interface FlowContext {
  readonly taskId: string;
  readonly type: string;
  readonly owner: string | null;
  /** The folder for scratch files, as configured: `task.workDir`. */
  readonly workDir: string | undefined;
  /** What plug-ins have to add to this flow, in the order of the type's `subflows`. */
  readonly subflows: readonly FlowItem[];
}

/** Adds to the flow of a task type, or declines by returning nothing. */
export type SubflowFactory = (
  input: any,
  context: Omit<FlowContext, 'subflows'>,
) => FlowItem | undefined | null | Promise<FlowItem | undefined | null>;

/** How a type of task is carried out. */
export interface TaskTypeOptions<Input, Needs, Gives> {
  /** The fields that an input must have. */
  readonly requires?: readonly string[];
  /**
   * Checks the input, which is JSON, and may make something more useful of it. An error that it throws means that the input is
   * bad, and its message becomes that of the task.
   */
  readonly check?: (input: any) => Input | Promise<Input>;
  /** The places at which plug-ins may add a flow, in the order in which {@link FlowContext.subflows} has them. */
  readonly subflows?: readonly string[];
  /** Makes the flow of one task. An error that it throws fails the task. */
  readonly flow: (input: Input, context: FlowContext) => Dataflow<Needs, Gives> | Promise<Dataflow<Needs, Gives>>;
  /** Makes the inputs of the flow. Default: the fields of the task's input. */
  readonly inputs?: (input: Input, context: FlowContext) => InputsOf<Needs> | Promise<InputsOf<Needs>>;
  /** Makes the result of the task, which has to be JSON, of what the flow provides. Default: all that it provides. */
  readonly result?: (gives: Simplify<Gives>, input: Input, context: FlowContext) => unknown;
}

/** A flow that needs more than the fields of the task's input must be told where that comes from. */
type WithInputs<Input, Needs> = [NonNullable<Input>] extends [InputsOf<Needs>]
  ? unknown
  : Required<Pick<TaskTypeOptions<Input, Needs, any>, 'inputs'>>;

/** A type of task, made by {@link taskType}. */
export interface TaskType extends Readonly<TaskTypeOptions<any, any, any>> {
  readonly name: string;
}

/**
 * Declares how a type of task is carried out.
 *
 * @param name what tasks of this type are called when they are submitted
 * @throws {@link ArgumentError} when an option is wrong
 * @example
 * export const thumbnailType = taskType('thumbnail', {
 *   requires: ['path', 'width'],
 *   flow: () => linear('thumbnail', decode, resize, save),
 *   result: ({ url }) => ({ url }),
 * });
 */
export function taskType<Input = any, Needs = any, Gives = any>(
  name: string,
  options: TaskTypeOptions<Input, Needs, Gives> & WithInputs<Input, Needs>,
): TaskType {
  if (typeof name !== 'string' || name === '') {
    throw new ArgumentError(`taskType(): the name must be a non-empty string; received ${received(name)}`);
  }
  const wrong = (option: string, expected: string, value: unknown) =>
    new ArgumentError(`taskType('${name}'): ${option} must be ${expected}; received ${received(value)}`);
  if (typeof options !== 'object' || options === null) throw wrong('the options', 'an object', options);
  const { requires = [], check, subflows = [], flow, inputs, result } = options;
  for (const [option, list] of Object.entries({ requires, subflows })) {
    if (Array.isArray(list) && list.every((one) => typeof one === 'string' && one !== '')) continue;
    throw wrong(option, 'a list of names', list);
  }
  const twice = subflows.find((slot, i) => subflows.indexOf(slot) !== i);
  if (twice !== undefined) throw new ArgumentError(`taskType('${name}'): subflows names '${twice}' twice`);
  if (typeof flow !== 'function') throw wrong('flow', 'a function that makes a flow', flow);
  for (const [option, value] of Object.entries({ check, inputs, result })) {
    if (value !== undefined && typeof value !== 'function') throw wrong(option, 'a function', value);
  }
  return Object.freeze({
    ...{ name, requires: [...requires], subflows: [...subflows], flow: flow as TaskType['flow'] },
    ...(check && { check }),
    ...(inputs && { inputs }),
    ...(result && { result: result as NonNullable<TaskType['result']> }),
  });
}
