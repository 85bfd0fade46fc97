import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ArgumentError, ServiceError } from '../../src/errors.js';
import { openRepository } from '../../src/service/open.js';
import { SORT_KEYS, type TaskQuery } from '../../src/service/query.js';
import { beginTask, failTask, newTask, succeedTask, type TaskRecord } from '../../src/service/record.js';
import type { TaskRepository } from '../../src/service/repository.js';
import { STATUSES } from '../../src/service/status.js';
import fc from '../fast-check.js';
import { newFile, newSchema, server } from '../fixtures/service/places.js';

const numRuns = Number(process.env.TEST_RUNS || 60);

/** A task made of whatever the test cares about. */
function record(given: Partial<TaskRecord> = {}): TaskRecord {
  return Object.freeze({ ...newTask('type'), ...given });
}

async function failure(run: () => Promise<unknown>): Promise<any> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

const ids = (tasks: readonly { id: string }[]) => tasks.map(({ id }) => id);
const at = (time: number) => new Date(time);

/** What any repository does. `open` opens the same one again, unless it is in memory. */
function contract(name: string, place: () => Promise<{ url: string; remove(): Promise<void> }>) {
  const test = suite(name);
  let url: string;
  let remove: () => Promise<void>;
  let repository: TaskRepository;

  test.before(async () => {
    ({ url, remove } = await place());
    repository = await openRepository(url);
  });
  test.after.each(async () => {
    for (const { id } of await repository.list()) await repository.remove(id);
  });
  test.after(async () => {
    await repository.close();
    await remove();
  });

  test(`${name}: gives back what was added`, async () => {
    const task = newTask('import', { from: 'a.png', list: [1, null, { deep: true }] }, { owner: 'somebody' });
    await repository.add(task);
    assert.equal(await repository.get(task.id), task);
    assert.ok(Object.isFrozen(await repository.get(task.id)));
    assert.is(await repository.get(randomUUID()), undefined);
  });

  test(`${name}: gives back each text as it was`, async () => {
    const nasty = [
      '',
      '\0',
      'a\0b',
      '\ud800',
      '\u2028',
      `'; drop table millrace_tasks; --`,
      '😀\uffff',
      '$1 ? :x',
      '"\\\n\t',
    ];
    const fields = Object.fromEntries(nasty.map((text, i) => [`${text}${i}`, text]));
    for (const text of nasty.slice(4)) {
      const task = newTask(text, { ...fields, __proto__: null }, { owner: text });
      await repository.add(task);
      assert.equal(await repository.get(task.id), task);
      const begun = beginTask(task, repository.holder);
      assert.is(await repository.save(begun, task), true);
      const failed = failTask(begun, nasty.join(''), 1);
      assert.is(await repository.save(failed, begun), true);
      assert.equal(await repository.get(task.id), failed);
      assert.equal(ids(await repository.list({ type: text, owner: text })), [task.id]);
    }
  });

  test(`${name}: gives back each number, and a large result`, async () => {
    const numbers = [0, 1.5, -1e-300, 1e300, Number.MAX_SAFE_INTEGER, 2 ** 63];
    const task = newTask('type', numbers);
    await repository.add(task);
    const begun = beginTask(task, repository.holder);
    await repository.save(begun, task);
    const done = succeedTask(begun, 'é'.repeat(2 ** 20), 1);
    await repository.save(done, begun);
    const found = (await repository.get(task.id))!;
    assert.equal(found.input, numbers);
    assert.ok(found.result === done.result);
  });

  test(`${name}: refuses a second task of one id, and leaves the first alone`, async () => {
    const task = newTask('first');
    await repository.add(task);
    const error = await failure(() => repository.add({ ...task, type: 'second' }));
    assert.instance(error, ServiceError);
    assert.is(error.code, 'ERR_MILLRACE_DUPLICATE_RECORD');
    assert.is(error.id, task.id);
    assert.is((await failure(() => repository.add(task))).code, 'ERR_MILLRACE_DUPLICATE_RECORD');
    assert.equal(await repository.get(task.id), task);
  });

  test(`${name}: saves only what nobody has changed meanwhile`, async () => {
    const task = newTask('type');
    const begun = beginTask(task, repository.holder);
    assert.is(await repository.save(begun, task), false, 'not there yet');
    await repository.add(task);
    assert.is(await repository.save(begun, task), true);
    assert.is(await repository.save(beginTask(task, 'another'), task), false, 'another status');
    assert.is(await repository.save(failTask(begun, '', 1), { ...begun, holder: 'another' }), false, 'another holder');
    assert.is(await repository.save(failTask(begun, '', 1), { ...begun, holder: null }), false, 'no holder');
    assert.equal(await repository.get(task.id), begun);
    await repository.remove(task.id);
    assert.is(await repository.save(failTask(begun, '', 1), begun), false, 'removed');
    assert.is(await repository.get(task.id), undefined);
  });

  test(`${name}: of several who begin a task at once, one may`, async () => {
    const others = name === 'memory' ? [repository] : [await openRepository(url), await openRepository(url)];
    for (let round = 0; round < 5; round++) {
      const task = newTask('type');
      await repository.add(task);
      const holders = [repository, ...others, repository].map((connection, i) => ({ connection, holder: String(i) }));
      const won = await Promise.all(
        holders.map(async ({ connection, holder }) => {
          const found = (await connection.get(task.id))!;
          return found.status === 'pending' && (await connection.save(beginTask(found, holder), found))
            ? holder
            : undefined;
        }),
      );
      const winners = won.filter((holder) => holder !== undefined);
      assert.is(winners.length, 1);
      assert.is((await repository.get(task.id))!.holder, winners[0]);
    }
    for (const other of others) if (other !== repository) await other.close();
  });

  test(`${name}: removes a task once`, async () => {
    const task = newTask('type');
    await repository.add(task);
    assert.is(await repository.remove(task.id), true);
    assert.is(await repository.get(task.id), undefined);
    assert.is(await repository.remove(task.id), false);
  });

  test(`${name}: removes what has expired, and nothing else`, async () => {
    const tasks = [at(1000), at(1001), at(8.64e15), null].map((expiresAt) => record({ expiresAt }));
    for (const task of tasks) await repository.add(task);
    assert.is(await repository.removeExpired(at(999)), 0);
    assert.is(await repository.removeExpired(at(1000)), 1);
    assert.is(await repository.removeExpired(at(1001)), 1);
    assert.equal(ids(await repository.list({ sortKey: 'expiresAt', sortDir: 'asc' })), ids([tasks[3], tasks[2]]));
  });

  test(`${name}: lists summaries, the newest first`, async () => {
    const [first, second] = [1, 2].map((time) => record({ createdAt: at(time), input: 'input', owner: 'me' }));
    await repository.add(first);
    await repository.add(second);
    const { id, type, status, owner, createdAt, updatedAt, expiresAt } = second;
    const list = await repository.list();
    assert.equal(ids(list), ids([second, first]));
    assert.equal(list[0], { id, type, status, owner, createdAt, updatedAt, expiresAt });
    assert.ok(Object.isFrozen(list[0]));
  });

  test(`${name}: what is null comes before all else, whether asked for first or last`, async () => {
    const tasks = [null, 'a', null, 'b'].map((owner, i) => record({ owner, createdAt: at(i) }));
    for (const task of tasks) await repository.add(task);
    const sorted = [tasks[0], tasks[2], tasks[1], tasks[3]];
    assert.equal(ids(await repository.list({ sortKey: 'owner', sortDir: 'asc' })), ids(sorted));
    assert.equal(ids(await repository.list({ sortKey: 'owner', sortDir: 'desc' })), ids(sorted.reverse()));
  });

  test(`${name}: a list page by page has each task once, though some are removed meanwhile`, async () => {
    const tasks = Array.from({ length: 9 }, (_, i) =>
      record({ expiresAt: i % 2 ? null : at(5), createdAt: at(i % 3) }),
    );
    for (const task of tasks) await repository.add(task);
    const seen: string[] = [];
    for (let marker: string | undefined; ; ) {
      const page: TaskQuery = { sortKey: 'expiresAt', limit: 2, marker };
      const found = ids(await repository.list(page));
      if (found.length === 0) break;
      seen.push(...found);
      marker = found.at(-1);
      // What lies behind is of no importance any more.
      if (found.length === 2) await repository.remove(found[0]);
    }
    assert.equal([...seen].sort(), ids(tasks).sort());
  });

  test(`${name}: refuses a marker that is no task`, async () => {
    for (const marker of [randomUUID(), '', 'a\0b']) {
      const error = await failure(() => repository.list({ marker }));
      assert.instance(error, ArgumentError);
      assert.match(error.message, 'marker');
    }
  });

  test(`${name}: asked for what cannot be, it finds nothing`, async () => {
    await repository.add(record({ owner: '\ufffd' }));
    for (const text of ['\0', 'a\0', '\ud800']) {
      assert.is(await repository.get(text), undefined);
      assert.is(await repository.remove(text), false);
      assert.equal(await repository.list({ type: text }), []);
      assert.equal(await repository.list({ owner: text }), []);
    }
  });

  test(`${name}: a list is what the definition says`, async () => {
    const text = fc.constantFrom('a', 'b', 'Z', 'é', '\uffff', '😀', 'a b');
    const time = fc.integer({ min: 0, max: 3 }).map(at);
    const task = fc.record({
      type: text,
      status: fc.constantFrom(...STATUSES),
      owner: fc.option(text),
      createdAt: time,
      updatedAt: time,
      expiresAt: fc.option(time),
    });
    const query = fc.record(
      {
        type: text,
        status: fc.constantFrom(...STATUSES),
        owner: text,
        sortKey: fc.constantFrom(...SORT_KEYS),
        sortDir: fc.constantFrom('asc' as const, 'desc' as const),
        marker: fc.nat(9),
        limit: fc.nat(6),
      },
      { requiredKeys: [] },
    );
    const property = fc.asyncProperty(
      fc.array(task, { minLength: 1, maxLength: 10 }),
      fc.array(query, { minLength: 1, maxLength: 6 }),
      async (given, queries) => {
        const tasks = given.map(record);
        for (const one of tasks) await repository.add(one);
        for (const { marker, ...rest } of queries) {
          const full = { ...rest, ...(marker !== undefined && { marker: tasks[marker % tasks.length].id }) };
          assert.equal(ids(await repository.list(full)), ids(expected(tasks, full)));
        }
        for (const { id } of tasks) await repository.remove(id);
      },
    );
    await fc.assert(property, { numRuns, endOnFailure: true });
  });

  test(`${name}: a connection knows what it holds`, async () => {
    const task = newTask('type');
    await repository.add(task);
    assert.equal(await repository.held(), []);
    const begun = beginTask(task, repository.holder);
    await repository.save(begun, task);
    assert.equal(await repository.held(), [begun]);
    await repository.save(succeedTask(begun, null, 1), begun);
    assert.equal(await repository.held(), []);
  });

  test(`${name}: once closed, it refuses whatever is asked`, async () => {
    const other = await openRepository(url);
    await other.close();
    await other.close();
    const task = newTask('type');
    const calls = [
      () => other.add(task),
      () => other.get(task.id),
      () => other.get('\0'),
      () => other.list(),
      () => other.save(beginTask(task, 'x'), task),
      () => other.remove(task.id),
      () => other.removeExpired(new Date()),
      () => other.held(),
    ];
    for (const call of calls) assert.is((await failure(call)).code, 'ERR_MILLRACE_DATABASE');
  });

  test.run();
}

