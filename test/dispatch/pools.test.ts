import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { createPool, type Engine, linear, load, run, share, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { leavesBomb } from '../fixtures/dispatch/failing.js';
import { gate } from '../fixtures/dispatch/packets.js';
import { busy, leavesTimer } from '../fixtures/dispatch/pools.js';
import { where } from '../fixtures/dispatch/steps.js';
import { errorOf, useAll } from './settle.js';

const shut = () => share(new Int32Array(1));

function unlock(open: Int32Array): void {
  Atomics.store(open, 0, 1);
  Atomics.notify(open, 0);
}

/** Waits on the main thread, where nothing of it shows to the workers. */
const until = (condition: () => boolean) =>
  task({
    name: 'until',
    async execute() {
      while (!condition()) await sleep(1);
    },
  });

/** Starts a run that holds the only thread of its pool until it is let go. */
async function occupy(
  pool: any,
  signal?: AbortSignal,
): Promise<{ engine: Engine<any>; ended: Promise<unknown>; leave: () => void }> {
  const open = shut();
  const engine = load(gate, { inputs: { open }, pool, ...(signal && { signal }) });
  const ended = engine.run();
  await once(engine, 'log');
  return { engine, ended, leave: () => unlock(open) };
}

test('runs of one configuration share their threads', async () => {
  const first = await run(where, {}, { workers: 1, idleTimeout: 60_000 });
  const second = await run(where, {}, { workers: 1, idleTimeout: 60_000 });
  const other = await run(where, {}, { workers: 1, idleTimeout: 61_000 });
  assert.is(second.thread, first.thread);
  assert.is.not(other.thread, first.thread);
});

test('a run uses the pool that it is given', async () => {
  await using pool = await createPool({ workers: 1 });
  const [thread] = await useAll(pool);
  assert.is((await run(where, {}, { pool })).thread, thread);
  assert.is.not((await run(where, {}, { workers: 1 })).thread, thread);
});

test('after warmUp() all threads are there', async () => {
  await using pool = await createPool({ workers: 2 });
  await pool.warmUp();
  const next = new Worker('', { eval: true });
  const { threadId } = next;
  await once(next, 'exit');
  for (const thread of await useAll(pool)) assert.ok(thread < threadId);
});

test('a closed pool refuses runs and warmUp(); closing it again does nothing', async () => {
  const pool = await createPool({ workers: 1 });
  await pool.warmUp();
  await Promise.all([pool.close(), pool.close()]);
  await pool.close();
  assert.is((await errorOf(run(where, {}, { pool }))).code, 'ERR_MILLRACE_CLOSED');
  assert.is((await errorOf(pool.warmUp())).code, 'ERR_MILLRACE_CLOSED');
});

test('a pool that was never used can be closed', async () => {
  const pool = await createPool({ workers: 1 });
  await pool.close();
});

test('closing a pool waits for all its runs, those that wait for a thread too', async () => {
  const pool = await createPool({ workers: 1 });
  const holder = await occupy(pool);
  const order: string[] = [];
  const engine = load(where, { pool });
  const waiting = engine.run().then(() => order.push('waiting'));
  await once(engine, 'flow');
  const closed = pool.close().then(() => order.push('closed'));
  holder.leave();
  await Promise.all([holder.ended, waiting, closed]);
  assert.equal(order, ['waiting', 'closed']);
});

test('a run that finds more runs waiting than maxQueue allows is refused, also when all of them have signals', async () => {
  await using pool = await createPool({ workers: 1, maxQueue: 1 });
  const { signal } = new AbortController();
  const holder = await occupy(pool, signal);
  const second = load(where, { pool, signal });
  const queued = second.run();
  await once(second, 'flow');
  const error = await errorOf(run(where, {}, { pool, signal }));
  assert.is(error.code, 'ERR_MILLRACE_QUEUE_FULL');
  assert.match(error.message, 'maxQueue is 1');
  holder.leave();
  await Promise.all([holder.ended, queued]);
  await run(where, {}, { pool, signal });
});

test('a run that waits for a thread ends at once when it is aborted', async () => {
  await using pool = await createPool({ workers: 1 });
  const holder = await occupy(pool);
  const controller = new AbortController();
  const engine = load(where, { pool, signal: controller.signal });
  const aborted = errorOf(engine.run());
  await once(engine, 'flow');
  controller.abort();
  assert.is((await aborted).code, 'ABORT_ERR');
  assert.is(holder.engine.state, 'RUNNING');
  holder.leave();
  await holder.ended;
});

test('a short run gets a thread while a long one goes on', async () => {
  await using pool = await createPool({ workers: 1 });
  const order: string[] = [];
  const many = Array.from({ length: 3000 }, (_, i) => busy.with({ name: `busy-${i}` }));
  const engine = load(unordered('long', ...many), { pool });
  const long = engine.run().then(() => order.push('long'));
  await once(engine, 'task');
  await run(linear('short', where.with({ name: 'a' }), where.with({ name: 'b' })), {}, { pool });
  order.push('short');
  await long;
  assert.equal(order, ['short', 'long']);
});

test('threads that nothing needs are ended after idleTimeout, and started again when a run needs them', async () => {
  const threads = () => (process.report.getReport() as any as { workers: unknown[] }).workers.length;
  await using pool = await createPool({ workers: 2, idleTimeout: 1 });
  const before = threads();
  const first = await useAll(pool);
  for (const end = Date.now() + 20_000; threads() > before && Date.now() < end; ) await sleep(10);
  assert.is(threads(), before);
  const second = await useAll(pool);
  assert.ok(second.every((thread) => !first.includes(thread)));
});

test('a pool that is idle does not keep its process alive', async () => {
  const program = fileURLToPath(new URL('../fixtures/dispatch/program.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program], { timeout: 30_000 });
  assert.is(stdout, 'done\n');
});

test('timers of a worker go on between its tasks', async () => {
  await using pool = await createPool({ workers: 1 });
  const ticks = shut();
  await run(
    linear(
      'flow',
      leavesTimer,
      until(() => Atomics.load(ticks, 0) === 1),
    ),
    { ticks },
    { pool },
  );
});

test('a rejection that nobody handles between tasks is a warning, and its thread is replaced', async () => {
  await using pool = await createPool({ workers: 1 });
  const fuse = shut();
  let warning: Error | undefined;
  process.once('warning', (given) => {
    warning = given;
  });
  const light = task({ name: 'light', execute: () => void Atomics.store(fuse, 0, 1) });
  await run(
    linear(
      'flow',
      leavesBomb,
      light,
      until(() => warning !== undefined),
    ),
    { fuse },
    { pool },
  );
  assert.is(warning!.name, 'MillraceWarning');
  assert.match(warning!.message, 'from before');
  await useAll(pool);
});

test.run();
