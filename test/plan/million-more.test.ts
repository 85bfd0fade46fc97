/** A million tasks: a failure at the end, and a name that is provided again and again. */
import { type FlowItem, linear, run, task } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pass } from '../fixtures/atoms/small.js';
import { list } from './large-flows.js';

const MILLION = 1_000_000;

test('a linear flow that fails at the last of a million tasks is reverted to the first', async () => {
  const reverted = { tasks: 0, last: '' };
  const step = task({
    name: 'step',
    execute(_, { name }) {
      if (name === `t${MILLION - 1}`) throw new Error('the last one');
    },
    revert(_, { name }) {
      reverted.tasks++;
      reverted.last = name;
    },
  });
  const flow = linear(
    'flow',
    list(MILLION, (i) => step.with({ name: `t${i}` })),
  );
  const error: any = await run(flow, {}, { engine: 'serial' }).catch((error) => error);
  assert.is(error.message, 'the last one');
  assert.equal(reverted, { tasks: MILLION, last: 't0' });
});

test('a million tasks find the nearest of a thousand providers of one name', async () => {
  let sum = 0;
  const one = task({
    ...{ name: 'one', requires: 'value' },
    execute({ value }: { value: number }) {
      sum += value;
      return value + 1;
    },
  });
  const items = list(MILLION, (i) => one.with({ name: `t${i}`, ...(i % 1000 === 0 ? { provides: 'value' } : {}) }));
  const first = pass.with({ name: 'first', rebind: ['start'], provides: 'value' });
  const result = await run(linear('flow', first, items) as FlowItem, { start: 0 }, { engine: 'serial' });
  assert.equal(result, { value: 1000 });
  // The first of each thousand is given k and provides k + 1, which the 999 others are given.
  assert.is(
    sum,
    list(1000, (k) => k + 999 * (k + 1)).reduce((a, b) => a + b),
  );
});

test.run();
