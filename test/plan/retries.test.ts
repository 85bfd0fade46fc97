/** Flows with retries as they are compiled: the numbers, the edges, and who is given what. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  alwaysRevert as alwaysRevertOf,
  parameterizedForEach as parameterizedForEachOf,
  retry as retryOf,
  task as taskOf,
  times as timesOf,
} from '../../src/atoms/index.js';
import { graph as graphOf, linear as linearOf, unordered as unorderedOf } from '../../src/flows/index.js';
import { CONSTANT, compile, type Plan } from '../../src/plan/index.js';
import { list } from './large-flows.js';

const task = taskOf as unknown as (options: object) => any;
type Make = (name: string, ...items: any[]) => any;
const linear: Make = linearOf as any;
const unordered: Make = unorderedOf as any;
const graph: Make = graphOf as any;
const times = timesOf as unknown as (attempts?: number, options?: object) => any;
const parameterizedForEach = parameterizedForEachOf as unknown as (options: object) => any;
const retry = retryOf as unknown as (options: object) => any;
const alwaysRevert = alwaysRevertOf as unknown as (options?: object) => any;

const patterns = { linear, unordered, graph };
const onFailure = () => 'REVERT';
const execute = () => {};
const named = (name: string) => task({ name, execute });
const gives = (name: string, provides = 'x') => task({ name, provides, execute });
const needs = (name: string, requires = 'x') => task({ name, requires, execute });
const likes = (name: string, optional = 'x') => task({ name, optional, execute });

const names = ({ atoms }: Plan) => atoms.map(({ name }) => name);

/** The edges of a plan, by the names of the atoms; joints are called `j0`, `j1`, ... */
function edges({ atoms, size, nodes, successors }: Plan): string[] {
  const nameOf = (node: number) => (node < size ? atoms[node].name : `j${node - size}`);
  const found: string[] = [];
  for (let node = 0; node < nodes; node++) {
    for (let e = successors.start[node]; e < successors.start[node + 1]; e++) {
      found.push(`${nameOf(node)} -> ${nameOf(successors.to[e])}`);
    }
  }
  return found.sort();
}

/** Who provides an argument of an atom: a name, `input`, or `constant`. */
function sourceOf({ atoms, argStart, args, size, picks }: Plan, name: string, argument = 0): string {
  const source = args[argStart[atoms.findIndex((atom) => atom.name === name)] + argument];
  if (source < 0) return source === CONSTANT ? 'constant' : 'input';
  return atoms[source < size ? source : picks[source - size].atom].name;
}

const sees = (flow: unknown, name: string) => sourceOf(compile(flow), name);

