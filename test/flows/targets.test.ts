/** What is left of a graph with a target: random ones, those that are wrong where nobody looks, and large ones. */

import {
  each,
  type FlowItem,
  forEach,
  graph,
  linear,
  load,
  parameterizedForEach,
  run,
  task,
  times,
  unordered,
} from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile, type Plan } from '../../src/plan/index.js';
import fc from '../fast-check.js';
import { pass } from '../fixtures/atoms/small.js';
import { list } from '../plan/large-flows.js';
import { type FlowSpec, Interpreter, type Spec, tasksOf } from '../reference/interpreter.js';
import { buildFlow, makeRecord, type RandomTask, randomFlow } from '../reference/random-flow.js';

const numRuns = Number(process.env.TEST_RUNS || 300);

type RandomSpec = Spec<RandomTask>;
type Targets = ReadonlyMap<FlowSpec<RandomTask>, number>;

/** Gives some graphs a target, by position. */
function targetsOf(root: RandomSpec, draws: readonly number[]): Targets {
  const targets = new Map<FlowSpec<RandomTask>, number>();
  const open = [root];
  for (let at = 0, spec = open.pop(); spec; spec = open.pop()) {
    if (spec.kind === 'task') continue;
    open.push(...spec.items);
    const draw = draws[at++ % draws.length];
    if (spec.kind === 'graph' && spec.items.length > 0 && draw > 0) targets.set(spec, draw % spec.items.length);
  }
  return targets;
}

/** What is left, worked out in the plainest way: what runs before the target in a graph that stands alone. */
function cut(spec: RandomSpec, targets: Targets): RandomSpec {
  if (spec.kind === 'task') return spec;
  const items = spec.items.map((item) => cut(item, targets));
  const whole = { ...spec, items };
  const target = targets.get(spec);
  if (target === undefined) return whole;
  // Something that is required makes the order of flows without tasks show as well.
  const marked = items.map((item, i) => (tasksOf(item).length > 0 ? item : marker(item, i)));
  const meaning = new Interpreter({ ...whole, items: marked }, {});
  const isBefore = (item: RandomSpec) =>
    tasksOf(item).some((first) => tasksOf(marked[target]).some((second) => meaning.before(first, second)));
  const kept = items.flatMap((_, i) => (i === target || isBefore(marked[i]) ? [i] : []));
  const links = spec.links.filter((ends) => ends.every((end) => kept.includes(end)));
  return {
    ...whole,
    items: kept.map((i) => items[i]),
    links: links.map(([from, to]) => [kept.indexOf(from), kept.indexOf(to)] as const),
  };
}

function marker(item: RandomSpec, i: number): RandomSpec {
  const mark = { name: `marker ${i}`, requires: [], optional: [], rebind: {}, inject: {}, provides: undefined };
  return {
    ...(item as FlowSpec<RandomTask>),
    items: [{ kind: 'task', priority: 0, ...mark } as unknown as RandomTask],
  };
}

function buildTargeted(spec: RandomSpec, targets: Targets, record: Int32Array): FlowItem {
  if (spec.kind === 'task') return buildFlow(spec, record);
  const items = spec.items.map((item) => buildTargeted(item, targets, record));
  if (spec.kind === 'linear') return linear(spec.name, items);
  if (spec.kind === 'unordered') return unordered(spec.name, items);
  const target = targets.get(spec);
  const half = spec.links.length >> 1;
  const link = (made: ReturnType<typeof graph>, [from, to]: readonly [number, number]) =>
    made.link(items[from], items[to]);
  const first = spec.links.slice(0, half).reduce(link, graph(spec.name, items) as ReturnType<typeof graph>);
  return spec.links.slice(half).reduce(link, target === undefined ? first : first.target(items[target]));
}

function compiled(flow: FlowItem): { plan: Plan } | { code: string } {
  try {
    return { plan: compile(flow) };
  } catch (error) {
    return { code: (error as { code: string }).code };
  }
}

const sizes = { nested: { items: 4, depth: 4, names: 12 }, wide: { items: 20, depth: 2, names: 60 } };

