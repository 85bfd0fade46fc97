import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openDatabase } from '../../src/database/index.js';
import { openRepository } from '../../src/service/open.js';
import { newTask } from '../../src/service/record.js';
import { SqlTaskRepository } from '../../src/service/sql.js';
import { newFile, newSchema, onServer, plainSqlite, server } from '../fixtures/service/places.js';

async function failure(run: () => Promise<unknown>): Promise<any> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

const isSettled = (promise: Promise<unknown>) =>
  Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    sleep(100).then(() => false),
  ]);

const children = new Set<ChildProcess>();

/** Starts a process of a fixture, and waits for its first line. */
async function start(fixture: string, ...args: string[]): Promise<{ child: ChildProcess; line: string }> {
  const path = fileURLToPath(new URL(`../fixtures/service/${fixture}.js`, import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return { child, line: await nextLine(child) };
}

/** Has another process open the repository at a URL, add a task, close it, and end. */
async function openElsewhere(url: string): Promise<void> {
  const { child } = await start('opener', url);
  child.stdin!.write('now');
  assert.equal(await once(child, 'exit'), [0, null]);
}

async function nextLine(child: ChildProcess): Promise<string> {
  const [text] = (await once(child.stdout!, 'data')) as [Buffer];
  return text.toString().trim();
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.signalCode === null) await once(child, 'exit');
}

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** What either database does. `lock` keeps everybody else waiting, until what it returns is called. */
function contract(
  name: string,
  place: () => Promise<{
    url: string;
    remove(): Promise<void>;
    lock(): Promise<() => Promise<void>>;
    run(sql: string): Promise<any[]>;
  }>,
) {
  const test = suite<Awaited<ReturnType<typeof place>>>(name);

  test.before.each(async (context) => {
    Object.assign(context, await place());
  });
  test.after.each(({ remove }) => remove());

  test(`${name}: while the database is locked, a call waits, and the event loop goes on`, async ({ url, lock }) => {
    await using repository = await openRepository(url);
    const unlock = await lock();
    const task = newTask('type');
    const adding = repository.add(task);
    assert.is(await isSettled(adding), false);
    await unlock();
    await adding;
    assert.equal(await repository.get(task.id), task);
  });

  test(`${name}: a database that stays locked is an error, and nothing has changed`, async ({ url, lock }) => {
    await using repository = new SqlTaskRepository(await openDatabase(url, { patience: 200 }));
    const unlock = await lock();
    const task = newTask('type');
    const error = await failure(() => repository.add(task));
    assert.is(error.code, 'ERR_MILLRACE_DATABASE');
    assert.match(error.message, name);
    assert.instance(error.cause, Error);
    await unlock();
    assert.is(await repository.get(task.id), undefined);
    await repository.add(task);
  });

  test(`${name}: what is under way when it is closed is done first`, async ({ url, lock }) => {
    const repository = await openRepository(url);
    const unlock = await lock();
    const task = newTask('type');
    const adding = repository.add(task);
    const closing = repository.close();
    assert.is(await isSettled(closing), false);
    await unlock();
    await Promise.all([adding, closing]);
    await using again = await openRepository(url);
    assert.equal(await again.get(task.id), task);
  });

  test(`${name}: the tables of a newer Millrace are refused, and left alone`, async ({ url, run }) => {
    await (await openRepository(url)).close();
    await run('insert into millrace_migrations values (99)');
    const error = await failure(() => openRepository(url));
    assert.is(error.code, 'ERR_MILLRACE_DATABASE');
    assert.match(error.message, /is of a newer Millrace: its tables are of version 99, and this one knows 2$/);
    assert.is((await run('select version from millrace_migrations')).length, 3);
    await run('delete from millrace_migrations where version = 99');
    await (await openRepository(url)).close();
  });

  test(`${name}: several processes may open a new database at once`, async ({ url, run }) => {
    const started = await Promise.all(Array.from({ length: 4 }, () => start('opener', url)));
    const lines = started.map(({ child }) => nextLine(child));
    const exits = started.map(({ child }) => once(child, 'exit'));
    for (const { child } of started) child.stdin!.write('now');
    assert.equal(await Promise.all(lines), ['true', 'true', 'true', 'true']);
    assert.equal(await Promise.all(exits), Array(4).fill([0, null]));
    assert.is((await run('select * from millrace_tasks')).length, 4);
    assert.is((await run('select * from millrace_migrations')).length, 2);
  });

  test(`${name}: the tasks of a killed process are abandoned, and those of a living one are not`, async ({ url }) => {
    const killed = await start('holder', url);
    const idle = await start('holder', url);
    const blocked = await start('holder', url, 'blocked');
    await using repository = await openRepository(url);
    assert.equal(await repository.held(), []);
    await kill(killed.child);
    // The server may take a moment to notice.
    let found = await repository.held();
    while (found.length === 0) found = await repository.held();
    assert.equal(found, [await repository.get(killed.line)]);
    await using another = await openRepository(url);
    assert.equal(await another.held(), found);
    await kill(blocked.child);
    while (found.length < 2) found = await another.held();
    assert.equal(found.map(({ id }) => id).sort(), [killed.line, blocked.line].sort());
    await kill(idle.child);
  });

  test(`${name}: a connection stays what it is when others in its process look at it, and go`, async ({ url }) => {
    await using repository = await openRepository(url);
    const { holder } = repository;
    const database = await openDatabase(url);
    assert.is(await database.isGone(holder), false);
    await database.close();
    // A lock that this process had lost would be free for another one.
    assert.is((await start('looker', url, holder)).line, 'false');
  });

  test(`${name}: what has been closed is gone`, async ({ url }) => {
    await using database = await openDatabase(url);
    const other = await openDatabase(url);
    assert.is(await database.isGone(other.holder), false);
    await other.close();
    while (!(await database.isGone(other.holder))) await sleep(1);
    assert.is(await database.isGone('never heard of'), true);
    assert.is(await database.isGone(database.holder), false);
  });

  test(`${name}: without a driver, it is said what to install`, async ({ url }) => {
    const { line } = await start('without-drivers', url);
    const { code, message, cause } = JSON.parse(line);
    assert.is(code, 'ERR_MILLRACE_DATABASE');
    assert.match(message, name === 'SQLite' ? 'npm install @photostructure/sqlite@1' : 'npm install pg@8');
    assert.match(cause, 'Cannot find package');
  });

  return test;
}

const path = (url: string) => url.slice('sqlite:'.length);
/** What lies in the folder of a database. */
const beside = (file: string) =>
  readdirSync(dirname(file))
    .map((name) => name.replace(basename(file), ''))
    .sort();

const sqlite = contract('SQLite', async () => {
  const file = newFile();
  const run = async (statement: string) => {
    const connection = await plainSqlite(file);
    const rows = connection.prepare(statement).all();
    connection.close();
    return rows;
  };
  const lock = async () => {
    const connection = await plainSqlite(file);
    connection.exec('begin immediate');
    return async () => connection.close();
  };
  return { url: `sqlite:${file}`, remove: async () => {}, run, lock };
});

sqlite('SQLite: opening waits for a lock, too', async ({ url, lock }) => {
  await (await openRepository(url)).close();
  const unlock = await lock();
  const opening = openRepository(url);
  assert.is(await isSettled(opening), false);
  assert.is((await failure(() => openDatabase(url, { patience: 100 }))).code, 'ERR_MILLRACE_DATABASE');
  await unlock();
  await (await opening).close();
});

sqlite('SQLite: a file that is no database is refused, and left alone', async ({ url }) => {
  for (const text of ['x'.repeat(5000), 'short']) {
    writeFileSync(path(url), text);
    const error = await failure(() => openRepository(url));
    assert.is(error.code, 'ERR_MILLRACE_DATABASE');
    assert.match(error.message, `SQLite database '${path(url)}': file is not a database`);
    assert.is(readFileSync(path(url), 'utf8'), text);
    assert.equal(beside(path(url)), ['']);
  }
});

sqlite('SQLite: a corrupt database is an error that names it', async ({ url }) => {
  await openElsewhere(url);
  const bytes = readFileSync(path(url));
  writeFileSync(path(url), bytes.fill(0xa5, 100));
  const error = await failure(() => openRepository(url));
  assert.is(error.code, 'ERR_MILLRACE_DATABASE');
  assert.match(error.message, path(url));
  assert.ok(readFileSync(path(url)).equals(bytes));
});

sqlite('SQLite: a folder that is missing, or in the place of the file, is an error that names it', async ({ url }) => {
  for (const wrong of [`${path(url)}/missing/x.db`, dirname(path(url))]) {
    const error = await failure(() => openRepository(`sqlite:${wrong}`));
    assert.is(error.code, 'ERR_MILLRACE_DATABASE');
    assert.match(error.message, `SQLite database '${wrong}'`);
    assert.ok(!existsSync(path(url)));
  }
});

sqlite('SQLite: a folder that may not be written to is an error that names the file', async ({ url }) => {
  if (process.getuid?.() === 0) return; // root may
  chmodSync(dirname(path(url)), 0o500);
  const error = await failure(() => openRepository(url));
  assert.is(error.code, 'ERR_MILLRACE_DATABASE');
  assert.match(error.message, path(url));
  chmodSync(dirname(path(url)), 0o700);
});

sqlite('SQLite: the path may be relative to the working directory', async ({ url }) => {
  const before = process.cwd();
  process.chdir(dirname(path(url)));
  try {
    await using repository = await openRepository(`sqlite:./${basename(path(url))}`);
    process.chdir(before);
    assert.equal(await repository.list(), []);
    assert.ok(existsSync(path(url)));
  } finally {
    process.chdir(before);
  }
});

sqlite('SQLite: no file is for others to read', async ({ url }) => {
  const repository = await openRepository(url);
  await repository.add(newTask('type'));
  assert.equal(beside(path(url)), ['', `-${repository.holder}.lock`, '-shm', '-wal'].sort());
  for (const end of beside(path(url))) assert.is(statSync(path(url) + end).mode & 0o777, 0o600, end);
  await repository.close();
  assert.not.ok(beside(path(url)).includes(`-${repository.holder}.lock`));
});

sqlite('SQLite: a process that has closed it leaves nothing but the database', async ({ url }) => {
  await openElsewhere(url);
  assert.equal(beside(path(url)), ['']);
});

sqlite('SQLite: the lock file that a killed process leaves goes with the next start', async ({ url }) => {
  const { child } = await start('holder', url);
  const living = await start('holder', url);
  await kill(child);
  assert.is(beside(path(url)).filter((end) => end.endsWith('.lock')).length, 2);
  const repository = await openRepository(url);
  assert.is(beside(path(url)).filter((end) => end.endsWith('.lock')).length, 2);
  assert.is((await repository.held()).length, 1);
  await repository.close();
  await kill(living.child);
  await openElsewhere(url);
  assert.is(beside(path(url)).filter((end) => end.endsWith('.lock')).length, 0);
});

sqlite.run();

const postgres = suite('PostgreSQL without a server');

postgres('PostgreSQL: no password is in an error', async () => {
  const error = await failure(() =>
    openDatabase('postgres://user:secret@127.0.0.1:1/db?password=secret', { patience: 100 }),
  );
  assert.is(error.code, 'ERR_MILLRACE_DATABASE');
  assert.match(error.message, 'PostgreSQL database postgres://user@127.0.0.1:1/db: ');
  assert.match(error.message, 'ECONNREFUSED');
  assert.not.match(inspect(error, { depth: 9, showHidden: true }), 'secret');
});

postgres.run();

if (server) {
  const test = contract('PostgreSQL', async () => {
    const { url, remove } = await newSchema();
    const lock = async () => {
      const { default: pg } = await import('pg');
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query('begin; lock table millrace_tasks');
      return () => client.end();
    };
    return { url, remove, lock, run: (statement: string) => onServer(statement, url) };
  });

  test('PostgreSQL: lost connections come back, and with them the lock', async ({ url }) => {
    await using repository = await openRepository(url);
    const { child, line } = await start('holder', url);
    const task = newTask('type');
    await repository.add(task);
    const others = 'from pg_stat_activity where pid <> pg_backend_pid() and backend_type = $$client backend$$';
    await onServer(`select pg_terminate_backend(pid, 5000) ${others}`);
    assert.equal(await repository.get(task.id), task);
    // The other process has taken its lock again as soon as it is not found abandoned any more.
    while ((await repository.held()).length > 0) await sleep(10);
    await kill(child);
    while ((await repository.held()).length === 0) await sleep(10);
    assert.equal(
      (await repository.held()).map(({ id }) => id),
      [line],
    );
  });

  test('PostgreSQL: a database of another encoding is refused', async () => {
    const name = `test_${process.pid}`;
    await onServer(`create database ${name} encoding 'LATIN1' template template0`);
    try {
      const url = new URL(server!);
      url.pathname = name;
      const error = await failure(() => openRepository(url.href));
      assert.is(error.code, 'ERR_MILLRACE_DATABASE');
      assert.match(error.message, 'the encoding must be UTF8; it is LATIN1');
    } finally {
      await onServer(`drop database ${name}`);
    }
  });

  test('PostgreSQL: nothing is said of a missing database but that', async () => {
    const url = new URL(server!);
    url.pathname = '/missing';
    const error = await failure(() => openRepository(url.href));
    assert.is(error.code, 'ERR_MILLRACE_DATABASE');
    assert.match(error.message, /missing: database "missing" does not exist$/);
  });

  test('PostgreSQL: a process that forgets to close may end', async ({ url }) => {
    const { child } = await start('forgetful', url);
    if (child.exitCode === null) await once(child, 'exit');
    assert.is(child.exitCode, 0);
  });

  test.run();
}
