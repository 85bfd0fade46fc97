/** TaskFlow's claims about arguments: where those of `execute` and of `revert` come from, and what is injected. */
import { graph, linear, load, run, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { rejection } from '../engine/capture.js';
import { overEveryKind } from './kinds.js';

const missing = (names: RegExp) => (error: any) => {
  assert.is(error.code, 'ERR_MILLRACE_MISSING_INPUT');
  assert.match(error.message, names);
  return true;
};

overEveryKind((test, options, tasks) => {
  const { multiply, sum, addOne, one, echo, failing, ownRevert, ownRevertLater, reboundRevert } = tasks;

  /** Runs a flow that fails, and gives what the reverts said. */
  async function reverts(flow: any, inputs: object) {
    const said: any[] = [];
    const services = { reverted: (what: object) => said.push(what) };
    await rejection(run(flow, inputs, { ...options, services }));
    return said;
  }

  test('an optional argument is given what is stored or injected, and what is injected counts', async () => {
    const result = async (inputs: object, inject?: object) =>
      ((await run(inject ? multiply.with({ inject } as object) : multiply, inputs, options)) as any).result;
    assert.is(await result({ a: 3 }), 15);
    assert.is(await result({ a: 3, b: 7 }), 21);
    assert.is(await result({ a: 3 }, { a: 10 }), 50);
    assert.is(await result({ a: 3, b: 7 }, { a: 10 }), 70);
    assert.is(await result({ a: 3 }, { b: 1000 }), 3000);
    assert.is(await result({ a: 3, b: 7 }, { b: 1000 }), 3000);
  });

  test('the storage holds what was given and what was made, and nothing of what a task injects', async () => {
    const engine = load(sum.with({ inject: { z: 8 } } as object), { ...options, inputs: { x: 2, y: 4, unused: 17 } });
    await engine.run();
    assert.equal(engine.storage.fetchAll(), { x: 2, y: 4, unused: 17, result: 14 });
  });

  test('of several providers each task sees the nearest before it', async () => {
    const chain = ['a', 'b', 'c'].map((name, i) =>
      addOne.with({ name, rebind: { source: i === 0 ? 'source' : 'value' }, provides: 'value' }),
    );
    const engine = load(linear('f', chain), { ...options, inputs: { source: 0 } });
    const seen: unknown[] = [];
    engine.on('task', ({ state, result }) => state === 'SUCCESS' && seen.push(result));
    await engine.run();
    assert.equal(seen, [1, 2, 3]);
  });

  test('a stored value is seen by all tasks, whatever provides the name', async () => {
    const all = ['a', 'b', 'c'].map((name) => addOne.with({ name, rebind: { source: 'value' }, provides: 'value' }));
    const engine = load(linear('f', all), { ...options, inputs: { value: 0 } });
    const seen: unknown[] = [];
    engine.on('task', ({ state, result }) => state === 'SUCCESS' && seen.push(result));
    await engine.run();
    assert.equal(seen, [1, 1, 1]);
  });

  test('what a revert needs is asked for before anything runs', async () => {
    const engine = load(linear('f', one, ownRevert), { ...options, inputs: { executeArg: 1 } });
    assert.throws(() => engine.validate(), missing(/'revertArg' \(for task 'own'\)/));
    await engine.run().then(() => assert.unreachable(), missing(/'revertArg'/));
    assert.is(engine.storage.getTaskState('one'), 'PENDING');
  });

  test('a name that a revert is fed by is asked for before anything runs', async () => {
    const flow = linear('f', reboundRevert, failing);
    assert.throws(() => load(flow, { ...options, inputs: { arg: 1 } }).validate(), missing(/'other'/));
    assert.equal(await reverts(flow, { arg: 1, other: 2 }), [{ arg: 2, failed: ['fail'], result: '1' }]);
  });

  test('a revert with arguments of its own is given those, and what failed', async () => {
    assert.equal(await reverts(ownRevert, { executeArg: 1, revertArg: 2, maybe: 3 }), [
      { revertArg: 2, perhaps: undefined, failed: ['own'], result: 'Failure: Error: Woot!' },
    ]);
    const [{ perhaps }] = await reverts(ownRevert, { executeArg: 1, revertArg: 2, perhaps: 4 });
    assert.is(perhaps, 4);
  });

  test('a revert with arguments of its own is given what its task provided', async () => {
    const said = await reverts(linear('f', ownRevertLater, failing), { executeArg: 'clay', revertArg: 2 });
    assert.equal(said, [
      { revertArg: 2, perhaps: undefined, made: 'made of clay', failed: ['fail'], result: 'made of clay' },
    ]);
  });

  test('an argument of a revert is fed by what ran before', async () => {
    const before = one.with({ provides: 'revertArg' });
    const later = addOne.with({ name: 'perhaps', rebind: { source: 'revertArg' }, provides: 'perhaps' });
    const [said] = await reverts(linear('f', before, later, ownRevertLater, failing), { executeArg: 0 });
    assert.is(said.revertArg, 1);
    assert.is(said.perhaps, 2);
  });

  test('what a revert requires makes an order in a graph, and what it may take does not', async () => {
    const before = one.with({ provides: 'revertArg' });
    const perhaps = one.with({ name: 'perhaps', provides: 'perhaps' });
    const flow = linear('f', graph('g', ownRevertLater, perhaps, before), failing);
    const [said] = await reverts(flow, { executeArg: 0 });
    assert.is(said.revertArg, 1);
    assert.is(said.perhaps, undefined);
  });

  test('an argument of a revert may be rebound and injected in a copy', async () => {
    const copy = ownRevertLater.with({ revertRebind: { revertArg: 'x' }, inject: { perhaps: 'p' } } as object);
    const [said] = await reverts(linear('f', copy, failing), { executeArg: 0, x: 'from x' });
    assert.is(said.revertArg, 'from x');
    assert.is(said.perhaps, 'p');
    const moved = reboundRevert.with({ name: 'moved', rebind: { arg: 'a' } });
    assert.equal(await reverts(linear('f', moved, failing), { a: 1, other: 2 }), [
      { arg: 2, failed: ['fail'], result: '1' },
    ]);
  });

  test('without names of its own a revert is fed as execute is', async () => {
    const copy = ownRevertLater.with({ rebind: { executeArg: 'a' } });
    const [said] = await reverts(linear('f', copy, failing), { a: 1, revertArg: 2 });
    assert.is(said.result, 'made of 1');
    assert.is(said.revertArg, 2);
  });

  test('an input hides what tasks provide from reverts as well', async () => {
    const before = one.with({ provides: 'revertArg' });
    const [said] = await reverts(linear('f', before, ownRevertLater, failing), { executeArg: 0, revertArg: 'given' });
    assert.is(said.revertArg, 'given');
  });

  test('many tasks whose reverts have arguments of their own are all reverted', async () => {
    const parts = Array.from({ length: 20 }, (_, i) =>
      ownRevertLater.with({ name: `part-${i}`, provides: `made-${i}`, revertRebind: { revertArg: `arg-${i}` } }),
    );
    const inputs = Object.fromEntries(parts.map((_, i) => [`arg-${i}`, i]));
    const said = await reverts(linear('f', unordered('parts', parts), failing), { executeArg: 0, ...inputs });
    assert.equal(
      said.map(({ revertArg }) => revertArg).sort((a, b) => a - b),
      parts.map((_, i) => i),
    );
  });

  test('the arguments of a task can be fetched', async () => {
    const engine = load(linear('f', one, sum, echo), { ...options, inputs: { y: 2 } });
    engine.storage.inject({ z: 3 });
    const { storage } = engine;
    const notFound = (error: any) =>
      error.code === 'ERR_MILLRACE_NOT_FOUND' && /'sum' requires 'x'/.test(error.message);
    assert.throws(() => storage.fetchMappedArgs('sum'), notFound);
    await engine.run();
    assert.equal(storage.fetchMappedArgs('sum'), { x: 1, y: 2, z: 3 });
    assert.equal(storage.fetchMappedArgs('one'), {});
  });

  test('an optional argument is fetched if there is a value for it', () => {
    const fetch = (inputs: object) => load(echo, { ...options, inputs }).storage.fetchMappedArgs('echo');
    assert.equal(fetch({ x: 1 }), { x: 1 });
    assert.equal(fetch({ x: 1, y: undefined }), { x: 1, y: undefined });
  });

  test('an injected constant is fetched among the arguments', () => {
    const engine = load(sum.with({ inject: { x: 1, y: 2 } } as object), { ...options, inputs: { z: 3 } });
    assert.equal(engine.storage.fetchMappedArgs('sum'), { x: 1, y: 2, z: 3 });
  });

  test('the names that nobody provides can be fetched', () => {
    const { storage } = load(linear('f', one, sum, ownRevert), options);
    assert.equal(storage.fetchUnsatisfiedArgs('one'), []);
    assert.equal(storage.fetchUnsatisfiedArgs('sum'), ['y', 'z']);
    assert.equal(storage.fetchUnsatisfiedArgs('own'), ['executeArg', 'revertArg']);
    storage.inject({ y: 0, revertArg: undefined });
    assert.equal(storage.fetchUnsatisfiedArgs('sum'), ['z']);
    storage.injectTaskArgs('sum', { z: 0 });
    assert.equal(storage.fetchUnsatisfiedArgs('sum'), []);
    assert.equal(storage.fetchUnsatisfiedArgs('own'), ['executeArg']);
  });

  test('values may be injected before a run, and join those that were given', async () => {
    const engine = load(sum, { ...options, inputs: { x: 1, y: 0 } as any });
    assert.throws(() => engine.validate(), missing(/'z'/));
    engine.storage.inject({ z: 3 });
    engine.storage.inject({ y: 2 });
    engine.validate();
    assert.equal(await engine.run(), { result: 6 });
    assert.equal(engine.storage.fetchAll(), { x: 1, y: 2, z: 3, result: 6 });
  });

  test('a transient value goes before one that is not, and an argument of the task before both', async () => {
    const engine = load(linear('f', one, addOne.with({ rebind: { source: 'x' } })), options);
    const result = async () => ((await engine.reset().run()) as any).result;
    assert.is(await result(), 2);
    engine.storage.inject({ x: 3 }, { transient: true });
    engine.storage.inject({ x: 2 });
    assert.is(await result(), 4);
    engine.storage.injectTaskArgs('add', { x: 10 });
    assert.is(await result(), 11);
    engine.storage.injectTaskArgs('add', { x: 20 });
    assert.is(await result(), 21);
    assert.equal(engine.storage.fetchMappedArgs('add'), { source: 20 });
  });

  test('what is given to one task is missing to another', async () => {
    const flow = linear('f', sum, sum.with({ name: 'other', provides: 'more' }));
    const engine = load(flow, { ...options, inputs: { x: 1, y: 2 } as any });
    engine.storage.injectTaskArgs('sum', { z: 3 });
    assert.throws(() => engine.validate(), missing(/requires 'z' \(for task 'other'\):/));
    engine.storage.injectTaskArgs('other', { z: 4 });
    assert.equal(await engine.run(), { result: 6, more: 7 });
  });

  test('what is given to a task goes to its revert too, and before what it injects', async () => {
    const said: any[] = [];
    const services = { reverted: (what: object) => said.push(what) };
    const copy = ownRevertLater.with({ inject: { revertArg: 'constant' } } as object);
    const engine = load(linear('f', copy, failing), { ...options, services });
    engine.storage.injectTaskArgs('later', { revertArg: 'own', executeArg: 'stone' });
    await rejection(engine.run());
    assert.is(said[0].revertArg, 'own');
    assert.is(said[0].result, 'made of stone');
  });

  test('values may be injected while a flow is suspended', async () => {
    // With a timeout a task travels alone, hence the next has not started when its success is told.
    const flow = linear('f', one.with({ timeout: 60_000 }), addOne.with({ rebind: { source: 'x' } }));
    const engine = load(flow, options);
    engine.once('task', () => engine.suspend());
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    engine.storage.inject({ x: 41 });
    assert.equal(((await engine.run()) as any).result, 42);
  });

  test('nothing may be injected while the flow runs', async () => {
    const engine = load(one, options);
    const refused: any[] = [];
    engine.once('task', () => {
      for (const give of [() => engine.storage.inject({ x: 1 }), () => engine.storage.injectTaskArgs('one', {})]) {
        try {
          give();
        } catch (error) {
          refused.push((error as any).code);
        }
      }
    });
    await engine.run();
    assert.equal(refused, ['ERR_MILLRACE_INVALID_STATE', 'ERR_MILLRACE_INVALID_STATE']);
  });

  test('what is injected must be an object, for a task and an argument that there are', () => {
    const { storage } = load(sum, options);
    const wrong = (text: RegExp) => (error: any) =>
      error.code === 'ERR_MILLRACE_INVALID_ARG' && text.test(error.message);
    assert.throws(() => storage.inject([] as any), wrong(/inject\(\).*an array/));
    assert.throws(() => storage.injectTaskArgs('sum', 1 as any), wrong(/injectTaskArgs\(\).*a number/));
    assert.throws(() => storage.injectTaskArgs('nobody', {}), wrong(/no task named 'nobody'/));
    assert.throws(() => storage.injectTaskArgs('sum', { q: 1 }), wrong(/'sum' has no argument 'q' \(x, y, z\)/));
  });
});

once.run();
