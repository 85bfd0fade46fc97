/** Links that ask whether what they lead to is to run. */

import { ArgumentError, type Dataflow, type DeciderDepth, graph, linear, load, run, task, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { DirectRun } from '../../src/service/direct-run.js';
import { captureTasks, promised, rejection } from '../engine/capture.js';
import { overEveryKind } from '../engine/kinds.js';
import fc from '../fast-check.js';
import { local } from '../fixtures/engine/tasks.js';

const yes = () => true;
const no = () => false;

overEveryKind((test, options, { five, addOne, woot, gate }) => {
  const step = (name: string) => five.with({ name, provides: name });
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(step);

  const statesAfter = async (flow: Dataflow<any, any>) => {
    const engine = load(flow, options);
    await engine.run();
    return engine.storage.getTaskStates();
  };

  test('what a decider says no to is ignored, with whatever comes after it', async () => {
    const flow = graph('f', a, b, c, d).link(a, b, { decider: no }).link(b, c).link(a, d, { decider: yes });
    const engine = load(flow, options);
    const events = captureTasks(engine);
    assert.equal(await engine.run(), { a: 5, d: 5 });
    assert.is(engine.state, 'SUCCESS');
    assert.equal(engine.storage.getTaskStates(), { a: 'SUCCESS', b: 'IGNORE', c: 'IGNORE', d: 'SUCCESS' });
    assert.equal(events.toSorted(), [
      'a: RUNNING',
      'a: SUCCESS(5)',
      'b: IGNORE',
      'c: IGNORE',
      'd: RUNNING',
      'd: SUCCESS(5)',
    ]);
  });

  for (const [depth, ran] of [
    ['all', ['one']],
    ['atom', ['four', 'inner', 'one', 'three']],
    ['flow', ['inner', 'one']],
    ['neighbors', ['four', 'inner', 'one']],
  ] as const) {
    test(`a no reaches as far as its depth says: ${depth}`, async () => {
      const [one, two, three, four, inner] = ['one', 'two', 'three', 'four', 'inner'].map(step);
      const nested = graph('nested', inner);
      const flow = graph('f', one, two, nested, three, four)
        .link(one, two, { decider: no, depth })
        .link(two, nested)
        .link(two, three)
        .link(three, four)
        .link(one, nested, { decider: yes, depth });
      const states = await statesAfter(flow);
      assert.equal(
        Object.keys(states)
          .filter((name) => states[name] === 'SUCCESS')
          .toSorted(),
        ran,
      );
    });
  }

  test('of several deciders each has to agree, and the no that reaches farthest holds', async () => {
    const diamond = graph('f', a, b, c, d)
      .link(a, c, { decider: no, depth: 'atom' })
      .link(b, c, { decider: yes, depth: 'all' })
      .link(c, d);
    assert.equal(await statesAfter(diamond), { a: 'SUCCESS', b: 'SUCCESS', c: 'IGNORE', d: 'SUCCESS' });
    const both = graph('f', a, b, c, d)
      .link(a, c, { decider: no, depth: 'atom' })
      .link(b, c, { decider: no, depth: 'all' })
      .link(c, d);
    assert.equal(await statesAfter(both), { a: 'SUCCESS', b: 'SUCCESS', c: 'IGNORE', d: 'IGNORE' });
  });

  test('a decider is asked once, with the results of all tasks from which deciders lead to the same task', async () => {
    const asked: object[] = [];
    const decider = (history: object) => asked.push(history) > 0;
    const flow = graph('f', a, b, c, d).link(a, c, { decider }).link(b, c, { decider }).link(d, c);
    assert.equal(await statesAfter(flow), { a: 'SUCCESS', b: 'SUCCESS', c: 'SUCCESS', d: 'SUCCESS' });
    assert.equal(asked, [
      { a: 5, b: 5 },
      { a: 5, b: 5 },
    ]);
  });

  test('the decider of a task that was ignored is not asked, nor is its result in the history of another', async () => {
    const asked: object[] = [];
    const flow = graph('f', a, b, c, d)
      .link(a, b, { decider: no, depth: 'atom' })
      .link(b, c, { decider: () => assert.unreachable() as never })
      .link(d, c, { decider: (history) => asked.push(history) > 0 });
    assert.equal(await statesAfter(flow), { a: 'SUCCESS', b: 'IGNORE', c: 'SUCCESS', d: 'SUCCESS' });
    assert.equal(asked, [{ d: 5 }]);
  });

  for (const [pattern, nest] of Object.entries({ linear, unordered, graph } as Record<string, any>)) {
    test(`a link to a ${pattern} flow decides on all of it`, async () => {
      const flow = (decider: () => boolean) => {
        const nested = nest('nested', b, c);
        return graph('f', a, nested).link(a, nested, { decider });
      };
      assert.equal(await statesAfter(flow(no)), { a: 'SUCCESS', b: 'IGNORE', c: 'IGNORE' });
      assert.equal(await statesAfter(flow(yes)), { a: 'SUCCESS', b: 'SUCCESS', c: 'SUCCESS' });
    });
  }

  test('a link from a flow is asked without a history of its own', async () => {
    const asked: object[] = [];
    const nested = linear('nested', a, b);
    const flow = graph('f', nested, c).link(nested, c, { decider: (history) => asked.push(history) === 0 });
    assert.equal(await statesAfter(flow), { a: 'SUCCESS', b: 'SUCCESS', c: 'IGNORE' });
    assert.equal(asked, [{}]);
  });

  test('a link to an empty flow decides on nothing', async () => {
    const nested = linear('nested');
    const flow = graph('f', a, nested, b).link(a, nested, { decider: no }).link(nested, b);
    assert.equal(await statesAfter(flow), { a: 'SUCCESS', b: 'SUCCESS' });
  });

  test('a link to a flow is asked where the flow begins, and not again behind an empty flow in it', async () => {
    const asked: object[] = [];
    const decider = (history: object) => asked.push(history) > 0;
    const empty = linear('empty');
    const nested = graph('nested', b, empty, c).link(empty, c).link(b, c, { decider });
    const flow = graph('f', a, nested).link(a, nested, { decider });
    assert.equal(await statesAfter(flow), { a: 'SUCCESS', b: 'SUCCESS', c: 'SUCCESS' });
    assert.equal(asked, [{ a: 5 }, { b: 5 }]);
  });

  test('a decider says by the results which way to go', async () => {
    const flow = graph('f', a, b, c)
      .link(a, b, { decider: ({ a }) => a < 3 })
      .link(a, c, { decider: ({ a }) => a >= 3 });
    assert.equal(await run(flow, {}, options), { a: 5, c: 5 });
  });

  test('a task that would fail does no harm where it is ignored', async () => {
    const flow = graph('f', a, woot, b).link(a, woot, { decider: no, depth: 'atom' }).link(woot, b);
    assert.equal(await statesAfter(flow), { a: 'SUCCESS', woot: 'IGNORE', b: 'SUCCESS' });
  });

  test('what was ignored is not reverted', async () => {
    const flow = graph('f', a, b, woot).link(a, b, { decider: no, depth: 'atom' }).link(b, woot);
    const engine = load(flow, options);
    const events = captureTasks(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(engine.storage.getTaskStates(), { a: 'REVERTED', b: 'IGNORE', woot: 'REVERTED' });
    assert.not.ok(events.includes('b: REVERTING'));
  });

  test('after a reset deciders are asked again', async () => {
    let answer = false;
    const engine = load(graph('f', a, b).link(a, b, { decider: () => answer }), options);
    await engine.run();
    assert.is(engine.storage.getTaskState('b'), 'IGNORE');
    answer = true;
    assert.equal(await engine.run(), { a: 5 }, 'a second run of a flow that has succeeded does nothing');
    engine.reset();
    assert.is(engine.storage.getTaskState('b'), 'PENDING');
    assert.equal(await engine.run(), { a: 5, b: 5 });
  });

  test('an optional value of a task that was ignored is missing, and a required one is a failure', async () => {
    const give = task({ name: 'give', provides: new Set(['value', 'other']), execute: () => ({ value: 1, other: 2 }) });
    const maybe = task({
      name: 'maybe',
      optional: ['value'],
      provides: 'seen',
      execute: ({ value = 'none' }) => value,
    });
    const ignoring = (last: any) => {
      const items = [a, give, last] as const;
      return graph('f', ...items)
        .link(a, give, { decider: no, depth: 'atom' })
        .link(give, last);
    };
    assert.equal(await run(ignoring(maybe), {}, options), { a: 5, seen: 'none' });
    const error = await rejection(run(ignoring(addOne), {}, options));
    assert.is(error.code, 'ERR_MILLRACE_NOT_FOUND');
    assert.is(error.task, 'addOne');
    assert.match(error.message, "Task 'addOne' requires 'value', which 'give' would have provided");
  });

  test('an error that a decider throws is a failure of the task in question, and what has run is reverted', async () => {
    const decider = () => {
      throw new RangeError('undecided');
    };
    const engine = load(graph('f', a, b, c).link(a, b, { decider }).link(b, c), options);
    const error = await rejection(engine.run());
    assert.instance(error, RangeError);
    assert.is(error.task, 'b');
    assert.is(engine.state, 'REVERTED');
    assert.equal(engine.storage.getTaskStates(), { a: 'REVERTED', b: 'REVERTED', c: 'PENDING' });
  });

  test('a decider that returns a promise has not decided', async () => {
    const flow = graph('f', a, b).link(a, b, { decider: (async () => false) as never });
    const error = await rejection(run(flow, {}, options));
    assert.is(error.code, 'ERR_MILLRACE_BAD_DECIDER');
    assert.is(error.task, 'b');
  });

  test('a run that was suspended is decided where it goes on', async () => {
    const asked: object[] = [];
    const engine = load(
      graph('f', a, b, c)
        .link(a, b, { decider: (history) => asked.push(history) === 0 })
        .link(b, c),
      options,
    );
    const events = captureTasks(engine);
    engine.once('task', () => engine.suspend());
    await engine.run();
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.equal(engine.storage.getTaskStates(), { a: 'SUCCESS', b: 'IGNORE', c: 'IGNORE' });
    assert.equal(asked, [{ a: 5 }]);
    assert.equal(events.slice(2), ['b: IGNORE', 'c: IGNORE']);
  });

  test('once the flow has failed, or is to be suspended, no decider is asked', async () => {
    const asked: string[] = [];
    const decider = () => asked.push('asked') > 0;
    const opened = promised();
    const services = { gate: () => opened.promise };
    // One fails on this thread while the one that the decider waits for is under way, on a worker if it travels.
    const flow = graph('f', gate, c, local.woot).link(gate, c, { decider });
    const engine = load(flow, { ...options, services });
    engine.on('task', ({ name, state }) => name === 'woot' && state === 'FAILURE' && opened.resolve());
    if (options.engine === 'serial') opened.resolve(); // one after the other: it is asked, and then the other fails
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is(asked.length, options.engine === 'serial' ? 1 : 0);

    // `c` has not run when the flow is suspended in the middle of its reverts.
    asked.length = 0;
    const reverting = load(graph('f', a, b, c, woot).link(a, b).link(b, woot).link(woot, c, { decider }), options);
    reverting.on('task', ({ name, state }) => name === 'b' && state === 'REVERTED' && reverting.suspend());
    await reverting.run();
    assert.is(reverting.state, 'SUSPENDED');
    assert.is((await rejection(reverting.run())).message, 'Woot!');
    assert.equal(asked, []);
    assert.is(reverting.storage.getTaskState('c'), 'PENDING');

    const suspended = load(graph('f', a, b).link(a, b, { decider }), options);
    suspended.once('task', () => suspended.suspend());
    await suspended.run();
    assert.equal(asked, []);
    await suspended.run();
    assert.equal(asked, ['asked']);
  });

  const depths: DeciderDepth[] = ['atom', 'neighbors', 'flow', 'all'];

  test('random graphs with random answers end as a naive reading of the rules says', async () => {
    const link = fc.record({
      from: fc.nat(7),
      to: fc.nat(7),
      answer: fc.constantFrom(undefined, true, true, false),
      depth: fc.constantFrom(...depths),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(link, { maxLength: 16 }), async (drawn) => {
        const links = drawn.filter(({ from, to }) => from < to);
        const tasks = Array.from({ length: 8 }, (_, i) => step(`t${i}`));
        let flow = graph('f', ...tasks);
        for (const { from, to, answer, depth } of links) {
          const decided = answer === undefined ? {} : { decider: () => answer, depth };
          flow = flow.link(tasks[from], tasks[to], decided);
        }
        const expected = naive(links, tasks.length);
        assert.equal(Object.values(await statesAfter(flow)), expected);
      }),
      { numRuns: Number(process.env.TEST_RUNS || 20) },
    );
  });
});

/** Tasks in order of their numbers: each is ignored if somebody said so, or if one that has run says no. */
function naive(links: { from: number; to: number; answer: boolean | undefined; depth: DeciderDepth }[], size: number) {
  const ignored = new Set<number>();
  const after = (task: number) => links.filter(({ from }) => from === task).map(({ to }) => to);
  const allAfter = (task: number): number[] => after(task).flatMap((next) => [next, ...allAfter(next)]);
  for (let task = 0; task < size; task++) {
    if (ignored.has(task)) continue;
    const nays = links.filter(({ from, to, answer }) => to === task && answer === false && !ignored.has(from));
    const words = nays.map(({ depth }) => depth);
    if (words.length > 0) ignored.add(task);
    // There is one flow, so that all after it are in the same.
    if (words.includes('all') || words.includes('flow')) for (const next of allAfter(task)) ignored.add(next);
    else if (words.includes('neighbors')) for (const next of after(task)) ignored.add(next);
  }
  return Array.from({ length: size }, (_, task) => (ignored.has(task) ? 'IGNORE' : 'SUCCESS'));
}

once('without an engine it is decided in the same way', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => local.five.with({ name, provides: name }));
  const setup = { inputs: {}, signal: undefined, services: {}, abortGrace: 1, taskTimeout: Number.POSITIVE_INFINITY };
  const flows = [
    graph('f', a, b, c).link(a, b, { decider: no, depth: 'atom' }).link(b, c),
    graph('f', a, b, c).link(a, b, { decider: no }).link(b, c),
    graph('f', a, b, c).link(a, b, { decider: yes }).link(b, c),
  ];
  for (const flow of flows) {
    const direct = new DirectRun(flow, setup);
    const engine = load(flow, { engine: 'serial' });
    const [events, expected] = [captureTasks(direct as never), captureTasks(engine)];
    assert.equal(await direct.run(), await engine.run());
    assert.equal(events, expected);
  }
  const broken = graph('f', a, b).link(a, b, {
    decider: () => {
      throw new RangeError('undecided');
    },
  });
  assert.is((await rejection(new DirectRun(broken, setup).run())).message, 'undecided');
});

