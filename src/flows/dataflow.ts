/**
 * How needs and gives compose, for TypeScript. Only types: a flow needs what its items need and do not give each other, and
 * gives all that they give.
 */
import type { Retry } from '../atoms/retry-signature.js';
import type { Dataflow, Simplify, Task, Without } from '../atoms/signature.js';
import type { OnVersionChange } from '../atoms/version.js';
import type { Decider, DeciderDepth } from './flow.js';

/** Tasks and flows, composed. Immutable: it can be run many times, and stand in any number of flows. */
export interface Flow<in Needs = any, out Gives = any> extends Dataflow<Needs, Gives> {
  readonly kind: 'linear' | 'unordered' | 'graph';
  readonly name: string;
  /** How many items it has; those of nested flows are not counted. */
  readonly length: number;
  [Symbol.iterator](): Iterator<FlowItem>;
  /**
   * A copy with another name, another retry, or another answer to changed versions. What the retry provides is for the items of the flow, and for what comes after it; what
   * the retry requires, the flow requires.
   *
   * @throws an `ArgumentError` when an option is wrong
   * @example
   * const patient = linear('fetch', download, check).with({ retry: times(3, { delay: 100, backoff: 2 }) });
   */
  with<N, G, RetryNeeds = {}, RetryGives = {}>(
    this: Flow<N, G>,
    overrides: FlowOverrides<RetryNeeds, RetryGives, N>,
  ): Flow<WithNeeds<N, RetryNeeds, RetryGives>, WithGives<G, RetryGives>>;
}

/** What may be decided anew for a copy of a flow. */
export interface FlowOverrides<RetryNeeds = any, RetryGives = any, Needs = any> {
  /** The copy's name. Default: the flow's. */
  readonly name?: string;
  /** Tries the flow again when something in it has failed. Default: the flow's. */
  readonly retry?: Retry<RetryNeeds, RetryGives, any> & Retry<never, NoInfer<Accepted<RetryGives, Needs>>, any>;
  /** What becomes of it when it was recorded, and tasks in it have run with another major version. Default: the flow's. */
  readonly onVersionChange?: OnVersionChange;
}

/** What a retry may give to a flow: under the names that the flow needs, what it accepts. */
type Accepted<RetryGives, Needs> = {
  [K in keyof RetryGives]: IsAny<Needs> extends true ? RetryGives[K] : K extends keyof Needs ? Needs[K] : RetryGives[K];
};

/** What a flow needs when it has a retry. */
type WithNeeds<Needs, RetryNeeds, RetryGives> = [keyof RetryNeeds | keyof RetryGives] extends [never]
  ? Needs
  : IsAny<Needs> extends true
    ? any
    : Simplify<Without<Needs, keyof RetryGives> & RetryNeeds>;

/** What a flow gives when it has a retry: what its items give comes later. */
type WithGives<Gives, RetryGives> = [keyof RetryGives] extends [never]
  ? Gives
  : IsAny<Gives> extends true
    ? any
    : Simplify<Without<RetryGives, keyof Gives> & Gives>;

/** What a link may say beside the order. */
export interface LinkOptions {
  /**
   * Is asked, when all that `to` waits for is through, whether `to` is to run; if not, it is ignored. When several links lead there,
   * each has to agree. It is not asked when `from` is a task that was ignored itself. It runs on the scheduler's thread, and cannot
   * wait for anything; an error that it throws is a failure of the task in question.
   */
  readonly decider?: Decider;
  /** How far a no reaches. Of several, the one that reaches farthest holds. Default: `'all'`. */
  readonly depth?: DeciderDepth;
}

/** A graph: names say what runs before what, and `link` adds to that. */
export interface GraphFlow<in Needs = any, out Gives = any> extends Flow<Needs, Gives> {
  readonly kind: 'graph';
  /**
   * A graph in which `from` also runs before `to`, both items of this one.
   *
   * @throws an `ArgumentError` when one of them is not an item of the graph, or an option is wrong
   */
  link(from: FlowItem, to: FlowItem, options?: LinkOptions): GraphFlow<Needs, Gives>;
  /**
   * A graph of which only `item` runs, and what it depends on within the graph: what provides what it requires, what is linked before
   * it, and so on. Another call takes the place of the first; links that are added later count as well.
   *
   * Which inputs are needed beside those of `item` itself is checked when the flow is run; of what others give anything may be missing.
   *
   * @throws an `ArgumentError` when it is not an item of the graph
   * @example
   * const { report } = await run(build.target(testReport), { path: 'src' });
   */
  target<Item extends FlowItem>(item: Item): GraphFlow<TargetNeeds<Needs, Item>, TargetGives<Gives, Item>>;
  with<N, G, RetryNeeds = {}, RetryGives = {}>(
    this: GraphFlow<N, G>,
    overrides: FlowOverrides<RetryNeeds, RetryGives, N>,
  ): GraphFlow<WithNeeds<N, RetryNeeds, RetryGives>, WithGives<G, RetryGives>>;
}

