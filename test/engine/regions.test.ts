/** each(), reduce() and dynamic(): tasks whose work is a flow of its own. */
import {
  createPool,
  dynamic,
  type Engine,
  each,
  graph,
  type LoadOptions,
  linear,
  load,
  reduce,
  run,
  type Task,
  unordered,
  WrappedFailure,
} from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, type EngineUnderTest, overEveryEngine, recorded } from '../engines.js';
import { type Elements, local, travelling } from '../fixtures/engine/elements.js';
import { capture, captureTasks, promised, rejection } from './capture.js';

function overEveryKind(define: (test: Claim, options: EngineUnderTest['options'], tasks: Elements) => void): void {
  for (const [kind, tasks] of Object.entries({ travelling, local })) {
    overEveryEngine((test, options) => define((claim, body) => test(`${claim}: ${kind} tasks`, body), options, tasks));
  }
}

const over = (task: Task, more: object = {}): Task =>
  each(task as any, { over: 'list', as: 'n', collect: 'out', ...more } as any) as Task;
const summed = (task: Task, more: object = {}): Task =>
  reduce(task as any, { over: 'list', as: 'n', into: 'sum', initial: 0, provides: 'total', ...more } as any) as Task;
const loadIt = (flow: any, options: LoadOptions<any>): Engine<any> => load<any, any>(flow, options);

/** Does something when a task first comes to a state. */
function when(engine: Engine<any>, task: string, state: string, act: () => void): void {
  const look = (event: { name: string; state: string }) => {
    if (event.name !== task || event.state !== state) return;
    engine.off('task', look);
    act();
  };
  engine.on('task', look);
}

/** The states of the elements of a region. */
const statesOf = (engine: Engine<any>, region: string, count: number) =>
  Array.from({ length: count }, (_, i) => engine.storage.getTaskState(`${region}[${i}]`));