for (const [kind, make] of Object.entries(patterns)) {
  test(`the retry of a flow is the first atom in it (${kind})`, () => {
    const flow = linear(
      'flow',
      named('a'),
      make('inner', named('b'), named('c')).with({ retry: times(3) }),
      named('d'),
    );
    assert.equal(names(compile(flow)), ['a', 'inner_retry', 'b', 'c', 'd']);
    assert.equal(names(compile(make('flow', named('a')).with({ retry: times(3) }))), ['flow_retry', 'a']);
  });

  test(`an empty flow with a retry is the retry alone (${kind})`, () => {
    const empty = make('empty').with({ retry: times(3, { provides: 'x' }) });
    const plan = compile(empty);
    assert.equal([plan.size, plan.nodes, edges(plan), plan.outputNames], [1, 1, [], ['x']]);
    assert.equal(plan.retries, {
      scopes: [{ controller: 0, start: 0, end: 1, firstNode: 1, endNode: 1, parent: -1 }],
      scopeOf: new Int32Array([-1]),
    });
    const within = compile(linear('flow', named('a'), empty, needs('b')));
    assert.equal(edges(within), ['a -> empty_retry', 'empty_retry -> b']);
    assert.is(sourceOf(within, 'b'), 'empty_retry');
  });

  test(`the items of a flow run after its retry, and what comes after the flow runs after them (${kind})`, () => {
    const inner = make('inner', named('b'), named('c')).with({ retry: times(3) });
    const plan = compile(linear('flow', named('a'), inner, named('d')));
    assert.equal(
      edges(plan),
      kind === 'linear'
        ? ['a -> inner_retry', 'b -> c', 'c -> d', 'inner_retry -> b']
        : ['a -> inner_retry', 'b -> j0', 'c -> j0', 'inner_retry -> b', 'inner_retry -> c', 'j0 -> d'],
    );
  });

  test(`a flow with a retry and one item needs no joint (${kind})`, () => {
    const inner = make('inner', named('b')).with({ retry: times(3) });
    const plan = compile(linear('flow', named('a'), inner, named('d')));
    assert.equal(edges(plan), ['a -> inner_retry', 'b -> d', 'inner_retry -> b']);
  });

  test(`the retry of the outermost flow runs before its items (${kind})`, () => {
    const plan = compile(make('flow', named('a'), named('b')).with({ retry: times(3) }));
    const found = edges(plan).filter((edge) => !edge.includes('j'));
    assert.equal(found, kind === 'linear' ? ['a -> b', 'flow_retry -> a'] : ['flow_retry -> a', 'flow_retry -> b']);
  });

  test(`all items of a flow see what its retry provides, and so do those of the flows in it (${kind})`, () => {
    const flow = make('flow', needs('a'), unordered('inner', graph('innermost', needs('b'))), likes('c')).with({
      retry: times(3, { provides: 'x' }),
    });
    for (const name of ['a', 'b', 'c']) assert.is(sees(flow, name), 'flow_retry');
  });

  test(`the retry that is nearest counts (${kind})`, () => {
    const inner = make('inner', needs('a'), likes('b')).with({ retry: times(3, { provides: 'x' }) });
    const flow = linear('flow', gives('first'), inner, needs('c')).with({ retry: times(3, { provides: 'x' }) });
    assert.is(sees(flow, 'a'), 'inner_retry');
    assert.is(sees(flow, 'b'), 'inner_retry');
    assert.is(sees(flow, 'c'), 'inner_retry');
  });

  test(`a retry is given what can be seen where its flow stands (${kind})`, () => {
    const wiring = { requires: 'x', optional: 'y', provides: 'x', onFailure };
    const inner = make('inner', gives('in', 'y'), needs('user')).with({ retry: retry(wiring) });
    const plan = compile(linear('flow', gives('a'), gives('b', 'y'), inner));
    assert.is(sourceOf(plan, 'inner_retry', 0), 'a');
    assert.is(sourceOf(plan, 'inner_retry', 1), 'b');
    assert.is(sourceOf(plan, 'user'), 'inner_retry');
    const alone = compile(inner);
    assert.is(sourceOf(alone, 'inner_retry', 0), 'input');
    assert.equal(
      alone.inputs.map(({ name, required }) => [name, required]),
      [
        ['x', true],
        ['y', false],
      ],
    );
  });

  test(`nothing in a flow waits for what is outside of it, but for its retry (${kind})`, () => {
    const inner = make('inner', make('one', named('b'), named('c')), unordered('none'), needs('d')).with({
      retry: times(3),
    });
    const plan = compile(graph('flow', linear('l', inner, named('e')), gives('a'), named('f')));
    const [scope] = plan.retries!.scopes;
    const { start, end, firstNode, endNode } = scope;
    const isIn = (node: number) => (node >= start && node < end) || (node >= firstNode && node < endNode);
    for (let node = 0; node < plan.nodes; node++) {
      for (let e = plan.successors.start[node]; e < plan.successors.start[node + 1]; e++) {
        const to = plan.successors.to[e];
        if (!isIn(node) && isIn(to)) assert.is(to, scope.controller);
      }
    }
    assert.equal(names(plan).slice(start, end), ['inner_retry', 'b', 'c', 'd']);
  });
}

