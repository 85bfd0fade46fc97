/** TaskFlow's claims about retry controllers. */
import {
  alwaysRevert,
  alwaysRevertAll,
  Failure,
  type FlowItem,
  forEach,
  load,
  parameterizedForEach,
  retry,
  run,
  times,
} from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { capture, captureTasks, promised, rejection } from '../engine/capture.js';
import { again, counters, failed, flow, graph, linear, ran, reverted, unordered } from '../engine/trying.js';
import * as trying from '../fixtures/engine/trying.js';
import { local as localTasks } from '../fixtures/taskflow/tasks.js';
import { overEveryKind } from './kinds.js';

const oneReturn = retry({ provides: 'x', execute: () => 1, onFailure: () => 'REVERT' });
/** As those of TaskFlow's tests: the number of the attempt, and so many of them. */
const fiveTimes = retry({
  execute: (history) => history.length + 1,
  onFailure: (history) => (history.length < 5 ? 'RETRY' : 'REVERT_ALL'),
});
const alwaysRetry = retry({ execute: (history) => history.length + 1, onFailure: () => 'RETRY' });

overEveryKind((test, options, tasks) => {
  const { progressing, conditional, lateConditional, failing, failingWith, waiting, nasty, noop, echo } = tasks;
  const { flaky } = tasks.one === localTasks.one ? trying.local : trying.travelling;
  const concurrent = options.engine === 'parallel' && (tasks.one === localTasks.one || Number(options.workers) > 1);
  const task1 = progressing.with({ name: 'task1' });
  const [noop1, noop2, noop3, noop4] = [1, 2, 3, 4].map((i) => noop.with({ name: `task${i}` }));
  const conditional2 = conditional.with({ name: 'task2' });

  /** Runs a flow that is to fail; gives what was told. */
  async function fails(item: FlowItem, inputs: object, message: RegExp, more: object = {}) {
    const engine = load(item, { ...options, inputs, ...more });
    const lines = capture(engine);
    assert.match((await rejection(engine.run())).message, message);
    return { engine, lines };
  }

  /** Runs a flow that is to succeed; gives what was told. */
  async function succeeds(item: FlowItem, inputs: object) {
    const engine = load(item, { ...options, inputs });
    const lines = capture(engine);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    return { engine, lines };
  }

  for (const make of [linear, unordered, graph]) {
    test(`a retry alone in a flow runs, ${make('f').kind}`, async () => {
      const { engine, lines } = await succeeds(make('flow-1').with({ retry: oneReturn }), {});
      assert.equal(engine.storage.fetchAll(), { x: 1 });
      assert.equal(lines, [flow('flow-1', 'RUNNING'), ...ran('flow-1_retry', 1), flow('flow-1', 'SUCCESS')]);
    });
  }

  test('a flow that fails is reverted and tried again, with the next number of the attempt', async () => {
    const item = linear('flow-1', task1, conditional2).with({ retry: times(4, { name: 'r1', provides: 'x' }) });
    const { engine, lines } = await succeeds(item, { y: 2 });
    assert.equal(engine.storage.fetchAll(), { y: 2, x: 2 });
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1', 1), ...ran('task1', 5), ...failed('task2')],
      ...[...reverted('task2', 'task1'), ...again('r1', 'task1', 'task2')],
      ...[...ran('r1', 2), ...ran('task1', 5), ...ran('task2'), flow('flow-1', 'SUCCESS')],
    ]);
  });

  test('a flow that has been tried often enough is reverted with its retry', async () => {
    const item = linear('flow-1', task1, conditional2).with({ retry: times(2, { name: 'r1', provides: 'x' }) });
    const { engine, lines } = await fails(item, { y: 4 }, /^Woot/);
    assert.equal(engine.storage.fetchAll(), { y: 4 });
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1', 1), ...ran('task1', 5), ...failed('task2')],
      ...[...reverted('task2', 'task1'), ...again('r1', 'task1', 'task2')],
      ...[...ran('r1', 2), ...ran('task1', 5), ...failed('task2')],
      ...[...reverted('task2', 'task1', 'r1'), flow('flow-1', 'REVERTED')],
    ]);
  });

  test('a revert that fails before a retry ends the flow as a failure', async () => {
    const item = linear('flow-1', nasty.with({ name: 'task1' }), conditional2).with({
      retry: times(2, { name: 'r1', provides: 'x' }),
    });
    const { engine, lines } = await fails(item, { y: 4 }, /^Gotcha/);
    assert.equal(engine.storage.fetchAll(), { y: 4, x: 1 });
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1', 1), ...ran('task1'), ...failed('task2'), ...reverted('task2')],
      ...['task1: REVERTING', 'task1: REVERT_FAILURE(Failure: Error: Gotcha!)', flow('flow-1', 'FAILURE')],
    ]);
  });

  test('a nested flow is tried again without what is around it', async () => {
    const inner = linear('flow-2', noop2, conditional.with({ name: 'task3' })).with({
      retry: times(3, { name: 'r2', provides: 'x' }),
    });
    const item = linear('flow-1', noop1, inner, noop4).with({ retry: alwaysRevert({ name: 'r1' }) });
    const { engine, lines } = await succeeds(item, { y: 2 });
    assert.equal(engine.storage.fetchAll(), { y: 2, x: 2 });
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1'), ...ran('task1'), ...ran('r2', 1), ...ran('task2')],
      ...[...failed('task3'), ...reverted('task3', 'task2'), ...again('r2', 'task2', 'task3')],
      ...[...ran('r2', 2), ...ran('task2'), ...ran('task3'), ...ran('task4'), flow('flow-1', 'SUCCESS')],
    ]);
  });

  test('what is around a nested flow whose retry gives up is reverted too, unless the flow says otherwise', async () => {
    const inner = linear('flow-2', noop2, conditional.with({ name: 'task3' })).with({
      retry: times(1, { name: 'r1', provides: 'x' }),
    });
    const item = linear('flow-1', noop1, inner, noop4);
    const expected = [
      ...[flow('flow-1', 'RUNNING'), ...ran('task1'), ...ran('r1', 1), ...ran('task2'), ...failed('task3')],
      ...reverted('task3', 'task2', 'r1'),
    ];
    const first = await fails(item, { y: 2 }, /^Woot/);
    assert.equal(first.lines, [...expected, ...reverted('task1'), flow('flow-1', 'REVERTED')]);

    const second = await fails(item, { y: 2 }, /^Woot/, { deferReverts: false });
    assert.equal(second.lines, [...expected, flow('flow-1', 'REVERTED')]);
    assert.is(second.engine.storage.getTaskState('task1'), 'SUCCESS');
  });

  test('when the flow around is tried again, a nested one begins anew', async () => {
    const inner = linear('flow-2', noop2, noop3).with({ retry: times(3, { name: 'r2', provides: 'x2' }) });
    const item = linear('flow-1', noop1, inner, conditional.with({ name: 'task4', rebind: { x: 'x1' } })).with({
      retry: times(3, { name: 'r1', provides: 'x1' }),
    });
    const { engine, lines } = await succeeds(item, { y: 2 });
    assert.equal(engine.storage.fetchAll(), { y: 2, x1: 2, x2: 1 });
    const before4 = [...ran('task1'), ...ran('r2', 1), ...ran('task2'), ...ran('task3')];
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1', 1), ...before4, ...failed('task4')],
      ...reverted('task4', 'task3', 'task2', 'r2', 'task1'),
      ...again('r1', 'task1', 'r2', 'task2', 'task3', 'task4'),
      ...[...ran('r1', 2), ...before4, ...ran('task4'), flow('flow-1', 'SUCCESS')],
    ]);
  });

  test('what has run beside a task that fails is reverted and tried again with it', async () => {
    const item = unordered('flow-1', task1, conditional2).with({ retry: times(3, { name: 'r', provides: 'x' }) });
    const { engine, lines } = await succeeds(item, { y: 2 });
    assert.equal(engine.storage.fetchAll(), { y: 2, x: 2 });
    const of = (name: string) => lines.filter((line) => line.startsWith(`${name}:`));
    assert.equal(of('r'), [...ran('r', 1), ...again('r'), ...ran('r', 2)]);
    assert.equal(of('task2'), [...failed('task2'), ...reverted('task2'), 'task2: PENDING', ...ran('task2')]);
    // On another thread task1 may not have begun when task2 fails.
    const undone = of('task1').length > 2 ? [...ran('task1', 5), ...reverted('task1'), 'task1: PENDING'] : [];
    assert.equal(of('task1'), [...undone, ...ran('task1', 5)]);
    if (options.engine === 'serial') {
      assert.equal(lines.slice(3, -7), [
        ...[...ran('task1', 5), ...failed('task2'), ...reverted('task2', 'task1'), ...again('r', 'task1', 'task2')],
      ]);
    }
  });

  test('when the retry of a nested flow gives up, that of the flow around is asked', async () => {
    const inner = linear('flow-2', conditional2).with({ retry: times(0, { name: 'r2', provides: 'x2' }) });
    const item = linear('flow-1', task1, inner).with({ retry: times(3, { name: 'r1', provides: 'x' }) });
    const { engine, lines } = await succeeds(item, { y: 2 });
    assert.equal(engine.storage.fetchAll(), { y: 2, x: 2, x2: 1 });
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1', 1), ...ran('task1', 5), ...ran('r2', 1), ...failed('task2')],
      ...[...reverted('task2', 'r2', 'task1'), ...again('r1', 'task1', 'r2', 'task2')],
      ...[...ran('r1', 2), ...ran('task1', 5), ...ran('r2', 1), ...ran('task2'), flow('flow-1', 'SUCCESS')],
    ]);
  });

  test('a retry that gives up reverts its own flow, and with revertAll the whole flow', async () => {
    const item = (revertAll: boolean) =>
      linear(
        'flow-1',
        task1,
        linear('flow-2', conditional2.with({ inject: { x: 1 } })).with({
          retry: times(0, { name: 'r1', provides: 'x2', revertAll }),
        }),
      );
    const expected = [
      ...[flow('flow-1', 'RUNNING'), ...ran('task1', 5), ...ran('r1', 1), ...failed('task2')],
      ...reverted('task2', 'r1'),
    ];
    const some = await fails(item(false), { y: 2 }, /^Woot/, { deferReverts: false });
    assert.equal(some.lines, [...expected, flow('flow-1', 'REVERTED')]);
    assert.equal(some.engine.storage.fetchAll(), { y: 2 });
    for (const deferReverts of [false, true]) {
      const all = await fails(item(true), { y: 2 }, /^Woot/, { deferReverts });
      assert.equal(all.lines, [...expected, ...reverted('task1'), flow('flow-1', 'REVERTED')]);
      assert.equal(all.engine.storage.fetchAll(), { y: 2 });
    }
  });

  test('a retry that reverts everything is heeded before that of the flow around', async () => {
    const inner = linear('flow-2', conditional2).with({ retry: alwaysRevertAll({ name: 'r2' }) });
    const item = linear('flow-1', task1, inner).with({ retry: times(3, { name: 'r1', provides: 'x' }) });
    const { engine, lines } = await fails(item, { y: 2 }, /^Woot/);
    assert.equal(engine.storage.fetchAll(), { y: 2 });
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1', 1), ...ran('task1', 5), ...ran('r2'), ...failed('task2')],
      ...[...reverted('task2', 'r2', 'task1', 'r1'), flow('flow-1', 'REVERTED')],
    ]);
  });

  test('a flow with a retry that was reverted runs again from the start', async () => {
    for (const [controller, attempts] of [[oneReturn, 1] as const, [times(2), 2] as const]) {
      const { engine, lines } = await fails(linear('test', failing).with({ retry: controller }), {}, /^Woot/);
      const first = lines.splice(0);
      assert.is(first.filter((line) => line.startsWith('fail: FAILURE')).length, attempts);
      assert.match((await rejection(engine.run())).message, /^Woot/);
      assert.equal(lines, ['test_retry: PENDING', 'fail: PENDING', flow('test', 'PENDING'), ...first]);
    }
  });

  test('a retry that reverts everything ends those that go on without end', async () => {
    const counts = counters();
    const fail1 = flaky.with({ name: 'subflow1.fail1', inject: { counts, at: 0, failures: 2 } });
    const subflow1 = linear(
      'subflow1',
      linear('subflow1.1', fail1).with({ retry: fiveTimes }),
      linear('subflow1.2', failing.with({ name: 'subflow1.fail2' })).with({ retry: fiveTimes }),
    );
    const endless = linear('subflow2.1', failing.with({ name: 'subflow2.fail1' })).with({ retry: alwaysRetry });
    const item = linear('test', noop1, unordered('unordered', subflow1, linear('subflow2', endless)));
    const { engine, lines } = await fails(item, {}, /Woot!/);
    assert.is(engine.state, 'REVERTED');
    assert.ok(lines.includes('task1: REVERTED'));
    assert.equal([...counts.slice(0, 2)], [3, 3]);
    for (const [name, state] of Object.entries(engine.storage.getTaskStates())) {
      if (name.startsWith('subflow2')) assert.ok(['REVERTED', 'PENDING'].includes(state), `${name} is ${state}`);
      else assert.is(state, 'REVERTED', name);
    }
    assert.is(lines.filter((line) => line.startsWith('subflow1.fail2: FAILURE')).length, 5);
  });

  test('a retry is no item of a flow, and cannot run alone', async () => {
    const notAFlow = (error: any) => error.code === 'ERR_MILLRACE_NOT_A_FLOW';
    assert.throws(() => linear('test', oneReturn), notAFlow);
    assert.ok(notAFlow(await rejection(run(oneReturn as any, {}, options))));
  });

  test('wherever a retry is suspended, the next run goes on as if nothing had been', async () => {
    const item = linear('flow-1', task1, conditional2, noop3).with({
      retry: times(3, { name: 'r1', provides: 'x' }),
    });
    const whole = captureTasksOf(await succeeds(item, { y: 2 }));
    for (let stop = 0; stop < whole.length; stop++) {
      const engine = load(item, { ...options, inputs: { y: 2 } });
      const lines = captureTasks(engine);
      engine.on('task', () => lines.length === stop + 1 && engine.suspend());
      await engine.run();
      if (stop < whole.length - 6) assert.is(engine.state, 'SUSPENDED', `after ${whole[stop]}`);
      await engine.run();
      assert.is(engine.state, 'SUCCESS', `after ${whole[stop]}`);
      assert.equal(lines, whole, `after ${whole[stop]}`);
    }
  });

  test('a flow that is suspended between its reverts and its retry is tried again', async () => {
    const item = linear('flow-1', conditional.with({ name: 'c' }), task1).with({
      retry: times(3, { name: 'r1', provides: 'x' }),
    });
    for (const moment of ['c: FAILURE', 'c: REVERTING', 'c: REVERTED', 'r1: RETRYING', 'c: PENDING']) {
      const engine = load(item, { ...options, inputs: { y: 2 } });
      const lines = captureTasks(engine);
      engine.on('task', ({ name, state }) => `${name}: ${state}` === moment && engine.suspend());
      await engine.run();
      assert.is(engine.state, 'SUSPENDED', moment);
      assert.is(lines.filter((line) => line === 'r1: RUNNING').length, 1, moment);
      assert.equal(await engine.run(), { x: 2 }, moment);
      assert.equal(
        lines.filter((line) => line.startsWith('r1')),
        [...ran('r1', 1), ...again('r1'), ...ran('r1', 2)],
        moment,
      );
    }
  });

  test('only what has run is put back to its start', async () => {
    const item = linear('flow-1', conditional.with({ name: 'c' }), progressing.with({ name: 't1' })).with({
      retry: times(3, { name: 'r1', provides: 'x' }),
    });
    const { lines } = await succeeds(item, { y: 2 });
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...ran('r1', 1), ...failed('c'), ...reverted('c'), ...again('r1', 'c')],
      ...[...ran('r1', 2), ...ran('c'), ...ran('t1', 5), flow('flow-1', 'SUCCESS')],
    ]);
  });

  test('times(3) makes three attempts in all', async () => {
    const item = linear('flow-1', task1, failing).with({ retry: times(3, { name: 'r1' }) });
    const { lines } = await fails(item, {}, /^Woot/);
    const attempt = (number: number) => [
      ...[...ran('r1', number), ...ran('task1', 5), ...failed('fail'), ...reverted('fail', 'task1')],
    ];
    const retrying = again('r1', 'task1', 'fail');
    assert.equal(lines, [
      ...[flow('flow-1', 'RUNNING'), ...attempt(1), ...retrying, ...attempt(2), ...retrying, ...attempt(3)],
      ...[...reverted('r1'), flow('flow-1', 'REVERTED')],
    ]);
  });

  const t1 = failingWith.with({ name: 't1' });
  /** What is told of attempts with these values, all of which fail. */
  const attempts = (values: number[]) =>
    values.flatMap((value, i) => [
      ...(i > 0 ? again('r1', 't1') : []),
      ...[...ran('r1', value), ...failed('t1', `Woot with ${value}`), ...reverted('t1')],
    ]);

  for (const [kind, values, expected] of [
    ['a list', [3, 2, 3, 5], [3, 2, 3, 5]],
    ['a set', new Set([3, 2, 5]), [3, 2, 5]],
  ] as [string, Iterable<number>, number[]][]) {
    const given = { name: 'r1', provides: 'x' } as const;
    for (const [way, controller] of [
      ['forEach', forEach(values, given)],
      ['parameterizedForEach', parameterizedForEach({ ...given, values: 'numbers' })],
    ] as const) {
      test(`the elements are tried, each as often as it is there: ${kind}, ${way}`, async () => {
        const { lines } = await fails(linear('flow-1', t1).with({ retry: controller }), { numbers: values }, /^Woot/);
        assert.equal(lines, [
          ...[flow('flow-1', 'RUNNING'), ...attempts(expected), ...reverted('r1'), flow('flow-1', 'REVERTED')],
        ]);
      });
    }
  }

  for (const revertAll of [false, true]) {
    const given = { name: 'r1', provides: 'x', revertAll } as const;
    for (const [way, controller] of [
      ['forEach', forEach([3, 2, 3, 5], given)],
      ['parameterizedForEach', parameterizedForEach({ ...given, values: 'numbers' })],
    ] as const) {
      test(`when nothing is left to try, what is reverted is as revertAll says: ${revertAll}, ${way}`, async () => {
        const item = linear('flow-1', task1, linear('flow-2', t1).with({ retry: controller }));
        const numbers = [3, 2, 3, 5];
        const { lines } = await fails(item, { numbers }, /^Woot/, { deferReverts: false });
        assert.equal(lines, [
          ...[flow('flow-1', 'RUNNING'), ...ran('task1', 5), ...attempts(numbers), ...reverted('r1')],
          ...[...(revertAll ? reverted('task1') : []), flow('flow-1', 'REVERTED')],
        ]);
        const deferred = await fails(item, { numbers }, /^Woot/);
        assert.equal(deferred.lines.slice(-3), [...reverted('task1'), flow('flow-1', 'REVERTED')]);
      });
    }
  }

  test('forEach over nothing fails, and its flow does not run', async () => {
    for (const controller of [
      forEach([], { name: 'r1', provides: 'x' }),
      parameterizedForEach({ name: 'r1', values: 'none', provides: 'x' }),
    ]) {
      const item = linear('flow-1', conditional.with({ name: 't1' })).with({ retry: controller });
      const { engine, lines } = await fails(item, { none: [], y: 1 }, /No elements left/);
      assert.is(engine.storage.getExecuteFailures().r1.code, 'ERR_MILLRACE_NO_ATTEMPT');
      assert.is(engine.state, 'REVERTED');
      assert.equal(engine.storage.getTaskStates(), { r1: 'REVERTED', t1: 'PENDING' });
      assert.equal(lines.slice(-3), [...reverted('r1'), flow('flow-1', 'REVERTED')]);
    }
  });

  test('a retry that fails itself is reverted with its failure, and without an attempt', async () => {
    const seen: any[] = [];
    const controller = retry({
      execute() {
        throw new RangeError('OMG I FAILED');
      },
      onFailure: () => 'REVERT',
      revert: (history) => void seen.push(history),
    });
    const { engine } = await fails(linear('testflow').with({ retry: controller }), {}, /^OMG/);
    assert.equal(Object.keys(engine.storage.getRetryHistories()), ['testflow_retry']);
    assert.is(seen.length, 1);
    const [history] = seen;
    assert.is(history.length, 0);
    assert.equal([...history], []);
    assert.instance(history.failure, Failure);
    assert.ok(history.causedBy(RangeError, { includeRetry: true }));
    assert.not.ok(history.causedBy(RangeError));
  });

  test("an error in a retry's revert comes out", async () => {
    const controller = retry({
      execute() {
        throw new Error('OMG I FAILED');
      },
      onFailure: () => 'REVERT',
      revert() {
        throw new Error('WOOT!');
      },
    });
    const { engine } = await fails(linear('testflow').with({ retry: controller }), {}, /^WOOT/);
    assert.is(engine.state, 'FAILURE');
  });

  test('what needs a value of a flow with a retry runs once that flow is through, with the last value', async () => {
    const counts = counters();
    const giving = flaky.with({ name: 'b', provides: 'x', inject: { counts, at: 0, failures: 0 } });
    const second = (failures: number) => flaky.with({ name: 'c', inject: { counts, at: 2, failures } });
    const item = (failures: number) =>
      graph('test', echo.with({ name: 'a' }), linear('test2', giving, second(failures)).with({ retry: times(2) }));
    const { engine, lines } = await succeeds(item(1), {});
    assert.is((engine.storage.fetch('echo') as { x: number }).x, 2);
    assert.equal(lines.slice(1, -3), [
      ...[...ran('test2_retry', 1), ...ran('b', 1), ...failed('c', 'Woot 1!'), ...reverted('c', 'b')],
      ...[...again('test2_retry', 'b', 'c'), ...ran('test2_retry', 2), ...ran('b', 2), ...ran('c', 2)],
    ]);
    assert.is(lines.filter((line) => line === 'a: RUNNING').length, 1);

    counts.fill(0);
    const never = await fails(item(2), {}, /^Woot 2/);
    assert.equal([...counts.slice(0, 4)], [2, 2, 2, 2], 'each attempt was reverted');
    assert.is(never.engine.storage.getTaskState('a'), 'PENDING');
    assert.is(never.engine.state, 'REVERTED');
  });

  if (concurrent) {
    for (const [when, waitsFor] of [
      ['what still runs when a task fails may finish, and is then reverted and tried again', 'task2'],
      ['what has ended before a task fails is reverted and tried again', 'task1'],
    ] as const) {
      test(when, async () => {
        const entered = promised();
        const ended = promised();
        const services = {
          // The first waits until the other has ended; the other until the first runs.
          gate(name: string) {
            if (name === waitsFor) return entered.promise;
            entered.resolve();
            return ended.promise;
          },
        };
        const alone = { timeout: 60_000 }; // with a timeout a task travels alone
        const item =
          waitsFor === 'task2'
            ? unordered(
                'flow-1',
                waiting.with({ name: 'task1', ...alone }),
                lateConditional.with({ name: 'task2', ...alone }),
              )
            : unordered(
                'flow-1',
                waiting.with({ name: 'task1', ...alone }),
                linear('flow-2', waiting.with({ name: 'task2', ...alone }), conditional.with({ name: 'task3' })),
              );
        const engine = load(item.with({ retry: times(3, { name: 'r', provides: 'x' }) }), {
          ...{ ...options, services, inputs: { y: 2 } },
        });
        const lines = captureTasks(engine);
        engine.on('task', ({ name, state }) => {
          if (name === waitsFor && (state === 'SUCCESS' || state === 'FAILURE')) ended.resolve();
        });
        await engine.run();
        assert.equal(engine.storage.fetchAll(), { y: 2, x: 2 });
        const expected =
          waitsFor === 'task2'
            ? [
                ...[...ran('r', 1), ...ran('task1', 5), ...failed('task2'), ...reverted('task1', 'task2')],
                ...[...again('r', 'task1', 'task2'), ...ran('r', 2), ...ran('task1', 5), ...ran('task2')],
              ]
            : [
                ...[...ran('r', 1), ...ran('task1', 5), ...ran('task2', 5), ...failed('task3')],
                ...[...reverted('task1', 'task2', 'task3'), ...again('r', 'task1', 'task2', 'task3')],
                ...[...ran('r', 2), ...ran('task1', 5), ...ran('task2', 5), ...ran('task3')],
              ];
        assert.equal(lines.toSorted(), expected.toSorted());
      });
    }
  }
});

/** The lines about tasks. */
function captureTasksOf({ lines }: { lines: string[] }): string[] {
  return lines.filter((line) => !line.startsWith('flow '));
}

once.run();
