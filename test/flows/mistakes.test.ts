/** What is wrong with a flow comes out when it is compiled or given its inputs, before anything runs. */
import { FlowError, type FlowErrorCode, type FlowItem, graph, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';

let ran = 0;
const noop = task({ name: 'noop', execute: () => void ran++ });
const give = (name: string, provides: string) => noop.with({ name, provides });
const need = (name: string, requires: string | string[], provides?: string): any =>
  task({ ...{ name, requires, provides }, execute: () => void ran++ } as any);

/** The functions that make flows; as one list their types are too much for the compiler. */
const patterns: ((name: string, ...items: any[]) => FlowItem)[] = [linear as any, unordered as any, graph as any];

/** Checks the error, both of `compile` or `validate` and of a run. */
async function refuses(
  flow: FlowItem,
  inputs: unknown,
  code: FlowErrorCode,
  { message, task: about }: { message: RegExp; task?: string },
): Promise<void> {
  ran = 0;
  const check = (error: any) => {
    assert.instance(error, FlowError);
    assert.is(error.name, 'FlowError');
    assert.is(error.code, code);
    assert.match(error.message, message);
    assert.is(error.task, about);
    return true;
  };
  assert.throws(() => load<any, any>(flow, { inputs: inputs as any }).validate(), check);
  await run(flow as any, inputs as any, { engine: 'serial' }).then(() => assert.unreachable('it ran'), check);
  assert.is(ran, 0);
}

test('a missing input is named, with the task that requires it', async () => {
  await refuses(linear('flow', give('a', 'x'), need('b', ['x', 'y'])), {}, 'ERR_MILLRACE_MISSING_INPUT', {
    message: /^Flow 'flow' requires 'y' \(for task 'b'\): no input has that name and no task before provides it$/,
    task: 'b',
  });
});

test('all missing inputs are named, up to five', async () => {
  await refuses(need('a', ['t', 'u', 'v']), {}, 'ERR_MILLRACE_MISSING_INPUT', {
    message: /requires 't' \(for task 'a'\), 'u' \(for task 'a'\), 'v' \(for task 'a'\):/,
    task: 'a',
  });
  await refuses(need('a', ['t', 'u', 'v', 'w', 'x', 'y', 'z']), {}, 'ERR_MILLRACE_MISSING_INPUT', {
    message: /'x' \(for task 'a'\), 2 more:/,
    task: 'a',
  });
});

test('a missing input is named after rebind', async () => {
  const flow = need('a', 'x').with({ rebind: { x: 'other' } });
  await refuses(flow, { x: 1 }, 'ERR_MILLRACE_MISSING_INPUT', {
    message: /requires 'other' \(for task 'a'\)/,
    task: 'a',
  });
});

test('a missing input is found in the depth of a flow', async () => {
  const deep = linear('1', unordered('2', graph('3', linear('4', need('deep', 'x')))));
  await refuses(deep, {}, 'ERR_MILLRACE_MISSING_INPUT', { message: /'x' \(for task 'deep'\)/, task: 'deep' });
});

test('what only a later task provides is missing', async () => {
  const flow = linear('flow', need('a', 'x'), give('b', 'x'));
  await refuses(flow, {}, 'ERR_MILLRACE_MISSING_INPUT', { message: /'x' \(for task 'a'\)/, task: 'a' });
});

test('what only a sibling in an unordered flow provides is missing', async () => {
  const flow = unordered('flow', give('a', 'x'), need('b', 'x'));
  await refuses(flow, {}, 'ERR_MILLRACE_MISSING_INPUT', { message: /'x' \(for task 'b'\)/, task: 'b' });
});

test('a task does not provide what it requires itself', async () => {
  for (const make of patterns) {
    const flow = make('flow', need('a', 'x', 'x'));
    await refuses(flow, {}, 'ERR_MILLRACE_MISSING_INPUT', { message: /'x' \(for task 'a'\)/, task: 'a' });
  }
});

test('inherited properties of the inputs do not count', async () => {
  await refuses(need('a', 'x'), Object.create({ x: 1 }), 'ERR_MILLRACE_MISSING_INPUT', { message: /'x'/, task: 'a' });
  await refuses(need('a', 'valueOf'), {}, 'ERR_MILLRACE_MISSING_INPUT', { message: /'valueOf'/, task: 'a' });
});

test('inputs without a prototype will do', async () => {
  await run(need('a', 'x'), Object.assign(Object.create(null), { x: 1 }), { engine: 'serial' });
});

const wrongInputs: [unknown, string][] = [
  ...([
    [[1, 2], 'an array'],
    [null, 'null'],
    [new Map([['x', 1]]), 'an instance of Map'],
  ] as [unknown, string][]),
  ...([
    ['x', 'a string ("x")'],
    [7, 'a number (7)'],
    [() => {}, 'a function'],
  ] as [unknown, string][]),
];
for (const [inputs, shown] of wrongInputs) {
  test(`inputs cannot be ${shown}`, async () => {
    const message = `Flow 'flow': the inputs must be an object, one property an input; received ${shown}`;
    await refuses(linear('flow', noop), inputs, 'ERR_MILLRACE_INVALID_INPUT', {
      message: new RegExp(`^${message.replace(/[()]/g, '\\$&')}$`),
    });
  });
}

test('two tasks of one name are refused, wherever they are', async () => {
  const one = give('same', 'x');
  const two = give('same', 'y');
  const wrong = { message: /^Two tasks are named 'same' \(the second in flow 'inner'\)/, task: 'same' };
  await refuses(linear('flow', one, unordered('inner', two)), {}, 'ERR_MILLRACE_DUPLICATE_NAME', wrong);
  await refuses(graph('flow', linear('other', one), linear('inner', two)), {}, 'ERR_MILLRACE_DUPLICATE_NAME', wrong);
});

test('one task twice is two tasks of one name', async () => {
  for (const make of patterns) {
    const wrong = { message: /Two tasks are named 'noop' .*\.with\(\{ name \}\)/, task: 'noop' };
    await refuses(make('flow', noop, noop), {}, 'ERR_MILLRACE_DUPLICATE_NAME', wrong);
    await refuses(make('flow', noop, make('inner', noop)), {}, 'ERR_MILLRACE_DUPLICATE_NAME', wrong);
  }
});

test('flows may bear one name, also that of a task', async () => {
  const flow = linear('same', linear('same', noop.with({ name: 'same' })), linear('same'));
  await run(flow, {}, { engine: 'serial' });
});

test('in a graph a required name has one provider', async () => {
  const flow = graph('flow', give('a', 'x'), give('b', 'x'), need('c', 'x'));
  await refuses(flow, {}, 'ERR_MILLRACE_AMBIGUOUS_PROVIDER', {
    message: /^'c' requires 'x', which 'a' and 'b' provide in graph 'flow'\. /,
    task: 'c',
  });
});

test('providers in nested flows are named by those flows', async () => {
  const flow = graph(
    'flow',
    linear('left', give('a', 'x')),
    unordered('right', give('b', 'x')),
    linear('in', need('c', 'x')),
  );
  await refuses(flow, {}, 'ERR_MILLRACE_AMBIGUOUS_PROVIDER', { message: /'left' and 'right' provide/, task: 'c' });
});

test('an input does not make an ambiguous name clear, since it must be clear what runs first', async () => {
  const flow = graph('flow', give('a', 'x'), give('b', 'x'), need('c', 'x'));
  await refuses(flow, { x: 1 }, 'ERR_MILLRACE_AMBIGUOUS_PROVIDER', { message: /'c' requires 'x'/, task: 'c' });
});

test('providers are not ambiguous as long as nobody asks', async () => {
  const last = task({ name: 'last', optional: 'x', execute: () => {} });
  const flow = graph('flow', give('a', 'x'), give('b', 'x'), last);
  assert.equal(await run(flow, {}, { engine: 'serial' }), { x: undefined });
});

test('two providers within one item of a graph are not ambiguous', async () => {
  const flow = graph('flow', need('c', 'x'), linear('both', give('a', 'x'), give('b', 'x')));
  await run(flow, {}, { engine: 'serial' });
});

test('a provider is looked for in the graph around when there is none nearer', async () => {
  const flow = graph('flow', linear('inner', give('a', 'x'), need('c', 'x')), give('b', 'x'), give('d', 'x'));
  await run(flow, {}, { engine: 'serial' });
});

test('a circle of names has no order, and is shown', async () => {
  const flow = graph('flow', need('a', 'z', 'x'), need('b', 'x', 'y'), need('c', 'y', 'z'), noop);
  await refuses(flow, {}, 'ERR_MILLRACE_CYCLE', {
    message:
      /^Graph 'flow' has no order: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c) wait for one another in a circle$/,
    task: (await run(flow, {}).catch((error) => error)).task,
  });
});

