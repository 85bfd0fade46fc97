/** A value that one task needs, and nobody else, moves to it. */
import { MessagePort } from 'node:worker_threads';
import { createPool, linear, load, run, task, times, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BULKY, borrows, exits, hops, lends, passes, spoils, starts, steps } from '../fixtures/dispatch/moving.js';
import { errorOf } from './settle.js';

const pool = await createPool({ workers: 2 });
/** For tasks that count how often they have run. */
const single = await createPool({ workers: 1 });

/** How much memory has moved from this thread. */
let moved = 0;
const { postMessage } = MessagePort.prototype;
MessagePort.prototype.postMessage = function (this: MessagePort, message: unknown, transfer: any) {
  for (const one of transfer ?? []) if (one instanceof ArrayBuffer) moved += one.byteLength;
  return postMessage.call(this, message, transfer);
};
test.before.each(() => {
  moved = 0;
});

const chain = linear(
  'chain',
  starts,
  Array.from({ length: 10 }, (_, i) => steps.with({ name: `steps ${i}` })),
);

test('a value that the next task alone needs moves to it, and the last one to the user', async () => {
  const { bytes } = await run(chain, {}, { pool });
  assert.equal(bytes, new Uint8Array(BULKY).fill(11));
  assert.is(moved, 9 * BULKY); // the first one is not given away, and stays where it is
});

test('a value stays here while the user may ask for it', async () => {
  const engine = load(chain, { pool });
  await engine.run();
  assert.is(moved, 0);
  const all = engine.storage.fetchAll().bytes as Uint8Array[];
  assert.equal(
    all.map((bytes) => bytes[0]),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  );
});

test('a value stays here while somebody listens', async () => {
  const engine = load(chain, { pool, outputs: ['bytes'] });
  const heard: Uint8Array[] = [];
  engine.on('task', ({ state, result }) => state === 'SUCCESS' && heard.push(result as Uint8Array));
  await engine.run();
  assert.is(moved, 0);
  assert.equal(
    heard.map((bytes) => [bytes.length, bytes[0]]),
    heard.map((_, i) => [BULKY, i + 1]),
  );
});

for (const outputs of [undefined, [], ['value']]) {
  const asked = outputs ? (outputs.length > 0 ? 'its last value' : 'nothing') : 'all';
  test(`tasks in one packet hand bulky values on, when ${asked} is asked for`, async () => {
    const long = linear(
      'long',
      Array.from({ length: 24 }, (_, i) => hops.with({ name: `hops ${i}` })),
      hops.with({ name: 'last', rebind: { value: 'value' } }),
    );
    const value = { bytes: new Uint8Array(BULKY).fill(1), count: 0 };
    const start = task({ name: 'start', provides: 'value', execute: () => value });
    for (let round = 0; round < 12; round++) {
      const inputs = { round, bad: 11, told: 5 };
      const ran = run(linear('rounds', start, long), inputs as any, { pool, outputs } as any);
      if (round < 11) {
        const given: any = await ran;
        assert.equal(Object.keys(given), outputs?.length === 0 ? [] : ['value']);
        if (given.value) assert.equal([given.value.count, given.value.bytes.length], [25, BULKY]);
      } else {
        // It is found out although nobody else needs it.
        const error = await errorOf(ran);
        assert.is(error.code, 'ERR_MILLRACE_UNCLONEABLE_RESULT');
        assert.is(error.task, 'hops 1');
      }
    }
  });
}

test('of what has moved, storage says that it is not here', async () => {
  const engine = load(chain, { pool, outputs: ['bytes'] });
  await engine.run();
  assert.is(moved, 9 * BULKY);
  assert.throws(() => engine.storage.getExecuteResult('starts'), /released/);
});

