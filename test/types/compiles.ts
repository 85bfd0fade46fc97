/** What must compile, and the types that come out of it. Only type checked: there is nothing to run. */

import type { Task, TaskContext, TaskFunction } from '../../src/atoms/signature.js';
import type { Failure } from '../../src/failure/index.js';
import type {
  Factory,
  FactoryFunction,
  Flow,
  FlowItem,
  GraphFlow,
  GraphFunction,
  LinearFunction,
  RunFunction,
  UnorderedFunction,
} from '../../src/flows/dataflow.js';
import type { DynamicFunction } from '../../src/flows/dynamic.js';
import type { EachFunction } from '../../src/flows/each.js';
import type { ReduceFunction } from '../../src/flows/reduce.js';
import type { TaskType, taskType as TaskTypeFunction } from '../../src/service/task-type.js';

declare const task: TaskFunction;
declare const linear: LinearFunction;
declare const unordered: UnorderedFunction;
declare const graph: GraphFunction;
declare const each: EachFunction;
declare const reduce: ReduceFunction;
declare const dynamic: DynamicFunction;
declare const factory: FactoryFunction;
declare const run: RunFunction<{ engine?: 'serial' | 'parallel' }>;
declare const taskType: typeof TaskTypeFunction;
declare function transfer<T>(value: T): T;
declare const index: number;
declare const someNames: string[];

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expect<_Holds extends true>(): void {}

type NeedsOf<I> =
  I extends Task<infer N, any, any> ? N : I extends Flow<infer N, any> | Factory<infer N, any> ? N : never;
type GivesOf<I> =
  I extends Task<any, infer G, any> ? G : I extends Flow<any, infer G> | Factory<any, infer G> ? G : never;

const decode = task(import.meta.url, {
  name: 'decode',
  requires: ['path'],
  provides: 'pixels',
  async execute({ path }: { path: string }) {
    return transfer(new Uint16Array(path.length));
  },
});
const resize = task(new URL(import.meta.url), {
  name: 'resize',
  requires: ['pixels', 'width'],
  provides: 'thumb',
  execute({ pixels, width }: { pixels: Uint16Array; width: number }, context) {
    if (context.aborted) throw context.signal.reason;
    context.progress(0.5);
    return { pixels, width };
  },
});
const save = task({
  name: 'save',
  requires: 'thumb',
  provides: 'url',
  priority: 1,
  timeout: 1000,
  async execute({ thumb }: { thumb: { width: number } }) {
    return `thumb-${thumb.width}`.trim();
  },
  async revert({ url, thumb, result, flowFailures }) {
    expect<Equal<typeof url, string | undefined>>();
    expect<Equal<typeof thumb, { width: number }>>();
    expect<Equal<typeof result, string | Failure>>();
    expect<Equal<(typeof flowFailures)[string], Failure>>();
  },
});

// A task: what it needs and gives.
expect<Equal<NeedsOf<typeof decode>, { path: string }>>();
expect<Equal<GivesOf<typeof decode>, { pixels: Uint16Array<ArrayBuffer> }>>();
expect<Equal<GivesOf<typeof save>, { url: string }>>();

const withOptional = task({
  name: 'optional',
  requires: ['a', 'b'],
  optional: ['c', 'd'],
  rebind: { a: 'first', d: 'last' },
  inject: { level: 9, b: 'constant' },
  execute(args: { a: number; b: string; c?: boolean; d?: Date; level: number }) {
    return args;
  },
});
expect<Equal<NeedsOf<typeof withOptional>, { first: number; c?: boolean; last?: Date }>>();
expect<Equal<GivesOf<typeof withOptional>, {}>>();

const byPosition = task({
  name: 'by position',
  requires: ['a', 'b'],
  optional: 'c',
  rebind: ['x', 'y', 'z'],
  execute: (args: { a: number; b: string; c?: boolean }) => args.a,
});
expect<Equal<NeedsOf<typeof byPosition>, { x: number; y: string; z?: boolean }>>();

const injectedByName = task({
  name: 'injected by the name after rebind',
  requires: ['a'],
  rebind: { a: 'x' },
  inject: { x: 1 },
  execute: ({ a }: { a: number }) => a,
});
expect<Equal<NeedsOf<typeof injectedByName>, {}>>();

