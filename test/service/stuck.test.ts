import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { linear, task } from 'millrace';
import {
  createTaskService,
  INTERNAL_ERROR,
  openRepository,
  type TaskRecord,
  type TaskService,
  type TaskServiceOptions,
  type TaskStatus,
  TRANSITIONS,
  taskType,
} from 'millrace/service';
import { openStore } from 'millrace/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDatabase } from '../../src/database/index.js';
import { SqlTaskRepository } from '../../src/service/sql.js';
import type { Claim } from '../engines.js';
import fc from '../fast-check.js';
import { type Fault, FaultyRepository } from '../fixtures/service/faulty.js';
import { newFile, newSchema, plainSqlite, server } from '../fixtures/service/places.js';
import { stuckTypes } from '../fixtures/service/stuck.js';
import { type ExecutorOptions, executors, overEveryExecutor, resuming } from './executors.js';
import { hurry } from './hurry.js';
import { Program } from './program.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-stuck-'));
test.after(() => rmSync(folder, { recursive: true }));

const few = executors.filter(({ name }) => !name.includes('2 workers'));
const all = [...few, ...resuming.slice(0, 1)];

/** Where flows are recorded, if they are. */
async function storeOf({ task }: ExecutorOptions): Promise<Pick<TaskServiceOptions, 'store'>> {
  return task.recovery === 'resume' ? { store: await openStore('memory:') } : {};
}
const numRuns = Number(process.env.TEST_RUNS || 30);

/** The ways in which a task can go, and what it ends with. */
const ways = {
  succeeds: { input: true, status: 'success', message: '', runs: 1, raised: undefined },
  fails: { input: true, status: 'failure', message: INTERNAL_ERROR, runs: 1, raised: 'It fails' },
  'has a bad input': {
    ...{ input: false, status: 'failure', message: 'Input to counted task is empty.', runs: 0, raised: undefined },
  },
} as const;
type Way = keyof typeof ways;

/** Counts how often it is carried out, by the `key` of its input. */
function counted() {
  const count = new Map<unknown, number>();
  const step = task({
    name: 'step',
    requires: ['way', 'key'],
    async execute({ way, key }: { way: string; key: unknown }) {
      count.set(key, (count.get(key) ?? 0) + 1);
      await new Promise(setImmediate);
      if (way === 'fails') throw new Error('It fails');
    },
  });
  return { count, type: taskType('counted', { requires: ['way'], flow: () => linear('counted', step) }) };
}

/** All that a service tells of its tasks, by their ids. */
function told(service: TaskService): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const event of ['create', 'run', 'processing', 'success', 'failure', 'remove'] as const) {
    service.on(event, ({ id }) => all.set(id, [...(all.get(id) ?? []), event]));
  }
  return all;
}

/** Waits until a task has ended, and tells when it does not. */
async function ends(hasEnded: () => boolean | Promise<boolean>, look?: () => Promise<unknown>): Promise<void> {
  const patience = performance.now() + 10_000;
  while (!(await hasEnded())) {
    assert.ok(performance.now() < patience, `A task is stuck: ${inspect(await look?.())}`);
    await new Promise(setImmediate);
  }
}

/** Whether one status followed the other as it may. */
function isLegal(history: readonly string[]): boolean {
  return history.every((status, i) =>
    i === 0 ? status === 'pending' : TRANSITIONS[history[i - 1] as TaskStatus].includes(status as TaskStatus),
  );
}

/** Each single fault in one of the first calls about a task, and each pair of them. */
function troubles(calls: number): ReadonlyMap<number, Fault>[] {
  const kinds: Fault[] = ['refuses', 'loses the answer', 'answers late'];
  const single = Array.from({ length: calls }, (_, i) => kinds.map((fault) => [i + 1, fault] as const)).flat();
  const pairs = single.flatMap((a) => single.filter((b) => a[0] < b[0] && b[1] !== 'answers late').map((b) => [a, b]));
  return [...single.map((one) => [one]), ...pairs].map((entries) => new Map(entries));
}