/** What a graph needs of which only a part runs: for sure only what the target requires and nobody gives it. */
type TargetNeeds<Needs, Item> =
  IsAny<Needs> extends true
    ? any
    : Simplify<Partial<Needs> & Pick<Needs, keyof Needs & RequiredKey<NeedsIn<AsOne<Item>>>>>;

/** What it gives: for sure only what the target gives. */
type TargetGives<Gives, Item> =
  IsAny<Gives> extends true
    ? any
    : Simplify<Partial<Without<Gives, keyof GivesIn<AsOne<Item>>>> & GivesIn<AsOne<Item>>>;

/** The names that cannot be left out. */
type RequiredKey<T> = IsAny<T> extends true ? never : { [K in keyof T]-?: {} extends Pick<T, K> ? never : K }[keyof T];

/** What a flow is made of, and what can be run: a task or a flow. */
export type FlowItem = Task<any, any, any> | Flow<any, any>;

/** Items as the functions that make flows take them: one by one, in lists, or both. */
export type FlowItems = readonly (FlowItem | readonly FlowItem[])[];

type List = readonly unknown[];

// Lists of items: flat, and of a known length.

/** Items without nested lists; what stands for an unknown number of items is one item that may need and give anything. */
type Flat<Items extends List> = number extends Items['length']
  ? Fixed<Items>
  : Items extends readonly Dataflow<any, any>[]
    ? Items
    : Flattened<Items>;

type Flattened<Items extends List, Done extends List = []> = Items extends readonly [infer First, ...infer Rest]
  ? Flattened<Rest, First extends List ? [...Done, ...Flat<First>] : [...Done, First]>
  : Items extends readonly []
    ? Done
    : [...Done, AnyNumberOf<Items[number]>];

/** `[A, ...B[], C]` becomes `[A, AnyNumberOf<B>, C]`. */
type Fixed<Items extends List, Head extends List = [], Tail extends List = []> = Items extends readonly [
  infer First,
  ...infer Rest,
]
  ? Fixed<Rest, [...Head, First], Tail>
  : Items extends readonly [...infer Rest, infer Last]
    ? Fixed<Rest, Head, [Last, ...Tail]>
    : Flattened<[...Head, AnyNumberOf<Items[number]>, ...Tail]>;

/** Any number of these items, none as well: all that they need and give is optional. */
type AnyNumberOf<Item> = Dataflow<AnyOf<NeedsIn<Item>>, AnyOf<GivesIn<Item>>>;

/** One of several types: its properties are those of all of them, each optional. */
type AnyOf<T> =
  IsAny<T> extends true
    ? any
    : Simplify<
        { [K in NameIn<T> as IsPattern<K> extends true ? K : never]: TypeIn<T, K> } & {
          [K in NameIn<T> as IsPattern<K> extends true ? never : K]?: TypeIn<T, K>;
        }
      >;

/** Whether a key stands for many names, like `part-${number}`: such a one promises none of them. */
type IsPattern<K extends PropertyKey> = {} extends Record<K, 1> ? true : false;

type NameIn<T> = T extends unknown ? keyof T : never;

type TypeIn<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;

type IsAny<T> = 0 extends 1 & T ? true : false;

/** What an item needs; of a choice of items or a list of them, the union. */
type NeedsIn<Item> = Item extends readonly (infer Inner)[]
  ? NeedsIn<Inner>
  : Item extends Dataflow<infer Needs, any>
    ? Needs
    : never;

type GivesIn<Item> = Item extends readonly (infer Inner)[]
  ? GivesIn<Inner>
  : Item extends Dataflow<any, infer Gives>
    ? Gives
    : never;

/** Items of which one is chosen at run time (`fast ? a : b`), as one. */
type AsOne<Item> = true extends IsUnion<Item> ? AnyNumberOf<Item> : Item;

type IsUnion<T, All = T> = T extends unknown ? ([All] extends [T] ? false : true) : never;