const literal = task({
  name: 'literal',
  inject: { mode: 'fast' },
  provides: 'mode',
  execute: ({ mode }: { mode: 'fast' | 'slow' }) => mode,
});
expect<Equal<GivesOf<typeof literal>, { mode: 'fast' | 'slow' }>>();

// A revert with arguments of its own: what the task needs is what both need.
const ownRevert = task({
  name: 'own revert',
  requires: ['a', 'b'],
  rebind: { a: 'x' },
  provides: 'made',
  revertRequires: ['a', 'log', 'result'],
  revertOptional: 'note',
  execute: ({ a, b }: { a: number; b: string }) => a + b,
  revert({ a, log, note, made, result, ...others }) {
    expect<Equal<typeof a, number>>();
    expect<Equal<typeof log, any>>();
    expect<Equal<typeof note, any>>();
    expect<Equal<typeof made, string | undefined>>();
    expect<Equal<typeof result, string | Failure>>();
    expect<Equal<keyof typeof others, 'flowFailures'>>();
  },
});
expect<Equal<NeedsOf<typeof ownRevert>, { x: number; b: string; log: any; note?: any }>>();
const reboundRevert = task({
  name: 'rebound revert',
  requires: 'a',
  optional: 'c',
  revertRebind: { a: 'other' },
  execute: ({ a }: { a: number; c?: Date }) => a,
  revert: ({ a, c }) => {
    expect<Equal<typeof a, number>>();
    expect<Equal<typeof c, Date | undefined>>();
  },
});
expect<Equal<NeedsOf<typeof reboundRevert>, { a: number; c?: Date; other: number }>>();
const reboundByPosition = task({
  name: 'rebound by position',
  requires: ['a', 'b'],
  rebind: ['x', 'y'],
  revertRebind: ['z'],
  inject: { level: 1 },
  execute: ({ a }: { a: number; b: string; level: number }) => a,
  revert: ({ level }) => {
    expect<Equal<typeof level, number>>();
  },
});
expect<Equal<NeedsOf<typeof reboundByPosition>, { x: number; y: string; z: number }>>();
run(ownRevert.with({ name: 'copy', revertRebind: { log: 'journal' } }), { x: 1, b: '', journal: [] });

// As in JavaScript: without annotations the declared names are the arguments.
const plain = task({
  name: 'plain',
  requires: ['a'],
  optional: ['b'],
  inject: { c: 1 },
  provides: 'sum',
  execute({ a, b, c }, context) {
    expect<Equal<typeof context.services, TaskContext['services']>>();
    return Number(a) + Number(b) + Number(c);
  },
});
expect<Equal<NeedsOf<typeof plain>, { a: any; b?: any }>>();
expect<Equal<GivesOf<typeof plain>, { sum: number }>>();
const nothing = task({ name: 'nothing', execute() {} });
expect<Equal<typeof nothing, Task<{}, {}, (args: {}) => void>>>();
task({ name: 'any', requires: ['a'], execute: (args: any) => args.b });

// Several results.
const byElement = task({ name: 'list', provides: ['n', 's'], execute: () => [1, 'a'] });
expect<Equal<GivesOf<typeof byElement>, { n: number; s: string }>>();
const byElementLater = task({ name: 'list', provides: ['n', 's'], execute: async () => [1, 'a'] });
expect<Equal<GivesOf<typeof byElementLater>, { n: number; s: string }>>();
const ofOneType = task({ name: 'array', provides: ['a', 'b'], execute: (): number[] => [1, 2] });
expect<Equal<GivesOf<typeof ofOneType>, { a: number; b: number }>>();
const byKey = task({ name: 'set', provides: new Set(['a', 'b'] as const), execute: () => ({ a: 1, b: '', c: 2 }) });
expect<Equal<GivesOf<typeof byKey>, { a: number; b: string }>>();
const byAnyKey = task({ name: 'set', provides: new Set(['a', 'b']), execute: async () => ({ a: 1, b: '' }) });
expect<Equal<GivesOf<typeof byAnyKey>, { a: number; b: string }>>();

