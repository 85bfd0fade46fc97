import { graph, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { engines, overEveryEngine } from '../engines.js';
import { fail, giver, pass, sum } from '../fixtures/atoms/small.js';

overEveryEngine((test, options) => {
  const double = (from: string, to: string) =>
    sum.with({ name: to, rebind: [from, from], inject: { z: 0 }, provides: to });
  const flow = graph(
    'flow',
    double('b', 'c'),
    double('a', 'b'),
    pass.with({ rebind: { value: 'c' }, provides: 'out' }),
  );

  test('a flow can be run again and again, each time with inputs of its own', async () => {
    for (let a = 1; a < 5; a++) assert.equal(await run(flow, { a }, options), { b: 2 * a, c: 4 * a, out: 4 * a });
  });

  test('a flow can be run many times at once, and the runs do not mix', async () => {
    const results = await Promise.all(Array.from({ length: 50 }, (_, a) => run(flow, { a }, options)));
    for (const [a, { out }] of results.entries()) assert.is(out, 4 * a);
  });

  test('of runs at once some may fail, and the others do not notice', async () => {
    const maybe = task({
      ...{ name: 'maybe', requires: 'a' },
      execute({ a }: { a: number }) {
        if (a % 2 === 1) throw new Error(`odd: ${a}`);
      },
    });
    const mixed = linear('mixed', flow, maybe);
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, a) => run(mixed, { a }, options)));
    for (const [a, result] of results.entries()) {
      if (result.status === 'fulfilled') assert.is(result.value.out, 4 * a);
      else assert.is(result.reason.message, `odd: ${a}`);
      assert.is(result.status, a % 2 === 1 ? 'rejected' : 'fulfilled');
    }
  });

  test('a flow can stand in several others, and those in each other', async () => {
    const step = linear('step', flow);
    const more = linear('more', step, pass.with({ name: 'last', rebind: { value: 'out' }, provides: 'end' }));
    assert.is((await run(step, { a: 1 }, options)).out, 4);
    assert.is((await run(more, { a: 2 }, options)).end, 8);
    assert.is((await run(unordered('beside', more), { a: 3 }, options)).end, 12);
  });

  test('an engine that was reverted runs again from the start', async () => {
    const engine = load(linear('flow', giver, fail), { ...options, inputs: { value: 0 } });
    const events: string[] = [];
    engine.on('task', ({ name, state }) => events.push(`${name} ${state}`));
    for (let i = 0; i < 2; i++) {
      const error = await engine.run().catch((error) => error);
      assert.is(error.message, 'Woot!');
    }
    const once = [
      ...['giver RUNNING', 'giver SUCCESS', 'fail RUNNING', 'fail FAILURE'],
      ...['fail REVERTING', 'fail REVERTED', 'giver REVERTING', 'giver REVERTED'],
    ];
    assert.equal(events, [...once, 'giver PENDING', 'fail PENDING', ...once]);
  });
});

test('a flow gives the same on every engine', async () => {
  const items = Array.from({ length: 30 }, (_, i) =>
    sum.with({
      name: `t${i}`,
      rebind: i === 0 ? ['a', 'a', 'a'] : [`n${i - 1}`, `n${i >> 1 === i ? 0 : (i - 1) >> 1}`, 'a'],
      provides: `n${i}`,
    }),
  );
  const flow = graph('flow', items.toReversed());
  const results = [];
  for (const { options } of engines) results.push(await run(flow as any, { a: 1 }, options));
  for (const result of results) assert.equal(result, results[0]);
});

test.run();
