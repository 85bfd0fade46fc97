import { channel } from 'node:diagnostics_channel';
import { EventEmitter, getEventListeners, once } from 'node:events';
import { ArgumentError, linear, ServiceError, type TaskContext, task } from 'millrace';
import {
  createTaskService,
  INTERNAL_ERROR,
  type Logger,
  MemoryTaskRepository,
  newTask,
  type TaskRecord,
  type TaskService,
  type TaskServiceOptions,
  type TaskSummary,
  taskType,
} from 'millrace/service';
import { test as simple } from 'uvu';
import * as assert from 'uvu/assert';
import { promised, rejection } from '../engine/capture.js';
import { local, travelling } from '../fixtures/service/steps.js';
import { overEveryExecutor } from './executors.js';

const SUMMARY = ['id', 'type', 'status', 'owner', 'createdAt', 'updatedAt', 'expiresAt'];
const EVENTS = ['create', 'run', 'processing', 'success', 'failure', 'remove'] as const;

const direct = { task: { executor: 'direct', database: 'memory:' } } as const;

const types = [
  taskType('one', { flow: () => local.first }),
  taskType('fail', { flow: () => linear('fail', local.first, local.fails) }),
];

/** A service that knows `one`, which succeeds, and `fail`, whose input says how; with records in memory. */
function open({ task, ...options }: TaskServiceOptions = {}): Promise<TaskService> {
  return createTaskService({ types, logger: {}, ...options, task: { ...direct.task, ...task } });
}

/** A type of task that runs until it is let go. */
function gates() {
  const all = new Map<string, Record<'begun' | 'open', ReturnType<typeof promised<unknown>>>>();
  const of = (name: string) => {
    const gate = all.get(name) ?? { begun: promised<unknown>(), open: promised<unknown>() };
    all.set(name, gate);
    return gate;
  };
  /** The names of the tasks in the order in which they began. */
  const order: string[] = [];
  let running = 0;
  const most = { running: 0 };
  const waits = (name: string) =>
    task({
      name: 'waits',
      async execute(_: object, { signal }: TaskContext) {
        order.push(name);
        most.running = Math.max(most.running, ++running);
        of(name).begun.resolve(undefined);
        await Promise.race([of(name).open.promise, new Promise((stop) => signal.addEventListener('abort', stop))]);
        running--;
        signal.throwIfAborted();
      },
    });
  return {
    types: [taskType('wait', { requires: ['name'], flow: ({ name }) => waits(name) })],
    begun: (name: string) => of(name).begun.promise,
    open: (...names: string[]) => names.map((name) => of(name).open.resolve(undefined)),
    order,
    /** How many of them were running at most. */
    most,
  };
}

const submitAll = (service: TaskService, names: readonly string[]) =>
  Promise.all(names.map((name) => service.submit('wait', { name })));

/** Lets everything that can happen now happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

/** What a service tells of its tasks, as lines: `'success 0'` for the task that was created first. */
function capture(service: TaskService): string[] {
  const lines: string[] = [];
  const ids: string[] = [];
  for (const name of EVENTS) {
    service.on(name, ({ id }: TaskSummary) => {
      if (!ids.includes(id)) ids.push(id);
      lines.push(`${name} ${ids.indexOf(id)}`);
    });
  }
  return lines;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await rejection(promise)).code;
}

// Creating and carrying out.

simple('a created task is pending until it is run', async () => {
  await using service = await open();
  const task = await service.create('one', { a: 1 }, { owner: 'ann' });
  assert.equal([task.status, task.owner, task.input, task.holder], ['pending', 'ann', { a: 1 }, null]);
  await settle();
  assert.equal(await service.get(task.id), task);
  assert.is(await service.run(task.id), undefined);
  const { status, result } = await service.get(task.id);
  assert.equal([status, result], ['success', { one: 1 }]);
});

simple('a submitted task is carried out without more ado, and can be waited for', async () => {
  await using service = await open();
  const task = await service.submit('one', undefined, { owner: 'ann' });
  assert.equal([task.status, task.owner, task.input], ['pending', 'ann', null]);
  const { id, status, result } = await service.finished(task.id);
  assert.equal([id, status, result], [task.id, 'success', { one: 1 }]);
});

