import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { createPool, linear, load, run, share, task, times, transfer, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  adds,
  doubles,
  insists,
  left,
  makes,
  measures,
  moves,
  movesAndFails,
  movesThenWrites,
  opens,
  passes,
} from '../fixtures/dispatch/values.js';
import { errorOf } from './settle.js';

const pool = await createPool({ workers: 1 });

/** Runs the tasks until the pool knows that they are small, so that they travel together from now on. */
async function teach(flow: any, inputs: object): Promise<void> {
  for (let i = 0; i < 5; i++) await run(flow, inputs, { pool });
}

const copies = (task: any, count: number, provides: string) =>
  Array.from({ length: count }, (_, i) => task.with({ name: `${task.name}-${i}`, provides: `${provides}-${i}` }));

test('what a task transfers leaves its thread and arrives whole, wherever it is in the result', async () => {
  const results = await run(linear('flow', moves, left), { size: 100_000 }, { pool });
  assert.equal(results.moved.nested[0].bytes, new Uint8Array(100_000).fill(7));
  assert.is(results.bytesLeft, 0);
});

test('what a task transfers arrives as well when tasks travel together', async () => {
  const flow = unordered('flow', ...copies(moves, 100, 'moved'));
  await teach(flow, { size: 16 });
  const results: any = await run(flow, { size: 16 }, { pool });
  for (const { nested } of Object.values<any>(results)) assert.equal(nested[0].bytes, new Uint8Array(16).fill(7));
});

test('what a task has marked for transfer is its own until it returns', async () => {
  const flow = linear('flow', ...copies(movesThenWrites, 20, 'written'));
  await teach(flow, {});
  for (const written of Object.values(await run(flow, {}, { pool }))) assert.equal(written, new Uint8Array(4).fill(9));
});

test('a value that several tasks on a thread need is the one of the attempt under way', async () => {
  let attempt = 0;
  const gives = task({ name: 'gives', provides: 'value', execute: () => ({ attempt: ++attempt }) });
  const flow = linear('flow', gives, unordered('all', ...copies(insists, 10, 'seen'))).with({ retry: times(5) });
  const results: any = await run(flow, { least: 4 }, { pool });
  assert.is(attempt, 4);
  for (let i = 0; i < 10; i++) assert.is(results[`seen-${i}`], 4);
});

test('a task that transfers its result does not take it from those that follow it', async () => {
  const flow = linear('flow', makes, measures, measures.with({ name: 'again', provides: 'lengthAgain' }));
  await teach(flow, {});
  const { bytes, length, lengthAgain } = await run(flow, {}, { pool });
  assert.equal([bytes, length, lengthAgain], [new Uint8Array([1, 2, 3]), 3, 3]);
});

test('a task that transfers its input does not take it from others that need it', async () => {
  const flow = unordered('flow', ...copies(passes, 10, 'passed'), measures);
  for (const inputs of [{ bytes: new Uint8Array([1, 2, 3]) }]) {
    const results = await run(flow, inputs, { pool });
    const { length, ...passed } = results as any;
    assert.is(length, 3);
    for (const bytes of Object.values(passed)) assert.equal(bytes, inputs.bytes);
  }
});

test('a task that changes and transfers its only input leaves the one of the caller as it is', async () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const { doubled } = await run(doubles, { bytes }, { pool });
  assert.equal([doubled, bytes], [new Uint8Array([2, 4, 6]), new Uint8Array([1, 2, 3])]);
});

test('the revert of a task that has transferred its input finds it whole', async () => {
  const engine = load(movesAndFails, { inputs: { bytes: new Uint8Array(5) }, pool });
  assert.is(String(await errorOf(engine.run())), 'RangeError: after the transfer');
  assert.is(engine.storage.getRevertResult('movesAndFails'), 5);
});

test('a task may return a port that works', async () => {
  const { port } = await run(opens, {}, { pool });
  const open = port as MessagePort;
  open.postMessage(1);
  assert.equal(await once(open, 'message'), [2]);
  open.close();
});

test('several tasks that travel together may each return a port', async () => {
  const flow = unordered('flow', ...copies(opens, 10, 'port'));
  for (let i = 0; i < 5; i++) {
    const ports = Object.values(await run(flow, {}, { pool })) as MessagePort[];
    for (const port of ports) port.postMessage(i);
    const answers = await Promise.all(ports.map((port) => once(port, 'message')));
    assert.equal(
      answers,
      ports.map(() => [i + 1]),
    );
  }
});

test('shared memory is the same on every thread', async () => {
  await using threads = await createPool({ workers: 2 });
  const total = share(new Int32Array(1));
  await run(
    unordered('flow', ...Array.from({ length: 20 }, (_, i) => adds.with({ name: `adds-${i}` }))),
    { total },
    { pool: threads },
  );
  assert.is(total[0], 20_000);
});

test('transfer() does nothing on the main thread', () => {
  const bytes = new Uint8Array(3);
  assert.is(transfer(bytes), bytes);
  assert.is(bytes.length, 3);
});

test.after(() => pool.close());
test.run();
