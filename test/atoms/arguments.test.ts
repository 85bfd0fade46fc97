import { type FlowError, type FlowItem, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { echo, fail, giver, look, multiply, one, pass, record, several, sum } from '../fixtures/atoms/small.js';

/** What `echo` is given. */
async function seen(flow: FlowItem, inputs: object, options: object): Promise<unknown> {
  return ((await run(flow, inputs, options)) as { echo: unknown }).echo;
}

overEveryEngine((test, options) => {
  test('one name stands for the whole result', async () => {
    assert.equal(await run(one.with({ provides: 'first' }), {}, options), { first: 1 });
    assert.equal(await run(several.with({ provides: 'all' }), {}, options), { all: [1, 3, 5] });
  });

  test('a list of names takes the elements of the result', async () => {
    assert.equal(await run(several.with({ provides: ['a', 'b', 'c'] }), {}, options), { a: 1, b: 3, c: 5 });
  });

  test('a list of one name takes the first element', async () => {
    assert.equal(await run(several.with({ provides: ['a'] }), {}, options), { a: 1 });
  });

  test('a set of names takes the properties of the result', async () => {
    const provides = new Set(['red', 'blue'] as const);
    assert.equal(await run(record.with({ provides }), {}, options), { red: 1, blue: 3 });
  });

  test('a task that provides nothing runs, and its result is dropped', async () => {
    assert.equal(await run(several, {}, options), {});
  });

  test('a result that lacks a promised element is a failure of its task', async () => {
    const flow = linear(
      'flow',
      several.with({ provides: ['a', 'b', 'c', 'd'] }),
      pass.with({ rebind: { value: 'd' } }),
    );
    const error = await run(flow, {}, options).catch((error) => error);
    assert.is(error.code, 'ERR_MILLRACE_BAD_RESULT');
    assert.is(error.task, 'several');
    assert.match(error.message, /element 3 \('d'\)/);
  });

  test('a result that lacks a promised property is a failure of its task', async () => {
    const error = await run(record.with({ provides: new Set(['red', 'grey']) as Set<'red'> }), {}, options).catch(
      (error) => error,
    );
    assert.is(error.code, 'ERR_MILLRACE_BAD_RESULT');
    assert.match(error.message, /'grey'/);
  });

  test('inputs that no task asks for do no harm', async () => {
    assert.equal(await run(sum, { x: 2, y: 4, z: 8, unused: 17 }, options), { sum: 14 });
  });

  test('rebind as an object renames the arguments that it mentions', async () => {
    const inputs = { x: 20, b: 7, z: 3, y: 1000 };
    assert.equal(await run(sum.with({ rebind: { y: 'b' } }), inputs, options), { sum: 30 });
  });

  test('rebind as a list goes by position, and the rest keep their names', async () => {
    const inputs = { a: 1, b: 2, z: 3 };
    assert.equal(await run(sum.with({ rebind: ['a', 'b'] }), inputs, options), { sum: 6 });
  });

  test('rebind as a list goes on with the optional arguments', async () => {
    const flow = echo.with({ rebind: ['a', 'b', 'c'] });
    assert.equal(await seen(flow, { a: 1, b: 2, c: 3 }, options), { first: 1, second: 2, third: 3 });
  });

  test('two arguments may be fed by one name', async () => {
    const flow = echo.with({ rebind: { first: 'a', second: 'a' } });
    assert.equal(await seen(flow, { a: { of: 1 } }, options), {
      first: { of: 1 },
      second: { of: 1 },
      third: undefined,
    });
  });

  test('arguments can change places', async () => {
    const flow = echo.with({ rebind: { first: 'second', second: 'first' } });
    assert.equal(await seen(flow, { first: 1, second: 2 }, options), { first: 2, second: 1, third: undefined });
  });

  test('an injected constant is known by the name after rebind', async () => {
    const flow = sum.with({ rebind: { x: 'a' }, inject: { a: 10 } as object });
    assert.equal(await run(flow as FlowItem, { y: 1, z: 3 }, options), { sum: 14 });
  });

  test('an injected constant is known by the name of the argument', async () => {
    const flow = sum.with({ rebind: { x: 'a' }, inject: { x: 10 } });
    assert.equal(await run(flow, { y: 1, z: 3 }, options), { sum: 14 });
  });

  test('an injected name after rebind goes before an argument of that name, however the arguments stand', async () => {
    const swapped = echo.with({ rebind: { first: 'second', second: 'other' }, inject: { second: 'constant' } });
    assert.equal(await seen(swapped, { other: 2 }, options), { first: 'constant', second: 2, third: undefined });
    const turned = echo.with({ rebind: { first: 'other', second: 'first' }, inject: { first: 'constant' } });
    assert.equal(await seen(turned, { other: 2 }, options), { first: 2, second: 'constant', third: undefined });
  });

  test('what is injected goes before inputs and before what tasks provide', async () => {
    const flow = linear('flow', one.with({ provides: 'x' }), sum.with({ inject: { x: 10 } }));
    assert.equal(await run(flow, { x: 100, y: 1, z: 3 }, options), { x: 1, sum: 14 });
  });

  test('what is injected is no output of the flow', async () => {
    const engine = load(sum.with({ inject: { x: 10 } }), { ...options, inputs: { y: 1, z: 3 } });
    await engine.run();
    assert.equal(engine.storage.fetchAll(), { y: 1, z: 3, sum: 14 });
  });

  test('what is injected and not declared is one more argument', async () => {
    const flow = echo.with({ inject: { first: 1, second: 2, fourth: 4 } as object });
    assert.equal(await seen(flow as FlowItem, {}, options), { first: 1, second: 2, third: undefined, fourth: 4 });
  });

  test('what is injected joins what was injected before', async () => {
    const flow = sum.with({ inject: { x: 1, y: 1 } }).with({ name: 'sum 2', inject: { y: 20, z: 300 } });
    assert.equal(await run(flow, {}, options), { sum: 321 });
  });

  const products: [what: string, inject: object, inputs: object, product: number][] = [
    ['is left out when nobody gives it', {}, { a: 3 }, 15],
    ['is taken from the inputs', {}, { a: 3, b: 7 }, 21],
    ['is left out although another argument is injected', { a: 10 }, { a: 3 }, 50],
    ['is taken from the inputs although another argument is injected', { a: 10 }, { a: 3, b: 7 }, 70],
    ['can be injected', { b: 1000 }, { a: 3 }, 3000],
    ['is injected rather than taken from the inputs', { b: 1000 }, { a: 3, b: 7 }, 3000],
  ];
  for (const [what, inject, inputs, product] of products) {
    test(`an optional argument ${what}`, async () => {
      assert.equal(await run(multiply.with({ inject }) as FlowItem, inputs, options), { product });
    });
  }

  test('an optional argument is taken from a task before', async () => {
    const flow = linear('flow', one.with({ provides: 'b' }), multiply);
    assert.equal(await run(flow, { a: 3 }, options), { b: 1, product: 3 });
  });

  test('a value that is null or undefined is a value', async () => {
    const flow = linear('flow', pass.with({ provides: 'seen' }), look.with({ provides: 'looked' }));
    assert.equal(await run(flow, { value: null }, options), { seen: null, looked: null });
    assert.equal(await run(flow, { value: undefined }, options), { seen: undefined, looked: 'nothing' });
  });

  test('names of properties that every object has are names like others', async () => {
    const look2 = look.with({ rebind: { seen: 'toString' }, provides: 'constructor' });
    assert.equal(await run(look2, {}, options), { constructor: 'nothing' });
    assert.equal(await run(look2, { toString: 'mine' }, options), { constructor: 'mine' });
    const error = await run(pass.with({ rebind: { value: 'hasOwnProperty' } }) as FlowItem, {}, options).catch(
      (e) => e,
    );
    assert.is((error as FlowError).code, 'ERR_MILLRACE_MISSING_INPUT');
  });

  test('tasks that share a value are each given the same', async () => {
    const value = { list: [1, 2, 3], map: new Map([['k', new Date(5)]]) };
    const passes = Array.from({ length: 20 }, (_, i) => pass.with({ name: `pass ${i}`, provides: `out ${i}` }));
    const result = await run(unordered('flow', passes), { value }, options);
    assert.is(Object.keys(result).length, 20);
    for (const out of Object.values(result)) assert.equal(out, value);
  });

  test('revert is given the arguments, what the task provided, its result and what failed', async () => {
    const flow = linear('flow', echo.with({ provides: 'mine', inject: { second: 2 } }), fail);
    const engine = load(flow, { ...options, inputs: { first: 1 } });
    const error = await engine.run().catch((error) => error);
    assert.is(error.message, 'Woot!');
    const result = { first: 1, second: 2, third: undefined };
    const flowFailures = { fail: 'Failure: RangeError: Woot! (of fail)' };
    assert.equal(engine.storage.getRevertResult('echo'), { ...result, mine: result, result, flowFailures });
  });

  test('the values of a list or a set are given to revert by name', async () => {
    const listed = echo.with({
      name: 'listed',
      provides: new Set(['first', 'second']) as Set<any>,
      rebind: ['a', 'b'],
    });
    const flow = linear('flow', listed, fail);
    const engine = load(flow, { ...options, inputs: { a: 'A', b: 'B' } });
    await engine.run().catch(() => {});
    const given = engine.storage.getRevertResult('listed') as Record<string, unknown>;
    assert.is(given.first, 'A');
    assert.is(given.second, 'B');
  });

  test('a task that failed is given its failure as the result', async () => {
    const engine = load(linear('flow', fail), options);
    await engine.run().catch(() => {});
    const failure = 'Failure: RangeError: Woot! (of fail)';
    assert.equal(engine.storage.getRevertResult('fail'), { result: failure, flowFailures: { fail: failure } });
  });

  test('what a revert returns is kept', async () => {
    const engine = load(linear('flow', giver, fail), { ...options, inputs: { value: 0 } });
    await engine.run().catch(() => {});
    assert.is(engine.storage.getRevertResult('giver'), 2);
  });

  test('after a revert there is nothing left of what was provided', async () => {
    const engine = load(linear('flow', one, several.with({ provides: ['a', 'b'] }), fail), options);
    await engine.run().catch(() => {});
    assert.equal(engine.storage.fetchAll(), {});
    assert.throws(
      () => engine.storage.fetch('one'),
      (error: any) => error.code === 'ERR_MILLRACE_NOT_FOUND',
    );
  });

  test('the arguments of a local task are those of a travelling one', async () => {
    const local = task({
      ...{ name: 'local', requires: ['first', 'second'], optional: 'third', provides: 'mine' },
      execute: (args: Record<string, unknown>) => ({ ...args }),
    });
    const inputs = { first: { deep: [1] }, second: new Uint8Array([1, 2]) };
    const { mine, echo: theirs } = await run(linear('flow', local, echo), inputs, options);
    assert.equal(mine, theirs);
  });
});

test.run();
