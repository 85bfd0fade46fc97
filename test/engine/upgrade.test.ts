/** Recorded flows that go on with other code than that which began them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  type Attempt,
  dynamic,
  type Engine,
  each,
  type FlowItem,
  graph,
  linear,
  load,
  type OnVersionChange,
  retry,
  type Task,
  task,
  times,
  unordered,
} from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import type { AtomChange } from '../../src/engine/recording.js';
import { openStore, type Store } from '../../src/storage/index.js';
import { encodeStored } from '../../src/stored/index.js';
import { overEveryEngine } from '../engines.js';
import fc from '../fast-check.js';

const id = 'flow';

/** Tasks that note that they run, and that they are reverted. */
class Shop {
  readonly ran: string[] = [];
  engine: Engine<any> | undefined;

  /** `suspends`: nothing starts after it. */
  step(name: string, options: { version?: string; requires?: string[]; fails?: boolean; suspends?: boolean } = {}) {
    const { version = '1.0', requires = [], fails, suspends } = options;
    return task({
      ...{ name, version, requires, provides: name },
      execute: (args: object) => {
        this.ran.push(name);
        if (suspends) this.engine!.suspend();
        if (fails) throw new Error(`${name} has failed`);
        return `${name} ${version}${Object.values(args).map((one) => ` of (${one})`).join('')}`; // biome-ignore format: one line
      },
      revert: () => {
        this.ran.push(`revert ${name}`);
        if (suspends && fails) this.engine!.suspend();
      },
    });
  }

  /** Loads a flow of that shop, records it, and runs it to its end or suspension. */
  async run(store: Store, flow: FlowItem, options: object): Promise<Engine<any>> {
    await using engine = load(flow as any, { ...options, record: { store, id } });
    this.engine = engine;
    await engine.run().catch(() => {});
    return engine;
  }
}

/** Resumes the flow with what `make` makes, and gives what ran, and what came of it. */
async function resumed(store: Store, options: object, make: (shop: Shop) => FlowItem) {
  const shop = new Shop();
  await using engine = load(make(shop) as any, { ...options, record: { store, id } });
  shop.engine = engine;
  const result = await engine.run().catch((error: any) => error);
  return { ran: shop.ran, result, state: engine.state, engine };
}

/** Records a flow of which the process has ended: its atoms are in these states. */
async function abandoned(store: Store, atoms: Readonly<Record<string, AtomChange>>): Promise<void> {
  const lease = await store.create({ id, name: 'f', inputs: stored({}) });
  lease.flow({ state: 'RUNNING' });
  for (const [name, change] of Object.entries(atoms)) lease.atom(name, change);
  await lease.commit();
  await lease.release();
}

const stored = (value: unknown) => encodeStored(value, { limit: 1e6, what: 'A value' });
const sorted = (names: readonly string[]) => [...names].sort();