test('in a linear flow what an item provides hides what the retry provides, from those after it', () => {
  const flow = linear('flow', needs('a'), gives('b'), needs('c'), likes('d')).with({
    retry: times(3, { provides: 'x' }),
  });
  assert.equal(
    ['a', 'c', 'd'].map((name) => sees(flow, name)),
    ['flow_retry', 'b', 'b'],
  );
});

test('in an unordered flow items see the retry, and not each other', () => {
  const flow = unordered('flow', gives('a'), needs('b'), likes('c')).with({ retry: times(3, { provides: 'x' }) });
  assert.is(sees(flow, 'b'), 'flow_retry');
  assert.is(sees(flow, 'c'), 'flow_retry');
  const deep = unordered('flow', gives('a'), unordered('inner', gives('d'), needs('b'))).with({
    retry: times(3, { provides: 'x' }),
  });
  assert.is(sees(deep, 'b'), 'flow_retry');
});

test('in a graph what an item provides hides what the retry provides, and is not ambiguous beside it', () => {
  const flow = graph('flow', needs('b'), gives('a')).with({ retry: times(3, { provides: 'x' }) });
  const plan = compile(flow);
  assert.is(sourceOf(plan, 'b'), 'a');
  assert.equal(
    [...plan.order!].map((atom) => plan.atoms[atom].name),
    ['flow_retry', 'a', 'b'],
  );
});

test('in a graph an optional value comes from the retry, unless an item that runs before provides it', () => {
  const first = gives('a');
  const last = likes('b');
  const one = graph('flow', first, last).with({ retry: times(3, { provides: 'x' }) });
  assert.is(sees(one, 'b'), 'flow_retry');
  assert.is(sees(one.link(first, last), 'b'), 'a');
});

test('an item of a graph that provides what it requires is given what the retry provides', () => {
  const step = task({ name: 'step', requires: 'x', provides: 'x', execute });
  const plan = compile(graph('flow', step, named('other')).with({ retry: times(3, { provides: 'x' }) }));
  assert.is(sourceOf(plan, 'step'), 'flow_retry');
});

test('in a graph that two items provide a name is ambiguous, whatever the retry provides', () => {
  const flow = graph('flow', gives('a'), gives('b'), needs('c')).with({ retry: times(3, { provides: 'x' }) });
  assert.throws(
    () => compile(flow),
    (error: any) => error.code === 'ERR_MILLRACE_AMBIGUOUS_PROVIDER' && /which 'a' and 'b' provide/.test(error.message),
  );
});

test('a retry that requires what a sibling of its flow in a graph provides comes after it', () => {
  const inner = linear('inner', gives('in')).with({ retry: parameterizedForEach({ values: 'list', provides: 'n' }) });
  const plan = compile(graph('flow', inner, gives('lists', 'list')));
  assert.is(sourceOf(plan, 'inner_retry'), 'lists');
  assert.equal(edges(plan), ['inner_retry -> in', 'lists -> inner_retry']);
});

test('a retry does not see what its own flow provides, and is not in its own way', () => {
  const inner = graph('inner', gives('in', 'list')).with({ retry: parameterizedForEach({ values: 'list' }) });
  assert.is(sees(graph('flow', inner), 'inner_retry'), 'input');
  assert.is(sees(linear('flow', gives('a', 'list'), inner), 'inner_retry'), 'a');
  assert.is(sees(graph('flow', gives('a', 'list'), inner), 'inner_retry'), 'a');
});

test('what a retry provides is seen after its flow, unless an item provides it too', () => {
  const inner = (...items: unknown[]) => unordered('inner', ...items).with({ retry: times(3, { provides: 'x' }) });
  assert.is(sees(linear('flow', inner(named('a')), needs('b')), 'b'), 'inner_retry');
  assert.is(sees(linear('flow', inner(gives('a')), needs('b')), 'b'), 'a');
  assert.is(sees(graph('flow', needs('b'), inner(named('a'))), 'b'), 'inner_retry');
  // Also when another order than that of declaration is asked for.
  assert.is(sees(linear('flow', inner(gives('a').with({ priority: 1 }), named('c')), needs('b')), 'b'), 'a');
});

