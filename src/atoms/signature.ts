/**
 * What a task looks like to TypeScript. Only types: a task's needs and gives are computed from the names that it declares
 * and from the signature of its `execute`.
 */

import type { Failure } from '../failure/index.js';
import type { Retry } from './retry-signature.js';
import type { OnVersionChange } from './version.js';

/** Functions of the scheduler's thread that a task may call; from a worker thread each call is a message and its answer. */
export type Services = Record<string, (...args: any[]) => Promise<unknown>>;

/** What a task is given beside its arguments: how it is told to stop, and how it tells how far it is. */
export interface TaskContext<S = Services> {
  /** The task's name in the running flow. */
  readonly name: string;
  /** The name of the flow that runs. */
  readonly flow: string;
  /** Whether the task should stop. Cheap enough for the inside of a loop: it works where no event can arrive. */
  readonly aborted: boolean;
  /** Aborted when the task should stop; `signal.reason` says why. */
  readonly signal: AbortSignal;
  /** What the run was given as `services`. */
  readonly services: S;
  /**
   * 1; more when the flow is recorded and the process ended while this was under way: the attempts before may have had effects, all of
   * them or some. What a retry tries again is not counted here: it begins with 1.
   */
  readonly attempt: number;
  /**
   * Tells what the task is about to do from all else that is ever done: the same for each attempt of it, and another one for each
   * flow, each task, each time that a retry tries it again, and for its revert. For whoever does it to know that it was done already.
   */
  readonly idempotencyKey: string;
  /** Says how far the task is: `fraction` is from 0 to 1, `details` is anything that can be cloned. */
  progress(fraction: number, details?: unknown): void;
  /** Sends a line to those who listen to the run. */
  log(message: string, details?: unknown): void;
}

/** One name, or several in order. */
export type Names = string | readonly string[];

/** Which name feeds an argument: `{ argument: 'name' }`, or names by position (the required arguments, then the optional). */
export type Rebind = Readonly<Record<string, string>> | readonly string[];

/** Flattens a type, so that an editor shows its properties. */
export type Simplify<T> = { [K in keyof T]: T[K] } & {};

type IsAny<T> = 0 extends 1 & T ? true : false;

/** The names in a declaration, as a union. */
export type NameIn<N> = N extends readonly string[] ? N[number] : N extends string ? N : never;

/** The names in a declaration, in order. */
type Listed<N> = N extends readonly string[] ? N : N extends string ? readonly [N] : readonly [];

/** The arguments which the declared names make, while nothing is known of their types. */
export type DeclaredArgs<Requires, Optional, Injected extends string> = Simplify<
  { [K in NameIn<Requires> | Exclude<Injected, NameIn<Optional>>]: any } & {
    [K in Exclude<NameIn<Optional>, NameIn<Requires>>]?: any;
  }
>;

/** Marks an argument that `execute` takes and that no declaration mentions. */
interface NotInRequiresOptionalOrInject {
  readonly '~undeclared': never;
}

/**
 * The parameter of `execute`: what it is annotated with, if the declared names can fill it. If not, what they do make, so
 * that the compiler tells which property is missing.
 */
export type AcceptedArgs<Args, Declared> =
  IsAny<Args> extends true
    ? Args
    : string extends keyof Declared
      ? Args
      : [Exclude<keyof SingleNames<Args>, keyof Declared>] extends [never]
        ? Declared extends Args
          ? Args
          : Declared
        : Simplify<
            Declared & { [K in Exclude<OptionalKey<SingleNames<Args>>, keyof Declared>]: NotInRequiresOptionalOrInject }
          >;

/** The properties of a type that have names of their own: those that an index signature stands for are not asked for. */
type SingleNames<T> = { [K in keyof T as {} extends Record<K, 1> ? never : K]: T[K] };

type OptionalKey<T> = { [K in keyof T]-?: {} extends Pick<T, K> ? K : never }[keyof T];

export type ArgType<Args, Arg> = IsAny<Args> extends true ? any : Arg extends keyof Args ? Args[Arg] : any;

/** The name that feeds an argument. */
type NameOf<Arg, Order extends readonly string[], R> = R extends readonly string[]
  ? PositionalName<Arg, Order, R>
  : Arg extends keyof R
    ? R[Arg]
    : Arg;

