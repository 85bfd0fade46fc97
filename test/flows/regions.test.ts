/** What each(), reduce() and dynamic() accept, and how they look. */
import { inspect } from 'node:util';
import { ArgumentError, dynamic, each, type FlowItem, linear, load, reduce, run, task } from 'millrace';
import { attach, explainFailure, progress } from 'millrace/observe';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const resize = task({
  name: 'resize',
  requires: ['path', 'width'],
  optional: ['quality'],
  execute: ({ path, width, quality = 80 }: { path: string; width: number; quality?: number }) =>
    `${path} ${width} ${quality}`,
});
const add = task({
  name: 'add',
  requires: ['sum', 'n'],
  execute: ({ sum, n }: { sum: number; n: number }) => sum + n,
});

const anything = { each, reduce, dynamic } as any;

test('each needs a task, and options that fit it', () => {
  const wrong = (args: unknown[], message: RegExp) =>
    assert.throws(
      () => anything.each(...args),
      (error: any) => {
        assert.instance(error, ArgumentError);
        assert.match(error.message, message);
        return true;
      },
    );
  const over = { over: 'paths', as: 'path' };
  wrong([], /each\(\): the first argument must be a task; received undefined/);
  wrong([linear('f', resize), over], /received a flow\. A flow for each element is built by a dynamic/);
  wrong([resize], /each\('resize'\): options must be an object; received undefined/);
  wrong([resize, []], /received an array/);
  wrong([resize, { as: 'path' }], /each\('resize'\): over must be a non-empty string; received undefined/);
  wrong([resize, { over: '__proto__', as: 'path' }], /over must be a non-empty string/);
  wrong([resize, { over: 'paths' }], /as must be a non-empty string; received undefined/);
  wrong(
    [resize, { over: 'paths', as: 'file' }],
    /as names 'file', which task 'resize' does not require \(path, width, quality\)/,
  );
  wrong([resize, { ...over, collect: 1 }], /collect must be a non-empty string; received a number \(1\)/);
  wrong([resize, { ...over, provides: 'x' }], /what it provides is named by collect/);
  wrong([resize, { ...over, execute() {} }], /there is no option 'execute'/);
  wrong([resize, { ...over, requires: [] }], /there is no option 'requires'/);
  wrong([resize, { ...over, concurrent: 3 }], /unknown option 'concurrent'/);
  wrong([resize, { ...over, name: '' }], /name must be a string of one line/);
  wrong([resize, { ...over, timeout: -1 }], /timeout must be a number of milliseconds above 0/);
  wrong([resize, { ...over, priority: 'high' }], /priority must be a finite number/);
  wrong(
    [resize, { ...over, rebind: { pats: 'x' } }],
    /rebind names 'pats', which is not among its arguments \(paths, width, quality\)/,
  );
});

test('reduce needs a task that takes an element and what was made so far', () => {
  const wrong = (options: unknown, message: RegExp) => assert.throws(() => anything.reduce(add, options), message);
  wrong({ over: 'list', as: 'n' }, /reduce\('add'\): into must be a non-empty string; received undefined/);
  wrong({ over: 'list', as: 'n', into: 'total' }, /into names 'total', which task 'add' does not require \(sum, n\)/);
  wrong({ over: 'list', as: 'n', into: 'n' }, /as and into both name 'n'/);
  wrong(
    { over: 'list', as: 'n', into: 'sum', provides: ['a'] },
    /provides must be a non-empty string; received an array/,
  );
  assert.throws(() => anything.reduce({}), /reduce\(\): the first argument must be a task; received an object/);
});

test('dynamic needs a name and a build', () => {
  const wrong = (args: unknown[], message: RegExp) => assert.throws(() => anything.dynamic(...args), message);
  wrong([{}], /dynamic\(\): the name must be a non-empty string; received an object/);
  wrong(['parts'], /dynamic\('parts'\): options must be an object; received undefined/);
  wrong(['parts', {}], /build must be a function; received undefined/);
  wrong(['parts', { build() {}, provides: {} }], /provides must be a name or a list of names; received an object/);
  wrong(['parts', { build() {}, requires: 1 }], /requires must be a name or a list of names/);
  wrong(['parts', { build() {}, name: 'other' }], /there is no option 'name'/);
  wrong(['parts', { build() {}, revert() {} }], /there is no option 'revert'/);
  wrong(['parts', { build() {}, nap: 1 }], /unknown option 'nap'/);
});

