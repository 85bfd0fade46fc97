/** What is recorded of the flows of tasks, and how a service goes on with it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FlowItem, load, StoreError } from 'millrace';
import {
  createTaskService,
  type ExecutorHost,
  type FlowSetup,
  TaskExecutor,
  type TaskServiceOptions,
  type TaskType,
} from 'millrace/service';
import { openStore, type Store } from 'millrace/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { FlowStore, Lease } from '../../src/engine/recording.js';
import { FaultyRepository } from '../fixtures/service/faulty.js';
import { deeds, hasChanged, hasChangedWithin, resumedTypes } from '../fixtures/service/resumed.js';
import { resuming } from './executors.js';
import { hurry } from './hurry.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-recorded-'));
test.after(() => rmSync(folder, { recursive: true }));

const done = ['second begins', 'second', 'third'];
const turnedBack = ['second begins to be reverted', 'second is reverted', 'first is reverted'];

/** A service whose repository and store are in memory, so that they outlast it. */
async function inMemory(options: TaskServiceOptions = {}) {
  const repository = new FaultyRepository();
  const store = await openStore('memory:');
  const file = join(mkdtempSync(join(folder, 'memory-')), 'deeds');
  writeFileSync(`${file}.go`, '');
  const [{ options: common }] = resuming;
  const open = ({ task, ...more }: TaskServiceOptions = {}) =>
    createTaskService({
      ...common,
      ...{ types: resumedTypes, services: { say() {} }, logger: {}, handleSignals: false, repository, store },
      ...{ ...options, ...more, task: { ...common.task, ...options.task, ...task } },
    });
  return { repository, store, file, open };
}

for (const [type, ended] of Object.entries({
  'goes-on': { status: 'success', result: 6, message: '' },
  'turns-back': { status: 'failure', result: null, message: 'There is no third' },
})) {
  test(`a '${type}' task whose end could not be saved ends at the next start, and nothing is done again`, async () => {
    const { repository, file, open } = await inMemory();
    const service = await open();
    const { id } = await service.create(type, { file });
    repository.fault = ({ method, id: about }) => (method === 'save' && about === id && began ? 'refuses' : undefined);
    let began = false;
    service.once('processing', () => {
      began = true;
    });
    service.once('start', (_, run) => {
      run.on('flow', ({ state }) => {
        if (state !== 'RUNNING') void service.close({ timeout: 0 });
      });
    });
    const { code } = await service.run(id).catch((error) => error);
    assert.is(code, 'ERR_MILLRACE_DATABASE');
    await service.close();
    assert.is((await repository.peek(id))?.status, 'processing');
    const before = deeds(file);
    repository.fault = () => undefined;
    await using next = await open();
    const { status, result, message } = await next.finished(id);
    assert.equal({ status, result, message }, ended);
    assert.equal(deeds(file), before);
  });
}

test('a flow is kept as long as the record of its task', async () => {
  const { store, file, open } = await inMemory();
  const service = await open();
  const ids: string[] = [];
  for (const type of ['goes-on', 'turns-back', 'goes-on']) {
    const { id } = await service.create(type, { file });
    await service.run(id);
    ids.push(id);
  }
  await service.recover();
  const flows = await store.flows({ book: 'task service', sortDir: 'asc' });
  assert.equal(
    flows.map(({ id, name, state }) => [id, name, state]),
    [
      [ids[0], 'goes on', 'SUCCESS'],
      [ids[1], 'turns back', 'REVERTED'],
      [ids[2], 'goes on', 'SUCCESS'],
    ],
  );
  await service.remove(ids[0]);
  assert.equal((await store.flows()).length, 2);
  await service.close();
  await using last = await open({ task: { timeToLive: 0 } });
  const { id } = await last.create('goes-on', { file });
  await last.run(id);
  while ((await store.flows()).some((flow) => flow.id === id)) await last.recover();
  assert.equal((await store.flows()).length, 2, 'the others have not expired');
});

test('the flow of a task that was removed while it was carried out is deleted', async () => {
  const { store, file, open } = await inMemory();
  await using service = await open();
  const { id } = await service.create('goes-on', { file });
  service.once('start', () => void service.remove(id));
  await service.run(id);
  assert.equal(await store.flows(), []);
  assert.equal(deeds(file).at(-1), 'third');
});

test('flows that are not of tasks are left alone', async () => {
  const { store, open } = await inMemory({ task: { timeToLive: 0 } });
  const lease = await store.create({ name: 'mine', inputs: { text: 'null', parts: [] } });
  await lease.release();
  await sleep(2);
  await (await open()).close();
  assert.is((await store.flows()).length, 1);
});

