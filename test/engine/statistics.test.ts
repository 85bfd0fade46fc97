import { linear, load } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { local } from '../fixtures/engine/tasks.js';
import { promised, rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

/** The counts that are not zero. */
const counted = (tasks: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(tasks).filter(([, count]) => count > 0));

overEveryKind((test, options, { five, woot, gotcha, gate }) => {
  const flow = linear('f', five, woot, five.with({ name: 'never' }));

  test('the statistics count the tasks by their states, and the runs', async () => {
    const engine = load(flow, options);
    assert.equal(counted(engine.statistics.tasks), { PENDING: 3 });
    assert.is(engine.statistics.runs, 0);
    await rejection(engine.run());
    assert.equal(counted(engine.statistics.tasks), { PENDING: 1, REVERTED: 2 });
    await rejection(engine.run());
    engine.reset();
    assert.equal(counted(engine.statistics.tasks), { PENDING: 3 });
    assert.is(engine.statistics.runs, 2);
  });

  test('the statistics tell of a run under way', async () => {
    const opened = promised();
    const inside = promised();
    const services = {
      gate: () => {
        inside.resolve();
        return opened.promise;
      },
    };
    const engine = load(linear('f', five, gate, five.with({ name: 'later' })), { ...options, services });
    const running = engine.run();
    await inside.promise;
    const { tasks, runs } = engine.statistics;
    assert.equal(counted(tasks), { PENDING: 1, RUNNING: 1, SUCCESS: 1 });
    assert.is(runs, 1);
    opened.resolve();
    await running;
    assert.equal(counted(engine.statistics.tasks), { SUCCESS: 3 });
  });

  test('a revert that failed is counted as such', async () => {
    const engine = load(linear('f', gotcha, woot), options);
    await rejection(engine.run());
    assert.equal(counted(engine.statistics.tasks), { REVERTED: 1, REVERT_FAILURE: 1 });
  });
});

overEveryEngine((test, options) => {
  test('time passes while a run is under way, and stands still between runs', async () => {
    const opened = promised();
    const engine = load(local.gate, { ...options, services: { gate: () => opened.promise } });
    assert.equal(engine.statistics.activeFor, 0);
    assert.equal(engine.statistics.seconds, { preparing: 0, waiting: 0, running: 0 });
    const running = engine.run();
    while (engine.statistics.activeFor < 0.002) await new Promise((resolve) => setTimeout(resolve, 1));
    opened.resolve();
    await running;
    const first = engine.statistics;
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.equal(engine.statistics, first);
    assert.ok(first.activeFor >= 0.002);
    assert.is(first.seconds.running, first.activeFor);
    assert.ok(first.seconds.preparing > 0);
    await engine.run();
    const second = engine.statistics;
    assert.ok(second.seconds.running >= first.seconds.running);
    assert.ok(Math.abs(second.seconds.running - first.seconds.running - second.activeFor) < 1e-9);
  });

  test('a run that is refused is not counted', async () => {
    const engine = load(local.addOne, options);
    await rejection(engine.run());
    assert.is(engine.statistics.runs, 0);
    assert.equal(engine.statistics.seconds, { preparing: 0, waiting: 0, running: 0 });
  });

  test('a snapshot does not change', async () => {
    const engine = load(local.five, options);
    const before = engine.statistics;
    await engine.run();
    assert.is(before.runs, 0);
    assert.is(before.tasks.PENDING, 1);
  });
});

once.run();
