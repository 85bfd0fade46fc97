/** Bulky values stay on the thread that made them until a task needs them elsewhere, and nobody notices. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createPool, graph, linear, load, type Pool, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from '../fast-check.js';
import {
  BULKY,
  exits,
  joins,
  leavesBomb,
  looks,
  makes,
  mix,
  mixes,
  openGate,
  waits,
  withdraws,
} from '../fixtures/dispatch/resident.js';
import { errorOf } from './settle.js';

const pool = await createPool({ workers: 2 });
const single = await createPool({ workers: 1 });
await pool.warmUp();

const newGate = () => new Int32Array(new SharedArrayBuffer(4));

/** Waits until shared memory tells that something has happened so many times. */
async function until(words: Int32Array, count: number): Promise<void> {
  while (Atomics.load(words, 0) < count) await sleep(1);
}

const chain = linear('chain', makes.with({ provides: 'value' }), looks.with({ provides: 'seen' }));

test('a value stays on its thread, and the task that needs it goes there', async () => {
  for (let i = 0; i < 20; i++) {
    const { seen }: any = await run(chain, {}, { pool, outputs: ['seen'] });
    assert.ok(seen.same);
    assert.is(seen.thread, seen.from);
  }
});

test('a value comes here when it is asked for, when a task here needs it, and when somebody listens', async () => {
  const here = task({
    name: 'here',
    requires: ['value'],
    provides: 'size',
    execute: ({ value }: any) => value.bytes.length,
  });
  assert.is(((await run(linear('f', chain, here), {}, { pool, outputs: ['size'] })) as any).size, BULKY);
  const all: any = await run(chain, {}, { pool });
  assert.is(all.value.bytes.length, BULKY);
  const engine = load(chain, { pool, outputs: ['seen'] });
  const heard: any[] = [];
  engine.on('task', ({ name, state, result }) => name === 'makes' && state === 'SUCCESS' && heard.push(result));
  await engine.run();
  assert.is(heard[0].bytes.length, BULKY);
});

test('a task goes where its largest input is, and the others come to it', async () => {
  for (const [left, right] of [
    [1, 3],
    [3, 1],
    [2, 2],
  ]) {
    const gates = [newGate(), newGate()];
    // Each is made while the other thread is busy.
    const made = (name: string, size: number, at: number) =>
      makes.with({ name, provides: name, inject: { size, door: gates[at] } });
    const flow = graph('join', made('left', left, 0), made('right', right, 1), joins.with({ provides: 'seen' }));
    const running = run(flow, {}, { pool, outputs: ['seen'] });
    await sleep(5);
    for (const gate of gates) openGate(gate);
    const { seen }: any = await running;
    assert.equal(seen.first, [left, right]);
    assert.is.not(seen.from[0], seen.from[1]);
    assert.equal(seen.same, left >= right ? [true, false] : [false, true]);
  }
});

test('what several tasks need is shared by all threads', async () => {
  const names = Array.from({ length: 64 }, (_, i) => `seen ${i}`);
  const all = names.map((name) => looks.with({ name, provides: name }));
  const flow = linear('f', makes.with({ provides: 'value' }), unordered('all', all)) as any;
  for (let i = 0; i < 5; i++) {
    const seen: any = await run(flow, {}, { pool, outputs: names });
    assert.ok(names.every((name) => seen[name].first === 1));
  }
});

test('nobody waits for a value behind a long task', async () => {
  const gate = newGate();
  const runs = newGate();
  const other = newGate();
  // One thread makes a value and goes on with a task that does not end; then the other one needs the value.
  const first = makes.with({ provides: 'value' });
  const early = waits.with({ name: 'early', provides: 'early', inject: { runs, gate: other } });
  const late = waits.with({ name: 'late', provides: 'late', priority: 1, inject: { runs, gate } });
  const last = looks.with({ provides: 'seen' });
  const whole = graph('f', first, early, late, last).link(first, late).link(early, last);
  const running = run(whole, {}, { pool, outputs: ['seen', 'late'] });
  await until(runs, 2); // both threads are busy, and the value is made
  openGate(other);
  await sleep(20); // `last` may run now
  openGate(gate);
  const { seen, late: thread }: any = await running;
  assert.is.not(seen.thread, thread);
  assert.is(seen.same, false);
});

