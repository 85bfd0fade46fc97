import { type Engine, linear, load, task, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { local, travelling } from '../fixtures/engine/tasks.js';
import { capture, promised, rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

/** Suspends an engine once, when a task comes to a state. */
function suspendAt(engine: ReturnType<typeof load>, task: string, state: string): void {
  const look = (event: { name: string; state: string }) => {
    if (event.name !== task || event.state !== state) return;
    engine.off('task', look);
    engine.suspend();
  };
  engine.on('task', look);
}

overEveryKind((test, options, { five, woot, gate }) => {
  // With a timeout a task travels alone, hence the next has not started when its success is told.
  const abc = linear(
    'f',
    ['a', 'b', 'c'].map((name) => five.with({ name, timeout: 60_000 })),
  );

  test('a suspended flow goes on where it was', async () => {
    const engine = load(abc, options);
    suspendAt(engine, 'b', 'SUCCESS');
    const events = capture(engine);
    assert.equal(await engine.run(), { five: 5 }, 'what there is so far');
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(events.splice(0), [
      ...['flow f: RUNNING', 'a: RUNNING', 'a: SUCCESS(5)', 'b: RUNNING'],
      ...['flow f: SUSPENDING', 'b: SUCCESS(5)', 'flow f: SUSPENDED'],
    ]);
    await engine.run();
    assert.equal(events, ['flow f: RUNNING', 'c: RUNNING', 'c: SUCCESS(5)', 'flow f: SUCCESS']);
  });

  test('a flow that is suspended in its last task has succeeded', async () => {
    const engine = load(abc, options);
    suspendAt(engine, 'c', 'SUCCESS');
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
  });

  test('a task that runs may finish before the flow is suspended', async () => {
    const opened = promised();
    const engine = load(linear('f', gate, five), { ...options, services: { gate: () => opened.promise } });
    engine.on('task', ({ name, state }) => {
      if (name !== 'gate' || state !== 'RUNNING') return;
      engine.suspend();
      opened.resolve();
    });
    await engine.run();
    assert.equal(engine.storage.getTaskStates(), { gate: 'SUCCESS', five: 'PENDING' });
    assert.is(engine.state, 'SUSPENDED');
  });

  test('a task that fails while the flow is being suspended is reverted by the next run', async () => {
    const engine = load(linear('f', five, woot), options);
    suspendAt(engine, 'woot', 'RUNNING');
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(engine.storage.getTaskStates(), { five: 'SUCCESS', woot: 'FAILURE' });
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', woot: 'REVERTED' });
    assert.is(engine.state, 'REVERTED');
  });

  test('a flow that is suspended while it reverts goes on reverting', async () => {
    const engine = load(linear('f', abc, woot), options);
    suspendAt(engine, 'b', 'REVERTED');
    const events = capture(engine);
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.is(events.splice(0).at(-1), 'flow f: SUSPENDED');
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(events, ['flow f: RUNNING', 'a: REVERTING', 'a: REVERTED', 'flow f: REVERTED']);
  });

  test('a flow that is suspended before its first task runs it later', async () => {
    const engine = load(abc, options);
    engine.once('flow', () => engine.suspend());
    assert.equal(await engine.run(), {});
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(await engine.run(), { five: 5 });
  });

  test('suspend() is heeded once: the next run goes on to the end', async () => {
    const engine = load(abc, options);
    suspendAt(engine, 'a', 'SUCCESS');
    await engine.run();
    suspendAt(engine, 'b', 'SUCCESS');
    await engine.run();
    assert.equal(engine.storage.getTaskStates(), { a: 'SUCCESS', b: 'SUCCESS', c: 'PENDING' });
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
  });

  test('suspend() does nothing to a flow that does not run', async () => {
    const engine = load(abc, options);
    engine.suspend();
    assert.is(engine.state, 'PENDING');
    await engine.run();
    engine.suspend();
    assert.is(engine.state, 'SUCCESS');
  });

  test('an abort of a flow that is being suspended reverts it', async () => {
    const controller = new AbortController();
    const opened = promised();
    const services = { gate: () => opened.promise };
    const engine = load(linear('f', five, gate), { ...options, services, signal: controller.signal });
    engine.on('task', ({ name, state }) => {
      if (name !== 'gate' || state !== 'RUNNING') return;
      engine.suspend();
      controller.abort();
      opened.resolve();
    });
    assert.is((await rejection(engine.run())).name, 'AbortError');
    assert.is(engine.state, 'REVERTED');
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', gate: 'REVERTED' });
  });

  test('close() of a flow that is being suspended reverts it', async () => {
    const opened = promised();
    const engine = load(linear('f', five, gate), { ...options, services: { gate: () => opened.promise } });
    let closed: Promise<void> | undefined;
    engine.on('task', ({ name, state }) => {
      if (name !== 'gate' || state !== 'RUNNING') return;
      engine.suspend();
      closed = engine.close();
      opened.resolve();
    });
    assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
    await closed;
    assert.is(engine.state, 'REVERTED');
  });
});

overEveryEngine((test, options) => {
  test('a task may suspend its own flow', async () => {
    const inside = task({ name: 'inside', execute: (): void => engine.suspend() });
    const engine: Engine = load(linear('f', inside, local.five), options);
    await engine.run();
    assert.equal(engine.storage.getTaskStates(), { inside: 'SUCCESS', five: 'PENDING' });
    assert.is(engine.state, 'SUSPENDED');
  });

  test('all tasks that run at once may finish before the flow is suspended', async () => {
    const opened = promised();
    const names = ['a', 'b', 'c'];
    const gates = names.map((name) => local.gate.with({ name }));
    const engine = load(linear('f', unordered('u', gates), local.five), {
      ...options,
      services: { gate: () => opened.promise },
    });
    const last = options.engine === 'serial' ? 'a' : 'c';
    engine.on('task', ({ name, state }) => {
      if (name !== last || state !== 'RUNNING') return;
      setImmediate(() => {
        engine.suspend();
        opened.resolve();
      });
    });
    await engine.run();
    const rest = options.engine === 'serial' ? 'PENDING' : 'SUCCESS';
    assert.equal(engine.storage.getTaskStates(), { a: 'SUCCESS', b: rest, c: rest, five: 'PENDING' });
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
  });
});

once('a flow can be suspended while it waits for its threads', async () => {
  // These options are nobody else's, so that the pool has no threads yet.
  const engine = load(travelling.five, { engine: 'parallel', workers: 1, maxQueue: 1001 });
  engine.once('flow', () => setImmediate(() => engine.suspend()));
  await engine.run();
  assert.is(engine.state, 'SUSPENDED');
  assert.equal(await engine.run(), { five: 5 });
});

once('a flow can be suspended while another one has all the threads', async () => {
  const options = { engine: 'parallel', workers: 1, maxQueue: 1002 } as const;
  const opened = promised();
  const entered = promised();
  const services = {
    gate() {
      entered.resolve();
      return opened.promise;
    },
  };
  const other = load(travelling.gate, { ...options, services });
  const running = other.run();
  await entered.promise;
  const engine = load(travelling.five, options);
  engine.once('flow', () => setImmediate(() => engine.suspend()));
  await engine.run();
  assert.is(engine.state, 'SUSPENDED');
  opened.resolve();
  await running;
});

once.run();