type PositionalName<
  Arg,
  Order extends readonly string[],
  R extends readonly string[],
  Otherwise = Arg,
> = Order extends readonly [infer First, ...infer Others extends readonly string[]]
  ? R extends readonly [infer Name, ...infer More extends readonly string[]]
    ? Arg extends First
      ? Name
      : PositionalName<Arg, Others, More, Otherwise>
    : number extends R['length']
      ? R[number]
      : Otherwise
  : Otherwise;

/** What a task needs, by name: its arguments after `rebind`, without what is injected. */
export type NeedsOf<Args, Requires, Optional, R, Injected> = [NameIn<Optional>] extends [never]
  ? { [A in NameIn<Requires> as Source<A, Listed<Requires>, R, Injected>]: ArgType<Args, A> }
  : Simplify<
      { [A in NameIn<Requires> as Source<A, Listed<Requires>, R, Injected>]: ArgType<Args, A> } & {
        [A in Exclude<NameIn<Optional>, NameIn<Requires>> as Source<
          A,
          [...Listed<Requires>, ...Listed<Optional>],
          R,
          Injected
        >]?: ArgType<Args, A>;
      }
    >;

/** The name that feeds an argument; none when the argument is injected, under its own name or under that one. */
type Source<Arg, Order extends readonly string[], R, Injected> = Arg extends Injected
  ? never
  : Exclude<NameOf<Arg, Order, R> & string, Injected>;

/** What a task with arguments of its own for `revert` needs: what `execute` needs, and those. */
type NeedsWithRevert<Needs, Args, Requires, Optional, R, Injected, RevertRequires, RevertOptional, RevertR> = [
  RevertRequires | RevertOptional | RevertR,
] extends [never]
  ? Needs
  : Simplify<
      Needs &
        RevertNeeds<
          Args,
          Exclude<NameIn<Otherwise<RevertRequires, Requires>>, GivenToRevert>,
          Exclude<NameIn<Otherwise<RevertOptional, Optional>>, GivenToRevert>,
          [...Listed<Requires>, ...Listed<Optional>],
          R,
          Injected,
          [...Listed<Otherwise<RevertRequires, Requires>>, ...Listed<Otherwise<RevertOptional, Optional>>],
          RevertR
        >
    >;

type RevertNeeds<
  Args,
  Required,
  Optional,
  Order extends readonly string[],
  R,
  Injected,
  RevertOrder extends readonly string[],
  RevertR,
> = {
  [A in Required as RevertSource<A, Order, R, Injected, RevertOrder, RevertR>]: ArgType<Args, A>;
} & {
  [A in Exclude<Optional, Required> as RevertSource<A, Order, R, Injected, RevertOrder, RevertR>]?: ArgType<Args, A>;
};

/** The name that feeds an argument of `revert`: if nothing is said, that which feeds the argument of `execute`. */
type RevertSource<
  Arg,
  Order extends readonly string[],
  R,
  Injected,
  RevertOrder extends readonly string[],
  RevertR,
> = Arg extends Injected
  ? never
  : Exclude<
      ([RevertR] extends [never]
        ? NameOf<Arg, Order, R>
        : RevertR extends readonly string[]
          ? PositionalName<Arg, RevertOrder, RevertR, NameOf<Arg, Order, R>>
          : Arg extends keyof RevertR
            ? RevertR[Arg]
            : NameOf<Arg, Order, R>) &
        string,
      Injected
    >;

/** What `revert` is given in any case. */
type GivenToRevert = 'result' | 'flowFailures';

/** What was said, if something was said. */
type Otherwise<Said, Default> = [Said] extends [never] ? Default : Said;

/** The arguments of `revert` that come from outside. */
type AskedByRevert<Args, Requires, Optional, Injected extends string, RevertRequires, RevertOptional> = [
  RevertRequires | RevertOptional,
] extends [never]
  ? Args
  : {
      [A in
        | Exclude<NameIn<Otherwise<RevertRequires, Requires>>, GivenToRevert>
        | Exclude<Injected, NameIn<RevertOptional>>]: ArgType<Args, A>;
    } & {
      [A in Exclude<
        NameIn<Otherwise<RevertOptional, Optional>>,
        NameIn<Otherwise<RevertRequires, Requires>> | GivenToRevert
      >]?: ArgType<Args, A>;
    };