for (const [kind, size] of Object.entries(sizes)) {
  test(`random ${kind} flows with targets are compiled as if what is left out had never been there`, () => {
    const draws = fc.array(fc.nat(1000), { minLength: 1, maxLength: 10 });
    let left = 0;
    fc.assert(
      fc.property(randomFlow(size), draws, ({ root }, drawn) => {
        const targets = targetsOf(root, drawn);
        const record = makeRecord(root);
        const rest = cut(root, targets);
        const expected = compiled(buildFlow(rest, record));
        const seen = compiled(buildTargeted(root, targets, record));
        if (tasksOf(rest).length < tasksOf(root).length && 'plan' in expected) left++;
        if ('code' in expected) {
          assert.ok('code' in seen, `${expected.code}`); // of several mistakes another one may be found first
          return;
        }
        const { atoms, ...plan } = (seen as { plan: Plan }).plan ?? assert.unreachable(`${(seen as any).code}`);
        const { atoms: expectedAtoms, ...expectedPlan } = expected.plan;
        assert.equal(
          atoms.map(({ name }) => name),
          expectedAtoms.map(({ name }) => name),
        );
        assert.equal(plan, expectedPlan);
      }),
      { numRuns },
    );
    assert.ok(left > numRuns / 20, `${left} flows of which something was left out`);
  });
}

const noop = task({ name: 'noop', execute: () => {} });
const named = (name: string) => noop.with({ name });
const giving = (name: string, provides: string) => noop.with({ name, provides });
const taking = (name: string, ...requires: string[]) => task({ name, requires, execute: () => {} });
const left = (flow: Iterable<FlowItem>) => [...flow].map(({ name }) => name).join(' ');

test('what is wrong with what is left out does no harm, and what is wrong with the rest is told', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(named);
  const either = taking('either', 'x');
  const twice = linear('twice', a, b);
  const flow = graph('f', a, b, c, d, twice, giving('x1', 'x'), giving('x2', 'x'), either)
    .link(c, d)
    .link(d, c)
    .link(a, b);
  const code = (target: FlowItem) => (compiled(flow.target(target)) as { code: string }).code;
  assert.is(code(b), undefined);
  assert.is(code(twice), undefined);
  assert.is(code(c), 'ERR_MILLRACE_CYCLE');
  assert.is(code(either), 'ERR_MILLRACE_AMBIGUOUS_PROVIDER');
});

test('an optional argument takes nothing in, and is given what is there', async () => {
  const source = task({ name: 'source', provides: 'x', execute: () => 1 });
  const seeing = task({ name: 'seeing', optional: 'x', provides: 'seen', execute: ({ x = 0 }: { x?: number }) => x });
  const flow = graph('f', source, seeing);
  assert.equal(await run(flow.target(seeing), {}, { engine: 'serial' }), { seen: 0 });
  assert.equal(await run(flow.target(seeing).link(source, seeing), {}, { engine: 'serial' }), { x: 1, seen: 1 });
});

test('what only a revert requires is taken in', () => {
  const undoing = task({ name: 'undoing', revertRequires: 'x', execute: () => {}, revert: () => {} });
  assert.is(left(graph('f', giving('source', 'x'), named('other'), undoing).target(undoing)), 'source undoing');
});

test('a name is looked for where the compiler looks for it', () => {
  const source = giving('source', 'x');
  const within = linear('within', giving('first', 'x'), taking('second', 'x'));
  const tooLate = linear('too late', taking('early', 'x'), giving('late', 'x'));
  const either = graph('either', giving('gives', 'x'), taking('takes', 'x'));
  const backwards = graph('backwards', taking('takes', 'x'), giving('gives', 'x'));
  const apart = unordered('apart', taking('one', 'x'), giving('two', 'x'));
  const own = taking('own', 'x').with({ provides: 'x' });
  const injected = taking('injected', 'x').with({ inject: { x: 1 } });
  const rebound = taking('rebound', 'y').with({ rebind: { y: 'x' } });
  const flow = (item: FlowItem) => left(graph('f', source, named('other'), item as any).target(item));
  assert.is(flow(within), 'within');
  assert.is(flow(tooLate), 'source too late');
  assert.is(flow(either), 'either');
  assert.is(flow(backwards), 'backwards');
  assert.is(flow(apart), 'source apart');
  assert.is(flow(own), 'source own');
  assert.is(flow(injected), 'injected');
  assert.is(flow(rebound), 'source rebound');
  assert.is(flow(each(taking('element', 'n'), { over: 'x', as: 'n' } as any)), 'source element');
});

