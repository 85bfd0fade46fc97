/** TaskFlow's claims about flows that are resumed after their process has ended, wherever it was. */
import { type Engine, type Failure, type FlowItem, load, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore, type Store } from '../../src/storage/index.js';
import { captureTasks } from '../engine/capture.js';
import { linear } from '../engine/trying.js';
import { leftBehind } from '../fixtures/storage/left-behind.js';
import { overEveryKind } from './kinds.js';

const id = 'flow';

/** Runs a flow to its end; gives what was told, and for each line what is left behind by a process that ends with it. */
async function runAll(engine: Engine<any>, store: Store) {
  const lines = captureTasks(engine);
  const left: Promise<Store>[] = [];
  engine.on('task', () => left.push(leftBehind(store, id)));
  const error = await engine.run().then(
    () => undefined,
    (reason: Error) => reason,
  );
  return { lines, left: await Promise.all(left), error };
}

/** What an atom has begun and not ended, it begins again. */
const begins = (line: string) => /: (RUNNING|REVERTING)$/.test(line);

overEveryKind((test, options, { progressing, conditional, failing, noop }) => {
  const task1 = progressing.with({ name: 'task1' });
  const task2 = conditional.with({ name: 'task2' });
  const task3 = noop.with({ name: 'task3' });
  const recorded = (item: FlowItem, store: Store, inputs: object = { y: 2 }) =>
    load<any, any>(item, { ...options, inputs, record: { store, id } });

  // With a delay it is recorded by itself that all is back at its start, and the retry about to begin again.
  for (const delay of [0, 1]) {
    const item = (attempts: number) =>
      linear('flow-1', task1, task2, task3).with({ retry: times(attempts, { name: 'r1', provides: 'x', delay }) });

    for (const [end, attempts, state] of [
      ['is tried again', 3, 'SUCCESS'],
      ['has been tried often enough', 1, 'REVERTED'],
    ] as const) {
      test(`wherever its process ends, a flow that ${end} goes on from there, delay ${delay}`, async () => {
        await using store = await openStore('memory:');
        await using first = recorded(item(attempts), store);
        const whole = await runAll(first, store);
        assert.is(first.state, state);
        for (const [i, line] of whole.lines.entries()) {
          const where = `after ${i}, ${line}`;
          await using copy = whole.left[i];
          await using engine = recorded(item(attempts), copy);
          await engine.open();
          if (engine.state === state) continue; // the end of the flow is recorded with that of its last atom
          const lines = captureTasks(engine);
          const error = await engine.run().catch((reason) => reason);
          assert.is(engine.state, state, where);
          assert.is(whole.error?.message, error instanceof Error ? error.message : undefined, where);
          assert.equal(engine.storage.fetchAll(), first.storage.fetchAll(), where);
          const from = whole.lines.length - lines.length;
          assert.ok(from >= (begins(line) ? i : i + 1), `${where}: something ran twice`);
          assert.equal(lines, whole.lines.slice(from), where);
        }
      });
    }

    test(`wherever a retry is suspended, another engine goes on as if nothing had been, delay ${delay}`, async () => {
      await using store = await openStore('memory:');
      await using undisturbed = recorded(item(3), store);
      const whole = await runAll(undisturbed, store);
      for (const [i, line] of whole.lines.entries()) {
        await using place = await openStore('memory:');
        await using first = recorded(item(3), place);
        const lines = captureTasks(first);
        first.on('task', () => lines.length === i + 1 && first.suspend());
        await first.run();
        await first.close();
        await using second = recorded(item(3), place);
        const more = captureTasks(second);
        assert.equal(await second.run(), { x: 2 }, `after ${line}`);
        assert.equal([...lines, ...more], whole.lines, `after ${line}`);
      }
    });
  }

  test('a failure can be asked for after a reload, while its task is to be reverted and once it is', async () => {
    await using store = await openStore('memory:');
    await using first = recorded(linear('f', failing), store, {});
    const { lines, left } = await runAll(first, store);
    const failure = first.storage.getExecuteFailures().fail;
    const states: string[] = [];
    for (const [i, copy] of left.entries()) {
      await using engine = recorded(linear('f', failing), copy, {});
      await engine.open();
      const { storage } = engine;
      states.push(storage.getTaskState('fail'));
      if (states[i] === 'PENDING') continue; // it has not failed yet
      assert.ok(failure.matches(storage.getExecuteResult('fail') as Failure), lines[i]);
      assert.equal(Object.keys(storage.getExecuteFailures()), ['fail']);
    }
    assert.is(states.at(-1), 'REVERTED');
    assert.ok(states.includes('FAILURE'));
  });

  test('injected values are there after a reload, and more may join them; transient ones are not', async () => {
    await using store = await openStore('memory:');
    {
      await using engine = recorded(noop, store, {});
      await engine.open();
      engine.storage.inject({ a: 'b' }, { transient: true });
      engine.storage.inject({ foo: 'bar', spam: 'eggs' });
      assert.equal(engine.storage.fetchAll(), { a: 'b', foo: 'bar', spam: 'eggs' });
    }
    {
      await using engine = recorded(noop, store, {});
      await engine.open();
      assert.equal(engine.storage.fetchAll(), { foo: 'bar', spam: 'eggs' });
      engine.storage.inject({ spam: 'more' });
    }
    await using engine = recorded(noop, store, {});
    await engine.open();
    assert.equal(engine.storage.fetchAll(), { foo: 'bar', spam: 'more' });
  });
});

once.run();