// Names that are known as patterns, or not at all.
const part = task({ name: `part-${index}`, provides: `part-${index}`, execute: () => 1 });
expect<Equal<GivesOf<typeof part>, { [name: `part-${number}`]: number }>>();
const whatever = task({
  name: 'whatever',
  requires: someNames,
  provides: someNames,
  execute: (args: { [name: string]: string }) => Object.values(args),
});
expect<Equal<NeedsOf<typeof whatever>, { [name: string]: string }>>();
expect<Equal<GivesOf<typeof whatever>, { [name: string]: string }>>();

// Copies.
const copy = resize.with({ name: 'small', inject: { width: 10 }, provides: 'small' });
expect<Equal<NeedsOf<typeof copy>, { pixels: Uint16Array }>>();
expect<Equal<GivesOf<typeof copy>, { small: { pixels: Uint16Array; width: number } }>>();
const rebound = copy.with({ rebind: { pixels: 'image' } });
expect<Equal<NeedsOf<typeof rebound>, { image: Uint16Array }>>();
expect<Equal<GivesOf<typeof rebound>, { small: { pixels: Uint16Array; width: number } }>>();
const renamed = withOptional.with({ name: 'renamed', priority: 2 });
expect<Equal<typeof renamed, typeof withOptional>>();
const spread = byElement.with({ provides: ['x'] });
expect<Equal<GivesOf<typeof spread>, { x: number }>>();
const numbered = resize.with({ name: `resize-${index}`, inject: { width: index }, provides: `thumb-${index}` });
expect<Equal<keyof GivesOf<typeof numbered>, `thumb-${number}`>>();

// Flows.
type Image = { path: string; width: number };
type Results = {
  pixels: Uint16Array<ArrayBuffer>;
  thumb: { pixels: Uint16Array<ArrayBufferLike>; width: number };
  url: string;
};
const thumbnail = linear('thumbnail', decode, resize, save);
expect<Equal<typeof thumbnail, Flow<Image, Results>>>();
const listed = linear('listed', [decode, resize, save]);
expect<Equal<typeof listed, Flow<Image, Results>>>();
const mixed = linear('mixed', decode, [resize, save]);
expect<Equal<typeof mixed, Flow<Image, Results>>>();
const nested = linear('nested', linear('inner', decode, resize), unordered('last', save));
expect<Equal<typeof nested, Flow<Image, Results>>>();
const anyOrder = graph('any order', save, [resize], decode).link(decode, resize);
expect<Equal<typeof anyOrder, GraphFlow<Image, Results>>>();
// A graph with a target: what the target needs and gives is sure, all else may be there.
const onlyResize = anyOrder.target(resize);
expect<Equal<NeedsOf<typeof onlyResize>, { path?: string; width: number }>>();
expect<
  Equal<
    GivesOf<typeof onlyResize>,
    { url?: string; pixels?: Uint16Array<ArrayBuffer>; thumb: { pixels: Uint16Array; width: number } }
  >
>();
expect<Equal<NeedsOf<ReturnType<typeof onlyResize.link>>, NeedsOf<typeof onlyResize>>>();
const againDecode = onlyResize.target(decode).link(decode, resize);
expect<Equal<NeedsOf<typeof againDecode>['path'], string | undefined>>();
expect<Equal<GivesOf<typeof againDecode>['pixels'], Uint16Array<ArrayBuffer>>>();
expect<Equal<GivesOf<typeof againDecode>['thumb'], GivesOf<typeof onlyResize>['thumb'] | undefined>>();
const eitherTarget = anyOrder.target(index > 1 ? decode : resize);
expect<Equal<NeedsOf<typeof eitherTarget>, { path?: string; width?: number }>>();
expect<Equal<GivesOf<typeof eitherTarget>['pixels'], Uint16Array<ArrayBuffer> | undefined>>();
const unknownTarget = (anyOrder as GraphFlow).target(decode as FlowItem);
expect<Equal<NeedsOf<typeof unknownTarget>, any>>();
expect<Equal<GivesOf<typeof unknownTarget>, any>>();
const theGraph: GraphFlow<{ path: string; width: number; more: Date }, { thumb?: object }> = onlyResize;
linear('in another', onlyResize, save);
run(anyOrder.target(decode), { path: '' }).then(({ pixels, url }) => [pixels.length, url?.length, theGraph]);

