/** What must not compile. Only type checked: there is nothing to run. */
import type { Task, TaskFunction } from '../../src/atoms/signature.js';
import type {
  FactoryFunction,
  Flow,
  GraphFunction,
  LinearFunction,
  RunFunction,
  UnorderedFunction,
} from '../../src/flows/dataflow.js';
import type { DynamicFunction } from '../../src/flows/dynamic.js';
import type { EachFunction } from '../../src/flows/each.js';
import type { ReduceFunction } from '../../src/flows/reduce.js';
import type { taskType as TaskTypeFunction } from '../../src/service/task-type.js';

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
declare const index: number;

const decode = task({
  name: 'decode',
  requires: ['path'],
  provides: 'pixels',
  execute: ({ path }: { path: string }) => new Uint8Array(path.length),
});
const resize = task({
  name: 'resize',
  requires: ['pixels', 'width'],
  provides: 'thumb',
  execute: ({ pixels, width }: { pixels: Uint8Array; width: number }) => pixels.subarray(0, width),
});
const print = task({
  name: 'print',
  requires: ['pixels', 'title'],
  execute: ({ pixels, title }: { pixels: string; title: string }) => pixels + title,
});
const thumbnail = linear('thumbnail', decode, resize);

// Declarations.
// @ts-expect-error a name is missing
task({ execute() {} });
// @ts-expect-error there is nothing to execute
task({ name: 'idle' });
// @ts-expect-error 'height' is not declared
task({ name: 'a', requires: ['width'], execute: (args: { width: number; height: number }) => args });
// @ts-expect-error 'height' is not given to this revert
task({ name: 'a', requires: 'height', revertRequires: 'width', execute() {}, revert: ({ height }) => height });
// @ts-expect-error 'height' is no argument of revert
task({ name: 'a', requires: 'width', revertRebind: { height: 'h' }, execute() {}, revert() {} });
// @ts-expect-error what revert requires is missing
run(task({ name: 'a', revertRequires: 'width', execute() {}, revert() {} }), {});
// @ts-expect-error an optional argument must be declared as well
task({ name: 'a', requires: ['width'], execute: (args: { width: number; height?: number }) => args });
// @ts-expect-error 'width' may be missing
task({ name: 'a', optional: ['width'], execute: (args: { width: number }) => args });
// @ts-expect-error 'with' is not an argument
task({ name: 'a', requires: ['width'], rebind: { with: 'w' }, execute: (args: { width: number }) => args });
// @ts-expect-error the constant is no number
task({ name: 'a', inject: { width: 'wide' }, execute: (args: { width: number }) => args });
// @ts-expect-error nor is it under the name after rebind
task({ name: 'a', requires: 'n', rebind: { n: 'm' }, inject: { m: '' }, execute: (args: { n: number }) => args });
// @ts-expect-error a number has no elements
task({ name: 'a', provides: ['x', 'y'], execute: () => 1 });
// @ts-expect-error the result has no 'y'
task({ name: 'a', provides: new Set(['x', 'y'] as const), execute: () => ({ x: 1 }) });
// @ts-expect-error the task's code cannot be changed by a copy
decode.with({ execute: () => 1 });
// @ts-expect-error nor can a constant be of another type than the argument
resize.with({ inject: { width: 'wide' } });

// Compositions.
// @ts-expect-error 'pixels' is a Uint8Array, not a string
linear('clash', decode, print);
// @ts-expect-error the same in a list
linear('clash', [decode, print]);
// @ts-expect-error the same from a nested flow to a nested flow
linear('clash', linear('inner', decode), unordered('inner', print));
// @ts-expect-error order is irrelevant in a graph
graph('clash', print, resize, decode);
// @ts-expect-error the target itself requires 'width'
run(graph('g', decode, resize).target(resize), { path: '' });
// @ts-expect-error a path is a string, if it is given
run(graph('g', decode, resize).target(resize), { width: 1, path: 1 });
// @ts-expect-error what is not the target may be missing
run(graph('g', decode, resize).target(decode), { path: '' }).then(({ thumb }) => thumb.length);
// @ts-expect-error only an item can be the target
graph('g', decode).target('decode');
// @ts-expect-error an item is no name
linear('no items', 'decode');
// @ts-expect-error a name comes first
unordered(decode);
// @ts-expect-error only graphs have links
thumbnail.link(decode, resize);
// @ts-expect-error what is known of an item that is only known at run time is still checked
linear('clash', decode, ...[print, print].filter(() => index > 1));