/** A store of which some calls fail: `trip` throws then. */
function faulty(store: Store, trip: () => void): Store {
  const watched = (lease: Lease): Lease =>
    new Proxy(lease, {
      get(target, name) {
        if (name === 'commit') {
          return () => {
            trip();
            return target.commit();
          };
        }
        const value = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  const take = async (work: () => Promise<Lease>) => {
    trip();
    return watched(await work());
  };
  const { create, acquire }: Pick<FlowStore, 'create' | 'acquire'> = {
    create: (flow) => take(() => store.create(flow)),
    acquire: (id) => take(() => store.acquire(id)),
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'create') return create;
      if (name === 'acquire') return acquire;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

for (const [trouble, code] of Object.entries({
  'is full': 'ERR_MILLRACE_STORE_FULL',
  'does not answer': 'ERR_MILLRACE_DATABASE',
})) {
  test(`a task waits while the database ${trouble}, and nothing is done twice`, () =>
    hurry(async () => {
      const { store, file, open } = await inMemory();
      let calls = 0;
      // Whichever call it is, of those that take a flow or commit, it fails at times, and at times it does not.
      const trip = () => {
        if ((++calls * 7) % 17 < 8) throw Object.assign(new StoreError('ERR_MILLRACE_STORE_FULL', trouble), { code });
      };
      await using service = await open({ store: faulty(store, trip) });
      for (const [type, status] of Object.entries({ 'goes-on': 'success', 'turns-back': 'failure' })) {
        rmSync(file, { force: true });
        const { id } = await service.create(type, { file });
        await service.run(id);
        assert.is((await service.get(id)).status, status);
        assert.equal(
          deeds(file),
          type === 'goes-on' ? ['first', ...done] : ['first', 'second', 'third fails', ...turnedBack],
        );
      }
      assert.ok(calls > 10);
    }));
}

test('a task goes on when its flow was taken away from it', async () => {
  const { store, repository, file, open } = await inMemory();
  rmSync(`${file}.go`);
  let lost: Error | undefined;
  const trip = () => {
    if (lost) throw lost;
  };
  await using service = await open({ store: faulty(store, trip) });
  const { id } = await service.create('goes-on', { file });
  const running = service.run(id).catch((error) => error);
  await new Promise<void>((begun) => service.once('start', () => begun()));
  while (deeds(file).length < 2) await sleep(1);
  lost = new StoreError('ERR_MILLRACE_LEASE_LOST', 'Somebody else has it');
  writeFileSync(`${file}.go`, '');
  const { code, cause } = await running;
  assert.equal([code, cause], ['ERR_MILLRACE_TASK_SUSPENDED', lost]);
  assert.is((await repository.peek(id))?.status, 'processing');
  lost = undefined;
  await service.recover();
  assert.is((await service.finished(id)).result, 6);
  assert.equal(deeds(file), ['first', 'second begins', 'second', ...done]);
});

for (const [what, { type = 'goes-on', types, message }] of Object.entries({
  'of which a step has another major version': { types: [hasChanged], message: 'its flow has changed' },
  'of which a nested step has another major version': {
    ...{ type: 'nests', types: [hasChangedWithin], message: 'its flow has changed' },
  },
  'whose type is gone': { types: [], message: 'its type is not known any more' },
} as Record<string, { type?: string; types: TaskType[]; message: string }>)) {
  test(`a suspended task ${what} fails, says why, and is left as it is recorded`, async () => {
    const { store, file, open } = await inMemory();
    rmSync(`${file}.go`);
    const service = await open({ abortGrace: 0 });
    const { id } = await service.submit(type, { file });
    while (deeds(file).length < 2) await sleep(1);
    await service.close({ timeout: 0 });
    writeFileSync(`${file}.go`, '');
    const errors: string[] = [];
    await using next = await open({ types, logger: { error: (line) => errors.push(line) } });
    const ended = await next.finished(id);
    assert.equal([ended.status, ended.message], ['failure', `Task could not be resumed: ${message}`]);
    assert.match(errors.join('\n'), /ERR_MILLRACE_(VERSION_CHANGED|UNKNOWN_TYPE)/);
    assert.equal(deeds(file), ['first', 'second begins']);
    assert.is((await store.read(id)).atoms.get('first')?.state, 'SUCCESS');
    assert.is((await store.flows({ state: ['SUSPENDED', 'RUNNING', 'SUSPENDING'] })).length, 1);
  });
}

test("an executor that cannot resume tasks is refused with task.recovery 'resume'", async () => {
  for (const executor of ['direct', 'own']) {
    const plugins = [{ executors: { own: (host: ExecutorHost) => new OwnExecutor(host) } }];
    const task = { executor, recovery: 'resume', database: 'memory:' } as const;
    const error = await createTaskService({ plugins, task }).catch((error) => error);
    assert.is(error.code, 'ERR_MILLRACE_CONFIG');
    const problem = `expected 'fail', as the executor '${executor}' cannot resume tasks; received a string ("resume")`;
    assert.is(error.message, `option 'task.recovery': ${problem}`);
  }
});

class OwnExecutor extends TaskExecutor {
  readonly description = { executor: 'own' };
  protected load(flow: FlowItem, { record, ...setup }: FlowSetup) {
    return load(flow, { ...setup, engine: 'serial' });
  }
}

test('a repository in code takes a store in code', async () => {
  const error = await createTaskService({
    repository: new FaultyRepository(),
    task: { recovery: 'resume' },
  }).catch((error) => error);
  assert.is(error.code, 'ERR_MILLRACE_INVALID_ARG');
  assert.match(error.message, "option 'store' must be given with 'repository'");
});

test.run();