const backwards = linear('backwards', save, decode);
expect<Equal<NeedsOf<typeof backwards>, { path: string; thumb: { width: number } }>>();
const apart = unordered('apart', decode, resize);
expect<Equal<keyof NeedsOf<typeof apart>, 'path' | 'pixels' | 'width'>>();
const empty = linear('empty');
expect<Equal<typeof empty, Flow<{}, {}>>>();

const counter = task({ name: 'c', requires: 'n', provides: 'n', execute: ({ n }: { n: number }) => n + 1 });
const alone = graph('needs what it gives', counter);
expect<Equal<NeedsOf<typeof alone>, { n: number }>>();
const laterWins = linear('later wins', counter, task({ name: 'l', provides: 'n', execute: () => 'text' as string }));
expect<Equal<GivesOf<typeof laterWins>, { n: string }>>();

const wide = task({ name: 'wide', requires: 'x', execute: ({ x }: { x: string | number }) => x });
const narrow = task({ name: 'narrow', requires: 'x', execute: ({ x }: { x: string | boolean }) => x });
const both = unordered('both', wide, narrow);
expect<Equal<NeedsOf<typeof both>, { x: string }>>();
const optional = task({ name: 'optional', optional: 'x', execute: ({ x }: { x?: string | number }) => x });
const required = unordered('one of them needs it', optional, narrow);
expect<Equal<NeedsOf<typeof required>, { x: string }>>();

// Items that are only known at run time promise nothing, and ask for nothing; what is known is still checked.
const parts = someNames.map((_, i) => decode.with({ name: `decode-${i}`, provides: `part-${i}` }));
const joinParts = task({
  name: 'join',
  requires: someNames.map((_, i) => `part-${i}` as const),
  provides: 'whole',
  execute: (all: Record<`part-${number}`, Uint16Array>) => Object.keys(all).length,
});
const chunked = linear('chunked', unordered('parts', parts), joinParts);
expect<Equal<keyof NeedsOf<typeof chunked>, 'path'>>();
expect<Equal<GivesOf<typeof chunked>['whole'], number>>();
const inTheMiddle = linear('in the middle', decode, ...parts, resize);
expect<Equal<NeedsOf<typeof inTheMiddle>, Image>>();
const eitherOne = linear('either one', index > 1 ? decode : counter, resize);
expect<Equal<NeedsOf<typeof eitherOne>, { path?: string; n?: number; width: number }>>();
declare const items: FlowItem[];
const unknownItems = graph('unknown items', items);

// Any task and any flow is an item.
export const all: FlowItem[] = [decode, withOptional, whatever, copy, thumbnail, anyOrder, unknownItems];
export const asTask: Task = decode;
export const asFlow: Flow = anyOrder;
export const needsLess: Flow<Image & { more: number }, { url: string }> = thumbnail;

// Running.
interface Settings {
  path: string;
  width: number;
  verbose: boolean;
}
declare const settings: Settings;
export async function runs(): Promise<void> {
  const results = await run(thumbnail, { path: 'a.png', width: 320 });
  expect<Equal<typeof results, Results>>();
  await run(thumbnail, { path: 'a.png', width: 320, unknown: true }, { engine: 'serial' });
  await run(thumbnail, settings);
  const { pixels } = await run(decode, { path: 'a.png' });
  const { thumb, ...others } = await run(thumbnail, { path: 'a.png', width: 320 }, { outputs: ['thumb'] });
  expect<Equal<typeof others, {}>>();
  const { some } = await run(decode as FlowItem, {}, { outputs: ['some'] });
  expect<Equal<typeof some, any>>();
  void [thumb, some];
  expect<Equal<typeof pixels, Uint16Array<ArrayBuffer>>>();
  await run(nothing);
  await run(nothing, undefined, { engine: 'parallel' });
  await run(nothing, { anything: 1 });
  await run(optional);
  await run(optional, { x: 1 });
  const { anything } = await run(unknownItems, { x: 1 });
  expect<Equal<typeof anything, any>>();
  await run(unknownItems);
}

