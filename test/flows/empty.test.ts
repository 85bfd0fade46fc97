import { type FlowItem, graph, linear, load, run, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { pass } from '../fixtures/atoms/small.js';

const patterns: [string, (name: string, ...items: any[]) => FlowItem][] = [
  ['linear', linear as any],
  ['unordered', unordered as any],
  ['graph', graph as any],
];

overEveryEngine((test, options) => {
  for (const [kind, make] of patterns) {
    test(`an empty ${kind} flow succeeds at once, and provides nothing`, async () => {
      const engine = load<any, any>(make('empty'), options);
      const flows: string[] = [];
      engine.on('flow', ({ state }) => flows.push(state));
      assert.equal(await engine.run(), {});
      assert.equal(flows, ['RUNNING', 'SUCCESS']);
      assert.equal(engine.storage.fetchAll(), {});
    });

    test(`an empty ${kind} flow takes the steps of any other`, async () => {
      const steps: string[] = [];
      for await (const step of load<any, any>(make('empty'), options).runIter()) steps.push(step);
      assert.equal(steps, ['RESUMING', 'SCHEDULING', 'WAITING', 'ANALYZING', 'SUCCESS']);
    });

    test(`an empty ${kind} flow may stand anywhere`, async () => {
      const empty = () => make('empty', make('emptier', make('emptiest')), make('other'));
      const first = pass.with({ name: 'first', inject: { value: 5 }, provides: 'x' });
      const second = pass.with({ rebind: { value: 'x' }, provides: 'y' });
      for (const [, outer] of patterns.slice(0, 1).concat(patterns.slice(2))) {
        const flow = outer('flow', empty(), first, empty(), second, empty());
        assert.equal(await run(flow as any, {}, options), { x: 5, y: 5 });
      }
      const flow = linear('flow', unordered('one', empty(), first), unordered('two', empty(), second, empty()));
      assert.equal(await run(flow, {}, options), { x: 5, y: 5 });
    });
  }

  test('one empty flow may stand in several places', async () => {
    const empty = linear('empty');
    assert.equal(await run(linear('flow', empty, unordered('inner', empty, empty), empty), {}, options), {});
  });

  test('a link to and from an empty flow makes an order', async () => {
    const [first, second] = [1, 2].map((value) => pass.with({ name: `${value}`, inject: { value } }));
    const empty = unordered('empty');
    const engine = load(graph('flow', second, empty, first).link(first, empty).link(empty, second), options);
    const ended: string[] = [];
    engine.on('task', ({ name, state }) => state === 'SUCCESS' && ended.push(name));
    await engine.run();
    assert.equal(ended, ['1', '2']);
  });
});

test.run();