/** A service whose database is in trouble with the tasks that are made with some trouble. */
async function inTrouble(options: ExecutorOptions) {
  const { count, type } = counted();
  let next: { id: string | undefined; trouble: ReadonlyMap<number, Fault> };
  const trouble = new Map<string | undefined, ReadonlyMap<number, Fault>>();
  const repository = new FaultyRepository(({ method, id, number }) => {
    if (method === 'add') {
      trouble.set(id, next.trouble);
      next.id = id;
    }
    return trouble.get(id)?.get(number);
  });
  const task = { ...options.task, concurrency: Number.POSITIVE_INFINITY };
  const errors: string[] = [];
  const logger = { error: (line: string) => errors.push(line) };
  const flows = await storeOf(options);
  const service = await createTaskService({ ...options, ...flows, task, types: [type], repository, logger });
  const events = told(service);
  /** Makes a task, in its way and with its trouble. Returns its id, and whether the database has let it be made. */
  const make = async (verb: 'create' | 'submit', way: Way, trouble: ReadonlyMap<number, Fault>) => {
    const made = { id: undefined as string | undefined, trouble };
    next = made;
    const key = randomUUID();
    const isMade = await service[verb]('counted', ways[way].input ? { way, key } : null).then(
      () => true,
      (error) => assert.is(error.code, 'ERR_MILLRACE_DATABASE') ?? false,
    );
    return { id: made.id!, isMade, key, way, trouble };
  };
  const ended = async (id: string) => {
    await ends(
      () => ['success', 'failure'].includes(events.get(id)?.at(-1) ?? ''),
      () => repository.peek(id),
    );
  };
  /** Checks that a task has ended as it should. */
  const check = async ({ id, isMade, key, way, trouble }: Awaited<ReturnType<typeof make>>) => {
    const where = `${way}, ${inspect(trouble)}`;
    const record = await repository.peek(id);
    if (!record && !isMade) return;
    const { status, message, runs } = ways[way];
    assert.is(record?.status, status, where);
    assert.is(record?.message, message, where);
    assert.equal(repository.history.get(id), ['pending', 'processing', status], where);
    assert.equal(events.get(id), [...(isMade ? ['create'] : []), 'run', 'processing', status], where);
    assert.is(count.get(key) ?? 0, runs, where);
  };
  return { service, repository, make, ended, check, errors };
}

overEveryExecutor((test, options) => {
  test('a submitted task ends, once, whichever calls of the database fail', () =>
    hurry(async () => {
      const { service, repository, make, ended, check } = await inTrouble(options);
      const tasks = await Promise.all(
        Object.keys(ways).flatMap((way) => troubles(6).map((trouble) => make('submit', way as Way, trouble))),
      );
      for (const { id, isMade } of tasks) if (isMade) await ended(id);
      await service.recover(); // those that were made although the database did not say so
      for (const { id } of tasks) if (await repository.peek(id)) await ended(id);
      for (const task of tasks) await check(task);
      await service.close();
    }));

  test('a task that is run ends, once, whichever calls of the database fail; if it could not begin, nothing has happened', () =>
    hurry(async () => {
      const { service, repository, make, check } = await inTrouble(options);
      const runToItsEnd = async (way: Way, trouble: ReadonlyMap<number, Fault>) => {
        const made = await make('create', way, trouble);
        const { id, isMade } = made;
        assert.ok(isMade);
        for (;;) {
          const error = await service.run(id).catch((error) => error);
          if (error?.code !== 'ERR_MILLRACE_DATABASE') {
            assert.is(error?.message, ways[way].raised);
            return await check(made);
          }
          assert.is((await repository.peek(id))?.status, 'pending');
        }
      };
      const inCalls = troubles(6).map((trouble) => new Map(Array.from(trouble, ([call, fault]) => [call + 1, fault])));
      await Promise.all(Object.keys(ways).flatMap((way) => inCalls.map((trouble) => runToItsEnd(way as Way, trouble))));
      await service.close();
    }));
}, all);

