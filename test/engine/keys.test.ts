/** Which time it is that a task runs, and the key by which others know it. */
import { each, type LoadOptions, linear, load, task, times, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { DirectRun } from '../../src/service/direct-run.js';
import { openStore } from '../../src/storage/index.js';
import { type Claim, overEveryEngine } from '../engines.js';
import { local, travelling } from '../fixtures/engine/keyed.js';
import { leftBehind } from '../fixtures/storage/left-behind.js';
import { captureTasks, promised, rejection } from './capture.js';

interface Turn {
  readonly name: string;
  readonly key: string;
  readonly attempt: number;
  readonly reverting?: true;
}

/** Answers for tasks, and writes down what they tell. */
function listening(answer: (turn: Turn) => unknown = () => {}) {
  const turns: Turn[] = [];
  const ask = async (turn: Turn) => {
    turns.push(turn);
    return answer(turn);
  };
  const keys = (name?: string) =>
    turns.filter((turn) => name === undefined || turn.name === name).map(({ key }) => key);
  return { services: { ask }, turns, keys };
}

/** Fails the first so many times that a task of that name runs. */
function failing(failures: Record<string, number>): (turn: Turn) => void {
  const left = { ...failures };
  return ({ name, reverting }) => {
    if (!reverting && left[name] > 0) {
      left[name]--;
      throw new Error(`Woot of ${name}!`);
    }
  };
}

const loadIt = (flow: any, options: LoadOptions<any>) => load<any, any>(flow, options);
/** What keys end with, behind what is the same for all of a flow. */
const withoutFlow = (keys: string[]) => keys.map((key) => key.slice(key.indexOf('/')));

type Options = Parameters<Parameters<typeof overEveryEngine>[0]>[1];
function overEveryKind(define: (test: Claim, options: Options, keyed: any) => void): void {
  for (const [kind, { keyed }] of Object.entries({ travelling, local })) {
    overEveryEngine((test, options) => define((claim, body) => test(`${claim}: ${kind} tasks`, body), options, keyed));
  }
}

overEveryKind((test, options, keyed) => {
  // What is left behind keeps its threads.
  const workers = options.engine === 'parallel' ? 4 : undefined;
  const named = (name: string, more: object = {}) => keyed.with({ name, ...more });

  test('each task has a key of its own, which begins with that of the flow', async () => {
    const { services, turns, keys } = listening();
    await loadIt(
      unordered(
        'f',
        ['a', 'b', 'c'].map((name) => named(name)),
      ),
      { ...options, services },
    ).run();
    assert.equal(withoutFlow(keys()).sort(), ['/a/0', '/b/0', '/c/0']);
    assert.is(new Set(keys().map((key) => key.split('/')[0])).size, 1);
    assert.ok(turns.every(({ attempt }) => attempt === 1));
  });

  test('engines of the same flow have different keys', async () => {
    const { services, keys } = listening();
    for (let i = 0; i < 2; i++) await loadIt(named('a'), { ...options, services }).run();
    assert.is.not(...(keys() as [string, string]));
  });

  test('a run that was suspended and goes on is the same flow', async () => {
    const { services, keys } = listening(({ name }) => name === 'a' && engine.suspend());
    const engine = loadIt(linear('f', named('a'), named('b')), { ...options, services });
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    await engine.run();
    assert.equal(withoutFlow(keys()), ['/a/0', '/b/0']);
    assert.is(new Set(keys().map((key) => key.split('/')[0])).size, 1);
  });

  test('a revert has a key of its own', async () => {
    const { services, turns, keys } = listening(failing({ b: 1 }));
    await rejection(loadIt(linear('f', named('a'), named('b')), { ...options, services }).run());
    assert.equal(withoutFlow(keys()), ['/a/0', '/b/0', '/b/0:revert', '/a/0:revert']);
    assert.ok(turns.every(({ attempt }) => attempt === 1));
  });

  test('what a retry tries again has another key each time, and so have its reverts', async () => {
    const { services, turns, keys } = listening(failing({ b: 2 }));
    const flow = linear('f', named('a'), linear('inner', named('b'), named('c')).with({ retry: times(3) }));
    await loadIt(flow, { ...options, services }).run();
    assert.equal(withoutFlow(keys('a')), ['/a/0']);
    assert.equal(withoutFlow(keys('b')), ['/b/0', '/b/0:revert', '/b/1', '/b/1:revert', '/b/2']);
    assert.equal(withoutFlow(keys('c')), ['/c/0']);
    assert.ok(turns.every(({ attempt }) => attempt === 1));
  });

  test('all of a flow that is tried again has other keys', async () => {
    const { services, keys } = listening(failing({ b: 1 }));
    const flow = linear('f', named('a'), named('b')).with({ retry: times(2) });
    await loadIt(flow, { ...options, services }).run();
    assert.equal(withoutFlow(keys('a')), ['/a/0', '/a/0:revert', '/a/1']);
  });

  test('a task with a retry of its own has another key each time', async () => {
    const { services, keys } = listening(failing({ a: 2 }));
    await loadIt(linear('f', named('a', { retry: times(3) }), named('b')), { ...options, services }).run();
    assert.equal(withoutFlow(keys()), ['/a/0', '/a/0:revert', '/a/1', '/a/1:revert', '/a/2', '/b/0']);
  });

  test('a flow that was reverted, or is reset, begins with other keys', async () => {
    const { services, keys } = listening(failing({ b: 1 }));
    const engine = loadIt(linear('f', named('a'), named('b'), named('c')), { ...options, services });
    await rejection(engine.run());
    await engine.run();
    await engine.reset().run();
    assert.equal(withoutFlow(keys('a')), ['/a/0', '/a/0:revert', '/a/1', '/a/2']);
    assert.equal(withoutFlow(keys('b')), ['/b/0', '/b/0:revert', '/b/1', '/b/2']);
    assert.equal(withoutFlow(keys('c')), ['/c/0', '/c/1']);
  });

  test('the keys of what a region builds begin with the key of the region', async () => {
    const fails = failing({ last: 1 });
    const { services, keys } = listening(fails);
    const region: any = each(keyed, { over: 'list', as: 'n' } as any);
    const flow = linear('f', region, named('last')).with({ retry: times(2) });
    await loadIt(flow, { ...options, services, inputs: { list: ['x', 'y'] } }).run();
    const both = (end: string) => ['/keyed/0/keyed[0]', '/keyed/0/keyed[1]'].map((key) => `${key}/0${end}`);
    const again = both('').map((key) => key.replace('/keyed/0/', '/keyed/1/'));
    const elements = withoutFlow(keys()).filter((key) => key.startsWith('/keyed/'));
    assert.equal(elements.sort(), [...both(''), ...both(':revert'), ...again].sort());
  });

  test('no two keys are the same, whatever the names are', async () => {
    const { services, keys } = listening();
    const region = each(named('r'), { over: 'list', as: 'n' } as any);
    const names = ['r/0/r[0]', 'r%2F0', 'r/0', '%'];
    const flow = unordered('f', region, ...names.map((name) => named(name)));
    await loadIt(flow, { ...options, services, inputs: { list: [1] } }).run();
    assert.is(new Set(keys()).size, 5);
  });

  test('a recorded flow has its id in the keys', async () => {
    const { services, keys } = listening();
    await using store = await openStore('memory:');
    await loadIt(named('a'), { ...options, services, record: { store, id: 'import/42' } }).run();
    assert.equal(keys(), ['import%2F42/a/0']);
  });

  test('a task that was interrupted is told how often it has begun, and has the same key', async () => {
    const fails = failing({ b: 1 });
    const reached = [promised(), promised()];
    const leave = promised();
    const { services, turns } = listening(async (turn) => {
      fails(turn);
      if (turn.name !== 'c' || turn.attempt === 3) return;
      reached[turn.attempt - 1].resolve();
      await leave.promise;
    });
    const flow = linear('f', named('a'), linear('inner', named('b'), named('c')).with({ retry: times(3) }));
    let store = await openStore('memory:');
    const runIt = () => loadIt(flow, { ...options, services, workers, record: { store, id: 'i' } }).run();
    const runs = [];
    for (const { promise } of reached) {
      runs.push(runIt());
      await promise;
      store = await leftBehind(store, 'i');
    }
    const before = turns.length;
    await runIt();
    const seen = (name: string, from = 0) =>
      turns.filter((turn, i) => i >= from && turn.name === name).map(({ key, attempt }) => [key, attempt]);
    assert.equal(seen('c'), [
      ['i/c/0', 1],
      ['i/c/0', 2],
      ['i/c/0', 3],
    ]);
    assert.is(turns.length, before + 1, 'what has succeeded does not run again');
    assert.equal(seen('b'), [
      ['i/b/0', 1],
      ['i/b/0:revert', 1],
      ['i/b/1', 1],
    ]);
    leave.resolve();
    await Promise.all(runs);
  });

  test('a revert that was interrupted is told how often it has begun, and has the same key', async () => {
    const fails = failing({ b: 9 });
    const [reached, leave] = [promised(), promised()];
    const { services, turns } = listening(async (turn) => {
      fails(turn);
      if (turn.name !== 'a' || !turn.reverting || turn.attempt === 2) return;
      reached.resolve();
      await leave.promise;
    });
    const flow = linear('f', named('a'), named('b'));
    let store = await openStore('memory:');
    const runIt = () => rejection(loadIt(flow, { ...options, services, workers, record: { store, id: 'i' } }).run());
    const first = runIt();
    await reached.promise;
    store = await leftBehind(store, 'i');
    assert.is((await runIt()).message, 'Woot of b!');
    assert.equal(
      turns.map(({ key, attempt }) => [key, attempt]),
      [
        ...[
          ['i/a/0', 1],
          ['i/b/0', 1],
          ['i/b/0:revert', 1],
        ],
        ...[
          ['i/a/0:revert', 1],
          ['i/a/0:revert', 2],
        ],
      ],
    );
    leave.resolve();
    await first;
  });
});

once('what was interrupted is reverted when its flow fails before it runs again, and that first', async () => {
  const leave = promised();
  const both = promised();
  const { services, turns } = listening(async ({ name, attempt, reverting }) => {
    if (reverting || name === 'before') return;
    if (attempt > 1) throw new Error(`Woot of ${name}!`);
    if (turns.length === 3) both.resolve();
    await leave.promise;
  });
  const { keyed } = local;
  const flow = linear(
    'f',
    keyed.with({ name: 'before' }),
    unordered('u', keyed.with({ name: 'a' }), keyed.with({ name: 'b' })),
  );
  let store = await openStore('memory:');
  const first = loadIt(flow, { services, workers: 1, record: { store, id: 'i' } }).run();
  await both.promise;
  store = await leftBehind(store, 'i');
  const engine = loadIt(flow, { services, engine: 'serial', record: { store, id: 'i' } });
  const lines = captureTasks(engine);
  assert.is((await rejection(engine.run())).message, 'Woot of a!');
  assert.equal(
    turns.slice(3).map(({ key, attempt }) => `${key} ${attempt}`),
    ['i/a/0 2', 'i/b/0:revert 1', 'i/a/0:revert 1', 'i/before/0:revert 1'],
  );
  assert.equal(lines.slice(0, 4), [
    ...['a: RUNNING', 'a: FAILURE(Failure: Error: Woot of a!)', 'b: RUNNING'],
    "b: FAILURE(Failure: RunError: Task 'b' was interrupted when its process ended, and is reverted, as its flow is)",
  ]);
  leave.resolve();
  await first;
});

once('a context tells the key of its own time, when that is long over', async () => {
  const contexts: any[] = [];
  const keeps = task({
    name: 'keeps',
    execute(_: object, context) {
      contexts.push(context);
      if (contexts.length < 3) throw new Error('Woot!');
    },
  });
  await loadIt(linear('f', keeps).with({ retry: times(3) }), { engine: 'serial' }).run();
  assert.equal(withoutFlow(contexts.map(({ idempotencyKey }) => idempotencyKey)), ['/keeps/0', '/keeps/1', '/keeps/2']);
});

once('a direct run tells its tasks the same as an engine', async () => {
  const { services, turns, keys } = listening(failing({ b: 1 }));
  const flow = linear('f', local.keyed.with({ name: 'a' }), local.keyed.with({ name: 'b' }));
  const direct = new DirectRun<any>(flow as never, {
    ...{ inputs: {}, signal: undefined, services, abortGrace: 60_000, taskTimeout: Number.POSITIVE_INFINITY },
  });
  await rejection(direct.run());
  assert.equal(withoutFlow(keys()), ['/a/0', '/b/0', '/b/0:revert', '/a/0:revert']);
  assert.is(new Set(keys().map((key) => key.split('/')[0])).size, 1);
  assert.ok(turns.every(({ attempt }) => attempt === 1));
});

once.run();
