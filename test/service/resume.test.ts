/** What a killed process has left is resumed, where the configuration says so. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  beginTask,
  createTaskService,
  INTERNAL_ERROR,
  newTask,
  openRepository,
  type TaskRecord,
  type TaskService,
  type TaskServiceOptions,
} from 'millrace/service';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFile, newSchema, server } from '../fixtures/service/places.js';
import { deeds, resumedTypes } from '../fixtures/service/resumed.js';
import { resuming } from './executors.js';
import { Program } from './program.js';

const folder = mkdtempSync(join(tmpdir(), 'millrace-resume-'));
test.after(() => rmSync(folder, { recursive: true }));

/** A database where tasks are resumed, and a file for what the steps of a task do. */
interface Place {
  readonly options: TaskServiceOptions;
  readonly file: string;
  /** Lets the step that waits go on. */
  go(): void;
  /** Opens a service there. */
  open(options?: TaskServiceOptions): Promise<TaskService>;
  /** Looks at a record without opening a service, which would go on with it. */
  peek(id: string): Promise<TaskRecord | undefined>;
}

const databases: Record<string, () => Promise<{ url: string; remove?: () => Promise<void> }>> = {
  SQLite: async () => ({ url: `sqlite:${newFile()}` }),
  ...(server && { PostgreSQL: newSchema }),
};