/** What a list has, straight from its definition. */
function expected(tasks: readonly TaskRecord[], query: TaskQuery): TaskRecord[] {
  const { type, status, owner, sortKey = 'createdAt', sortDir = 'desc', marker, limit } = query;
  // Texts by code points; null below all else.
  const rank = (value: string | Date | null): number[] =>
    value === null
      ? [-1]
      : value instanceof Date
        ? [0, value.getTime()]
        : [0, ...[...value].map((c) => c.codePointAt(0)!)];
  const order = (a: number[], b: number[]): number => {
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const [x, y] = [a[i] ?? -2, b[i] ?? -2];
      if (x !== y) return x - y;
    }
    return 0;
  };
  const sorted = [...tasks].sort(
    (a, b) =>
      order(rank(a[sortKey]), rank(b[sortKey])) ||
      order(rank(a.createdAt), rank(b.createdAt)) ||
      order(rank(a.id), rank(b.id)),
  );
  if (sortDir === 'desc') sorted.reverse();
  return sorted
    .slice(marker === undefined ? 0 : sorted.findIndex(({ id }) => id === marker) + 1)
    .filter((task) => type === undefined || task.type === type)
    .filter((task) => status === undefined || task.status === status)
    .filter((task) => owner === undefined || task.owner === owner)
    .slice(0, limit);
}

contract('memory', async () => ({ url: 'memory:', remove: async () => {} }));
contract('SQLite', async () => ({ url: `sqlite:${newFile()}`, remove: async () => {} }));
if (server) contract('PostgreSQL', newSchema);

const opening = suite('openRepository');

opening('a URL of another kind is refused, without showing what may be a password', async () => {
  for (const url of [
    'mysql://root:secret@host/db',
    'secret.db',
    'sqlite:',
    'sqlite::memory:',
    '',
    'postgres://u:se/cret@h/d',
  ]) {
    const error = await failure(() => openRepository(url));
    assert.instance(error, ArgumentError);
    assert.not.match(String(error.stack), 'cret');
  }
  assert.match((await failure(() => openRepository('mysql://root@host/db'))).message, "received 'mysql:...'");
  assert.match((await failure(() => openRepository(3 as any))).message, 'received a number (3)');
});

opening('a repository in memory needs nothing of a database', () => {
  const program = fileURLToPath(new URL('../fixtures/service/without-drivers.js', import.meta.url));
  const output = execFileSync(process.execPath, [program, 'memory:'], { encoding: 'utf8' });
  assert.match(JSON.parse(output).holder, /^[0-9a-f-]{36}$/);
});

opening.run();
