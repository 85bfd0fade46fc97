import { setFlagsFromString } from 'node:v8';
import {
  createPool,
  type Engine,
  each,
  graph,
  linear,
  load,
  type Pool,
  run,
  share,
  type TaskEvent,
  task,
  unordered,
} from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { counts, echo, gate, increment, isGone, member, sees, sum, watches } from '../fixtures/dispatch/packets.js';
import { errorOf, useAll } from './settle.js';

setFlagsFromString('--expose-gc'); // for the workers, which are started later

const single = await createPool({ workers: 1 });
const pair = await createPool({ workers: 2 });

type How = 'throw' | 'exit' | 'function' | 'slow' | 'talk' | 'wait';
const members = (count: number, how: Record<number, How> = {}) =>
  Array.from({ length: count }, (_, i) =>
    member.with({ name: `member-${i}`, provides: `out-${i}`, inject: { i, ...(how[i] && { how: how[i] }) } }),
  );

/** Runs the task often enough for the pool to know that it is small: then many of them travel together. */
async function teach(pool: Pool): Promise<void> {
  for (let i = 0; i < 3; i++) await run(unordered('lesson', ...members(500)), {}, { pool });
}
await teach(single);
await teach(pair);

/** What became of each task, in the order in which it was told. */
function watch(engine: Engine<any>): TaskEvent[] {
  const events: TaskEvent[] = [];
  engine.on('task', (event) => events.push(event));
  return events;
}
const short = ({ name, state }: TaskEvent) => `${name} ${state}`;
const numbered = (count: number) => Array.from({ length: count }, (_, i) => i);

test('a failure in the middle of a packet: those before it have run and are reverted, those behind it never run', async () => {
  const engine = load(linear('flow', ...members(100, { 40: 'throw' })), { pool: single });
  const error = await errorOf(engine.run());
  assert.is(String(error), 'RangeError: at 40');
  assert.is(error.task, 'member-40');
  const states = Object.values(engine.storage.getTaskStates());
  assert.equal(states, [...Array(41).fill('REVERTED'), ...Array(59).fill('PENDING')]);
});

test('an exit in the middle of a packet fails that task only; those before it keep what they returned', async () => {
  const engine = load(linear('flow', ...members(100, { 40: 'exit' })), { pool: single });
  const events = watch(engine);
  const error = await errorOf(engine.run());
  assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  assert.is(error.task, 'member-40');
  const successes = events.filter(({ state }) => state === 'SUCCESS');
  assert.equal(
    successes.map(({ result }) => result),
    numbered(40),
  );
  const states = Object.values(engine.storage.getTaskStates());
  assert.equal(states, [...Array(41).fill('REVERTED'), ...Array(59).fill('PENDING')]);
  await useAll(single);
});

test('a result in the middle of a packet that cannot be sent fails that task only', async () => {
  const engine = load(unordered('flow', ...members(100, { 40: 'function' })), { pool: single });
  const error = await errorOf(engine.run());
  assert.is(error.code, 'ERR_MILLRACE_UNCLONEABLE_RESULT');
  assert.is(
    error.message,
    "Task 'member-40' returned function at result.list[0], which cannot be sent to another thread",
  );
  const failures = Object.keys(engine.storage.getExecuteFailures());
  assert.equal(failures, ['member-40']);
  assert.is(engine.state, 'REVERTED');
});

test('an input in the middle of a packet that cannot be sent fails that task only', async () => {
  const all = members(100);
  all[40] = all[40].with({ inject: { i: (() => 1) as never } });
  const engine = load(unordered('flow', ...all), { pool: single });
  const error = await errorOf(engine.run());
  assert.is(error.code, 'ERR_MILLRACE_UNCLONEABLE_INPUT');
  assert.is(error.task, 'member-40');
  assert.equal(Object.keys(engine.storage.getExecuteFailures()), ['member-40']);
  assert.is(engine.state, 'REVERTED');
});

test('what is behind a task that turns out to be slow is handed back, and runs all the same', async () => {
  const engine = load(unordered('flow', ...members(200, { 10: 'slow', 60: 'slow', 61: 'wait' })), { pool: pair });
  const results = await engine.run();
  assert.equal(Object.values(results), numbered(200));
});

test('each task of a packet has its own events, as if it travelled alone', async () => {
  const engine = load(unordered('flow', ...members(300)), { pool: single });
  const events = watch(engine);
  await engine.run();
  const started = events.filter(({ state }) => state === 'RUNNING').map(({ name }) => name);
  assert.is(new Set(started).size, 300);
  assert.equal(
    events.map(short),
    started.flatMap((name) => [`${name} RUNNING`, `${name} SUCCESS`]),
  );
});