test('a circle of links has no order', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => noop.with({ name }));
  const flow = graph('flow', a, b, c).link(a, b).link(b, c).link(c, b);
  const error: any = await run(flow).catch((error) => error);
  await refuses(flow, {}, 'ERR_MILLRACE_CYCLE', {
    message: /^Graph 'flow' has no order: (b -> c -> b|c -> b -> c) wait for one another/,
    task: error.task,
  });
});

test('a link against the names makes a circle', async () => {
  const [a, b] = [give('a', 'x'), need('b', 'x')];
  const error: any = await run(graph('flow', a, b).link(b, a)).catch((error) => error);
  await refuses(graph('flow', a, b).link(b, a), {}, 'ERR_MILLRACE_CYCLE', {
    message: /(a -> b -> a|b -> a -> b) wait/,
    task: error.task,
  });
});

test('what is linked to itself waits for ever', async () => {
  await refuses(graph('flow', noop).link(noop, noop), {}, 'ERR_MILLRACE_CYCLE', {
    message: /'flow' has no order: noop -> noop wait/,
    task: 'noop',
  });
});

test('flows that need each other make a circle, although no task does', async () => {
  const left = linear('left', give('a', 'x'), need('b', 'y'));
  const right = linear('right', give('c', 'y'), need('d', 'x'));
  const error: any = await run(graph('flow', left, right)).catch((error) => error);
  await refuses(graph('flow', left, right), {}, 'ERR_MILLRACE_CYCLE', {
    message: /(left -> right -> left|right -> left -> right) wait/,
    task: error.task,
  });
});