/** What a user may do to tasks, by the number of a task and of one of two services. */
const step = fc.record({
  ...{
    service: fc.nat(1),
    task: fc.nat(4),
    turns: fc.nat(4),
    way: fc.constantFrom<Way>('succeeds', 'succeeds', 'fails'),
  },
  does: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom('create', 'submit', 'run') },
    { weight: 2, arbitrary: fc.constantFrom('remove', 'recover') },
    { weight: 1, arbitrary: fc.constantFrom('close', 'close now') },
  ),
});
const faults = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom<Fault>('refuses', 'loses the answer') },
    { weight: 2, arbitrary: fc.constant<Fault>('answers late') },
  ),
  { maxLength: 200 },
);
const codes = ['DATABASE', 'ILLEGAL_TRANSITION', 'RECORD_NOT_FOUND', 'SERVICE_CLOSED', 'TASK_SUSPENDED'].map(
  (code) => `ERR_MILLRACE_${code}`,
);

overEveryExecutor((test, options) => {
  test('whatever two services do to the tasks of one repository, each ends or is pending, and none is carried out twice', () =>
    hurry(() =>
      fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), faults, async (steps, faults) => {
          const { count, type } = counted();
          const repository = new FaultyRepository();
          const flows = await storeOf(options);
          // A step that is interrupted would be carried out again.
          const abortGrace = flows.store ? 60_000 : 1000;
          const common = { ...options, ...flows, abortGrace, types: [type], logger: {}, handleSignals: false };
          const open = () => createTaskService({ ...common, repository });
          const services = [await open(), await open()];
          const events = services.map(told);
          const queue = faults.values();
          repository.fault = () => queue.next().value;

          const ids: string[] = [];
          const unexpected: unknown[] = [];
          const act = async ({ service: number, task, does, way }: (typeof steps)[number]) => {
            const service = services[number];
            const id = ids[task % ids.length] ?? 'none';
            try {
              if (does === 'create' || does === 'submit') {
                const key = randomUUID();
                ids.push((await service[does]('counted', { way, key })).id);
              } else if (does === 'run') await service.run(id);
              else if (does === 'remove') await service.remove(id);
              else if (does === 'recover') await service.recover();
              else await service.close(does === 'close now' ? { timeout: 0 } : {});
            } catch (error) {
              const { code, name, message } = error as Error & { code: string };
              if (!codes.includes(code) && name !== 'AbortError' && message !== 'It fails') unexpected.push(error);
            }
          };
          const acts: Promise<void>[] = [];
          for (const one of steps) {
            acts.push(act(one));
            for (let turn = 0; turn < one.turns; turn++) await new Promise(setImmediate);
          }
          await Promise.all(acts);
          await Promise.all(services.map((service) => service.close()));

          repository.fault = () => undefined;
          const next = await open();
          events.push(told(next));
          for (const id of repository.history.keys()) {
            await ends(
              async () => !(await repository.peek(id))?.holder,
              () => repository.peek(id),
            );
          }
          await next.close();

          assert.equal(unexpected, []);
          for (const [id, history] of repository.history) {
            assert.ok(isLegal(history), inspect(history));
            const record = await repository.peek(id);
            if (record) assert.is(record.status, history.at(-1));
            assert.not.equal(record?.status, 'processing');
            const heard = events.flatMap((one) => one.get(id) ?? []);
            assert.is(new Set(heard).size, heard.length, inspect(heard));
            if (record?.status === 'success') assert.is(count.get((record.input as { key: string }).key), 1);
          }
          for (const [key, times] of count) assert.is(times, 1, `Task ${key} was carried out ${times} times`);
        }),
        { numRuns, endOnFailure: !process.env.TEST_RUNS },
      ),
    ));
}, all);