simple('what cannot be a task is refused at once, and leaves no record', async () => {
  await using service = await open();
  for (const method of ['create', 'submit'] as const) {
    const unknown = await rejection(service[method]('two'));
    assert.instance(unknown, ServiceError);
    assert.is(unknown.code, 'ERR_MILLRACE_UNKNOWN_TYPE');
    assert.is(unknown.message, "There is no task type 'two'; registered are 'one', 'fail'");
    for (const type of ['constructor', '__proto__', undefined, null, 5]) {
      assert.is(await codeOf(service[method](type as string)), 'ERR_MILLRACE_UNKNOWN_TYPE');
    }
    assert.is(await codeOf(service[method]('one', 1n)), 'ERR_MILLRACE_NOT_JSON');
    assert.is(await codeOf(service[method]('one', {}, { owner: '' })), 'ERR_MILLRACE_INVALID_ARG');
  }
  assert.equal(await service.list(), []);
});

simple('the error of a submitted task is nobody\u2019s but the log\u2019s', async () => {
  const errors: string[] = [];
  await using service = await open({ logger: { error: (line) => void errors.push(line) } });
  const { id } = await service.submit('fail', { how: 'disk' });
  assert.is((await service.finished(id)).message, INTERNAL_ERROR);
  await settle();
  assert.is(errors.length, 1);
  assert.match(errors[0], `Task ${id} (fail) failed: DiskError: No space on /dev/secret`);
});

simple('submitted tasks begin in the order in which they were submitted, so many at once as configured', async () => {
  const { types, begun, open: letGo, order, most } = gates();
  await using service = await open({ types, task: { concurrency: 2 } });
  const tasks = await submitAll(service, ['a', 'b', 'c', 'd', 'e']);
  await Promise.all([begun('a'), begun('b')]);
  await settle();
  assert.equal(order, ['a', 'b']);
  letGo('b');
  await begun('c');
  await settle();
  assert.equal(order, ['a', 'b', 'c']);
  letGo('a', 'c', 'd', 'e');
  for (const { id } of tasks) assert.is((await service.finished(id)).status, 'success');
  assert.equal(order, ['a', 'b', 'c', 'd', 'e']);
  assert.is(most.running, 2);
});

simple('sixteen submitted tasks are carried out at once unless it is said otherwise', async () => {
  const names = Array.from({ length: 18 }, (_, i) => `task ${i}`);
  for (const [concurrency, expected] of [
    [undefined, 16],
    [Number.POSITIVE_INFINITY, 18],
  ] as const) {
    const { types, begun, open: letGo, most } = gates();
    await using service = await open({ types, task: { concurrency } });
    const tasks = await submitAll(service, names);
    await begun(`task ${expected - 1}`);
    await settle();
    assert.is(most.running, expected);
    letGo(...names);
    for (const { id } of tasks) await service.finished(id);
  }
});

simple('with a concurrency of 1 a task begins when the one before has ended, however that did', async () => {
  await using service = await open({ task: { concurrency: 1 } });
  const lines = capture(service);
  await service.submit('fail', { how: 'disk' });
  await service.submit('fail', { how: 'exposed' });
  const { id } = await service.submit('one');
  await service.finished(id);
  assert.equal(
    lines.filter((line) => !line.startsWith('create')),
    ['run 0', 'processing 0', 'failure 0', 'run 1', 'processing 1', 'failure 1', 'run 2', 'processing 2', 'success 2'],
  );
});

simple('a task that is run waits for no other', async () => {
  const { types: waiting, begun, open: letGo } = gates();
  await using service = await open({ types: [...types, ...waiting], task: { concurrency: 1 } });
  await service.submit('wait', { name: 'a' });
  await begun('a');
  const { id } = await service.create('one');
  await service.run(id);
  assert.is((await service.get(id)).status, 'success');
  letGo('a');
});

