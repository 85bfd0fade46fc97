import { graph, task } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile, ranks } from '../../src/plan/index.js';
import fc from '../fast-check.js';

let count = 0;

/** A chain of so many tasks of one kind. */
function chain(name: string, length: number) {
  const kind = task(import.meta.url, { name: `kind-${count++}`, requires: ['a'], execute: () => 1 });
  return Array.from({ length }, (_, i) => kind.with({ name: `${name}-${i}` }));
}

/** The names of the tasks in the order in which a parallel run takes them when all are ready. */
function order(flow: unknown): string[] {
  const plan = compile(flow);
  return Array.from(ranks(plan).atom, (atom) => plan.atoms[atom].name);
}

function linked(...chains: ReturnType<typeof chain>[]) {
  let flow: any = graph('flow', chains.flat());
  for (const tasks of chains) for (let i = 1; i < tasks.length; i++) flow = flow.link(tasks[i - 1], tasks[i]);
  return flow;
}

test('the longest chain goes first: by the number of tasks, and by what they cost once that is known', () => {
  const many = chain('many', 4);
  const dear = chain('dear', 2);
  const flow = linked(many, dear);
  const before = order(flow);
  assert.equal(before, ['many-0', 'many-1', 'many-2', 'dear-0', 'many-3', 'dear-1']);
  const shapes = compile(flow).atoms.map(({ shape }) => shape);
  shapes[0].cost.mean = 0.01;
  assert.equal(order(flow), before); // of the others nothing is known yet
  shapes[4].cost.mean = 5;
  assert.equal(order(flow), ['dear-0', 'dear-1', 'many-0', 'many-1', 'many-2', 'many-3']);
});

test('tasks that cost about the same are ordered by their number', () => {
  const flow = linked(chain('many', 3), chain('few', 2));
  const before = order(flow);
  compile(flow).atoms.forEach(({ shape }, atom) => {
    shape.cost.mean = atom < 3 ? 0.4 : 0.5;
  });
  assert.equal(order(flow), before);
});

test('whatever tasks cost, each has one place, and none comes before one that it waits for', () => {
  const chains = fc.array(
    fc.record({ length: fc.integer({ min: 1, max: 6 }), cost: fc.double({ min: 0, max: 1e6, noNaN: true }) }),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(chains, (list) => {
      const made = list.map(({ length }, i) => chain(`c${i}`, length));
      const flow = linked(...made);
      const plan = compile(flow);
      for (const { name, shape } of plan.atoms) shape.cost.mean = list[Number(name.slice(1, name.indexOf('-')))].cost;
      const names = order(flow);
      assert.is(new Set(names).size, plan.size);
      made.forEach((tasks) => {
        const places = tasks.map(({ name }: any) => names.indexOf(name));
        assert.equal(
          places,
          places.slice().sort((a, b) => a - b),
        );
      });
    }),
    {
      examples: [
        [
          [
            { length: 1, cost: 0 },
            { length: 2, cost: Number.MIN_VALUE },
          ],
        ],
        [[{ length: 3, cost: Number.MIN_VALUE }]],
      ],
    },
  );
});

test.run();
