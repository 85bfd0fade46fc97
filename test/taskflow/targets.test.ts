/** Graphs of which only a target runs, and what it depends on. As TaskFlow; but a graph is a value, so that there is nothing to reset. */
import { ArgumentError, forEach, graph, linear, load, run, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { captureTasks, rejection } from '../engine/capture.js';
import { overEveryKind } from '../engine/kinds.js';
import { type Kit, local } from '../fixtures/engine/tasks.js';

/** Four tasks: a value goes from the first to the second, and from there to each of the others. */
function four({ five, addOne }: Kit) {
  const more = (name: string, from: string, provides?: string) =>
    addOne.with({ name, rebind: [from], provides } as object);
  return {
    task1: five.with({ name: 'task1', provides: 'a' }),
    task2: more('task2', 'a', 'b'),
    task3: more('task3', 'b', 'c'),
    task4: more('task4', 'b', 'd'),
  };
}

const names = (flow: Iterable<{ name: string }>) => [...flow].map(({ name }) => name);

overEveryKind((test, options, tasks) => {
  const { five, addOne, woot } = tasks;
  const { task1, task2, task3, task4 } = four(tasks);
  const all = graph('test', task1, task2, task3, task4);

  test('a target restricts a graph to itself and what it depends on', async () => {
    const flow = all.target(task3);
    assert.is(flow.length, 3);
    assert.equal(names(flow), ['task1', 'task2', 'task3']);
    const engine = load(flow, options);
    const events = captureTasks(engine);
    assert.equal(await engine.run(), { a: 5, b: 6, c: 7 });
    assert.equal(events, [
      ...[
        'task1: RUNNING',
        'task1: SUCCESS(5)',
        'task2: RUNNING',
        'task2: SUCCESS(6)',
        'task3: RUNNING',
        'task3: SUCCESS(7)',
      ],
    ]);
    assert.equal(engine.storage.getTaskStates(), { task1: 'SUCCESS', task2: 'SUCCESS', task3: 'SUCCESS' });
  });

  test('the graph that is given a target stays as it is', async () => {
    assert.is(all.target(task1).length, 1);
    assert.is(all.length, 4);
    assert.equal(await run(all, {}, options), { a: 5, b: 6, c: 7, d: 7 });
  });

  test('a graph of one task has it for its target', async () => {
    const flow = graph('test', task1).target(task1);
    assert.is(flow.length, 1);
    assert.equal(await run(flow, {}, options), { a: 5 });
  });

  test('what is added to the items is taken in if the target depends on it', async () => {
    const items = [task2];
    assert.is(graph('test', items).target(task2).length, 1);
    const flow = graph('test', ...items, task1).target(task2);
    assert.is(flow.length, 2);
    assert.equal(await run(flow, {}, options), { a: 5, b: 6 });
  });

  test('what is added to the items is left out if the target does not depend on it', async () => {
    const items = [task1];
    assert.is(graph('test', items).target(task1).length, 1);
    const flow = graph('test', ...items, task2).target(task1);
    assert.is(flow.length, 1);
    assert.equal(await run(flow, {}, options), { a: 5 });
  });

  test('a link that is added to a graph with a target takes in what it leads from', async () => {
    const other = five.with({ name: 'other', provides: 'e' });
    const flow = graph('test', task1, other).target(task1);
    assert.is(flow.length, 1);
    const linked = flow.link(other, task1);
    assert.is(linked.length, 2);
    assert.is(flow.length, 1);
    const engine = load(linked, options);
    const events = captureTasks(engine);
    assert.equal(await engine.run(), { a: 5, e: 5 });
    assert.equal(events, ['other: RUNNING', 'other: SUCCESS(5)', 'task1: RUNNING', 'task1: SUCCESS(5)']);
  });

  test('a link to what was left out takes nothing in', async () => {
    assert.equal(names(all.target(task2).link(task2, task4)), ['task1', 'task2']);
    assert.equal(await run(all.target(task2).link(task2, task4).link(task4, task3), {}, options), { a: 5, b: 6 });
  });

  test('another target takes the place of the first, and may be what that had cut away', async () => {
    const flow = all.target(task3).target(task4);
    assert.equal(names(flow), ['task1', 'task2', 'task4']);
    assert.equal(await run(flow, {}, options), { a: 5, b: 6, d: 7 });
    const linked = all.target(task1).link(task4, task3).target(task3);
    assert.equal(names(linked), ['task1', 'task2', 'task3', 'task4']);
  });

  test('a nested flow is a target as a whole, and what it depends on is kept as a whole', async () => {
    const inner = linear('inner', task2, unordered('both', task3, task4));
    const beside = graph('beside', woot, addOne.with({ name: 'last', rebind: ['d'] } as object));
    assert.equal(await run(graph('test', beside, inner, task1).target(inner), {}, options), { a: 5, b: 6, c: 7, d: 7 });
    const before = unordered('before', task1, five.with({ name: 'more', provides: 'e' }));
    const flow = graph('test', inner, before, woot).target(inner);
    assert.equal(await run(flow, {}, options), { a: 5, e: 5, b: 6, c: 7, d: 7 });
  });

  test('a graph with a target may stand in other flows, and what it left out neither runs nor provides', async () => {
    const last = addOne.with({ name: 'last', rebind: ['c'], provides: 'e' } as object);
    const nested = linear(
      'outer',
      unordered('inner', graph('test', task1, task2, task3, task4, woot).target(task3)),
      last,
    );
    const engine = load<any, any>(nested, options);
    assert.equal(await engine.run(), { a: 5, b: 6, c: 7, e: 8 });
    assert.equal(Object.keys(engine.storage.getTaskStates()), ['task1', 'task2', 'task3', 'last']);
    const error = await rejection(run<any, any>(linear('outer', all.target(task2), last), {}, options));
    assert.is(error.code, 'ERR_MILLRACE_MISSING_INPUT');
    assert.match(error.message, "'c'");
  });

  test('a graph with a target may be the target of another, which does without what it left out', async () => {
    const source = five.with({ name: 'source', provides: 'x' });
    const needy = addOne.with({ name: 'needy', rebind: ['x'], provides: 'y' } as object);
    const inner = graph('inner', task1, task2, needy);
    const modest = inner.target(task2);
    assert.equal(await run(graph('outer', source, modest).target(modest), {}, options), { a: 5, b: 6 });
    const needing = inner.target(needy);
    assert.equal(await run(graph('outer', source, task4, needing).target(needing), {}, options), { x: 5, y: 6 });
  });

  test('when the target fails, what it depends on is reverted, and there is nothing else', async () => {
    const engine = load(graph('test', task1, task2, task3, woot).link(task2, woot).target(woot), options);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), { task1: 'REVERTED', task2: 'REVERTED', woot: 'REVERTED' });
  });

  test('a graph with a target is tried again as any other, and so is one that is part of a flow with a retry', async () => {
    const dial = tasks.dial;
    const flow = graph('test', task1, task2, dial, woot).link(task1, dial).target(dial);
    const retry = forEach([1, 3], { provides: 'number' });
    for (const patient of [flow.with({ retry }), linear('test', flow).with({ retry })]) {
      const engine = load<any, any>(patient, options);
      const events = captureTasks(engine);
      assert.equal(await engine.run(), { number: 3, a: 5, line: 'line to 3' });
      assert.equal(Object.keys(engine.storage.getTaskStates()), ['test_retry', 'task1', 'dial']);
      assert.is(events.filter((event) => event === 'task1: SUCCESS(5)').length, 2);
    }
  });

  test('deciders of links between what is left are asked, and no others', async () => {
    const asked: object[] = [];
    const no = (history: object) => asked.push(history) < 0;
    const unreachable = () => {
      throw new Error('a link to what is not there was asked');
    };
    const flow = all.link(task1, task2, { decider: no, depth: 'atom' }).link(task2, task4, { decider: unreachable });
    const engine = load(flow.target(task2), options);
    assert.equal(await engine.run(), { a: 5 });
    assert.equal(engine.storage.getTaskStates(), { task1: 'SUCCESS', task2: 'IGNORE' });
    assert.equal(asked, [{ task1: 5 }]);
  });

  test('only the inputs of what is left are asked for', async () => {
    const needy = addOne.with({ name: 'needy', rebind: ['x'], provides: 'y' } as object);
    const flow = graph('test', task1, task2, needy);
    assert.equal(await run(flow.target(task2), {}, options), { a: 5, b: 6 });
    assert.is((await rejection(run(flow.target(needy), {}, options))).code, 'ERR_MILLRACE_MISSING_INPUT');
    assert.equal(await run(flow.target(needy), { x: 1 }, options), { y: 2 });
  });

  test('one engine after the other may run different targets of one graph', async () => {
    const results = [task1, task2, task3, task4].map((target) => run(all.target(target), {}, options));
    assert.equal(await Promise.all(results), [{ a: 5 }, { a: 5, b: 6 }, { a: 5, b: 6, c: 7 }, { a: 5, b: 6, d: 7 }]);
  });
});

once('what is not an item of the graph cannot be its target', () => {
  const { task1, task2, task3 } = four(local);
  const inner = linear('inner', task3);
  const flow: any = graph('test', task1, inner);
  const refused = (item: unknown, message: string) =>
    assert.throws(
      () => flow.target(item),
      (error: Error) => error instanceof ArgumentError && error.message === message,
    );
  refused(task2, "graph('test').target(): cannot target 'task2', which is not an item of the graph");
  refused(task3, "graph('test').target(): cannot target 'task3', which is not an item of the graph");
  refused(undefined, "graph('test').target(): cannot target undefined, which is not an item of the graph");
  refused('task1', `graph('test').target(): cannot target a string ("task1"), which is not an item of the graph`);
});

once.run();