test('the flow provides what its retries provide', () => {
  const flow = linear('flow', gives('a', 'y')).with({ retry: times(3, { provides: 'x' }) });
  const { outputNames, outputs } = compile(flow);
  assert.equal(
    [outputNames, [...outputs]],
    [
      ['x', 'y'],
      [0, 1],
    ],
  );
});

test('values that a retry provides one by one are told apart', () => {
  const one = retry({ provides: ['x', 'y'], onFailure, execute: () => [1, 2] });
  const plan = compile(linear('flow', needs('a', 'y')).with({ retry: one }));
  const source = plan.args[plan.argStart[1]];
  assert.equal(plan.picks[source - plan.size], { atom: 0, key: 1 });
});

test('constants of a retry are not looked up', () => {
  const one = retry({ requires: 'limit', inject: { limit: 3 }, onFailure });
  assert.is(sees(linear('flow', gives('a')).with({ retry: one }), 'flow_retry'), 'constant');
});

test('scopes nest; the retry of a flow belongs to the scope around it', () => {
  const inner = unordered('inner', named('c'), named('d')).with({ retry: times(2) });
  const other = linear('other', named('f')).with({ retry: alwaysRevert() });
  const outer = linear('outer', named('b'), linear('plain', inner), named('e'), other).with({ retry: times(3) });
  const plan = compile(linear('flow', named('a'), outer, named('g')));
  assert.equal(names(plan), 'a outer_retry b inner_retry c d e other_retry f g'.split(' '));
  const { scopes, scopeOf } = plan.retries!;
  assert.equal(
    scopes.map(({ controller, start, end, parent }) => [controller, start, end, parent]),
    [
      [1, 1, 9, -1],
      [3, 3, 6, 0],
      [7, 7, 9, 0],
    ],
  );
  assert.equal([...scopeOf], [-1, -1, 0, 0, 1, 1, 0, 0, 2, -1]);
});

test('a scope that begins where another one ends has nothing of it', () => {
  const [a, b] = ['a', 'b'].map((name) => linear(name, named(`${name}1`)).with({ retry: times(2) }));
  const { scopes, scopeOf } = compile(linear('flow', a, b)).retries!;
  assert.equal(
    scopes.map(({ parent }) => parent),
    [-1, -1],
  );
  assert.equal([...scopeOf], [-1, 0, -1, 1]);
});

test('the joints of a scope are those of the flows in it', () => {
  const pair = (name: string) => unordered(name, named(`${name}1`), named(`${name}2`));
  const inner = linear('inner', pair('b'), unordered('none')).with({ retry: times(2) });
  const plan = compile(linear('flow', pair('a'), inner, pair('c')));
  const [{ firstNode, endNode }] = plan.retries!.scopes;
  assert.equal([firstNode - plan.size, endNode - plan.size, plan.nodes - plan.size], [2, 5, 7]);
});

test('a task with a retry is no scope, and makes no atom', () => {
  const plan = compile(linear('flow', named('a').with({ retry: times(3) }), named('b')));
  assert.equal(names(plan), ['a', 'b']);
  assert.equal(plan.retries, { scopes: [], scopeOf: new Int32Array([-1, -1]) });
  assert.ok(compile(named('alone').with({ retry: times(3) })).retries);
});

test('a flow without retries has none, and one in which no task may fail lacks nothing', () => {
  const plain = compile(linear('flow', named('a')));
  assert.equal([plain.retries, plain.lacking], [undefined, false]);
  assert.is(compile(linear('flow', unordered('inner', named('a').with({ mayFail: true })))).lacking, true);
});

