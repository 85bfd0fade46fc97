/** Runs that are recorded: what follows from something follows when it is durable, and nothing is lost when it cannot be. */
import {
  each,
  type Flow,
  linear,
  load,
  type RecordOptions,
  run,
  StoreError,
  type Task,
  task,
  times,
  unordered,
} from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore } from '../../src/storage/index.js';
import { overEveryEngine } from '../engines.js';
import { WatchedStore } from '../fixtures/storage/watched.js';
import { rejection } from './capture.js';

const FULL = () => new StoreError('ERR_MILLRACE_STORE_FULL', 'The disk is full', { flow: 'f' });
const LOST = () => new StoreError('ERR_MILLRACE_LEASE_LOST', 'Somebody else has it', { flow: 'f' });

/** What is called, in order, and what should not have been. */
class Calls {
  /** How often the flaky task still fails. */
  failures = 1;
  readonly made: string[] = [];
  readonly wrong: string[] = [];
  /** What has to be durable before a call. */
  check: (what: string, task: string) => void = () => {};

  call(what: 'execute' | 'revert', task: string): void {
    this.check(what, task);
    this.made.push(`${what} ${task}`);
  }
}

/** A flow with all that a recorded run has to get right: data, siblings, a retry that is needed, reverts. */
function sample(calls: Calls, end: 'well' | 'badly'): Flow<any, any> {
  const step = (name: string, requires: readonly string[] = [], does = () => {}): Task<any, any> =>
    task({
      ...{ name, provides: name },
      requires: [...requires],
      execute: async () => {
        calls.call('execute', name);
        does();
        return name;
      },
      revert() {
        calls.call('revert', name);
      },
    }) as Task<any, any>;
  const flaky = step('flaky', [], () => {
    if (calls.failures-- > 0) throw new Error('flaky');
  });
  const last = step('last', ['c'], () => {
    if (end === 'badly') throw new Error('last');
  });
  return linear(
    'f',
    step('a'),
    unordered('u', step('b1', ['a']), step('b2', ['a']), step('b3', ['a'])),
    linear('again', step('before'), flaky).with({ retry: times(2) }),
    step('c', ['b1', 'b2']),
    last,
  ) as Flow<any, any>;
}

