/** Tasks that may fail: the flow goes on, and the state says what has happened. */
import { Failure, load, run, task, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { engines, overEveryEngine } from '../engines.js';
import * as stubborn from '../fixtures/engine/stubborn.js';
import * as trying from '../fixtures/engine/trying.js';
import { capture, captureTasks, rejection } from './capture.js';
import { again, counters, failed, flow, graph, linear, overEveryKind, ran, reverted, unordered } from './trying.js';

overEveryKind((test, options, { five, woot, gotcha, wootGotcha, flaky, needs, likes, tellsRevert, mended, gate }) => {
  const maybe = woot.with({ name: 'maybe', provides: 'v', mayFail: true });

  /** One after the other, in each way in which a flow can say so. */
  const ways: [string, (first: any, second: any) => any][] = [
    ['in a linear flow', (first, second) => linear('f', first, second)],
    ['in a graph', (first, second) => graph('f', second, first).link(first, second)],
    ['after an unordered flow', (first, second) => linear('f', unordered('u', first), second)],
    ['after a linear flow within', (first, second) => linear('f', linear('l', first), linear('m', second))],
    ['after a graph within', (first, second) => linear('f', graph('g', first), unordered('m', second))],
    ['in the flow of a retry', (first, second) => linear('f', linear('l', first).with({ retry: times(1) }), second)],
  ];
  const withoutRetries = (states: object) =>
    Object.fromEntries(Object.entries(states).filter(([name]) => !name.endsWith('_retry')));

  for (const [where, make] of ways) {
    test(`what comes after a task that may fail runs all the same, ${where}`, async () => {
      const engine = load(make(maybe, five), options);
      const lines = captureTasks(engine);
      assert.equal(await engine.run(), { five: 5 });
      assert.is(engine.state, 'SUCCESS');
      assert.equal(
        lines.filter((line) => !line.includes('_retry')),
        [...failed('maybe'), ...ran('five', 5)],
      );
      const { storage } = engine;
      assert.equal(
        withoutRetries(storage.getTaskStates()),
        where === 'in a graph' ? { five: 'SUCCESS', maybe: 'FAILURE' } : { maybe: 'FAILURE', five: 'SUCCESS' },
      );
      assert.equal(Object.keys(storage.getExecuteFailures()), ['maybe']);
      assert.instance(storage.getExecuteResult('maybe'), Failure);
      assert.equal(storage.fetchAll(), { five: 5 });
    });

    test(`an optional argument that a task which may fail would have provided takes its default, ${where}`, async () => {
      assert.equal(await run(make(maybe, likes), {}, options), { got: 'nothing' });
      const good = five.with({ name: 'maybe', provides: 'v', mayFail: true });
      assert.equal(await run(make(good, likes), {}, options), { v: 5, got: 5 });
    });

    test(`a task that requires what a task which may fail would have provided fails, ${where}`, async () => {
      const engine = load(make(maybe, needs), options);
      const lines = captureTasks(engine);
      const error = await rejection(engine.run());
      assert.is(error.code, 'ERR_MILLRACE_NOT_FOUND');
      assert.is(error.task, 'needs');
      assert.match(error.message, /'v'/);
      assert.is(engine.state, 'REVERTED');
      assert.equal([...new Set(Object.values(engine.storage.getTaskStates()))], ['REVERTED']);
      assert.equal(
        lines.filter((line) => line.endsWith('REVERTED') && !line.includes('_retry')),
        ['needs: REVERTED', 'maybe: REVERTED'],
      );
    });
  }

  test('the retry of a flow around tries again when what is required was not provided', async () => {
    const counts = counters();
    const tried = flaky.with({ name: 'maybe', provides: 'v', mayFail: true, inject: { counts, at: 0, failures: 1 } });
    const engine = load(linear('f', tried, needs).with({ retry: times(2) }), options);
    const lines = captureTasks(engine);
    assert.equal(await engine.run(), { v: 2, got: 2 });
    assert.equal([...counts.slice(0, 2)], [2, 1]);
    assert.equal(lines.slice(0, 4), [...ran('f_retry', 1), ...failed('maybe', 'Woot 1!')]);
    assert.match(lines[5], /^needs: FAILURE\(Failure: RunError: .*'v'/);
    assert.equal(lines.slice(6), [
      ...[...reverted('needs', 'maybe'), ...again('f_retry', 'maybe', 'needs')],
      ...[...ran('f_retry', 2), ...ran('maybe', 2), ...ran('needs', 2)],
    ]);
    assert.equal(engine.storage.getExecuteFailures(), {});
    const [first, second] = [...engine.storage.getRetryHistory('f_retry')];
    assert.equal(Object.keys(first.failures), ['needs'], 'a retry is not told of what may fail');
    assert.equal(second.failures, {});
  });

  test('no retry is asked about a task that may fail', async () => {
    const engine = load(linear('f', maybe, five).with({ retry: times(9) }), options);
    await engine.run();
    assert.is(engine.storage.getRetryHistory('f_retry').length, 1);
    assert.equal([...engine.storage.getRetryHistory('f_retry')][0].failures, {});
  });

  test('the retry of a task comes first, and then it may fail', async () => {
    const counts = counters();
    const tried = flaky.with({ inject: { counts, at: 0, failures: 9 }, mayFail: true, retry: times(3) });
    const engine = load(linear('f', tried, five), options);
    const lines = captureTasks(engine);
    assert.equal(await engine.run(), { five: 5 });
    assert.equal(lines, [
      ...[1, 2].flatMap((n) => [...failed('flaky', `Woot ${n}!`), ...reverted('flaky'), 'flaky: RETRYING']),
      ...[...failed('flaky', 'Woot 3!'), ...ran('five', 5)],
    ]);
    assert.equal([...counts.slice(0, 2)], [3, 2]);
    assert.is(engine.storage.getExecuteFailures().flaky.message, 'Woot 3!');
    assert.is(engine.storage.getRetryHistory('flaky').length, 3);
  });

  test('a task that may fail and goes well in a later attempt provides its value', async () => {
    const counts = counters();
    const tried = flaky.with({ provides: 'v', inject: { counts, at: 0, failures: 1 }, mayFail: true, retry: times(3) });
    assert.equal(await run(linear('f', tried, needs), {}, options), { v: 2, got: 2 });
  });

  test('when the flow fails later, a task that has failed before is reverted with its failure', async () => {
    const told: unknown[] = [];
    const services = { reverted: (result: string, failures: string[]) => told.push([result, failures]) && undefined };
    const engine = load(linear('f', tellsRevert.with({ mayFail: true }), five, woot.with({ name: 'last' })), {
      ...options,
      services,
    });
    const lines = capture(engine);
    const error = await rejection(engine.run());
    assert.is(error.task, 'last', 'the error of the run is that of the task that must not fail, and no other');
    assert.equal(told, [['Failure: Error: Woot!', ['last']]]);
    assert.equal(lines.slice(-7), [...reverted('last', 'five', 'tellsRevert'), flow('f', 'REVERTED')]);
    assert.is(engine.storage.getTaskState('tellsRevert'), 'REVERTED');
  });

  test('a run that has succeeded in spite of a failure does nothing when it is run again', async () => {
    const engine = load(linear('f', maybe, five), options);
    await engine.run();
    const lines = capture(engine);
    assert.equal(await engine.run(), { five: 5 });
    assert.equal(lines, [flow('f', 'RUNNING'), flow('f', 'SUCCESS')]);
    engine.reset();
    assert.equal(engine.storage.getExecuteFailures(), {});
    lines.length = 0;
    await engine.run();
    assert.equal(lines, [flow('f', 'RUNNING'), ...failed('maybe'), ...ran('five', 5), flow('f', 'SUCCESS')]);
  });

  test('a lone task that may fail is a flow that succeeds', async () => {
    const engine = load(maybe, options);
    const lines = capture(engine);
    assert.equal(await engine.run(), {});
    assert.equal(lines, [flow('maybe', 'RUNNING'), ...failed('maybe'), flow('maybe', 'SUCCESS')]);
  });

  for (const make of [linear, unordered, graph]) {
    test(`a flow of which everything fails, and may, succeeds, ${make('f').kind}`, async () => {
      const names = ['a', 'b', 'c'];
      const engine = load(
        make(
          'f',
          names.map((name) => woot.with({ name, mayFail: true })),
        ),
        options,
      );
      assert.equal(await engine.run(), {});
      assert.equal(engine.storage.getTaskStates(), { a: 'FAILURE', b: 'FAILURE', c: 'FAILURE' });
      assert.equal(Object.keys(engine.storage.getExecuteFailures()).toSorted(), names);
    });
  }

  test('a task that may fail is not reverted when its flow succeeds, nor is its revert called', async () => {
    const engine = load(linear('f', wootGotcha.with({ mayFail: true }), five), options);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.equal(engine.storage.getRevertFailures(), {});
  });

  test('a revert that fails of a task that may fail is a failed revert like any other', async () => {
    let broken = true;
    const services = { broken: () => broken };
    const engine = load(linear('f', mended.with({ mayFail: true }), woot), { ...options, services });
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    assert.is(engine.state, 'FAILURE');
    broken = false;
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is(engine.state, 'REVERTED');
    const both = load(linear('f', wootGotcha.with({ mayFail: true }), woot), options);
    assert.is((await rejection(both.run())).message, 'Gotcha!');
    assert.equal(both.storage.getTaskStates(), { wootGotcha: 'REVERT_FAILURE', woot: 'REVERTED' });
  });

  test('what a task may fail of is forgotten when its flow is tried again', async () => {
    const counts = counters();
    const item = linear(
      'f',
      flaky.with({ name: 'maybe', mayFail: true, inject: { counts, at: 0, failures: 1 } }),
      flaky.with({ name: 'last', inject: { counts, at: 2, failures: 1 } }),
    ).with({ retry: times(2) });
    const engine = load(item, options);
    const lines = captureTasks(engine);
    await engine.run();
    assert.equal(lines, [
      ...[...ran('f_retry', 1), ...failed('maybe', 'Woot 1!'), ...failed('last', 'Woot 1!')],
      ...[...reverted('last', 'maybe'), ...again('f_retry', 'maybe', 'last')],
      ...[...ran('f_retry', 2), ...ran('maybe', 2), ...ran('last', 2)],
    ]);
    assert.equal(engine.storage.getExecuteFailures(), {});
  });

  test('a flow that is suspended after a task that may fail goes on', async () => {
    const alone = { timeout: 60_000 }; // with a timeout a task travels alone
    const engine = load(linear('f', maybe.with(alone), five.with(alone)), options);
    let suspended = false;
    engine.on('task', ({ name, state }) => {
      if (name !== 'maybe' || state !== 'FAILURE' || suspended) return;
      suspended = true;
      engine.suspend();
    });
    assert.equal(await engine.run(), {});
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(engine.storage.getTaskStates(), { maybe: 'FAILURE', five: 'PENDING' });
    assert.equal(await engine.run(), { five: 5 });
    assert.is(engine.state, 'SUCCESS');
  });

  test('an abort is not a failure that is put up with', async () => {
    const controller = new AbortController();
    const services = { gate: () => new Promise(() => {}) };
    const engine = load(linear('f', five, gate.with({ mayFail: true }), five.with({ name: 'never' })), {
      ...{ ...options, services, signal: controller.signal, abortGrace: 1 },
    });
    engine.on('task', ({ name, state }) => name === 'gate' && state === 'RUNNING' && controller.abort());
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.is(engine.state, 'REVERTED');
    assert.is(engine.storage.getTaskState('never'), 'PENDING');
  });

  test('a task that takes too long may fail', async () => {
    const { ignores } = options.engine === 'serial' ? stubborn.local : stubborn.travelling;
    const engine = load(linear('f', ignores.with({ timeout: 150, mayFail: true } as any), five), {
      ...options,
      abortGrace: 1,
    });
    assert.equal(await engine.run(), { five: 5 });
    assert.is(engine.storage.getExecuteFailures().ignores.code, 'ERR_MILLRACE_TIMEOUT');
  });

  test('a failure that a link leads from does not keep its decider from being asked', async () => {
    const asked: object[] = [];
    const decider = (history: object) => asked.push(Object.keys(history)) > 0;
    const engine = load(graph('g', maybe, five).link(maybe, five, { decider }), options);
    await engine.run();
    assert.is(asked.length, 1);
    assert.equal(engine.storage.getTaskStates(), { maybe: 'FAILURE', five: 'SUCCESS' });
  });

  test('a copy may fail or not as it says, and else as what it is a copy of', async () => {
    const copy = maybe.with({ name: 'copy' });
    const strict = copy.with({ name: 'strict', mayFail: false });
    const engine = load(linear('f', copy, gotcha), options);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.is((await rejection(run(strict, {}, options))).message, 'Woot!');
  });
});

for (const { name, options } of engines.filter(({ options }) => options.engine === 'parallel')) {
  once(`a task that ends its worker may fail (${name})`, async () => {
    const dies = trying.exits.with({ inject: { counts: counters(), at: 0, failures: 9 }, mayFail: true } as any);
    const { flaky } = trying.travelling;
    const after = flaky.with({ provides: 'n', inject: { counts: counters(), at: 0, failures: 0 } });
    const engine = load(linear('f', dies, after), options);
    assert.equal(await engine.run(), { n: 1 });
    assert.is(engine.storage.getExecuteFailures().exits.code, 'ERR_MILLRACE_WORKER_EXIT');
  });
}

overEveryEngine((test, options) => {
  test('in a long row of tasks that may fail, each for want of what the one before would have provided, all have their turn', async () => {
    const size = 20_000;
    const link = task({ name: 'link', mayFail: true, requires: 'before', execute: () => 1 });
    const row = Array.from({ length: size }, (_, i) =>
      link.with({ name: `link ${i}`, rebind: { before: `value ${i}` }, provides: `value ${i + 1}` }),
    );
    const first = task({
      ...{ name: 'first', provides: 'value 0', mayFail: true },
      execute() {
        throw new Error('Woot!');
      },
    });
    const engine = load(linear('f', first, row), options);
    assert.equal(await engine.run(), {});
    assert.is(engine.statistics.tasks.FAILURE, size + 1);
  });

  test('a task that is defined as one that may fail, may', async () => {
    const maybe = task({
      ...{ name: 'maybe', provides: 'v', mayFail: true },
      async execute() {
        throw new Error('Woot!');
      },
    });
    assert.equal(await run(linear('f', maybe, trying.local.likes), {}, options), { got: 'nothing' });
  });
});

once.run();