overEveryExecutor((test, options) => {
  test('of two who run a task at once, one does', async () => {
    const { count, type } = counted();
    const repository = new FaultyRepository();
    const open = () => createTaskService({ ...options, types: [type], repository });
    await using one = await open();
    await using other = await open();
    const { id } = await one.create('counted', { way: 'succeeds', key: 'it' });
    const runs = await Promise.allSettled([one.run(id), other.run(id), one.run(id), other.run(id)]);
    const reasons = runs.flatMap((run) => (run.status === 'rejected' ? [run.reason.code] : []));
    assert.equal(reasons, Array(3).fill('ERR_MILLRACE_ILLEGAL_TRANSITION'));
    assert.is(count.get('it'), 1);
    assert.equal(repository.history.get(id), ['pending', 'processing', 'success']);
  });

  test('a service that is closed without having begun a task, or without having saved an end, leaves them to the next', async () => {
    const repository = new FaultyRepository();
    const [waiting, made] = [join(folder, randomUUID()), join(folder, randomUUID())];
    const task = { ...options.task, concurrency: 1 };
    const open = (say = () => {}) =>
      createTaskService({ ...options, task, types: stuckTypes, services: { say }, repository, logger: {} });
    const [service, underWay] = await new Promise<[TaskService, Promise<void>]>((opened) => {
      const underWay = new Promise<void>((say) => open(say).then((service) => opened([service, underWay])));
    });
    const first = await service.submit('waits', { file: waiting });
    const second = await service.submit('makes', { file: made });
    await underWay;
    repository.fault = ({ method }) => (method === 'save' ? 'refuses' : undefined);
    await service.close({ timeout: 0 });
    assert.not(existsSync(waiting), 'it was reverted');
    assert.is((await repository.peek(first.id))?.status, 'processing');
    assert.is((await repository.peek(second.id))?.status, 'pending');
    repository.fault = () => undefined;
    await using next = await open();
    assert.is((await next.finished(first.id)).message, INTERNAL_ERROR);
    assert.is((await next.finished(second.id)).status, 'success');
    assert.ok(existsSync(made));
  });

  for (const type of ['is checked', 'is prepared', 'is concluded']) {
    test(`a task whose type never ends what it does while it ${type} ends when its service is closed now`, async () => {
      const repository = new FaultyRepository();
      const types = stuckTypes;
      const service = await createTaskService({ ...options, abortGrace: 1, types, repository, logger: {} });
      const { id } = await service.submit(type, { file: join(folder, randomUUID()) });
      if (type === 'is concluded') {
        await new Promise<void>((ended) =>
          service.on('start', (_, run) => run.on('flow', ({ state }) => state === 'SUCCESS' && ended())),
        );
      } else await once(service, 'processing');
      await service.close({ timeout: 0 });
      const record = await repository.peek(id);
      assert.is(record?.status, 'failure');
      assert.is(record?.message, INTERNAL_ERROR);
    });
  }

  test('a task that is about to begin when its service is closed now stays pending', async () => {
    const { count, type } = counted();
    const repository = new FaultyRepository(({ method }) => (method === 'get' ? 'answers late' : undefined));
    const service = await createTaskService({ ...options, types: [type], repository });
    const events = told(service);
    const { id } = await service.submit('counted', { way: 'succeeds', key: 'it' });
    await service.close({ timeout: 0 });
    assert.is((await repository.peek(id))?.status, 'pending');
    assert.equal(events.get(id), ['create']);
    assert.is(count.size, 0);
  });

  test('neither a logger that throws nor an error that nobody can look at keeps a task from ending', async () => {
    const hostile = new Proxy(new Error(), {
      get() {
        throw new Error('Do not touch');
      },
    });
    const throws = task({
      name: 'throws',
      execute() {
        throw hostile;
      },
    });
    const complain = () => {
      throw new Error('The disk is full');
    };
    const logger = { warn: complain, error: complain };
    const types = [taskType('hostile', { flow: () => linear('hostile', throws) })];
    const warnings: string[] = [];
    const listen = ({ message }: Error) => warnings.push(message);
    process.on('warning', listen);
    await using service = await createTaskService({ ...options, types, logger, repository: new FaultyRepository() });
    const { id } = await service.submit('hostile');
    assert.is((await service.finished(id)).message, INTERNAL_ERROR);
    await new Promise(setImmediate); // they come later
    process.off('warning', listen);
    assert.match(warnings.join(), 'The logger of the task service threw: Error: The disk is full');
  });
}, few);