test('a long circle is shown shortened', async () => {
  const items = Array.from({ length: 1000 }, (_, i) => need(`t${i}`, `n${i}`, `n${(i + 1) % 1000}`));
  const error: any = await run(graph('flow', items)).catch((error) => error);
  assert.is(error.code, 'ERR_MILLRACE_CYCLE');
  assert.match(error.message, / -> … -> /);
  assert.ok(error.message.length < 200, error.message);
});

test('a flow that is wrong stays wrong', async () => {
  const flow = graph('flow', noop).link(noop, noop);
  const engine = load(flow, { engine: 'serial' });
  for (let i = 0; i < 2; i++) {
    const error: any = await engine.run().catch((error) => error);
    assert.is(error.code, 'ERR_MILLRACE_CYCLE');
    assert.is(engine.state, 'PENDING');
  }
});

test('compile() finds what is wrong with the flow, and validate() what is wrong with the inputs', () => {
  const engine = load(need('a', 'x'), { inputs: {} as any });
  engine.compile();
  assert.throws(
    () => engine.validate(),
    (error: any) => error.code === 'ERR_MILLRACE_MISSING_INPUT',
  );
});

overEveryEngine((test, options) => {
  test('a mistake rejects the run, and no task has begun', async () => {
    ran = 0;
    const mistakes: [FlowItem, FlowErrorCode][] = [
      [linear('flow', noop, need('a', 'x')), 'ERR_MILLRACE_MISSING_INPUT'],
      [linear('flow', noop, noop), 'ERR_MILLRACE_DUPLICATE_NAME'],
      [graph('flow', noop).link(noop, noop), 'ERR_MILLRACE_CYCLE'],
      [graph('flow', noop, give('a', 'x'), give('b', 'x'), need('c', 'x')), 'ERR_MILLRACE_AMBIGUOUS_PROVIDER'],
      ['flow' as any, 'ERR_MILLRACE_NOT_A_FLOW'],
    ];
    for (const [flow, code] of mistakes) {
      const error = await run(flow as any, {}, options).catch((error) => error);
      assert.is(error.code, code);
    }
    assert.is(ran, 0);
  });
});

test.run();