/** Registers a claim for ways to carry tasks out that can resume them; if there are several, the first also with another database. */
function claim(what: string, body: (place: Place) => Promise<void>, among = resuming): void {
  for (const [database, make] of Object.entries(databases)) {
    for (const { name, options } of database === 'SQLite' ? among : among.slice(0, among.length - 1)) {
      test(`${what}: ${database}, ${name}`, async () => {
        const { url, remove } = await make();
        const file = join(mkdtempSync(join(folder, 'place-')), 'deeds');
        const task = { ...options.task, database: url };
        const all: TaskServiceOptions = { ...options, abortGrace: 20, task };
        try {
          await body({
            ...{ options: all, file },
            go: () => writeFileSync(`${file}.go`, ''),
            open: ({ task: more, ...others } = {}) =>
              createTaskService({
                ...all,
                ...{ types: resumedTypes, services: { say() {} }, logger: {}, handleSignals: false },
                ...others,
                task: { ...task, ...more },
              }),
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
}

const done = ['second begins', 'second', 'third'];
const turnedBack = ['second begins to be reverted', 'second is reverted', 'first is reverted'];

claim('a task of a killed process goes on where it was, and what has ended is not done again', async (place) => {
  const { options, file, go, open, peek } = place;
  const program = new Program(options, 'open', `submit goes-on ${file}`);
  const id = await program.says('submit');
  await program.says('under way');
  await program.kill();
  assert.is((await peek(id))?.status, 'processing');
  go();
  await using next = await open();
  const { status, result, message } = await next.finished(id);
  assert.equal({ status, result, message }, { status: 'success', result: 6, message: '' });
  assert.equal(deeds(file), ['first', 'second begins', ...done]);
});

claim('a task whose flow was reverting when its process was killed finishes that, and fails', async (place) => {
  const { options, file, go, open } = place;
  const program = new Program(options, 'open', `submit turns-back ${file}`);
  const id = await program.says('submit');
  await program.says('under way');
  await program.kill();
  go();
  await using next = await open();
  const { status, result, message } = await next.finished(id);
  assert.equal({ status, result, message }, { status: 'failure', result: null, message: 'There is no third' });
  assert.equal(deeds(file), ['first', 'second', 'third fails', 'second begins to be reverted', ...turnedBack]);
});

claim('of two services that live, one goes on with what a third has left', async (place) => {
  const { options, file, go, open } = place;
  await using one = await open();
  await using other = await open();
  const program = new Program(options, 'open', `submit goes-on ${file}`);
  const id = await program.says('submit');
  await program.says('under way');
  await Promise.all([one.recover(), other.recover()]);
  assert.is((await one.get(id)).status, 'processing');
  assert.equal(deeds(file), ['first', 'second begins'], 'not while it lives');
  await program.kill();
  go();
  await Promise.all([one.recover(), other.recover()]);
  assert.is((await other.finished(id)).status, 'success');
  assert.is((await one.finished(id)).result, 6);
  assert.equal(deeds(file), ['first', 'second begins', ...done]);
});

claim(
  'SIGTERM suspends a task, which is neither reverted nor ended, and the next start goes on with it',
  async (place) => {
    const { options, file, go, open, peek } = place;
    const program = new Program(options, 'open', `submit goes-on ${file}`);
    const id = await program.says('submit');
    await program.says('under way');
    program.signal('SIGTERM');
    assert.equal(await program.exit, { code: null, signal: 'SIGTERM' });
    assert.is((await peek(id))?.status, 'processing');
    assert.equal(deeds(file), ['first', 'second begins']);
    go();
    await using next = await open();
    assert.is((await next.finished(id)).result, 6);
    assert.equal(deeds(file), ['first', 'second begins', ...done]);
    assert.not.match(program.complaints, /unhandled/i);
  },
);

claim('a step that ends in time when its service is closed is not done again', async ({ file, go, open, peek }) => {
  let underWay = () => {};
  const said = new Promise<void>((resolve) => {
    underWay = resolve;
  });
  const service = await open({ abortGrace: 60_000, services: { say: () => underWay() } });
  const { id } = await service.submit('goes-on', { file });
  await said;
  const closed = service.close({ timeout: 0 });
  go();
  await closed;
  assert.is((await peek(id))?.status, 'processing');
  assert.equal(deeds(file), ['first', 'second begins', 'second']);
  await using next = await open();
  assert.is((await next.finished(id)).result, 6);
  assert.equal(deeds(file), ['first', 'second begins', 'second', 'third']);
});

claim('service.run() rejects when its task is suspended', async ({ file, go, open }) => {
  const service = await open();
  const { id } = await service.create('goes-on', { file });
  const running = service.run(id).catch((error) => error);
  await new Promise<void>((begun) => service.once('start', () => begun()));
  await service.close({ timeout: 0 });
  const { code, message, cause } = await running;
  assert.is(code, 'ERR_MILLRACE_TASK_SUSPENDED');
  assert.is(message, `Task ${id} (goes-on) is suspended`);
  assert.is(cause.code, 'ERR_MILLRACE_SERVICE_CLOSED');
  go();
  await using next = await open();
  assert.is((await next.finished(id)).result, 6);
});

const serial = resuming.slice(0, 1);

claim(
  "with task.recovery 'fail', a task that could be resumed fails, and nothing is done",
  async ({ options, file, go, open }) => {
    const program = new Program(options, 'open', `submit goes-on ${file}`);
    const id = await program.says('submit');
    await program.says('under way');
    await program.kill();
    go();
    await using next = await open({ task: { recovery: 'fail' } });
    assert.is((await next.finished(id)).message, INTERNAL_ERROR);
    assert.equal(deeds(file), ['first', 'second begins']);
  },
  serial,
);

claim(
  'a task whose process was killed before its flow was recorded begins',
  async ({ options, file, go, open }) => {
    const task = newTask('goes-on', { file });
    await using repository = await openRepository(options.task!.database!);
    await repository.add(task);
    await repository.save(beginTask(task, 'a connection that is gone', true), task);
    go();
    await using next = await open();
    assert.is((await next.finished(task.id)).result, 6);
  },
  serial,
);

for (const [why, { type, recorded, message }] of Object.entries({
  'was begun by an executor that records nothing': {
    ...{ type: 'goes-on', recorded: false, message: 'Task could not be resumed: its flow was not recorded' },
  },
  'has a type that is not known any more': {
    ...{ type: 'gone', recorded: true, message: 'Task could not be resumed: its type is not known any more' },
  },
})) {
  claim(
    `a task that ${why} fails, and says why`,
    async ({ options, file, open }) => {
      const task = newTask(type, { file });
      await using repository = await openRepository(options.task!.database!);
      await repository.add(task);
      await repository.save(beginTask(task, 'a connection that is gone', recorded), task);
      const errors: string[] = [];
      await using next = await open({ logger: { error: (line) => errors.push(line) } });
      const ended = await next.finished(task.id);
      assert.equal([ended.status, ended.message], ['failure', message]);
      assert.match(errors.join('\n'), task.id);
      assert.equal(deeds(file), []);
    },
    serial,
  );
}

for (const [where, type] of Object.entries({ 'a step': 'goes-on', 'a revert': 'turns-back' })) {
  claim(`SIGTERM does not wait for ${where} that does not end, and the next start goes on`, async (place) => {
    const { options, file, go, open, peek } = place;
    const program = new Program(options, 'open', `submit ${type} ${file} deaf`);
    const id = await program.says('submit');
    await program.says('under way');
    program.signal('SIGTERM');
    assert.equal(await program.exit, { code: null, signal: 'SIGTERM' });
    assert.is((await peek(id))?.status, 'processing');
    const before = deeds(file);
    go();
    await using next = await open();
    assert.is((await next.finished(id)).status, type === 'goes-on' ? 'success' : 'failure');
    const again = type === 'goes-on' ? ['second begins', 'second', 'third'] : turnedBack;
    assert.equal(deeds(file), [...before, ...again]);
  });
}

/** What may be done while processes are killed: each step again until it has ended, and none after one that follows it. */
const possible: Readonly<Record<string, { status: string; deeds: RegExp }>> = {
  'goes-on': { status: 'success', deeds: /^(first;)+(second begins;|second;)*second;(third;)+$/ },
  'turns-back': {
    status: 'failure',
    deeds:
      /^(first;)+(second;)+(third fails;)+(second begins to be reverted;|second is reverted;)+(first is reverted;)+$/,
  },
};
const kills = process.env.TEST_RUNS ? 60 : 6;

const killedOften = async ({ options, file, open }: Place) => {
  const tasks = Object.keys(possible).flatMap((type) => [0, 1, 2].map((i) => ({ type, file: `${file}-${type}-${i}` })));
  for (const { file } of tasks) writeFileSync(`${file}.go`, '');
  let program = new Program(options, 'open', ...tasks.map(({ type, file }) => `submit ${type} ${file}`));
  const ids: string[] = [];
  for (const _ of tasks) ids.push(await program.says('submit'));
  for (let kill = 0; kill < kills; kill++) {
    await sleep(Math.random() * 50);
    await program.kill();
    program = new Program(options, 'open');
    if (kill % 3 > 0) await program.says('open');
  }
  await program.kill();
  await using last = await open();
  for (const [i, { type, file }] of tasks.entries()) {
    assert.is((await last.finished(ids[i])).status, possible[type].status);
    assert.match(`${deeds(file).join(';')};`, possible[type].deeds);
  }
};
claim('however often its process is killed, each task ends as it should', killedOften, [
  ...resuming.slice(1),
  ...resuming.slice(0, 1),
]);

test.run();
