/** What builds flows from their inputs. */
import { inspect } from 'node:util';
import { type Factory, factory, linear, load, run, task, times, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { rejection } from '../engine/capture.js';
import { overEveryEngine } from '../engines.js';

const square = task({
  name: 'square',
  requires: ['n', 'offset'],
  execute: ({ n, offset }: { n: number; offset: number }) => n * n + offset,
});

const squares = factory('squares', ({ count }: { count: number }) =>
  unordered(
    'squares',
    Array.from({ length: count }, (_, n) =>
      square.with({ name: `square ${n}`, inject: { n }, provides: `square ${n}` }),
    ),
  ),
);
const anything = (build: unknown) => factory('broken', build as never) as Factory;

overEveryEngine((test, options) => {
  test('a factory is run like a flow, and what it builds is given the same inputs', async () => {
    assert.equal(await run(squares, { count: 3, offset: 1 }, options), { 'square 0': 1, 'square 1': 2, 'square 2': 5 });
    await using engine = load(squares, { ...options, inputs: { count: 1, offset: 0 } });
    assert.equal(await engine.run(), { 'square 0': 0 });
  });

  test('what the built flow lacks is told before anything runs', async () => {
    const error = await rejection(run(squares as Factory, { count: 1 }, options));
    assert.is(error.code, 'ERR_MILLRACE_MISSING_INPUT');
    assert.match(error.message, /requires 'offset' \(for task 'square 0'\)/);
  });

  test('a factory may build a lone task', async () => {
    const one = factory('one', () => task({ name: 'one', provides: 'one', execute: () => 1 }));
    assert.equal(await run(one, {}, options), { one: 1 });
  });
});

once('a factory is asked once an engine', async () => {
  let asked = 0;
  const counted = factory('counted', ({ count }: { count: number }) => {
    asked++;
    return linear(
      'counted',
      Array.from({ length: count }, (_, i) => task({ name: `t${i}`, execute: () => {} })),
    );
  });
  await using engine = load(counted, { engine: 'serial', inputs: { count: 2 } });
  assert.is(asked, 0);
  assert.equal([engine.compile().name, engine.flow, asked], ['counted', engine.flow, 1]);
  await engine.run();
  await engine.reset().run();
  assert.is(asked, 1);
  await run(counted, { count: 2 }, { engine: 'serial' });
  assert.is(asked, 2);
});

once('a factory that fails is told with its name and the cause', async () => {
  const cause = new TypeError('no count');
  const failing = anything(() => {
    throw cause;
  });
  const error = await rejection(run(failing, {}, { engine: 'serial' }));
  assert.equal([error.name, error.code], ['FlowError', 'ERR_MILLRACE_FACTORY_FAILED']);
  assert.is(error.message, "Factory 'broken' could not build its flow: no count");
  assert.is(error.cause, cause);
});

once('what is no flow cannot be built', async () => {
  const cases: [unknown, RegExp][] = [
    [7, /^Factory 'broken': build must return a flow or a task; received a number \(7\)$/],
    [undefined, /received undefined/],
    [Promise.reject(new Error('never heard of')), /received a promise/],
    [times(3), /received a retry/],
    [squares, /received an instance of FactoryNode/],
  ];
  for (const [built, message] of cases) {
    const error = await rejection(run(anything(() => built), {}, { engine: 'serial' })); // biome-ignore format: one call
    assert.is(error.code, 'ERR_MILLRACE_NOT_A_FLOW');
    assert.match(error.message, message);
  }
});

once('inputs that are no object reach no factory', async () => {
  const never = anything(() => assert.unreachable());
  const error = await rejection(run(never, [] as never, { engine: 'serial' }));
  assert.is(error.code, 'ERR_MILLRACE_INVALID_INPUT');
  assert.is(error.message, "Factory 'broken': the inputs must be an object, one property an input; received an array");
});

once('a factory is no item of a flow', () => {
  assert.throws(
    () => linear('f', squares as never),
    (error: any) => error.code === 'ERR_MILLRACE_NOT_A_FLOW' && /item 0 must be a task or a flow/.test(error.message),
  );
});

once('wrong arguments are refused', () => {
  const refuses = (args: unknown[], message: RegExp) =>
    assert.throws(
      () => (factory as (...args: unknown[]) => unknown)(...args),
      (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && message.test(error.message),
    );
  refuses([], /^factory\(\): the first argument must be the factory's name; received undefined$/);
  refuses(['', () => {}], /the factory's name; received a string \(""\)$/);
  refuses(['f'], /^factory\('f'\): build must be a function; received undefined$/);
  refuses(['f', linear('g')], /build must be a function; received an instance of FlowNode$/);
});

once('a factory prints as such, and an engine as that until there is a flow', () => {
  assert.is(inspect(squares), "Factory 'squares'");
  const engine = load(squares, { inputs: { count: 1, offset: 0 } });
  assert.is(inspect(engine), "Engine (PENDING) of Factory 'squares'");
  assert.match(inspect(engine.compile()), /^Engine \(PENDING\) of Flow 'squares' \(unordered, 1 item\)/);
});

once.run();
