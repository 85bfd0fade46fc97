/** Recorded flows that are built again by a factory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Factory, factory, linear, load, type RecordOptions, resume, run, task, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore, type Store } from '../../src/storage/index.js';
import { overEveryEngine } from '../engines.js';
import { rejection } from './capture.js';

/** Steps of which one suspends the engine that runs it, the first time. */
function stepsFactory(name: string, ran: string[], suspendAt = Number.NaN) {
  const engines: { suspend(): void }[] = [];
  const build = ({ count, prefix = '' }: { count: number; prefix?: string }) =>
    linear(
      `${prefix}steps`,
      Array.from({ length: count }, (_, n) =>
        task({
          name: `step ${n}`,
          provides: `step ${n}`,
          execute: () => {
            ran.push(`step ${n}`);
            if (n === suspendAt) engines.pop()?.suspend();
            return n;
          },
        }),
      ),
    );
  return { steps: factory(name, build), engines };
}

/** Records a flow of five steps, of which three have ended. */
async function suspended(store: Store, options: object, inputs: object = { count: 5 }): Promise<string[]> {
  const ran: string[] = [];
  const { steps, engines } = stepsFactory('steps', ran, 2);
  await using engine = load(steps as Factory, { ...options, inputs, record: { store, id: 'five' } });
  engines.push(engine);
  await engine.run();
  assert.is(engine.state, 'SUSPENDED');
  return ran;
}

overEveryEngine((test, options) => {
  test('a recorded flow is built again by its factory, and goes on where it was', async () => {
    await using store = await openStore('memory:');
    assert.equal(await suspended(store, options), ['step 0', 'step 1', 'step 2']);
    const { factory: name } = await store.read('five');
    assert.is(name, 'steps');
    const ran: string[] = [];
    const { steps } = stepsFactory('steps', ran);
    await using engine = await resume(store, 'five', {
      ...options,
      factories: [stepsFactory('other', []).steps, steps],
    });
    assert.equal(
      [engine.name, engine.state, engine.storage.getTaskStates()['step 2']],
      ['steps', 'SUSPENDED', 'SUCCESS'],
    );
    assert.equal(await engine.run(), { 'step 0': 0, 'step 1': 1, 'step 2': 2, 'step 3': 3, 'step 4': 4 });
    assert.equal(ran, ['step 3', 'step 4']);
    assert.is((await store.read('five')).state, 'SUCCESS');
  });

  test('the recorded inputs build the flow, whatever others are given', async () => {
    await using store = await openStore('memory:');
    await suspended(store, options);
    const ran: string[] = [];
    const { steps } = stepsFactory('steps', ran);
    const record: RecordOptions = { store, id: 'five' };
    await using engine = load(steps, { ...options, inputs: { count: 9 }, record });
    assert.is(engine.compile().flow.name, 'steps');
    await engine.run();
    assert.equal(ran, ['step 3', 'step 4']);
    assert.is(Object.keys(engine.storage.getTaskStates()).length, 5);
  });

  test('run() records, too, and gives the results of what has ended', async () => {
    await using store = await openStore('memory:');
    const record = { store, id: 'once' };
    const ran: string[] = [];
    const { steps } = stepsFactory('steps', ran);
    assert.equal(await run(steps, { count: 1 }, { ...options, record }), { 'step 0': 0 });
    assert.equal(await run(steps, { count: 3 }, { ...options, record }), { 'step 0': 0 });
    assert.equal(ran, ['step 0']);
  });
});

const serial = { engine: 'serial' as const };

