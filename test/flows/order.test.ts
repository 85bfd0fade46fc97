/** In which order tasks run, and are reverted. */
import { type FlowItem, graph, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { engines, overEveryEngine } from '../engines.js';
import { fail, none } from '../fixtures/atoms/small.js';

const serial = { engine: 'serial' } as const;

/** Tasks that note their names when they run, and when they are reverted. */
function notes() {
  const ran: string[] = [];
  const note = task({
    name: 'note',
    execute: (_, { name }) => void ran.push(name),
    revert: (_, { name }) => void ran.push(`-${name}`),
  });
  const of = (name: string, priority = 0) => note.with({ name, priority });
  return { ran, of };
}

/** The order in which a serial run takes the tasks. */
async function orderOf(ran: string[], flow: FlowItem): Promise<string> {
  ran.length = 0;
  await run(flow as any, {}, serial);
  return ran.join(' ');
}

test('a serial run goes by declaration where nothing else says otherwise', async () => {
  const { ran, of } = notes();
  assert.is(await orderOf(ran, unordered('flow', of('a'), of('b'), of('c'))), 'a b c');
  assert.is(await orderOf(ran, graph('flow', of('a'), of('b'), of('c'))), 'a b c');
  const nested = unordered(
    'flow',
    of('a'),
    linear('inner', of('b'), unordered('innermost', of('c'), of('d'))),
    of('e'),
  );
  assert.is(await orderOf(ran, nested), 'a b c d e');
});

test('of the ready tasks that of the highest priority runs first', async () => {
  const { ran, of } = notes();
  const tasks = Array.from({ length: 10 }, (_, i) => of(`${i}`, i));
  assert.is(await orderOf(ran, unordered('flow', tasks)), '9 8 7 6 5 4 3 2 1 0');
  assert.is(await orderOf(ran, unordered('flow', of('a', -1), of('b'), of('c', 0.5), of('d', 0.5))), 'c d b a');
});

test('a priority does not let a task run before what it waits for', async () => {
  const { ran, of } = notes();
  assert.is(await orderOf(ran, linear('flow', of('a'), of('b', 9), of('c', 5))), 'a b c');
});

test('a task that becomes ready goes by its priority too', async () => {
  const { ran, of } = notes();
  const flow = unordered('flow', of('a'), of('b'), linear('inner', of('c', 1), of('d', 2)), of('e', 1));
  assert.is(await orderOf(ran, flow), 'c d e a b');
});

test('links go before declaration', async () => {
  const { ran, of } = notes();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => of(name));
  assert.is(await orderOf(ran, graph('flow', a, b, c, d).link(d, a)), 'b c d a');
  assert.is(await orderOf(ran, graph('flow', a, b, c, d).link(d, c).link(c, b).link(b, a)), 'd c b a');
});

test('links hold between whole flows', async () => {
  const { ran, of } = notes();
  const left = unordered('left', of('a'), of('b'));
  const right = unordered('right', of('c'), of('d'));
  assert.is(await orderOf(ran, graph('flow', left, right).link(right, left)), 'c d a b');
});

test('an order that goes through an empty flow holds', async () => {
  const { ran, of } = notes();
  const [a, b, empty] = [of('a'), of('b'), unordered('empty')];
  assert.is(await orderOf(ran, graph('flow', a, empty, b).link(b, empty).link(empty, a)), 'b a');
});

test('a serial order is the same each time', async () => {
  const { ran, of } = notes();
  const [a, b, c, d] = [of('a', 1), of('b', 3), of('c', 2), of('d', 3)];
  const flow = graph('flow', a, b, unordered('inner', c, d)).link(b, a);
  const first = await orderOf(ran, flow);
  for (let i = 0; i < 5; i++) assert.is(await orderOf(ran, flow), first);
});

