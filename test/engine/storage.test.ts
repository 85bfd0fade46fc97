import { Failure, graph, linear, load, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

overEveryKind((test, options, { five, addOne, woot, gotcha, giveBack, returns }) => {
  const pair = returns.with({ name: 'pair', provides: ['left', 'right'], inject: { what: ['l', 'r'] } } as object);
  const keys = returns.with({
    name: 'keys',
    provides: new Set(['x', 'y']),
    inject: { what: { x: 1, y: 2, z: 3 } },
  } as object);

  test('fetch() gives values by name: whole results, elements and keys', async () => {
    const engine = load(linear('f', five, pair, keys), options);
    await engine.run();
    const { storage } = engine;
    assert.equal(
      ['five', 'left', 'right', 'x', 'y'].map((name) => storage.fetch(name)),
      [5, 'l', 'r', 1, 2],
    );
    assert.equal(storage.fetchAll(), { five: 5, left: 'l', right: 'r', x: 1, y: 2 });
  });

  test('fetch() gives inputs, needed or not', () => {
    const { storage } = load(addOne, { ...options, inputs: { value: 1, other: 2 } });
    assert.is(storage.fetch('value'), 1);
    assert.is(storage.fetch('other'), 2);
    assert.equal(storage.fetchAll(), { value: 1, other: 2 });
  });

  test('fetch() of a name that nobody knows is an error that says so', async () => {
    const engine = load(five, options);
    const code = ({ code, message }: { code: string; message: string }) =>
      code === 'ERR_MILLRACE_NOT_FOUND' && message.includes("'nothing'");
    assert.throws(() => engine.storage.fetch('nothing'), code);
    assert.throws(() => engine.storage.fetch('toString'), /toString/);
  });

  test('fetch() of a value that is not there yet is an error that says so', async () => {
    const engine = load(five, options);
    assert.throws(() => engine.storage.fetch('five'), /'five' has no value yet/);
    await engine.run();
    assert.is(engine.storage.fetch('five'), 5);
  });

  test('an input goes before what a task provides, and both are there', async () => {
    const engine = load(five.with({ provides: 'x' }), { ...options, inputs: { x: 0 } });
    await engine.run();
    assert.is(engine.storage.fetch('x'), 0);
    assert.equal(engine.storage.fetchAll(), { x: [0, 5] });
  });

  test('of several providers the last one counts, and all are there', async () => {
    const more = addOne.with({ rebind: { value: 'five' }, provides: 'five' });
    const engine = load(linear('f', five, more), options);
    assert.equal(await engine.run(), { five: 6 });
    assert.is(engine.storage.fetch('five'), 6);
    assert.equal(engine.storage.fetchAll(), { five: [5, 6] });
  });

  test('of several providers the last one that has run counts, while the flow is not through', async () => {
    // With a timeout a task travels alone, hence the next has not started when its success is told.
    const [a, b, c] = ['a', 'b', 'c'].map((name, i) =>
      returns.with({ name, provides: 'x', inject: { what: i }, timeout: 60_000 } as object),
    );
    const engine = load(linear('f', a, b, c), options);
    engine.on('task', ({ name, state }) => name === 'b' && state === 'SUCCESS' && engine.suspend());
    assert.equal(await engine.run(), { x: 1 });
    assert.is(engine.storage.fetch('x'), 1);
    assert.equal(await engine.run(), { x: 2 });
  });

  test('a value that is undefined is a value', async () => {
    const engine = load(returns.with({ provides: 'x', inject: { what: undefined } } as object), options);
    assert.equal(await engine.run(), { x: undefined });
    assert.is(engine.storage.fetch('x'), undefined);
  });

  test('the states of tasks can be asked for at any time', async () => {
    const engine = load(linear('f', unordered('u', five), graph('g', woot)), options);
    assert.equal(engine.storage.getTaskStates(), { five: 'PENDING', woot: 'PENDING' });
    assert.is(engine.storage.getTaskState('woot'), 'PENDING');
    await rejection(engine.run());
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', woot: 'REVERTED' });
    assert.throws(
      () => engine.storage.getTaskState('nobody'),
      ({ code }: { code: string }) => code === 'ERR_MILLRACE_INVALID_ARG',
    );
  });

  test('failures can be asked for by the name of the task', async () => {
    const engine = load(linear('f', gotcha, woot), options);
    assert.equal(engine.storage.getExecuteFailures(), {});
    assert.equal(engine.storage.getRevertFailures(), {});
    await rejection(engine.run());
    const { woot: failure } = engine.storage.getExecuteFailures();
    assert.instance(failure, Failure);
    assert.is(failure.task, 'woot');
    assert.is(String(failure), 'Failure: Error: Woot!');
    assert.is(String(engine.storage.getRevertFailures().gotcha), 'Failure: Error: Gotcha!');
  });

  test('a reset takes values, failures and the results of reverts away', async () => {
    const engine = load(linear('f', giveBack, woot), { ...options, inputs: { value: 1 } });
    await rejection(engine.run());
    engine.reset();
    assert.equal(engine.storage.fetchAll(), { value: 1 });
    assert.equal(engine.storage.getExecuteFailures(), {});
    assert.throws(() => engine.storage.getRevertResult('giveBack'), /'giveBack' was not reverted/);
  });
});

once.run();