// Composition. Each sum walks the flat items once, by index, since taking a tuple apart costs its length each
// time; `Known` are the names given so far.

/** What items come to. `clash` is `true` when one gives what another, which needs that name, does not accept. */
interface Sum<Needs = any, Given = any, Clash = any, Known = any, Twice = any> {
  readonly needs: Needs;
  readonly given: Given;
  readonly clash: Clash;
  readonly known: Known;
  readonly twice: Twice;
}

type NeedsOfSum<S> = S extends Sum<infer Needs> ? Simplify<Needs> : never;

type GivesOfSum<S> = S extends Sum<any, infer Given> ? Simplify<Given> : never;

type Harmony = Sum<any, any, false>;

/** What is given after one more item: the later one wins. */
type Over<Given, Known, Gives> = [keyof Gives & Known] extends [never]
  ? Given & Gives
  : Without<Given, keyof Gives> & Gives;

/** `true` when what is given under the shared names is not what is needed; otherwise `never`. */
type Clash<Given, Needs, Shared> = [Shared] extends [never]
  ? never
  : IsAny<Needs> extends true
    ? never
    : Handed<Given, Needs, Shared> extends Needs
      ? never
      : true;

/** The needs of an item with, under the shared names, the types that it is going to be given. */
type Handed<Given, Needs, Shared> = {
  [K in keyof Needs]: K extends Shared & keyof Given
    ? {} extends Pick<Needs, K>
      ? Exclude<Given[K], undefined>
      : Required<Pick<Given, K>>[K]
    : Needs[K];
} & {};

/** The sum of items that run one after the other: each is given what earlier ones give. */
type LinearSum<
  Items extends List,
  Needs = {},
  Given = {},
  Known = never,
  Clashes = false,
  Index extends List = [],
> = Items['length'] extends Index['length']
  ? Sum<Needs, Given, Clashes, Known>
  : AsOne<Items[Index['length']]> extends Dataflow<infer N, infer G>
    ? LinearSum<
        Items,
        Needs & Without<N, keyof N & Known>,
        Over<Given, Known, G>,
        Known | keyof G,
        Clashes | Clash<Given, N, keyof N & Known>,
        [...Index, unknown]
      >
    : never;

/** The sum of items that give each other nothing. */
type UnorderedSum<
  Items extends List,
  Needs = {},
  Given = {},
  Known = never,
  Twice = never,
  Index extends List = [],
> = Items['length'] extends Index['length']
  ? Sum<Needs, Given, false, Known, Twice>
  : AsOne<Items[Index['length']]> extends Dataflow<infer N, infer G>
    ? UnorderedSum<
        Items,
        Needs & N,
        Over<Given, Known, G>,
        Known | keyof G,
        Twice | (keyof G & Known),
        [...Index, unknown]
      >
    : never;

/** The sum of items which are given what any other gives: a second walk, when all that is given is known. */
type GraphSum<
  Items extends List,
  All extends Sum = UnorderedSum<Items>,
  Needs = {},
  Clashes = false,
  Index extends List = [],
> = Items['length'] extends Index['length']
  ? Sum<Needs, All['given'], Clashes>
  : AsOne<Items[Index['length']]> extends Dataflow<infer N, infer G>
    ? GraphSum<
        Items,
        All,
        Needs & Without<N, keyof N & KnownToOthers<All, G>>,
        Clashes | Clash<All['given'], N, keyof N & KnownToOthers<All, G>>,
        [...Index, unknown]
      >
    : never;

/** The names that items other than one which gives `Gives` give. */
type KnownToOthers<All extends Sum, Gives> = Exclude<All['known'], Exclude<keyof Gives, All['twice']>>;

// What a call is told about a clash: the item's type with the types that it would be given.

type Told<Item, Given, Known> =
  Item extends Dataflow<infer Needs, any>
    ? true extends Clash<Given, Needs, keyof Needs & Known>
      ? Item extends Task
        ? Task<Handed<Given, Needs, keyof Needs & Known>>
        : Flow<Handed<Given, Needs, keyof Needs & Known>>
      : Item
    : Item;

type ToldLinear<Items extends List, Given = {}, Known = never, Done extends List = []> = Items extends readonly [
  infer First,
  ...infer Rest,
]
  ? LinearSum<Flat<readonly [First]>, {}, Given, Known> extends Sum<any, infer NextGiven, any, infer NextKnown>
    ? ToldLinear<
        Rest,
        NextGiven,
        NextKnown,
        [...Done, First extends List ? ToldLinear<First, Given, Known> : Told<First, Given, Known>]
      >
    : never
  : number extends Items['length']
    ? [...Done, ...Told<Items[number], Given, Known>[]]
    : Done;

