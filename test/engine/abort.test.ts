import { getEventListeners } from 'node:events';
import { AbortError, type Engine, linear, load, run, task } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { engines } from '../engines.js';
import * as stubborn from '../fixtures/engine/stubborn.js';
import { local, travelling } from '../fixtures/engine/tasks.js';
import { captureTasks, promised, rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

/** Aborts when a task comes to a state. */
function abortAt(
  engine: Engine<any>,
  controller: AbortController,
  task: string,
  state: string,
  reason?: unknown,
): void {
  engine.on('task', (event) => {
    if (event.name === task && event.state === state) controller.abort(reason);
  });
}

overEveryKind((test, options, tasks) => {
  const { five, woot, gate } = tasks;
  const { listens, finishes, ignores } = tasks === local ? stubborn.local : stubborn.travelling;

  test('a run whose signal was aborted before does not begin', async () => {
    const reason = new Error('no longer needed');
    const engine = load(five, { ...options, signal: AbortSignal.abort(reason) });
    const events = captureTasks(engine);
    const error = await rejection(engine.run());
    assert.instance(error, AbortError);
    assert.is(error.code, 'ABORT_ERR');
    assert.is(error.cause, reason);
    assert.match(error.message, /Flow 'five' was aborted before it began/);
    assert.is(engine.state, 'PENDING');
    assert.equal(events, []);
  });

  for (const [when, delay] of [
    ['as soon as the task begins', (abort: () => void) => abort()],
    ['while the task waits', (abort: () => void) => void setTimeout(abort, 5)],
  ] as const) {
    test(`an abort tells the task, reverts what was done, and names the task: ${when}`, async () => {
      const controller = new AbortController();
      const engine = load(linear('f', five, listens, five.with({ name: 'never' })), {
        ...options,
        signal: controller.signal,
        abortGrace: 60_000,
      });
      const reason = new Error('no longer needed');
      engine.on('task', ({ name, state }) => {
        if (name === 'listens' && state === 'RUNNING') delay(() => controller.abort(reason));
      });
      const error = await rejection(engine.run());
      assert.instance(error, AbortError);
      assert.is(error.name, 'AbortError');
      assert.is(error.code, 'ABORT_ERR');
      assert.is(error.cause, reason);
      assert.is(error.task, 'listens');
      assert.match(error.message, /Flow 'f' was aborted while 'listens' ran/);
      assert.is(engine.state, 'REVERTED');
      assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', listens: 'REVERTED', never: 'PENDING' });
      const failure = engine.storage.getExecuteFailures().listens.error as AbortError;
      assert.is(failure.code, 'ABORT_ERR');
      assert.is(failure.task, 'listens');
    });
  }

  test('abort() without a reason has the reason that the platform gives', async () => {
    const controller = new AbortController();
    const engine = load(listens, { ...options, signal: controller.signal, abortGrace: 60_000 });
    abortAt(engine, controller, 'listens', 'RUNNING');
    const error = await rejection(engine.run());
    assert.instance(error.cause, DOMException);
    assert.is(error.cause, controller.signal.reason);
  });

  test('a signal that times out aborts', async () => {
    const alive = setInterval(() => {}, 1000); // its timer does not keep the process alive
    const error = await rejection(run(listens, {}, { ...options, signal: AbortSignal.timeout(5), abortGrace: 60_000 }));
    clearInterval(alive);
    assert.is(error.code, 'ABORT_ERR');
    assert.is(error.cause.name, 'TimeoutError');
  });

  test('a task that ends well in spite of an abort has succeeded, and is reverted', async () => {
    const controller = new AbortController();
    const engine = load(finishes, { ...options, signal: controller.signal, abortGrace: 60_000 });
    abortAt(engine, controller, 'finishes', 'RUNNING');
    const events = captureTasks(engine);
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.equal(events, [
      'finishes: RUNNING',
      'finishes: SUCCESS(finished)',
      'finishes: REVERTING',
      'finishes: REVERTED',
    ]);
    assert.equal(engine.storage.getExecuteFailures(), {});
  });

  test('a task that does not heed an abort is given up after the grace', async () => {
    const controller = new AbortController();
    const engine = load(linear('f', five, ignores), { ...options, signal: controller.signal, abortGrace: 1 });
    // Not when it is told to run: a thread that dies before it has begun would leave it PENDING.
    engine.on('progress', ({ name, progress }) => name === 'ignores' && progress === 0.5 && controller.abort());
    const error = await rejection(engine.run());
    assert.is(error.code, 'ABORT_ERR');
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', ignores: 'REVERTED' });
    assert.is(engine.storage.getExecuteFailures().ignores.error.name, 'AbortError');
    assert.equal(await run(five, {}, { ...options, abortGrace: 1 }), { five: 5 }, 'and the next run is none the worse');
  });

  test('an abort after the end has no effect', async () => {
    const controller = new AbortController();
    const engine = load(five, { ...options, signal: controller.signal });
    assert.equal(await engine.run(), { five: 5 });
    controller.abort();
    await new Promise(setImmediate);
    assert.is(engine.state, 'SUCCESS');
    assert.is(engine.storage.getTaskState('five'), 'SUCCESS');
  });

  test('an abort during a revert lets the revert go on', async () => {
    const controller = new AbortController();
    const engine = load(linear('f', five, five.with({ name: 'b' }), woot), { ...options, signal: controller.signal });
    abortAt(engine, controller, 'b', 'REVERTING');
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', b: 'REVERTED', woot: 'REVERTED' });
  });

  test('an abort between two tasks reverts in order, one after the other', async () => {
    const controller = new AbortController();
    // With a timeout a task travels alone, hence the next has not started when its success is told.
    const alone = ['a', 'b', 'c'].map((name) => five.with({ name, timeout: 60_000 }));
    const engine = load(linear('f', alone), { ...options, signal: controller.signal });
    abortAt(engine, controller, 'b', 'SUCCESS');
    const events = captureTasks(engine);
    const error = await rejection(engine.run());
    assert.is(error.code, 'ABORT_ERR');
    assert.is(error.task, undefined);
    assert.equal(events.slice(4), ['b: REVERTING', 'b: REVERTED', 'a: REVERTING', 'a: REVERTED']);
  });

  test('an abort comes out rather than what a task throws because of it', async () => {
    const controller = new AbortController();
    const opened = promised();
    const services = {
      async gate() {
        await opened.promise;
        throw new Error('the other side has gone');
      },
    };
    const engine = load(gate, { ...options, services, signal: controller.signal, abortGrace: 60_000 });
    abortAt(engine, controller, 'gate', 'RUNNING');
    controller.signal.addEventListener('abort', () => opened.resolve());
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
  });
});

for (const { name, options } of engines.filter(({ options }) => options.engine === 'parallel')) {
  once(`a loop in a worker sees that it is to stop (${name})`, async () => {
    const controller = new AbortController();
    const engine = load(linear('f', travelling.five, stubborn.looks), {
      ...options,
      signal: controller.signal,
      abortGrace: 60_000,
    });
    engine.on('progress', ({ name, progress }) => name === 'looks' && progress === 0.5 && controller.abort());
    const error = await rejection(engine.run());
    assert.is(error.code, 'ABORT_ERR');
    assert.is(error.task, 'looks');
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', looks: 'REVERTED' });
  });

  once(
    `a loop in a worker that heeds nothing is ended after the grace, and the pool is whole again (${name})`,
    async () => {
      const controller = new AbortController();
      const engine = load(linear('f', travelling.five, stubborn.loops), {
        ...options,
        signal: controller.signal,
        abortGrace: 1,
      });
      engine.on('progress', ({ name, progress }) => name === 'loops' && progress === 0.5 && controller.abort());
      const error = await rejection(engine.run());
      assert.is(error.code, 'ABORT_ERR');
      assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', loops: 'REVERTED' });
      assert.equal(await run(travelling.five, {}, options), { five: 5 });
    },
  );

  once(`an abort while a run waits for its threads ends it (${name})`, async () => {
    const controller = new AbortController();
    // These options are nobody else's, so that the pool has no threads yet.
    const engine = load(travelling.five, { ...options, maxQueue: 1003, signal: controller.signal });
    engine.on('flow', ({ state }) => state === 'RUNNING' && setImmediate(() => controller.abort()));
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.equal(engine.storage.getTaskStates(), { five: 'PENDING' });
  });
}

once('an abort when a task has just ended does not end the thread that it ran on', async () => {
  const options = { engine: 'parallel', workers: 1, abortGrace: 1 } as const;
  const { thread } = await run(stubborn.where, {}, options);
  const controller = new AbortController();
  const engine = load(stubborn.where, { ...options, signal: controller.signal });
  abortAt(engine, controller, 'where', 'SUCCESS');
  assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
  await new Promise((resolve) => setTimeout(resolve, 20)); // well beyond the grace
  assert.equal(await run(stubborn.where, {}, options), { thread });
});

for (const { name, options } of engines) {
  once(`a local task that aborts its own run is told so at once (${name})`, async () => {
    const controller = new AbortController();
    const seen: unknown[] = [];
    const inside = task({
      name: 'inside',
      execute(_, context) {
        controller.abort('enough');
        seen.push(context.aborted, context.signal.reason);
        return new Promise(() => {});
      },
    });
    const error = await rejection(run(inside, {}, { ...options, signal: controller.signal, abortGrace: 1 }));
    assert.is(error.code, 'ABORT_ERR');
    assert.is(error.cause, 'enough');
    assert.equal(seen, [true, 'enough']);
  });
}

once('any number of runs may share one signal: one listener aborts them all, and none is left behind', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const waits = task({ name: 'waits', execute: () => new Promise(() => {}) });
  const passes = task({ name: 'passes', execute: () => 1 });
  const options = { engine: 'serial', signal, abortGrace: 1 } as const;
  const waiting = Array.from({ length: 30 }, () => rejection(run(waits, {}, options)));
  await Promise.all(Array.from({ length: 30 }, () => run(passes, {}, options)));
  assert.is(getEventListeners(signal, 'abort').length, 1);
  controller.abort();
  for (const error of await Promise.all(waiting)) assert.is(error.code, 'ABORT_ERR');
  assert.is(getEventListeners(signal, 'abort').length, 0);

  const unused = new AbortController();
  await run(passes, {}, { engine: 'serial', signal: unused.signal });
  assert.is(getEventListeners(unused.signal, 'abort').length, 0);
});

once.run();
