import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AtomChange, AttemptChange, FlowChange, Lease, RecordedFlow, Stored } from '../../src/engine/recording.js';
import { Failure } from '../../src/failure/index.js';
import {
  type AtomTree,
  atomTree,
  decodeStored,
  openStore,
  type Store,
  type StoreOptions,
} from '../../src/storage/index.js';
import { encodeStored } from '../../src/stored/index.js';
import fc from '../fast-check.js';
import { newFile, newSchema, onServer, plainSqlite, server } from '../fixtures/service/places.js';
import { LONG, text } from '../fixtures/storage/stored.js';
import { value as anyValue } from '../stored/arbitrary.js';
import { assertSame } from '../stored/same.js';

const NEW = { name: 'flow', inputs: text('{}') };

async function failure(run: () => unknown): Promise<any> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error');
}

/** What the model knows of a flow: what a store must return, but for times, of which it knows whether they are there. */
interface Model {
  flow: Record<string, unknown>;
  atoms: Record<string, Record<string, unknown>>;
  histories: Record<string, Record<string, unknown>[]>;
}

const emptyModel = (): Model => ({ flow: { state: 'PENDING', finished: false }, atoms: {}, histories: {} });

const NEW_ATOM = { kind: 'task', state: 'PENDING', intention: 'EXECUTE', attempts: 0, rounds: 0, order: 0 };

/** What a flow is, in the words of the model. */
function modelOf({ state, finishedAt, injected, metadata, notes, atoms, histories }: RecordedFlow): Model {
  const defined = (one: object) => Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined));
  return {
    flow: defined({ state, injected, metadata, notes, finished: finishedAt !== undefined }),
    atoms: Object.fromEntries(
      [...atoms].map(([key, { name, startedAt, finishedAt, ...rest }]) => {
        assert.is(name, key);
        return [key, defined({ ...rest, started: startedAt !== undefined, finished: finishedAt !== undefined })];
      }),
    ),
    histories: Object.fromEntries([...histories].map(([name, attempts]) => [name, attempts.map(defined)])),
  };
}

/** Changes an object as a change says: `null` takes away. */
function change(target: Record<string, unknown>, by: object): void {
  for (const [field, value] of Object.entries(by)) {
    if (value === null) delete target[field];
    else if (value !== undefined) target[field] = value;
  }
}

type Step =
  | { readonly do: 'flow'; readonly change: FlowChange }
  | { readonly do: 'atom'; readonly name: string; readonly change: AtomChange }
  | { readonly do: 'attempt'; readonly name: string; readonly n: number; readonly change: AttemptChange }
  | { readonly do: 'remove' | 'forget'; readonly name: string }
  | { readonly do: 'commit' | 'release' | 'reopen' };

const stored = fc.oneof(
  { weight: 6, arbitrary: fc.json().map((json) => text(json)) },
  fc.constant(LONG),
  fc.constant(text('')),
  fc
    .tuple(fc.json(), fc.array(fc.uint8Array({ maxLength: 5 }), { minLength: 1, maxLength: 3 }))
    .map(([json, parts]): Stored => ({ text: json, parts })),
);
const value = fc.option(stored, { freq: 3 });
const name = fc.constantFrom('a', 'b', 'région 1', "o'; drop table millrace_atoms; --", '__proto__x');
const states = [
  'PENDING',
  'RUNNING',
  'SUCCESS',
  'FAILURE',
  'REVERTING',
  'REVERTED',
  'REVERT_FAILURE',
  'RETRYING',
  'IGNORE',
] as const;
const some = <T extends Record<string, fc.Arbitrary<unknown>>>(fields: T) => fc.record(fields, { requiredKeys: [] });

