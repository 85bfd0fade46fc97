/** each() and reduce() do what `map` and `reduce` of an array do, whatever the list, and whatever fails. */

import { each, type FlowItem, linear, load, reduce, WrappedFailure } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type EngineUnderTest, engines } from '../engines.js';
import fc from '../fast-check.js';
import { local, travelling } from '../fixtures/engine/elements.js';

const numRuns = Number(process.env.TEST_RUNS || 100);

/** Numbers, of which those below zero are failures: of many lists none, of some one, of some several. */
const lists = fc.array(
  fc.oneof({ weight: 20, arbitrary: fc.nat(1000) }, { weight: 1, arbitrary: fc.integer({ min: -9, max: -1 }) }),
  {
    maxLength: 60,
  },
);

const refuse = (n: number) => {
  if (n < 0) throw new RangeError(`no ${n}`);
  return n;
};

/** What a run comes to: its values, or the messages of what failed; and the states of the elements. */
async function outcome(flow: FlowItem, list: readonly number[], options: EngineUnderTest['options'], region: string) {
  const engine = load<any, any>(flow, { ...options, inputs: { list } });
  const states = () => list.map((_, i) => engine.storage.getTaskState(`${region}[${i}]`));
  try {
    return { values: (await engine.run()) as any, errors: [], states: states(), state: engine.state };
  } catch (error) {
    const errors = error instanceof WrappedFailure ? error.errors : [error];
    return { values: undefined, errors: errors.map(String), states: states(), state: engine.state };
  }
}

for (const [kind, { picky, pickyAdd, add }] of Object.entries({ travelling, local })) {
  const mapped = linear('f', each(picky, { over: 'list', as: 'n', collect: 'out' }));
  const reduced = linear(
    'f',
    reduce(pickyAdd, { over: 'list', as: 'n', into: 'sum', initial: 0, provides: 'total' }),
    reduce(add.with({ name: 'again' }), { over: 'list', as: 'n', into: 'sum', initial: 0, provides: 'total' }),
  );

  for (const { name, options } of engines) {
    test(`each is the map of an array, and whatever has run is reverted (${name}): ${kind} tasks`, async () => {
      const property = fc.asyncProperty(lists, async (list) => {
        const { values, errors, states, state } = await outcome(mapped, list, options, 'picky');
        const failing = list.filter((n) => n < 0);
        if (failing.length === 0) {
          assert.equal(values, { out: list.map(refuse) });
          assert.ok(states.every((one) => one === 'SUCCESS'));
          return;
        }
        assert.is(state, 'REVERTED');
        assert.ok(errors.length > 0);
        for (const error of errors)
          assert.ok(
            failing.some((n) => error === `RangeError: no ${n}`),
            error,
          );
        if (options.engine === 'serial') assert.equal(errors, [`RangeError: no ${failing[0]}`]);
        const reverted = states.filter((one) => one === 'REVERTED').length;
        const pending = states.filter((one) => one === 'PENDING').length;
        assert.is(reverted + pending, list.length);
        if (options.engine === 'serial') assert.is(reverted, list.findIndex((n) => n < 0) + 1);
      });
      await fc.assert(property, { numRuns });
    });

    test(`reduce is the reduce of an array, and stops where it fails (${name}): ${kind} tasks`, async () => {
      const property = fc.asyncProperty(lists, async (list) => {
        const { values, errors, states, state } = await outcome(reduced, list, options, 'pickyAdd');
        const failing = list.findIndex((n) => n < 0);
        if (failing < 0) {
          assert.equal(values, { total: list.reduce((sum, n) => sum + refuse(n), 0) });
          return;
        }
        assert.is(state, 'REVERTED');
        assert.equal(errors, [`RangeError: no ${list[failing]}`]);
        assert.equal(
          states,
          list.map((_, i) => (i <= failing ? 'REVERTED' : 'PENDING')),
        );
      });
      await fc.assert(property, { numRuns });
    });
  }
}

test.run();
