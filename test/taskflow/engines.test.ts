/** TaskFlow's claims about engines that its states and events can show, and no other test of ours does. */
import { type EngineState, graph, linear, load, run, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { capture, captureTasks, rejection } from '../engine/capture.js';
import { overEveryKind } from './kinds.js';

overEveryKind((test, options, { one, progressing, failing, nasty, several, sum }) => {
  const three = linear(
    'root',
    ['task1', 'task2', 'task3'].map((name) => progressing.with({ name })),
  );

  test('a lone task is a flow of its own name', async () => {
    const engine = load(progressing.with({ name: 'task1' }), options);
    const lines = capture(engine);
    await engine.run();
    assert.equal(lines, ['flow task1: RUNNING', 'task1: RUNNING', 'task1: SUCCESS(5)', 'flow task1: SUCCESS']);
  });

  test('a lone task that fails is reverted, and does the same when it runs again', async () => {
    const engine = load(failing, options);
    const lines = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    const first = [
      ...['flow fail: RUNNING', 'fail: RUNNING', 'fail: FAILURE(Failure: Error: Woot!)'],
      ...['fail: REVERTING', 'fail: REVERTED', 'flow fail: REVERTED'],
    ];
    assert.equal(lines.splice(0), first);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(lines, ['fail: PENDING', 'flow fail: PENDING', ...first]);
  });

  test('children of a nested flow are reverted before what ran before it', async () => {
    const [task1, task2] = ['task1', 'task2'].map((name) => progressing.with({ name }));
    const engine = load(linear('f', task1, linear('inner', task2, failing)), options);
    const lines = captureTasks(engine);
    await rejection(engine.run());
    assert.equal(lines, [
      ...['task1: RUNNING', 'task1: SUCCESS(5)', 'task2: RUNNING', 'task2: SUCCESS(5)'],
      ...['fail: RUNNING', 'fail: FAILURE(Failure: Error: Woot!)', 'fail: REVERTING', 'fail: REVERTED'],
      ...['task2: REVERTING', 'task2: REVERTED', 'task1: REVERTING', 'task1: REVERTED'],
    ]);
  });

  test('what fails in its revert is not reverted again, and what was before it not at all', async () => {
    const engine = load(linear('f', one, nasty, failing), options);
    const lines = captureTasks(engine);
    await rejection(engine.run());
    assert.equal(lines.slice(-4), [
      ...['fail: REVERTING', 'fail: REVERTED'],
      ...['nasty: REVERTING', 'nasty: REVERT_FAILURE(Failure: Error: Gotcha!)'],
    ]);
  });

  test('tasks of a graph are reverted in the reverse order of their links', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => progressing.with({ name }));
    const flow = graph('g', failing, c, b, a).link(a, b).link(b, c).link(c, failing);
    const engine = load(flow, options);
    const lines = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(
      lines.filter((line) => line.endsWith('REVERTED')),
      ['fail: REVERTED', 'c: REVERTED', 'b: REVERTED', 'a: REVERTED'],
    );
  });

  test('what several values become in a graph is found by their names', async () => {
    const first = several.with({ provides: ['a', 'b', 'c'] });
    const second = several.with({ name: 'second', inject: { values: [30, 38] }, provides: ['x', 'y'] } as object);
    const third = sum.with({ rebind: { x: 'a', y: 'b', z: 'y' }, provides: 'z' });
    assert.equal(await run(graph('g', third, second, first), {}, options), {
      ...{ a: 1, b: 3, c: 5, x: 30, y: 38, z: 42 },
    });
  });

  test('ten unordered flows of ten tasks each, one after the other, come to their end', async () => {
    const layers = Array.from({ length: 10 }, (_, layer) =>
      unordered(
        `layer-${layer}`,
        Array.from({ length: 10 }, (_, i) => one.with({ name: `${layer}-${i}`, provides: `x-${layer}-${i}` })),
      ),
    );
    assert.is(Object.keys(await run(linear('f', layers), {}, options)).length, 100);
  });

  test('a flow that is suspended, reset and run again does everything again', async () => {
    const engine = load(three, options);
    const tasks = captureTasks(engine);
    const states: EngineState[] = [];
    for await (const state of engine.runIter()) if (states.push(state) === 7) engine.suspend();
    assert.equal(states, [
      ...['RESUMING', 'SCHEDULING', 'WAITING', 'ANALYZING', 'SCHEDULING', 'WAITING'],
      ...['ANALYZING', 'SUSPENDED'], // TaskFlow's test does not look at the state in which it suspends: it is this one
    ]);
    assert.equal(tasks.splice(0), ['task1: RUNNING', 'task1: SUCCESS(5)', 'task2: RUNNING', 'task2: SUCCESS(5)']);
    await engine.run();
    assert.equal(tasks.splice(0), ['task3: RUNNING', 'task3: SUCCESS(5)']);
    engine.reset();
    tasks.splice(0);
    await engine.run();
    assert.equal(
      tasks.filter((line) => line.endsWith('RUNNING')),
      ['task1: RUNNING', 'task2: RUNNING', 'task3: RUNNING'],
    );
  });

  test('an iterator that is told to suspend while it waits runs no other task', async () => {
    const engine = load(three, options);
    const iterator = engine.runIter();
    const rest: unknown[] = [];
    const begun = () => engine.storage.getTaskState('task1') !== 'PENDING'; // it may have to wait for a thread
    while ((await iterator.next()).value !== 'WAITING' || !begun());
    rest.push((await iterator.next(true)).value);
    for await (const state of iterator) rest.push(state);
    assert.equal(rest, ['ANALYZING', 'SUSPENDED']);
    assert.equal(engine.storage.getTaskStates(), { task1: 'SUCCESS', task2: 'PENDING', task3: 'PENDING' });
    const tasks = captureTasks(engine);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.not.ok(tasks.some((line) => line.startsWith('task1')));
  });

  test('an error thrown into the iterator comes out, and the flow has failed', async () => {
    const engine = load(three, options);
    const iterator = engine.runIter();
    for (let seen = 0; seen < 2; ) if ((await iterator.next()).value === 'SCHEDULING') seen++;
    const error = new Error('interrupted');
    assert.is(await rejection(iterator.throw(error)), error);
    assert.is(engine.state, 'FAILURE');
  });
});

once.run();
