/**
 * Threads that schedule themselves. They do so once tasks are known to be small, which each test sees to first; where a machine is too
 * slow for that, the same must hold of packets.
 */
import { createPool, type Engine, graph, linear, load, type Pool, run, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { counts, increment, member, sum } from '../fixtures/dispatch/packets.js';
import { errorOf, useAll } from './settle.js';

let pair: Pool;

test.before(async () => {
  pair = await createPool({ workers: 2 });
});

test.after(() => pair.close());

const numbered = (length: number) => Array.from({ length }, (_, i) => i);

const members = (length: number, odd: Readonly<Record<number, string>> = {}, options: object = {}) =>
  numbered(length).map((i) =>
    member.with({ name: `member-${i}`, inject: { i, how: odd[i] as never }, provides: `out-${i}`, ...options }),
  );

/** A layer after the other: each task is given three values of the layer before. */
const layers = (count: number, width: number) =>
  numbered(count * width).map((i) => {
    const layer = Math.floor(i / width);
    const [a, b, c] = [0, 1, 2].map((k) => (layer === 0 ? 'seed' : `v-${(layer - 1) * width + ((i + k) % width)}`));
    return sum.with({ name: `sum-${i}`, rebind: { a, b, c }, provides: `v-${i}` });
  });

/** Their cost becomes known. */
async function lesson(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await run(unordered('lesson', ...members(300)), {}, { pool: pair });
    await run(graph('lesson', ...layers(30, 4)), { seed: 1 }, { pool: pair });
  }
}

function statesOf(engine: Engine<any>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const state of Object.values(engine.storage.getTaskStates())) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

test('the values of a graph are those of a serial run', async () => {
  await lesson();
  const flow = graph('flow', ...layers(200, 6));
  const expected = await run(flow, { seed: 7 }, { engine: 'serial' });
  for (let i = 0; i < 4; i++) assert.equal(await run(flow, { seed: 7 }, { pool: pair }), expected);
});

test('an engine that is reset runs again, and its tasks have other keys', async () => {
  await lesson();
  const engine = load(graph('flow', ...layers(100, 4)), { inputs: { seed: 1 }, pool: pair });
  const first = await engine.run();
  engine.reset();
  assert.equal(await engine.run(), first);
});

test('each task ends after those that it waits for have ended', async () => {
  await lesson();
  const engine = load(graph('flow', ...layers(100, 4)), { inputs: { seed: 1 }, pool: pair });
  const ended = new Set<string>();
  const early: string[] = [];
  engine.on('task', ({ name, state }) => {
    const i = Number(name.slice(4));
    const before = [0, 1, 2].map((k) => `sum-${(Math.floor(i / 4) - 1) * 4 + ((i + k) % 4)}`);
    if (i >= 4 && before.some((one) => !ended.has(one))) early.push(`${name} ${state}`);
    if (state === 'SUCCESS') ended.add(name);
  });
  await engine.run();
  assert.equal(early, []);
  assert.is(ended.size, 400);
});

test('what a task tells comes between its beginning and its end', async () => {
  await lesson();
  const engine = load(unordered('flow', ...members(400, { 200: 'talk', 201: 'talk' })), { pool: pair });
  const told: string[] = [];
  engine.on('task', ({ name, state }) => name === 'member-200' && told.push(state));
  engine.on('progress', ({ name, progress, details }) => name === 'member-200' && details && told.push(`${progress}`));
  engine.on('log', ({ name, message }) => name === 'member-200' && told.push(message));
  await engine.run();
  assert.equal(told, ['RUNNING', '0.5', 'at 200', 'SUCCESS']);
});

test('a failure stops the run, and all that has run is reverted', async () => {
  await lesson();
  const engine = load(unordered('flow', ...members(2000, { 700: 'throw' })), { pool: pair });
  const error = await errorOf(engine.run());
  assert.is(error.name, 'RangeError');
  assert.is(error.task, 'member-700');
  assert.equal(Object.keys(engine.storage.getExecuteFailures()), ['member-700']);
  const states = statesOf(engine);
  assert.is((states.get('REVERTED') ?? 0) + (states.get('PENDING') ?? 0), 2000);
});

test("with failurePolicy 'finish' all the others run", async () => {
  await lesson();
  const flow = unordered('flow', ...members(1000, { 100: 'throw', 800: 'throw' }));
  const engine = load(flow, { pool: pair, failurePolicy: 'finish', neverResolve: true });
  const succeeded: string[] = [];
  engine.on('task', ({ name, state }) => state === 'SUCCESS' && succeeded.push(name));
  await errorOf(engine.run());
  assert.is(new Set(succeeded).size, 998);
});

test('a thread that ends is a failure of the task that ran on it, and is replaced', async () => {
  await lesson();
  const engine = load(unordered('flow', ...members(2000, { 700: 'exit' })), { pool: pair });
  const error = await errorOf(engine.run());
  assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  assert.is(engine.state, 'REVERTED');
  await useAll(pair);
});

