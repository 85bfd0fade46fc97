/** Flows for which a plain search would be quadratic: it would take minutes or hours, and the tests would not end. */
import { graph, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { look, pass } from '../fixtures/atoms/small.js';
import { list } from './large-flows.js';

/** How many tasks wait for one another. */
const CIRCLE = 200_000;

test('100,000 tasks of a graph that may take one name, which all of them provide, compile', async () => {
  const items = list(100_000, (i) => look.with({ name: `t${i}`, rebind: ['x'], provides: 'x' }));
  let flow = graph('flow', items);
  for (let i = 0; i < items.length; i++) if (i % 2 === 1) flow = flow.link(items[i - 1], items[i]);
  const first = pass.with({ name: 'first', provides: 'x' });
  const result = await run(linear('all', first, flow), { value: 'V' }, { engine: 'serial' });
  assert.equal(result, { x: 'V' });
});

test('100,000 tasks of a chain that may take what the first one provides compile', async () => {
  const step = task({
    name: 'step',
    requires: 'n',
    optional: 'x',
    execute: ({ n, x }: { n: number; x?: string }) => x && n + 1,
  });
  const first = task({ name: 'first', provides: ['n0', 'x'], execute: () => [0, 'X'] });
  const steps = list(100_000, (i) => step.with({ name: `t${i}`, rebind: { n: `n${i}` }, provides: `n${i + 1}` }));
  const result = await run(graph('flow', steps.toReversed(), first) as any, {}, { engine: 'serial' });
  assert.is((result as any).n100000, 100_000);
});

test('100,000 tasks take one name from 100,000 others, one of which runs last because of its priority', async () => {
  const write = task({ name: 'write', provides: 'x', execute: (_, { name }) => name });
  let read = 0;
  const reader = task({ name: 'read', requires: 'x', execute: ({ x }: { x: string }) => x === 'w7' && read++ });
  const writers = list(100_000, (i) => write.with({ name: `w${i}`, priority: i === 7 ? -1 : 0 }));
  const readers = list(100_000, (i) => reader.with({ name: `r${i}` }));
  await run(linear('flow', unordered('writers', writers), unordered('readers', readers)), {}, { engine: 'serial' });
  assert.is(read, 100_000);
});

test('100,000 inputs hide what as many tasks provide', async () => {
  const one = pass.with({ rebind: ['none'] });
  const items = list(100_000, (i) => one.with({ name: `t${i}`, rebind: [`n${i}`], provides: `n${i + 1}` }));
  const inputs = Object.fromEntries(items.map((_, i) => [`n${i}`, `input ${i}`]));
  const result = await run(linear('flow', items) as any, inputs, { engine: 'serial' });
  assert.is((result as any).n5, 'input 4');
  assert.is((result as any).n100000, 'input 99999');
});

test('a circle of 200,000 tasks is told', async () => {
  const items = list(CIRCLE, (i) => pass.with({ name: `t${i}`, inject: { value: 0 } }));
  let flow = graph('flow', items);
  for (let i = 0; i < CIRCLE; i++) flow = flow.link(items[i], items[(i + 1) % CIRCLE]);
  assert.throws(
    () => load(flow).compile(),
    (error: any) => error.code === 'ERR_MILLRACE_CYCLE' && error.message.length < 200,
  );
});

test.run();