/** A flow of which one thread waits at a gate, while a value that is then needed is with the other one. Runs until it is. */
async function waiting(outputs: string[]) {
  const [runs, gate] = [newGate(), newGate()];
  const busy = waits.with({ provides: 'waited' });
  const last = looks.with({ provides: 'seen' });
  const flow = graph('f', busy, makes.with({ provides: 'value' }), last).link(busy, last);
  const engine = load(flow, { pool, inputs: { runs, gate }, outputs } as any) as any;
  const running = engine.run();
  await until(runs, 1);
  while (engine.storage.getTaskStates().makes !== 'SUCCESS') await sleep(1);
  return { engine, running, gate };
}

test('a run that is suspended has its values, and goes on with them', async () => {
  const { engine, running, gate } = await waiting(['seen']);
  engine.suspend();
  await sleep(1); // the thread is told
  openGate(gate);
  await running;
  assert.is(engine.state, 'SUSPENDED');
  assert.is(engine.storage.fetch('value').bytes.length, BULKY);
  const { seen } = await engine.run();
  assert.equal([seen.first, seen.same], [1, false]);
});

test('while a value is with a thread, storage says so, and when nobody needs it any more', async () => {
  const { engine, running, gate } = await waiting([]);
  assert.throws(() => engine.storage.fetch('value'), /'value' stays on a worker thread/);
  assert.throws(() => engine.storage.getExecuteResult('makes'), /stays on a worker thread/);
  assert.is('value' in engine.storage.fetchAll(), false);
  openGate(gate);
  await running;
  assert.throws(() => engine.storage.fetch('value'), /'value' was released/);
});

test('a thread that another run ends takes no value with it', async () => {
  for (let i = 0; i < 5; i++) {
    const one = await createPool({ workers: 2 });
    const gate = newGate();
    const runs = newGate();
    const first = makes.with({ provides: 'value' });
    const busy = waits.with({ provides: 'waited' });
    const last = looks.with({ provides: 'seen' });
    const flow = graph('f', first, busy, last).link(busy, last);
    const running = run(flow, { runs, gate } as any, { pool: one, outputs: ['seen'] });
    await until(runs, 1);
    const error = await errorOf(run(exits, {}, { pool: one }));
    assert.is((error as any).code, 'ERR_MILLRACE_WORKER_EXIT');
    openGate(gate);
    const { seen }: any = await running;
    assert.is(seen.first, 1);
    await one.close();
  }
});

test('a task whose input is lost with a thread that nobody can be blamed for fails, and nothing hangs', async () => {
  const one = await createPool({ workers: 2 });
  const gate = newGate();
  const bomb = newGate();
  const runs = newGate();
  const first = leavesBomb.with({ provides: 'value', rebind: { gate: 'bomb' } });
  const busy = waits.with({ provides: 'waited' });
  const last = looks.with({ provides: 'seen' });
  const flow = graph('f', busy, first, last).link(busy, last);
  const engine = load(flow, { pool: one, inputs: { runs, gate, bomb }, outputs: ['seen'] } as any) as any;
  const running = errorOf(engine.run());
  await until(runs, 1);
  while (engine.storage.getTaskStates().leavesBomb !== 'SUCCESS') await sleep(1);
  openGate(bomb);
  await until(bomb, 2);
  openGate(gate);
  const error: any = await running;
  assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  assert.is(error.task, 'looks');
  assert.match(error.message, /needs the result of 'leavesBomb', which is lost/);
  await one.close();
});