simple('a submitted task that is run before its turn is carried out once', async () => {
  const { types, begun, open: letGo, order } = gates();
  await using service = await open({ types, task: { concurrency: 1 } });
  const [first, second, third] = await submitAll(service, ['a', 'b', 'c']);
  await begun('a');
  const lines = capture(service);
  const run = service.run(second.id);
  await begun('b');
  letGo('b');
  await run;
  letGo('a', 'c');
  for (const { id } of [first, second, third]) assert.is((await service.finished(id)).status, 'success');
  assert.equal(order, ['a', 'b', 'c']);
  assert.equal(
    lines.filter((line) => line.endsWith(' 0')),
    ['run 0', 'processing 0', 'success 0'],
  );
});

simple('a submitted task that is removed before its turn is passed over', async () => {
  const { types, begun, open: letGo, order } = gates();
  await using service = await open({ types, task: { concurrency: 1 } });
  const [, second, third] = await submitAll(service, ['a', 'b', 'c']);
  await begun('a');
  await service.remove(second.id);
  letGo('a', 'c');
  await service.finished(third.id);
  assert.equal(order, ['a', 'c']);
});

// Waiting.

simple('who waits for a task that has ended has it at once, and as often as wanted', async () => {
  await using service = await open();
  const { id } = await service.create('one');
  const waiting = [service.finished(id), service.finished(id)];
  await service.run(id);
  const records = await Promise.all([...waiting, service.finished(id)]);
  for (const record of records) assert.equal(record, await service.get(id));
});

simple('who waits for a task that is not there, or is removed, or is not theirs, is told so', async () => {
  await using service = await open();
  const { id } = await service.create('one', null, { owner: 'ann' });
  assert.is(await codeOf(service.finished('nobody')), 'ERR_MILLRACE_RECORD_NOT_FOUND');
  assert.is(await codeOf(service.finished(id, { owner: 'bob' })), 'ERR_MILLRACE_RECORD_NOT_FOUND');
  const waiting = service.finished(id, { owner: 'ann' });
  await service.remove(id);
  assert.is(await codeOf(waiting), 'ERR_MILLRACE_RECORD_NOT_FOUND');
});

simple('waiting ends with the reason of its signal, and leaves no listener there', async () => {
  await using service = await open();
  const { id } = await service.create('one');
  const controller = new AbortController();
  const waiting = service.finished(id, { signal: controller.signal });
  await settle();
  const reason = new RangeError('enough');
  controller.abort(reason);
  assert.is(await rejection(waiting), reason);
  assert.is(await rejection(service.finished(id, { signal: controller.signal })), reason);
  const { signal } = new AbortController();
  await service.run(id);
  await service.finished(id, { signal });
  assert.equal(getEventListeners(signal, 'abort'), []);
  assert.is((await service.get(id)).status, 'success');
});

simple('the end of a task that another process carries out is seen as well', async () => {
  await using repository = new MemoryTaskRepository();
  await using here = await open({ repository });
  await using there = await open({ repository });
  const { id } = await here.create('one');
  const waiting = here.finished(id);
  await there.run(id);
  assert.is((await waiting).status, 'success');
});

simple('who waits for a task that is never begun is told when the service is closed', async () => {
  await using repository = new MemoryTaskRepository();
  const service = await open({ repository });
  const { id } = await service.create('one');
  const waiting = service.finished(id);
  await settle();
  await service.close();
  assert.is(await codeOf(waiting), 'ERR_MILLRACE_SERVICE_CLOSED');
  assert.is(await codeOf(service.finished(id)), 'ERR_MILLRACE_SERVICE_CLOSED');
});

simple('who waits for a task that ends as the service is closed has its record', async () => {
  const { types, begun, open: letGo } = gates();
  await using repository = new MemoryTaskRepository();
  const service = await open({ types, repository });
  const { id } = await service.submit('wait', { name: 'a' });
  await begun('a');
  const waiting = service.finished(id);
  const closed = service.close();
  letGo('a');
  await closed;
  assert.is((await waiting).status, 'success');
  assert.is((await service.finished(id)).status, 'success');
});

// Looking up.

