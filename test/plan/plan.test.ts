/** What a compiled flow looks like from inside, where its size or its sharing matter. */
import { graph, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { task as definedTask } from '../../src/atoms/index.js';
import { graph as makeGraph, linear as makeLinear, unordered as makeUnordered } from '../../src/flows/index.js';
import { compile } from '../../src/plan/index.js';

const noop = definedTask({ name: 'noop', execute: () => {} });

function many(name: string, size: number) {
  return makeUnordered(
    name,
    Array.from({ length: size }, (_, i) => noop.with({ name: `${name}${i}` })),
  );
}

test('a thousand tasks before a thousand others make a few thousand edges, not a million', () => {
  const { size, nodes, successors } = compile(makeLinear('flow', many('a', 1000), many('b', 1000)));
  assert.is(size, 2000);
  assert.ok(nodes <= 2000 + 2 * 3, `${nodes} nodes`);
  assert.ok(successors.to.length <= 4001, `${successors.to.length} edges`);
});

test('a linear flow has an edge between neighbours and none besides', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => noop.with({ name }));
  const { nodes, successors, waits } = compile(makeLinear('flow', a, makeLinear('inner', b), c));
  assert.is(nodes, 3);
  assert.equal([...successors.start], [0, 1, 2, 2]);
  assert.equal([...successors.to], [1, 2]);
  assert.equal([...waits], [0, 1, 1]);
});

test('an unordered flow alone has no edges', () => {
  const { size, successors } = compile(many('a', 10));
  assert.is(size, 10);
  assert.is(successors.to.length, 0);
});

test('an order is kept with the plan only if it is not that of declaration', () => {
  const [a, b] = ['a', 'b'].map((name) => noop.with({ name }));
  assert.is(compile(makeLinear('flow', a, b)).order, undefined);
  assert.is(compile(makeGraph('flow', a, b).link(a, b)).order, undefined);
  assert.equal([...compile(makeGraph('flow', a, b).link(b, a)).order!], [1, 0]);
  assert.equal([...compile(makeUnordered('flow', a, b.with({ priority: 1 }))).order!], [1, 0]);
});

test('a flow is compiled once, however often it is run', () => {
  const flow = many('a', 3);
  assert.is(compile(flow), compile(flow));
});

test('compiling again after a mistake finds the mistake again', () => {
  const flow = makeLinear('flow', noop, noop);
  for (let i = 0; i < 2; i++) assert.throws(() => compile(flow), /Two tasks are named 'noop'/);
});

test('the steps before a run can be taken one by one', async () => {
  const add = task({ ...{ name: 'add', requires: 'a', provides: 'b' }, execute: ({ a }: { a: number }) => a + 1 });
  const engine = load(linear('flow', unordered('u', add), graph('g')), { engine: 'serial', inputs: { a: 1 } });
  assert.is(engine.compile().prepare().validate(), engine);
  assert.is(engine.state, 'PENDING');
  assert.equal(await engine.run(), { b: 2 });
  assert.equal(await run(add, { a: 2 }, { engine: 'serial' }), { b: 3 });
});

test.run();
