/** What `util.inspect` and `console.log` show of tasks, flows, engines and plans. */
import { inspect } from 'node:util';
import { dynamic, each, type FlowItem, graph, linear, load, task, times, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { task as definedTask } from '../../src/atoms/index.js';
import { linear as makeLinear, unordered as makeUnordered } from '../../src/flows/index.js';
import { compile } from '../../src/plan/index.js';
import { overEveryEngine } from '../engines.js';
import { fail, none } from '../fixtures/atoms/small.js';
import { largeFlows, list } from '../plan/large-flows.js';

const noop = task({ name: 'noop', execute: () => {} });
const named = (name: string) => noop.with({ name });
const [a, b, c] = ['a', 'b', 'c'].map(named);

const lines = (...expected: string[]) => expected.join('\n');
const lineCount = (text: string) => text.split('\n').length;

test('a flow shows its pattern and its items, and those of nested flows', () => {
  const flow = linear('flow', a, unordered('inner', b, graph('innermost', c)), graph('nothing'));
  const expected = lines(
    "Flow 'flow' (linear, 3 items)",
    "├─ Task 'a' (local)",
    "├─ Flow 'inner' (unordered, 2 items)",
    "│  ├─ Task 'b' (local)",
    "│  └─ Flow 'innermost' (graph, 1 item)",
    "│     └─ Task 'c' (local)",
    "└─ Flow 'nothing' (graph, empty)",
  );
  assert.is(inspect(flow), expected);
});

test('the retry of a flow stands before its items', () => {
  const inner = unordered('inner', b).with({ retry: times(2, { name: 'again', provides: 'n' }) });
  const flow = linear('flow', a.with({ retry: times(5) }), inner, graph('nothing').with({ retry: times(3) })).with({
    retry: times(4),
  });
  const expected = lines(
    "Flow 'flow' (linear, 3 items)",
    "├─ Retry 'flow_retry' (times(4))",
    "├─ Task 'a' (local; retries)",
    "├─ Flow 'inner' (unordered, 1 item)",
    "│  ├─ Retry 'again' (times(2); provides n)",
    "│  └─ Task 'b' (local)",
    "└─ Flow 'nothing' (graph, empty)",
    "   └─ Retry 'nothing_retry' (times(3))",
  );
  assert.is(inspect(flow), expected);
  assert.is(inspect(flow, { depth: -1 }), "Flow 'flow' (linear, 3 items)");
});

test('the retry of a long flow is shown as well, and the list is cut behind it', () => {
  const flow = unordered(
    'flow',
    list(200, (i) => named(`t${i}`)),
  ).with({ retry: times(4) });
  const shown = inspect(flow, { maxArrayLength: 2 }).split('\n');
  assert.equal(shown.slice(1), [
    "├─ Retry 'flow_retry' (times(4))",
    "├─ Task 't0' (local)",
    "├─ Task 't1' (local)",
    '└─ … 198 more',
  ]);
});

test('an engine shows the states of what stands behind a retry, and its own', async () => {
  const inner = linear('inner', a).with({ retry: times(2) });
  const stop = task({ name: 'stop', execute: (): void => engine.suspend() });
  const engine: ReturnType<typeof load> = load(linear('flow', inner, stop, b) as FlowItem, { engine: 'serial' });
  await engine.run();
  assert.equal(inspect(engine).split('\n').slice(1), [
    "├─ Flow 'inner': 2 SUCCESS (linear, 1 item)",
    "│  ├─ Retry 'inner_retry': SUCCESS (times(2))",
    "│  └─ Task 'a': SUCCESS (local)",
    "├─ Task 'stop': SUCCESS (local)",
    "└─ Task 'b': PENDING (local)",
  ]);
});

test('a graph shows its links, in the order in which they were made', () => {
  assert.is(
    inspect(graph('flow', a, b, c).link(c, b).link(b, a), { depth: -1 }),
    "Flow 'flow' (graph, 3 items; links c -> b, b -> a)",
  );
});

test('a link with a decider shows the name of the decider, and its depth', () => {
  const isTall = () => true;
  const flow = graph('flow', a, b, c)
    .link(a, b, { decider: isTall, depth: 'flow' })
    .link(b, c, { decider: () => true });
  assert.is(
    inspect(flow, { depth: -1 }),
    "Flow 'flow' (graph, 3 items; links a -> b if isTall [flow], b -> c if decider [all])",
  );
});

test('a graph with a target shows it, and what is left', () => {
  const flow = graph('flow', a, b, c).link(a, b).link(b, c).target(b);
  const expected = lines(
    "Flow 'flow' (graph, 2 of 3 items; target b; links a -> b)",
    "├─ Task 'a' (local)",
    "└─ Task 'b' (local)",
  );
  assert.is(inspect(flow), expected);
});

test('a task shows what it takes and gives by the names that it has in its flow, and never an injected value', () => {
  const defined = task({
    ...{ name: 'thumb', requires: ['pixels', 'width', 'height'], optional: ['quality'], provides: ['small', 'tiny'] },
    ...{ execute: () => ['', ''], revert: () => {}, priority: 5, timeout: 100 },
  });
  assert.is(
    inspect(defined.with({ rebind: { pixels: 'photo' }, inject: { height: 'secret', key: 'secret' } })),
    "Task 'thumb' (local; requires photo as pixels, width; optional quality; injects height, key; provides small, tiny; " +
      'reverts; priority 5; timeout 100 ms)',
  );
});

test('the depth that is asked for is the depth that is shown', () => {
  const flow = linear('0', linear('1', linear('2', linear('3', linear('4', a)))));
  const shown = (depth: number | null) =>
    inspect(flow, { depth })
      .match(/\d(?=')|a(?=')/g)!
      .join('');
  assert.is(shown(-1), '0');
  assert.is(shown(0), '01');
  assert.is(shown(1), '012');
  assert.is(shown(null), '01234a');
  assert.is(shown(Number.POSITIVE_INFINITY), '01234a');
  assert.is(inspect(flow), inspect(flow, { depth: 2 }));
  assert.match(inspect({ of: { an: flow } }), /an: Flow '0' .*\n +└─ Flow '1' .*\n {2}\}/);
});