type ToldGraph<Items extends List, All extends Sum> = {
  [I in keyof Items]: Items[I] extends List
    ? ToldGraph<Items[I], All>
    : Items[I] extends Dataflow<any, infer Gives>
      ? Told<Items[I], All['given'], KnownToOthers<All, Gives>>
      : Items[I];
};

/** The items of a linear flow, if each accepts what earlier ones give it. */
export type LinearItems<Items extends List> = LinearSum<Flat<Items>> extends Harmony ? Items : ToldLinear<Items>;

/** The items of a graph, if each accepts what the others give it. */
export type GraphItems<Items extends List> =
  GraphSum<Flat<Items>> extends Harmony ? Items : ToldGraph<Items, UnorderedSum<Flat<Items>>>;

/**
 * Makes a flow whose items run one after the other, in order. Each may need what earlier ones give.
 */
export type LinearFunction = <const Items extends FlowItems>(
  name: string,
  ...items: LinearItems<Items>
) => Flow<NeedsOfSum<LinearSum<Flat<Items>>>, GivesOfSum<LinearSum<Flat<Items>>>>;

/** Makes a flow whose items run in any order, and at the same time. None may count on what another gives. */
export type UnorderedFunction = <const Items extends FlowItems>(
  name: string,
  ...items: Items
) => Flow<NeedsOfSum<UnorderedSum<Flat<Items>>>, GivesOfSum<UnorderedSum<Flat<Items>>>>;

/** Makes a flow whose items run as soon as what they need is there, in whichever order they are written. */
export type GraphFunction = <const Items extends FlowItems>(
  name: string,
  ...items: GraphItems<Items>
) => GraphFlow<NeedsOfSum<GraphSum<Flat<Items>>>, GivesOfSum<GraphSum<Flat<Items>>>>;

/** What builds a flow from its inputs; it can be run and loaded like a flow. */
export interface Factory<in Needs = any, out Gives = any> extends Dataflow<Needs, Gives> {
  readonly kind: 'factory';
  readonly name: string;
}

/** What a factory needs: what it builds from, and what that needs. */
type FactoryNeeds<Inputs, Needs> = IsAny<Needs> extends true ? Inputs : Simplify<Inputs & Needs>;

/** Makes a factory; its needs are those of `build` and of what it builds, its gives are what that gives. */
export type FactoryFunction = <Inputs = {}, Built extends FlowItem = FlowItem>(
  name: string,
  build: (inputs: Inputs) => Built,
) => Factory<FactoryNeeds<Inputs, NeedsIn<AsOne<Built>>>, GivesIn<AsOne<Built>>>;

/** What a run must be given: at least what the flow needs. */
export type InputsOf<Needs> = Needs extends infer N
  ? {} extends N
    ? (N & Record<string, any>) | undefined
    : N & Record<string, any>
  : never;

/** What is asked of a flow. */
export interface OutputsOption<Names extends PropertyKey> {
  /**
   * The names of the values that are asked for. All others are held only until the last task that needs them has run. Default: all that the
   * flow gives.
   */
  readonly outputs?: readonly Names[];
}

/** The names that may be asked for. Of a flow of which nothing is known, any. */
export type OutputName<Gives> = unknown extends Gives ? string : keyof Gives;

/** What a run gives of which these names are asked for. */
export type GivenOf<Gives, Names> = unknown extends Gives
  ? Simplify<Gives>
  : [keyof Gives] extends [Names]
    ? Simplify<Gives>
    : Simplify<Pick<Gives, Names & keyof Gives>>;

/** Runs a flow, or a lone task, and resolves to what it gives, by name. */
export interface RunFunction<Options = unknown> {
  /** Runs a flow that needs nothing. */
  <Gives>(flow: Dataflow<{}, Gives>): Promise<Simplify<Gives>>;
  /**
   * Runs a flow.
   *
   * @param inputs what the flow needs, by name; what it does not need is ignored
   */
  <Needs, Gives, const Names extends OutputName<Gives> = OutputName<Gives>>(
    flow: Dataflow<Needs, Gives>,
    inputs: InputsOf<Needs>,
    options?: Options & OutputsOption<Names>,
  ): Promise<GivenOf<Gives, Names>>;
}