/** What a task gives, by name. `List` is its `provides`, unless that is a set: then `Key` is what it holds. */
export type GivesOf<List, Key, Result> = [Key] extends [never]
  ? [List] extends [never]
    ? {}
    : ListedGives<List, Awaited<Result>>
  : KeyedGives<Key, Awaited<Result>>;

/** What a task gives that may fail: perhaps nothing. Then a task can take it as an optional argument, and not as a required one. */
type GivesUnless<MayFail, Gives> = true extends MayFail ? { [K in keyof Gives]: Gives[K] | undefined } : Gives;

type ListedGives<List, Result> = List extends string
  ? { [K in List]: Result }
  : List extends readonly string[]
    ? { [I in Position<List> as List[I] & string]: ElementAt<Result, I> }
    : {};

/** The compiler takes the strings of `new Set(['a', 'b'])` for any strings: then the result itself tells its keys. */
type KeyedGives<Key, Result> = string extends Key
  ? { [K in keyof Result & string]: Result[K] }
  : { [K in Key & string]: ArgType<Result, K> };

type Position<L extends readonly unknown[]> = number extends L['length']
  ? number
  : Exclude<keyof L, keyof (readonly [])>;

type ElementAt<T, I> = I extends keyof T ? T[I] : T extends readonly unknown[] ? T[number] : any;

/** What a result must be to keep the promise of `provides`. */
export type ResultFor<List, Key> = [Key] extends [never]
  ? [List] extends [never]
    ? unknown
    : List extends readonly string[]
      ? readonly unknown[]
      : unknown
  : string extends Key
    ? object
    : { readonly [K in Key & string]: unknown };

/** What `revert` is given: the arguments of `execute`, or its own, what the task provided if it came so far, and what failed. */
export type RevertArgs<Args, Gives, Result> = Args &
  Partial<Gives> & {
    /** What `execute` returned, or how it failed. */
    readonly result: Awaited<Result> | Failure;
    /** All that failed in the flow, by the name of the task. */
    readonly flowFailures: Readonly<Record<string, Failure>>;
  };

/** What may be decided anew for a copy of a task. */
export interface TaskOverrides<
  Args,
  Injected extends string,
  R,
  List,
  Key extends string,
  RevertR = never,
  MayFail extends boolean = boolean,
> {
  /** The copy's name. Default: the task's. */
  readonly name?: string;
  /** Which names feed the arguments, where they are not the arguments' own. Replaces the task's. */
  readonly rebind?: R;
  /** The same for the arguments of `revert`. Replaces the task's. */
  readonly revertRebind?: RevertR;
  /** Constants by name, beside those of the task. */
  readonly inject?: { readonly [K in Injected]: ArgType<Args, K> };
  /** The result's name; or the names of its elements; or, as a set, the keys of it to provide. Replaces the task's. */
  readonly provides?: List | ReadonlySet<Key>;
  /** Among ready tasks a higher one starts first. */
  readonly priority?: number;
  /** Milliseconds after which the task is aborted and has failed. */
  readonly timeout?: number;
  /** Tries the task again when it has failed. Replaces the task's. */
  readonly retry?: Retry<{}, {}, never>;
  /** Whether the flow goes on when the task has failed. */
  readonly mayFail?: MayFail;
  /** What becomes of a recorded flow in which the task has run with another major version. */
  readonly onVersionChange?: OnVersionChange;
}

/** Makes the compiler take `return [1, 'a']` for a tuple, so that `provides: ['n', 's']` gives each name its own type. */
interface TupleHint {
  readonly '~tuple': never;
}

/** What defines a task. */
export interface TaskOptions<
  Requires = Names,
  Optional = Names,
  R = Rebind,
  Injected extends string = string,
  List = string | readonly string[],
  Key extends string = string,
  S = Services,
  Args = any,
  Result = any,
  RevertRequires = Names,
  RevertOptional = Names,
  RevertR = Rebind,
  MayFail extends boolean = boolean,
