import type { Rebound, ResultIn, Simplify, Task, Without } from '../atoms/signature.js';
import { ArgumentError } from '../errors.js';
import {
  argumentIn,
  checkElementTask,
  checkRegionOptions,
  elementsRegion,
  nameIn,
  type RegionOptions,
} from './region.js';

/** What says how a task runs for one element of a list after the other. */
export interface ReduceOptions<
  Over = string,
  As = string,
  Into = string,
  Initial = unknown,
  Provides = string,
  R = Readonly<Record<string, string>>,
> extends RegionOptions<R> {
  /** Unique in the flow. The tasks of the elements are named after it: `add[0]`, `add[1]`, ... Default: the task's name. */
  readonly name?: string;
  /** The name of the list: of anything that can be iterated. It is read once, when the turn of the region comes. */
  readonly over: Over;
  /** What the task knows the element by: one of the names that it requires. */
  readonly as: As;
  /** What the task knows by the result of the one before it: another of the names that it requires. */
  readonly into: Into;
  /** What the first one is given as that. Default: the first element, for which the task then does not run. */
  readonly initial?: Initial;
  /** The name of the last result. */
  readonly provides?: Provides;
}

type OverList<Args, Over extends string, As, Into> = Simplify<
  Without<Args, As | Into> & { [K in Over]: Iterable<As extends keyof Args ? Args[As] : any> }
>;

/** The type of {@link reduce}. */
export type ReduceFunction = <
  Needs,
  Gives,
  Execute,
  const Over extends string,
  const As extends keyof Needs & string,
  const Into extends Exclude<keyof Needs & string, As>,
  Initial extends Needs[Into] = Needs[As] & Needs[Into],
  const Provides extends string = never,
  const R extends Readonly<Record<string, string>> = {},
>(
  task: Task<Needs, Gives, Execute>,
  options: ReduceOptions<Over, As, Into, Initial, Provides, R>,
) => Task<
  Rebound<OverList<Needs, Over, As, Into>, R, never>,
  { [K in Provides]: ResultIn<Execute> | Initial },
  (args: OverList<Needs, Over, As, Into>) => ResultIn<Execute> | Initial
>;

/**
 * A task that runs another one for each element of a list, one after the other, and hands each the result of the one before.
 *
 * To the flow around it, it is one task. Within it, each element is a task named `<name>[<index>]`.
 *
 * @throws {@link ArgumentError} when an option is wrong, or the task does not require what `as` and `into` name
 * @example
 * const total = reduce(add, { over: 'numbers', as: 'number', into: 'sum', initial: 0, provides: 'total' });
 */
export const reduce = ((task: unknown, options: unknown) => {
  const element = checkElementTask('reduce()', task);
  const where = `reduce('${element.name}')`;
  const { over, as, into, initial, provides, ...others } = checkRegionOptions(where, options);
  const region = {
    ...{ kind: 'reduce' as const, task: element },
    over: nameIn(where, 'over', over),
    as: argumentIn(where, 'as', as, element),
    into: argumentIn(where, 'into', into, element),
    initial: 'initial' in (options as object) ? ([initial] as const) : undefined,
  };
  if (region.as === region.into) throw new ArgumentError(`${where}: as and into both name '${region.as}'`);
  const name = provides === undefined ? undefined : nameIn(where, 'provides', provides);
  return elementsRegion(element, region, [region.as, region.into], { ...others, provides: name });
}) as unknown as ReduceFunction;
