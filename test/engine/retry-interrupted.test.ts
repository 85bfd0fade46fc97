/** A flow that is suspended, aborted, closed, or whose revert fails, in the midst of trying again. */
import { load, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { recorded } from '../engines.js';
import { capture, captureTasks, codeOf, promised, rejection } from './capture.js';
import { again, counters, failed, flow, linear, overEveryKind, ran, reverted, trials, unordered } from './trying.js';

overEveryKind((test, options, { five, woot, mended, asks, flaky }, concurrent) => {
  const one = (counts: Int32Array, name: string, at: number, failures: number, more: object = {}) =>
    flaky.with({ name, inject: { counts, at, failures }, ...more });

  /** Tries again a task, a flow within and the flow around; succeeds in the end, or not. */
  const whole = (counts: Int32Array, good: boolean) =>
    linear(
      'f',
      one(counts, 'a', 0, 0),
      linear('inner', one(counts, 'b', 2, 0), one(counts, 'c', 4, 1, { retry: times(2) }), one(counts, 'd', 6, 3)).with(
        {
          retry: times(2),
        },
      ),
      one(counts, 'e', 8, good ? 0 : 9),
    ).with({ retry: times(good ? 2 : 3) });

  /** At which events a flow is disturbed: at each; those with workers, which take longer, share them out. */
  const stops = (events: number) => {
    const [first, step] = options.engine === 'serial' ? [1, 1] : [1 + Math.log2(Number(options.workers)), 3];
    return Array.from({ length: Math.ceil((events + 1 - first) / step) }, (_, i) => first + i * step);
  };

  const ending = (engine: { run(): Promise<unknown> }) =>
    engine.run().then(
      () => undefined,
      (error) => error.message,
    );

  for (const good of [true, false]) {
    test(`wherever it is suspended, a flow goes on as if nothing had been, and ${good ? 'succeeds' : 'fails'}`, async () => {
      const undisturbed: any = load(whole(counters(), good), options);
      const expected = captureTasks(undisturbed);
      const message = await ending(undisturbed);
      assert.is(undisturbed.state, good ? 'SUCCESS' : 'REVERTED');
      for (const stop of stops(expected.length)) {
        const engine: any = load(whole(counters(), good), options);
        const lines = captureTasks(engine);
        engine.on('task', () => lines.length === stop && engine.suspend());
        const where = `after ${stop}: ${expected[stop - 1]}`;
        let outcome = await ending(engine);
        if (engine.state === 'SUSPENDED') {
          assert.is(outcome, undefined, where);
          outcome = await ending(engine);
        }
        assert.equal(lines, expected, where);
        assert.is(outcome, message, where);
        assert.is(engine.state, undisturbed.state, where);
      }
    });

    test(`suspended at every step, a flow still ${good ? 'succeeds' : 'fails'}`, async () => {
      const undisturbed: any = load(whole(counters(), good), options);
      const expected = captureTasks(undisturbed);
      const message = await ending(undisturbed);
      const engine: any = load(whole(counters(), good), options);
      const lines = captureTasks(engine);
      engine.on('task', () => engine.suspend());
      let outcome = await ending(engine);
      for (let runs = 1; engine.state === 'SUSPENDED'; runs++) {
        assert.ok(runs <= expected.length, 'each run does something');
        outcome = await ending(engine);
      }
      assert.equal(lines, expected);
      assert.is(outcome, message);
      assert.is(engine.state, undisturbed.state);
    });
  }

  test('wherever it is aborted, a flow is reverted, and whatever was executed is reverted once', async () => {
    const undisturbed: any = load(whole(counters(), true), options);
    const expected = captureTasks(undisturbed);
    await undisturbed.run();
    for (const stop of stops(expected.length)) {
      const controller = new AbortController();
      const counts = counters();
      const engine: any = load(whole(counts, true), { ...options, signal: controller.signal, abortGrace: 60_000 });
      const lines = captureTasks(engine);
      engine.on('task', () => lines.length === stop && controller.abort());
      const where = `after ${stop}: ${expected[stop - 1]}`;
      const code = await codeOf(engine.run());
      if (recorded && code === undefined) continue; // it was over
      assert.is(code, 'ABORT_ERR', where);
      assert.is(engine.state, 'REVERTED', where);
      for (const [name, state] of Object.entries(engine.storage.getTaskStates())) {
        assert.ok(state === 'REVERTED' || state === 'PENDING', `${where}: ${name} is ${state}`);
        const of = lines.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
        const ended = of.filter((line) => /^(SUCCESS|FAILURE)/.test(line)).length;
        const undone = of.filter((line) => line === 'REVERTING').length;
        // A retry is not reverted between its attempts: only once, or each time that the flow around is tried again.
        if (/retry/.test(name)) assert.ok(undone <= ended, `${where}: ${name}: ${of}`);
        else assert.is(undone, ended, `${where}: ${name}: ${of}`);
      }
      for (let at = 0; at < 10; at += 2) assert.ok(counts[at + 1] >= counts[at], `${where}: ${counts}`);
    }
  });

  test('an abort in the midst of a rollback reverts all of the flow, and does not try again', async () => {
    const controller = new AbortController();
    const counts = counters();
    const inner = linear('inner', five.with({ name: 'b' }), five.with({ name: 'c' }), one(counts, 'd', 0, 1));
    const item = linear('f', five.with({ name: 'a' }), inner.with({ retry: times(2) }));
    const engine = load(item, { ...options, signal: controller.signal });
    const lines = capture(engine);
    engine.on('task', ({ name, state }) => name === 'c' && state === 'REVERTING' && controller.abort());
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.equal(lines, [
      ...[flow('f', 'RUNNING'), ...ran('a', 5), ...ran('inner_retry', 1), ...ran('b', 5), ...ran('c', 5)],
      ...[...failed('d', 'Woot 1!'), ...reverted('d', 'c', 'b', 'inner_retry', 'a'), flow('f', 'REVERTED')],
    ]);
    assert.is(engine.storage.getRetryHistory('inner_retry').length, 0);
  });

  test('close() in the midst of a rollback reverts all of the flow, and does not try again', async () => {
    const counts = counters();
    const inner = linear('inner', five.with({ name: 'b' }), one(counts, 'd', 0, 1)).with({ retry: times(2) });
    const engine = load(linear('f', five.with({ name: 'a' }), inner), options);
    let closed: Promise<void> | undefined;
    engine.on('task', ({ name, state }) => {
      if (name === 'd' && state === 'REVERTED') closed = engine.close();
    });
    assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
    await closed;
    assert.equal([...counts.slice(0, 2)], [1, 1]);
    assert.equal(engine.storage.getTaskStates(), {
      ...{ a: 'REVERTED', inner_retry: 'REVERTED', b: 'REVERTED', d: 'REVERTED' },
    });
  });

  // A worker that is alone would wait for what it is to do next.
  if (concurrent || options.engine === 'serial') {
    test('a failure around that comes in the midst of a rollback absorbs it', async () => {
      // The task beside fails while the flow within is rolled back, and the retry around decides.
      const rolling = promised();
      const { executed, reverted: undone, ask } = trials({ inside: 1, beside: 1 });
      const services = {
        async ask(name: string) {
          if (name === 'beside') await rolling.promise;
          return ask(name);
        },
        async undo(name: string) {
          undone[name] = (undone[name] ?? 0) + 1;
          if (name === 'inside') rolling.resolve();
        },
      };
      const alone = { timeout: 60_000 };
      const inner = linear('inner', asks.with({ name: 'inside', ...alone })).with({ retry: times(3) });
      const item = unordered('u', inner, asks.with({ name: 'beside', ...alone })).with({ retry: times(2) });
      const engine = load(item, { ...options, services });
      await engine.run();
      assert.is(engine.state, 'SUCCESS');
      assert.is(executed.beside, 2);
      assert.is(undone.beside, 1);
      assert.is(engine.storage.getRetryHistory('u_retry').length, 2);
      assert.is(engine.storage.getRetryHistory('inner_retry').length, 1);
      // The flow within may have come to its second attempt before the task beside had failed.
      assert.is(executed.inside, undone.inside + 1);
    });
  }

  if (concurrent) {
    for (const [when, moment] of [
      ['while what it had done is being reverted', 'undo'],
      ['while it waits for what still runs', 'ask'],
    ]) {
      test(`a failure around absorbs the rollback of a flow ${when}, and each task is reverted once`, async () => {
        const [begun, absorbed] = [promised(), promised()];
        const { executed, reverted: undone, ask, undo } = trials({ last: 1, beside: 1 });
        const services = {
          async ask(name: string) {
            if (name === 'beside') await begun.promise;
            // The last one fails at once; what runs beside it ends after the failure around.
            if (name === 'slow' && moment === 'ask') await absorbed.promise;
            return ask(name);
          },
          async undo(name: string) {
            // Once the last one is reverted, all before it are to be: more than the threads can hold.
            if (name !== 'last') {
              begun.resolve();
              if (moment === 'undo') await absorbed.promise;
            }
            return undo(name);
          },
        };
        const alone = { timeout: 60_000 };
        const before = Array.from({ length: 10 }, (_, i) => asks.with({ name: `a${i}`, ...alone }));
        const last = unordered(
          'end',
          asks.with({ name: 'last', priority: 1, ...alone }),
          asks.with({ name: 'slow', ...alone }),
        );
        const inner = linear(
          'inner',
          unordered('many', before),
          moment === 'ask' ? last : asks.with({ name: 'last', ...alone }),
        );
        const engine = load(
          unordered('u', inner.with({ retry: times(3) }), asks.with({ name: 'beside', ...alone })).with({
            retry: times(2),
          }),
          {
            ...options,
            services,
          },
        );
        engine.on('task', ({ name, state }) => {
          if (name === 'last' && state === 'FAILURE' && moment === 'ask') begun.resolve();
          if (name === 'beside' && state === 'FAILURE') absorbed.resolve();
        });
        await engine.run();
        assert.is(engine.state, 'SUCCESS');
        for (const [name, times] of Object.entries(executed)) {
          // What had not begun when the flow was rolled back has run once.
          if (name === 'slow') assert.is(times, (undone[name] ?? 0) + 1);
          else assert.equal([name, times, undone[name]], [name, 2, 1]);
        }
        assert.is(engine.storage.getRetryHistory('u_retry').length, 2);
        assert.is(engine.storage.getRetryHistory('inner_retry').length, 1);
      });
    }
  }

  test('when a revert fails before a retry, the next run reverts the rest, and tries again', async () => {
    let broken = true;
    const counts = counters();
    const item = linear('f', five, mended, five.with({ name: 'b' }), one(counts, 'c', 0, 1)).with({
      retry: times(2, { provides: 'n' }),
    });
    const engine = load(linear('g', five.with({ name: 'a' }), item), {
      ...options,
      services: { broken: () => broken },
    });
    const lines = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    assert.is(engine.state, 'FAILURE');
    assert.equal(lines.splice(0).slice(-7), [
      ...[...reverted('c', 'b'), 'mended: REVERTING', 'mended: REVERT_FAILURE(Failure: Error: Gotcha!)'],
      flow('g', 'FAILURE'),
    ]);
    assert.equal(Object.keys(engine.storage.getRevertFailures()), ['mended']);
    assert.is((await rejection(engine.run())).message, 'Gotcha!', 'it fails again');
    assert.equal(lines.splice(0), [
      ...[flow('g', 'RUNNING'), 'mended: REVERTING', 'mended: REVERT_FAILURE(Failure: Error: Gotcha!)'],
      flow('g', 'FAILURE'),
    ]);
    broken = false;
    assert.equal(await engine.run(), { five: 5, n: 2 });
    assert.equal(lines, [
      ...[flow('g', 'RUNNING'), ...reverted('mended', 'five'), ...again('f_retry', 'five', 'mended', 'b', 'c')],
      ...[...ran('f_retry', 2), ...ran('five', 5), ...ran('mended'), ...ran('b', 5), ...ran('c', 2)],
      flow('g', 'SUCCESS'),
    ]);
    assert.equal(engine.storage.getRevertFailures(), {});
    assert.equal(engine.storage.getExecuteFailures(), {});
  });

  test('when a revert fails before a retry, a reset puts everything back', async () => {
    let broken = true;
    const counts = counters();
    const item = linear('f', mended, one(counts, 'c', 0, 1)).with({ retry: times(2, { provides: 'n' }) });
    const engine = load(item, { ...options, services: { broken: () => broken } });
    await rejection(engine.run());
    assert.is(engine.state, 'FAILURE');
    engine.reset();
    broken = false;
    counts.fill(0);
    assert.equal(engine.storage.getTaskStates(), { f_retry: 'PENDING', mended: 'PENDING', c: 'PENDING' });
    assert.is(engine.storage.getRetryHistory('f_retry').length, 0);
    assert.equal(await engine.run(), { n: 2 });
    assert.equal([...counts.slice(0, 2)], [2, 1]);
  });

  test('while a revert fails in one branch, no retry of another one starts', async () => {
    const counts = counters();
    const inner = linear('inner', mended, woot).with({ retry: times(2) });
    const item = linear('f', one(counts, 'a', 0, 0), inner, one(counts, 'after', 2, 0));
    const engine = load(item, { ...options, services: { broken: () => true } });
    for (let runs = 0; runs < 3; runs++) {
      assert.is((await rejection(engine.run())).message, 'Gotcha!');
      assert.equal(engine.storage.getTaskStates(), {
        ...{ a: 'SUCCESS', inner_retry: 'SUCCESS', mended: 'REVERT_FAILURE', woot: 'REVERTED', after: 'PENDING' },
      });
    }
    assert.equal([...counts.slice(0, 4)], [1, 0, 0, 0]);
  });

  test('an error thrown into a stepped run in the midst of a rollback ends it, and a later run goes on', async () => {
    const counts = counters();
    const item = linear('f', five, one(counts, 'c', 0, 1)).with({ retry: times(2, { provides: 'n' }) });
    const engine = load(item, options);
    let rolling = false;
    engine.on('task', ({ state }) => {
      rolling ||= state === 'REVERTING';
    });
    const iterator = engine.runIter();
    while (!rolling) assert.not.ok((await iterator.next()).done);
    const error = new Error('interrupted');
    assert.is(await rejection(iterator.throw(error)), error);
    assert.is(engine.state, 'FAILURE');
    assert.equal(await engine.run(), { five: 5, n: 2 });
    assert.equal([...counts.slice(0, 2)], [2, 1]);
  });

  test('a suspended flow that is reset begins with the first attempt', async () => {
    const counts = counters();
    const item = linear('f', five, one(counts, 'c', 0, 3)).with({ retry: times(3, { provides: 'n' }) });
    const engine = load(item, options);
    let attempts = 0;
    engine.on(
      'task',
      ({ name, state }) => name === 'c' && state === 'REVERTED' && ++attempts === 2 && engine.suspend(),
    );
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.is(engine.storage.getRetryHistory('f_retry').length, 2);
    engine.reset();
    assert.is(engine.storage.getRetryHistory('f_retry').length, 0);
    assert.equal(await engine.run(), { five: 5, n: 2 });
    assert.equal([...counts.slice(0, 2)], [4, 3]);
  });
});

once.run();
