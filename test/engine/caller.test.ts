/** What a run has of the one who asks for it: its call stack's time, its event loop, its `AsyncLocalStorage`. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { linear, load, run, task, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { local, travelling } from '../fixtures/engine/tasks.js';
import { promised, rejection } from './capture.js';

const storage = new AsyncLocalStorage<string>();

/** Tells which storage it sees: synchronously, or in several steps. */
function seeing(seen: string[], name: string, later: boolean) {
  const look = async () => {
    if (later) await new Promise(setImmediate);
    seen.push(`${name}: ${storage.getStore()}`);
  };
  return task({
    name,
    execute: () => (later ? look() : void seen.push(`${name}: ${storage.getStore()}`)),
    revert() {
      seen.push(`revert ${name}: ${storage.getStore()}`);
    },
  });
}

overEveryEngine((test, options) => {
  test("local tasks see the caller's AsyncLocalStorage", async () => {
    const seen: string[] = [];
    const flow = linear(
      'f',
      seeing(seen, 'first', false),
      seeing(seen, 'later', true),
      travelling.fiveLater,
      seeing(seen, 'after travelling', false),
      seeing(seen, 'last', true),
    );
    await storage.run('caller', () => run(flow, {}, options));
    assert.equal(seen, ['first: caller', 'later: caller', 'after travelling: caller', 'last: caller']);
  });

  test("local reverts see the caller's AsyncLocalStorage, also when someone else closes the engine", async () => {
    const seen: string[] = [];
    const entered = promised();
    const services = {
      gate() {
        entered.resolve();
        return new Promise(() => {});
      },
    };
    const flow = linear('f', seeing(seen, 'first', false), travelling.gate);
    const engine = load(flow, { ...options, services, abortGrace: 1 });
    const running = storage.run('caller', () => rejection(engine.run()));
    await entered.promise;
    await storage.run('closer', () => engine.close());
    await running;
    assert.equal(seen, ['first: caller', 'revert first: caller']);
  });

  test("services see the caller's AsyncLocalStorage", async () => {
    const seen: unknown[] = [];
    const services = { gate: () => void seen.push(storage.getStore()) };
    const flow = linear('f', local.gate.with({ name: 'here' }), travelling.gate);
    await storage.run('who calls', () => run(flow, {}, { ...options, services }));
    assert.equal(seen, ['who calls', 'who calls']);
  });

  test('two runs at once each see their own AsyncLocalStorage', async () => {
    const seen: string[] = [];
    const flow = (name: string) =>
      linear('f', seeing(seen, name, true), travelling.fiveLater, seeing(seen, `${name} again`, true));
    await Promise.all(['one', 'two'].map((name) => storage.run(name, () => run(flow(name), {}, options))));
    assert.equal(seen.toSorted(), ['one again: one', 'one: one', 'two again: two', 'two: two']);
  });

  test('a long flow of small synchronous tasks lets timers, immediates and signals in', async () => {
    let ran = 0;
    let seenAt = Number.POSITIVE_INFINITY;
    const told: string[] = [];
    const tell = (what: string) => {
      told.push(what);
      if (told.length === 3) seenAt = ran;
    };
    // Each task holds the thread for a moment; it goes on until all were told, and then there is nothing more to do.
    const small = task({
      name: 'small',
      execute() {
        ran++;
        if (seenAt !== Number.POSITIVE_INFINITY) return;
        for (const end = performance.now() + 0.1; performance.now() < end; );
      },
    });
    const many = Array.from({ length: 100_000 }, (_, i) => small.with({ name: `small-${i}` }));
    setTimeout(tell, 1, 'timer');
    setImmediate(tell, 'immediate');
    const signal = AbortSignal.timeout(1);
    signal.addEventListener('abort', () => tell('signal'));
    await run(unordered('f', many), {}, options);
    assert.equal(told.toSorted(), ['immediate', 'signal', 'timer']);
    assert.ok(seenAt < many.length, `they came after ${seenAt} tasks`);
  });

  test('a long chain of promises that are kept at once lets timers in', async () => {
    let told = false;
    let ran = 0;
    const small = task({
      name: 'small',
      async execute() {
        ran++;
        for (const end = performance.now() + 0.1; !told && performance.now() < end; );
      },
    });
    const many = Array.from({ length: 10_000 }, (_, i) => small.with({ name: `small-${i}` }));
    let seenAt = Number.POSITIVE_INFINITY;
    setTimeout(() => {
      told = true;
      seenAt = ran;
    }, 1);
    await run(linear('f', many), {}, options);
    assert.ok(seenAt < many.length, `it came after ${seenAt} tasks`);
  });

  test('a signal that times out aborts a long flow of small synchronous tasks', async () => {
    let aborted = false;
    const small = task({
      name: 'small',
      execute() {
        for (const end = performance.now() + 0.1; !aborted && performance.now() < end; );
      },
    });
    const many = Array.from({ length: 100_000 }, (_, i) => small.with({ name: `small-${i}` }));
    const signal = AbortSignal.timeout(20);
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    const engine = load(unordered('f', many), { ...options, signal });
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.is(engine.storage.getTaskState('small-99999'), 'PENDING');
  });

  test('a flow that the event loop gets through in between still runs in order', async () => {
    const order: number[] = [];
    const slow = (i: number) =>
      task({
        name: `slow-${i}`,
        execute() {
          order.push(i);
          for (const end = performance.now() + 3; performance.now() < end; );
        },
      });
    await run(
      linear(
        'f',
        Array.from({ length: 10 }, (_, i) => slow(i)),
      ),
      {},
      options,
    );
    assert.equal(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});

once('a serial flow of synchronous tasks runs before run() returns', async () => {
  const flow = linear('f', local.five, local.addOne.with({ rebind: { value: 'five' } }));
  // It has 10 ms for that, and on a busy machine they may be gone in one of the attempts.
  const states = [];
  for (let i = 0; i < 20; i++) {
    const engine = load(flow, { engine: 'serial' });
    const running = engine.run();
    states.push(engine.state);
    assert.equal(await running, { five: 5, sum: 6 });
  }
  assert.ok(states.includes('SUCCESS'));
});

once('a serial flow does not use the microtask queue between synchronous tasks', async () => {
  const seen: string[] = [];
  const note = (name: string) => task({ name, execute: () => void seen.push(name) });
  for (let i = 0; i < 20 && seen.at(-1) !== 'microtask'; i++) {
    seen.length = 0;
    const first = task({ name: 'first', execute: () => queueMicrotask(() => seen.push('microtask')) });
    await run(linear('f', first, note('b'), note('c')), {}, { engine: 'serial' });
  }
  assert.equal(seen, ['b', 'c', 'microtask']);
});

once.run();
