import { type BuildContext, makeRegion } from '../atoms/index.js';
import type {
  AcceptedArgs,
  Dataflow,
  DeclaredArgs,
  NameIn,
  Names,
  NeedsOf,
  Simplify,
  Task,
  UnknownArguments,
} from '../atoms/signature.js';
import { ArgumentError, received } from '../errors.js';
import { checkRegionOptions, nameIn, type RegionOptions } from './region.js';

/** What says how a flow is built when its turn comes. */
export interface DynamicOptions<
  Requires = Names,
  Optional = Names,
  Provides = Names,
  R = Readonly<Record<string, string>>,
  Args = any,
  Built = Dataflow<any, any>,
> extends RegionOptions<R & UnknownArguments<R, Requires, Optional>> {
  /** The values that `build` needs. The flow that it builds may need them, too, and nothing else. */
  readonly requires?: Requires;
  /** The values that `build` is given if someone provides them. */
  readonly optional?: Optional;
  /** What of that which the built flow gives is given on. Default: nothing. */
  readonly provides?: Provides;
  /** That of `build`: see the version of a task. Default: `'1.0'`. */
  readonly version?: string;
  /** Builds the flow, or chooses one. It runs on the scheduler's thread, and cannot wait for anything. */
  readonly build: (args: AcceptedArgs<Args, DeclaredArgs<Requires, Optional, never>>, context: BuildContext) => Built;
}

/** What is given on; of a choice of flows, what either of them gives under the name. */
type GivenOn<Built, Names> = {
  [K in Names & string]: Built extends Dataflow<any, infer Gives> ? (K extends keyof Gives ? Gives[K] : any) : never;
};

/** The type of {@link dynamic}. */
export type DynamicFunction = <
  const Requires extends Names = readonly [],
  const Optional extends Names = readonly [],
  const Provides extends Names = never,
  const R extends Readonly<Record<string, string>> = {},
  Args = DeclaredArgs<Requires, Optional, never>,
  Built extends Dataflow<NoInfer<Args>, { [K in NameIn<Provides> & string]: any }> = Dataflow<any, any>,
>(
  name: string,
  options: DynamicOptions<Requires, Optional, Provides, R, Args, Built>,
) => Task<
  NeedsOf<Args, Requires, Optional, R, never>,
  GivenOn<Built, NameIn<Provides>>,
  (args: NeedsOf<Args, Requires, Optional, {}, never>) => Simplify<GivenOn<Built, NameIn<Provides>>>
>;

/**
 * A task whose work is a flow that `build` makes when its turn comes, of the values that there are then.
 *
 * To the flow around it, it is one task. The tasks of the built flow have states, events and failures as any others; their names
 * must be unique in the whole flow. A build may contain other such tasks, 100 deep at most.
 *
 * @throws {@link ArgumentError} when an option is wrong
 * @example
 * const build = dynamic('parts', {
 *   requires: ['parts'],
 *   provides: ['car'],
 *   build: ({ parts }: { parts: string[] }) => linear('car of parts', parts.map(partTask), assemble),
 * });
 */
export const dynamic = ((name: unknown, options: unknown) => {
  const label = nameIn('dynamic()', 'the name', name);
  const where = `dynamic('${label}')`;
  const { requires, optional, provides, build, ...others } = checkRegionOptions(where, options, [
    ...['revertRequires', 'revertOptional', 'revertRebind', 'execute', 'revert', 'name'],
  ]);
  if (typeof build !== 'function') {
    throw new ArgumentError(`${where}: build must be a function; received ${received(build)}`, { task: label });
  }
  const names = typeof provides === 'string' ? [provides] : provides;
  if (names !== undefined && !Array.isArray(names)) {
    throw new ArgumentError(`${where}: provides must be a name or a list of names; received ${received(names)}`, {
      task: label,
    });
  }
  const given = names === undefined ? undefined : new Set(names);
  const region = { kind: 'dynamic' as const, build: build as (args: any, context: BuildContext) => unknown };
  return makeRegion({ ...others, name: label, provides: given }, { requires, optional }, region);
}) as unknown as DynamicFunction;
