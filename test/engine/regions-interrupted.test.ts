/** Regions that are tried again, also while they are suspended, aborted or closed. */
import { dynamic, each, load, task, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { recorded } from '../engines.js';
import { captureTasks, codeOf, rejection } from './capture.js';
import { counters, linear, overEveryKind, unordered } from './trying.js';

const region: (task: any, options: object) => any = each as any;
const built: (name: string, options: object) => any = dynamic as any;

/** The places of so many tasks in `counters`. */
const places = (size: number) => Array.from({ length: size }, (_, i) => 2 * i);

overEveryKind((test, options, { five, flaky, woot }) => {
  /** `flaky` for each place. */
  const overPlaces = (element: any, more: object = {}) =>
    region(element, { over: 'places', as: 'at', collect: 'out', name: 'all', ...more });

  test('a region is tried again with its flow, and reads its list again', async () => {
    const counts = counters(8);
    const list = task({ ...{ name: 'list', requires: 'n', provides: 'places' }, execute: ({ n }: any) => places(n) });
    const last = flaky.with({ name: 'last', inject: { at: 14, failures: 2 } });
    const item = linear('f', list, overPlaces(flaky.with({ inject: { failures: 0 } })), last).with({
      retry: times(3, { provides: 'n' }),
    });
    const engine = load(item, { ...options, inputs: { counts } });
    const result: any = await engine.run();
    assert.equal(result.out, [3, 2, 1]);
    assert.equal([...counts.slice(0, 8)], [3, 2, 2, 1, 1, 0, 0, 0], 'executed and reverted');
    const { 'all[0]': first, 'all[2]': third, all } = engine.storage.getTaskStates();
    assert.equal([all, first, third], ['SUCCESS', 'SUCCESS', 'SUCCESS']);
  });

  test('a region that fails is tried again with its flow', async () => {
    const counts = counters(8);
    const item = linear('f', five, overPlaces(flaky.with({ inject: { failures: 1 } }))).with({ retry: times(9) });
    const engine = load(item, { ...options, inputs: { counts, places: places(4) } });
    const result: any = await engine.run();
    assert.is(result.five, 5);
    assert.ok(result.out.every((n: number) => n >= 2));
    for (const at of places(4)) assert.is(counts[at], counts[at + 1] + 1, 'all but the last execution were reverted');
  });

  test('a flow that a region has built is tried again by its own retry', async () => {
    const counts = counters();
    const tried = flaky.with({ provides: 'out', inject: { counts, at: 0, failures: 2 } });
    const inner = linear('inner', five, tried).with({ retry: times(3, { delay: 1, provides: 'n' }) });
    const engine = load(linear('f', built('region', { provides: ['out', 'n'], build: () => inner }), woot), options);
    const lines = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal([...counts.slice(0, 2)], [3, 3]);
    assert.equal(
      lines.filter((line) => /^inner_retry: (SUCCESS|REVERTED)/.test(line)),
      ['inner_retry: SUCCESS(1)', 'inner_retry: SUCCESS(2)', 'inner_retry: SUCCESS(3)', 'inner_retry: REVERTED'],
    );
    assert.is(engine.storage.getTaskState('region'), 'REVERTED');
  });

  test('when the retry in a region gives up, that of the flow around it is asked, and the region is built again', async () => {
    const counts = counters();
    let builds = 0;
    const inner = linear('inner', flaky.with({ inject: { counts, at: 0, failures: 3 } })).with({ retry: times(2) });
    const item = linear('f', built('region', { build: () => ++builds && inner })).with({ retry: times(2) });
    const engine = load(item, options);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.is(builds, 2);
    assert.equal([...counts.slice(0, 2)], [4, 3]);
  });

  for (const [what, end] of [
    ['an abort', (_: any, controller: AbortController) => controller.abort()],
    ['close()', (engine: any) => engine.close()],
  ] as const) {
    test(`${what} ends the waiting of a retry in a region`, async () => {
      const controller = new AbortController();
      const inner = linear('inner', woot).with({ retry: times(2, { delay: 600_000 }) });
      const engine = load(unordered('u', built('region', { build: () => inner }), five), {
        ...{ ...options, signal: controller.signal },
      });
      engine.on('task', ({ name, state }) => {
        if (name === 'inner_retry' && state === 'RETRYING') setImmediate(() => end(engine, controller));
      });
      assert.match((await rejection(engine.run())).code, /ABORT_ERR|ERR_MILLRACE_CLOSED/);
      assert.is(engine.state, 'REVERTED');
    });
  }

  test('a retry in a region that waits is suspended at once, and goes on without the rest of the delay', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 1 } });
    const inner = linear('inner', tried).with({ retry: times(2, { delay: 600_000 }) });
    const engine = load(linear('f', built('region', { build: () => inner }), five), options);
    engine.on('task', ({ name, state }) => {
      if (name === 'inner_retry' && state === 'RETRYING') setImmediate(() => engine.suspend());
    });
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(await engine.run(), { five: 5 });
    assert.equal([...counts.slice(0, 2)], [2, 1]);
  });

  /** Elements with retries, in a region, in a flow that is tried again. */
  const whole = (counts: Int32Array) => {
    const all = overPlaces(flaky.with({ inject: { counts, failures: 1 }, retry: times(2) }));
    const last = flaky.with({ name: 'last', inject: { counts, at: 8, failures: 1 } });
    return load(linear('f', five, all, last).with({ retry: times(2) }), {
      ...{ ...options, inputs: { places: places(3) } },
    });
  };

  test('wherever it is suspended, a flow with a region that is tried again comes to the same end', async () => {
    const undisturbed = whole(counters());
    const events = captureTasks(undisturbed);
    const expected = await undisturbed.run();
    for (let stop = 1; stop <= events.length; stop += options.engine === 'serial' ? 1 : 3) {
      const counts = counters();
      const engine = whole(counts);
      const lines = captureTasks(engine);
      engine.on('task', () => lines.length === stop && engine.suspend());
      let result = await engine.run();
      if (engine.state === 'SUSPENDED') result = await engine.run();
      const where = `after ${stop}: ${events[stop - 1]}`;
      assert.is(engine.state, 'SUCCESS', where);
      assert.equal(result, expected, where);
      assert.equal([...counts.slice(0, 10)], [3, 2, 3, 2, 3, 2, 0, 0, 2, 1], where);
    }
  });

  test('wherever it is aborted, a flow with a region that is tried again is reverted', async () => {
    const undisturbed = whole(counters());
    const events = captureTasks(undisturbed);
    await undisturbed.run();
    for (let stop = 1; stop <= events.length; stop += options.engine === 'serial' ? 1 : 3) {
      const counts = counters();
      const engine = whole(counts);
      const lines = captureTasks(engine);
      let closed: Promise<void> | undefined;
      engine.on('task', () => {
        if (lines.length === stop) closed = engine.close();
      });
      const where = `after ${stop}: ${events[stop - 1]}`;
      const code = await codeOf(engine.run());
      await closed;
      if (recorded && code === undefined) continue; // it was over
      assert.is(code, 'ERR_MILLRACE_CLOSED', where);
      assert.is(engine.state, 'REVERTED', where);
      for (const at of [0, 2, 4, 8]) assert.ok(counts[at + 1] >= counts[at], `${where}: ${counts}`);
    }
  });
});

once.run();