overEveryKind((test, options, tasks) => {
  const { double, times, add, picky, pickyAdd, gated, listens, stuck, telling, says, pair, woot } = tasks;

  test('each runs a task for every element, and collects the results in order', async () => {
    const list = Array.from({ length: 100 }, (_, i) => i);
    const flow = linear('f', over(double));
    assert.equal(await run(flow, { list }, options), { out: list.map((n) => n * 2) });
    assert.equal(await run(over(double), { list: new Set([3, 1, 2]) }, options), { out: [6, 2, 4] });
  });

  test('each of an empty list gives an empty list', async () => {
    const engine = loadIt(over(double), { ...options, inputs: { list: [] } });
    assert.equal(await engine.run(), { out: [] });
    assert.equal(engine.storage.getTaskStates(), { double: 'SUCCESS' });
  });

  test('what else the task requires is the same for all elements', async () => {
    assert.equal(await run(over(times), { list: [1, 2, 3], by: 10 }, options), { out: [10, 20, 30] });
  });

  test('each may stand in each, and elements are named after those around them', async () => {
    const rows = each(over(double) as any, { over: 'rows', as: 'list', collect: 'all' } as any) as Task;
    const engine = loadIt(linear('f', rows), { ...options, inputs: { rows: [[1, 2], [], [3]] } });
    assert.equal(await engine.run(), { all: [[2, 4], [], [6]] });
    assert.equal(engine.storage.getTaskStates(), {
      double: 'SUCCESS',
      'double[0]': 'SUCCESS',
      'double[0][0]': 'SUCCESS',
      'double[0][1]': 'SUCCESS',
      'double[1]': 'SUCCESS',
      'double[2]': 'SUCCESS',
      'double[2][0]': 'SUCCESS',
    });
    assert.is(engine.storage.getExecuteResult('double[0][1]'), 4);
  });

  test('reduce hands each element the result of the one before', async () => {
    assert.equal(await run(summed(add), { list: [1, 2, 3, 4] }, options), { total: 10 });
    assert.equal(await run(summed(add, { initial: 'a' }), { list: ['b', 'c'] }, options), { total: 'abc' });
  });

  test('without an initial value a reduction begins with the first element', async () => {
    const without = reduce(add as any, { over: 'list', as: 'n', into: 'sum', provides: 'total' } as any) as Task;
    const engine = loadIt(without, { ...options, inputs: { list: [5, 6, 7] } });
    assert.equal(await engine.run(), { total: 18 });
    assert.equal(engine.storage.getTaskStates(), { add: 'SUCCESS', 'add[1]': 'SUCCESS', 'add[2]': 'SUCCESS' });
    assert.equal(await run(without, { list: [5] }, options), { total: 5 });
  });

  test('reduce of an empty list gives the initial value, and fails without one', async () => {
    assert.equal(await run(summed(add), { list: [] }, options), { total: 0 });
    assert.equal(await run(summed(add, { initial: undefined }), { list: [] }, options), { total: undefined });
    const without = reduce(add as any, { over: 'list', as: 'n', into: 'sum', provides: 'total' } as any) as Task;
    const error = await rejection(run(without, { list: [] }, options));
    assert.is(error.code, 'ERR_MILLRACE_BAD_LIST');
    assert.is(error.task, 'add');
    assert.match(error.message, /Task 'add' must have an initial value.*'list' is empty/);
  });

  test('regions give to each other by name, as tasks do', async () => {
    const flow = graph('f', summed(add, { over: 'out' }), over(double), over(picky, { collect: 'same' }));
    assert.equal(await run(flow, { list: [1, 2, 3] }, options), { out: [2, 4, 6], same: [1, 2, 3], total: 12 });
  });

  test('a region may be rebound, renamed and copied', async () => {
    const rebound = over(double, { name: 'doubles', rebind: { list: 'numbers' } });
    assert.equal(await run(rebound, { numbers: [1] }, options), { out: [2] });
    const flow = unordered('f', rebound, over(double).with({ inject: { list: [2, 3] }, provides: 'others' }));
    const engine = loadIt(flow, { ...options, inputs: { numbers: [1] } });
    assert.equal(await engine.run(), { out: [2], others: [4, 6] });
    assert.is(engine.storage.getTaskState('doubles[0]'), 'SUCCESS');
    assert.is(engine.storage.getTaskState('double[1]'), 'SUCCESS');
  });

  test('elements have events, progress, messages and storage of their own', async () => {
    const engine = loadIt(over(says), { ...options, inputs: { list: [7] } });
    const events = capture(engine);
    const lines: string[] = [];
    engine.on('log', ({ name, message }) => lines.push(`${name}: ${message}`));
    engine.on('progress', ({ name, progress }) => lines.push(`${name}: ${progress}`));
    assert.equal(await engine.run(), { out: ['says[0]'] });
    assert.equal(events, [
      ...['flow says: RUNNING', 'says: RUNNING', 'says[0]: RUNNING', 'says[0]: SUCCESS(says[0])'],
      ...['says: SUCCESS(says[0])', 'flow says: SUCCESS'],
    ]);
    assert.equal(lines, [
      ...['says: 0', 'says: 0', 'says[0]: 0', 'says[0]: 0.5', 'says[0]: n is 7', 'says[0]: 1', 'says: 1'],
    ]);
    const { storage } = engine;
    assert.is(storage.getTaskProgress('says[0]'), 1);
    assert.equal(storage.getTaskProgressDetails('says[0]'), { atProgress: 0.5, details: { n: 7 } });
    assert.equal(storage.getTaskProgressDetails('says'), { atProgress: 0, details: { tasks: 1 } });
    assert.is(storage.getTaskIntention('says[0]'), 'EXECUTE');
    assert.equal(storage.fetchMappedArgs('says[0]'), { n: 7 });
    assert.equal(storage.fetchUnsatisfiedArgs('says[0]'), []);
    storage.updateTaskMetadata('says[0]', { seen: true });
    assert.equal(storage.getTaskMetadata('says[0]'), { seen: true });
    assert.throws(() => storage.getTaskState('says[1]'), /Flow 'says' has no task named 'says\[1\]'/);
    assert.throws(() => storage.getTaskState('says[00]'), /no task named/);
    assert.throws(() => storage.injectTaskArgs('says[0]', { n: 8 }), /was built by a region/);
    assert.is(engine.statistics.tasks.SUCCESS, 2);
  });

  test('a reset forgets the elements, and tells so', async () => {
    const engine = loadIt(over(double), { ...options, inputs: { list: [7] } });
    await engine.run();
    const events = captureTasks(engine);
    engine.reset();
    assert.equal(events, ['double: PENDING', 'double[0]: PENDING']);
    assert.equal(engine.storage.getTaskStates(), { double: 'PENDING' });
    assert.is(engine.statistics.tasks.PENDING, 1);
    engine.storage.inject({ list: [1, 2] });
    assert.equal(await engine.run(), { out: [2, 4] });
  });

  test('when an element fails, the region fails with its error, and all that has run is reverted', async () => {
    const flow = linear('f', double.with({ name: 'before', inject: { n: 1 } }), over(picky), woot);
    const engine = loadIt(flow, { ...options, inputs: { list: [1, 2, -3] } });
    const error = await rejection(engine.run());
    assert.instance(error, RangeError);
    assert.is(error.message, 'no -3');
    assert.is(error.task, 'picky[2]');
    assert.is(engine.state, 'REVERTED');
    assert.equal(engine.storage.getTaskStates(), {
      before: 'REVERTED',
      picky: 'REVERTED',
      'picky[0]': 'REVERTED',
      'picky[1]': 'REVERTED',
      'picky[2]': 'REVERTED',
      woot: 'PENDING',
    });
    assert.equal(Object.keys(engine.storage.getExecuteFailures()).sort(), ['picky', 'picky[2]']);
    assert.is(engine.storage.getExecuteFailures()['picky[2]']!.error, error);
  });

  test('elements that run when one fails are let end, and are reverted with the rest', async () => {
    const opened = promised();
    const engine = loadIt(unordered('f', over(gated)), {
      ...options,
      inputs: { list: options.engine === 'serial' ? [1, -2, 3] : [-2, 1] },
      services: { gate: (n: number) => (n < 0 || options.engine === 'serial' ? undefined : opened.promise) },
    });
    const failed = options.engine === 'serial' ? 'gated[1]' : 'gated[0]';
    when(engine, failed, 'FAILURE', () => opened.resolve());
    const error = await rejection(engine.run());
    assert.is(error.message, 'no -2');
    assert.is(engine.storage.getTaskState(failed), 'REVERTED');
    for (const state of Object.values(engine.storage.getTaskStates())) {
      assert.ok(state === 'REVERTED' || state === 'PENDING', state);
    }
  });

  test('a reduction that fails stops there', async () => {
    const engine = loadIt(summed(pickyAdd), { ...options, inputs: { list: [1, -2, 3] } });
    assert.is((await rejection(engine.run())).message, 'no -2');
    assert.equal(statesOf(engine, 'pickyAdd', 3), ['REVERTED', 'REVERTED', 'PENDING']);
  });

  test('a region that has succeeded is reverted with the flow, and its elements are told what failed', async () => {
    const told: any[] = [];
    const engine = loadIt(linear('f', over(telling), woot), {
      ...options,
      inputs: { list: [1, 2] },
      services: { reverted: (what: unknown) => void told.push(what) },
    });
    const events = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is(engine.state, 'REVERTED');
    assert.equal(
      told.sort((a, b) => a.n - b.n),
      [
        { name: 'telling[0]', n: 1, result: 2, failed: ['woot'] },
        { name: 'telling[1]', n: 2, result: 4, failed: ['woot'] },
      ],
    );
    const last = events.slice(events.indexOf('telling: REVERTING'));
    assert.is(last.at(-1), 'telling: REVERTED');
    assert.is(last.filter((line) => line.endsWith(': REVERTED')).length, 3);
  });

  test('a serial run reverts elements in the reverse order', async () => {
    if (options.engine !== 'serial') return;
    const engine = loadIt(linear('f', over(double), woot), { ...options, inputs: { list: [1, 2, 3] } });
    const events = captureTasks(engine);
    await rejection(engine.run());
    assert.equal(
      events.filter((line) => line.endsWith('REVERTED')),
      ['woot', 'double[2]', 'double[1]', 'double[0]', 'double'].map((name) => `${name}: REVERTED`),
    );
  });

  test('a revert that fails in a region fails the flow, and the next run goes on with it', async () => {
    let broken = true;
    const engine = loadIt(linear('f', over(stuck), woot), {
      ...options,
      inputs: { list: [1, -2, 3] },
      services: { broken: () => broken },
    });
    const error = await rejection(engine.run());
    assert.is(error.message, 'cannot revert -2');
    assert.is(engine.state, 'FAILURE');
    assert.is(engine.storage.getTaskState('stuck'), 'REVERT_FAILURE');
    assert.is(engine.storage.getTaskState('stuck[1]'), 'REVERT_FAILURE');
    assert.equal(Object.keys(engine.storage.getRevertFailures()).sort(), ['stuck', 'stuck[1]']);
    broken = false;
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is(engine.state, 'REVERTED');
    assert.equal(statesOf(engine, 'stuck', 3), ['REVERTED', 'REVERTED', 'REVERTED']);
  });

  test('a result that lacks what an element promises is a failure of the element', async () => {
    assert.equal(await run(over(pair), { list: [1, 2] }, options), {
      out: [
        [1, -1],
        [2, -2],
      ],
    });
    const error = await rejection(run(over(pair), { list: [1, -2] }, options));
    assert.is(error.code, 'ERR_MILLRACE_BAD_RESULT');
    assert.is(error.task, 'pair[1]');
    assert.match(error.message, /Task 'pair\[1\]' provides 'a', 'b', but its result has no element 0/);
  });

  test('a flow that is suspended within a region goes on within it', async () => {
    const list = [1, 2, 3, 4, 5, 6];
    // With a timeout a task travels alone.
    const flow = linear('f', over(double.with({ timeout: 60_000 })), double.with({ name: 'after', inject: { n: 1 } }));
    const engine = loadIt(flow, { ...options, inputs: { list } });
    when(engine, 'double[1]', 'SUCCESS', () => engine.suspend());
    const began: string[] = [];
    engine.on('task', ({ name, state }) => state === 'RUNNING' && name.includes('[') && began.push(name));
    await engine.run();
    if (options.engine === 'serial' && !recorded) {
      assert.is(engine.state, 'SUSPENDED');
      assert.equal(statesOf(engine, 'double', 6), ['SUCCESS', 'SUCCESS', 'PENDING', 'PENDING', 'PENDING', 'PENDING']);
      assert.is(engine.storage.getTaskState('double'), 'PENDING');
    }
    assert.equal(await engine.run(), { out: [2, 4, 6, 8, 10, 12], doubled: 2 });
    assert.is(engine.state, 'SUCCESS');
    assert.equal([...new Set(began)].length, 6);
    if (options.engine === 'serial') assert.is(began.length, 6, 'none ran twice');
  });

  test('a reduction that is suspended goes on with what it made', async () => {
    const engine = loadIt(summed(add.with({ timeout: 60_000 })), { ...options, inputs: { list: [1, 2, 3] } });
    when(engine, 'add[1]', 'SUCCESS', () => engine.suspend());
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(statesOf(engine, 'add', 3), ['SUCCESS', 'SUCCESS', 'PENDING']);
    assert.equal(await engine.run(), { total: 6 });
  });

  test('a flow that is suspended when a region begins has not begun with it', async () => {
    const engine = loadIt(over(double), { ...options, inputs: { list: [1, 2] } });
    when(engine, 'double', 'RUNNING', () => engine.suspend());
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.is(engine.storage.getTaskState('double'), 'PENDING');
    assert.equal(await engine.run(), { out: [2, 4] });
  });

  test('a flow that is suspended while a region is reverted goes on reverting it', async () => {
    // More than can be on their way to threads at once, or begin together.
    const list = Array.from({ length: 300 }, (_, n) => n);
    const engine = loadIt(linear('f', over(double), woot), { ...options, inputs: { list } });
    const suspend = ({ name, state }: { name: string; state: string }) => {
      if (!name.startsWith('double[') || state !== 'REVERTED') return;
      engine.off('task', suspend);
      engine.suspend();
    };
    engine.on('task', suspend);
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.is(engine.storage.getTaskState('double'), 'SUCCESS');
    assert.ok(statesOf(engine, 'double', 300).includes('SUCCESS'));
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is(engine.state, 'REVERTED');
    assert.ok(statesOf(engine, 'double', 300).every((state) => state === 'REVERTED'));
  });

  test('what a suspended region has done is reverted when the next run does not come back to it', async () => {
    const controller = new AbortController();
    const flow = linear('f', over(double.with({ timeout: 60_000 })), woot);
    const engine = loadIt(flow, { ...options, inputs: { list: [1, 2, 3] }, signal: controller.signal });
    when(engine, 'double[0]', 'SUCCESS', () => engine.suspend());
    await engine.run();
    const began = statesOf(engine, 'double', 3);
    engine.once('flow', () => controller.abort());
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.is(engine.state, 'REVERTED');
    statesOf(engine, 'double', 3).forEach((state, i) => {
      assert.is(state, began[i] === 'PENDING' ? 'PENDING' : 'REVERTED');
    });
  });

  test('an abort reaches the elements that run, and all is reverted', async () => {
    const controller = new AbortController();
    const engine = loadIt(linear('f', over(listens), woot), {
      ...options,
      inputs: { list: [1, -2] },
      signal: controller.signal,
      abortGrace: 60_000,
    });
    when(engine, 'listens[1]', 'RUNNING', () => controller.abort(new Error('enough')));
    const error = await rejection(engine.run());
    assert.is(error.code, 'ABORT_ERR');
    assert.is(error.cause.message, 'enough');
    assert.is(engine.state, 'REVERTED');
    assert.is(engine.storage.getTaskState('listens'), 'REVERTED');
    assert.is(engine.storage.getTaskState('listens[1]'), 'REVERTED');
    assert.is((engine.storage.getExecuteFailures()['listens[1]']!.error as any).code, 'ABORT_ERR');
  });

  test('an abort when a region begins reverts it', async () => {
    const controller = new AbortController();
    const engine = loadIt(over(double), { ...options, inputs: { list: [1, 2] }, signal: controller.signal });
    when(engine, 'double', 'RUNNING', () => controller.abort());
    assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
    assert.is(engine.state, 'REVERTED');
    assert.equal(statesOf(engine, 'double', 2), ['PENDING', 'PENDING']);
  });

  test('closing the engine stops the elements that run', async () => {
    const engine = loadIt(over(listens), { ...options, inputs: { list: [-1] }, abortGrace: 60_000 });
    const closed = promised<Promise<void>>();
    when(engine, 'listens[0]', 'RUNNING', () => closed.resolve(engine.close()));
    assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
    await await closed.promise;
    assert.is(engine.state, 'REVERTED');
    assert.is(engine.storage.getTaskState('listens[0]'), 'REVERTED');
  });

  test('a region that takes too long is told to stop, and has failed', async () => {
    const engine = loadIt(over(listens, { timeout: 150 }), {
      ...options,
      inputs: { list: [-1] },
      abortGrace: 60_000,
    });
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.is(error.task, 'listens');
    assert.is(engine.state, 'REVERTED');
    assert.is(engine.storage.getTaskState('listens[0]'), 'REVERTED');
  });

  test('the timeout of the configuration is for each element, and not for a region', async () => {
    const engine = loadIt(over(listens), {
      ...options,
      ...{ inputs: { list: [-1] }, abortGrace: 60_000, taskTimeout: 150 },
    });
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    assert.is(error.task, 'listens[0]');
  });

  test('a region goes step by step with the flow', async () => {
    const engine = loadIt(linear('f', over(double), over(picky, { collect: 'same' })), {
      ...options,
      inputs: { list: [1, 2] },
    });
    const states: string[] = [];
    for await (const state of engine.runIter()) states.push(state);
    assert.is(states.at(-1), 'SUCCESS');
    assert.equal(engine.storage.fetch('out'), [2, 4]);
    assert.equal(engine.storage.fetch('same'), [1, 2]);
  });

  test('a flow that is left in the middle of a region is suspended, and goes on', async () => {
    const engine = loadIt(over(double), { ...options, inputs: { list: [1, 2, 3] } });
    for await (const state of engine.runIter()) if (state === 'SCHEDULING') break;
    assert.is(engine.state, 'SUSPENDED');
    assert.equal(await engine.run(), { out: [2, 4, 6] });
  });

  test('a hundred thousand elements are nothing special', async () => {
    const list = Array.from({ length: 100_000 }, (_, i) => i);
    const { out } = (await run(over(double), { list }, options)) as any;
    assert.is(out.length, 100_000);
    assert.ok(out.every((value: number, i: number) => value === 2 * i));
  });

  test('dynamic builds a flow of the values that there are', async () => {
    const cars = dynamic('cars', {
      requires: ['wanted'],
      provides: ['total', 'doubled'],
      build: ({ wanted }: { wanted: number[] }) =>
        graph(
          'built',
          summed(add, { over: 'wanted' }),
          wanted.map((n, i) => double.with({ name: `part-${i}`, inject: { n }, provides: i ? `p${i}` : 'doubled' })),
        ) as any,
    });
    const engine = loadIt(linear('f', cars), { ...options, inputs: { wanted: [4, 5] } });
    assert.equal(await engine.run(), { total: 9, doubled: 8 });
    assert.equal(engine.storage.getTaskStates(), {
      cars: 'SUCCESS',
      add: 'SUCCESS',
      'add[0]': 'SUCCESS',
      'add[1]': 'SUCCESS',
      'part-0': 'SUCCESS',
      'part-1': 'SUCCESS',
    });
    assert.equal(engine.storage.getExecuteResult('cars'), { total: 9, doubled: 8, p1: 10 });
    assert.throws(() => engine.storage.fetch('p1'), /Nothing is called 'p1'/);
  });

  test('dynamic chooses between flows', async () => {
    const either = dynamic('either', {
      requires: ['n'],
      provides: 'doubled',
      build: ({ n }: { n: number }) => (n > 10 ? linear('large', picky, double) : double) as any,
    });
    assert.equal(await run(either, { n: 3 }, options), { doubled: 6 });
    const engine = loadIt(linear('f', either), { ...options, inputs: { n: 30 } });
    assert.equal(await engine.run(), { doubled: 60 });
    assert.equal(engine.storage.getTaskStates(), { either: 'SUCCESS', picky: 'SUCCESS', double: 'SUCCESS' });
  });

  test('a build may contain a smaller one, and what its tasks provide goes before what it was given', async () => {
    const halve = (name: string): Task =>
      dynamic(name, {
        requires: ['n'],
        provides: ['n'],
        build: ({ n }: { n: number }, region) => {
          const step = times.with({ name: `${region.name} step`, inject: { by: 0.5 }, provides: 'n' });
          return linear(`${region.name} flow`, step, n > 2 ? halve(`${name}+`) : []) as any;
        },
      }) as Task;
    const engine = loadIt(halve('halve'), { ...options, inputs: { n: 64 } });
    assert.equal(await engine.run(), { n: 1 });
    assert.is(engine.storage.getTaskState('halve+++++ step'), 'SUCCESS');
    assert.is(engine.statistics.tasks.SUCCESS, 12);
  });

  test('a flow in a region is reverted with all that it built', async () => {
    const inner = dynamic('inner', { requires: ['list'], build: () => over(double) as any }) as Task;
    const outer = dynamic('outer', { requires: ['list'], build: () => linear('deep', inner, woot) as any }) as Task;
    const engine = loadIt(outer, { ...options, inputs: { list: [1] } });
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), {
      outer: 'REVERTED',
      inner: 'REVERTED',
      double: 'REVERTED',
      'double[0]': 'REVERTED',
      woot: 'REVERTED',
    });
  });

  test('optional values reach the flow if there are any', async () => {
    const maybe = dynamic('maybe', {
      optional: ['list'],
      provides: ['out'],
      build: ({ list }: { list?: number[] }) =>
        (list ? over(double) : over(double).with({ inject: { list: [] } })) as any,
    });
    assert.equal(await run(maybe, {}, options), { out: [] });
    assert.equal(await run(maybe, { list: [2] }, options), { out: [4] });
  });
});