> {
  /** Unique among the tasks of its module, and in the flows that it is part of. */
  readonly name: string;
  /** The arguments that `execute` needs. */
  readonly requires?: Requires;
  /** The arguments that `execute` is given if someone provides them. */
  readonly optional?: Optional;
  /** Which names feed the arguments, where they are not the arguments' own. */
  readonly rebind?: R & UnknownArguments<R, Requires, Optional>;
  /** The arguments that `revert` needs. Default: as `requires`. */
  readonly revertRequires?: RevertRequires;
  /** The arguments that `revert` is given if someone provides them. Default: as `optional`. */
  readonly revertOptional?: RevertOptional;
  /** Which names feed the arguments of `revert`. Default: for an argument that `execute` has as well, as there. */
  readonly revertRebind?: RevertR &
    UnknownArguments<RevertR, Otherwise<RevertRequires, Requires>, Otherwise<RevertOptional, Optional>>;
  /** Constants by name: nobody needs to provide them. */
  readonly inject?: { readonly [K in Injected]: Injectable<K, Args, R> };
  /**
   * The result's name; or the names of its elements; or, as a set, the keys of it to provide. In TypeScript, a set of names
   * that are not literals (`new Set(['a', 'b'] as const)` has literals) stands for all the keys of the result.
   */
  readonly provides?: List | ReadonlySet<Key>;
  /** Does the work. */
  readonly execute: (
    args: AcceptedArgs<Args, DeclaredArgs<Requires, Optional, Injected>>,
    context: TaskContext<S>,
  ) => Result | readonly [TupleHint] | PromiseLike<Result | readonly [TupleHint]>;
  /** Undoes the work; it is also called for a task that failed or may have run. Stands after `execute`, whose types it takes. */
  readonly revert?: (
    args: NoInfer<
      RevertArgs<
        AskedByRevert<Args, Requires, Optional, Injected, RevertRequires, RevertOptional>,
        GivesOf<List, Key, Result>,
        Result
      >
    >,
    context: TaskContext<NoInfer<S>>,
  ) => unknown;
  /** Among ready tasks a higher one starts first. Default: 0. */
  readonly priority?: number;
  /** Milliseconds after which the task is aborted and has failed. Default: as configured. */
  readonly timeout?: number;
  /** Tries the task again when it has failed. It can neither require nor provide anything: a flow can have such a retry. */
  readonly retry?: Retry<{}, {}, never>;
  /** Whether the flow goes on when the task has failed; then the values that it provides may be missing. Default: `false`. */
  readonly mayFail?: MayFail;
  /**
   * That of its code: `'major'` or `'major.minor'`. A recorded flow in which the task has run with another major version is not resumed,
   * unless `onVersionChange` says what is to become of it. Default: `'1.0'`.
   */
  readonly version?: string;
  /** What becomes of such a flow. Default: as the flow that the task is in says, else `'fail'`. */
  readonly onVersionChange?: OnVersionChange;
}

/** What may be injected as `K`: the name of an argument, or one that feeds an argument. */
type Injectable<K, Args, R> = K extends keyof Args
  ? Args[K]
  : R extends readonly string[]
    ? any
    : ArgType<Args, { [A in keyof R]: K extends R[A] ? A : never }[keyof R]>;

/** Refuses a `rebind` of arguments that are not declared. */
export type UnknownArguments<R, Requires, Optional> = R extends readonly string[]
  ? unknown
  : { readonly [K in Exclude<keyof R, NameIn<Requires> | NameIn<Optional>>]: never };

/** What a task or a flow needs and what it gives, by name. */
export interface Dataflow<in Needs, out Gives> {
  /** For the compiler only: there is no such property at run time. */
  readonly '~dataflow': (needs: Needs) => Gives;
}

/**
 * A named piece of work that says what it needs and what it gives. Immutable: it can stand in any number of flows.
 *
 * `Execute` is the signature behind it, by the names of the arguments.
 */
