import { Failure, linear, load, run, type Task, unordered, WrappedFailure } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { type Kit, local } from '../fixtures/engine/tasks.js';
import { capture, captureTasks, promised, rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

/** Whether two tasks can run at the same time. */
function concurrent(options: { engine: string; workers?: unknown }, tasks: Kit): boolean {
  return options.engine === 'parallel' && (tasks === local || Number(options.workers) > 1);
}

overEveryKind((test, options, tasks) => {
  const { five, woot, gotcha, wootGotcha, giveBack, gate, gateWoot, telling, tellingWoot, returns } = tasks;

  test('a task that fails is reverted itself, and its error comes out', async () => {
    const engine = load(woot, options);
    const events = capture(engine);
    const error = await rejection(engine.run());
    assert.is(error.message, 'Woot!');
    assert.is(error.code, 'ERR_MILLRACE_TASK_FAILED');
    assert.is(error.task, 'woot');
    assert.equal(events, [
      'flow woot: RUNNING',
      'woot: RUNNING',
      'woot: FAILURE(Failure: Error: Woot!)',
      'woot: REVERTING',
      'woot: REVERTED',
      'flow woot: REVERTED',
    ]);
    assert.is(engine.state, 'REVERTED');
  });

  test('an engine tells what its flow has failed with, until it begins anew', async () => {
    const engine = load(linear('f', five, woot), options);
    assert.is(engine.failure, undefined);
    const error = await rejection(engine.run());
    assert.is(engine.failure, error);
    engine.reset();
    assert.is(engine.failure, undefined);
    const good = load(five, options);
    await good.run();
    assert.is(good.failure, undefined);
  });

  test('a failed flow reverts in the reverse order of completion', async () => {
    const inner = linear('inner', five.with({ name: 'b' }), five.with({ name: 'c' }));
    const engine = load(linear('f', five.with({ name: 'a' }), inner, woot), options);
    const events = captureTasks(engine);
    await rejection(engine.run());
    assert.equal(
      events.filter((line) => line.includes('REVERTED')),
      ['woot: REVERTED', 'c: REVERTED', 'b: REVERTED', 'a: REVERTED'],
    );
  });

  test('a task that never ran is not reverted', async () => {
    const engine = load(linear('f', woot, five), options);
    const events = captureTasks(engine);
    await rejection(engine.run());
    assert.not.ok(events.some((line) => line.startsWith('five')));
    assert.is(engine.storage.getTaskState('five'), 'PENDING');
  });

  test('tasks of an unordered flow are reverted too', async () => {
    const first = unordered('first', five.with({ name: 'a' }), five.with({ name: 'b' }));
    const engine = load(linear('f', first, woot), options);
    const events = captureTasks(engine);
    await rejection(engine.run());
    assert.equal(events.filter((line) => line.endsWith('REVERTED')).toSorted(), [
      'a: REVERTED',
      'b: REVERTED',
      'woot: REVERTED',
    ]);
    assert.is(
      events.find((line) => line.endsWith('REVERTED')),
      'woot: REVERTED',
    );
  });

  test('an error in the revert of the task that failed comes out instead of its own', async () => {
    const engine = load(wootGotcha, options);
    const error = await rejection(engine.run());
    assert.is(error.message, 'Gotcha!');
    assert.is(error.task, 'wootGotcha');
    assert.is(engine.state, 'FAILURE');
  });

  test('a failed revert comes out, and what was before it is not reverted', async () => {
    const engine = load(linear('f', five, gotcha, woot), options);
    const events = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    assert.equal(events.slice(-5), [
      'woot: REVERTING',
      'woot: REVERTED',
      'gotcha: REVERTING',
      'gotcha: REVERT_FAILURE(Failure: Error: Gotcha!)',
      'flow f: FAILURE',
    ]);
    assert.is(engine.storage.getTaskState('five'), 'SUCCESS');
  });

  test('a failed revert in a flow within an unordered one comes out', async () => {
    const engine = load(linear('f', five, unordered('u', linear('l', gotcha, woot))), options);
    const events = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    assert.not.ok(events.some((line) => line.startsWith('five: REVERT')));
  });

  test('both what failed and what could not be reverted can be asked for', async () => {
    const engine = load(linear('f', gotcha, woot), options);
    await rejection(engine.run());
    const { storage } = engine;
    assert.equal(Object.keys(storage.getExecuteFailures()), ['woot']);
    assert.equal(Object.keys(storage.getRevertFailures()), ['gotcha']);
    assert.is(storage.getExecuteFailures().woot.error.message, 'Woot!');
    const result = storage.getRevertResult('gotcha');
    assert.instance(result, Failure);
    assert.is((result as Failure).message, 'Gotcha!');
  });

  test('what a revert returns is kept', async () => {
    const engine = load(linear('f', giveBack, woot), { ...options, inputs: { value: 0 } });
    await rejection(engine.run());
    assert.is(engine.storage.getRevertResult('giveBack'), 2);
    assert.is(engine.storage.getRevertResult('woot'), undefined);
  });

  test('a revert takes the values away', async () => {
    const engine = load(linear('f', giveBack, woot), { ...options, inputs: { value: 0 } });
    await rejection(engine.run());
    assert.equal(engine.storage.fetchAll(), { value: 0 });
  });

  test('revert is given the arguments, what the task provided, its result, and what failed', async () => {
    const seen: unknown[] = [];
    const services = { reverted: (what: unknown) => seen.push(what) && undefined };
    await rejection(run(linear('f', telling, woot), { value: 3 }, { ...options, services }));
    assert.equal(seen, [
      {
        name: 'telling',
        args: { value: 3, first: 3, second: 6 },
        result: [3, 6],
        flowFailures: { woot: 'Failure: Error: Woot!' },
      },
    ]);
  });

  test("a failed task's revert is given the failure as its result, and none of what it would have provided", async () => {
    const seen: unknown[] = [];
    const services = { reverted: (what: unknown) => seen.push(what) && undefined };
    await rejection(run(tellingWoot, { value: 3 }, { ...options, services }));
    const failure = 'Failure: RangeError: Woot!';
    assert.equal(seen, [
      { name: 'tellingWoot', args: { value: 3 }, result: failure, flowFailures: { tellingWoot: failure } },
    ]);
  });

  for (const [what, provides, result, promise] of [
    ['an element', ['a', 'b'], [1], "element 1 ('b')"],
    ['all elements, being undefined', ['a'], undefined, "element 0 ('a')"],
    ['all elements, being a number', ['a'], 7, "element 0 ('a')"],
    ['a key', new Set(['a', 'b']), { a: 1 }, "'b'"],
  ] as const) {
    test(`a result that lacks a promised value is a failure of its task: ${what}`, async () => {
      const engine = load(linear('f', five, (returns as Task).with({ provides, inject: { what: result } } as object)), {
        ...options,
      });
      const error = await rejection(engine.run());
      assert.is(error.code, 'ERR_MILLRACE_BAD_RESULT');
      assert.is(error.task, 'returns');
      assert.ok(error.message.includes(`Task 'returns'`) && error.message.endsWith(`its result has no ${promise}`));
      assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', returns: 'REVERTED' });
    });
  }

  test('a promised value may be undefined if it is there', async () => {
    const flow = (returns as Task).with({ provides: ['a'], inject: { what: [undefined] } } as object);
    assert.equal(await run(flow, {}, options), { a: undefined });
  });

  if (concurrent(options, tasks)) {
    test('several failures at once come out together, in the order in which they failed', async () => {
      let arrived = 0;
      const both = promised();
      const services = {
        async gate(name: string) {
          if (++arrived === 2) both.resolve();
          await both.promise;
          if (name === 'b') await failedA.promise;
        },
      };
      const flow = unordered('f', gateWoot.with({ name: 'a' }), gateWoot.with({ name: 'b' }));
      const failedA = promised();
      const engine = load(flow, { ...options, services });
      engine.on('task', ({ name, state }) => name === 'a' && state === 'FAILURE' && failedA.resolve());
      const error = await rejection(engine.run());
      assert.instance(error, WrappedFailure);
      assert.instance(error, AggregateError);
      assert.is(error.code, 'ERR_MILLRACE_WRAPPED_FAILURE');
      assert.equal(
        error.errors.map(({ message, task }: { message: string; task: string }) => `${task}: ${message}`),
        ['a: Woot of a!', 'b: Woot of b!'],
      );
      assert.match(error.message, /2 tasks of flow 'f' failed: 'a' \(Error: Woot of a!\), 'b'/);
      assert.is(engine.state, 'REVERTED');
    });

    test('what runs beside a task that fails may finish, and is then reverted', async () => {
      const beside = promised();
      const failed = promised();
      const services = {
        async gate(name: string) {
          if (name === 'beside') beside.resolve();
          await (name === 'beside' ? failed.promise : beside.promise);
          return name;
        },
      };
      const flow = unordered('f', gateWoot.with({ name: 'fails' }), gate.with({ name: 'beside' }));
      const engine = load(flow, { ...options, services });
      engine.on('task', ({ state }) => state === 'FAILURE' && failed.resolve());
      const events = captureTasks(engine);
      assert.is((await rejection(engine.run())).message, 'Woot of fails!');
      assert.equal(events.slice(2, 4), ['fails: FAILURE(Failure: Error: Woot of fails!)', 'beside: SUCCESS(beside)']);
      assert.equal(engine.storage.getTaskStates(), { fails: 'REVERTED', beside: 'REVERTED' });
    });
  }

  // A worker may have taken the next task before it is known that this one has failed.
  if (options.engine === 'serial' || tasks === local) {
    test('after a failure no other task of an unordered flow starts', async () => {
      const engine = load(unordered('f', five.with({ name: 'a' }), woot, five.with({ name: 'b' })), options);
      const events = captureTasks(engine);
      await rejection(engine.run());
      assert.not.ok(events.some((line) => line.startsWith('b')));
      assert.equal(engine.storage.getTaskStates(), { a: 'REVERTED', woot: 'REVERTED', b: 'PENDING' });
    });
  }

  test('a failure that no revert takes back leaves its error the only one', async () => {
    const error = await rejection(run(linear('f', five, woot), {}, options));
    assert.not.instance(error, WrappedFailure);
    assert.match(error.stack, /at task woot \(flow f\)/);
  });
});

once('several reverts that fail at once come out together', async () => {
  const arrived: string[] = [];
  const all = promised();
  const services = {
    async broken() {
      arrived.push('');
      if (arrived.length === 2) all.resolve();
      await all.promise;
      return true;
    },
  };
  const beside = unordered('u', local.mended.with({ name: 'a' }), local.mended.with({ name: 'b' }));
  const engine = load(linear('f', beside, local.woot), { engine: 'parallel', workers: 1, services });
  const error = await rejection(engine.run());
  assert.instance(error, WrappedFailure);
  assert.match(error.message, /2 tasks of flow 'f' could not be reverted/);
  assert.is(engine.state, 'FAILURE');
});

once.run();
