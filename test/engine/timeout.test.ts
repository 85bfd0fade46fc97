import { linear, load, run } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { engines } from '../engines.js';
import * as stubborn from '../fixtures/engine/stubborn.js';
import { local } from '../fixtures/engine/tasks.js';
import { rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

overEveryKind((test, options, tasks) => {
  const { five, woot } = tasks;
  const { listens, ignores, holds, late, ignoresInRevert } = tasks === local ? stubborn.local : stubborn.travelling;

  test('a task that takes too long fails, and the flow is reverted', async () => {
    const engine = load(linear('f', five, ignores.with({ timeout: 150 })), { ...options, abortGrace: 1 });
    const error = await rejection(engine.run());
    assert.is(error.name, 'RunError');
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.is(error.task, 'ignores');
    assert.match(error.message, /Task 'ignores' took longer than its timeout of 150 ms/);
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', ignores: 'REVERTED' });
  });

  test('a task that takes too long is told to stop, and why', async () => {
    const engine = load(listens.with({ timeout: 150 }), { ...options, abortGrace: 60_000 });
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.is(engine.state, 'REVERTED');
  });

  test('a synchronous task that ends too late has failed as well', async () => {
    const error = await rejection(run(late.with({ timeout: 1 }), {}, { ...options, abortGrace: 60_000 }));
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.is(error.task, 'late');
  });

  test('the configuration has a timeout for tasks that have none', async () => {
    const error = await rejection(run(ignores, {}, { ...options, taskTimeout: 150, abortGrace: 1 }));
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.match(error.message, /its timeout of 150 ms/);
  });

  test("a task's own timeout goes before that of the configuration", async () => {
    await run(holds.with({ timeout: 60_000 }), {}, { ...options, taskTimeout: 1 });
    const error = await rejection(run(late.with({ timeout: 1 }), {}, { ...options, taskTimeout: 60_000 }));
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
  });

  test('a task that is in time is not affected', async () => {
    assert.equal(await run(five.with({ timeout: 60_000 }), {}, options), { five: 5 });
    assert.equal(await run(five.with({ timeout: 2 ** 40 }), {}, options), { five: 5 });
  });

  test('a revert has the same timeout, and fails when it takes too long', async () => {
    const flow = linear('f', five, ignoresInRevert.with({ timeout: 150 }), woot);
    const engine = load(flow, { ...options, abortGrace: 1 });
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.is(engine.state, 'FAILURE');
    assert.equal(engine.storage.getTaskStates(), {
      five: 'SUCCESS',
      ignoresInRevert: 'REVERT_FAILURE',
      woot: 'REVERTED',
    });
  });
});

for (const { name, options } of engines.filter(({ options }) => options.engine === 'parallel')) {
  once(`an endless loop in a worker is ended by its timeout, and the pool is whole again (${name})`, async () => {
    const engine = load(linear('f', stubborn.travelling.holds, stubborn.loops.with({ timeout: 150 })), {
      ...options,
      abortGrace: 1,
    });
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.is(error.task, 'loops');
    assert.equal(engine.storage.getTaskStates(), { holds: 'REVERTED', loops: 'REVERTED' });
    await run(stubborn.travelling.holds, {}, options);
  });
}

once.run();
