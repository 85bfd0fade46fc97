/** What is tried again, and what may fail, in regions and around them. */
import {
  dynamic,
  type Engine,
  each,
  forEach,
  type LoadOptions,
  linear,
  load,
  reduce,
  type Task,
  task,
  times,
} from 'millrace';
import { test as uvu } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, type EngineUnderTest, overEveryEngine } from '../engines.js';
import { type Elements, local, travelling } from '../fixtures/engine/elements.js';
import { captureTasks, rejection } from './capture.js';

function overEveryKind(define: (test: Claim, options: EngineUnderTest['options'], tasks: Elements) => void): void {
  for (const [kind, tasks] of Object.entries({ travelling, local })) {
    overEveryEngine((test, options) => define((claim, body) => test(`${claim}: ${kind} tasks`, body), options, tasks));
  }
}

const over = (task: Task, more: object = {}): Task =>
  each(task as any, { over: 'list', as: 'n', collect: 'out', ...more } as any) as Task;
const loadIt = (flow: any, options: LoadOptions<any>): Engine<any> => load<any, any>(flow, options);
const counters = (size: number) => new Int32Array(new SharedArrayBuffer(4 * size));

overEveryKind((test, options, { double, flaky, picky, pickyAdd }) => {
  test('an element that fails is tried again by itself, and the others are left alone', async () => {
    const counts = counters(20);
    const list = Array.from({ length: 20 }, (_, i) => i);
    const flow = over(flaky.with({ retry: times(3) }));
    const engine = loadIt(flow, { ...options, inputs: { list, counts, fails: 2 } });
    assert.equal(await engine.run(), { out: list });
    assert.equal([...counts], list.fill(3));
    assert.is(engine.storage.getRetryHistory('flaky[7]').length, 3);
    assert.equal(engine.storage.getExecuteFailures(), {});
  });

  test('elements that may fail leave a hole in the list', async () => {
    const engine = loadIt(linear('f', over(picky.with({ mayFail: true }))), {
      ...options,
      inputs: { list: [1, -2, 3, -4] },
    });
    assert.equal(await engine.run(), { out: [1, undefined, 3, undefined] });
    assert.equal(Object.keys(engine.storage.getExecuteFailures()).sort(), ['picky[1]', 'picky[3]']);
    assert.is(engine.state, 'SUCCESS');
  });

  test('a reduction stops at an element whose predecessor has failed, though that may', async () => {
    const sum = reduce(
      pickyAdd.with({ mayFail: true }) as any,
      {
        ...{ over: 'list', as: 'n', into: 'sum', initial: 0, provides: 'total' },
      } as any,
    );
    const engine = loadIt(linear('f', sum), { ...options, inputs: { list: [1, -2, 3] } });
    assert.equal(await engine.run(), { total: undefined });
    assert.match(
      engine.storage.getExecuteFailures()['pickyAdd[2]']!.error.message,
      /requires 'sum'.*had it not failed/,
    );
  });

  test('a region that may fail is passed over with its failure on record', async () => {
    const engine = loadIt(linear('f', over(picky, { mayFail: true }), double.with({ inject: { n: 21 } })), {
      ...options,
      inputs: { list: [-1] },
    });
    assert.equal((await engine.run()).doubled, 42);
    assert.is(engine.storage.getTaskState('picky'), 'FAILURE');
    assert.is(engine.storage.getTaskState('picky[0]'), 'FAILURE');
  });

  test('a region with a retry of its own is reverted and built anew', async () => {
    const counts = counters(1);
    const engine = loadIt(over(flaky, { retry: times(3) }), { ...options, inputs: { list: [0], counts, fails: 2 } });
    const told = captureTasks(engine);
    assert.equal(await engine.run(), { out: [0] });
    assert.equal([...counts], [3]);
    assert.is(engine.storage.getRetryHistory('flaky').length, 3);
    for (const event of ['flaky[0]: REVERTED', 'flaky: REVERTED', 'flaky: RETRYING']) {
      assert.is(told.filter((line) => line === event).length, 2, event);
    }
    assert.ok(told.indexOf('flaky[0]: REVERTED') < told.indexOf('flaky: RETRYING'));
  });

  test('a region is reverted when its own retry gives up', async () => {
    const counts = counters(1);
    const engine = loadIt(over(flaky, { retry: times(2) }), { ...options, inputs: { list: [0], counts, fails: 9 } });
    assert.match((await rejection(engine.run())).message, /no 0 yet/);
    assert.is(engine.state, 'REVERTED');
    assert.equal([...counts], [2]);
  });

  test('a region in a flow with a retry is rolled back with it', async () => {
    const counts = counters(5);
    const last = flaky.with({ name: 'last', inject: { n: 4 } });
    const flow = linear('f', over(double), last).with({ retry: times(2, { provides: 'attempt' }) });
    const engine = loadIt(flow, { ...options, inputs: { list: [1, 2], counts, fails: 1 } });
    const told = captureTasks(engine);
    assert.equal(await engine.run(), { attempt: 2, out: [2, 4] });
    for (const task of ['double', 'double[0]', 'double[1]', 'last']) {
      assert.is(told.filter((event) => event === `${task}: REVERTED`).length, 1, task);
    }
    assert.is(engine.storage.getTaskState('double[1]'), 'SUCCESS');
  });

  test('a flow that is built may have a retry', async () => {
    const counts = counters(4);
    // Not as inputs: those that were recorded would count again after the reset.
    const trying = flaky.with({ provides: 'got', inject: { counts, fails: 1 } });
    const build = () => linear('inner', trying).with({ retry: forEach([1, 2, 3], { provides: 'n' }) });
    const engine = loadIt(linear('f', dynamic('built', { provides: ['got'], build }) as any), options);
    const error: any = await rejection(engine.run());
    assert.match(error.message, /no 3 yet/);
    assert.equal([...counts], [0, 1, 1, 1]);
    assert.is(engine.state, 'REVERTED');
    engine.reset();
    assert.equal(await engine.run(), { got: 1 });
  });

  test('a region that was suspended is reverted with its flow before that is tried again', async () => {
    const counts = counters(5);
    const last = flaky.with({ name: 'last', inject: { n: 4 } });
    const flow = linear('f', over(double), last).with({ retry: times(2) });
    const engine = loadIt(flow, { ...options, inputs: { list: [1, 2, 3], counts, fails: 1 } });
    const suspend = ({ name, state }: { name: string; state: string }) => {
      if (name !== 'double[1]' || state !== 'RUNNING') return;
      engine.off('task', suspend);
      engine.suspend();
    };
    engine.on('task', suspend);
    await engine.run();
    const told = captureTasks(engine);
    if (engine.state === 'SUSPENDED') await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.is(told.filter((event) => event === 'double: REVERTED').length, 1);
  });
});

uvu('what fails in a region that finishes what it can is tried again by the next run', async () => {
  let broken = true;
  const counts: number[] = [];
  const flow = each(
    task({
      name: 'count',
      requires: 'n',
      execute({ n }: { n: number }) {
        counts.push(n);
        if (n === 1 && broken) throw new Error('not yet');
        return n;
      },
    }),
    { over: 'list', as: 'n', collect: 'out' },
  );
  const engine = loadIt(linear('f', flow), {
    ...{ engine: 'serial', failurePolicy: 'finish', neverResolve: true },
    inputs: { list: [0, 1, 2] },
  });
  await rejection(engine.run());
  assert.is(engine.state, 'FAILURE');
  assert.equal(counts, [0, 1, 2]);
  broken = false;
  assert.equal(await engine.run(), { out: [0, 1, 2] });
  assert.equal(counts, [0, 1, 2, 1]);
});

uvu.run();