overEveryEngine((test, options) => {
  const { double, gated, dies, woot } = travelling;

  test('a thread that dies in an element is a failure of that element, and the rest goes on', async () => {
    if (options.engine === 'serial') return;
    const engine = loadIt(over(dies.with({ timeout: 60_000 })), { ...options, inputs: { list: [-1] } });
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
    assert.is(error.task, 'dies[0]');
    assert.is(engine.state, 'REVERTED');
    assert.equal(await run(over(double), { list: [1] }, options), { out: [2] });
  });

  test('what cannot be sent to an element is a failure of that element', async () => {
    if (options.engine === 'serial' || recorded) return; // it cannot be stored either
    const error = await rejection(run(over(double), { list: [1, () => {}] }, options));
    assert.is(error.code, 'ERR_MILLRACE_UNCLONEABLE_INPUT');
    assert.is(error.task, 'double[1]');
  });

  test('several elements that fail come out together', async () => {
    if (options.engine === 'serial' || options.workers === 1) return;
    const both = promised();
    let waiting = 0;
    const error = await rejection(
      run(
        over(gated),
        { list: [-1, -2] },
        {
          ...options,
          services: {
            gate: () => {
              if (++waiting === 2) both.resolve();
              return both.promise;
            },
          },
        },
      ),
    );
    assert.instance(error, WrappedFailure);
    assert.equal(error.errors.map(String).sort(), ['RangeError: no -1', 'RangeError: no -2']);
  });

  test('a region that is suspended while another task fails is reverted', async () => {
    if (options.engine === 'serial') return;
    const begun = promised();
    const failing = promised();
    const first = local.gated.with({ name: 'first', inject: { n: 1 } });
    const region = over(local.double, { name: 'doubles' });
    const engine = loadIt(unordered('f', linear('later', first, region), gated), {
      ...options,
      // More than begin together.
      inputs: { list: Array(300).fill(1), n: -1 },
      services: { gate: (n: number) => (n < 0 ? failing.promise : begun.promise) },
    });
    const ends = () => ['doubles[0]', 'doubles[299]'].map((name) => engine.storage.getTaskState(name));
    when(engine, 'gated', 'RUNNING', () => begun.resolve());
    when(engine, 'doubles[0]', 'SUCCESS', () => {
      engine.suspend();
      failing.resolve();
    });
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.is(engine.storage.getTaskState('gated'), 'FAILURE');
    assert.equal(ends(), ['SUCCESS', 'PENDING']);
    const error = await rejection(engine.run());
    assert.is(error.message, 'no -1');
    assert.is(engine.state, 'REVERTED');
    assert.equal(ends(), ['REVERTED', 'PENDING']);
    assert.is(engine.storage.getTaskState('doubles'), 'REVERTED');
  });

  const refuses = async (flow: any, inputs: any, code: string, message: RegExp, task: string) => {
    const engine = loadIt(flow, { ...options, inputs });
    const error = await rejection(engine.run());
    assert.is(error.code, code);
    assert.match(error.message, message);
    assert.is(error.task, task);
    assert.is(engine.state, 'REVERTED');
  };

  test('what cannot be iterated is refused', async () => {
    for (const [list, what] of [
      [undefined, /received undefined/],
      [null, /received null/],
      [7, /received a number \(7\)/],
      [{ length: 2 }, /received an object/],
      [{ [Symbol.iterator]: 1 }, /received an object/],
      [Promise.resolve([1]), /received an instance of Promise/],
    ] as const) {
      if (recorded && Object(list) === list && !('length' in (list as object))) continue; // it cannot be stored
      await refuses(over(double), { list }, 'ERR_MILLRACE_BAD_LIST', what, 'double');
    }
  });

  test('a list that throws, or that never ends, fails the region', async () => {
    const throwing = {
      *[Symbol.iterator]() {
        yield 1;
        throw new TypeError('out of paper');
      },
    };
    await refuses(over(double), { list: throwing }, 'ERR_MILLRACE_TASK_FAILED', /out of paper/, 'double');
  });

  test('a list is read once, when its turn comes', async () => {
    const list = [1, 2, 3];
    const engine = loadIt(over(local.double), { ...options, inputs: { list } });
    when(engine, 'double[0]', 'RUNNING', () => list.splice(0));
    assert.equal(await engine.run(), { out: [2, 4, 6] });
  });

  test('a build that throws, or returns no flow, fails the region', async () => {
    const building = (build: () => any) => dynamic('builder', { build });
    const throws = () => {
      throw new SyntaxError('no plan');
    };
    await refuses(building(throws), {}, 'ERR_MILLRACE_TASK_FAILED', /no plan/, 'builder');
    for (const [build, what] of [
      [() => undefined, /received undefined/],
      [() => 'f', /received a string \("f"\)/],
      [() => [double], /received an array/],
      [async () => double, /received a promise/],
      [() => Promise.reject(new Error('unheard')), /received a promise/],
    ] as const) {
      await refuses(building(build), {}, 'ERR_MILLRACE_NOT_A_FLOW', what, 'builder');
    }
  });

  test('a built flow that is wrong fails the region', async () => {
    const building = (flow: any, provides: string[] = []) => dynamic('builder', { provides, build: () => flow });
    const twice = linear('twice', double, double);
    await refuses(
      building(twice),
      {},
      'ERR_MILLRACE_DUPLICATE_NAME',
      /built a flow that is wrong: Two tasks/,
      'builder',
    );
    await refuses(
      building(double),
      { n: 1 },
      'ERR_MILLRACE_MISSING_INPUT',
      /requires 'n' \(for task 'double'\)/,
      'builder',
    );
    await refuses(building(woot, ['x']), {}, 'ERR_MILLRACE_BAD_RESULT', /provides 'x', which flow 'woot'/, 'builder');
  });

  test('names must be unique in the whole flow, with what is built in it', async () => {
    const builder = dynamic('builder', { requires: ['n'], build: () => double as any }) as Task;
    const flow = linear('f', double, builder);
    await refuses(flow, { n: 1 }, 'ERR_MILLRACE_DUPLICATE_NAME', /a task named 'double'/, 'builder');
    await refuses(
      linear('f', double.with({ name: 'double[1]', inject: { n: 1 } }), over(double)),
      { list: [1, 2] },
      'ERR_MILLRACE_DUPLICATE_NAME',
      /a task named 'double\[1\]'/,
      'double',
    );
    const elements = each(builder as any, { over: 'list', as: 'n' } as any) as Task;
    await refuses(elements, { list: [1, 2] }, 'ERR_MILLRACE_DUPLICATE_NAME', /a task named 'double'/, 'builder[1]');
  });

  test('a region that builds itself without end is stopped', async () => {
    const endless = (name: string): Task => dynamic(name, { build: () => endless(`${name}+`) as any }) as Task;
    const engine = loadIt(endless('e'), options);
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_TOO_DEEP');
    assert.match(error.message, /within 100 flows that were built one within the other/);
    assert.is(error.task, `e${'+'.repeat(100)}`);
    assert.is(engine.state, 'REVERTED');
  });

  test('a region may be run many times at once', async () => {
    const flow = linear('f', over(double));
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => run(flow, { list: [i] }, options)));
    assert.equal(
      all.map(({ out }: any) => out[0]),
      Array.from({ length: 20 }, (_, i) => i * 2),
    );
  });
});