const step = fc.oneof(
  fc.record({
    do: fc.constant('flow' as const),
    change: some({
      state: fc.constantFrom('PENDING', 'RUNNING', 'SUCCESS', 'FAILURE', 'REVERTED', 'SUSPENDED'),
      injected: value,
      metadata: value,
      notes: value,
    }),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('atom' as const),
      name,
      change: some({
        kind: fc.constantFrom('task', 'retry', 'region'),
        parent: fc.option(name),
        state: fc.constantFrom(...states),
        intention: fc.constantFrom('EXECUTE', 'IGNORE', 'RETRY', 'REVERT'),
        attempts: fc.nat(9),
        rounds: fc.nat(9),
        version: fc.option(fc.constantFrom('1', '2.0')),
        order: fc.nat(9),
        progress: value,
        result: value,
        failure: value,
        revertResult: value,
        revertFailure: value,
        metadata: value,
        notes: value,
      }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('attempt' as const),
      name,
      n: fc.nat(3),
      change: some({ value, failures: value }),
    }),
  },
  fc.record({ do: fc.constantFrom('remove' as const, 'forget' as const), name }),
  { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const) }) },
  fc.record({ do: fc.constantFrom('release' as const, 'reopen' as const) }),
) as fc.Arbitrary<Step>;

/** Appends a step to a lease and to the model. */
function append(lease: Lease, model: Model, one: Step): void {
  if (one.do === 'flow') {
    lease.flow(one.change);
    change(model.flow, one.change);
    const { state } = one.change;
    if (state) model.flow.finished = ['SUCCESS', 'FAILURE', 'REVERTED'].includes(state);
  } else if (one.do === 'atom') {
    lease.atom(one.name, one.change);
    model.atoms[one.name] ??= { ...NEW_ATOM, started: false, finished: false };
    const atom = model.atoms[one.name];
    change(atom, one.change);
    const { state } = one.change;
    if (state === 'RUNNING' || state === 'REVERTING') Object.assign(atom, { started: true, finished: false });
    else if (state === 'PENDING') Object.assign(atom, { started: false, finished: false });
    else if (state && state !== 'RETRYING') atom.finished = true;
  } else if (one.do === 'attempt') {
    model.histories[one.name] ??= [];
    const history = model.histories[one.name];
    const n = Math.min(one.n, history.length);
    lease.attempt(one.name, n, one.change);
    history[n] ??= {};
    change(history[n], one.change);
  } else if (one.do === 'remove') {
    lease.remove(one.name);
    delete model.atoms[one.name];
    delete model.histories[one.name];
  } else if (one.do === 'forget') {
    lease.forget(one.name);
    delete model.histories[one.name];
  }
}

interface Context {
  open(options?: StoreOptions): Promise<Store>;
  remove(): Promise<void>;
}

