/**
 * While a retry waits, nothing else does. No test here waits for a delay that is longer than a few milliseconds:
 * and if a timer were left behind, this file would not come to its end.
 */
import { load, retry, run, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { capture, captureTasks, promised, rejection } from './capture.js';
import { again, counters, failed, flow, graph, linear, overEveryKind, ran, reverted, unordered } from './trying.js';

/** Longer than a test may take. */
const LONG = 600_000;

const onceMore = retry({
  execute() {},
  onFailure: (history) => (history.length < 2 ? { retryAfter: LONG } : 'REVERT'),
});

overEveryKind((test, options, { five, woot, asks, flaky }, concurrent) => {
  /** The two ways to try a failing task again after a long delay, and who then waits. */
  const waiting = [
    ['a flow', linear('slow', woot).with({ retry: times(2, { delay: LONG }) }), 'slow_retry'],
    ['a task', woot.with({ retry: times(2, { delay: LONG }) }), 'woot'],
    ['a flow whose retry says so', linear('slow', woot).with({ retry: onceMore }), 'slow_retry'],
  ] as [string, any, string][];

  for (const [what, slow, who] of waiting) {
    /** Runs it beside a task, and does something when the task has ended and the retry waits. */
    const runBeside = (act: (engine: any) => void, more: object = {}) => {
      const engine: any = load(unordered('u', slow, linear('other', five, five.with({ name: 'b' }))), {
        ...options,
        ...more,
      });
      const missing = new Set([`${who}: RETRYING`, 'b: SUCCESS']);
      engine.on('task', ({ name, state }: any) => {
        if (missing.delete(`${name}: ${state}`) && missing.size === 0) act(engine);
      });
      return engine;
    };

    for (const [when, delay] of [
      ['at once', (act: () => void) => act()],
      ['later', (act: () => void) => void setImmediate(() => setImmediate(act))],
    ] as const) {
      test(`while ${what} waits others run, and an abort ends the waiting ${when}`, async () => {
        const controller = new AbortController();
        const engine = runBeside(() => delay(() => controller.abort('enough')), { signal: controller.signal });
        const error = await rejection(engine.run());
        assert.is(error.code, 'ABORT_ERR');
        assert.is(error.cause, 'enough');
        assert.is(engine.state, 'REVERTED');
        const { five, b, woot } = engine.storage.getTaskStates();
        assert.equal([five, b], ['REVERTED', 'REVERTED']);
        assert.ok(['REVERTED', 'PENDING'].includes(woot));
      });

      test(`while ${what} waits others run, and close() ends the waiting ${when}`, async () => {
        let closed: Promise<void> | undefined;
        const engine = runBeside((it) =>
          delay(() => {
            closed = it.close();
          }),
        );
        assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
        await closed;
        assert.is(engine.state, 'REVERTED');
        assert.is(engine.storage.getTaskState('b'), 'REVERTED');
      });

      test(`while ${what} waits others run, and suspend() ends the waiting ${when}`, async () => {
        let suspended = false;
        const engine = runBeside((it) =>
          delay(() => {
            if (!suspended) it.suspend();
            suspended = true;
          }),
        );
        const lines = captureTasks(engine);
        await engine.run();
        assert.is(engine.state, 'SUSPENDED');
        assert.is(engine.storage.getTaskState('b'), 'SUCCESS');
        lines.length = 0;
        // Without the rest of the delay it goes on at once; the second attempt fails as well, and there is no third.
        assert.is((await rejection(engine.run())).message, 'Woot!');
        assert.is(engine.state, 'REVERTED');
        assert.is(lines.filter((line) => line === 'woot: RUNNING').length, 1);
        assert.equal(
          lines.filter((line) => line.startsWith('five')),
          reverted('five'),
        );
      });
    }

    test(`a flow that was suspended while ${what} waited can be reset and run from the start`, async () => {
      const engine = runBeside((it) => it.suspend());
      await engine.run();
      assert.is(engine.state, 'SUSPENDED');
      engine.reset();
      assert.equal([...new Set(Object.values(engine.storage.getTaskStates()))], ['PENDING']);
      assert.is(engine.storage.getRetryHistory(who).length, 0);
      engine.on('task', ({ name, state }: any) => {
        if (name === who && state === 'RETRYING') setImmediate(() => engine.close());
      });
      assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
    });

    // A worker that is alone would wait for what it is to do next.
    if (concurrent || options.engine === 'serial') {
      test(`a failure elsewhere reverts the flow at once while ${what} waits`, async () => {
        const retrying = promised();
        const services = {
          async ask() {
            await retrying.promise;
            throw new Error('Woot elsewhere!');
          },
          async undo() {},
        };
        const engine = load(unordered('u', slow, asks), { ...options, services });
        engine.on('task', ({ name, state }) => name === who && state === 'RETRYING' && retrying.resolve());
        assert.is((await rejection(engine.run())).message, 'Woot elsewhere!');
        assert.is(engine.state, 'REVERTED');
        assert.is(engine.storage.getTaskState('asks'), 'REVERTED');
      });

      test(`a failure around that is tried again at once does not wait for ${what}`, async () => {
        const counts = counters();
        const retrying = promised();
        let asked = 0;
        const services = {
          async ask() {
            await retrying.promise;
            if (asked++ === 0) throw new Error('Woot elsewhere!');
          },
          async undo() {},
        };
        const tried = flaky.with({ inject: { counts, at: 0, failures: 1 } });
        const long = times(2, { delay: LONG });
        const inner = who === 'woot' ? tried.with({ retry: long }) : linear('slow', tried).with({ retry: long });
        const engine = load(unordered('u', inner, asks).with({ retry: times(2) }), { ...options, services });
        engine.on('task', ({ state }) => state === 'RETRYING' && retrying.resolve());
        await engine.run();
        assert.is(engine.state, 'SUCCESS');
        assert.equal([...counts.slice(0, 2)], [2, 1]);
        assert.is(engine.storage.getRetryHistory('u_retry').length, 2);
        assert.is(engine.storage.getRetryHistory(who === 'woot' ? 'flaky' : who).length, 1, 'it has begun anew');
      });
    }

    test(`a run that is stepped through can be left while ${what} waits`, async () => {
      const engine: any = load(linear('f', five, slow), options);
      let retrying = false;
      engine.on('task', ({ state }: any) => {
        retrying ||= state === 'RETRYING';
      });
      const iterator = engine.runIter();
      while (!retrying) assert.not.ok((await iterator.next()).done);
      await iterator.return();
      assert.is(engine.state, 'SUSPENDED');
      assert.is(engine.storage.getTaskState('five'), 'SUCCESS');
    });
  }

  test('several retries wait at the same time', async () => {
    const controller = new AbortController();
    let waiting = 0;
    const scopes = Array.from({ length: 5 }, (_, i) =>
      linear(`s${i}`, woot.with({ name: `t${i}` })).with({ retry: times(2, { delay: LONG }) }),
    );
    const engine = load(unordered('u', scopes), { ...options, signal: controller.signal });
    engine.on('task', ({ state }) => state === 'RETRYING' && ++waiting === 5 && controller.abort());
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.is(waiting, 5);
  });

  test('a delay that is longer than a timer of Node.js can wait is not cut short', async () => {
    const engine = load(linear('f', woot).with({ retry: times(3, { delay: 2 ** 40, backoff: 1e308 }) }), options);
    let waits = 0;
    engine.on('task', ({ state }) => {
      // A timer that is given too much is through after 1 ms.
      if (state === 'RETRYING' && waits++ === 0) setTimeout(() => engine.close(), 10);
    });
    assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
    assert.is(waits, 1);
  });

  test('a retry tries again after its delays, longer and longer ones', async () => {
    const counts = counters();
    const tried = flaky.with({ provides: 'n', inject: { counts, at: 0, failures: 3 } });
    const item = linear('f', five, tried).with({
      retry: times(4, { delay: 1, backoff: 2, maxDelay: 3, jitter: true }),
    });
    const engine = load(item, options);
    const lines = capture(engine);
    assert.equal(await engine.run(), { five: 5, n: 4 });
    assert.equal(lines, [
      ...[flow('f', 'RUNNING'), ...ran('f_retry', 1)],
      ...[1, 2, 3].flatMap((n) => [
        ...[...ran('five', 5), ...failed('flaky', `Woot ${n}!`), ...reverted('flaky', 'five')],
        ...[...again('f_retry', 'five', 'flaky'), ...ran('f_retry', n + 1)],
      ]),
      ...[...ran('five', 5), ...ran('flaky', 4), flow('f', 'SUCCESS')],
    ]);
  });

  test('a task tries again after its delays', async () => {
    const counts = counters();
    const tried = flaky.with({
      ...{ provides: 'n', inject: { counts, at: 0, failures: 3 } },
      retry: times(4, { delay: 1, backoff: 2, maxDelay: 3, jitter: true }),
    });
    assert.equal(await run(linear('f', five, tried), {}, options), { five: 5, n: 4 });
    assert.equal([...counts.slice(0, 2)], [4, 3]);
  });

  test('a run with delays can be stepped through', async () => {
    const counts = counters();
    const tried = flaky.with({ provides: 'n', inject: { counts, at: 0, failures: 2 } });
    const engine = load(linear('f', five, tried).with({ retry: times(3, { delay: 1 }) }), options);
    const states: string[] = [];
    for await (const state of engine.runIter()) states.push(state);
    assert.is(states.at(-1), 'SUCCESS');
    assert.equal(engine.storage.fetchAll(), { five: 5, n: 3 });
    // It waits for its delay; it does not ask again and again.
    assert.ok(states.length < 200, `${states.length} states`);
  });

  test('what depends on a flow waits with it, and what does not depend runs first', async () => {
    const counts = counters();
    const tried = flaky.with({ name: 'a', provides: 'v', inject: { counts, at: 0, failures: 1 } });
    const scope = linear('scope', tried).with({ retry: times(2, { delay: 1 }) });
    const after = five.with({ name: 'after' });
    const item = graph('g', scope, after, five.with({ name: 'free', provides: 'free' })).link(scope, after);
    const engine = load(item, options);
    const lines = captureTasks(engine);
    await engine.run();
    assert.ok(lines.indexOf('after: RUNNING') > lines.indexOf('a: SUCCESS(2)'));
    if (options.engine === 'serial') {
      assert.equal(lines, [
        ...[...ran('scope_retry', 1), ...failed('a', 'Woot 1!'), ...reverted('a'), ...again('scope_retry', 'a')],
        ...[...ran('free', 5), ...ran('scope_retry', 2), ...ran('a', 2), ...ran('after', 5)],
      ]);
    }
  });
});

once.run();