simple('the task of another owner is not there', async () => {
  await using service = await open();
  const [mine, nobodys] = [await service.create('one', null, { owner: 'ann' }), await service.create('one')];
  for (const { id } of [mine, nobodys]) {
    const missing = await rejection(service.get(id, { owner: 'bob' }));
    assert.instance(missing, ServiceError);
    assert.equal([missing.code, missing.id], ['ERR_MILLRACE_RECORD_NOT_FOUND', id]);
    assert.is(missing.message, `There is no task ${id}`);
    assert.is(await codeOf(service.remove(id, { owner: 'bob' })), 'ERR_MILLRACE_RECORD_NOT_FOUND');
    assert.is((await service.get(id)).id, id);
  }
  assert.is((await service.get(mine.id, { owner: 'ann' })).id, mine.id);
  assert.equal(
    (await service.list({ owner: 'ann' })).map(({ id }) => id),
    [mine.id],
  );
  assert.equal(await service.list({ owner: 'bob' }), []);
  assert.is((await service.list()).length, 2);
});

simple('a task that is removed is gone, and can be removed but once', async () => {
  await using service = await open();
  const { id } = await service.create('one', null, { owner: 'ann' });
  assert.is(await service.remove(id, { owner: 'ann' }), undefined);
  for (const call of [service.get(id), service.remove(id), service.run(id), service.finished(id)]) {
    assert.is(await codeOf(call), 'ERR_MILLRACE_RECORD_NOT_FOUND');
  }
});

simple('an id is a string', async () => {
  await using service = await open();
  for (const id of [undefined, null, 5, {}, ['a']] as never[]) {
    for (const call of [service.get(id), service.remove(id), service.run(id), service.finished(id)]) {
      const error = await rejection(call);
      assert.instance(error, ArgumentError);
      assert.match(error.message, /^The id of a task must be a string; received /);
    }
  }
  for (const id of ['', '\0', "' OR 1=1 --", 'x'.repeat(1e6)]) {
    assert.is(await codeOf(service.get(id)), 'ERR_MILLRACE_RECORD_NOT_FOUND');
  }
});

simple('a list has 25 tasks unless it is said otherwise, and 1,000 at most, the newest first', async () => {
  await using repository = new MemoryTaskRepository();
  await using service = await open({ repository });
  for (let i = 0; i < 1001; i++) await repository.add({ ...newTask('one'), createdAt: new Date(i), owner: `${i}` });
  const owners = (tasks: readonly TaskSummary[]) => tasks.map(({ owner }) => Number(owner));
  assert.equal(
    owners(await service.list()),
    Array.from({ length: 25 }, (_, i) => 1000 - i),
  );
  assert.is((await service.list({ limit: 1000 })).length, 1000);
  assert.is((await service.list({ limit: Number.MAX_SAFE_INTEGER })).length, 1000);
  assert.equal(await service.list({ limit: 0 }), []);
  assert.equal(owners(await service.list({ limit: 2, sortDir: 'asc' })), [0, 1]);
  const [, { id: marker }] = await service.list({ limit: 2 });
  assert.equal(owners(await service.list({ marker, limit: 2 })), [998, 997]);
});

simple('a list shows what was asked for, and nothing of the content', async () => {
  await using service = await open();
  const [done] = [await service.create('one', { secret: 'swordfish' })];
  await service.run(done.id);
  const waiting = await service.create('one', { secret: 'swordfish' });
  const failed = await service.create('fail', { how: 'exposed' });
  await service.run(failed.id);
  const ids = (tasks: readonly TaskSummary[]) => tasks.map(({ id }) => id);
  assert.equal(ids(await service.list({ status: 'pending' })), [waiting.id]);
  assert.equal(ids(await service.list({ status: 'failure', type: 'fail' })), [failed.id]);
  assert.equal(await service.list({ status: 'success', type: 'fail' }), []);
  assert.equal(ids(await service.list({ sortKey: 'status', sortDir: 'asc' })), [failed.id, waiting.id, done.id]);
  for (const summary of await service.list()) assert.equal(Object.keys(summary).sort(), SUMMARY.toSorted());
});