/** What every store does. */
function contract(kind: string, place: () => Promise<Context>, { lasts, runs }: { lasts: boolean; runs: number }) {
  const test = suite<Context & { store: Store }>(kind);

  test.before.each(async (context) => {
    Object.assign(context, await place());
    context.store = await context.open();
  });
  test.after.each(async ({ store, remove }) => {
    await store.close();
    await remove();
  });

  test(`${kind}: what is committed is what is read, whatever was recorded before`, async ({ store: first, open }) => {
    let store = first;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        let lease = await store.create(NEW);
        const { id } = lease;
        let committed = emptyModel();
        let model = emptyModel();
        for (const one of steps) {
          if (one.do === 'commit') {
            await lease.commit();
            committed = structuredClone(model);
            assert.equal(modelOf(await lease.read()), committed);
          } else if (one.do === 'release' || (one.do === 'reopen' && !lasts)) {
            await lease.release();
            lease = await store.acquire(id);
            model = structuredClone(committed);
          } else if (one.do === 'reopen') {
            await store.close();
            store = await open();
            lease = await store.acquire(id);
            model = structuredClone(committed);
          } else append(lease, model, one);
        }
        assert.equal(modelOf(await store.read(id)), committed);
        await lease.release();
        assert.is(await store.delete(id), true);
      }),
      { numRuns: Math.min(Number(process.env.TEST_RUNS ?? runs), runs * 20) },
    );
    if (store !== first) await store.close();
  });

  test(`${kind}: any value that can be encoded comes back as it was`, async ({ store }) => {
    const encode = (one: unknown) => encodeStored(one, { limit: 2 ** 30 });
    const lease = await store.create(NEW);
    await fc.assert(
      fc.asyncProperty(anyValue, async (one) => {
        lease.atom('a', { result: encode(one) });
        await lease.commit();
        assertSame(one, decodeStored((await lease.read()).atoms.get('a')!.result!));
      }),
      { numRuns: Math.min(Number(process.env.TEST_RUNS ?? runs), runs * 20) },
    );
    // What PostgreSQL, or UTF-8, has no way to hold.
    for (const hard of [
      '\0',
      'a\0b',
      '\ud800',
      '\udc00\ud800',
      '\uffff\ufffe',
      '\u{10ffff}',
      '\ufeff',
      '\\u0000',
      "'",
      '\r\n',
    ]) {
      const error = Object.assign(new Error(hard), { code: hard, [hard]: hard });
      const one = {
        hard,
        [hard]: [hard, { [hard]: hard }],
        map: new Map([[hard, hard]]),
        error,
        long: hard.repeat(40_000),
      };
      const change = { result: encode(one), failure: encode(new Failure('a', error)), notes: encode(hard) };
      lease.atom('a', change);
      lease.flow({ metadata: encode(hard) });
      lease.attempt('a', 0, { value: encode(hard) });
      await lease.commit();
      const { atoms, histories, metadata } = await lease.read();
      const { result, failure, notes } = atoms.get('a')!;
      assert.equal({ result, failure, notes }, change);
      assertSame(one, decodeStored(result!));
      for (const stored of [notes, metadata, histories.get('a')![0].value]) assert.is(decodeStored(stored!), hard);
      assert.is((decodeStored(failure!) as Failure).message, hard);
    }
  });

  test(`${kind}: a flow is read as it was created`, async ({ store }) => {
    const inputs: Stored = { text: '{"a":1}', parts: [Uint8Array.of(1, 2), new Uint8Array()] };
    const lease = await store.create({ ...NEW, id: 'mine', book: 'book', factory: 'make', inputs, metadata: LONG });
    const flow = await lease.read();
    assert.is(lease.epoch, 1);
    const { createdAt, updatedAt, owner, ...rest } = flow;
    assert.equal(rest, {
      ...{ id: 'mine', book: 'book', name: 'flow', factory: 'make', state: 'PENDING', finishedAt: undefined },
      ...{ inputs, metadata: LONG, injected: undefined, notes: undefined, atoms: new Map(), histories: new Map() },
    });
    assert.equal(createdAt, updatedAt);
    assert.is(owner!.pid, process.pid);
  });

  test(`${kind}: an id is given once`, async ({ store }) => {
    await store.create({ ...NEW, id: 'mine' });
    const error = await failure(() => store.create({ ...NEW, id: 'mine' }));
    assert.is(error.code, 'ERR_MILLRACE_DUPLICATE_FLOW');
    assert.is(error.flow, 'mine');
  });

  test(`${kind}: a flow that has an owner is refused, also to its owner`, async ({ store }) => {
    const lease = await store.create(NEW);
    const error = await failure(() => store.acquire(lease.id));
    assert.is(error.code, 'ERR_MILLRACE_OWNED');
    assert.is((await failure(() => store.delete(lease.id))).code, 'ERR_MILLRACE_OWNED');
    await lease.release();
    const leases = await Promise.allSettled([store.acquire(lease.id), store.acquire(lease.id)]);
    assert.equal(leases.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  test(`${kind}: nothing is recorded under a lease that was released`, async ({ store }) => {
    const old = await store.create(NEW);
    old.atom('a', { state: 'RUNNING' });
    await old.release();
    await old.release();
    const lease = await store.acquire(old.id);
    assert.is(lease.epoch, 2);
    assert.is((await failure(() => old.commit())).code, 'ERR_MILLRACE_LEASE_LOST');
    assert.not.ok(old.signal.aborted);
    assert.is((await lease.read()).atoms.size, 0);
  });

  test(`${kind}: a flow that is not there is not found`, async ({ store }) => {
    for (const call of [() => store.acquire('no'), () => store.read('no'), () => store.flows({ after: 'no' })]) {
      assert.is((await failure(call)).code, 'ERR_MILLRACE_FLOW_NOT_FOUND');
    }
    assert.is(await store.delete('no'), false);
  });

  test(`${kind}: names that a database would not return as they are, are refused at once`, async ({ store }) => {
    const lease = await store.create(NEW);
    for (const bad of ['', 'a\0', '\ud800', 1 as never]) {
      assert.throws(() => lease.atom(bad, {}), { code: 'ERR_MILLRACE_INVALID_ARG' } as never);
      assert.is((await failure(() => store.create({ ...NEW, book: bad }))).code, 'ERR_MILLRACE_INVALID_ARG');
    }
    assert.throws(() => lease.atom('a', { outcome: 1 } as never), /no property 'outcome'/);
    assert.throws(() => lease.atom('a', { state: null } as never), /cannot be taken away/);
    assert.throws(() => lease.attempt('a', -1, {}), /integer/);
  });

  test(`${kind}: an atom that is made anew in the commit that removes it has nothing of the old one`, async ({
    store,
  }) => {
    const lease = await store.create(NEW);
    lease.atom('a', { kind: 'region', state: 'SUCCESS', attempts: 2, order: 1, result: LONG, metadata: text('1') });
    lease.attempt('a', 0, { value: LONG });
    lease.attempt('a', 1, { value: text('1') });
    await lease.commit();
    lease.remove('a');
    lease.atom('a', { state: 'RUNNING' });
    lease.attempt('a', 0, { failures: text('{}') });
    await lease.commit();
    assert.equal(modelOf(await lease.read()), {
      flow: { state: 'PENDING', finished: false },
      atoms: { a: { ...NEW_ATOM, state: 'RUNNING', started: true, finished: false } },
      histories: { a: [{ failures: text('{}') }] },
    });
  });

  test(`${kind}: a large value may be replaced by any other`, async ({ store }) => {
    const lease = await store.create(NEW);
    const parts = (...sizes: number[]): Stored => ({
      text: '[]',
      parts: sizes.map((size) => new Uint8Array(size).fill(7)),
    });
    for (const result of [LONG, parts(1, 2, 3), parts(4), text(''), text('1'), parts(2, 2), null, LONG, LONG]) {
      lease.atom('a', { state: 'SUCCESS', result });
      lease.flow({ notes: result });
      lease.attempt('a', 0, { value: result });
      await lease.commit();
      const { notes, atoms, histories } = await lease.read();
      for (const found of [notes, atoms.get('a')!.result, histories.get('a')![0].value]) {
        assert.equal(found, result ?? undefined);
      }
    }
  });

  test(`${kind}: commits that overlap are carried out in order`, async ({ store }) => {
    const lease = await store.create(NEW);
    const commits: unknown[] = [];
    for (let order = 1; order <= 50; order++) {
      lease.atom('a', { state: 'SUCCESS', order });
      lease.atom(`b${order}`, { state: 'RUNNING' });
      commits.push(lease.commit());
      if (order % 7 === 0) await setImmediate();
    }
    await Promise.all(commits);
    const { atoms } = await lease.read();
    assert.is(atoms.get('a')!.order, 50);
    assert.is(atoms.size, 51);
  });

  test(`${kind}: a commit without a change is none`, async ({ store }) => {
    const lease = await store.create(NEW);
    assert.is(lease.commit(), undefined);
  });

  test(`${kind}: a closed store refuses, and has released its flows`, async ({ store, open }) => {
    const lease = await store.create(NEW);
    await store.close();
    lease.atom('a', { state: 'RUNNING' });
    assert.is((await failure(() => lease.commit())).code, 'ERR_MILLRACE_LEASE_LOST');
    for (const call of [() => store.create(NEW), () => store.acquire(lease.id), () => store.flows()]) {
      assert.is((await failure(call)).code, 'ERR_MILLRACE_DATABASE');
    }
    if (!lasts) return;
    const again = await open();
    assert.is((await again.acquire(lease.id)).epoch, 2);
    await again.close();
  });

  test(`${kind}: flows are found by what they are, sorted, page by page`, async ({ store }) => {
    const all = [];
    for (let i = 0; i < 9; i++) {
      const lease = await store.create({ ...NEW, id: `f${i}`, name: `n${i % 3}`, book: i < 5 ? 'odd' : undefined });
      if (i % 2 === 0) lease.flow({ state: 'SUCCESS' });
      await lease.commit();
      await lease.release();
      all.push((await store.read(lease.id)).id);
    }
    const ids = async (query: Parameters<Store['flows']>[0]) => (await store.flows(query)).map(({ id }) => id);
    assert.equal(await ids({ sortKey: 'id', sortDir: 'asc' }), all);
    assert.equal(await ids({ book: 'odd', sortKey: 'id' }), ['f4', 'f3', 'f2', 'f1', 'f0']);
    assert.equal(await ids({ name: 'n1', state: 'SUCCESS', sortKey: 'id' }), ['f4']);
    assert.equal(await ids({ state: [] }), []);
    assert.equal(await ids({ state: ['PENDING', 'SUCCESS'], limit: 0 }), []);
    assert.equal(await ids({ createdAfter: new Date(Date.now() + 60_000) }), []);
    assert.is((await ids({ createdBefore: new Date(Date.now() + 60_000) })).length, 9);
    for (const sortKey of ['createdAt', 'updatedAt', 'name', 'state', 'id'] as const) {
      for (const sortDir of ['asc', 'desc'] as const) {
        const whole = await ids({ sortKey, sortDir });
        const paged: string[] = [];
        for (let page = await ids({ sortKey, sortDir, limit: 2 }); page.length > 0; ) {
          paged.push(...page);
          page = await ids({ sortKey, sortDir, limit: 2, after: page.at(-1) });
        }
        assert.equal(paged, whole);
      }
    }
    assert.equal(
      (await store.books()).map(({ name, flows }) => [name, flows]),
      [['odd', 5]],
    );
    assert.is((await failure(() => store.flows({ sortKey: 'owner' as never }))).code, 'ERR_MILLRACE_INVALID_ARG');
  });

  test(`${kind}: what has ended can be cleared away, and nothing else`, async ({ store }) => {
    const make = async (id: string, state: 'SUCCESS' | 'RUNNING', release: boolean) => {
      const lease = await store.create({ ...NEW, id, inputs: LONG });
      lease.flow({ state });
      lease.atom('a', { state: 'SUCCESS', result: LONG });
      lease.attempt('a', 0, { value: text('1') });
      await lease.commit();
      if (release) await lease.release();
    };
    for (let i = 0; i < 3; i++) await make(`done ${i}`, 'SUCCESS', true);
    await make('running', 'RUNNING', true);
    await make('owned', 'SUCCESS', false);
    assert.is(await store.expire(new Date(0)), 0);
    assert.is(await store.expire(new Date(Date.now() + 1), { state: ['FAILURE'] }), 0);
    assert.is(await store.expire(new Date(Date.now() + 1)), 3);
    assert.equal((await store.flows()).map(({ id }) => id).sort(), ['owned', 'running']);
  });

  test(`${kind}: the atoms of a flow are a tree, in the order in which they finished`, async ({ store }) => {
    const lease = await store.create(NEW);
    lease.atom('z', { state: 'SUCCESS', order: 1 });
    lease.atom('region', { kind: 'region', state: 'RUNNING' });
    lease.atom('inner 2', { parent: 'region', state: 'RUNNING' });
    lease.atom('inner 1', { parent: 'region', state: 'SUCCESS', order: 2 });
    lease.atom('lost', { parent: 'nobody', state: 'IGNORE' });
    await lease.commit();
    const names = (trees: readonly AtomTree[]): unknown[] =>
      trees.map(({ atom, children }) => (children.length > 0 ? [atom.name, names(children)] : atom.name));
    assert.equal(names(atomTree(await store.read(lease.id))), ['z', 'lost', ['region', ['inner 1', 'inner 2']]]);
  });

  return test;
}

contract('memory', async () => ({ open: (options) => openStore('memory:', options), remove: async () => {} }), {
  lasts: false,
  runs: 300,
}).run();

/** What stores in a database do: `run` runs a statement from outside. */
function databases(
  kind: string,
  place: () => Promise<Context & { run(statement: string): Promise<any[]> }>,
  runs: number,
) {
  const test = contract(kind, place, { lasts: true, runs });

  test(`${kind}: the late commits of an owner that was taken for gone are refused, as a whole`, async (context) => {
    const { store, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    const old = await store.create(NEW);
    old.atom('a', { state: 'RUNNING' });
    await old.commit();
    // What somebody else does who takes it.
    await run("update millrace_flows set epoch = epoch + 1, holder = 'other'");
    old.atom('a', { state: 'SUCCESS', result: LONG });
    old.attempt('a', 0, { value: LONG });
    old.remove('b');
    old.flow({ state: 'SUCCESS' });
    assert.is((await failure(() => old.commit())).code, 'ERR_MILLRACE_LEASE_LOST');
    assert.is(old.signal.reason.code, 'ERR_MILLRACE_LEASE_LOST');
    assert.is((await failure(() => old.commit())).code, 'ERR_MILLRACE_LEASE_LOST');
    const flow = await store.read(old.id);
    assert.is(flow.state, 'PENDING');
    assert.is(flow.atoms.get('a')!.state, 'RUNNING');
    assert.is(flow.histories.size, 0);
    assert.equal(await run('select * from millrace_values'), []);
    // It has not released what is not its own.
    await old.release();
    assert.equal(await run('select holder from millrace_flows'), [{ holder: 'other' }]);
    assert.is((await store.acquire(old.id)).epoch, 3);
  });

  test(`${kind}: two stores do not have a flow at the same time`, async ({ store, open }) => {
    const other = await open();
    const lease = await store.create(NEW);
    const error = await failure(() => other.acquire(lease.id));
    assert.is(error.code, 'ERR_MILLRACE_OWNED');
    assert.match(error.message, new RegExp(`belongs to process ${process.pid} on "`));
    await lease.release();
    const taken = await Promise.allSettled([store.acquire(lease.id), other.acquire(lease.id)]);
    assert.equal(taken.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    await other.close();
  });

  test(`${kind}: tables of an older Millrace are brought up to date, and hold tasks beside flows`, async (context) => {
    const { store, open, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    await store.close();
    for (const table of ['flows', 'atoms', 'attempts', 'values']) await run(`drop table millrace_${table}`);
    await run('alter table millrace_tasks drop column recorded');
    await run('delete from millrace_migrations where version > 1');
    await run("insert into millrace_tasks values ('t', 'type', 'pending', null, null, 1, 1, null, '', '1', 'null')");
    await using again = await open();
    const lease = await again.create(NEW);
    lease.atom('a', { state: 'RUNNING' });
    await lease.commit();
    assert.equal(await run('select id from millrace_tasks'), [{ id: 't' }]);
    await run('insert into millrace_migrations values (99)');
    const error = await failure(() => open());
    assert.is(error.code, 'ERR_MILLRACE_DATABASE');
    assert.match(error.message, 'is of a newer Millrace');
  });

  test(`${kind}: a large value that is lost is an error that says so`, async (context) => {
    const { store, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    const lease = await store.create(NEW);
    lease.atom('a', { state: 'SUCCESS', result: LONG });
    await lease.commit();
    await run('delete from millrace_values');
    const error = await failure(() => lease.read());
    assert.is(error.code, 'ERR_MILLRACE_STORE_CORRUPT');
  });

  test(`${kind}: a large value is not written again with the rest of its row`, async (context) => {
    const { store, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    const lease = await store.create(NEW);
    lease.atom('a', { state: 'SUCCESS', result: LONG });
    await lease.commit();
    await run("update millrace_values set text = 'untouched'");
    lease.atom('a', { state: 'REVERTING', intention: 'REVERT' });
    await lease.commit();
    assert.equal((await lease.read()).atoms.get('a')!.result, text('untouched'));
    lease.atom('a', { state: 'REVERTED', result: null });
    await lease.commit();
    assert.equal(await run('select * from millrace_values'), []);
  });

  return test;
}

databases(
  'SQLite',
  async () => {
    const file = newFile();
    return {
      open: (options) => openStore(`sqlite:${file}`, options),
      remove: async () => {},
      run: async (statement) => {
        const connection = await plainSqlite(file);
        const rows = connection.prepare(statement).all();
        connection.close();
        return rows.map((row) => ({ ...row }));
      },
    };
  },
  60,
).run();

if (server) {
  const test = databases(
    'PostgreSQL',
    async () => {
      const { url, remove } = await newSchema();
      return {
        open: (options) => openStore(url, options),
        remove,
        run: (statement) => onServer(statement, url),
      };
    },
    25,
  );

  test('PostgreSQL: an owner that is connected but says nothing loses its flow, by the clock of the server', async (context) => {
    const { store, open, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    const other = await open();
    const lease = await store.create(NEW);
    await run('update millrace_flows set beat_at = beat_at - 29000');
    assert.is((await failure(() => other.acquire(lease.id))).code, 'ERR_MILLRACE_OWNED');
    await run('update millrace_flows set beat_at = beat_at - 1000');
    assert.is((await other.acquire(lease.id)).epoch, 2);
    // The next heartbeat tells.
    await (store as unknown as { beat(): Promise<void> }).beat();
    assert.is(lease.signal.reason.code, 'ERR_MILLRACE_LEASE_LOST');
    assert.is((await failure(() => lease.commit())).code, 'ERR_MILLRACE_LEASE_LOST');
    await other.close();
  });

  test('PostgreSQL: heartbeats and commits keep a flow', async (context) => {
    const { store, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    const lease = await store.create(NEW);
    const age = async () => {
      const [row] = await run(
        'select extract(epoch from clock_timestamp()) * 1000 - beat_at as age from millrace_flows',
      );
      return Number(row.age);
    };
    await run('update millrace_flows set beat_at = 0');
    await (store as unknown as { beat(): Promise<void> }).beat();
    assert.ok((await age()) < 30_000);
    await run('update millrace_flows set beat_at = 0');
    lease.atom('a', { state: 'RUNNING' });
    await lease.commit();
    assert.ok((await age()) < 30_000);
    assert.not.ok(lease.signal.aborted);
  });

  test('PostgreSQL: a commit that was carried out, though it seemed to fail, is not carried out again', async (context) => {
    const { store, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    const lease = await store.create(NEW);
    lease.atom('a', { state: 'RUNNING' });
    // As if its answer had been lost.
    await run('update millrace_flows set seq = 1');
    await lease.commit();
    assert.is((await lease.read()).atoms.size, 0);
    lease.atom('a', { state: 'SUCCESS' });
    await lease.commit();
    assert.is((await lease.read()).atoms.get('a')!.state, 'SUCCESS');
  });

  test('PostgreSQL: connections that are lost in the middle of commits leave nothing out, and nothing twice', async (context) => {
    const { store, run } = context as typeof context & { run(statement: string): Promise<any[]> };
    const lease = await store.create(NEW);
    let done = false;
    const ending = (async () => {
      while (!done) {
        const others = "from pg_stat_activity where pid <> pg_backend_pid() and query like '%millrace_atoms%'";
        await run(`select pg_terminate_backend(pid) ${others}`);
        await setImmediate();
      }
    })();
    for (let i = 0; i < 60; i++) {
      lease.atom(`a${i}`, { state: 'RUNNING' });
      lease.attempt('retry', i, { value: text(String(i)) });
      await lease.commit();
    }
    done = true;
    await ending;
    const { atoms, histories } = await lease.read();
    assert.is(atoms.size, 60);
    assert.equal(
      histories.get('retry')!.map(({ value }) => value!.text),
      Array.from({ length: 60 }, (_, i) => String(i)),
    );
  });

  test.run();
}
