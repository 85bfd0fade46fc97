/** The direct run, beside the serial engine: who uses them cannot tell one from the other. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { Failure, type FlowItem, linear, load, type OfferedServices, task, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { DirectRun } from '../../src/service/direct-run.js';
import { promised, rejection } from '../engine/capture.js';
import type { Claim } from '../engines.js';
import fc from '../fast-check.js';
import * as stubborn from '../fixtures/engine/stubborn.js';
import { local } from '../fixtures/engine/tasks.js';
import { Interpreter } from '../reference/interpreter.js';
import { buildFlow, inputs as inputsOf, makeRecord, randomFlow } from '../reference/random-flow.js';

interface Options {
  readonly inputs?: Record<string, unknown>;
  readonly signal?: AbortSignal;
  readonly services?: OfferedServices;
  readonly abortGrace?: number;
  readonly taskTimeout?: number;
}

const runners = {
  direct: (flow: FlowItem, { inputs = {}, signal, services = {}, ...times }: Options = {}) =>
    new DirectRun<any>(flow as never, {
      ...{ inputs, signal, services, abortGrace: 60_000, taskTimeout: Number.POSITIVE_INFINITY, ...times },
    }),
  serial: (flow: FlowItem, options: Options = {}) => load<any, any>(flow as never, { ...options, engine: 'serial' }),
};

type MakeRun = (flow: FlowItem, options?: Options) => ReturnType<(typeof runners)['direct' | 'serial']>;

/** Registers each claim for the direct run, and for the serial engine that it is to be like. */
function overBoth(define: (test: Claim, make: MakeRun) => void): void {
  for (const [name, make] of Object.entries(runners)) {
    define((claim, body) => once(`${claim} (${name})`, async () => body()), make);
  }
}

/** Writes down everything that a run tells: `'flow f RUNNING <- PENDING'`, `'a 0.5'`, ... */
function captureAll(run: ReturnType<MakeRun>): string[] {
  const lines: string[] = [];
  run.on('flow', ({ name, state, oldState }) => lines.push(`flow ${name} ${state} <- ${oldState}`));
  run.on('task', ({ name, state, oldState, ...rest }) => {
    lines.push(`${name} ${state} <- ${oldState} ${'result' in rest ? shown(rest.result) : ''}`);
  });
  run.on('progress', ({ name, progress }) => lines.push(`${name} ${progress}`));
  return lines;
}

function shown(value: any): string {
  if (value instanceof Failure) return `failure of ${value.task}: ${shown(value.error)}`;
  if (!(value instanceof Error)) return JSON.stringify(value) ?? 'undefined';
  const { name, message, code, task, cause, errors, stack } = value as any;
  const own = stack.split('\n').filter((line: string) => line.startsWith('    at task'));
  return JSON.stringify([name, message, code, task, own, cause && shown(cause), errors?.map(shown)]);
}

const numRuns = Number(process.env.TEST_RUNS || 500);

once('random flows end alike: results, errors, events, and the order in which tasks run and are reverted', async () => {
  const stops = fc.option(fc.record({ at: fc.nat(30), how: fc.constantFrom('abort', 'close') }), { freq: 2 });
  const size = { items: 5, depth: 3, names: 8 };
  await fc.assert(
    fc.asyncProperty(randomFlow(size), stops, async ({ root, given, complete }, stop) => {
      const missing = complete ? new Interpreter(root, inputsOf(given)).missing : [];
      const inputs = inputsOf([...given, ...missing]);
      const carryOut = async (make: MakeRun) => {
        const record = makeRecord(root);
        const controller = new AbortController();
        const run = make(buildFlow(root, record), { inputs, signal: controller.signal, abortGrace: 1000 });
        const events = captureAll(run);
        let told = 0;
        run.on('task', () => {
          if (told++ !== stop?.at) return;
          if (stop.how === 'abort') controller.abort(new Error('enough'));
          else void run.close();
        });
        const result = await run.run().catch((error: Error) => error);
        return { events, result: shown(result), record: [...record] };
      };
      assert.equal(await carryOut(runners.direct), await carryOut(runners.serial));
    }),
    { numRuns },
  );
});