overEveryEngine((test, options) => {
  async function halfway(make = ({ step }: { step: Shop['step'] }) => chain(step)): Promise<Store> {
    const store = await openStore('memory:');
    const shop = new Shop();
    const engine = await shop.run(store, make({ step: shop.step.bind(shop) }), options);
    assert.is(engine.state, 'SUSPENDED');
    return store;
  }
  /** `a` and `b` have run, and `c` has not. */
  const chain = (step: Shop['step']) =>
    linear('f', step('a'), step('b', { requires: ['a'], suspends: true }), step('c', { requires: ['b'] }));

  test('a task that is gone does not matter', async () => {
    await using store = await halfway();
    const { ran, result } = await resumed(store, options, (shop) =>
      linear('f', shop.step('b', { requires: [] }), shop.step('c', { requires: ['b'] })),
    );
    assert.equal(ran, ['c']);
    assert.equal(result, { b: 'b 1.0 of (a 1.0)', c: 'c 1.0 of (b 1.0 of (a 1.0))' });
  });

  test('a task that is new runs, also before those that have run', async () => {
    await using store = await halfway();
    const { ran, result, state } = await resumed(store, options, (shop) =>
      linear(
        'f',
        shop.step('new'),
        shop.step('a'),
        shop.step('b', { requires: ['a'] }),
        shop.step('c'),
        shop.step('last'),
      ),
    );
    assert.equal(ran, ['new', 'c', 'last']);
    assert.equal([state, result.new, result.b], ['SUCCESS', 'new 1.0', 'b 1.0 of (a 1.0)']);
  });

  test('a task of another name is another task', async () => {
    await using store = await halfway();
    const { ran } = await resumed(store, options, (shop) =>
      linear('f', shop.step('a'), shop.step('b again', { requires: ['a'] }), shop.step('c', { requires: ['b again'] })),
    );
    assert.equal(ran, ['b again', 'c']);
  });

  test('another minor version does not matter', async () => {
    await using store = await halfway();
    const { ran, state } = await resumed(store, options, (shop) =>
      linear(
        'f',
        shop.step('a', { version: '1.7' }),
        shop.step('b', { version: '1', requires: ['a'] }),
        shop.step('c'),
      ),
    );
    assert.equal([ran, state], [['c'], 'SUCCESS']);
  });

  /** The flow with a new major version of `a`. */
  const upgraded = (answer?: OnVersionChange) => (shop: Shop) =>
    linear(
      'f',
      shop.step('a', { version: '2.0' }),
      shop.step('b', { requires: ['a'] }),
      shop.step('c', { requires: ['b'] }),
    ).with({ ...(answer && { onVersionChange: answer }) });

  for (const answer of [undefined, 'fail'] as const) {
    test(`another major version is refused, and nothing is changed (${answer})`, async () => {
      await using store = await halfway();
      const before = await store.read(id);
      const { ran, result, state } = await resumed(store, options, upgraded(answer));
      assert.equal([result.name, result.code, result.task], ['RunError', 'ERR_MILLRACE_VERSION_CHANGED', 'a']);
      assert.is(
        result.message,
        "Flow 'f' cannot go on, as its code has changed: 'a' has run as version 1.0, and is version 2.0 now. " +
          'Resume it with the code that it was recorded with, or say with onVersionChange what is to become of it',
      );
      assert.equal([ran, state], [[], 'PENDING']);
      assert.equal(await store.read(id), before);
      assert.is(before.owner, undefined);
      const again = await resumed(store, options, (shop) => chain(shop.step.bind(shop)));
      assert.equal([again.ran, again.state], [['c'], 'SUCCESS']);
    });
  }

  test("what another version has done stands with 'keep'", async () => {
    await using store = await halfway();
    const { ran, result } = await resumed(store, options, upgraded('keep'));
    assert.equal(ran, ['c']);
    assert.is(result.c, 'c 1.0 of (b 1.0 of (a 1.0))');
    assert.equal((await store.read(id)).atoms.get('a')!.version, undefined);
  });

  test("what another version has done is done again with 'rerun', with all that comes after it", async () => {
    await using store = await halfway();
    const { ran, result } = await resumed(store, options, upgraded('rerun'));
    assert.equal(ran, ['a', 'b', 'c']); // and nothing is reverted
    assert.is(result.c, 'c 1.0 of (b 1.0 of (a 2.0))');
    assert.equal((await store.read(id)).atoms.get('a')!.version, '2.0');
  });

  test("'rerun' is recorded before anything runs, and in one", async () => {
    await using store = await halfway();
    const { ran } = await resumed(store, options, (shop) =>
      linear(
        'f',
        shop.step('a', { version: '2.0', suspends: true }),
        shop.step('b', { requires: ['a'] }),
        shop.step('c', { requires: ['b'] }),
      ).with({ onVersionChange: 'rerun' }),
    );
    assert.equal(ran, ['a']);
    const { atoms } = await store.read(id);
    assert.equal(
      [atoms.get('a')!.state, atoms.get('a')!.version, atoms.get('b')!.state],
      ['SUCCESS', '2.0', 'PENDING'],
    );
    assert.is(atoms.get('b')!.result, undefined);
    assert.equal((await resumed(store, options, upgraded())).ran, ['b', 'c']);
  });

  test('what is rerun has another key', async () => {
    const keys: string[] = [];
    const make = (version: string, suspends: boolean) => (shop: Shop) => {
      const note = (name: string, code: string) =>
        task({
          name,
          version: code,
          execute: (_, context) => {
            keys.push(context.idempotencyKey);
            if (suspends && name === 'b') shop.engine!.suspend();
          },
        });
      return linear('f', note('a', version), note('b', '1'), note('c', '1')).with({ onVersionChange: 'rerun' });
    };
    await using store = await openStore('memory:');
    const shop = new Shop();
    await shop.run(store, make('1', true)(shop), options);
    await resumed(store, options, make('2', false));
    assert.equal([keys.length, new Set(keys).size], [5, 5]);
  });

  test("'rerun' leaves alone what does not depend on it", async () => {
    const make = (version: string) => (shop: Shop) =>
      graph(
        'f',
        linear('one', shop.step('a', { version }), shop.step('b', { requires: ['a'] })),
        linear('other', shop.step('x'), shop.step('y', { requires: ['x'] })),
        shop.step('end', { requires: ['b', 'y'], suspends: version === '1.0' }),
      ).with({ onVersionChange: 'rerun' });
    await using store = await openStore('memory:');
    const shop = new Shop();
    await shop.run(store, make('1.0')(shop), options);
    assert.is((await store.read(id)).state, 'SUCCESS');
    // A flow that has ended is not looked at.
    assert.equal((await resumed(store, options, make('3.0'))).ran, []);
    const lease = await store.acquire(id);
    lease.flow({ state: 'SUSPENDED' });
    await lease.commit();
    await lease.release();
    const { ran, result } = await resumed(store, options, make('2.0'));
    assert.equal(sorted(ran), ['a', 'b', 'end']);
    assert.is(result.end, 'end 1.0 of (b 1.0 of (a 2.0)) of (y 1.0 of (x 1.0))');
  });

  test('the nearest that says something counts', async () => {
    const make =
      (version: string, suspends = false) =>
      (shop: Shop) =>
        linear(
          'f',
          linear(
            'inner',
            shop.step('kept', { version }),
            shop.step('again', { version }).with({ onVersionChange: 'rerun' }),
          ).with({ onVersionChange: 'keep' }),
          shop.step('last', { version, suspends }),
          shop.step('end'),
        ).with({ onVersionChange: 'rerun' });
    await using store = await openStore('memory:');
    const shop = new Shop();
    await shop.run(store, make('1.0', true)(shop), options);
    assert.equal((await resumed(store, options, make('2.0'))).ran, ['again', 'last', 'end']);
  });

  test('what was interrupted runs with the code that there is, unless that is refused', async () => {
    const rows = { a: { state: 'SUCCESS', order: 1, version: '2.0' }, b: { state: 'RUNNING', attempts: 1 } } as const;
    const make = (answer: OnVersionChange, version: string) => (shop: Shop) =>
      linear('f', shop.step('a', { version: '2.5' }), shop.step('b', { version })).with({ onVersionChange: answer });
    for (const answer of ['keep', 'rerun'] as const) {
      await using store = await openStore('memory:');
      await abandoned(store, rows);
      assert.is((await resumed(store, options, make('fail', '2.0'))).result.task, 'b');
      assert.equal((await resumed(store, options, make(answer, '2.0'))).ran, ['b']);
      assert.is((await store.read(id)).atoms.get('b')!.version, '2.0');
    }
    // A first version is not recorded, and what was is not left there.
    await using store = await openStore('memory:');
    await abandoned(store, { a: { state: 'RUNNING', version: '3.0' } });
    assert.equal((await resumed(store, options, (shop) => shop.step('a').with({ onVersionChange: 'keep' }))).ran, [
      'a',
    ]);
    assert.is((await store.read(id)).atoms.get('a')!.version, undefined);
  });

  test('what has not begun, was ignored or reverted has no version', async () => {
    await using store = await openStore('memory:');
    await abandoned(store, {
      a: { state: 'PENDING', version: '3.0' },
      b: { state: 'PENDING' },
      done: { state: 'SUCCESS', order: 1 },
    });
    const { ran } = await resumed(store, options, (shop) =>
      linear('f', shop.step('done'), shop.step('a'), shop.step('b', { version: '2' })),
    );
    assert.equal(ran, ['a', 'b']);
  });

  test('of a task whose result lacks what it provides now, that is told, or it runs again', async () => {
    const pair = (keys: string[], shop: Shop, suspends = false) =>
      linear(
        'f',
        task({
          name: 'pair',
          provides: new Set(keys),
          execute: () => {
            shop.ran.push('pair');
            return Object.fromEntries(keys.map((key) => [key, key]));
          },
        }) as FlowItem,
        shop.step('wait', { suspends }),
        shop.step('sum', { requires: keys }) as FlowItem,
      );
    await using store = await openStore('memory:');
    const shop = new Shop();
    await shop.run(store, pair(['left'], shop, true), options);
    for (const answer of ['fail', 'keep'] as const) {
      const { result } = await resumed(store, options, (next) =>
        pair(['left', 'right'], next).with({ onVersionChange: answer }),
      );
      assert.is(result.code, 'ERR_MILLRACE_VERSION_CHANGED');
      assert.match(result.message, /'pair' provides 'right' now, which its recorded result does not have/);
    }
    const { ran, result } = await resumed(store, options, (next) =>
      pair(['left', 'right'], next).with({ onVersionChange: 'rerun' }),
    );
    assert.equal(ran, ['pair', 'wait', 'sum']);
    assert.is(result.sum, 'sum 1.0 of (left) of (right)');
  });

  test('what was a task cannot be a region, whatever is said', async () => {
    await using store = await halfway();
    const { result } = await resumed(store, options, (shop) =>
      linear(
        'f',
        dynamic('a', { provides: ['b'], build: () => shop.step('b') as Task<{}, any> }),
        shop.step('c', { requires: ['b'] }),
      ).with({
        onVersionChange: 'keep',
      }),
    );
    assert.is(result.code, 'ERR_MILLRACE_VERSION_CHANGED');
    assert.match(result.message, /'a' has run as a task, and is a region now/);
  });

  test('what was a retry cannot be a task', async () => {
    await using store = await halfway(({ step }) => chain(step).with({ retry: times(2, { name: 'x' }) }));
    const { result } = await resumed(store, options, (shop) =>
      linear('f', shop.step('x'), chain(shop.step.bind(shop))),
    );
    assert.match(result.message, /'x' has run as a retry, and is a task now/);
  });

  test('the failure of a task that is gone reverts the flow all the same', async () => {
    await using store = await halfway(({ step }) =>
      linear('f', step('a'), step('b'), step('bad', { fails: true, suspends: true })),
    );
    const { ran, result, state } = await resumed(store, options, (shop) => linear('f', shop.step('a'), shop.step('b')));
    assert.equal(ran, ['revert b', 'revert a']);
    assert.equal([state, result.message, result.task], ['REVERTED', 'bad has failed', 'bad']);
  });

  test('what was reverted before its task went still counts as failed', async () => {
    await using store = await openStore('memory:');
    await abandoned(store, {
      a: { state: 'SUCCESS', order: 1, result: stored('a') },
      b: { state: 'REVERTED', failure: await failureOf('bad') },
    });
    const lease = await store.acquire(id);
    lease.flow({ notes: stored({ verdict: null, reverting: true }) });
    await lease.commit();
    await lease.release();
    const { ran, result } = await resumed(store, options, (shop) => linear('f', shop.step('a')));
    assert.equal(ran, ['revert a']);
    assert.is(result.message, 'bad has failed');
  });

  test('a flow that is reverted is so with the code that there is', async () => {
    const make = (version: string, suspends: boolean, answer?: OnVersionChange) => (shop: Shop) =>
      linear(
        'f',
        shop.step('a', { version }),
        shop.step('b', { version }),
        shop.step('bad', { fails: true, suspends }),
      ).with({ ...(answer && { onVersionChange: answer }) });
    for (const answer of ['rerun', 'keep'] as const) {
      await using store = await openStore('memory:');
      const shop = new Shop();
      const engine = await shop.run(store, make('1.0', true)(shop), options);
      assert.is(engine.state, 'SUSPENDED');
      const refused = await resumed(store, options, make('2.0', false));
      assert.equal([refused.result.code, refused.ran], ['ERR_MILLRACE_VERSION_CHANGED', []]);
      const { ran, result } = await resumed(store, options, make('2.0', false, answer));
      assert.is(result.message, 'bad has failed');
      assert.equal(ran.slice(-2), ['revert b', 'revert a']);
    }
  });

  test('what a retry was rolling back is reverted for good when the retry is gone', async () => {
    await using store = await openStore('memory:');
    await abandoned(store, {
      a: { state: 'SUCCESS', order: 1 },
      r: { kind: 'retry', state: 'SUCCESS', order: 2, notes: stored({ retryAfter: 0 }) },
      b: { state: 'REVERTED' },
      bad: { state: 'REVERTED', failure: await failureOf('bad') },
    });
    const lease = await store.acquire(id);
    lease.attempt('r', 0, { value: stored(1), failures: stored({}) });
    await lease.commit();
    await lease.release();
    const { ran, result, state } = await resumed(store, options, (shop) =>
      linear('f', shop.step('a'), linear('inner', shop.step('b'), shop.step('bad'))),
    );
    assert.equal([ran, state, result.message], [['revert a'], 'REVERTED', 'bad has failed']);
  });

  test('what a rerun goes through again has a new history', async () => {
    const histories: (readonly Attempt[])[] = [];
    const make = (version: string, suspends: boolean) => (shop: Shop) => {
      const again = retry({
        name: 'r',
        execute: (history) => {
          histories.push([...history]);
        },
        onFailure: () => 'REVERT',
      });
      const inner = linear('inner', shop.step('b'), shop.step('wait', { suspends })).with({ retry: again });
      return linear('f', shop.step('a', { version }), inner, shop.step('c')).with({ onVersionChange: 'rerun' });
    };
    await using store = await openStore('memory:');
    const shop = new Shop();
    await shop.run(store, make('1', true)(shop), options);
    assert.equal((await resumed(store, options, make('2', false))).ran, ['a', 'b', 'wait', 'c']);
    assert.equal(histories, [[], []]);
    assert.is((await store.read(id)).histories.get('r')!.length, 1);
  });

  /** A list of which some elements have run. */
  const list = (version: string, shop: Shop, suspends: boolean, answer?: OnVersionChange) => {
    const element = task({
      name: 'element',
      version,
      requires: 'n',
      execute: ({ n }: { n: number }) => {
        shop.ran.push(`element ${n}`);
        if (suspends && n === 1) shop.engine!.suspend();
        return `${n} by ${version}`;
      },
    });
    return linear(
      'f',
      task({ name: 'numbers', provides: 'numbers', execute: () => [0, 1, 2] }),
      each(element, { name: 'all', over: 'numbers', as: 'n', collect: 'all' }),
    ).with({ ...(answer && { onVersionChange: answer }) });
  };

  test('a list whose elements have another version is refused before anything runs', async () => {
    await using store = await openStore('memory:');
    const shop = new Shop();
    const engine = await shop.run(store, list('1', shop, true), options);
    if (engine.state === 'SUCCESS') return; // all were under way
    const { result, ran } = await resumed(store, options, (next) => list('2', next, false));
    assert.equal([result.code, ran], ['ERR_MILLRACE_VERSION_CHANGED', []]);
    assert.match(result.message, /'all\[\d\]' has run as version 1\.0, and is version 2\.0 now/);
    const kept = await resumed(store, options, (next) => list('1.1', next, false));
    assert.is(kept.result.all.length, 3);
  });

  test('elements of another version are run again, or stand', async () => {
    for (const answer of ['rerun', 'keep'] as const) {
      await using store = await openStore('memory:');
      await abandoned(store, {
        numbers: { state: 'SUCCESS', order: 1, result: stored([0, 1, 2]) },
        all: { kind: 'region', state: 'RUNNING' },
        'all[0]': { parent: 'all', state: 'SUCCESS', order: 1, result: stored('0 by 1') },
        'all[1]': { parent: 'all', state: 'RUNNING' },
      });
      const { result } = await resumed(store, options, (next) => list('2', next, false, answer));
      assert.equal(result.all, [answer === 'rerun' ? '0 by 2' : '0 by 1', '1 by 2', '2 by 2']);
      assert.is((await store.read(id)).atoms.get('all[1]')!.version, '2.0');
    }
  });

  test('a list that has run with another version is run again, elements and all', async () => {
    await using store = await openStore('memory:');
    await abandoned(store, {
      numbers: { state: 'SUCCESS', order: 1, result: stored([0, 1]) },
      all: { kind: 'region', state: 'SUCCESS', order: 2, result: stored(['0 by 1', '1 by 1']) },
      'all[0]': { parent: 'all', state: 'SUCCESS', order: 1, result: stored('0 by 1') },
      'all[1]': { parent: 'all', state: 'SUCCESS', order: 2, result: stored('1 by 1') },
    });
    const { result } = await resumed(store, options, (next) => list('2', next, false, 'rerun'));
    assert.equal(result.all, ['0 by 2', '1 by 2']);
    assert.is((await store.read(id)).atoms.get('all[0]')!.version, '2.0');
  });

  test('what was under way with the values of another version begins anew', async () => {
    await using store = await openStore('memory:');
    await abandoned(store, {
      numbers: { state: 'SUCCESS', order: 1, result: stored([7, 8, 9, 10]), version: '0.9' },
      all: { kind: 'region', state: 'PENDING' },
      'all[0]': { parent: 'all', state: 'SUCCESS', order: 1, result: stored('7 by 1') },
      'all[3]': { parent: 'all', state: 'RUNNING', attempts: 1 },
      note: { state: 'RUNNING', attempts: 1 },
    });
    const told: string[] = [];
    const { result } = await resumed(store, options, (next) => {
      const note = task({
        name: 'note',
        execute: (_, { attempt, idempotencyKey }) => told.push(`${attempt} ${idempotencyKey}`),
      });
      return linear('f', ...list('1', next, false), note).with({ onVersionChange: 'rerun' });
    });
    assert.equal(result.all, ['0 by 1', '1 by 1', '2 by 1']);
    assert.equal(told, ['1 flow/note/1']);
    const left = ['all', 'all[0]', 'all[1]', 'all[2]', 'note', 'numbers'];
    assert.equal([...(await store.read(id)).atoms.keys()].sort(), left);
  });

  test('what a region has built is refused when its turn comes, and the flow is suspended', async () => {
    const make = (version: string) => (shop: Shop) =>
      linear(
        'f',
        shop.step('a'),
        dynamic('region', { build: () => linear('built', shop.step('x', { version }), shop.step('y')) }),
      );
    await using store = await openStore('memory:');
    await abandoned(store, {
      a: { state: 'SUCCESS', order: 1, result: stored('a') },
      region: { kind: 'region', state: 'RUNNING' },
      x: { parent: 'region', state: 'SUCCESS', order: 1, result: stored('x') },
    });
    const refused = await resumed(store, options, make('2'));
    assert.equal([refused.result.code, refused.state, refused.ran], ['ERR_MILLRACE_VERSION_CHANGED', 'SUSPENDED', []]);
    assert.match(refused.result.message, /^Flow 'built' cannot go on, .*'x' has run as version 1\.0/);
    const { ran, state } = await resumed(store, options, make('1.5'));
    assert.equal([ran, state], [['y'], 'SUCCESS']);
  });
});