test('a serial run has one task under way at a time', async () => {
  let running = 0;
  const wait = task({
    name: 'wait',
    async execute() {
      assert.is(++running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    },
  });
  const items = Array.from({ length: 10 }, (_, i) => wait.with({ name: `${i}` }));
  await run(unordered('flow', items), {}, serial);
});

test('a serial run of synchronous tasks ends within the call', () => {
  const { ran, of } = notes();
  run(linear('flow', of('a'), unordered('inner', of('b'), of('c'))), {}, serial);
  assert.is(ran.join(' '), 'a b c');
});

test('a failed serial flow reverts in the reverse order of completion', async () => {
  const { ran, of } = notes();
  const flow = graph('flow', of('a'), of('b', 1), linear('inner', of('c', 2), fail), of('d', -1));
  await run(flow, {}, serial).catch(() => {});
  assert.is(ran.join(' '), 'c b a -a -b -c');
});

for (const { name, options } of engines.slice(1)) {
  test(`of the ready tasks that of the highest priority begins first (${name})`, async () => {
    const begun: number[] = [];
    const tasks = Array.from({ length: 10 }, (_, i) => none.with({ name: `${i}`, priority: i }));
    const engine = load(unordered('flow', tasks), options);
    engine.on('task', ({ name, state }) => state === 'RUNNING' && begun.push(Number(name)));
    await engine.run();
    // Several threads take them in this order, some at a time, and the order in which they begin is then up to the threads.
    const certain = options.workers === 1 ? 10 : 1;
    assert.equal(begun.slice(0, certain), [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].slice(0, certain));
  });

  test(`local tasks run at the same time as travelling ones (${name})`, async () => {
    let here = () => {};
    const meeting = new Promise<void>((resolve) => (here = resolve));
    const local = task({ name: 'local', execute: () => meeting });
    const engine = load(unordered('flow', local, none), options);
    engine.on('task', ({ name, state }) => {
      if (name === 'none' && state === 'SUCCESS') here();
    });
    await engine.run();
  });
}

overEveryEngine((test, options) => {
  /** The order of the events in which tasks begin and end, and begin and end to be reverted. */
  async function eventsOf(flow: FlowItem): Promise<string[]> {
    const engine = load<any, any>(flow, options);
    const events: string[] = [];
    engine.on('task', ({ name, state }) => events.push(`${name} ${state}`));
    await engine.run().catch(() => {});
    return events;
  }

  test('a linear flow runs one item after the other, nested ones as well', async () => {
    const of = (name: string) => none.with({ name });
    const flow = linear('1', of('a'), linear('2', of('b'), linear('3', of('c')), of('d')), of('e'));
    const expected = ['a', 'b', 'c', 'd', 'e'].flatMap((name) => [`${name} RUNNING`, `${name} SUCCESS`]);
    assert.equal(await eventsOf(flow), expected);
  });

  test('a linear flow that fails is reverted backwards, and what has not run is not', async () => {
    const of = (name: string) => none.with({ name });
    assert.equal(await eventsOf(linear('flow', of('a'), linear('inner', of('b'), fail), of('c'))), [
      ...['a RUNNING', 'a SUCCESS', 'b RUNNING', 'b SUCCESS', 'fail RUNNING', 'fail FAILURE'],
      ...['fail REVERTING', 'fail REVERTED', 'b REVERTING', 'b REVERTED', 'a REVERTING', 'a REVERTED'],
    ]);
  });

  test('a task waits for all of a nested flow, and a nested flow for all before it', async () => {
    const of = (name: string) => none.with({ name });
    const many = (name: string) => unordered(name, ...[1, 2, 3].map((i) => of(`${name}${i}`)));
    const events = await eventsOf(linear('flow', many('a'), many('b'), of('c'), many('d')));
    const at = (event: string) => events.indexOf(event);
    for (const [first, second] of [...'ab'].flatMap((n) => [1, 2, 3].map((i) => [`${n}${i}`, n === 'a' ? 'b' : 'c']))) {
      for (const later of second === 'c' ? ['c'] : ['b1', 'b2', 'b3']) {
        assert.ok(at(`${first} SUCCESS`) < at(`${later} RUNNING`), `${first} before ${later}`);
      }
    }
    for (const last of ['d1', 'd2', 'd3']) assert.ok(at('c SUCCESS') < at(`${last} RUNNING`));
    assert.is(events.length, 20);
  });
});

test.run();
