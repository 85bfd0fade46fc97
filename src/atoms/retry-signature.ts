/** What retries look like to TypeScript. Only types: what a retry needs and gives joins what its flow needs and gives. */
import type { Decision } from './controller.js';
import type { History } from './history.js';
import type { PaceOptions } from './pace.js';
import type {
  AcceptedArgs,
  DeclaredArgs,
  GivesOf,
  Names,
  NeedsOf,
  Rebind,
  ResultFor,
  RevertArgs,
  UnknownArguments,
} from './signature.js';

/**
 * What a flow or a task can be given, so that it is tried again. Immutable: it can be given to any number of them. `Names` are those
 * under which it gives something.
 */
export interface Retry<in Needs = any, out Gives = any, out Names = keyof Gives> {
  /** Its name in every flow; `undefined`: it is called after the flow. */
  readonly name: string | undefined;
  /** For the compiler only, as the next: there are no such properties at run time. */
  readonly '~retry': (needs: Needs) => Gives;
  readonly '~names': Names;
}

/** The options that the ready-made retries have in common. */
export interface RetryOptions<Provides> extends PaceOptions {
  /** Unique in the flows that it is part of. Default: the name of its flow and `_retry`. */
  readonly name?: string;
  /** What its value is called. Default: it is not given to others. */
  readonly provides?: Provides;
  /** Whether all of the flow is reverted when there are no more attempts; otherwise the retry around is asked. Default: `false`. */
  readonly revertAll?: boolean;
}

/** Makes a retry that tries a number of times. */
export type TimesFunction = <const Name extends string = never>(
  attempts?: number,
  options?: RetryOptions<Name>,
) => Retry<{}, { [K in Name]: number }>;

/** Makes a retry that tries with each value of a list in turn. */
export type ForEachFunction = <
  Value,
  const List extends string | readonly string[] = never,
  Key extends string = never,
>(
  values: Iterable<Value>,
  options?: RetryOptions<List | ReadonlySet<Key>>,
) => Retry<{}, GivesOf<List, Key, Value>>;

/** Makes a retry that tries with each value of a list that it is given. */
export type ParameterizedForEachFunction = <
  const Name extends string,
  const List extends string | readonly string[] = never,
  Key extends string = never,
>(
  options: RetryOptions<List | ReadonlySet<Key>> & {
    /** The name under which the list is known. */
    readonly values: Name;
  },
) => Retry<{ [K in Name]: Iterable<any> }, GivesOf<List, Key, any>>;

/** Makes a retry that never tries again. */
export type AlwaysRevertFunction = (options?: {
  /** Unique in the flows that it is part of. Default: the name of its flow and `_retry`. */
  readonly name?: string;
}) => Retry<{}, {}>;

/** What defines a retry of your own. */
export interface CustomRetryOptions<
  Requires = Names,
  Optional = Names,
  R = Rebind,
  Injected extends string = string,
  List = string | readonly string[],
  Key extends string = string,
  Args = any,
  Value = any,
> {
  /** Unique in the flows that it is part of. Default: the name of its flow and `_retry`. */
  readonly name?: string;
  /** The arguments that it needs. They are looked up where its flow stands. */
  readonly requires?: Requires;
  /** The arguments that it is given if someone provides them. */
  readonly optional?: Optional;
  /** Which names feed the arguments, where they are not the arguments' own. */
  readonly rebind?: R & UnknownArguments<R, Requires, Optional>;
  /** Constants by name: nobody needs to provide them. */
  readonly inject?: { readonly [K in Injected]: unknown };
  /** What its value is called; or the names of its elements; or, as a set, the keys of it to provide. */
  readonly provides?: List | ReadonlySet<Key>;
  /** Begins an attempt: what it returns is the retry's value. The history has the attempts before. Default: there is no value. */
  readonly execute?: (
    history: History<any>,
    args: AcceptedArgs<Args, DeclaredArgs<Requires, Optional, Injected>>,
  ) => Value | PromiseLike<Value>;
  /** Decides what happens after a failure, which is in the last attempt of the history. It cannot wait for anything. */
  readonly onFailure: (
    history: History<NoInfer<Value>>,
    args: AcceptedArgs<Args, DeclaredArgs<Requires, Optional, Injected>>,
  ) => Decision;
  /** Is called when its flow is reverted and not tried again. */
  readonly revert?: (
    history: History<NoInfer<Value>>,
    args: RevertArgs<AcceptedArgs<Args, DeclaredArgs<Requires, Optional, Injected>>, {}, NoInfer<Value>>,
  ) => unknown;
}

/** Makes a retry of your own. */
export type RetryFunction = <
  const Requires extends Names = readonly [],
  const Optional extends Names = readonly [],
  const R extends Rebind = {},
  Injected extends string = never,
  const List extends string | readonly string[] = never,
  Key extends string = never,
  Args = DeclaredArgs<Requires, Optional, Injected>,
  Value extends ResultFor<List, Key> = ResultFor<List, Key>,
>(
  options: CustomRetryOptions<Requires, Optional, R, Injected, List, Key, Args, Value>,
) => Retry<NeedsOf<Args, Requires, Optional, R, Injected>, GivesOf<List, Key, Value>>;