once('a pool that is being closed, or that takes no more runs, lets a run go on into its regions', async () => {
  const pool = await createPool({ workers: 1, maxQueue: 0 });
  const begun = promised();
  const opened = promised();
  const first = local.gated.with({ name: 'first', inject: { n: 1 } });
  const region = over(travelling.double, { name: 'doubles' });
  const busy = travelling.gated.with({ inject: { n: -1 } }); // it holds the only thread until the region has begun
  const engine = loadIt(unordered('f', linear('later', first, region), busy), {
    pool,
    inputs: { list: [1, 2] },
    services: { gate: (n: number) => (n < 0 ? opened.promise : begun.promise) },
  });
  let closed: Promise<void> | undefined;
  when(engine, 'gated', 'RUNNING', () => {
    closed = pool.close();
    begun.resolve();
  });
  when(engine, 'doubles', 'RUNNING', () => opened.resolve());
  assert.is((await rejection(engine.run())).message, 'no -1');
  assert.is(engine.storage.getTaskState('doubles'), 'REVERTED');
  await closed;
});

once('a list that never ends is refused when it has become too long', async () => {
  const endless = {
    *[Symbol.iterator]() {
      for (;;) yield 0;
    },
  };
  const error = await rejection(run(over(local.double), { list: endless }, { engine: 'serial' }));
  assert.is(error.code, 'ERR_MILLRACE_BAD_LIST');
  assert.match(error.message, /has more than 16777216 elements/);
});

once.run();
