/** What a failure stops, and what it reverts: failurePolicy, deferReverts and neverResolve. */
import { isMillraceError, load, retry, times, WrappedFailure } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import * as trying from '../fixtures/engine/trying.js';
import { capture, captureTasks, rejection } from './capture.js';
import {
  again,
  counters,
  failed,
  flow,
  graph,
  linear,
  overEveryKind,
  ran,
  reverted,
  trials,
  unordered,
} from './trying.js';

overEveryKind((test, options, { five, woot, flaky, asks, mended, gate }, concurrent) => {
  const finish = { ...options, failurePolicy: 'finish' } as const;
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => five.with({ name }));

  test('with finish, what comes after a failure in a linear flow does not run', async () => {
    const engine = load(linear('f', a, woot, b), finish);
    const lines = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(lines, [
      ...[flow('f', 'RUNNING'), ...ran('a', 5), ...failed('woot'), ...reverted('woot', 'a'), flow('f', 'REVERTED')],
    ]);
    assert.is(engine.storage.getTaskState('b'), 'PENDING');
  });

  test('with finish, what is beside a failure runs to its end, and then all is reverted', async () => {
    const engine = load(unordered('u', woot, linear('l', a, b), linear('m', c, d)), finish);
    const lines = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is(engine.state, 'REVERTED');
    assert.equal(engine.storage.getTaskStates(), {
      ...{ woot: 'REVERTED', a: 'REVERTED', b: 'REVERTED', c: 'REVERTED', d: 'REVERTED' },
    });
    assert.ok(lines.findIndex((line) => line.endsWith('REVERTING')) >= 10, 'nothing is reverted before all has run');
    if (options.engine === 'serial') {
      assert.equal(lines, [
        ...[...failed('woot'), ...ran('a', 5), ...ran('b', 5), ...ran('c', 5), ...ran('d', 5)],
        ...reverted('d', 'c', 'b', 'a', 'woot'),
      ]);
    }
  });

  test('with finish, what depends on a failure in a graph does not run, and the rest does', async () => {
    const free = graph('g', woot, a, b, c, d).link(woot, a).link(a, b).link(c, d);
    const engine = load(free, finish);
    const lines = captureTasks(engine);
    await rejection(engine.run());
    assert.equal(engine.storage.getTaskStates(), {
      ...{ woot: 'REVERTED', a: 'PENDING', b: 'PENDING', c: 'REVERTED', d: 'REVERTED' },
    });
    assert.ok(lines.indexOf('d: SUCCESS(5)') < lines.indexOf('d: REVERTING'));
  });

  test('with finish, what comes after a flow with a failure does not run, however deep the failure is', async () => {
    const inner = unordered('inner', linear('deep', a, woot, b), c);
    const engine = load(linear('f', inner, d), finish);
    await rejection(engine.run());
    assert.equal(engine.storage.getTaskStates(), {
      ...{ a: 'REVERTED', woot: 'REVERTED', b: 'PENDING', c: 'REVERTED', d: 'PENDING' },
    });
  });

  test('with finish, all that fails comes out', async () => {
    const failing = ['x', 'y', 'z'].map((name) => woot.with({ name }));
    const engine = load(unordered('u', failing, a), finish);
    const error = await rejection(engine.run());
    assert.instance(error, WrappedFailure);
    assert.equal(error.errors.map(({ task }: any) => task).toSorted(), ['x', 'y', 'z']);
    assert.equal(engine.storage.getTaskStates(), { x: 'REVERTED', y: 'REVERTED', z: 'REVERTED', a: 'REVERTED' });
  });

  test('with finish, a flow beside a failure is tried again', async () => {
    const counts = counters();
    const tried = linear('tried', a, flaky.with({ inject: { counts, at: 0, failures: 2 } })).with({ retry: times(3) });
    const engine = load(unordered('u', woot, tried), finish);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal([...counts.slice(0, 2)], [3, 3], 'it has succeeded, and was reverted with all the rest');
    assert.is(engine.state, 'REVERTED');
  });

  test('with finish, a task beside a failure is tried again', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 2 }, retry: times(3, { delay: 1 }) });
    const engine = load(unordered('u', woot, tried), finish);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal([...counts.slice(0, 2)], [3, 3]);
  });

  test('with finish, a retry that has given up is not asked again about the same failure', async () => {
    const asked: number[] = [];
    const onFailure = (history: any) => {
      asked.push(history.length);
      return 'REVERT';
    };
    const inner = linear('inner', a, woot).with({ retry: retry({ execute() {}, onFailure: onFailure as any }) });
    const engine = load(unordered('u', inner, linear('l', b, c)), finish);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(asked, [1]);
    assert.equal(engine.storage.getTaskStates(), {
      ...{ inner_retry: 'REVERTED', a: 'REVERTED', woot: 'REVERTED', b: 'REVERTED', c: 'REVERTED' },
    });
  });

  test('with finish, a retry that tries again does so at once', async () => {
    const counts = counters();
    const item = linear('f', a, flaky.with({ inject: { counts, at: 0, failures: 1 } }), b).with({ retry: times(2) });
    const engine = load(item, finish);
    const lines = captureTasks(engine);
    await engine.run();
    assert.equal(lines, [
      ...[...ran('f_retry', 1), ...ran('a', 5), ...failed('flaky', 'Woot 1!'), ...reverted('flaky', 'a')],
      ...[...again('f_retry', 'a', 'flaky'), ...ran('f_retry', 2), ...ran('a', 5), ...ran('flaky', 2), ...ran('b', 5)],
    ]);
  });

  test('with finish, REVERT_ALL reverts all as well', async () => {
    const inner = linear('inner', woot).with({ retry: retry({ execute() {}, onFailure: () => 'REVERT_ALL' }) });
    const item = linear('f', a, inner, b).with({ retry: times(5) });
    const engine = load(item, finish);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), {
      ...{ f_retry: 'REVERTED', a: 'REVERTED', inner_retry: 'REVERTED', woot: 'REVERTED', b: 'PENDING' },
    });
  });

  test('with finish, a flow that is suspended goes on with what does not depend on the failure', async () => {
    const engine = load(unordered('u', woot.with({ timeout: 60_000 }), linear('l', a, b)), finish);
    let suspended = false;
    engine.on('task', ({ name, state }) => {
      if (name !== 'woot' || state !== 'FAILURE' || suspended) return;
      suspended = true;
      engine.suspend();
    });
    await engine.run();
    // On another thread all may have run by then: in that case there is nothing left but to revert.
    assert.is(engine.state, 'SUSPENDED');
    const lines = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is(engine.state, 'REVERTED');
    assert.equal(engine.storage.getTaskStates(), { woot: 'REVERTED', a: 'REVERTED', b: 'REVERTED' });
    assert.not.ok(lines.includes('woot: RUNNING'));
  });

  // A worker that is alone would wait for what it is to do next.
  if (concurrent || options.engine === 'serial') {
    test('with finish, an abort reverts at once', async () => {
      const controller = new AbortController();
      const services = { gate: () => new Promise(() => {}) };
      const engine = load(unordered('u', woot, linear('l', gate, b)), {
        ...{ ...finish, services, signal: controller.signal, abortGrace: 1 },
      });
      const missing = new Set(['woot: FAILURE', 'gate: RUNNING']);
      engine.on('task', ({ name, state }) => {
        if (missing.delete(`${name}: ${state}`) && missing.size === 0) controller.abort();
      });
      assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
      assert.is(engine.storage.getTaskState('b'), 'PENDING');
      assert.is(engine.state, 'REVERTED');
    });
  }

  test('with finish, a revert that fails ends the flow as a failure, and the next run goes on with it', async () => {
    let broken = true;
    const engine = load(unordered('u', woot, linear('l', mended, b)), {
      ...finish,
      services: { broken: () => broken },
    });
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    assert.is(engine.state, 'FAILURE');
    broken = false;
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), { woot: 'REVERTED', mended: 'REVERTED', b: 'REVERTED' });
  });

  test('with finish, a flow without failures does as always', async () => {
    const engine = load(linear('f', a, unordered('u', b, c), d), finish);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.equal([...new Set(Object.values(engine.storage.getTaskStates()))], ['SUCCESS']);
  });

  test('with neverResolve, a failure ends the flow, and the next run goes on with the task that failed', async () => {
    const counts = counters();
    const tried = flaky.with({ provides: 'n', inject: { counts, at: 0, failures: 2 } });
    const engine = load(linear('f', a, tried, b), { ...options, neverResolve: true });
    const lines = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Woot 1!');
    assert.is(engine.state, 'FAILURE');
    assert.equal(lines.splice(0), [
      ...[flow('f', 'RUNNING'), ...ran('a', 5), ...failed('flaky', 'Woot 1!'), flow('f', 'FAILURE')],
    ]);
    assert.equal(engine.storage.getTaskStates(), { a: 'SUCCESS', flaky: 'FAILURE', b: 'PENDING' });
    assert.is((await rejection(engine.run())).message, 'Woot 2!');
    assert.equal(inAnyOrderAtFirst(lines.splice(0)), [
      ...['flaky: PENDING', flow('f', 'RUNNING'), ...failed('flaky', 'Woot 2!'), flow('f', 'FAILURE')],
    ]);
    assert.equal(await engine.run(), { five: 5, n: 3 });
    assert.equal(inAnyOrderAtFirst(lines), [
      ...['flaky: PENDING', flow('f', 'RUNNING'), ...ran('flaky', 3), ...ran('b', 5), flow('f', 'SUCCESS')],
    ]);
    assert.equal([...counts.slice(0, 2)], [3, 0], 'nothing was reverted');
    assert.equal(engine.storage.getExecuteFailures(), {});
  });

  test('with neverResolve, no retry is asked', async () => {
    const counts = counters();
    let asked = 0;
    const controller = retry({
      execute() {},
      onFailure() {
        asked++;
        return 'RETRY';
      },
    });
    const tried = flaky.with({ inject: { counts, at: 0, failures: 1 }, retry: times(5) });
    const engine = load(linear('f', a, tried).with({ retry: controller }), { ...options, neverResolve: true });
    assert.is((await rejection(engine.run())).message, 'Woot 1!');
    assert.equal(engine.storage.getTaskStates(), { f_retry: 'SUCCESS', a: 'SUCCESS', flaky: 'FAILURE' });
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.is(asked, 0);
    assert.equal([...counts.slice(0, 2)], [2, 0]);
  });

  test('with neverResolve and finish, what does not depend on the failure runs', async () => {
    const { executed, ask, undo } = trials({ x: 1 });
    const x = asks.with({ name: 'x' });
    const item = unordered('u', linear('l', x, a), linear('m', b, c));
    const engine = load(item, { ...finish, neverResolve: true, services: { ask, undo } });
    await rejection(engine.run());
    assert.is(engine.state, 'FAILURE');
    assert.equal(engine.storage.getTaskStates(), { x: 'FAILURE', a: 'PENDING', b: 'SUCCESS', c: 'SUCCESS' });
    const lines = captureTasks(engine);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.equal(lines, ['x: PENDING', ...ran('x', 2), ...ran('a', 5)]);
    assert.equal(executed, { x: 2 });
  });

  test('with neverResolve, a task that may fail stops nothing', async () => {
    const engine = load(linear('f', woot.with({ mayFail: true }), a), { ...options, neverResolve: true });
    assert.equal(await engine.run(), { five: 5 });
    assert.equal(engine.storage.getTaskStates(), { woot: 'FAILURE', a: 'SUCCESS' });
  });

  test('with neverResolve, a flow that has failed can be reset', async () => {
    const engine = load(linear('f', a, woot), { ...options, neverResolve: true });
    await rejection(engine.run());
    engine.reset();
    assert.equal(engine.storage.getTaskStates(), { a: 'PENDING', woot: 'PENDING' });
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), { a: 'SUCCESS', woot: 'FAILURE' });
  });

  test('without deferred reverts, only the flow whose retry gives up is reverted, and nothing else starts', async () => {
    const inner = linear('inner', b, woot).with({ retry: times(2) });
    const engine = load(linear('f', a, inner, d), { ...options, deferReverts: false });
    const lines = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(lines.slice(-7), [...reverted('woot', 'b', 'inner_retry'), flow('f', 'REVERTED')]);
    assert.equal(engine.storage.getTaskStates(), {
      ...{ a: 'SUCCESS', inner_retry: 'REVERTED', b: 'REVERTED', woot: 'REVERTED', d: 'PENDING' },
    });
    lines.length = 0;
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(lines.slice(0, 5), [
      ...['a: PENDING', 'inner_retry: PENDING', 'b: PENDING', 'woot: PENDING', flow('f', 'PENDING')],
    ]);
    assert.ok(lines.includes('a: RUNNING'), 'the next run begins from the start');
  });

  test('without deferred reverts, the innermost of the flows whose retries give up is reverted', async () => {
    const inner = linear('inner', b, woot).with({ retry: times(1) });
    const outer = linear('outer', a, inner).with({ retry: times(1) });
    const engine = load(linear('f', c, outer), { ...options, deferReverts: false });
    await rejection(engine.run());
    assert.is(engine.state, 'REVERTED');
    assert.equal(engine.storage.getTaskStates(), {
      ...{ c: 'SUCCESS', outer_retry: 'SUCCESS', a: 'SUCCESS' },
      ...{ inner_retry: 'REVERTED', b: 'REVERTED', woot: 'REVERTED' },
    });
  });

  test('without deferred reverts, a retry around that tries again is heeded', async () => {
    const counts = counters();
    const inner = linear('inner', flaky.with({ inject: { counts, at: 0, failures: 1 } })).with({ retry: times(1) });
    const engine = load(linear('f', a, inner).with({ retry: times(2) }), { ...options, deferReverts: false });
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.equal([...counts.slice(0, 2)], [2, 1]);
  });

  test('without deferred reverts, a flow without retries is reverted as a whole', async () => {
    const engine = load(linear('f', a, linear('inner', b, woot)), { ...options, deferReverts: false });
    await rejection(engine.run());
    assert.equal(engine.storage.getTaskStates(), { a: 'REVERTED', b: 'REVERTED', woot: 'REVERTED' });
  });

  test('without deferred reverts, a failure that no retry gives up on reverts the whole flow', async () => {
    // The retry of a task alone is no flow that could be reverted by itself.
    const engine = load(linear('f', a, woot.with({ retry: times(2) })), { ...options, deferReverts: false });
    await rejection(engine.run());
    assert.equal(engine.storage.getTaskStates(), { a: 'REVERTED', woot: 'REVERTED' });
  });
});

/** A task may go back to its start before the flow says that it runs, or after. */
function inAnyOrderAtFirst(lines: string[]): string[] {
  const [first, second, ...rest] = lines;
  return first.startsWith('flow ') ? [second, first, ...rest] : lines;
}

overEveryEngine((test, options) => {
  for (const [option, value] of Object.entries({ failurePolicy: 'never', deferReverts: 'yes', neverResolve: 1 })) {
    test(`an option that is wrong is refused: ${option}`, async () => {
      let error: unknown;
      try {
        await load(trying.local.likes, { ...options, [option]: value } as any).run();
      } catch (caught) {
        error = caught;
      }
      assert.ok(isMillraceError(error));
      assert.match((error as Error).message, option);
    });
  }
});

once.run();
