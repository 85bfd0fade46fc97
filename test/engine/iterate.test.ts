import { type Engine, type EngineState, graph, linear, load, type Task, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { local } from '../fixtures/engine/tasks.js';
import { captureTasks, promised, rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

/** All that `runIter()` yields. */
async function states(engine: Engine<any>): Promise<EngineState[]> {
  const seen: EngineState[] = [];
  for await (const state of engine.runIter()) seen.push(state);
  return seen;
}

/** Steps until a state is yielded. */
async function stepTo(state: EngineState, iterator: ReturnType<Engine['runIter']>): Promise<void> {
  while ((await iterator.next()).value !== state);
}

const chain = (count: number, one: Task) =>
  linear(
    'f',
    Array.from({ length: count }, (_, i) => one.with({ name: `task-${i + 1}`, provides: `value-${i + 1}` })),
  );

overEveryKind((test, options, { five, fiveLater, woot, gotcha, gate }) => {
  for (const [pattern, empty] of Object.entries({
    linear: linear('f'),
    unordered: unordered('f'),
    graph: graph('f'),
    nested: graph('f', linear('l', unordered('u'), graph('g'))),
  })) {
    test(`an empty flow goes through every state once: ${pattern}`, async () => {
      const engine = load(empty, options);
      assert.equal(await states(engine), ['RESUMING', 'SCHEDULING', 'WAITING', 'ANALYZING', 'SUCCESS']);
      assert.is(engine.state, 'SUCCESS');
    });
  }

  for (const one of [five, fiveLater]) {
    test(`a linear flow of n tasks yields 3n + 2 states (${one.name})`, async () => {
      const seen = await states(load(chain(10, one), options));
      const round: EngineState[] = ['SCHEDULING', 'WAITING', 'ANALYZING'];
      assert.equal(seen, ['RESUMING', ...Array.from({ length: 10 }, () => round).flat(), 'SUCCESS']);
    });
  }

  test('a stepped run does what run() does, and its results are in the storage', async () => {
    const engine = load(chain(3, five), options);
    const events = captureTasks(engine);
    await states(engine);
    assert.is(events.length, 6);
    assert.equal(engine.storage.fetchAll(), { 'value-1': 5, 'value-2': 5, 'value-3': 5 });
  });

  test('a stepped run that fails yields REVERTED and then throws', async () => {
    const engine = load(linear('f', five, woot), options);
    const seen: EngineState[] = [];
    const error = await rejection(
      (async () => {
        for await (const state of engine.runIter()) seen.push(state);
      })(),
    );
    assert.is(error.message, 'Woot!');
    assert.is(seen.at(-1), 'REVERTED');
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', woot: 'REVERTED' });
  });

  test('a stepped run whose revert fails yields FAILURE and then throws', async () => {
    const engine = load(linear('f', gotcha, woot), options);
    const iterator = engine.runIter();
    let last: EngineState | undefined;
    const error = await rejection(
      (async () => {
        for await (const state of iterator) last = state;
      })(),
    );
    assert.is(error.message, 'Gotcha!');
    assert.is(last, 'FAILURE');
  });

  test('nothing happens before the first next()', async () => {
    const engine = load(five, options);
    const iterator = engine.runIter();
    assert.is(engine.state, 'PENDING');
    assert.equal(await iterator.next(), { done: false, value: 'RESUMING' });
    assert.is(engine.state, 'RUNNING');
    await iterator.return();
  });

  test('next(true) suspends, and a later run does the rest', async () => {
    const engine = load(chain(3, five), options);
    const events = captureTasks(engine);
    const iterator = engine.runIter();
    await stepTo('WAITING', iterator);
    assert.is((await iterator.next(true)).value, 'ANALYZING');
    assert.is((await iterator.next()).value, 'SUSPENDED');
    assert.equal(await iterator.next(), { done: true, value: undefined });
    assert.equal(events.splice(0), ['task-1: RUNNING', 'task-1: SUCCESS(5)']);
    assert.equal(await engine.run(), { 'value-1': 5, 'value-2': 5, 'value-3': 5 });
    assert.equal(
      events.filter((line) => line.endsWith('RUNNING')),
      ['task-2: RUNNING', 'task-3: RUNNING'],
    );
  });

  test('next(true) at the very start lets nothing start', async () => {
    const engine = load(chain(2, five), options);
    const iterator = engine.runIter();
    await iterator.next();
    const rest: unknown[] = [(await iterator.next(true)).value];
    for await (const state of iterator) rest.push(state);
    assert.equal(rest, ['SCHEDULING', 'WAITING', 'ANALYZING', 'SUSPENDED']);
    assert.equal(engine.storage.fetchAll(), {});
  });

  test('suspend() in the middle of a stepped run ends it', async () => {
    const engine = load(chain(3, five), options);
    const seen: EngineState[] = [];
    for await (const state of engine.runIter()) {
      seen.push(state);
      if (seen.length === 6) engine.suspend();
    }
    assert.equal(seen, [
      ...['RESUMING', 'SCHEDULING', 'WAITING', 'ANALYZING'],
      ...['SCHEDULING', 'WAITING', 'ANALYZING', 'SUSPENDED'],
    ]);
    assert.equal(engine.storage.getTaskStates(), { 'task-1': 'SUCCESS', 'task-2': 'SUCCESS', 'task-3': 'PENDING' });
  });

  test('leaving the loop suspends, and a later run does the rest', async () => {
    const engine = load(chain(3, fiveLater), options);
    for await (const state of engine.runIter()) if (state === 'ANALYZING') break;
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(engine.storage.fetchAll(), { 'value-1': 5 });
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
  });

  test('leaving the loop waits for the task that runs', async () => {
    const opened = promised();
    const engine = load(linear('f', gate, five), { ...options, services: { gate: () => opened.promise } });
    const iterator = engine.runIter();
    await stepTo('WAITING', iterator);
    const left = iterator.return();
    opened.resolve();
    await left;
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(engine.storage.getTaskStates(), { gate: 'SUCCESS', five: 'PENDING' });
  });

  test('leaving the loop at its last state changes nothing', async () => {
    const engine = load(five, options);
    for await (const state of engine.runIter()) if (state === 'SUCCESS') break;
    assert.is(engine.state, 'SUCCESS');
  });

  test('leaving the loop in the middle of a revert leaves the rest of it to the next run', async () => {
    const engine = load(linear('f', five.with({ name: 'a' }), five.with({ name: 'b' }), woot), options);
    for await (const _ of engine.runIter()) if (engine.storage.getTaskState('b') === 'REVERTED') break;
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(engine.storage.getTaskStates(), { a: 'SUCCESS', b: 'REVERTED', woot: 'REVERTED' });
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), { a: 'REVERTED', b: 'REVERTED', woot: 'REVERTED' });
  });

  test('throw() ends the flow as a failure with that error, and a later run does the rest', async () => {
    const engine = load(chain(2, five), options);
    const iterator = engine.runIter();
    let schedulings = 0;
    while (schedulings < 2) if ((await iterator.next()).value === 'SCHEDULING') schedulings++;
    const error = new Error('from outside');
    assert.is(await rejection(iterator.throw(error)), error);
    assert.is(engine.state, 'FAILURE');
    assert.equal(engine.storage.getTaskStates(), { 'task-1': 'SUCCESS', 'task-2': 'PENDING' });
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
  });

  test('an iterator that was left and forgotten does not keep close() from ending the run', async () => {
    const engine = load(chain(2, five), options);
    const iterator = engine.runIter();
    await stepTo('ANALYZING', iterator);
    await engine.close();
    assert.is(engine.state, 'REVERTED');
    assert.is((await iterator.next()).value, 'REVERTED');
    assert.is((await rejection(iterator.next())).code, 'ERR_MILLRACE_CLOSED');
  });

  test('an abort ends a stepped run', async () => {
    const controller = new AbortController();
    const engine = load(chain(3, five), { ...options, signal: controller.signal });
    const seen: EngineState[] = [];
    const error = await rejection(
      (async () => {
        for await (const state of engine.runIter()) {
          seen.push(state);
          if (seen.length === 5) controller.abort();
        }
      })(),
    );
    assert.is(error.name, 'AbortError');
    assert.is(seen.at(-1), 'REVERTED');
    assert.is(engine.storage.getTaskState('task-1'), 'REVERTED');
  });

  test('a second iterator is refused while one runs', async () => {
    const engine = load(five, options);
    const iterator = engine.runIter();
    await iterator.next();
    assert.is((await rejection(engine.runIter().next())).code, 'ERR_MILLRACE_INVALID_STATE');
    assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_INVALID_STATE');
    await iterator.return();
  });
});

once('an aborted run is reverted even when its loop is left', async () => {
  const controller = new AbortController();
  const engine = load(chain(3, local.five), { engine: 'serial', signal: controller.signal });
  const iterator = engine.runIter();
  await stepTo('ANALYZING', iterator);
  controller.abort();
  await iterator.return();
  assert.is(engine.state, 'REVERTED');
  assert.is(engine.storage.getTaskState('task-1'), 'REVERTED');
});

once('return() and close() at once both come to an end', async () => {
  const opened = promised();
  const engine = load(local.gate, { engine: 'serial', services: { gate: () => opened.promise } });
  const iterator = engine.runIter();
  await stepTo('WAITING', iterator);
  const left = iterator.return();
  const closed = engine.close();
  opened.resolve();
  await Promise.all([left, closed]);
  assert.is(engine.state, 'REVERTED');
});

once.run();
