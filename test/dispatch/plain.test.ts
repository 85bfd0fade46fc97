/** A serial run goes through its tasks in a shorter way while nothing is asked of them but what they return. Here something else is. */
import { type Engine, linear, load, type TaskContext, task } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const LENGTH = 9;
const MIDDLE = 4;

interface Seen {
  readonly engine: Engine;
  readonly contexts: TaskContext[];
  readonly events: string[];
}

/** A chain whose tasks add 1, and in whose middle something happens that may say what the task comes to. */
function chain(happens: (seen: Seen) => unknown, options: object = {}): Seen {
  const contexts: TaskContext[] = [];
  const events: string[] = [];
  const add = task({
    name: 'add',
    requires: ['value'],
    provides: 'value',
    execute({ value }: { value: number }, context) {
      contexts.push(context);
      const other = context.name === `add-${MIDDLE}` ? happens(seen) : undefined;
      return other === undefined ? value + 1 : other;
    },
    revert: (_, context) => {
      events.push(`revert ${context.name}`);
    },
  });
  const flow = linear(
    'chain',
    Array.from({ length: LENGTH }, (_, i) =>
      add.with(i === 0 ? { name: 'add-0', rebind: { value: 'start' } } : { name: `add-${i}` }),
    ),
  );
  const seen: Seen = { engine: load(flow, { engine: 'serial', inputs: { start: 0 }, ...options }), contexts, events };
  return seen;
}

const reverts = (from: number) => Array.from({ length: from + 1 }, (_, i) => `revert add-${from - i}`);

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => assert.unreachable('it must reject'),
    (error) => error,
  ) as Promise<Error>;
}

test('each task has a context of its own, and it keeps its name', async () => {
  const { engine, contexts } = chain(() => {});
  assert.equal(await engine.run(), { value: LENGTH });
  assert.is(new Set(contexts).size, LENGTH);
  assert.equal(
    contexts.map(({ name }) => name),
    Array.from({ length: LENGTH }, (_, i) => `add-${i}`),
  );
});

test('a task that throws in the midst of a run is reverted with those before it', async () => {
  const { engine, events } = chain(() => {
    throw new Error('Woot!');
  });
  assert.is((await rejection(engine.run())).message, 'Woot!');
  assert.equal(events, reverts(MIDDLE));
});

test('a task that promises in the midst of a run is awaited', async () => {
  const { engine } = chain(() => new Promise((resolve) => setImmediate(resolve, 100)));
  assert.equal(await engine.run(), { value: 100 + LENGTH - MIDDLE - 1 });
});

test('a promise that is not kept in the midst of a run fails', async () => {
  const { engine, events } = chain(() => Promise.reject(new Error('Woot!')));
  assert.is((await rejection(engine.run())).message, 'Woot!');
  assert.equal(events, reverts(MIDDLE));
});

test('a result that cannot be read for being a promise fails', async () => {
  const result = Object.defineProperty({}, 'then', {
    get() {
      throw new Error('Woot!');
    },
  });
  const { engine, events } = chain(() => result);
  assert.is((await rejection(engine.run())).message, 'Woot!');
  assert.equal(events, reverts(MIDDLE));
});

test('who begins to listen in the midst of a run hears of the task under way', async () => {
  const { engine, events } = chain((seen) => {
    seen.engine.on('task', ({ name, state }) => events.push(`${name} ${state}`));
  });
  await engine.run();
  assert.equal(events.slice(0, 3), [`add-${MIDDLE} SUCCESS`, `add-${MIDDLE + 1} RUNNING`, `add-${MIDDLE + 1} SUCCESS`]);
  assert.is(events.at(-1), `add-${LENGTH - 1} SUCCESS`);
});

test('what a task says of how far it is is gone when it has ended, and the run goes on', async () => {
  let told: unknown;
  const { engine } = chain(({ engine, contexts }) => {
    contexts[MIDDLE].progress(0.5);
    told = engine.storage.getTaskProgress(`add-${MIDDLE}`);
  });
  assert.equal(await engine.run(), { value: LENGTH });
  assert.is(told, 0.5);
  assert.is(engine.storage.getTaskProgress(`add-${MIDDLE}`), 1);
});

test('a task is running while it runs, and those after it wait', async () => {
  let states: string[] = [];
  const { engine } = chain((seen) => {
    states = [-1, 0, 1].map((i) => seen.engine.storage.getTaskState(`add-${MIDDLE + i}`));
  });
  await engine.run();
  assert.equal(states, ['SUCCESS', 'RUNNING', 'PENDING']);
});

test('a run that is suspended by one of its tasks ends behind it, and goes on there', async () => {
  const { engine, contexts } = chain((seen) => seen.engine.suspend());
  await engine.run();
  assert.is(engine.state, 'SUSPENDED');
  assert.is(contexts.length, MIDDLE + 1);
  assert.equal(await engine.run(), { value: LENGTH });
  assert.is(contexts.length, LENGTH);
});

test('a run that is aborted by one of its tasks tells that task, and no other', async () => {
  const stop = new AbortController();
  const { engine, contexts, events } = chain(() => stop.abort(), { signal: stop.signal });
  assert.is((await rejection(engine.run())).name, 'AbortError');
  assert.equal(
    contexts.map(({ aborted }) => aborted),
    Array.from({ length: MIDDLE + 1 }, (_, i) => i === MIDDLE),
  );
  assert.equal(events, reverts(MIDDLE));
});

test('an abort between two tasks is told to none', async () => {
  const stop = new AbortController();
  const { engine, contexts } = chain(
    () => {
      setImmediate(() => stop.abort());
      const end = performance.now() + 30;
      while (performance.now() < end);
    },
    { signal: stop.signal },
  );
  // Whether the event loop turns before the last task has ended does not matter.
  await engine.run().catch(() => {});
  assert.not(contexts.some(({ aborted }) => aborted));
});

test('what was run as a whole, or in part, begins with other keys after a reset, and a context keeps its own', async () => {
  const { engine, contexts } = chain(() => {});
  await engine.run();
  const first = contexts.map(({ idempotencyKey }) => idempotencyKey);
  await engine.reset().run();
  const keys = contexts.map(({ idempotencyKey }) => idempotencyKey);
  assert.equal(keys.slice(0, LENGTH), first);
  assert.is(new Set(keys).size, 2 * LENGTH);
  assert.ok(contexts.every(({ attempt }) => attempt === 1));
});

test('tasks that did not all run before a reset have keys that none had before', async () => {
  let suspended = 0;
  const { engine, contexts } = chain((seen) => {
    if (suspended++ === 1) seen.engine.suspend();
  });
  for (let i = 0; i < 4; i++) await engine.reset().run();
  const keys = contexts.map(({ idempotencyKey }) => idempotencyKey);
  assert.is(contexts.length, 3 * LENGTH + MIDDLE + 1);
  assert.is(new Set(keys).size, keys.length);
});

test.run();