once('a flow is resumed from a file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const url = `sqlite:${join(folder, 'flows.db')}`;
  try {
    await using first = await openStore(url);
    await suspended(first, serial, { count: 4, prefix: 'four ' });
    await first.close();
    await using store = await openStore(url);
    await using engine = await resume(store, 'five', {
      ...serial,
      factories: new Set([stepsFactory('steps', []).steps]),
    });
    assert.is(engine.name, 'four steps');
    assert.equal(Object.keys(await engine.run()).length, 4);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

once('what was not recorded is taken from what is given', async () => {
  await using store = await openStore('memory:');
  await suspended(store, serial);
  const { steps } = stepsFactory('steps', []);
  await using engine = load(steps, { ...serial, inputs: { count: 1, prefix: 'more ' }, record: { store, id: 'five' } });
  await engine.open();
  assert.is(engine.name, 'more steps');
  assert.equal(Object.keys(await engine.run()).length, 5);
});

once('an unknown factory is told with those that are known, and the flow is left alone', async () => {
  await using store = await openStore('memory:');
  await suspended(store, serial);
  const before = await store.read('five');
  const others = ['a', 'b'].map((name) => stepsFactory(name, []).steps);
  const error = await rejection(resume(store, 'five', { ...serial, factories: others }));
  assert.equal([error.name, error.code, (error as any).flow], ['StoreError', 'ERR_MILLRACE_UNKNOWN_FACTORY', 'five']);
  assert.is(
    error.message,
    "Flow five was built by factory 'steps', which is not among those that were given: 'a', 'b'",
  );
  const none = await rejection(resume(store, 'five', { ...serial, factories: [] }));
  assert.match(none.message, /which is not among those that were given: none$/);
  const { owner, state, atoms } = await store.read('five');
  assert.equal([owner, state, atoms], [undefined, before.state, before.atoms]);
});

once('a flow without a factory is resumed with itself, as the error says', async () => {
  await using store = await openStore('memory:');
  const flow = unordered('plain', task({ name: 'a', execute: () => {} }));
  await run(flow, {}, { ...serial, record: { store, id: 'p' } });
  const error = await rejection(resume(store, 'p', { ...serial, factories: [stepsFactory('steps', []).steps] }));
  assert.is(error.code, 'ERR_MILLRACE_UNKNOWN_FACTORY');
  assert.is(
    error.message,
    "Flow p was recorded without a factory: resume it with its flow 'plain', load(flow, { record: { store, id } })",
  );
  await using engine = load(flow, { ...serial, record: { store, id: 'p' } });
  assert.is((await engine.open()).state, 'SUCCESS');
});

once('a flow that is not there is not recorded anew', async () => {
  await using store = await openStore('memory:');
  const error = await rejection(resume(store, 'none', { ...serial, factories: [] }));
  assert.is(error.code, 'ERR_MILLRACE_FLOW_NOT_FOUND');
  assert.equal(await store.flows(), []);
});

once('what a factory fails with comes out, and the flow is left', async () => {
  await using store = await openStore('memory:');
  await suspended(store, serial);
  const failing = factory('steps', (): any => {
    throw new Error('not today');
  });
  const error = await rejection(resume(store, 'five', { ...serial, factories: [failing] }));
  assert.is(error.code, 'ERR_MILLRACE_FACTORY_FAILED');
  assert.is((await store.read('five')).owner, undefined);
});

once('a factory that fails leaves no record of a new flow', async () => {
  await using store = await openStore('memory:');
  const failing = factory('failing', (): any => 7);
  const error = await rejection(run(failing, {}, { ...serial, record: { store, id: 'new' } }));
  assert.is(error.code, 'ERR_MILLRACE_NOT_A_FLOW');
  assert.equal(await store.flows(), []);
});

once('a resumed flow that has ended tells what it has come to', async () => {
  await using store = await openStore('memory:');
  const { steps } = stepsFactory('steps', []);
  await run(steps, { count: 2 }, { ...serial, record: { store, id: 'done' } });
  await using engine = await resume(store, 'done', { ...serial, factories: [steps] });
  assert.is(engine.state, 'SUCCESS');
  assert.is(engine.storage.fetch('step 1'), 1);
  assert.equal(await engine.run(), { 'step 0': 0, 'step 1': 1 });
});

once('wrong arguments of resume() are refused', async () => {
  await using store = await openStore('memory:');
  const { steps } = stepsFactory('steps', []);
  const refuses = async (args: unknown[], message: RegExp) => {
    const error = await rejection((resume as (...args: unknown[]) => Promise<unknown>)(...args));
    assert.is(error.code, 'ERR_MILLRACE_INVALID_ARG');
    assert.match(error.message, message);
  };
  await refuses(
    [store, '', { factories: [] }],
    /the id of the flow must be a string, not empty; received a string \(""\)/,
  );
  await refuses([store, 'f'], /factories must be a list of factories; received undefined/);
  await refuses([store, 'f', { factories: steps }], /must be a list of factories; received an instance of FactoryNode/);
  await refuses([store, 'f', { factories: [() => {}] }], /must hold what factory\(\) has made; received a function/);
  await refuses([store, 'f', { factories: [steps, steps] }], /two factories are named 'steps'/);
  await refuses([{}, 'f', { factories: [] }], /option 'record\.store' must be a store, made by openStore\(\)/);
});

once('wrong options of a record are refused', async () => {
  await using store = await openStore('memory:');
  const refuses = (record: unknown, message: RegExp) =>
    assert.throws(
      () => load(linear('f'), { record: record as RecordOptions }),
      (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && message.test(error.message),
    );
  refuses('sqlite:flows.db', /^option 'record' must be an object like \{ store, id \}; received a string/);
  refuses({}, /option 'record\.store' must be a store, made by openStore\(\); received undefined/);
  refuses({ store, id: '' }, /option 'record\.id' must be a string, not empty/);
  refuses({ store, book: 7 }, /option 'record\.book' must be a string, not empty; received a number \(7\)/);
  refuses({ store, limit: -1 }, /option 'record\.limit' must be a number of bytes above 0/);
});

once.run();
