/** The retry of a single task: as if the task stood alone in a flow with that retry. */
import { type Failure, forEach, load, run, task, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { engines, overEveryEngine } from '../engines.js';
import * as trying from '../fixtures/engine/trying.js';
import { capture, captureTasks, promised, rejection } from './capture.js';
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

overEveryKind((test, options, { five, woot, gotcha, asks, flaky, lazy }, concurrent) => {
  test('a task that fails is reverted and tried again by itself', async () => {
    const counts = counters();
    const tried = flaky.with({ provides: 'n', inject: { counts, at: 0, failures: 2 }, retry: times(3) });
    const engine = load(linear('f', five, tried, five.with({ name: 'after' })), options);
    const lines = capture(engine);
    assert.equal(await engine.run(), { five: 5, n: 3 });
    assert.equal(lines, [
      ...[flow('f', 'RUNNING'), ...ran('five', 5)],
      ...[...failed('flaky', 'Woot 1!'), ...reverted('flaky'), 'flaky: RETRYING'],
      ...[...failed('flaky', 'Woot 2!'), ...reverted('flaky'), 'flaky: RETRYING'],
      ...[...ran('flaky', 3), ...ran('after', 5), flow('f', 'SUCCESS')],
    ]);
    assert.equal([...counts.slice(0, 2)], [3, 2]);
    assert.equal(engine.storage.getExecuteFailures(), {});
    assert.equal(engine.storage.getTaskStates(), { five: 'SUCCESS', flaky: 'SUCCESS', after: 'SUCCESS' });
  });

  test('a task that has been tried often enough is reverted with its flow', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 9 }, retry: times(2) });
    const engine = load(linear('f', five, tried), options);
    const lines = capture(engine);
    const error = await rejection(engine.run());
    assert.is(error.message, 'Woot 2!');
    assert.is(error.task, 'flaky');
    assert.equal(lines.slice(3), [
      ...[...failed('flaky', 'Woot 1!'), ...reverted('flaky'), 'flaky: RETRYING'],
      ...[...failed('flaky', 'Woot 2!'), ...reverted('flaky', 'five'), flow('f', 'REVERTED')],
    ]);
    assert.equal([...counts.slice(0, 2)], [2, 2]);
    counts.fill(0);
    assert.is((await rejection(engine.run())).message, 'Woot 2!', 'and the next run begins with the first attempt');
    assert.equal([...counts.slice(0, 2)], [2, 2]);
  });

  test('a lone task with a retry can be run', async () => {
    const counts = counters();
    const tried = flaky.with({ provides: 'n', inject: { counts, at: 0, failures: 1 }, retry: times(2) });
    assert.equal(await run(tried, {}, options), { n: 2 });
  });

  test('the attempts of a task are in its history', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 2 }, retry: times(5) });
    const engine = load(linear('f', five, tried), options);
    assert.equal([...engine.storage.getRetryHistory('flaky')], []);
    await engine.run();
    const attempts = [...engine.storage.getRetryHistory('flaky')];
    assert.equal(
      attempts.map(({ failures }: any) =>
        Object.entries(failures).map(([name, failure]: any) => `${name}: ${failure.message}`),
      ),
      [['flaky: Woot 1!'], ['flaky: Woot 2!'], []],
    );
    assert.equal(Object.keys(engine.storage.getRetryHistories()), ['flaky']);
    engine.reset();
    assert.is(engine.storage.getRetryHistory('flaky').length, 0);
  });

  test('a task may have a retry from its definition on, and a copy another one', async () => {
    const counts = counters();
    const first = flaky.with({ inject: { counts, at: 0, failures: 2 }, retry: times(2) });
    const second = first.with({ name: 'second', inject: { at: 2 }, retry: times(3) });
    const kept = second.with({ name: 'kept', inject: { at: 4 } });
    await run(linear('f', second, kept), {}, options);
    assert.equal([...counts.slice(2, 6)], [3, 2, 3, 2]);
    assert.is((await rejection(run(first, {}, options))).message, 'Woot 2!');
  });

  test('the retry of the flow around is asked when that of the task gives up, and the task begins anew', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 3 }, retry: times(2) });
    const engine = load(linear('f', five, tried).with({ retry: times(2) }), options);
    const lines = captureTasks(engine);
    await engine.run();
    const twice = (first: number) => [
      ...[...failed('flaky', `Woot ${first}!`), ...reverted('flaky'), 'flaky: RETRYING'],
    ];
    assert.equal(lines, [
      ...[...ran('f_retry', 1), ...ran('five', 5), ...twice(1), ...failed('flaky', 'Woot 2!')],
      ...[...reverted('flaky', 'five'), ...again('f_retry', 'five', 'flaky')],
      ...[...ran('f_retry', 2), ...ran('five', 5), ...twice(3), ...ran('flaky', 4)],
    ]);
    assert.is(engine.storage.getRetryHistory('flaky').length, 2);
    assert.is(engine.storage.getRetryHistory('f_retry').length, 2);
  });

  test('a task whose revert fails is not tried again, until the next run has reverted it', async () => {
    let broken = true;
    let failing = true;
    const services = {
      async ask() {
        if (failing) throw new Error('Woot!');
      },
      async undo() {
        if (broken) throw new Error('Gotcha!');
      },
    };
    const engine = load(linear('f', five, asks.with({ retry: times(2) })), { ...options, services });
    const lines = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    assert.is(engine.state, 'FAILURE');
    assert.equal(lines.splice(0).slice(-3), [
      ...['asks: REVERTING', 'asks: REVERT_FAILURE(Failure: Error: Gotcha!)', flow('f', 'FAILURE')],
    ]);
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    lines.length = 0;
    [broken, failing] = [false, false];
    await engine.run();
    assert.equal(lines, [
      ...[flow('f', 'RUNNING'), ...reverted('asks'), 'asks: RETRYING', ...ran('asks'), flow('f', 'SUCCESS')],
    ]);
    assert.equal(engine.storage.getRevertFailures(), {});
  });

  test('a failure later in the flow reverts a task that had been tried again once more', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 1 }, retry: times(2) });
    const engine = load(linear('f', tried, woot), options);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal([...counts.slice(0, 2)], [2, 2]);
    assert.equal(engine.storage.getTaskStates(), { flaky: 'REVERTED', woot: 'REVERTED' });
    assert.equal(Object.keys(engine.storage.getExecuteFailures()), ['woot']);
  });

  test('a failure that is not to be tried again reverts the flow at once', async () => {
    const counts = counters();
    const told: string[] = [];
    const retryIf = (error: any) => {
      told.push(error.message);
      return error.message !== 'Woot 2!';
    };
    const tried = flaky.with({ inject: { counts, at: 0, failures: 9 }, retry: times(9, { retryIf }) });
    assert.is((await rejection(run(tried, {}, options))).message, 'Woot 2!');
    assert.equal(told, ['Woot 1!', 'Woot 2!']);
    assert.equal([...counts.slice(0, 2)], [2, 2]);
  });

  test('a flow is not tried again either, if what failed of it is not to be', async () => {
    const counts = counters();
    const item = linear('f', five, flaky.with({ inject: { counts, at: 0, failures: 9 } })).with({
      retry: times(9, { retryIf: (error: any) => error.message !== 'Woot 3!' }),
    });
    assert.is((await rejection(run(item, {}, options))).message, 'Woot 3!');
    assert.equal([...counts.slice(0, 2)], [3, 3]);
  });

  test('an error in retryIf is a failure of the task in the place of its own', async () => {
    const retryIf = () => {
      throw new RangeError('I cannot say');
    };
    const engine = load(linear('f', five, woot.with({ retry: times(3, { retryIf }) })), options);
    const lines = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'I cannot say');
    assert.equal(lines.slice(2), [
      ...[...failed('woot'), 'woot: RETRYING', 'woot: FAILURE(Failure: RangeError: I cannot say)'],
      ...reverted('woot', 'five'),
    ]);
    assert.is(engine.storage.getExecuteFailures().woot.message, 'I cannot say');
  });

  test('an error in retryIf of a flow is a failure of its retry', async () => {
    const retryIf = () => {
      throw new RangeError('I cannot say');
    };
    const engine = load(linear('f', five, woot).with({ retry: times(3, { retryIf }) }), options);
    await rejection(engine.run());
    assert.is(engine.storage.getExecuteFailures().f_retry.message, 'I cannot say');
    assert.equal(engine.storage.getTaskStates(), { f_retry: 'REVERTED', five: 'REVERTED', woot: 'REVERTED' });
  });

  test('forEach of a task is so many attempts', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 9 }, retry: forEach(['a', 'b', 'c']) });
    const engine = load(tried, options);
    assert.is((await rejection(engine.run())).message, 'Woot 3!');
    assert.equal([...counts.slice(0, 2)], [3, 3]);
  });

  test('a task that takes too long is tried again', async () => {
    const tried = lazy.with({
      ...{ inject: { counts: counters(), at: 0, failures: 9 } }, // each attempt is late: no other could be told from a slow machine
      ...{ timeout: 100, retry: times(2) },
    });
    const engine = load(linear('f', five, tried), { ...options, abortGrace: 1 });
    const codes: unknown[] = [];
    engine.on('task', (event) => {
      if (event.state === 'FAILURE') codes.push((event.result as Failure).code);
    });
    assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_TIMEOUT');
    assert.equal(codes, ['ERR_MILLRACE_TIMEOUT', 'ERR_MILLRACE_TIMEOUT']);
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', lazy: 'REVERTED' });
  });

  for (const make of [unordered, graph]) {
    test(`tasks side by side are tried again each by itself, ${make('f').kind}`, async () => {
      const counts = counters(20);
      const tasks = Array.from({ length: 20 }, (_, i) =>
        flaky.with({
          ...{ name: `t${i}`, provides: `n${i}`, retry: times(5) },
          inject: { counts, at: 2 * i, failures: i % 5 },
        }),
      );
      assert.equal(
        await run(make('f', tasks), {}, options),
        Object.fromEntries(tasks.map((_, i) => [`n${i}`, (i % 5) + 1])),
      );
      assert.equal(
        [...counts],
        tasks.flatMap((_, i) => [(i % 5) + 1, i % 5]),
      );
    });
  }

  if (concurrent) {
    test('while a task is tried again, one beside it goes on', async () => {
      const opened = promised();
      const { executed, ask, undo } = trials({ a: 2 });
      const services = {
        undo,
        async ask(name: string) {
          if (name === 'b') await opened.promise;
          return ask(name);
        },
      };
      const [a, b] = ['a', 'b'].map((name) => asks.with({ name, timeout: 60_000 }));
      const engine = load(unordered('u', b, a.with({ retry: times(3) })), { ...options, services });
      engine.on('task', ({ name, state }) => name === 'a' && state === 'SUCCESS' && opened.resolve());
      await engine.run();
      assert.equal(executed, { a: 3, b: 1 });
    });
  }

  test('a task after one with a retry is not started before its time', async () => {
    const counts = counters();
    const tried = flaky.with({ name: 'a', provides: 'v', inject: { counts, at: 0, failures: 3 }, retry: times(4) });
    const engine = load(linear('f', tried, five.with({ name: 'b' }), gotcha), options);
    const lines = captureTasks(engine);
    await engine.run();
    assert.equal(lines.slice(-6), [...ran('a', 4), ...ran('b', 5), ...ran('gotcha')]);
  });
});