test('a service does not open while its database does not answer, and opens when it does', async () => {
  for (const trouble of ['removeExpired', 'held']) {
    const repository = new FaultyRepository(({ method }) => (method === trouble ? 'refuses' : undefined));
    const options = { repository, logger: {}, task: { executor: 'direct' } };
    const error = await createTaskService(options).then(
      () => undefined,
      (error) => error,
    );
    assert.is(error?.code, 'ERR_MILLRACE_DATABASE');
    repository.fault = () => undefined;
    await (await createTaskService(options)).close();
  }
});

/** An empty database, where a service has its tasks' records, and files for tasks. */
interface Place {
  readonly options: TaskServiceOptions & ExecutorOptions;
  /** The path of a file for the task of that name. */
  file(name: string): string;
  /** Opens a service there. */
  open(): Promise<TaskService>;
  /** Looks at a record without opening a service, which would settle it. */
  peek(id: string): Promise<TaskRecord | undefined>;
}

const urls: Record<string, () => Promise<{ url: string; remove?: () => Promise<void> }>> = {
  SQLite: async () => ({ url: `sqlite:${newFile()}` }),
  ...(server && { PostgreSQL: newSchema }),
};

/** Registers a claim for each database. */
function overEveryDatabase(
  claim: string,
  { task, ...options }: ExecutorOptions,
  body: (place: Place) => Promise<void>,
  test: Claim,
): void {
  for (const [name, make] of Object.entries(urls)) {
    test(`${claim}: ${name}`, async () => {
      const { url, remove } = await make();
      const own = mkdtempSync(join(folder, 'place-'));
      const all = { ...options, abortGrace: 20, task: { ...task, database: url, concurrency: 1 } };
      try {
        await body({
          options: all,
          file: (name) => join(own, name),
          open: () => createTaskService({ ...all, types: stuckTypes, services: { say() {} }, logger: {} }),
          async peek(id) {
            await using repository = await openRepository(url);
            return await repository.get(id);
          },
        });
      } finally {
        await remove?.();
      }
    });
  }
}

const direct = few[0].options;