/** How a task of the shop fails, as it is recorded. */
async function failureOf(name: string) {
  await using store = await openStore('memory:');
  const shop = new Shop();
  await shop.run(store, linear('f', shop.step(name, { fails: true })), { engine: 'serial' });
  return (await store.read(id)).atoms.get(name)!.failure!;
}

once('the version of what was interrupted is recorded anew in a database', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  try {
    await using store = await openStore(`sqlite:${join(folder, 'flows.db')}`);
    await abandoned(store, { a: { state: 'RUNNING', version: '3.0' }, b: { state: 'RUNNING' } });
    const { state } = await resumed(store, { engine: 'serial' }, (shop) =>
      linear('f', shop.step('a'), shop.step('b', { version: '2.1' })).with({ onVersionChange: 'rerun' }),
    );
    const { atoms } = await store.read(id);
    assert.equal([state, atoms.get('a')!.version, atoms.get('b')!.version], ['SUCCESS', undefined, '2.1']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Random graphs: for each task those before it that it requires. With it, which tasks have another version, and which one suspends. */
const graphs = fc.integer({ min: 1, max: 9 }).chain((size) =>
  fc.record({
    requires: fc.tuple(
      ...Array.from({ length: size }, (_, n) => fc.subarray(Array.from({ length: n }, (_, at) => at))),
    ),
    changed: fc.subarray(Array.from({ length: size }, (_, n) => n)),
    suspends: fc.integer({ min: 0, max: size - 1 }),
  }),
);

once(
  'a flow that is run again where its code has changed comes to the same as one that never had other code',
  async () => {
    const name = (n: number) => `t${n}`;
    await fc.assert(
      fc.asyncProperty(graphs, async ({ requires, changed, suspends }) => {
        const make = (upgraded: boolean, suspendAt: number) => (shop: Shop) => {
          const steps = requires.map((before, n) => {
            const version = upgraded && changed.includes(n) ? '2.0' : '1.0';
            return shop.step(name(n), { version, requires: before.map(name), suspends: n === suspendAt });
          });
          return linear('f', graph('g', steps), shop.step('end')).with({ onVersionChange: 'rerun' });
        };
        const options = { engine: 'serial' } as const;
        await using store = await openStore('memory:');
        const first = new Shop();
        await first.run(store, make(false, suspends)(first), options);
        const { ran, result } = await resumed(store, options, make(true, -1));
        const fresh = new Shop();
        assert.equal(result, await load(make(true, -1)(fresh) as any, options).run());
        const isDue: boolean[] = [];
        for (const [n, before] of requires.entries()) {
          isDue.push(!first.ran.includes(name(n)) || changed.includes(n) || before.some((at) => isDue[at]));
        }
        const due = [...requires.keys()].filter((n) => isDue[n]).map(name);
        assert.equal(sorted(ran), sorted([...due, 'end']));
      }),
      { numRuns: Number(process.env.TEST_RUNS || 200) },
    );
  },
);

once('of many tasks that have changed only some are named', async () => {
  await using store = await openStore('memory:');
  const names = Array.from({ length: 8 }, (_, n) => `t${n}`);
  await abandoned(store, Object.fromEntries(names.map((name) => [name, { state: 'SUCCESS', order: 1 }])));
  const { result } = await resumed(
    store,
    { engine: 'serial' },
    (shop) =>
    unordered('f', names.map((name) => shop.step(name, { version: '2' }))), // biome-ignore format: one line
  );
  assert.match(
    result.message,
    /'t0' has run .*; 't4' has run as version 1\.0, and is version 2\.0 now; 3 more\. Resume/,
  );
});

once('wrong versions and answers are refused', () => {
  const refuses = (make: () => unknown, message: RegExp) =>
    assert.throws(make, (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && message.test(error.message));
  const execute = () => {};
  for (const version of ['', 'one', '1.', '1.2.3', '01', '-1', 2, null]) {
    refuses(
      () => task({ name: 't', version: version as string, execute }),
      /^Task 't': version must be a string like '2' or '2\.1'; received/,
    );
  }
  const one = task({ name: 't', version: '2', execute });
  refuses(() => one.with({ version: '3' } as object), /version belongs to the task's code/);
  refuses(
    () => one.with({ onVersionChange: 'ignore' as OnVersionChange }),
    /: onVersionChange must be 'fail', 'rerun' or 'keep'; received a string \("ignore"\)$/,
  );
  refuses(
    () => linear('f').with({ onVersionChange: true as never }),
    /^linear\('f'\)\.with\(\): onVersionChange must be 'fail', 'rerun' or 'keep'; received a boolean/,
  );
  refuses(() => each(one as any, { over: 'ns', as: 'n', version: '2' } as any), /there is no option 'version'/);
});

once('a task shows its version, if it is not the first', () => {
  const made = (version: string) => task({ name: 't', version, execute: () => {} });
  assert.is(inspect(made('1')), "Task 't' (local)");
  assert.is(inspect(made('2')), "Task 't' (local; version 2.0)");
  assert.is(inspect(made('1.3').with({ name: 'u' })), "Task 'u' (local; version 1.3)");
});

once('a copy of a flow keeps its answer, and a graph keeps it when it is linked', () => {
  const [a, b] = ['a', 'b'].map((name) => task({ name, execute: () => {} }));
  const flow = graph('f', a!, b!).with({ onVersionChange: 'keep' });
  for (const copy of [
    flow,
    flow.with({ name: 'g' }),
    flow.with({ retry: times(2) }),
    flow.link(a!, b!),
    flow.target(b!),
  ]) {
    assert.is((copy as any).care.onVersionChange, 'keep');
  }
});

once.run();