// Runs.
// @ts-expect-error 'width' is missing
run(thumbnail, { path: 'a.png' });
// @ts-expect-error 'path' and 'width' are missing
run(thumbnail);
// @ts-expect-error 'path' and 'width' are missing
run(thumbnail, undefined, { engine: 'serial' });
// @ts-expect-error 'width' is no number
run(thumbnail, { path: 'a.png', width: '320' });
// @ts-expect-error a lone task has needs too
run(decode, {});
// @ts-expect-error in an unordered flow a sibling's result is no input
run(unordered('apart', decode, resize), { path: 'a.png', width: 320 });
// @ts-expect-error in a linear flow a later one's is none either
run(linear('backwards', resize, decode), { path: 'a.png', width: 320 });
// @ts-expect-error there is no such engine
run(thumbnail, { path: 'a.png', width: 320 }, { engine: 'steam' });
// @ts-expect-error a number is no flow
run(1);
// @ts-expect-error this flow gives no 'url'
run(thumbnail, { path: 'a.png', width: 320 }).then(({ url }) => url);
// @ts-expect-error an optional input must be of the right type all the same
run(task({ name: 'a', optional: 'n', execute: ({ n }: { n?: number }) => n }), { n: 'one' });

// Assignments.
// @ts-expect-error it needs 'width' too
export const needsTooMuch: Flow<{ path: string }, {}> = thumbnail;
// @ts-expect-error it does not give 'url'
export const givesTooLittle: Flow<any, { url: string }> = thumbnail;
// @ts-expect-error a flow is no task
export const noTask: Task = thumbnail;

// Task types.
// @ts-expect-error there is no flow
taskType('idle', { requires: ['path'] });
// @ts-expect-error a number is no flow
taskType('t', { flow: () => 1 });
// @ts-expect-error it is called 'requires'
taskType('t', { require: ['path'], flow: () => thumbnail });
// @ts-expect-error the flow needs 'width', which the input does not have
taskType('t', { flow: (_: { path: string }) => thumbnail });
// @ts-expect-error what the check makes has a path that is no string
taskType('t', { check: () => ({ path: 1, width: 320 }), flow: () => thumbnail });
// @ts-expect-error a string has no inputs
taskType('t', { check: (input) => String(input), flow: () => thumbnail });
// @ts-expect-error the flow takes an input which the check does not make
taskType('t', { check: () => ({ path: 'a.png' }), flow: (_: { path: string; width: number }) => thumbnail });
// @ts-expect-error 'width' is no number
taskType('t', { flow: () => thumbnail, inputs: () => ({ path: 'a.png', width: '320' }) });
// @ts-expect-error the flow gives no 'url'
taskType('t', { flow: () => thumbnail, result: ({ url }) => url });
// @ts-expect-error the input has no 'height'
taskType('t', { flow: (_: { path: string; width: number }) => thumbnail, result: (_, { height }) => height });

// Regions.
const add = task({
  name: 'add',
  requires: ['sum', 'n'],
  execute: ({ sum, n }: { sum: number; n: number }) => sum + n,
});
// @ts-expect-error 'file' is not among what the task needs
each(decode, { over: 'paths', as: 'file' });
// @ts-expect-error the list is missing
each(decode, { as: 'path' });
// @ts-expect-error a flow is no task
each(thumbnail, { over: 'paths', as: 'path' });
// @ts-expect-error the elements are no strings
run(each(decode, { over: 'paths', as: 'path' }), { paths: [1, 2] });
// @ts-expect-error a number is no list
run(each(decode, { over: 'paths', as: 'path' }), { paths: 1 });
const arrays = each(decode, { over: 'paths', as: 'path', collect: 'ns' });
const sum = reduce(add, { over: 'ns', as: 'n', into: 'sum' });
// @ts-expect-error the results are no numbers
linear('f', arrays, sum);
// @ts-expect-error 'n' cannot be both
reduce(add, { over: 'list', as: 'n', into: 'n' });
// @ts-expect-error the initial value is no number
reduce(add, { over: 'list', as: 'n', into: 'sum', initial: 'zero' });
// @ts-expect-error there is nothing that builds
dynamic('d', { requires: ['n'] });
// @ts-expect-error a number is no flow
dynamic('d', { build: () => 1 });
// @ts-expect-error the flow needs 'width', which is not required
dynamic('d', { requires: ['path'], build: (_: { path: string }) => thumbnail });
// @ts-expect-error the flow gives no 'url'
dynamic('d', { provides: ['url'], build: () => task({ name: 't', provides: 'path', execute: () => '' }) });
// @ts-expect-error 'm' is not required
dynamic('d', { requires: ['n'], build: ({ m }: { m: number }) => (m > 1 ? add : decode) });
const thumbnails = factory('thumbnails', ({ count }: { count: number }) => linear(`${count}`, decode, resize));
// @ts-expect-error what is built needs 'width', too
run(thumbnails, { count: 1, path: 'a.png' });
// @ts-expect-error the factory itself needs 'count'
run(thumbnails, { path: 'a.png', width: 320 });
// @ts-expect-error a factory is no item of a flow
linear('f', thumbnails);
// @ts-expect-error a number is no flow
factory('f', () => 1);
// @ts-expect-error nobody gives 'thumb'
run(decode, { path: 'a.png' }, { outputs: ['thumb'] });