simple('a wrong query is refused, and says what was expected and what came', async () => {
  await using service = await open();
  for (const [query, expected] of [
    [null, /^list\(\): the query must be an object; received null$/],
    ['pending', /the query must be an object; received a string/],
    [{ state: 'pending' }, /^list\(\): there is no 'state' to ask for$/],
    [{ status: 'done' }, /'status' must be 'pending' or 'processing' or 'success' or 'failure'; received .*"done"/],
    [{ status: 'toString' }, /'status' must be/],
    [{ type: 5 }, /'type' must be a string; received a number \(5\)/],
    [{ owner: null }, /'owner' must be a string; received null/],
    [{ marker: {} }, /'marker' must be a string; received an object/],
    [{ sortKey: 'input' }, /'sortKey' must be 'createdAt' or .*; received .*"input"/],
    [{ sortKey: 'id; DROP TABLE tasks' }, /'sortKey' must be/],
    [{ sortDir: 'DESC' }, /'sortDir' must be 'asc' or 'desc'; received .*"DESC"/],
    [{ limit: -1 }, /'limit' must be a whole number from 0; received a number \(-1\)/],
    [{ limit: 1.5 }, /'limit' must be/],
    [{ limit: '5' }, /'limit' must be/],
    [{ limit: Number.POSITIVE_INFINITY }, /'limit' must be/],
    [{ limit: null }, /'limit' must be/],
    [{ marker: 'nobody' }, /^The marker of a list must be the id of a task; received a string \("nobody"\)$/],
  ] as const) {
    const error = await rejection(service.list(query as never));
    assert.instance(error, ArgumentError);
    assert.match(error.message, expected);
  }
  assert.equal(await service.list({ status: undefined, limit: undefined, marker: undefined, owner: undefined }), []);
});

simple('what has expired is neither found nor listed, and is removed', async () => {
  await using repository = new MemoryTaskRepository();
  await using service = await open({ repository, task: { timeToLive: 0 } });
  const { id } = await service.create('one');
  await service.run(id);
  assert.is((await repository.get(id))?.status, 'success');
  assert.is(await codeOf(service.get(id)), 'ERR_MILLRACE_RECORD_NOT_FOUND');
  assert.is(await codeOf(service.remove(id)), 'ERR_MILLRACE_RECORD_NOT_FOUND');
  assert.equal(await service.list(), []);
  assert.is(await repository.get(id), undefined);
});

simple('what is kept for ever does not expire', async () => {
  await using service = await open({ task: { timeToLive: Number.POSITIVE_INFINITY } });
  const { id } = await service.submit('one');
  assert.is((await service.finished(id)).expiresAt, null);
  assert.is((await service.list()).length, 1);
});

// Closing.

simple('a closed service takes nothing more, and still tells what has become of its tasks', async () => {
  await using repository = new MemoryTaskRepository();
  const service = await open({ repository });
  const [{ id }, pending] = [await service.create('one'), await service.create('one')];
  await service.run(id);
  await service.close();
  for (const call of [service.create('one'), service.submit('one'), service.run(pending.id)]) {
    const error = await rejection(call);
    assert.instance(error, ServiceError);
    assert.is(error.code, 'ERR_MILLRACE_SERVICE_CLOSED');
  }
  assert.is((await service.get(id)).status, 'success');
  assert.is((await service.get(pending.id)).status, 'pending');
  assert.is((await service.list()).length, 2);
});

simple('a service closes what it has opened itself, and no more', async () => {
  const service = await open();
  const { id } = await service.create('one');
  await service.close();
  assert.is(await codeOf(service.get(id)), 'ERR_MILLRACE_DATABASE');
  await using repository = new MemoryTaskRepository();
  await (await open({ repository })).close();
  assert.equal(await repository.list(), []);
});

simple('closing twice is closing once, and may be hurried', async () => {
  const { types, begun } = gates();
  await using repository = new MemoryTaskRepository();
  const service = await open({ types, repository });
  const { id } = await service.submit('wait', { name: 'a' });
  await begun('a');
  const [first, second] = [service.close(), service.close()];
  const third = service.close({ timeout: 0 });
  await Promise.all([first, second, third]);
  await service.close({ timeout: 5 });
  const { status, message } = (await repository.get(id))!;
  assert.equal([status, message], ['failure', INTERNAL_ERROR]);
});

