/** TaskFlow's claims about what is recorded, and read again by whoever opens the same place. */
import { type Failure, type FlowItem, linear, load, task, times } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeStored, openStore, type Store } from '../../src/storage/index.js';
import { codeOf, rejection } from '../engine/capture.js';
import { newFile, newSchema, server } from '../fixtures/service/places.js';

/** Gives stores that see what the ones before have recorded, and takes all away in the end. */
type Place = (use: (open: () => Promise<Store>) => Promise<void>) => Promise<void>;

const places: Record<string, Place> = {
  async memory(use) {
    await using store = await openStore('memory:');
    await use(async () => store);
  },
  SQLite(use) {
    const url = `sqlite:${newFile()}`;
    return over(() => openStore(url), use);
  },
  ...(server && {
    async PostgreSQL(use) {
      const { url, remove } = await newSchema();
      await over(() => openStore(url), use);
      await remove();
    },
  }),
};

/** Of the stores that are opened one after the other, each is closed before the next. */
async function over(open: () => Promise<Store>, use: Parameters<Place>[0]): Promise<void> {
  let last: Store | undefined;
  try {
    await use(async () => {
      await last?.close();
      last = await open();
      return last;
    });
  } finally {
    await last?.close();
  }
}

const failing = task({
  name: 'failing',
  execute() {
    throw new RangeError('Woot!', { cause: new Error('foo') });
  },
});

for (const [kind, place] of Object.entries(places)) {
  const claim = (name: string, body: (open: () => Promise<Store>) => Promise<void>) =>
    test(`${name}: ${kind}`, () => place(body));
  const make = (store: Store, id: string, item: FlowItem, book?: string) =>
    load<any, any>(item, { engine: 'serial', record: { store, id, book } });
  const flow = (name: string) => linear(name, task({ name: `task of ${name}`, version: '4.2', execute: () => {} }));

  claim('a book is there with its first flow, and other flows join it', async (open) => {
    const store = await open();
    assert.equal(await store.books(), []);
    for (const name of ['one', 'two']) {
      assert.is(await codeOf(store.read(name)), 'ERR_MILLRACE_FLOW_NOT_FOUND');
      await using engine = make(store, name, flow(name), 'a book');
      await engine.open();
    }
    await using other = make(store, 'three', flow('three'), 'another');
    await other.open();
    await other.close();
    const again = await open();
    assert.equal(
      (await again.books()).map(({ name, flows }) => [name, flows]),
      [
        ['a book', 2],
        ['another', 1],
      ],
    );
    const listed = await again.flows({ book: 'a book', sortKey: 'name', sortDir: 'asc' });
    assert.equal(
      listed.map(({ id, name, book, state }) => [id, name, book, state]),
      [
        ['one', 'one', 'a book', 'PENDING'],
        ['two', 'two', 'a book', 'PENDING'],
      ],
    );
    assert.ok(
      listed.every((one) => !('atoms' in one)),
      'without what is in them',
    );
  });

  claim('what is noted about a flow and a task can be changed by whoever has it next', async (open) => {
    for (const [before, note] of [
      [{}, 42],
      [{ test: 42 }, 43],
      [{ test: 43 }, 44],
    ] as const) {
      await using engine = make(await open(), 'f', flow('f'));
      const { storage } = await engine.open();
      assert.equal([storage.getFlowMetadata(), storage.getTaskMetadata('task of f')], [before, before]);
      storage.updateFlowMetadata({ test: note });
      storage.updateTaskMetadata('task of f', { test: note });
    }
  });

  claim('a task is recorded with its version and what is to become of it', async (open) => {
    await using engine = make(await open(), 'f', flow('f'));
    await engine.run();
    await engine.close();
    const { name, kind, version, state, intention } = (await (await open()).read('f')).atoms.get('task of f')!;
    assert.equal([name, kind, version, state, intention], ['task of f', 'task', '4.2', 'SUCCESS', 'EXECUTE']);
  });

  claim('a failure comes back with its class, what it says, its stack and what led to it', async (open) => {
    await using engine = make(await open(), 'f', failing);
    await rejection(engine.run());
    await engine.close();
    const failure = engine.storage.getExecuteFailures().failing;
    const atom = (await (await open()).read('f')).atoms.get('failing')!;
    const stored = decodeStored(atom.failure!) as Failure;
    assert.ok(failure.matches(stored));
    assert.instance(stored.error, RangeError);
    assert.is(stored.message, 'Woot!');
    assert.is(stored.error.stack, failure.error.stack);
    assert.is((stored.error.cause as Error).message, 'foo');
  });

  claim('a retry is recorded as one, with its intention, and with what failed in each attempt', async (open) => {
    const controller = times(2, { name: 'again', delay: 60_000 }); // the flow is left meanwhile
    await using engine = make(await open(), 'f', linear('f', failing).with({ retry: controller }));
    let failure: Failure | undefined;
    engine.on('task', (event) => {
      if (event.name === 'failing' && event.state === 'FAILURE') failure = event.result as Failure;
      else if (event.name === 'failing' && event.state === 'REVERTED') engine.suspend();
    });
    await engine.run();
    await engine.close();
    const again = await open();
    const { atoms, histories } = await again.read('f');
    const { kind, state, intention } = atoms.get('again')!;
    assert.equal([kind, state, intention], ['retry', 'RETRYING', 'RETRY']);
    const [{ value, failures }] = histories.get('again')!;
    assert.is(decodeStored(value!), 1);
    assert.ok(failure!.matches((decodeStored(failures!) as Record<string, Failure>).failing));
    await using other = make(again, 'f', linear('f', failing).with({ retry: controller }));
    await other.open();
    assert.is(other.storage.getTaskIntention('again'), 'RETRY');
  });

  claim('a flow is removed once', async (open) => {
    const store = await open();
    assert.is(await store.delete('f'), false);
    await using engine = make(store, 'f', flow('f'), 'a book');
    await engine.run();
    await engine.close();
    const again = await open();
    assert.is(await again.delete('f'), true);
    assert.is(await again.delete('f'), false);
    assert.is(await codeOf(again.read('f')), 'ERR_MILLRACE_FLOW_NOT_FOUND');
  });
}

test.run();