test('a tree within an object is indented as the object is', () => {
  const expected = lines(
    '{',
    "  flow: Flow 'flow' (linear, 2 items)",
    "  ├─ Task 'a' (local)",
    "  └─ Task 'b' (local)",
    '}',
  );
  assert.is(inspect({ flow: linear('flow', a, b) }), expected);
});

test('a long list is cut as arrays are', () => {
  const flow = unordered(
    'flow',
    list(250, (i) => named(`t${i}`)),
  );
  assert.match(inspect(flow), /Task 't99' \(local\)\n└─ … 150 more$/);
  assert.match(inspect(flow, { maxArrayLength: 2 }), /Task 't1' \(local\)\n└─ … 248 more$/);
  assert.match(inspect(flow, { maxArrayLength: null }), /\n└─ Task 't249' \(local\)$/);
  const greedy = task({ name: 'greedy', requires: list(12, (i) => `n${i}`), execute: () => {} });
  assert.match(inspect(greedy), /requires n0, .* n9, … 2 more\)$/);
  let linked = graph('linked', a, b);
  for (let i = 0; i < 12; i++) linked = linked.link(a, b);
  assert.match(inspect(linked), /links (a -> b, ){10}… 2 more\)/);
});

test('names that are not plain are quoted, escaped and cut', () => {
  const odd = task({ name: "it's", requires: ['a, b', 'ok-1'], execute: () => {} });
  assert.is(inspect(odd), `Task "it's" (local; requires 'a, b', ok-1)`);
  assert.is(inspect(linear('two\nlines \u001b[31m')), String.raw`Flow 'two\nlines \x1B[31m' (linear, empty)`);
  assert.match(inspect(linear('x'.repeat(1e6))), /^Flow 'x{200}'... 999800 more characters \(linear, empty\)$/);
});

test('colours are those of strings, when they are asked for', () => {
  assert.is(inspect(linear('flow'), { colors: true }), `Flow ${inspect('flow', { colors: true })} (linear, empty)`);
});

for (const [pattern, make] of Object.entries(largeFlows)) {
  test(`${pattern} of 100,000 tasks prints about a thousand lines at most`, () => {
    const one = named('one');
    const flow = make(100_000, (name) => one.with({ name }));
    const engine = load<any, any>(flow, { engine: 'serial' });
    for (const text of [inspect(flow), inspect(engine), inspect(flow, { depth: null })]) {
      assert.ok(lineCount(text) <= 1200, `${lineCount(text)} lines`);
      assert.ok(text.length < 100_000, `${text.length} characters`);
    }
  });
}

test('flows nested 10,000 deep, and those that are shared until no one could count them, print', () => {
  let deep: FlowItem = a;
  let shared: FlowItem = a;
  for (let i = 0; i < 10_000; i++) {
    deep = linear(`${i}`, deep);
    shared = unordered(`${i}`, shared, shared);
  }
  assert.is(lineCount(inspect(deep)), 4);
  assert.is(lineCount(inspect(deep, { depth: null })), 1000);
  assert.is(lineCount(inspect(shared)), 15);
  assert.ok(lineCount(inspect(shared, { depth: null })) <= 2000);
});

