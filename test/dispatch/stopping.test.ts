import { once } from 'node:events';
import { AbortError, createPool, type Engine, linear, load, run } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deaf, fails, finishesAnyway, listensToSignal, looksAtAborted } from '../fixtures/dispatch/failing.js';
import { after, before, where } from '../fixtures/dispatch/steps.js';
import { errorOf, settle, useAll } from './settle.js';

const pool = await createPool({ workers: 2 });

/** Acts as soon as the task has said that it runs in its worker. */
const onceStarted = (act: (engine: Engine) => void) => (engine: Engine) => {
  once(engine, 'log').then(() => act(engine));
};

test('a run whose signal is aborted already never starts', async () => {
  const engine = load(linear('flow', before), { signal: AbortSignal.abort('enough'), pool });
  const error = await errorOf(engine.run());
  assert.instance(error, AbortError);
  assert.is(error.cause, 'enough');
  assert.equal(engine.storage.getTaskStates(), { before: 'PENDING' });
});

test('a run that is aborted while its threads start ends without having run a task', async () => {
  await using cold = await createPool({ workers: 1 });
  const controller = new AbortController();
  const engine = load(linear('flow', before), { signal: controller.signal, pool: cold });
  engine.on('flow', () => setImmediate(() => controller.abort()));
  const error = await errorOf(engine.run());
  assert.is(error.code, 'ABORT_ERR');
  assert.not.ok(Object.values(engine.storage.getTaskStates()).includes('SUCCESS'));
  await useAll(cold);
});

test('an abort after the end does nothing', async () => {
  const controller = new AbortController();
  await run(linear('flow', before), {}, { signal: controller.signal, pool });
  controller.abort();
  await useAll(pool);
});

for (const culprit of [looksAtAborted, listensToSignal, deaf]) {
  test(`an abort ends ${culprit.name}, and what was before it is reverted`, async () => {
    const controller = new AbortController();
    const reason = new RangeError('enough');
    const abort = onceStarted(() => controller.abort(reason));
    const { error } = await settle(culprit, { signal: controller.signal, pool, abortGrace: 200 }, abort);
    assert.instance(error, AbortError);
    assert.is(error.code, 'ABORT_ERR');
    assert.is(error.cause, reason);
    await useAll(pool);
  });

  test(`closing the engine ends ${culprit.name}, and what was before it is reverted`, async () => {
    let closed: Promise<void> | undefined;
    const close = onceStarted((engine) => {
      closed = engine.close();
    });
    const { error, engine } = await settle(culprit, { pool, abortGrace: 200 }, close);
    assert.is(error.code, 'ERR_MILLRACE_CLOSED');
    await closed;
    assert.is(engine.state, 'REVERTED');
    await useAll(pool);
  });

  test(`a timeout ends ${culprit.name}`, async () => {
    const { error } = await settle(culprit.with({ timeout: 50 }), { pool, abortGrace: 200 });
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    await useAll(pool);
  });
}

test("the signal in a worker tells the reason of the run's", async () => {
  const controller = new AbortController();
  const engine = load(finishesAnyway, { signal: controller.signal, pool });
  once(engine, 'log').then(() => controller.abort(new RangeError('enough')));
  let reason: any;
  engine.on('task', ({ state, result }) => {
    if (state === 'SUCCESS') reason = result;
  });
  await errorOf(engine.run());
  assert.is(reason.message, 'enough');
});

test('a task that heeds the abort in time keeps its thread', async () => {
  await using single = await createPool({ workers: 1 });
  const [thread] = await useAll(single);
  const controller = new AbortController();
  const abort = onceStarted(() => controller.abort());
  await settle(looksAtAborted, { signal: controller.signal, pool: single, abortGrace: 20_000 }, abort);
  assert.equal(await useAll(single), [thread]);
});

test('a listener may abort the run as soon as a task begins', async () => {
  const controller = new AbortController();
  const abort = (engine: Engine) => {
    engine.on('task', ({ name, state }) => {
      if (name === 'looksAtAborted' && state === 'RUNNING') controller.abort();
    });
  };
  const { error } = await settle(looksAtAborted, { signal: controller.signal, pool, abortGrace: 20_000 }, abort);
  assert.is(error.code, 'ABORT_ERR');
});

test('a listener that aborts when a task has ended does not cost the thread of that task', async () => {
  await using single = await createPool({ workers: 1 });
  const [thread] = await useAll(single);
  const controller = new AbortController();
  const engine = load(linear('flow', before, after), { signal: controller.signal, pool: single, abortGrace: 0 });
  engine.on('task', ({ name, state }) => {
    if (name === 'before' && state === 'SUCCESS') controller.abort();
  });
  const error = await errorOf(engine.run());
  assert.is(error.code, 'ABORT_ERR');
  assert.equal(engine.storage.getTaskStates(), { before: 'REVERTED', after: 'PENDING' });
  assert.equal(await useAll(single), [thread]);
});

test('a run goes on when its pool is closed, and the close waits for it', async () => {
  const closing = await createPool({ workers: 2 });
  const order: string[] = [];
  const engine = load(linear('flow', before, after), { pool: closing });
  let closed: Promise<unknown> | undefined;
  engine.on('task', ({ name, state }) => {
    if (name === 'before' && state === 'RUNNING') closed = closing.close().then(() => order.push('closed'));
  });
  await engine.run().then(() => order.push('ran'));
  await closed;
  assert.equal(order, ['ran', 'closed']);
  const error = await errorOf(run(after, {}, { pool: closing }));
  assert.is(error.code, 'ERR_MILLRACE_CLOSED');
});

test('a run that kills workers harms no other run on the same pool', async () => {
  const innocent = () => run(linear('innocent', where.with({ name: 'a' }), where.with({ name: 'b' })), {}, { pool });
  const culprit = () => errorOf(run(fails, { how: 'exit3' }, { pool }));
  const results: any[] = await Promise.all(
    Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? culprit() : innocent())),
  );
  assert.is(results.filter(({ code }) => code === 'ERR_MILLRACE_WORKER_EXIT').length, 10);
  await useAll(pool);
});

test('what waits behind a task on a thread that dies runs on another', async () => {
  await using single = await createPool({ workers: 1 });
  // Both are known to be short, so that the second is sent before the first has ended.
  for (let i = 0; i < 3; i++)
    await Promise.all([run(where, {}, { pool: single }), run(fails, { how: 'brief' }, { pool: single })]);
  const [dead, alive] = await Promise.allSettled([
    run(fails, { how: 'exit3' }, { pool: single }),
    run(where, {}, { pool: single }),
  ]);
  assert.is(dead.status, 'rejected');
  assert.is(alive.status, 'fulfilled');
});

test.after(() => pool.close());
test.run();
