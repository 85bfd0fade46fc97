/** Values are held only as long as a task, or the user, may need them. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { dynamic, graph, linear, load, reduce, run, task, times, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore } from '../../src/storage/index.js';
import { overEveryEngine } from '../engines.js';
import { bulky, measures, weighs } from '../fixtures/engine/bulky.js';
import { rejection } from './capture.js';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');
/** Memory of arrays is freed on the side, after a collection: the next one waits for that. */
const gc = () => {
  collect();
  collect();
};

const one = task({ name: 'one', provides: 'a', execute: () => 1 });
const two = task({ name: 'two', requires: ['a'], provides: 'b', execute: ({ a }: { a: number }) => a + 1 });
const three = task({ name: 'three', requires: ['b'], provides: 'c', execute: ({ b }: { b: number }) => b + 1 });
const flow = linear('flow', one, two, three);

/** A flow of many bulky tasks, and the most memory that its values took at any time, in values. */
function large(count: number, size: number) {
  let most = 0;
  gc();
  const before = process.memoryUsage().arrayBuffers;
  const measures = task({
    name: 'measures',
    execute: () => {
      gc();
      most = Math.max(most, (process.memoryUsage().arrayBuffers - before) / size);
    },
  });
  const items = Array.from({ length: count }, (_, i) => [
    bulky.with({ name: `bulky ${i}` }),
    ...(i % 10 === 9 ? [measures.with({ name: `measures ${i}` })] : []),
  ]);
  return { items: items.flat(), most: () => most };
}