for (const { name, options } of engines.filter(({ options }) => options.engine === 'parallel')) {
  once(`a task that ends its worker is tried again on another (${name})`, async () => {
    const counts = counters();
    const tried = trying.exits.with({ inject: { counts, at: 0, failures: 2 }, retry: times(3) } as object);
    const engine = load(linear('f', tried), options);
    const codes: unknown[] = [];
    engine.on('task', (event) => {
      if (event.state === 'FAILURE') codes.push((event.result as Failure).code);
    });
    await engine.run();
    assert.equal(codes, ['ERR_MILLRACE_WORKER_EXIT', 'ERR_MILLRACE_WORKER_EXIT']);
    assert.equal([...counts.slice(0, 2)], [3, 2]);
  });

  once(`a flow whose task ends its worker is tried again (${name})`, async () => {
    const counts = counters();
    const { flaky } = trying.travelling;
    const alone = { timeout: 60_000 }; // with a timeout a task travels alone, hence what is before it has been told
    const before = flaky.with({ name: 'before', inject: { counts, at: 2, failures: 0 }, ...alone });
    const item = linear('f', before, trying.exits.with({ inject: { counts, at: 0, failures: 2 }, ...alone }));
    const engine = load(item.with({ retry: times(3) }), options);
    await engine.run();
    assert.equal([...counts.slice(0, 4)], [3, 2, 3, 2]);
  });
}

overEveryEngine((test, options) => {
  test('a task that is defined with a retry is tried again', async () => {
    let tries = 0;
    const tried = task({
      ...{ name: 'tried', provides: 'n', retry: times(3) },
      execute() {
        if (++tries < 3) throw new Error('Woot!');
        return tries;
      },
    });
    assert.equal(await run(tried, {}, options), { n: 3 });
  });

  test('an error that is caught and thrown again by each attempt does no harm', async () => {
    const error = new Error('always the same');
    const tried = task({
      ...{ name: 'tried', retry: times(3) },
      execute() {
        throw error;
      },
    });
    assert.is(await rejection(run(linear('f', tried), {}, options)), error);
    const item = linear('g', tried.with({ name: 'b', retry: times(1) })).with({ retry: times(3) });
    assert.is(await rejection(run(item, {}, options)), error);
  });
});

once.run();
