/** TaskFlow's claims about flows that are recorded, and resumed by another engine. */
import { type Engine, type FlowItem, factory, linear, load, type RunOptions, resume, task } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore, type Store } from '../../src/storage/index.js';
import { rejection } from '../engine/capture.js';
import { overEveryKind } from './kinds.js';

const id = 'flow';

/** Runs a flow until a task has come to a state, records it, and leaves it. */
async function suspendedAt(store: Store, flow: FlowItem, options: RunOptions, name: string, state: string) {
  await using engine = load<any, any>(flow, { ...options, record: { store, id } });
  engine.on('task', (event) => event.name === name && event.state === state && engine.suspend());
  await engine.run();
  assert.is(engine.state, 'SUSPENDED');
}

/** What tasks come to while an engine runs. */
function statesOf(engine: Engine<any>): string[] {
  const seen: string[] = [];
  engine.on('task', ({ name, state }) => seen.push(`${name} ${state}`));
  return seen;
}

overEveryKind((test, options, { one, noop, failing }) => {
  test('of two tasks of which one has run, the other runs', async () => {
    await using store = await openStore('memory:');
    const flow = linear('f', one.with({ name: 'task1', provides: 'x1' }), one.with({ name: 'task2', provides: 'x2' }));
    await suspendedAt(store, flow, options, 'task1', 'SUCCESS');
    await using engine = load<any, any>(flow, { ...options, record: { store, id } });
    const seen = statesOf(engine);
    assert.equal(await engine.run(), { x1: 1, x2: 1 });
    assert.equal(seen, ['task2 RUNNING', 'task2 SUCCESS']);
  });

  const [a, b] = [noop.with({ name: 'a' }), noop.with({ name: 'b' })];
  const reverted = linear('f', a, b, failing.with({ name: 'c' }));

  test('a flow that was suspended while it was reverted is reverted by another engine', async () => {
    await using store = await openStore('memory:');
    await suspendedAt(store, reverted, options, 'b', 'REVERTED');
    assert.equal((await store.read(id)).atoms.get('a')!.state, 'SUCCESS');
    await using engine = load<any, any>(reverted, { ...options, record: { store, id } });
    const seen = statesOf(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(seen, ['a REVERTING', 'a REVERTED']);
    assert.is(engine.state, 'REVERTED');
  });

  test('it is reverted even if the task that failed is gone', async () => {
    await using store = await openStore('memory:');
    await suspendedAt(store, reverted, options, 'b', 'REVERTED');
    await using engine = load<any, any>(linear('f', a, b), { ...options, record: { store, id } });
    const seen = statesOf(engine);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(seen, ['a REVERTING', 'a REVERTED']);
    assert.is(engine.state, 'REVERTED');
  });

  test('a flow is made again from what is recorded of it', async () => {
    await using store = await openStore('memory:');
    const numbered = factory('numbered', ({ name }: { name: string }) => one.with({ name: `my ${name}` }));
    const record = { store, id };
    await using engine = load(numbered, { ...options, inputs: { name: 'test' }, record });
    await engine.open();
    await engine.close();
    await using again = await resume(store, id, { ...options, factories: [numbered] });
    assert.is(again.name, 'my test');
    assert.equal(await again.run(), { x: 1 });
  });
});

once('the version of a task is recorded', async () => {
  await using store = await openStore('memory:');
  const versioned = task({ name: 'my task', version: '3.11', execute: () => {} });
  await load(versioned, { engine: 'serial', record: { store, id } }).run();
  assert.is((await store.read(id)).atoms.get('my task')!.version, '3.11');
});

once.run();