test('a retry stays with its graph; what it provides takes nothing in, and what it requires does', () => {
  const source = giving('source', 'x');
  const giver = linear('giver', taking('takes', 'x')).with({ retry: forEach([1], { provides: 'x' }) });
  const taker = linear('taker', named('b')).with({ retry: parameterizedForEach({ values: 'x', provides: 'x' }) });
  assert.is(left(graph('f', source, giver as any).target(giver)), 'giver');
  assert.is(left(graph('f', source, taker as any).target(taker)), 'source taker');
  const [a, b, c] = ['a', 'b', 'c'].map(named);
  const flow = graph('f', a, b, c)
    .with({ retry: times(2) })
    .target(b)
    .link(a, b)
    .with({ name: 'g' });
  assert.equal(
    compile(flow).atoms.map(({ name }) => name),
    ['g_retry', 'a', 'b'],
  );
  assert.is(flow.with({ retry: times(3, { name: 'again' }) }).length, 2);
});

test('flows that are shared until no one could count them are not counted', () => {
  let shared: FlowItem = named('a');
  let targeted: any = graph('0', named('b'));
  for (let i = 0; i < 300; i++) {
    shared = i % 2 ? unordered(`${i}`, shared, shared) : graph(`${i}`, shared, linear('l', shared));
    const [one, other] = [linear('one', targeted), linear('other', targeted)];
    targeted = graph(`${i}`, one, other, shared).link(other, one).target(one);
  }
  assert.is(left(targeted), 'one other');
  assert.throws(() => load(targeted).compile(), /Two tasks are named 'b'/);
});

test('a target at the end of a chain of 100,000 tasks, and one at its beginning', () => {
  const chain = list(100_000, (i) => pass.with({ name: `t${i}`, rebind: [`n${i}`], provides: `n${i + 1}` }));
  const flow = graph('f', chain.toReversed());
  assert.is(flow.target(chain[99_999]).length, 100_000);
  assert.is(flow.target(chain[0]).length, 1);
  let linked = graph(
    'f',
    chain.map(({ name }) => named(name)),
  );
  const items = [...linked];
  for (let i = 1; i < items.length; i++) linked = linked.link(items[i - 1], items[i]).target(items[i]);
  assert.is(linked.length, 100_000);
});

test('a name that 100,000 tasks provide and as many require is not looked at for each pair', () => {
  const writers = list(100_000, (i) => giving(`w${i}`, 'x'));
  const reader = taking('reader', 'x');
  const readers = list(100_000, (i) => reader.with({ name: `r${i}` }));
  const both = graph(
    'f',
    writers,
    linear('readers', unordered('inner', readers)),
    readers.map(({ name }) => reader.with({ name: `${name}'` })),
  );
  const last = [...both].at(-1)!;
  assert.throws(
    () => load(both.target(last)).compile(),
    (error: any) => error.code === 'ERR_MILLRACE_AMBIGUOUS_PROVIDER',
  );
});

const patterns: Record<string, (name: string, ...items: any[]) => FlowItem> = {
  'graphs with targets': (name, ...items) => graph(name, ...items).target(items[0]),
  graphs: (name, ...items) => graph(name, ...items),
  'linear flows': (name, ...items) => linear(name, ...items),
  'unordered flows': (name, ...items) => unordered(name, ...items),
};

for (const [kind, make] of Object.entries(patterns)) {
  test(`${kind} nested 10,000 deep, each with names of its own, are walked in no more steps than they have names`, () => {
    let inner: FlowItem = taking('needs', 'x').with({ provides: 'p' });
    for (let i = 0; i < 10_000; i++) {
      const own = taking('own', 'n').with({ name: `own ${i}`, rebind: [`in ${i}`], provides: `out ${i}` });
      inner = make(`${i}`, linear(`pair ${i}`, inner, own), named(`other ${i}`));
    }
    const source = giving('source', 'in 7');
    const flow = graph('f', source, giving('idle', 'nobody asks for it'), inner).target(inner);
    assert.is(flow.length, 2);
  });
}

test.run();