export interface Task<in Needs = any, out Gives = any, Execute = any> extends Dataflow<Needs, Gives> {
  readonly name: string;
  /**
   * A copy under another name, or with other values for some options. What is injected joins what is injected already.
   *
   * @example
   * const parts = chunks.map((chunk, i) => compress.with({ name: `compress-${i}`, inject: { chunk }, provides: `part-${i}` }));
   */
  with<
    const R extends Rebind = never,
    Injected extends string = never,
    const List extends string | readonly string[] = never,
    Key extends string = never,
    const RevertR extends Rebind = never,
    const MayFail extends boolean = false,
  >(
    overrides: TaskOverrides<ArgsIn<Execute>, Injected, R, List, Key, RevertR, MayFail>,
  ): Task<
    [RevertR] extends [never]
      ? [R] extends [never]
        ? Without<Needs, Injected>
        : Rebound<ArgsIn<Execute>, R, Injected>
      : Record<string, any>,
    GivesUnless<MayFail, [List | Key] extends [never] ? Gives : GivesOf<List, Key, ResultIn<Execute>>>,
    [Injected] extends [never] ? Execute : (args: Without<ArgsIn<Execute>, Injected>) => ResultIn<Execute>
  >;
}

export type ArgsIn<Execute> = Execute extends (args: infer Args) => any ? Args : any;

export type ResultIn<Execute> = Execute extends (args: any) => infer Result ? Result : any;

/** A type without some of its names. */
export type Without<T, Names> = [Names] extends [never] ? T : { [K in keyof T as Exclude<K, Names>]: T[K] };

export type Rebound<Args, R, Injected> = R extends readonly string[]
  ? Record<string, any>
  : {
      [A in keyof Args as A extends Injected
        ? never
        : Exclude<A extends keyof R ? R[A] & string : A, Injected>]: Args[A];
    };

/** Defines a task; its needs and gives are those of the names that it declares, with the types of `execute`. */
export interface TaskFunction {
  /**
   * Defines a task that may run on any thread, or machine, that can import its module.
   *
   * @param module `import.meta.url` of the module that defines it
   */
  <
    const Requires extends Names = readonly [],
    const Optional extends Names = readonly [],
    const R extends Rebind = {},
    Injected extends string = never,
    const List extends string | readonly string[] = never,
    Key extends string = never,
    S = Services,
    Args = DeclaredArgs<Requires, Optional, Injected>,
    Result extends ResultFor<List, Key> = ResultFor<List, Key>,
    const RevertRequires extends Names = never,
    const RevertOptional extends Names = never,
    const RevertR extends Rebind = never,
    const MayFail extends boolean = false,
  >(
    module: string | URL,
    options: TaskOptions<
      Requires,
      Optional,
      R,
      Injected,
      List,
      Key,
      S,
      Args,
      Result,
      RevertRequires,
      RevertOptional,
      RevertR,
      MayFail
    >,
  ): Task<
    NeedsWithRevert<
      NeedsOf<Args, Requires, Optional, R, Injected>,
      Args,
      Requires,
      Optional,
      R,
      Injected,
      RevertRequires,
      RevertOptional,
      RevertR
    >,
    GivesUnless<MayFail, GivesOf<List, Key, Result>>,
    (args: NeedsOf<Args, Requires, Optional, {}, Injected>) => Awaited<Result>
  >;
  /** Defines a task that stays on the scheduler's thread; it may be a closure. */
  <
    const Requires extends Names = readonly [],
    const Optional extends Names = readonly [],
    const R extends Rebind = {},
    Injected extends string = never,
    const List extends string | readonly string[] = never,
    Key extends string = never,
    S = Services,
    Args = DeclaredArgs<Requires, Optional, Injected>,
    Result extends ResultFor<List, Key> = ResultFor<List, Key>,
    const RevertRequires extends Names = never,
    const RevertOptional extends Names = never,
    const RevertR extends Rebind = never,
    const MayFail extends boolean = false,
  >(
    options: TaskOptions<
      Requires,
      Optional,
      R,
      Injected,
      List,
      Key,
      S,
      Args,
      Result,
      RevertRequires,
      RevertOptional,
      RevertR,
      MayFail
    >,
  ): Task<
    NeedsWithRevert<
      NeedsOf<Args, Requires, Optional, R, Injected>,
      Args,
      Requires,
      Optional,
      R,
      Injected,
      RevertRequires,
      RevertOptional,
      RevertR
    >,
    GivesUnless<MayFail, GivesOf<List, Key, Result>>,
    (args: NeedsOf<Args, Requires, Optional, {}, Injected>) => Awaited<Result>
  >;
}