overEveryEngine((test, options) => {
  if (options.record) return; // what is recorded stays

  test('a run holds a few values, however many its tasks make', async () => {
    const size = 2 ** 18;
    const { items, most } = large(120, size);
    const { bytes }: any = await run(linear('large', items), { size }, options);
    assert.is(bytes[0], 120);
    assert.ok(most() > 0 && most() < 60, `at some time there were ${most()} values`);
  });

  test('a worker keeps what several tasks need only as long as they do', async () => {
    const size = 2 ** 18;
    const rounds = Array.from({ length: 60 }, (_, i) => [
      bulky.with({ name: `bulky ${i}` }),
      unordered(
        `measure ${i}`,
        ...[1, 2].map((one) => measures.with({ name: `measures ${i} ${one}`, provides: `length ${one}` })),
      ),
      ...(i % 6 === 5 ? [weighs.with({ name: `weighs ${i}`, provides: `weight ${i}` })] : []),
    ]);
    const weights: Record<string, number> = await run(linear('large', rounds.flat()) as any, { size }, options);
    const most = Math.max(...Object.entries(weights).map(([name, weight]) => (name.startsWith('weight') ? weight : 0)));
    assert.ok(most > 0 && most < 40 * size, `at some time there were ${most / size} values`);
  });

  test('a run that is asked for nothing holds nothing', async () => {
    const size = 2 ** 18;
    const { items, most } = large(100, size);
    const named = items.map((item, i) => item.with(item.name.startsWith('bulky') ? { provides: `bytes ${i}` } : {}));
    assert.equal(await run(graph('large', named), { size }, { ...options, outputs: [] }), {});
    assert.ok(most() < 60, `at some time there were ${most()} values`);
  });

  test('only the outputs that are asked for are given', async () => {
    assert.equal(await run(flow, {}, { ...options, outputs: ['a', 'c'] }), { a: 1, c: 3 });
    assert.equal(await load(flow, { ...options, outputs: ['b'] }).run(), { b: 2 });
    assert.equal(await load(flow, { ...options, outputs: [] }).run(), {});
  });

  test('without outputs, all that was loaded stays, and of a run all that it gives', async () => {
    const engine = load(flow, options);
    await engine.run();
    assert.equal(engine.storage.fetchAll(), { a: 1, b: 2, c: 3 });
    assert.is(engine.storage.getExecuteResult('one'), 1);
    assert.equal(await run(flow, {}, options), { a: 1, b: 2, c: 3 });
  });

  test('storage says what was released', async () => {
    const engine = load(flow, { ...options, outputs: ['b'] });
    await engine.run();
    const { storage } = engine;
    assert.is(storage.fetch('b'), 2);
    assert.equal(storage.fetchMappedArgs('three'), { b: 2 });
    assert.equal(storage.fetchAll(), { b: 2 });
    for (const ask of [
      () => storage.fetch('a'),
      () => storage.getProvided('one'),
      () => storage.getExecuteResult('one'),
      () => storage.fetchMappedArgs('two'),
      () => storage.getExecuteResult('three'), // nobody has asked for it
    ]) {
      assert.throws(ask, ({ code, message }: any) => code === 'ERR_MILLRACE_RELEASED' && message.includes("'outputs'"));
    }
  });

  test('a task that provides nothing has provided nothing, whatever was released', async () => {
    const last = task({ name: 'last', requires: ['c'], execute: ({ c }: { c: number }) => c });
    const engine = load(linear('flow', one, two, three, last), { ...options, outputs: [] });
    await engine.run();
    assert.equal(engine.storage.getProvided('last'), {});
  });

  test('listeners hear of results that are released', async () => {
    const engine = load(flow, { ...options, outputs: [] });
    const results: unknown[] = [];
    engine.on('task', ({ state, result }) => state === 'SUCCESS' && results.push(result));
    await engine.run();
    assert.equal(results, [1, 2, 3]);
  });

  test('what is released is made again by an engine that is reset', async () => {
    const engine = load(flow, { ...options, outputs: ['c'] });
    for (let i = 0; i < 3; i++) assert.equal(await engine.reset().run(), { c: 3 });
  });

  test('a run that was suspended goes on with what it holds', async () => {
    const engine = load(flow, { ...options, outputs: ['c'] });
    engine.on('task', ({ name, state }) => {
      if (name === 'two' && state === 'SUCCESS') engine.suspend();
    });
    assert.equal(await engine.run(), {});
    assert.is(engine.storage.fetch('b'), 2);
    assert.throws(() => engine.storage.fetch('a'), /released/);
    assert.equal(await engine.run(), { c: 3 });
  });

  test('what a revert may ask for stays', async () => {
    const seen: unknown[] = [];
    const undoes = task({
      name: 'undoes',
      requires: ['a'],
      provides: 'b',
      execute: ({ a }: { a: number }) => a + 1,
      revert: ({ a, result }: any) => void seen.push(a, result),
    });
    const fails = task({
      name: 'fails',
      execute: () => {
        throw new Error('no');
      },
    });
    const engine = load(linear('flow', one, undoes, three, fails), { ...options, outputs: ['c'] });
    assert.is((await rejection(engine.run())).message, 'no');
    assert.equal(seen, [1, 2]);
    assert.is((await rejection(run(linear('flow', one, undoes, three, fails), {}, options))).message, 'no');
    assert.equal(seen, [1, 2, 1, 2]);
  });

  test('what is tried again is given what it was given', async () => {
    let attempts = 0;
    const tries = (least: number) => three.with({ name: `tries ${least}`, retry: times(3) });
    const flaky = task({
      name: 'flaky',
      requires: ['b'],
      provides: 'c',
      execute: ({ b }: { b: number }) => {
        if (++attempts % 3 !== 0) throw new Error('not yet');
        return b;
      },
    });
    const single = linear('flow', one, two, tries(1), flaky.with({ retry: times(3) }));
    assert.equal(await run(single, {}, { ...options, outputs: ['c'] }), { c: 2 });
    const whole = linear('flow', one, linear('again', two, three, flaky).with({ retry: times(3) }));
    assert.equal(await run(whole, {}, { ...options, outputs: ['c'] }), { c: 2 });
    assert.is(attempts, 6);
  });

  test('deciders are given the results of what they hang on, whoever else needs them', async () => {
    const links = graph('flow', one, two, three).link(two, three, { decider: ({ two: b }: any) => b === 2 });
    assert.equal(await run(links, {}, { ...options, outputs: ['c'] }), { c: 3 });
    const otherwise = graph('flow', one, two, three).link(two, three, { decider: () => false });
    assert.equal(await run(otherwise, {}, { ...options, outputs: ['c'] }), {});
  });

  test('a value stands in for one that a task which may fail did not give', async () => {
    const again = task({
      name: 'again',
      provides: 'a',
      mayFail: true,
      execute: (): number => {
        throw new Error('no');
      },
    });
    const lacks: any = linear('flow', one, two, again);
    assert.equal(await run(lacks, {}, { ...options, outputs: ['a'] }), { a: 1 });
    assert.equal(await run(lacks, {}, options), { a: 1, b: 2 });
  });

  test('of several values of one result all stay, if one is asked for', async () => {
    const pair = task({ name: 'pair', provides: ['x', 'y'], execute: () => [1, 2] });
    const user = task({ name: 'user', requires: ['y'], provides: 'z', execute: ({ y }: any) => y });
    const engine = load(linear('flow', pair, user), { ...options, outputs: ['x'] });
    assert.equal(await engine.run(), { x: 1 });
    assert.is(engine.storage.fetch('y'), 2);
  });

  test('regions give what they gave', async () => {
    const sum = task({ name: 'sum', requires: ['n', 'so far'], execute: (args: any) => args.n + args['so far'] });
    const sums = reduce(sum, {
      name: 'sums',
      over: 'list',
      as: 'n',
      into: 'so far',
      initial: 0,
      provides: 'total',
    } as any);
    const builds = dynamic('builds', { provides: ['c'], build: () => flow });
    const all: any = linear('all', sums, builds);
    const result: any = await run(all, { list: [1, 2, 3] }, { ...options, outputs: ['c'] });
    assert.equal(result, { c: 3 });
    const engine = load(all, { ...options, inputs: { list: [1, 2, 3] }, outputs: ['c'] });
    assert.equal(await engine.run(), { c: 3 });
    assert.throws(() => engine.storage.getExecuteResult('sums[0]'), /released/);
  });
});

once('outputs that no task provides are refused before anything runs', async () => {
  for (const outputs of [['a', 'd']] as any) {
    const error: any = await rejection(run(flow, {}, { outputs, engine: 'serial' }));
    assert.is(error.code, 'ERR_MILLRACE_INVALID_ARG');
    assert.is(error.message, "option 'outputs' names 'd', which no task of flow 'flow' provides (a, b, c)");
    assert.throws(() => load(flow, { outputs }).validate(), /'d'/);
  }
  for (const outputs of ['a', { a: true }, [1]] as any) {
    assert.throws(() => load(flow, { outputs }), /option 'outputs' must be a list of names/);
  }
});

once('what is recorded stays, and only the outputs are given', async () => {
  const record = { store: await openStore('memory:') };
  const engine = load(flow, { engine: 'serial', record, outputs: ['c'] });
  assert.equal(await engine.run(), { c: 3 });
  assert.is(engine.storage.fetch('a'), 1);
  await record.store.close();
});

once.run();