// Long flows.
type Steps<Length extends number, Done extends unknown[] = []> = Done['length'] extends Length
  ? Done
  : Steps<Length, [...Done, Step<Done['length'], [...Done, 0]['length'] & number>]>;
type Step<From extends number, To extends number> = Task<
  { [K in `value-${From}` | 'common']: number },
  { [K in `value-${To}`]: number }
>;
declare const steps: Steps<200>;
const long = linear('long', ...steps);
expect<Equal<NeedsOf<typeof long>, { 'value-0': number; common: number }>>();
expect<Equal<GivesOf<typeof long>['value-200'], number>>();
const longGraph = graph('long graph', [...steps]);
expect<Equal<NeedsOf<typeof longGraph>, { 'value-0': number; common: number }>>();
const longUnordered = unordered('long unordered', ...steps);
expect<Equal<NeedsOf<typeof longUnordered>['value-199'], number>>();
const deep = linear('deep', linear('1', linear('2', linear('3', linear('4', long), wide), decode), resize), save);
expect<
  Equal<
    NeedsOf<typeof deep>,
    Image & { 'value-0': number; common: number; x: string | number } extends infer A ? { [K in keyof A]: A[K] } : never
  >
>();

// Task types: the input is what `check` makes, or what `flow` says that it takes; the result is made of what the flow gives.
export const types: TaskType[] = [
  taskType('nothing is said of the input', {
    requires: ['path', 'width'],
    flow: () => thumbnail,
    result: ({ url, pixels }, input) => {
      expect<Equal<typeof url, string>>();
      expect<Equal<typeof pixels, Uint16Array<ArrayBuffer>>>();
      expect<Equal<typeof input, any>>();
      return { url };
    },
  }),
  taskType('the flow says it', {
    flow: (input: Image) => linear('part', decode.with({ name: input.path }), resize),
    result: (gives, input) => {
      expect<Equal<typeof input, Image>>();
      return gives.thumb.width;
    },
  }),
  taskType('a check makes it', {
    async check(input) {
      return { path: String(input.path), width: Number(input.width), more: new Date() };
    },
    flow: (input, context) => {
      expect<Equal<typeof input, { path: string; width: number; more: Date }>>();
      expect<Equal<typeof context.subflows, readonly FlowItem[]>>();
      return thumbnail;
    },
  }),
  taskType('its fields have other names', {
    check: (input): { file: string } => input,
    flow: async () => thumbnail,
    inputs: async ({ file }, { taskId }) => ({ path: file, width: taskId.length }),
  }),
  taskType('the input is no object', {
    check: (input) => String(input),
    flow: () => decode,
    inputs: (path) => {
      expect<Equal<typeof path, string>>();
      return { path };
    },
  }),
  taskType('it may be missing', { check: (input): { n?: number } | null => input, flow: () => optional }),
  taskType('an interface', { flow: (_: Settings) => thumbnail }),
  taskType('plug-ins add to the flow', {
    subflows: ['convert', 'introspect'],
    flow: (_: Image, { subflows }) => linear('with more', decode, subflows, resize),
    result: async ({ thumb }) => ({ width: thumb.width }),
  }),
];

// Regions.
const thumbs = each(resize, { over: 'images', as: 'pixels', collect: 'thumbs' });
expect<Equal<NeedsOf<typeof thumbs>, { width: number; images: Iterable<Uint16Array> }>>();
expect<Equal<GivesOf<typeof thumbs>, { thumbs: { pixels: Uint16Array; width: number }[] }>>();
const dropped = each(decode, { over: 'paths', as: 'path' });
expect<Equal<GivesOf<typeof dropped>, {}>>();
const rows = each(thumbs, { over: 'rows', as: 'images', collect: 'all' });
expect<Equal<NeedsOf<typeof rows>, { width: number; rows: Iterable<Iterable<Uint16Array>> }>>();
expect<Equal<GivesOf<typeof rows>['all'], { pixels: Uint16Array; width: number }[][]>>();
const reboundThumbs = each(resize, { over: 'images', as: 'pixels', rebind: { images: 'pictures' } });
expect<Equal<NeedsOf<typeof reboundThumbs>, { width: number; pictures: Iterable<Uint16Array> }>>();
const renamedThumbs = thumbs.with({ name: 'small', inject: { width: 1 }, provides: 'small' });
expect<Equal<NeedsOf<typeof renamedThumbs>, { images: Iterable<Uint16Array> }>>();
expect<Equal<GivesOf<typeof renamedThumbs>, { small: { pixels: Uint16Array; width: number }[] }>>();
const gallery = linear('gallery', each(decode, { over: 'paths', as: 'path', collect: 'images' }), thumbs);
expect<Equal<NeedsOf<typeof gallery>, { paths: Iterable<string>; width: number }>>();