test('a task whose input has been taken back on its thread fails', async () => {
  const runs = newGate();
  const gate = newGate();
  const busy = waits.with({ provides: 'waited' });
  const last = looks.with({ provides: 'seen' });
  const flow = graph('f', busy, withdraws.with({ provides: 'value' }), last).link(busy, last);
  const engine = load(flow, { pool, inputs: { runs, gate }, outputs: ['seen'] } as any) as any;
  const running = engine.run();
  await until(runs, 1);
  while (engine.storage.getTaskStates().withdraws !== 'SUCCESS') await sleep(1);
  await sleep(20); // it takes it back
  engine.suspend();
  await sleep(1);
  openGate(gate);
  await running;
  assert.is(engine.state, 'SUSPENDED');
  const error: any = await errorOf(engine.run());
  assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  assert.is(error.task, 'looks');
  assert.match(error.message, /needs the result of 'withdraws', which is lost/);
});

test('when a task ends its thread, the flow fails because of that alone', async () => {
  const first = makes.with({ provides: 'value' });
  const last = looks.with({ provides: 'seen' });
  const flow = graph('f', first, exits, last).link(first, exits).link(exits, last);
  const error: any = await errorOf(run(flow, {}, { pool: single, outputs: ['seen'] }));
  assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  assert.is(error.task, 'exits');
});

interface Drawn {
  readonly nodes: readonly {
    readonly inputs: readonly number[];
    readonly bulky: boolean;
    readonly here: boolean;
    readonly alone: boolean;
    readonly ms: number;
  }[];
  readonly asked: readonly number[];
  readonly stop: 'suspend' | 'abort';
  /** When it is stopped, in eighths of ms. */
  readonly after: number;
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  nodes: fc.array(
    fc.record({
      inputs: fc.array(fc.nat(1000), { maxLength: 3 }),
      bulky: fc.boolean(),
      alone: fc.boolean(),
      ms: fc.constantFrom(0, 0, 0, 0.1, 1, 10),
      here: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
    { minLength: 1, maxLength: 24 },
  ),
  asked: fc.array(fc.nat(1000), { maxLength: 3 }),
  stop: fc.constantFrom('suspend', 'abort'),
  after: fc.nat(80),
});

function flowOf({ nodes }: Drawn): any {
  const items = nodes.map(({ inputs, bulky, here, alone, ms }, i) => {
    const sources = i === 0 ? [] : inputs.map((input) => `v${input % i}`);
    const requires = ['seed', 'size', 'ms', ...'abc'.slice(0, sources.length)];
    const made: any = here ? task({ name: 'local', requires, execute: mix as any }) : mixes[sources.length];
    return made.with({
      ...{ name: `t${i}`, provides: `v${i}`, timeout: alone ? 60_000 : undefined },
      rebind: Object.fromEntries(sources.map((source, k) => ['abc'[k], source])),
      inject: { seed: i, size: bulky ? BULKY + i : 8, ms },
    });
  });
  return graph('random', items);
}

for (const [name, one] of [
  ['1 worker', single],
  ['2 workers', pool],
] as [string, Pool][]) {
  test(`random flows of bulky values come to the same as in serial (${name})`, async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async (random) => {
        const flow = flowOf(random);
        const outputs = random.asked.map((at) => `v${at % random.nodes.length}`);
        const expected: any = await run(flow, {}, { engine: 'serial', outputs } as any);
        const aborter = new AbortController();
        const engine = load(flow, { pool: one, outputs, signal: aborter.signal } as any) as any;
        const timer = setTimeout(() => {
          if (random.stop === 'abort') aborter.abort();
          else if (engine.state === 'RUNNING') engine.suspend();
        }, random.after / 8);
        try {
          let seen: any = await engine.run();
          while (engine.state === 'SUSPENDED') seen = await engine.run();
          assert.is(engine.state, 'SUCCESS');
          assert.equal(Object.keys(seen), Object.keys(expected));
          for (const [key, value] of Object.entries(expected))
            assert.ok(Buffer.from(value as Uint8Array).equals(seen[key]), key);
        } catch (error) {
          if (!aborter.signal.aborted || (error as Error).name !== 'AbortError') throw error;
          assert.is(engine.state, 'REVERTED');
        } finally {
          clearTimeout(timer);
        }
      }),
      { numRuns: Number(process.env.TEST_RUNS || 60) },
    );
  });
}

test.after(async () => {
  await pool.close();
  await single.close();
});
test.run();