once('a graph may have as many deciders as it has tasks', async () => {
  const { five } = local;
  const tasks = Array.from({ length: 200_000 }, (_, i) => five.with({ name: `t${i}` }));
  let flow: any = graph('f', tasks);
  for (let i = 1; i < tasks.length; i++) flow = flow.link(tasks[i - 1], tasks[i], { decider: () => i < 199_990 });
  const engine = load(flow, { engine: 'serial' });
  await engine.run();
  const states = Object.values(engine.storage.getTaskStates());
  assert.is(states.filter((state) => state === 'SUCCESS').length, 199_990);
  assert.is(states.filter((state) => state === 'IGNORE').length, 10);
});

once('what is no decider, and no depth, is refused', () => {
  const { five: a, fiveLater: b } = local;
  const link = (options: any) => () => graph('f', a, b).link(a, b, options);
  const wrong = (options: any, expected: RegExp) => {
    assert.throws(link(options), (error: Error) => error instanceof ArgumentError && expected.test(error.message));
  };
  wrong(null, /the options must be an object; received null/);
  wrong({ decider: 'yes' }, /decider must be a function; received a string \("yes"\)/);
  for (const depth of ['not-a-depth', 'ALL', {}, 2, 3.4, false])
    wrong({ decider: yes, depth }, /depth must be 'atom' or/);
  wrong({ depth: 'all' }, /decider must be given where there is a depth; received undefined/);
});

once.run();