test('a task of a chain begins after the one before it has ended', async () => {
  const chain = (length: number) =>
    numbered(length).map((i) => increment.with({ name: `link-${i}`, rebind: { n: `n-${i}` }, provides: `n-${i + 1}` }));
  for (let i = 0; i < 3; i++) await run(linear('lesson', ...chain(200)), { 'n-0': 0 }, { pool: pair });
  const engine = load(linear('flow', ...chain(300)), { inputs: { 'n-0': 0 }, pool: pair });
  const events = watch(engine);
  const results: any = await engine.run();
  assert.is(results['n-300'], 300);
  assert.equal(
    events.map(short),
    numbered(300).flatMap((i) => [`link-${i} RUNNING`, `link-${i} SUCCESS`]),
  );
});

test('progress and log of a task in a packet come between its beginning and its end', async () => {
  const engine = load(unordered('flow', ...members(100, { 40: 'talk', 41: 'talk' })), { pool: single });
  const told: string[] = [];
  engine.on('task', (event) => told.push(short(event)));
  engine.on('progress', ({ name, progress, details }) => {
    if (details) told.push(`${name} ${progress} ${JSON.stringify(details)}`);
  });
  engine.on('log', ({ name, message }) => told.push(`${name} ${message}`));
  await engine.run();
  const about = (i: number) => [
    `member-${i} RUNNING`,
    `member-${i} 0.5 {"i":${i}}`,
    `member-${i} at ${i}`,
    `member-${i} SUCCESS`,
  ];
  for (const i of [40, 41]) {
    assert.equal(
      told.filter((text) => text.startsWith(`member-${i} `)),
      about(i),
    );
  }
});

const byOrder = (results: Record<string, number>) => Object.keys(results).sort((a, b) => results[a] - results[b]);

test('ready tasks start in the order of their priority, and then of their declaration', async () => {
  const tasks = numbered(60).map((i) => counts.with({ name: `counts-${i}`, provides: String(i), priority: i % 4 }));
  const expected = [3, 2, 1, 0].flatMap((priority) => numbered(60).filter((i) => i % 4 === priority));
  const results = await run(unordered('flow', ...tasks), {}, { pool: single, taskTimeout: 60_000 });
  assert.equal(byOrder(results), expected.map(String));
});

test('tasks that travel in company start in that order too', async () => {
  const tasks = numbered(300).map((i) => counts.with({ name: `counts-${i}`, provides: String(i), priority: i % 4 }));
  const expected = [3, 2, 1, 0].flatMap((priority) => numbered(300).filter((i) => i % 4 === priority));
  // A packet that the machine interrupts for long is handed back, and then the next one has started already.
  let inOrder = false;
  for (let i = 0; i < 20 && !inOrder; i++) {
    const results = await run(unordered('flow', ...tasks), {}, { pool: single });
    inOrder = byOrder(results).join() === expected.join();
  }
  assert.ok(inOrder);
});

test('what follows a task does not go before ready tasks of a higher priority', async () => {
  const first = counts.with({ name: 'first', provides: 'first', priority: 9 });
  const follower = counts.with({ name: 'follower', provides: 'follower', priority: 1 });
  const others = numbered(20).map((i) => counts.with({ name: `other-${i}`, provides: `other-${i}`, priority: 5 }));
  const results = await run(graph('flow', follower, first, ...others).link(first, follower), {}, { pool: single });
  assert.is(byOrder(results)[0], 'first');
  assert.ok(byOrder(results).indexOf('follower') > 1);
});

test('a value that several tasks need is sent to a worker once', async () => {
  const tasks = numbered(50).map((i) => sees.with({ name: `sees-${i}`, provides: `same-${i}` }));
  const results = await run(unordered('flow', ...tasks), { object: { large: true } }, { pool: single });
  assert.equal(Object.values(results), [false, ...Array(49).fill(true)]);
});

test('a worker forgets the values of a run when that is over', async () => {
  await using pool = await createPool({ workers: 1 });
  const keepsThread = load(isGone, { pool });
  const engine = load(linear('flow', watches, watches.with({ name: 'again' })), { inputs: { object: {} }, pool });
  await engine.run();
  assert.is((await keepsThread.run()).gone, true);
});

test('each task of a large packet knows its own name', async () => {
  const tasks = numbered(2000).map((i) =>
    echo.with({ name: `echo-${i}`, provides: `same-${i}`, inject: { value: i, named: true } }),
  );
  const flow = unordered('flow', ...tasks);
  for (let i = 0; i < 3; i++) {
    const results = await run(flow, {}, { pool: pair });
    assert.equal(
      Object.values(results),
      numbered(2000).map((n) => [`echo-${n}`, n]),
    );
  }
});

test('each element of a list knows its own name', async () => {
  const flow = linear(
    'flow',
    each(echo.with({ inject: { named: true } }), { over: 'list', as: 'value', collect: 'all' }),
  );
  for (let i = 0; i < 3; i++) {
    const { all } = await run(flow, { list: numbered(2000) }, { pool: pair });
    assert.equal(
      all,
      numbered(2000).map((n) => [`echo[${n}]`, n]),
    );
  }
});