simple('the time that tasks have to end is a number of milliseconds', async () => {
  await using service = await open();
  for (const timeout of [-1, Number.NaN, '5', null, true, {}] as never[]) {
    assert.throws(
      () => service.close({ timeout }),
      (error: Error) =>
        error instanceof ArgumentError &&
        /^option 'timeout' must be a number of milliseconds from 0; received /.test(error.message),
    );
  }
  const { id } = await service.submit('one');
  assert.is((await service.finished(id)).status, 'success');
  await service.close({ timeout: 2 ** 40 });
});

simple('a service is closed at the end of its block', async () => {
  let seen: TaskService | undefined;
  {
    await using service = await open();
    seen = service;
  }
  assert.is(await codeOf(seen.create('one')), 'ERR_MILLRACE_SERVICE_CLOSED');
});

simple('a service listens to signals while it is open, unless it is told not to', async () => {
  const counts = () => ['SIGTERM', 'SIGINT'].map((signal) => process.listenerCount(signal));
  const before = counts();
  {
    await using _ = await open({ handleSignals: false });
    assert.equal(counts(), before);
  }
  {
    await using _ = await open();
    await using __ = await open();
    assert.equal(
      counts(),
      before.map((count) => count + 1),
    );
  }
  assert.equal(counts(), before);
  await rejection(open({ task: { executor: 'nobody' } }));
  assert.equal(counts(), before);
});

// Telling.

/** Listens to all channels of the service. */
function overhear(): { messages: [string, TaskSummary][]; stop(): unknown } {
  const messages: [string, TaskSummary][] = [];
  const listeners = EVENTS.map((name) => {
    const on = (message: unknown) => void messages.push([name, message as TaskSummary]);
    channel(`millrace:service:${name}`).subscribe(on);
    return () => channel(`millrace:service:${name}`).unsubscribe(on);
  });
  return { messages, stop: () => listeners.map((stop) => stop()) };
}

simple('each event, and each message on a channel, is a summary without the content', async () => {
  await using service = await open({
    types: [taskType('secret', { flow: () => local.fails, result: () => 'swordfish' }), ...types],
  });
  const { messages, stop } = overhear();
  const events: [string, TaskSummary][] = [];
  for (const name of EVENTS) service.on(name, (summary: TaskSummary) => void events.push([name, summary]));
  const good = await service.submit('one', { secret: 'swordfish' }, { owner: 'ann' });
  await service.finished(good.id);
  const bad = await service.create('secret', { how: 'exposed', secret: 'swordfish' });
  await service.run(bad.id);
  await service.remove(bad.id);
  stop();
  const names = ['create', 'run', 'processing', 'success', 'create', 'run', 'processing', 'failure', 'remove'];
  assert.equal(
    events.map(([name]) => name),
    names,
  );
  assert.equal(messages, events);
  const statuses = [
    'pending',
    'pending',
    'processing',
    'success',
    'pending',
    'pending',
    'processing',
    'failure',
    'failure',
  ];
  assert.equal(
    events.map(([, { status }]) => status),
    statuses,
  );
  for (const [, summary] of [...events, ...messages]) {
    assert.equal(Object.keys(summary), SUMMARY);
    assert.ok(Object.isFrozen(summary));
    assert.equal(
      [summary.id, summary.type, summary.owner],
      summary.id === good.id ? [good.id, 'one', 'ann'] : [bad.id, 'secret', null],
    );
    assert.is(summary.expiresAt === null, !['success', 'failure'].includes(summary.status));
  }
  assert.not.match(JSON.stringify([...events, ...messages]), 'swordfish');
  assert.not.match(JSON.stringify([...events, ...messages]), 'too small');
});

simple('a listener can wait for an event as Node does it', async () => {
  await using service = await open();
  const seen = once(service, 'success');
  const { id } = await service.submit('one');
  assert.is((await seen)[0].id, id);
  assert.instance(service, EventEmitter);
});

