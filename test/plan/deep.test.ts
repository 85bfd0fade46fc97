/** Flows nested to any depth: nothing recurses. */
import { type FlowItem, graph, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { fail, none, pass } from '../fixtures/atoms/small.js';

const DEPTH = 10_000;

const patterns: Record<string, (name: string, ...items: any[]) => FlowItem> = {
  linear: linear as any,
  unordered: unordered as any,
  graph: graph as any,
};
/** All three in turns. */
const mixed = (name: string, ...items: any[]) => Object.values(patterns)[Number(name) % 3](name, ...items);

/** Wraps `wrap` around a flow again and again. */
function nest(innermost: FlowItem, wrap: (inner: FlowItem, depth: number) => FlowItem): FlowItem {
  let flow = innermost;
  for (let depth = 0; depth < DEPTH; depth++) flow = wrap(flow, depth);
  return flow;
}

overEveryEngine((test, options) => {
  for (const [kind, make] of Object.entries({ ...patterns, mixed })) {
    test(`flows nested 10,000 deep run (${kind})`, async () => {
      const innermost = pass.with({ provides: 'out' });
      const flow = nest(innermost, (inner, depth) => make(`${depth}`, inner));
      assert.equal(await run(flow as any, { value: 'deep' }, options), { out: 'deep' });
    });
  }

  test('a task 10,000 flows deep is given what the outermost flow provides', async () => {
    const innermost = pass.with({ name: 'inner', rebind: ['x'], provides: 'out' });
    const flow = nest(innermost, (inner, depth) => linear(`${depth}`, inner));
    const outermost = linear('flow', pass.with({ name: 'outer', provides: 'x' }), flow);
    assert.equal(await run(outermost as any, { value: 'far' }, options), { x: 'far', out: 'far' });
  });

  test('what is provided 10,000 flows deep is seen outside', async () => {
    const innermost = pass.with({ name: 'inner', provides: 'x' });
    const flow = nest(innermost, (inner, depth) => graph(`${depth}`, inner));
    const outermost = graph('flow', pass.with({ name: 'outer', rebind: ['x'], provides: 'out' }), flow);
    assert.equal(await run(outermost as any, { value: 'near' }, options), { x: 'near', out: 'near' });
  });
});

test('each of 10,000 nested flows may have tasks of its own', async () => {
  const order: number[] = [];
  const note = task({ name: 'note', execute: (_, { name }) => void order.push(Number(name)) });
  const flow = nest(note.with({ name: `${DEPTH}` }), (inner, depth) =>
    linear(`${depth}`, note.with({ name: `${DEPTH - 1 - depth}` }), inner),
  );
  await run(flow as any, {}, { engine: 'serial' });
  assert.is(order.length, DEPTH + 1);
  assert.ok(order.every((name, i) => name === i));
});

test('a failure 10,000 flows deep reverts what is around', async () => {
  const flow = nest(fail, (inner, depth) => linear(`${depth}`, none.with({ name: `${depth}` }), inner));
  const engine = load<any, any>(flow, { engine: 'parallel', workers: 2 });
  const error = await engine.run().catch((error) => error);
  assert.is(error.message, 'Woot!');
  assert.ok(Object.values(engine.storage.getTaskStates()).every((state) => state === 'REVERTED'));
});

test.run();