const addOne = task({
  name: 'addOne',
  requires: ['sum', 'number'],
  execute: ({ sum, number }: { sum: number; number: number }) => sum + number,
});
const total = reduce(addOne, { over: 'numbers', as: 'number', into: 'sum', initial: 0, provides: 'total' });
expect<Equal<NeedsOf<typeof total>, { numbers: Iterable<number> }>>();
expect<Equal<GivesOf<typeof total>, { total: number }>>();
const without = reduce(addOne, { over: 'numbers', as: 'number', into: 'sum', provides: 'total' });
expect<Equal<GivesOf<typeof without>, { total: number }>>();

const car = dynamic('parts', {
  requires: ['path', 'width'],
  provides: ['thumb'],
  build: ({ path, width }: Image, { name }) => {
    expect<Equal<typeof name, string>>();
    return linear(`${name} of ${path} ${width}`, decode, resize);
  },
});
expect<Equal<NeedsOf<typeof car>, Image>>();
expect<Equal<GivesOf<typeof car>, { thumb: { pixels: Uint16Array; width: number } }>>();
const either = dynamic('either', {
  requires: ['path'],
  optional: ['width'],
  provides: 'pixels',
  build: ({ width }: { path: string; width?: number }) => (width ? decode : linear('f', decode)),
});
expect<Equal<NeedsOf<typeof either>, { path: string; width?: number }>>();
expect<Equal<GivesOf<typeof either>, { pixels: Uint16Array<ArrayBuffer> }>>();
const ofAnything = dynamic('anything', { requires: ['x'], build: ({ x }) => x as FlowItem });
expect<Equal<NeedsOf<typeof ofAnything>, { x: any }>>();
function again(depth: number): Task<{ n: number }, { n: number }> {
  return dynamic('again', {
    requires: ['n'],
    provides: ['n'],
    build: (_: { n: number }) => (depth > 0 ? again(depth - 1) : task({ name: 'n', provides: 'n', execute: () => 1 })),
  });
}
export const regions: FlowItem[] = [thumbs, total, car, again(3)];

const thumbnails = factory('thumbnails', ({ count }: { count: number }) => linear(`${count}`, decode, resize));
expect<Equal<NeedsOf<typeof thumbnails>, { count: number; path: string; width: number }>>();
expect<Equal<GivesOf<typeof thumbnails>['thumb'], { pixels: Uint16Array; width: number }>>();
const manyParts = factory('many', (inputs: { paths: string[] }) => {
  const parts = inputs.paths.map((path, i) => decode.with({ name: path, inject: { path }, provides: `part-${i}` }));
  return unordered('parts', parts);
});
expect<Equal<NeedsOf<typeof manyParts>, { paths: string[] }>>();
const sameFlow = factory('same', () => linear('f', decode));
expect<Equal<NeedsOf<typeof sameFlow>, { path: string }>>();
const anyFlow = factory('any', (_: { n: number }) => decode as FlowItem);
expect<Equal<NeedsOf<typeof anyFlow>, { n: number }>>();
const chosen = factory('chosen', ({ fast }: { fast: boolean }) => (fast ? decode : resize));
expect<Equal<NeedsOf<typeof chosen>['fast'], boolean>>();
const emptyFlow = factory('nothing', () => linear('nothing'));
const { thumb } = await run(thumbnails, { count: 1, path: 'a.png', width: 320 });
expect<Equal<typeof thumb, { pixels: Uint16Array; width: number }>>();
await run(emptyFlow);
export const factories: Factory[] = [thumbnails, manyParts, sameFlow, anyFlow, chosen, emptyFlow];