simple('what is told has been recorded before', async () => {
  await using service = await open();
  const seen: Promise<TaskRecord>[] = [];
  for (const name of ['create', 'processing', 'success'] as const) {
    service.on(name, ({ id }) => void seen.push(service.get(id)));
  }
  const { id } = await service.submit('one');
  await service.finished(id);
  assert.equal((await Promise.all(seen)).map(({ status }) => status).at(-1), 'success');
  assert.is(seen.length, 3);
});

simple('a listener that throws harms neither the task nor other listeners, and is told of in a warning', async () => {
  await using service = await open();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  for (const name of [...EVENTS, 'start'] as const) {
    service.on(name, () => {
      throw new Error(`no ${name}`);
    });
  }
  const lines = capture(service);
  const good = await service.submit('one');
  assert.is((await service.finished(good.id)).status, 'success');
  const bad = await service.create('fail', { how: 'exposed' });
  await service.run(bad.id);
  await service.remove(bad.id);
  await new Promise(setImmediate);
  process.off('warning', onWarning);
  assert.is(lines.length, 9);
  assert.equal([...new Set(warnings.map(({ name }) => name))], ['MillraceWarning']);
  for (const name of [...EVENTS, 'start']) {
    assert.ok(
      warnings.some(({ message }) =>
        message.startsWith(`A listener of '${name}' of the task service threw: Error: no ${name}`),
      ),
    );
  }
});

simple('a listener may use the service, and even close it', async () => {
  await using repository = new MemoryTaskRepository();
  const service = await open({ repository });
  const closed = promised<Promise<void>>();
  service.on('processing', () => closed.resolve(service.close()));
  const { id } = await service.submit('one');
  await closed.promise;
  assert.is((await repository.get(id))?.status, 'success');
});

// Whoever carries them out.

