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

/** What says how a task runs for each element of a list. */
export interface EachOptions<Over = string, As = string, Collect = string, R = Readonly<Record<string, string>>>
  extends RegionOptions<R> {
  /** Unique in the flow. The tasks of the elements are named after it: `resize[0]`, `resize[1]`, ... Default: the task's name. */
  readonly name?: string;
  /** The name of the list: of anything that can be iterated. It is read once, when the turn of the region comes. */
  readonly over: Over;
  /** What the task knows the element by: one of the names that it requires. */
  readonly as: As;
  /** The name under which the results are provided, as an array in the order of the elements. Default: they are dropped. */
  readonly collect?: Collect;
}

/** A task with the element in the place of a list. */
type OverList<Args, Over extends string, As> = Simplify<
  Without<Args, As> & { [K in Over]: Iterable<As extends keyof Args ? Args[As] : any> }
>;

/** The type of {@link each}. */
export type EachFunction = <
  Needs,
  Gives,
  Execute,
  const Over extends string,
  const As extends keyof Needs & string,
  const Collect extends string = never,
  const R extends Readonly<Record<string, string>> = {},
>(
  task: Task<Needs, Gives, Execute>,
  options: EachOptions<Over, As, Collect, R>,
) => Task<
  Rebound<OverList<Needs, Over, As>, R, never>,
  { [K in Collect]: ResultIn<Execute>[] },
  (args: OverList<Needs, Over, As>) => ResultIn<Execute>[]
>;

/**
 * A task that runs another one for each element of a list, at once where the engine can, and collects the results in order.
 *
 * To the flow around it, it is one task. Within it, each element is a task named `<name>[<index>]`, with states, events and
 * failures of its own; when one fails, those that run are let end, and the region has failed. It is reverted, elements
 * and all, when the flow is.
 *
 * @throws {@link ArgumentError} when an option is wrong, or the task does not require what `as` names
 * @example
 * const thumbs = each(resize, { over: 'paths', as: 'path', collect: 'thumbs' });
 */
export const each = ((task: unknown, options: unknown) => {
  const element = checkElementTask('each()', task);
  const where = `each('${element.name}')`;
  const { over, as, collect, ...others } = checkRegionOptions(where, options);
  const region = {
    ...{ kind: 'each' as const, task: element },
    over: nameIn(where, 'over', over),
    as: argumentIn(where, 'as', as, element),
  };
  if ('provides' in others) throw new ArgumentError(`${where}: what it provides is named by collect`);
  const provides = collect === undefined ? undefined : nameIn(where, 'collect', collect);
  return elementsRegion(element, region, [region.as], { ...others, provides });
}) as unknown as EachFunction;