test('a copy cannot change what a region does', () => {
  const region = each(resize, { over: 'paths', as: 'path', collect: 'thumbs' }) as any;
  assert.throws(() => region.with({ over: 'others' }), /unknown option 'over'/);
  assert.throws(() => region.with({ execute() {} }), /execute belongs to the task's code/);
});

test('a region needs the list, and what its task needs beside the element', async () => {
  const region = each(resize, { over: 'paths', as: 'path', collect: 'thumbs' });
  assert.throws(
    () => load(region, { inputs: { paths: [] } as any }).validate(),
    /requires 'width' \(for task 'resize'\)/,
  );
  assert.throws(() => load(region, { inputs: { width: 1 } as any }).validate(), /requires 'paths'/);
  const inputs = { paths: ['a'], width: 1 };
  assert.equal(await run(region, inputs, { engine: 'serial' }), { thumbs: ['a 1 80'] });
  assert.equal(await run(region, { ...inputs, quality: 5 }, { engine: 'serial' }), { thumbs: ['a 1 5'] });
});

test('the names of a task count as they are after rebind', async () => {
  const rebound = resize.with({ rebind: { path: 'file' }, inject: { width: 7 } });
  const region = each(rebound, { over: 'files', as: 'file', collect: 'thumbs' });
  assert.equal(await run(region, { files: ['a'] }, { engine: 'serial' }), { thumbs: ['a 7 80'] });
});

test('a revert with arguments of its own is given the element, and what is the same for all', async () => {
  const told: unknown[] = [];
  const careful = task({
    name: 'careful',
    requires: ['n'],
    execute: ({ n }: { n: number }) => n,
    revertRequires: ['n', 'by'],
    revert: ({ n, by }: any) => void told.push([n, by]),
  });
  const woot = task({
    name: 'woot',
    execute() {
      throw new Error('Woot!');
    },
  });
  const flow = linear('f', each(careful as any, { over: 'list', as: 'n' } as any), woot) as FlowItem;
  await run(flow as any, { list: [1, 2], by: 10 }, { engine: 'serial' }).catch(() => {});
  assert.equal(told, [
    [2, 10],
    [1, 10],
  ]);
});

test('regions show what they are', () => {
  const region = each(resize, { over: 'paths', as: 'path', collect: 'thumbs', name: 'all' });
  assert.is(
    inspect(region),
    "Task 'all' (each resize over paths; requires paths, width; optional quality; provides thumbs)",
  );
  const sum = reduce(add, { over: 'numbers', as: 'n', into: 'sum', initial: 0, provides: 'total', priority: 2 });
  assert.is(inspect(sum), "Task 'add' (reduce add over numbers; requires numbers; provides total; priority 2)");
  const parts = dynamic('parts', { requires: ['n'], provides: ['x'], build: () => add.with({ provides: 'x' }) as any });
  assert.is(inspect(parts), "Task 'parts' (dynamic; requires n; provides x)");
});

test('the failure of an element can be explained', async () => {
  const picky = task({
    name: 'picky',
    requires: ['n'],
    execute({ n }: { n: number }) {
      if (n > 1) throw new RangeError('too much');
    },
  });
  const engine = load(each(picky, { over: 'list', as: 'n' }), { engine: 'serial', inputs: { list: [1, 2] } });
  const told: string[] = [];
  engine.on('task', ({ state, result }) => state === 'FAILURE' && told.push(explainFailure(engine, result as any)));
  await engine.run().catch(() => {});
  assert.is(told.length, 2);
  assert.match(told[0], /^Task 'picky\[1\]' of flow 'picky' has failed: RangeError: too much/);
  assert.match(told[0], /It is FAILURE, given \{ n: 2 \}/);
  assert.match(told[1], /^Task 'picky' of flow 'picky' has failed/);
});

test('the progress of a flow counts the elements, once it is known how many there are', async () => {
  const engine = load(linear('f', each(add, { over: 'list', as: 'n', name: 'adds' }), add), {
    engine: 'serial',
    inputs: { list: [1, 2, 3], sum: 1, n: 1 },
  });
  const seen = progress();
  attach(engine, seen);
  const fractions: (number | undefined)[] = [];
  engine.on('task', ({ state }) => state === 'SUCCESS' && fractions.push(seen.fraction));
  await engine.run();
  assert.equal(fractions, [1 / 5, 2 / 5, 3 / 5, 4 / 5, 1]);
  assert.is(seen.total, 5);
  assert.is(seen.done, 5);
});

test.run();