overEveryEngine((test, options) => {
  test('an engine shows the state of the flow, of its tasks, and how many are in each state', async () => {
    const flow = linear(
      'flow',
      none.with({ name: 'first' }),
      unordered('inner', fail.with({ name: 'second' })),
      named('third'),
    );
    const engine = load<any, any>(flow, options);
    assert.is(inspect(engine), `Engine (PENDING) of ${inspect(flow)}`);
    await engine.run().catch(() => {});
    const shown = inspect(engine).replace(/ \([^()]*\)$/gm, '');
    const expected = lines(
      "Engine (REVERTED) of Flow 'flow': 1 PENDING, 2 REVERTED",
      "├─ Task 'first': REVERTED",
      "├─ Flow 'inner': REVERTED",
      "│  └─ Task 'second': REVERTED",
      "└─ Task 'third': PENDING",
    );
    assert.is(shown, expected);
  });
});

test('an engine shows what has become of the flows that regions have built', async () => {
  const even = task({
    name: 'even',
    requires: 'n',
    mayFail: true,
    execute({ n }: { n: number }) {
      if (n % 2 === 1) throw new Error('odd');
    },
  });
  const built = dynamic('built', { build: () => named('inside') });
  const engine = load(linear('flow', each(even, { over: 'list', as: 'n' }), built), {
    ...{ engine: 'serial', inputs: { list: [1, 2, 4] } },
  });
  const shown = () => inspect(engine).replace(/ \([^()]*\)$/gm, '');
  assert.is(shown(), lines("Engine (PENDING) of Flow 'flow'", "├─ Task 'even'", "└─ Task 'built'"));
  await engine.run();
  const expected = lines(
    "Engine (SUCCESS) of Flow 'flow': 2 SUCCESS",
    "├─ Task 'even': SUCCESS, within it 2 SUCCESS, 1 FAILURE",
    "└─ Task 'built': SUCCESS, within it SUCCESS",
  );
  assert.is(shown(), expected);
});

test('the states of what follows a flow that is not opened are its own', async () => {
  const flow = linear(
    'flow',
    unordered('inner', a, b, graph('empty')),
    task({ name: 'bad', execute: () => assert.unreachable() }),
  );
  const engine = load(flow, { engine: 'serial' });
  await engine.run().catch(() => {});
  assert.match(inspect(engine, { depth: 0 }), /Flow 'inner': 2 REVERTED .*\n└─ Task 'bad': REVERTED /);
  engine.reset();
  assert.match(inspect(engine, { depth: 0 }), /^Engine \(PENDING\) of Flow 'flow': 3 PENDING /);
});

test('an engine of a lone task, and one whose flow is none or is wrong, can be shown', async () => {
  const engine = load(a, { engine: 'serial' });
  await engine.run();
  assert.is(inspect(engine), "Engine (SUCCESS) of Task 'a': SUCCESS (local)");
  assert.is(inspect(load([1] as any)), 'Engine (PENDING) of [ 1 ]');
  const twice = load(linear('twice', a, a));
  assert.throws(() => twice.compile(), /Two tasks are named 'a'/);
  assert.is(inspect(twice), `Engine (PENDING) of ${inspect(linear('twice', a, a))}`);
});

test('an engine gives the flow that it was made for', () => {
  const flow = linear('flow', a);
  assert.is(load(flow).flow, flow);
});

test('a plan shows its nodes, where arguments come from, and what comes after', () => {
  const execute = () => {};
  const first = definedTask({ name: 'first', requires: 'x', provides: 'y', execute });
  const others = ['p', 'q'].map((name) => definedTask({ name, requires: ['y', 'z'], inject: { z: 1 }, execute }));
  const plan = compile(makeLinear('flow', first as any, makeUnordered('inner', others as any)));
  const expected = lines(
    "Plan 'flow' (3 tasks, 2 joints, 5 edges; needs x; gives y)",
    "├─ 0: Task 'first' (x from an input) -> 3",
    "├─ 1: Task 'p' (y from node 0, z from a constant) -> 4",
    "├─ 2: Task 'q' (y from node 0, z from a constant) -> 4",
    '├─ 3: joint -> 1, 2',
    '└─ 4: joint',
  );
  assert.is(inspect(plan), expected);
  assert.is(inspect(plan, { maxArrayLength: 1 }), lines(...expected.split('\n').slice(0, 2), '└─ … 4 more'));
  assert.is(inspect(plan, { depth: -1 }), expected.split('\n')[0]);
});

test.run();