overEveryExecutor((test, options, name) => {
  const claim = (what: string, body: (place: Place) => Promise<void>) => overEveryDatabase(what, options, body, test);

  claim('the tasks of a killed process are settled at the next start, and not while it lives', async (place) => {
    const { options, file, open } = place;
    const steps = [
      `create makes ${file('created')}`,
      `submit waits ${file('killed')}`,
      `submit makes ${file('submitted')}`,
    ];
    const program = new Program(options, 'open', ...steps);
    const created = await program.says('create');
    const killed = await program.says('submit');
    const submitted = await program.says('submit');
    await program.says('under way');

    const other = await open();
    assert.is((await other.get(killed)).status, 'processing');
    assert.is((await other.get(submitted)).status, 'pending');
    await program.kill();
    await other.close();

    await using next = await open();
    const { status, message } = await next.get(killed);
    assert.equal({ status, message }, { status: 'failure', message: INTERNAL_ERROR });
    assert.is((await next.finished(submitted)).status, 'success');
    assert.ok(existsSync(file('submitted')));
    assert.is((await next.get(created)).status, 'pending');
    assert.not(existsSync(file('created')));
  });

  claim('SIGTERM reverts what is under way, its task fails, and then the process ends by it', async (place) => {
    const { options, file, peek } = place;
    const program = new Program(options, 'open', `submit waits ${file('it')}`, `submit makes ${file('next')}`);
    const id = await program.says('submit');
    const next = await program.says('submit');
    await program.says('under way');
    assert.ok(existsSync(file('it')));
    program.signal('SIGTERM');
    assert.equal(await program.exit, { code: null, signal: 'SIGTERM' });
    assert.is((await peek(id))?.status, 'failure');
    assert.is((await peek(id))?.message, INTERNAL_ERROR);
    assert.not(existsSync(file('it')));
    assert.is((await peek(next))?.status, 'pending', 'what has not begun is left to the next start');
    assert.not.match(program.complaints, /unhandled/i);
  });

  claim('a service that has nothing to do keeps no process alive', async ({ options, file }) => {
    const idle = new Program(options, 'open', `create makes ${file('one')}`);
    const through = new Program(options, 'open', `submit makes ${file('two')}`, 'finish');
    const closed = new Program(options, 'open', `submit makes ${file('three')}`, 'close');
    assert.is(await through.says('finish'), 'success');
    for (const program of [idle, through, closed]) assert.equal(await program.exit, { code: 0, signal: null });
    assert.is(idle.complaints + through.complaints + closed.complaints, '');
  });

  if (!name.includes('parallel')) {
    claim(
      'a task that blocks its process is left alone by others, and ends well',
      async ({ options, file, open, peek }) => {
        const program = new Program(options, 'open', `submit blocks ${file('it')}`, 'finish');
        const id = await program.says('submit');
        await program.says('under way');
        await using other = await open();
        await other.recover();
        assert.is((await peek(id))?.status, 'processing');
        writeFileSync(file('it.go'), '');
        assert.is(await program.says('finish'), 'success');
        assert.is((await program.exit).code, 0);
      },
    );

    claim('a signal waits while a task blocks the process, and is heeded then', async ({ options, file, peek }) => {
      const program = new Program(options, 'open', `submit blocks-and-waits ${file('it')}`);
      const id = await program.says('submit');
      await program.says('under way');
      program.signal('SIGTERM');
      writeFileSync(file('it.go'), '');
      assert.equal(await program.exit, { code: null, signal: 'SIGTERM' });
      assert.is((await peek(id))?.status, 'failure');
      assert.not(existsSync(file('it')));
    });
  } else {
    claim('SIGTERM ends an endless loop in a worker', async ({ options, file, peek }) => {
      const program = new Program(options, 'open', `submit loops ${file('it')}`);
      const id = await program.says('submit');
      await program.says('under way');
      program.signal('SIGTERM');
      assert.equal(await program.exit, { code: null, signal: 'SIGTERM' });
      assert.is((await peek(id))?.status, 'failure');
      assert.not(existsSync(file('it')));
    });
  }
}, few);

const claim = (what: string, body: (place: Place) => Promise<void>) => overEveryDatabase(what, direct, body, test);

claim('SIGINT does what SIGTERM does, for all services of the process', async ({ options, file, peek }) => {
  const steps = ['open', `submit waits ${file('one')}`, 'open', `submit ignores ${file('other')}`];
  const program = new Program(options, ...steps);
  const ids = [await program.says('submit'), await program.says('submit')];
  await program.says('under way');
  await program.says('under way');
  program.signal('SIGINT');
  assert.equal(await program.exit, { code: null, signal: 'SIGINT' });
  for (const id of ids) assert.is((await peek(id))?.status, 'failure');
  for (const name of ['one', 'other']) assert.not(existsSync(file(name)));
});

claim(
  'a second signal ends the process at once, and the next start settles its task',
  async ({ options, file, open }) => {
    const program = new Program({ ...options, abortGrace: 60_000 }, 'open', `submit ignores ${file('it')}`);
    const id = await program.says('submit');
    await program.says('under way');
    program.signal('SIGINT');
    await program.says('told to stop');
    program.signal('SIGTERM');
    assert.equal(await program.exit, { code: null, signal: 'SIGTERM' });
    await using next = await open();
    assert.is((await next.get(id)).message, INTERNAL_ERROR);
  },
);