/** What a task depends on in the sample. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  ...{ b1: ['a'], b2: ['a'], b3: ['a'], before: ['b1', 'b2', 'b3'], flaky: ['before'] },
  ...{ c: ['b1', 'b2', 'b3', 'before', 'flaky'], last: ['c'] },
};

overEveryEngine((test, { record: _, ...options }) => {
  for (const late of [false, true]) {
    const kind = late ? 'a store that commits later' : 'a store that commits at once';

    for (const end of ['well', 'badly'] as const) {
      test(`nothing is called or told before it is durable: a flow that ends ${end}, ${kind}`, async () => {
        await using memory = await openStore('memory:');
        const store = new WatchedStore(memory, late);
        const { durable } = store;
        const calls = new Calls();
        calls.check = (what, name) => {
          const needed = what === 'execute' ? [`${name} RUNNING`] : [`${name} REVERTING`];
          if (what === 'execute') for (const before of BEFORE[name] ?? []) needed.push(`${before} SUCCESS`);
          for (const one of needed) if (!durable.has(one)) calls.wrong.push(`${what} ${name}: ${one} is not durable`);
        };
        await using engine = load(sample(calls, end), { ...options, record: { store } });
        const told: string[] = [];
        engine.on('task', ({ name, state }) => {
          told.push(`${name} ${state}`);
          if (!durable.has(`${name} ${state}`)) calls.wrong.push(`${name} ${state} is told and not durable`);
        });
        engine.on('flow', ({ state }) => {
          if (!durable.has(state)) calls.wrong.push(`${state} of the flow is told and not durable`);
        });
        const error = end === 'well' ? await engine.run() : await rejection(engine.run());
        assert.ok(durable.has(end === 'well' ? 'SUCCESS' : 'REVERTED'), 'when the promise is settled');
        assert.ok(error);
        assert.equal(calls.wrong, []);
        assert.is(told.length, new Set(told.entries()).size);
        assert.ok(told.includes('flaky RETRYING') || told.includes('again_retry RETRYING'));
      });

      test(`when nothing can be recorded the flow is suspended where it is, and goes on later: ${end}, ${kind}`, async () => {
        const undisturbed = new Calls();
        await load(sample(undisturbed, end), options)
          .run()
          .catch(() => {});
        for (let at = 1; ; at++) {
          await using memory = await openStore('memory:');
          const store = new WatchedStore(memory, late);
          const calls = new Calls();
          await using engine = load(sample(calls, end), { ...options, record: { store, id: 'f' } });
          await engine.open();
          store.failure = (n) => (n >= at ? FULL() : undefined);
          const error = await engine.run().catch((one) => one);
          if (error.code !== 'ERR_MILLRACE_STORE_FULL') {
            assert.ok(at > 8, 'there are commits');
            break;
          }
          assert.is(engine.state, 'SUSPENDED', `after commit ${at}`);
          assert.ok(calls.made.length <= undisturbed.made.length);
          const again = await rejection(engine.run());
          assert.is(again.code, 'ERR_MILLRACE_STORE_FULL', 'as long as that lasts');
          store.failure = () => undefined;
          const outcome = await engine.run().catch((one) => one);
          assert.is(outcome instanceof Error ? outcome.message : 'well', end === 'well' ? 'well' : 'last');
          assert.is(engine.state, end === 'well' ? 'SUCCESS' : 'REVERTED');
          assert.equal(calls.made.slice().sort(), undisturbed.made.slice().sort(), `nothing twice, after commit ${at}`);
          assert.is((await memory.read('f')).state, engine.state);
        }
      });

      test(`an engine whose flow somebody else has taken does nothing more with it: ${end}, ${kind}`, async () => {
        for (let at = 1; ; at++) {
          await using memory = await openStore('memory:');
          const store = new WatchedStore(memory, late);
          const calls = new Calls();
          await using engine = load(sample(calls, end), { ...options, record: { store, id: 'f' } });
          await engine.open();
          store.failure = (n) => (n >= at ? LOST() : undefined);
          const error = await engine.run().catch((one) => one);
          if (error.code !== 'ERR_MILLRACE_LEASE_LOST') break;
          assert.is(engine.state, 'SUSPENDED');
          const made = calls.made.length;
          // Whoever has taken it carries it to its end.
          await using other = load(sample(calls, end), { ...options, record: { store: memory, id: 'f' } });
          const outcome = await other.run().catch((one) => one);
          assert.is(other.state, end === 'well' ? 'SUCCESS' : 'REVERTED', String(outcome));
          assert.ok(calls.made.length > made || end === 'badly' || at > 8);
        }
      });
    }
  }

  test('a flow is resumed by another engine: what has succeeded does not run again', async () => {
    await using store = await openStore('memory:');
    const calls = new Calls();
    {
      await using engine = load(sample(calls, 'well'), { ...options, record: { store, id: 'f' } });
      engine.on('task', ({ name, state }) => {
        if (name === 'before' && state === 'SUCCESS') engine.suspend();
      });
      await engine.run();
      assert.is(engine.state, 'SUSPENDED');
    }
    const before = calls.made.splice(0);
    assert.ok(before.includes('execute a') && !before.includes('execute c'));
    await using engine = load(sample(calls, 'well'), { ...options, record: { store, id: 'f' } });
    await engine.open();
    assert.is(engine.state, 'SUSPENDED');
    assert.is(engine.storage.getTaskState('a'), 'SUCCESS');
    assert.is(engine.storage.fetch('a'), 'a');
    const values = await engine.run();
    assert.equal(values, {
      a: 'a',
      b1: 'b1',
      b2: 'b2',
      b3: 'b3',
      before: 'before',
      flaky: 'flaky',
      c: 'c',
      last: 'last',
    });
    assert.not.ok(calls.made.includes('execute a'));
    assert.ok(calls.made.includes('execute c'));
  });

  test('a flow that has succeeded gives its values again, and runs nothing', async () => {
    await using store = await openStore('memory:');
    const calls = new Calls();
    const record: RecordOptions = { store, id: 'f' };
    const values = await run(sample(calls, 'well'), {}, { ...options, record });
    const made = calls.made.length;
    assert.equal(await run(sample(calls, 'well'), {}, { ...options, record }), values);
    assert.is(calls.made.length, made);
  });

  test('of two engines that want one flow, the second is refused until the first has left it', async () => {
    await using store = await openStore('memory:');
    const record: RecordOptions = { store, id: 'f' };
    const first = await load(sample(new Calls(), 'well'), { ...options, record }).open();
    await using second = load(sample(new Calls(), 'well'), { ...options, record });
    assert.is((await rejection(second.run())).code, 'ERR_MILLRACE_OWNED');
    assert.is((await rejection(second.open())).code, 'ERR_MILLRACE_OWNED');
    await first.close();
    await second.run();
    assert.is(second.state, 'SUCCESS');
  });

  test('an engine that is closed while it takes its flow leaves it again', async () => {
    await using store = await openStore('memory:');
    const record: RecordOptions = { store, id: 'f' };
    const calls = new Calls();
    const engine = load(sample(calls, 'well'), { ...options, record });
    const opening = rejection(engine.open());
    await engine.close();
    assert.is((await opening).code, 'ERR_MILLRACE_CLOSED');
    assert.equal(calls.made, []);
    await run(sample(calls, 'well'), {}, { ...options, record });
  });

  test('a result that cannot be stored is a failure of its task, which is reverted', async () => {
    await using store = await openStore('memory:');
    const reverted: string[] = [];
    const item = linear(
      'f',
      task({ name: 'fine', provides: 'x', execute: () => 1, revert: () => void reverted.push('fine') }),
      task({ name: 'odd', provides: 'y', execute: () => () => 1, revert: () => void reverted.push('odd') }),
    );
    const error = await rejection(run(item, {}, { ...options, record: { store } }));
    assert.equal([error.code, error.task], ['ERR_MILLRACE_UNSTORABLE', 'odd']);
    assert.equal(reverted, ['odd', 'fine']);
    const large = task({ name: 'large', execute: () => 'x'.repeat(2000) });
    const other = await rejection(run(large, {}, { ...options, record: { store, limit: 1000 } }));
    assert.equal([other.code, other.task], ['ERR_MILLRACE_TOO_LARGE', 'large']);
  });

  test('inputs that cannot be stored are refused before anything runs', async () => {
    await using store = await openStore('memory:');
    const calls = new Calls();
    const one = task({ name: 'one', requires: 'f', execute: () => calls.call('execute', 'one') });
    const error = await rejection(run(one, { f: () => 1 }, { ...options, record: { store, id: 'f' } }));
    assert.is(error.code, 'ERR_MILLRACE_UNSTORABLE');
    assert.equal(calls.made, []);
    assert.equal(await store.flows(), []);
  });

  test('an error that cannot be stored is a failure like any other', async () => {
    await using store = await openStore('memory:');
    const thrown = Object.assign(new Error('odd'), { callback: () => 1, huge: 'x'.repeat(5000) });
    const odd = task({
      name: 'odd',
      execute: () => {
        throw thrown;
      },
    });
    const error = await rejection(run(odd, {}, { ...options, record: { store, id: 'f', limit: 2000 } }));
    assert.is(error, thrown);
    await using engine = await load(odd, { ...options, record: { store, id: 'f', limit: 2000 } }).open();
    assert.match(engine.storage.getExecuteFailures().odd.error.message, /odd/);
  });

  test('what was injected and noted is there again, and what is transient is not', async () => {
    await using store = await openStore('memory:');
    const record: RecordOptions = { store, id: 'f' };
    const given: unknown[] = [];
    const item = linear(
      'f',
      task({ name: 'one', requires: 'x', execute: ({ x }) => void given.push(x) }),
      task({ name: 'two', requires: 'y', execute: ({ y }) => void given.push(y) }),
    );
    const inputs = { x: 1, y: 2 };
    {
      await using engine = await load(item, { ...options, inputs, record }).open();
      engine.storage.inject({ y: new Map([['deep', 10n]]) });
      engine.storage.inject({ x: 'transient' }, { transient: true });
      engine.storage.updateFlowMetadata({ by: 'me' });
      engine.storage.updateTaskMetadata('two', { weight: 3 });
    }
    await using engine = await load(item, { ...options, inputs, record }).open();
    assert.equal(engine.storage.getFlowMetadata(), { by: 'me' });
    assert.equal(engine.storage.getTaskMetadata('two'), { weight: 3 });
    await engine.run();
    assert.equal(given, [1, new Map([['deep', 10n]])]);
  });

  test('a list goes on with the elements that are left, and all of them are reverted with it', async () => {
    await using store = await openStore('memory:');
    const record: RecordOptions = { store, id: 'f' };
    const calls: string[] = [];
    let fails = false;
    const element = task({
      name: 'square',
      requires: 'n',
      execute: async ({ n }) => {
        calls.push(`square ${n}`);
        return (n as number) ** 2;
      },
      revert: ({ n }) => void calls.push(`undo ${n}`),
    });
    const item = linear(
      'f',
      task({ name: 'list', provides: 'list', execute: () => [1, 2, 3, 4] }),
      each(element as any, { name: 'squares', over: 'list', as: 'n' as never }) as any,
      task({
        name: 'end',
        execute: () => {
          if (fails) throw new Error('end');
        },
      }),
    ) as Flow<any, any>;
    {
      await using engine = load(item, { ...options, record });
      engine.on('task', ({ name, state }) => {
        if (name === 'squares[1]' && state === 'SUCCESS') engine.suspend();
      });
      await engine.run();
      assert.is(engine.state, 'SUSPENDED');
    }
    const before = calls.splice(0);
    assert.ok(before.includes('square 1') && before.includes('square 2'));
    fails = true;
    await using engine = load(item, { ...options, record });
    assert.is((await rejection(engine.run())).message, 'end');
    const executed = [...before, ...calls.filter((call) => call.startsWith('square'))].sort();
    assert.equal(executed, ['square 1', 'square 2', 'square 3', 'square 4'], 'each once');
    assert.equal(calls.filter((call) => call.startsWith('undo')).sort(), ['undo 1', 'undo 2', 'undo 3', 'undo 4']);
  });

  test('a flow that was reverted runs again from the start, also where it is recorded', async () => {
    await using store = await openStore('memory:');
    const calls = new Calls();
    const record: RecordOptions = { store, id: 'f' };
    await using engine = load(sample(calls, 'badly'), { ...options, record });
    await rejection(engine.run());
    const made = calls.made.splice(0);
    calls.failures = 1;
    await using other = load(sample(calls, 'badly'), { ...options, record });
    await rejection(other.run());
    assert.equal(calls.made.slice().sort(), made.slice().sort());
    other.reset();
    assert.is(other.state, 'PENDING');
    assert.is((await (await other.open()).id) && other.state, 'PENDING');
    assert.is((await store.read('f')).atoms.get('a')?.state ?? 'PENDING', 'REVERTED', 'until it is committed');
  });
});

once.run();