test('a value that several tasks need does not move', async () => {
  const flow = linear(
    'flow',
    starts,
    unordered('all', ...[0, 1, 2].map((i) => steps.with({ name: `steps ${i}`, provides: `bytes ${i}` }))),
  );
  const { bytes, ...others } = (await run(flow, {}, { pool })) as Record<string, Uint8Array>;
  assert.is(moved, 0);
  for (const other of [...Object.values(others)]) assert.equal(other, new Uint8Array(BULKY).fill(2));
  assert.equal(bytes, new Uint8Array(BULKY).fill(1));
});

test('what a caller gives stays with the caller, and what a task here gives stays with the task', async () => {
  const bytes = new Uint8Array(BULKY).fill(1);
  await run(steps, { bytes }, { pool });
  const here = task({ name: 'here', provides: 'bytes', execute: () => bytes });
  await run(linear('flow', here, steps), {}, { pool });
  assert.is(moved, 0);
  assert.is(bytes.length, BULKY);
});

test('tasks that travel together may return the same memory', async () => {
  const pairs = Array.from({ length: 20 }, (_, i) => [
    lends.with({ name: `lends ${i}`, provides: `loan ${i}` }),
    borrows.with({ name: `borrows ${i}`, rebind: { loan: `loan ${i}` }, provides: `sum ${i}` }),
  ]);
  const flow = linear(
    'flow',
    unordered('lend', ...pairs.map(([lender]) => lender)),
    unordered('borrow', ...pairs.map(([, borrower]) => borrower)),
  ) as any;
  const outputs = pairs.map((_, i) => `sum ${i}`);
  for (let i = 0; i < 5; i++) {
    const sums: Record<string, unknown> = await run(flow, {}, { pool, outputs });
    assert.equal(
      Object.values(sums),
      outputs.map(() => 5),
    );
  }
});

test('tasks that travel together may hand on one piece of memory', async () => {
  const tasks = Array.from({ length: 30 }, (_, i) => passes.with({ name: `passes ${i}` }));
  for (let round = 0; round < 5; round++) {
    const { bytes } = (await run(linear('flow', starts, tasks), {}, { pool })) as { bytes: Uint8Array };
    assert.is(bytes.length, BULKY);
    assert.is(bytes[0], 31);
  }
});

test('of memory that tasks have handed on, the user is given what was asked for', async () => {
  const names = Array.from({ length: 30 }, (_, i) => `bytes ${i}`);
  const tasks = names.map((name, i) =>
    passes.with({ name: `passes ${i}`, provides: name, rebind: { bytes: names[i - 1] ?? 'bytes' } }),
  );
  const flow = linear('flow', starts, tasks) as any;
  for (let round = 0; round < 5; round++) {
    const given: any = await run(flow, {}, { pool, outputs: ['bytes 9', 'bytes 29'] });
    assert.equal([given['bytes 9'].length, given['bytes 29'].length], [BULKY, BULKY]);
  }
});

test('a task that is tried again is given its input again', async () => {
  const alone = linear('flow', starts, spoils.with({ retry: times(3) }));
  assert.equal(await run(alone, {}, { pool: single, outputs: ['first'] }), { first: 2 });
  const whole = linear('flow', starts, linear('again', spoils).with({ retry: times(3) }));
  assert.equal(await run(whole, {}, { pool: single, outputs: ['first'] }), { first: 2 });
  assert.is(moved, 0);
});

test('a task that fails and is taken up by the next run is given its input again', async () => {
  const engine = load(linear('flow', starts, spoils), { pool: single, outputs: ['first'], neverResolve: true });
  for (let i = 0; i < 2; i++) assert.is(String(await errorOf(engine.run())), 'Error: not yet');
  assert.equal(await engine.run(), { first: 2 });
});

test('a task whose worker dies fails, though its input is gone', async () => {
  const error: any = await errorOf(run(linear('flow', starts, exits), {}, { pool }));
  assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  assert.is(error.task, 'exits');
});

test.after(async () => {
  await pool.close();
  await single.close();
});
test.run();