overBoth((test, make) => {
  const { five, addOne, woot, gotcha, gate, steps, telling, returns } = local;

  test('gives what the tasks provide', async () => {
    const flow = linear('f', five, addOne.with({ rebind: { value: 'five' } }));
    assert.equal(await make(flow).run(), { five: 5, sum: 6 });
    assert.equal(await make(five).run(), { five: 5 });
    assert.equal(await make(linear('empty')).run(), {});
  });

  test('an optional argument is given if it is there', async () => {
    const seen: unknown[] = [];
    const asks = task({ name: 'asks', optional: 'maybe', execute: (args) => void seen.push(args) });
    await make(asks).run();
    await make(asks, { inputs: { maybe: 1 } }).run();
    assert.equal(seen, [{ maybe: undefined }, { maybe: 1 }]);
  });

  test('a flow that cannot run is refused before anything runs', async () => {
    const unfed = make(linear('f', five, addOne));
    const events = captureAll(unfed);
    assert.is((await rejection(unfed.run())).code, 'ERR_MILLRACE_MISSING_INPUT');
    assert.is((await rejection(make(linear('f', five, five)).run())).code, 'ERR_MILLRACE_DUPLICATE_NAME');
    assert.is((await rejection(make('f' as never).run())).code, 'ERR_MILLRACE_NOT_A_FLOW');
    assert.equal(events, []);
  });

  test('synchronous tasks run within run(), and without microtasks between', async () => {
    // It has 10 ms for that, and on a busy machine they may be gone in one of the attempts.
    const seen: string[] = [];
    const note = (name: string) => task({ name, execute: () => void seen.push(name) });
    const first = task({ name: 'first', execute: () => queueMicrotask(() => seen.push('microtask')) });
    for (let i = 0; i < 20 && seen.at(-1) !== 'microtask'; i++) {
      seen.length = 0;
      const running = make(linear('f', first, note('b'), note('c'))).run();
      seen.push('returned');
      await running;
    }
    assert.equal(seen, ['b', 'c', 'returned', 'microtask']);
  });

  test('the very error comes out that was thrown, and what ran is reverted backwards, the task that failed first', async () => {
    const error = new RangeError('Woot!');
    const fails = task({
      name: 'fails',
      execute() {
        throw error;
      },
      revert() {},
    });
    const never = five.with({ name: 'never' });
    const run = make(linear('f', five.with({ name: 'a' }), five.with({ name: 'b' }), fails, never));
    const events = captureAll(run);
    assert.is(await rejection(run.run()), error);
    assert.is((error as any).task, 'fails');
    assert.equal(
      events.filter((line) => line.includes('REVERTED')).map((line) => line.split(' <-')[0]),
      ['fails REVERTED', 'b REVERTED', 'a REVERTED', 'flow f REVERTED'],
    );
    assert.not.ok(events.some((line) => line.startsWith('never')));
  });

  test('revert is given the arguments, what the task provided, its result, and what failed', async () => {
    const seen: any[] = [];
    const services = { reverted: (what: unknown) => void seen.push(what) };
    await rejection(make(linear('f', telling, woot), { inputs: { value: 3 }, services }).run());
    const [{ args, result, flowFailures }] = seen;
    assert.equal(args, { value: 3, first: 3, second: 6 });
    assert.equal(result, [3, 6]);
    assert.equal(flowFailures, { woot: 'Failure: Error: Woot!' });
  });

  test('a failed revert comes out, and what was before it is not reverted', async () => {
    const run = make(linear('f', five, gotcha, woot));
    const events = captureAll(run);
    assert.is((await rejection(run.run())).message, 'Gotcha!');
    assert.not.ok(events.some((line) => line.startsWith('five REVERT')));
    assert.is(events.at(-1), 'flow f FAILURE <- RUNNING');
  });

  test('a result that lacks a promised value is a failure of its task', async () => {
    const error = await rejection(make(returns.with({ provides: ['a'] }), { inputs: { what: 7 } }).run());
    assert.is(error.code, 'ERR_MILLRACE_BAD_RESULT');
    assert.is(error.task, 'returns');
  });

  test('a promise that cannot be waited for is a failure of its task', async () => {
    const bad = Object.defineProperty(Promise.resolve(), 'constructor', {
      get() {
        throw new Error('Woot!');
      },
    });
    const error = await rejection(make(task({ name: 'bad', timeout: 60_000, execute: () => bad })).run());
    assert.is(error.message, 'Woot!');
  });

  test('a task tells its progress, held to its bounds, and logs', async () => {
    const run = make(steps, { inputs: { steps: [-3, 0.5, 7] } });
    const told: unknown[] = [];
    run.on('progress', (event) => told.push(event));
    run.on('log', (event) => told.push(event));
    await run.run();
    assert.equal(told, [
      { name: 'steps', progress: 0 },
      { name: 'steps', progress: 0, details: { at: -3 } },
      { name: 'steps', progress: 0.5, details: { at: 0.5 } },
      { name: 'steps', progress: 1, details: { at: 7 } },
      { name: 'steps', message: 'done', details: { steps: 3 } },
      { name: 'steps', progress: 1 },
    ]);
  });

  test('a listener that was added during the run is told of the rest', async () => {
    const run = make(linear('f', five.with({ name: 'a' }), five));
    const states: string[] = [];
    run.once('flow', () => run.on('task', ({ state }) => states.push(state)));
    await run.run();
    assert.equal(states, ['RUNNING', 'SUCCESS', 'RUNNING', 'SUCCESS']);
  });

  test('a listener that throws harms neither the run nor other listeners, and becomes a warning', async () => {
    const warnings: string[] = [];
    const { emitWarning } = process;
    process.emitWarning = (message: string | Error) => void warnings.push(String(message));
    try {
      const run = make(five);
      run.on('task', () => {
        throw new Error('bad listener');
      });
      const events = captureAll(run);
      assert.equal(await run.run(), { five: 5 });
      assert.is(events.length, 6);
    } finally {
      process.emitWarning = emitWarning;
    }
    assert.match(warnings[0], /listener of 'task' of flow 'five' threw: Error: bad listener/);
  });

  test('a task calls the services that are offered, and no others', async () => {
    assert.equal(await make(gate, { services: { gate: (name: string) => `open for ${name}` } }).run(), {
      gate: 'open for gate',
    });
    const error = await rejection(make(gate, { services: { other() {} } }).run());
    assert.is(error.code, 'ERR_MILLRACE_SERVICE');
    assert.match(error.message, /Task 'gate' called service 'gate'; the run offers other/);
  });

  test('a task knows its name and that of its flow', async () => {
    const names: string[] = [];
    const one = task({ name: 'one', execute: (_, { name, flow }) => void names.push(`${flow}/${name}`) });
    await make(linear('outer', linear('inner', one.with({ name: 'renamed' })))).run();
    assert.equal(names, ['outer/renamed']);
  });

  test("tasks and reverts see the caller's AsyncLocalStorage, also when someone else closes the run", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const entered = promised();
    const look = task({
      name: 'look',
      async execute() {
        await new Promise(setImmediate);
        seen.push(storage.getStore());
      },
      revert: () => void seen.push(`revert: ${storage.getStore()}`),
    });
    const services = {
      gate() {
        entered.resolve();
        return new Promise(() => {});
      },
    };
    const run = make(linear('f', look, look.with({ name: 'again' }), gate), { services, abortGrace: 1 });
    const running = storage.run('caller', () => rejection(run.run()));
    await entered.promise;
    await storage.run('closer', () => run.close());
    await running;
    assert.equal(seen, ['caller', 'caller', 'revert: caller', 'revert: caller']);
  });

  test('a long flow of synchronous tasks lets timers and signals in, and reverts do too', async () => {
    let aborted = false;
    let turned = false;
    const hold = (ms: number) => {
      for (const end = performance.now() + ms; performance.now() < end; );
    };
    // Each task holds the thread for a moment, until the signal has come; each revert, until an immediate has.
    const small = task({
      name: 'small',
      execute: () => (aborted ? undefined : hold(0.2)),
      revert() {
        if (turned) return;
        setImmediate(() => {
          turned = true;
        });
        hold(5);
      },
    });
    const many = Array.from({ length: 100_000 }, (_, i) => small.with({ name: `small-${i}` }));
    let begun = 0;
    let turnedBeforeEnd = false;
    const controller = new AbortController();
    const timer = setInterval(() => {
      aborted = begun >= 100; // so many that their reverts take longer than the event loop is held
      if (aborted) controller.abort();
    }, 1);
    const run = make(unordered('f', many), { signal: controller.signal });
    run.on('task', ({ name, state }) => {
      if (state === 'RUNNING') begun++;
      if (name === 'small-0' && state === 'REVERTED') turnedBeforeEnd = turned;
    });
    const error = await rejection(run.run());
    clearInterval(timer);
    assert.is(error.code, 'ABORT_ERR');
    assert.ok(begun < many.length, `it came after ${begun} tasks`);
    assert.ok(turnedBeforeEnd);
  });

  test('a task that takes too long is told to stop, given up after the grace, and has failed', async () => {
    // The first is not to be late on a loaded machine.
    const flow = linear('f', five.with({ timeout: 60_000 }), stubborn.local.ignores);
    const run = make(flow, { taskTimeout: 5, abortGrace: 1 });
    const events = captureAll(run);
    const error = await rejection(run.run());
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.match(error.message, /Task 'ignores' took longer than its timeout of 5 ms/);
    assert.ok(events.some((line) => line.startsWith('five REVERTED')));
    const heeding = make(stubborn.local.listens.with({ timeout: 5 }), { abortGrace: 60_000 });
    assert.is((await rejection(heeding.run())).code, 'ERR_MILLRACE_TIMEOUT');
  });

  test('a synchronous task that ends too late has failed as well', async () => {
    const { late, holds } = stubborn.local;
    assert.is((await rejection(make(late.with({ timeout: 1 })).run())).code, 'ERR_MILLRACE_TIMEOUT');
    await make(holds.with({ timeout: 60_000 }), { taskTimeout: 1 }).run(); // its own goes before
  });

  test('a revert has the same timeout', async () => {
    const flow = linear('f', five, stubborn.local.ignoresInRevert.with({ timeout: 5 }), woot);
    const run = make(flow, { abortGrace: 1 });
    const events = captureAll(run);
    assert.is((await rejection(run.run())).code, 'ERR_MILLRACE_TIMEOUT');
    assert.not.ok(events.some((line) => line.startsWith('five REVERT')));
  });

  test('a run whose signal was aborted before does not begin', async () => {
    const reason = new Error('no longer needed');
    const run = make(five, { signal: AbortSignal.abort(reason) });
    const events = captureAll(run);
    const error = await rejection(run.run());
    assert.is(error.name, 'AbortError');
    assert.is(error.cause, reason);
    assert.match(error.message, /Flow 'five' was aborted before it began/);
    assert.equal(events, []);
  });

  for (const [how, waits, state] of [
    ['heeds it', stubborn.local.listens, 'FAILURE'],
    ['ends well in spite of it', stubborn.local.finishes, 'SUCCESS'],
    ['is given up after the grace', stubborn.local.ignores, 'FAILURE'],
  ] as const) {
    for (const [when, delay] of [
      ['as it begins', (abort: () => void) => abort()],
      ['while it waits', (abort: () => void) => void setTimeout(abort, 5)],
    ] as const) {
      test(`an abort stops the task and reverts what was done: it comes ${when}, the task ${how}`, async () => {
        const controller = new AbortController();
        const abortGrace = waits === stubborn.local.ignores ? 1 : 60_000;
        const run = make(linear('f', five, waits, addOne), {
          ...{ signal: controller.signal, abortGrace, inputs: { value: 1 } },
        });
        const events = captureAll(run);
        const reason = new Error('no longer needed');
        run.on('task', (event) => {
          if (event.name === waits.name && event.state === 'RUNNING') delay(() => controller.abort(reason));
        });
        const error = await rejection(run.run());
        assert.is(error.code, 'ABORT_ERR');
        assert.is(error.cause, reason);
        assert.is(error.task, waits.name);
        assert.match(error.message, `Flow 'f' was aborted while '${waits.name}' ran`);
        const lines = events.map((line) => line.split(' <-')[0]);
        assert.ok(lines.includes(`${waits.name} ${state}`));
        assert.equal(
          lines.filter((line) => line.endsWith('REVERTED')),
          [`${waits.name} REVERTED`, 'five REVERTED', 'flow f REVERTED'],
        );
        assert.is(getEventListeners(controller.signal, 'abort').length, 0);
      });
    }
  }

  test('a task that aborts its own run is told so at once', async () => {
    const controller = new AbortController();
    const seen: unknown[] = [];
    const inside = task({
      name: 'inside',
      execute(_, context) {
        controller.abort('enough');
        seen.push(context.aborted, context.signal.reason);
        context.signal.throwIfAborted();
      },
    });
    const run = make(inside, { signal: controller.signal });
    const failures: any[] = [];
    run.on('task', ({ state, result }) => state === 'FAILURE' && failures.push(result));
    assert.is((await rejection(run.run())).cause, 'enough');
    assert.equal(seen, [true, 'enough']);
    assert.is(failures[0].error.message, "Task 'inside' was aborted");
  });

  test('an abort does not reach a task that has ended', async () => {
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const keeps = task({
      name: 'keeps',
      execute(_, context) {
        signal = context.signal;
      },
    });
    const run = make(linear('f', keeps, stubborn.local.listens), { signal: controller.signal });
    run.on('task', ({ name, state }) => name === 'keeps' && state === 'SUCCESS' && controller.abort());
    assert.is((await rejection(run.run())).code, 'ABORT_ERR');
    assert.is(signal!.aborted, false);
  });

  test('an abort during a revert lets it go on, and one after the end has no effect', async () => {
    const controller = new AbortController();
    const run = make(linear('f', five, woot), { signal: controller.signal });
    run.on('task', ({ state }) => state === 'REVERTING' && controller.abort());
    const events = captureAll(run);
    assert.is((await rejection(run.run())).message, 'Woot!');
    assert.is(events.at(-1), 'flow f REVERTED <- RUNNING');

    const late = new AbortController();
    const ended = make(five, { signal: late.signal });
    ended.on('flow', ({ state }) => state === 'SUCCESS' && late.abort());
    assert.equal(await ended.run(), { five: 5 });
  });

  test('a run leaves no listener on its signal', async () => {
    const { signal } = new AbortController();
    await make(five, { signal }).run();
    await rejection(make(woot, { signal }).run());
    assert.is(getEventListeners(signal, 'abort').length, 0);
  });

  test('close() reverts what was done, waits for that, and the run rejects', async () => {
    const entered = promised();
    const services = {
      gate() {
        entered.resolve();
        return new Promise(() => {});
      },
    };
    const run = make(linear('f', five, gate), { services, abortGrace: 1 });
    const events = captureAll(run);
    const running = rejection(run.run());
    await entered.promise;
    await Promise.all([run.close(), run.close()]);
    assert.is(events.at(-1), 'flow f REVERTED <- RUNNING');
    const error = await running;
    assert.is(error.name, 'RunError');
    assert.is(error.code, 'ERR_MILLRACE_CLOSED');
    assert.is(error.task, 'gate');
    assert.match(error.message, /Flow 'f' was stopped: its engine was closed while 'gate' ran/);
  });

  test('a task that waits for the close of its own run is given up after the grace', async () => {
    const inside = task({ name: 'inside', execute: (): Promise<void> => run.close() });
    const run = make(inside, { abortGrace: 1 });
    assert.is((await rejection(run.run())).code, 'ERR_MILLRACE_CLOSED');
  });

  test('close() before a run prevents it, and after it does nothing', async () => {
    const run = make(five);
    await run.close();
    const error = await rejection(run.run());
    assert.is(error.code, 'ERR_MILLRACE_CLOSED');
    assert.match(error.message, /Flow 'five' cannot run: its engine is closed/);
    const ended = make(five);
    await ended.run();
    await ended.close();
  });
});

once('a direct run runs once', async () => {
  const run = runners.direct(local.five);
  await run.run();
  assert.is((await rejection(run.run())).code, 'ERR_MILLRACE_INVALID_STATE');
});

once.run();