test('a result that cannot be sent is a failure of its task', async () => {
  await lesson();
  const engine = load(unordered('flow', ...members(1000, { 500: 'function' })), { pool: pair });
  const error = await errorOf(engine.run());
  assert.is(error.code, 'ERR_MILLRACE_UNCLONEABLE_RESULT');
  assert.is(error.task, 'member-500');
});

test('tasks that are slow or asynchronous among the small ones end as all do', async () => {
  await lesson();
  const flow = unordered('flow', ...members(600, { 100: 'slow', 200: 'wait', 201: 'wait', 300: 'slow' }));
  assert.equal(Object.values(await run(flow, {}, { pool: pair })), numbered(600));
});

test('values of any kind come to those who wait for them', async () => {
  await lesson();
  const values = [undefined, null, true, false, -0, Number.NaN, Infinity, 'text', 12n, { a: [1] }];
  const tasks = values.flatMap((value, i) =>
    numbered(30).map((k) =>
      member.with({
        name: `member-${i}-${k}`,
        inject: (k === 0 ? { i: value } : {}) as never,
        rebind: k === 0 ? {} : { i: `v-${i}-${k - 1}` },
        provides: `v-${i}-${k}`,
      }),
    ),
  );
  const results: Record<string, unknown> = await run(graph('flow', ...tasks), {}, { pool: pair });
  for (const [i, value] of values.entries()) assert.equal(results[`v-${i}-29`], value);
});

test('an abort ends the run, and nothing begins after it', async () => {
  await lesson();
  const controller = new AbortController();
  const engine = load(unordered('flow', ...members(5000)), { pool: pair, signal: controller.signal });
  let ended = 0;
  engine.on('task', ({ state }) => {
    if (state === 'SUCCESS' && ++ended === 100) controller.abort();
  });
  const error = await errorOf(engine.run());
  assert.is(error.name, 'AbortError');
  const states = statesOf(engine);
  assert.is((states.get('REVERTED') ?? 0) + (states.get('PENDING') ?? 0), 5000);
});

test('a run that is suspended goes on where it was', async () => {
  await lesson();
  const engine = load(graph('flow', ...layers(400, 5)), { inputs: { seed: 3 }, pool: pair });
  const seen: string[] = [];
  engine.on('task', ({ name, state }) => {
    if (state === 'SUCCESS' && seen.push(name) === 200) engine.suspend();
  });
  await engine.run();
  assert.is(engine.state === 'SUSPENDED' || engine.state === 'SUCCESS', true);
  const results = engine.state === 'SUSPENDED' ? await engine.run() : undefined;
  assert.is(engine.state, 'SUCCESS');
  assert.is(new Set(seen).size, 2000);
  if (results) assert.equal(results, await run(graph('flow', ...layers(400, 5)), { seed: 3 }, { engine: 'serial' }));
});

test('a large run can be stopped at any time, also before its threads know their tasks', async () => {
  await lesson();
  const size = 300_000;
  const tasks = numbered(size).map((i) => counts.with({ name: `counts-${i}` }));
  const flow = unordered('flow', tasks);
  for (let i = 0; i < 3; i++) await run(unordered('lesson', tasks.slice(0, 1_000)), {}, { pool: pair });
  for (const after of numbered(10)) {
    const options = { pool: pair, outputs: ['order'] } as object;
    const engine: Engine<any> = load(flow, options);
    const running = engine.run();
    setTimeout(() => engine.state === 'RUNNING' && engine.suspend(), 2 * after);
    await running;
    while (engine.state === 'SUSPENDED') await engine.run();
    assert.equal([...statesOf(engine)], [['SUCCESS', size]]);
    const aborter = new AbortController();
    setTimeout(() => aborter.abort(), 2 * after);
    const stopped: Engine<any> = load(flow, { ...options, signal: aborter.signal });
    const isThrough = await stopped.run().then(
      () => true,
      () => false,
    );
    assert.is(stopped.state, isThrough ? 'SUCCESS' : 'REVERTED');
  }
});

test('several runs share the threads', async () => {
  await lesson();
  const flow = graph('flow', ...layers(300, 4));
  const expected = await run(flow, { seed: 2 }, { engine: 'serial' });
  const all = await Promise.all(numbered(4).map(() => run(flow, { seed: 2 }, { pool: pair })));
  for (const results of all) assert.equal(results, expected);
});

test('a chain carries its value to the end', async () => {
  await lesson();
  const chain = (length: number) =>
    numbered(length).map((i) => increment.with({ name: `link-${i}`, rebind: { n: `n-${i}` }, provides: `n-${i + 1}` }));
  for (let i = 0; i < 3; i++) {
    const results: any = await run(linear('flow', ...chain(1000)), { 'n-0': 0 }, { pool: pair });
    assert.is(results['n-1000'], 1000);
  }
});

test.run();
