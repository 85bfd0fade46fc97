import { createPool, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { nests, saysFunction, talks, talksTooLate, waits } from '../fixtures/dispatch/context.js';
import { meet } from '../fixtures/dispatch/steps.js';
import { errorOf, settle, useAll } from './settle.js';

const pool = await createPool({ workers: 2 });

test('a task in a worker tells its name, its flow, its progress and what it has to say', async () => {
  const engine = load(linear('conversation', talks.with({ name: 'talker' })), { pool });
  const said: unknown[] = [];
  engine.on('log', (event) => said.push(event));
  engine.on('progress', ({ name, progress }) => said.push([name, progress]));
  await engine.run();
  assert.equal(said, [
    ['talker', 0],
    { name: 'talker', message: 'talker of conversation', details: { aborted: false, signal: false } },
    ...[0, 0.25, 0.5, 1, 1].map((progress) => ['talker', progress]),
  ]);
});

for (const what of ['progress', 'log'] as const) {
  test(`details for ${what}() that cannot be sent are an error that says where they are`, async () => {
    const { error } = await settle(saysFunction, { inputs: { what }, pool });
    assert.is(error.code, 'ERR_MILLRACE_INVALID_ARG');
    assert.match(error.message, `${what}() was given function at details.list[0]`);
  });
}

test('what a task says when it has ended is not heard, and harms neither its thread nor the next task', async () => {
  await using single = await createPool({ workers: 1 });
  const threads = await useAll(single);
  const engine = load(linear('flow', talksTooLate, waits), { pool: single });
  const heard: string[] = [];
  engine.on('log', ({ name }) => heard.push(name));
  engine.on('progress', ({ name, progress }) => progress === 0.25 && heard.push(name));
  await engine.run();
  assert.equal(heard, []);
  assert.equal(await useAll(single), threads);
});

test('a task in a worker may run a flow of its own in place', async () => {
  assert.equal((await run(nests, { engine: 'serial' }, { pool })).inner, { m: 2 });
});

test('a task in a worker may not have workers of its own', async () => {
  const { error } = await settle(nests, { inputs: { engine: 'parallel' }, pool });
  assert.is(error.code, 'ERR_MILLRACE_NOT_IN_WORKER');
  assert.match(error.message, "engine: 'serial'");
});

test('local tasks of a parallel run wait for each other on the main thread, while others are in workers', async () => {
  const met = new Int32Array(new SharedArrayBuffer(4));
  const all = withResolvers();
  let inside = 0;
  const local = (name: string) =>
    task({
      name,
      async execute() {
        if (++inside === 3) all.resolve();
        await all.promise;
        while (Atomics.load(met, 0) < 1) await new Promise(setImmediate);
        Atomics.add(met, 0, 1);
        Atomics.notify(met, 0);
      },
    });
  // The one in a worker ends only when all the local ones have met.
  const flow = unordered('flow', local('a'), local('b'), local('c'), meet);
  await run(flow, { met, expected: 4 }, { pool });
  assert.is(inside, 3);
});

function withResolvers() {
  let resolve = () => {};
  const promise = new Promise<void>((settled) => {
    resolve = settled;
  });
  return { promise, resolve };
}

test('an asynchronous failure of a local task ends the run, and what runs in workers is reverted', async () => {
  const fails = task({
    name: 'fails',
    async execute() {
      await Promise.resolve();
      throw new RangeError('local');
    },
  });
  const engine = load(unordered('flow', waits, fails), { pool });
  assert.is(String(await errorOf(engine.run())), 'RangeError: local');
  assert.not.ok(Object.values(engine.storage.getTaskStates()).includes('SUCCESS'));
});

test.after(() => pool.close());
test.run();