for (const [when, steps] of Object.entries({
  'before the service, to be called once': ['once', 'open'],
  'before the service': ['on', 'open'],
  'after the service': ['open', 'on'],
})) {
  claim(`a program that has a handler for SIGTERM, ${when}, is not ended by it`, async ({ options, file, peek }) => {
    const program = new Program(options, ...steps, `submit waits ${file('it')}`);
    const id = await program.says('submit');
    await program.says('under way');
    program.signal('SIGTERM');
    await program.says('handled');
    assert.equal(await program.exit, { code: 0, signal: null });
    assert.is((await peek(id))?.status, 'failure');
    assert.not(existsSync(file('it')));
  });
}

overEveryExecutor((test, options) => {
  /** A service on an SQLite database that has little patience, and a way to bring that database into trouble and out again. */
  const brief = async () => {
    const path = newFile();
    const repository = new SqlTaskRepository(await openDatabase(`sqlite:${path}`, { patience: 20 }));
    const other = await plainSqlite(path);
    const troubles = {
      'is locked': { begin: 'begin immediate', end: 'rollback' },
      'has lost its table': {
        begin: 'alter table millrace_tasks rename to elsewhere',
        end: 'alter table elsewhere rename to millrace_tasks',
      },
    };
    let complained = () => {};
    const logger = { error: () => complained() };
    const service = await createTaskService({ ...options, types: stuckTypes, repository, logger });
    return {
      ...{ service, other, troubles, file: join(folder, randomUUID()) },
      /** Waits until the service has logged so many errors. */
      complaints: async (times: number) => {
        for (; times > 0; times--) await new Promise<void>((resolve) => (complained = resolve));
      },
      async close() {
        await service.close();
        await repository.close();
        other.close();
      },
    };
  };

  for (const trouble of ['is locked', 'has lost its table'] as const) {
    test(`a task that has ended while the database ${trouble} is saved when that is over`, () =>
      hurry(async () => {
        const { service, other, troubles, file, complaints, close } = await brief();
        const { begin, end } = troubles[trouble];
        const events = told(service);
        service.once('start', (_, run) => run.on('flow', ({ state }) => state === 'SUCCESS' && other.exec(begin)));
        const { id } = await service.submit('makes', { file });
        await complaints(3);
        other.exec(end);
        await ends(() => events.get(id)?.at(-1) === 'success');
        assert.is((await service.get(id)).status, 'success');
        assert.equal(events.get(id), ['create', 'run', 'processing', 'success']);
        await close();
      }));

    test(`a task that is submitted while the database ${trouble} is refused, or begins when that is over`, () =>
      hurry(async () => {
        const { service, other, troubles, file, complaints, close } = await brief();
        const { begin, end } = troubles[trouble];
        const events = told(service);
        service.once('create', () => other.exec(begin));
        const { id } = await service.submit('makes', { file });
        const refused = await service.submit('makes', { file }).catch(({ code }) => code);
        assert.is(refused, 'ERR_MILLRACE_DATABASE');
        await complaints(3);
        other.exec(end);
        await ends(() => events.get(id)?.at(-1) === 'success');
        assert.equal(events.get(id), ['create', 'run', 'processing', 'success']);
        assert.is((await service.list()).length, 1);
        await close();
      }));
  }

  test('a task that cannot begin, as the database is locked, stays pending and can be run later', () =>
    hurry(async () => {
      const { service, other, file, close } = await brief();
      const { id } = await service.create('makes', { file });
      other.exec('begin immediate');
      assert.is(await service.run(id).catch(({ code }) => code), 'ERR_MILLRACE_DATABASE');
      other.exec('rollback');
      assert.is((await service.get(id)).status, 'pending');
      await service.run(id);
      assert.is((await service.get(id)).status, 'success');
      await close();
    }));
}, few);

test.run();