test('a decider of a link to a flow with a retry decides on the retry', () => {
  const first = named('a');
  const inner = unordered('inner', named('b'), named('c')).with({ retry: times(3) });
  const plan = compile(graph('flow', first, inner).link(first, inner, { decider: () => true }));
  assert.equal(
    [...plan.decisions!.links.keys()].map((atom) => plan.atoms[atom].name),
    ['inner_retry'],
  );
});

test('a retry may not have the name of a task or of another retry', () => {
  const refuses = (flow: unknown, message: RegExp) =>
    assert.throws(
      () => compile(flow),
      (error: any) => error.code === 'ERR_MILLRACE_DUPLICATE_NAME' && message.test(error.message),
    );
  const inner = (retry: unknown) => linear('f', named('b')).with({ retry });
  refuses(
    linear('flow', named('f_retry'), inner(times(3))),
    /^Two atoms are named 'f_retry' \(the second is the retry of flow 'f'\): .* Give the retry a name/,
  );
  refuses(
    linear('flow', inner(times(3)), named('f_retry')),
    /^Two atoms are named 'f_retry' \(the second in flow 'flow'\): .* Give the retry a name/,
  );
  refuses(linear('f', inner(times(3))).with({ retry: times(2) }), /^Two atoms are named 'f_retry'/);
  assert.ok(compile(linear('f', inner(times(3, { name: 'r' }))).with({ retry: times(2) })));
});

test('a flow with retries prints as a plan', () => {
  const plan = compile(linear('flow', needs('a')).with({ retry: times(3, { provides: 'x' }) }));
  assert.is(
    (plan as any)[Symbol.for('nodejs.util.inspect.custom')](2, {}),
    [
      "Plan 'flow' (1 tasks, 1 retries, 0 joints, 1 edges; gives x)",
      "├─ 0: Retry 'flow_retry' -> 1",
      "└─ 1: Task 'a' (x from node 0)",
    ].join('\n'),
  );
});

const SIZE = 100_000;

for (const [kind, make] of Object.entries(patterns)) {
  test(`${SIZE} flows, each with a retry, compile (${kind})`, () => {
    const one = needs('one');
    const three = times(3, { provides: 'x' });
    const items = list(SIZE, (i) => linear(`f${i}`, one.with({ name: `t${i}` })).with({ retry: three }));
    const { size, retries, successors } = compile(make('flow', items).with({ retry: times(2) }));
    assert.is(size, 2 * SIZE + 1);
    assert.is(retries!.scopes.length, SIZE + 1);
    assert.ok(successors.to.length < 4 * SIZE);
  });

  test(`${SIZE} tasks are given what a retry provides (${kind})`, () => {
    const one = needs('one');
    const items = list(SIZE, (i) => one.with({ name: `t${i}` }));
    const plan = compile(make('flow', items).with({ retry: times(3, { provides: 'x' }) }));
    assert.ok(plan.args.every((source) => source === 0));
    assert.ok(plan.nodes <= SIZE + 2);
  });
}

test(`${SIZE} tasks of an unordered flow that all provide a name are given it by the retry`, () => {
  const step = task({ name: 'step', requires: 'x', provides: 'x', execute });
  const plan = compile(
    unordered(
      'flow',
      list(SIZE, (i) => step.with({ name: `t${i}` })),
    ).with({ retry: times(3, { provides: 'x' }) }),
  );
  assert.ok(plan.args.every((source) => source === 0));
});

for (const [kind, make] of Object.entries(patterns)) {
  test(`10,000 nested flows may each have a retry that requires what the one around provides (${kind})`, () => {
    const one = retry({ requires: 'x', provides: 'x', onFailure });
    let flow = needs('innermost');
    for (let i = 10_000; i > 0; i--) flow = make(`f${i}`, flow).with({ retry: one });
    const { args, retries } = compile(flow);
    assert.equal(
      [...args.subarray(1)],
      list(10_000, (i) => i),
    );
    assert.equal(
      retries!.scopes.map(({ parent }) => parent),
      list(10_000, (i) => i - 1),
    );
  });
}

test.run();