const odd = [0, -0, 1.5, Number.NaN, Infinity, 2 ** 31, -(2 ** 53), undefined, null, '', 'a\nb', true, 7n];
for (const [kind, values] of Object.entries({
  numbers: odd.slice(0, 7),
  'all kinds of values': odd,
  nothing: [undefined],
})) {
  test(`${kind} come back as they were sent, however many travel together`, async () => {
    const list = numbered(1000).map((i) => values[i % values.length]);
    const flow = linear('flow', each(echo, { over: 'list', as: 'value', collect: 'all' }));
    for (let i = 0; i < 3; i++) {
      const { all } = await run(flow, { list }, { pool: pair });
      assert.ok((all as unknown[]).every((value, at) => Object.is(value, list[at])));
    }
  });
}

/** As `teach`, for the gate: then others are sent in its company, and behind it. */
async function teachGate(pool: Pool): Promise<void> {
  const gates = numbered(20).map((i) => gate.with({ name: `gate-${i}` }));
  for (let i = 0; i < 6; i++) await run(unordered('lesson', ...gates), { open: share(new Int32Array([1])) }, { pool });
}

function unlock(open: Int32Array): void {
  Atomics.store(open, 0, 1);
  Atomics.notify(open, 0);
}

test('what waits for a thread when a run is suspended does not start, and runs when it goes on', async () => {
  await teachGate(single);
  const open = share(new Int32Array(1));
  const flow = unordered('flow', gate.with({ priority: 1 }), ...members(50));
  const engine = load(flow, { inputs: { open }, pool: single });
  engine.on('log', () => {
    engine.suspend();
    setImmediate(unlock, open);
  });
  await engine.run();
  assert.is(engine.state, 'SUSPENDED');
  const { gate: first, ...others } = engine.storage.getTaskStates();
  assert.is(first, 'SUCCESS');
  assert.equal(Object.values(others), Array(50).fill('PENDING'));
  const results = await engine.run();
  assert.equal(Object.values(results), numbered(50));
});

test('what waits for a thread when another task fails does not start', async () => {
  await teachGate(single);
  const open = share(new Int32Array(1));
  let enter = () => {};
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const fails = task({
    name: 'fails',
    async execute() {
      await entered;
      setImmediate(unlock, open);
      throw new RangeError('local');
    },
  });
  const flow = unordered('flow', fails, gate.with({ priority: 1 }), ...members(50));
  const engine = load(flow, { inputs: { open }, pool: single });
  engine.on('log', enter);
  assert.is(String(await errorOf(engine.run())), 'RangeError: local');
  const { fails: culprit, gate: running, ...others } = engine.storage.getTaskStates();
  assert.equal([culprit, running], ['REVERTED', 'REVERTED']);
  assert.equal(Object.values(others), Array(50).fill('PENDING'));
});

test('what waits behind a long task on its thread goes to a thread that has nothing to do', async () => {
  await teachGate(pair);
  const [open, opened] = [share(new Int32Array(1)), share(new Int32Array([1]))];
  const gates = numbered(4).map((i) => gate.with({ name: `gate-${i}`, rebind: { open: i === 0 ? 'open' : 'opened' } }));
  const engine = load(unordered('flow', ...gates), { inputs: { open, opened }, pool: pair });
  let through = 0;
  engine.on('task', ({ state }) => {
    if (state === 'SUCCESS' && ++through === 3) unlock(open);
  });
  await engine.run(); // the closed gate fails when it is not opened
  assert.is(through, 4);
});

const COUNT = 20_000;

for (const workers of [1, 2, 4]) {
  test(`${COUNT} independent tasks give ${COUNT} results on ${workers} workers`, async () => {
    const results = await run(unordered('fan', ...members(COUNT)), {}, { workers });
    assert.equal(Object.values(results), numbered(COUNT));
  });

  test(`a chain of ${COUNT} tasks gives its last value on ${workers} workers`, async () => {
    const links = numbered(COUNT).map((i) =>
      increment.with({ name: `link-${i}`, rebind: { n: `n-${i}` }, provides: `n-${i + 1}` }),
    );
    const results: any = await run(linear('chain', ...links), { 'n-0': 0 }, { workers });
    assert.is(results[`n-${COUNT}`], COUNT);
  });

  test(`a random graph of ${COUNT} tasks gives the same on ${workers} workers as in place`, async () => {
    let random = 1;
    const below = (limit: number) => {
      random = (random * 48_271) % 2_147_483_647;
      return random % limit;
    };
    const nodes = numbered(COUNT).map((i) => {
      const from = () => `v-${Math.max(0, i - below(200))}`;
      return sum.with({ name: `node-${i}`, rebind: { a: from(), b: from(), c: from() }, provides: `v-${i + 1}` });
    });
    const flow = graph('random', ...nodes);
    const parallel = await run(flow, { 'v-0': 1 }, { workers });
    assert.equal(parallel, await run(flow, { 'v-0': 1 }, { engine: 'serial' }));
  });
}

test.after(async () => {
  await single.close();
  await pair.close();
});
test.run();