/** A logger that writes down each line, with its level. */
function logbook(): { lines: [keyof Logger, string][]; logger: Logger } {
  const lines: [keyof Logger, string][] = [];
  const at = (level: keyof Logger) => (message: string) => void lines.push([level, message]);
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

overEveryExecutor((test, options) => {
  const openWith = (more: TaskServiceOptions, task: TaskServiceOptions['task'] = {}) =>
    createTaskService({ logger: {}, ...options, ...more, task: { ...options.task, ...task } });

  for (const [kind, steps] of Object.entries({ local, travelling })) {
    test(`the run of a flow tells how far it is: ${kind} steps`, async () => {
      await using service = await openWith({
        types: [taskType('work', { flow: () => linear('flow', steps.first, steps.talks) })],
      });
      const told: string[] = [];
      service.on('start', (summary, run) => {
        assert.equal(Object.keys(summary), SUMMARY);
        told.push(`start ${summary.status}`);
        run.on('flow', ({ name, state }) => told.push(`${name} ${state}`));
        run.on('task', ({ name, state }) => told.push(`${name} ${state}`));
        run.on('progress', ({ name, progress, details }) =>
          told.push(`${name} ${progress} ${JSON.stringify(details)}`),
        );
        run.on('log', ({ name, message }) => told.push(`${name} says ${message}`));
      });
      const { id } = await service.submit('work');
      assert.equal((await service.finished(id)).result, { one: 1, said: 'all' });
      assert.equal(
        told.filter((line) => !/ [01] /.test(line)),
        [
          ...['start processing', 'flow RUNNING', 'first RUNNING', 'first SUCCESS', 'talks RUNNING'],
          ...['talks 0.5 {"half":true}', 'talks says half way', 'talks SUCCESS', 'flow SUCCESS'],
        ],
      );
    });

    test(`a task may call what the service offers: ${kind} steps`, async () => {
      let times = 0;
      await using service = await openWith({
        types: [taskType('work', { flow: () => steps.acts })],
        services: { act: () => void times++ },
      });
      const { id } = await service.submit('work');
      assert.is((await service.finished(id)).status, 'success');
      assert.is(times, 1);
    });

    test(`the log tells what happens, and neither inputs nor results: ${kind} steps`, async () => {
      const { lines, logger } = logbook();
      const type = taskType('work', {
        flow: ({ how }) => (how ? linear('flow', steps.first, steps.fails) : steps.gives),
      });
      await using service = await openWith({ logger, types: [type] });
      const begin = async (input: object) => {
        lines.length = 0;
        const { id } = await service.submit('work', { ...input, secret: 'swordfish' });
        await service.finished(id);
        assert.ok(lines.every(([, line]) => line.includes(id)));
        assert.not.match(JSON.stringify(lines), 'swordfish');
        return new Set(lines.map(([level]) => level));
      };
      assert.equal(await begin({ what: 'text' }), new Set(['debug']));
      assert.not.match(JSON.stringify(lines), 'value');
      assert.equal(await begin({ how: 'exposed' }), new Set(['debug', 'warn', 'info']));
      assert.ok(lines.some(([level, line]) => level === 'info' && line.endsWith('failed: The image is too small')));
      assert.equal(await begin({ how: 'disk' }), new Set(['debug', 'warn', 'error']));
      assert.ok(lines.some(([level, line]) => level === 'error' && /failed: DiskError: No space.*\n/.test(line)));
    });
  }

  test('a service that is closed waits for what runs, and begins nothing more', async () => {
    const { types, begun, open: letGo, order } = gates();
    await using repository = new MemoryTaskRepository();
    const service = await openWith({ types, repository }, { concurrency: 1 });
    const [first, second] = await submitAll(service, ['a', 'b']);
    await begun('a');
    let closed = false;
    const closing = service.close().then(() => {
      closed = true;
    });
    await settle();
    assert.is(closed, false);
    letGo('a', 'b');
    await closing;
    assert.equal(order, ['a']);
    assert.equal(
      [(await repository.get(first.id))?.status, (await repository.get(second.id))?.status],
      ['success', 'pending'],
    );
  });

  test('what was submitted and not begun is carried out by the next service, in order', async () => {
    const { types, begun, open: letGo, order } = gates();
    await using repository = new MemoryTaskRepository();
    const service = await openWith({ types, repository }, { concurrency: 1 });
    const tasks = await submitAll(service, ['a', 'b', 'c']);
    const untouched = await service.create('wait', { name: 'd' });
    await begun('a');
    letGo('a', 'b', 'c', 'd');
    await service.close();
    await using next = await openWith({ types, repository }, { concurrency: 1 });
    for (const { id } of tasks) assert.is((await next.finished(id)).status, 'success');
    assert.equal(order, ['a', 'b', 'c']);
    await next.close();
    assert.is((await repository.get(untouched.id))?.status, 'pending');
  });

  test('a service that cannot wait any longer aborts what runs', async () => {
    const { types, begun } = gates();
    await using repository = new MemoryTaskRepository();
    const service = await openWith({ types, repository });
    const { id } = await service.submit('wait', { name: 'a' });
    await begun('a');
    await service.close({ timeout: 1 });
    const { status, message } = (await repository.get(id))!;
    assert.equal([status, message], ['failure', INTERNAL_ERROR]);
  });

  test('a task that does not listen cannot keep its service from closing', async () => {
    const begun = promised();
    const deaf = task({
      name: 'deaf',
      execute() {
        begun.resolve();
        return new Promise<never>(() => {});
      },
    });
    await using repository = new MemoryTaskRepository();
    const type = taskType('deaf', { flow: () => deaf });
    const service = await openWith({ types: [type], repository, abortGrace: 1 });
    const { id } = await service.submit('deaf');
    await begun.promise;
    await service.close({ timeout: 0 });
    assert.is((await repository.get(id))?.status, 'failure');
  });

  test('many tasks at once each have their own result', async () => {
    await using service = await openWith({ types: [taskType('work', { flow: () => travelling.resize })] });
    const tasks = await Promise.all(
      Array.from({ length: 60 }, (_, i) => service.submit('work', { width: i, height: 2 })),
    );
    const results = await Promise.all(tasks.map(async ({ id }) => (await service.finished(id)).result));
    assert.equal(
      results,
      Array.from({ length: 60 }, (_, i) => ({ area: 2 * i })),
    );
  });
});

simple.run();
