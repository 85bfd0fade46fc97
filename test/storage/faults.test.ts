import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linear, load, task } from '../../src/index.js';
import { openStore } from '../../src/storage/index.js';
import { newFile, plainSqlite } from '../fixtures/service/places.js';
import { limitPages, loseAnswer, makeSpace } from '../fixtures/storage/failpoint.js';
import { LONG, text } from '../fixtures/storage/stored.js';

const NEW = { name: 'flow', inputs: text('{}') };

async function failure(run: () => unknown): Promise<any> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('expected an error');
}

test('SQLite: a full disk is an error that says so; nothing is half written, and all of it once there is space', async () => {
  const file = newFile();
  limitPages(100);
  const small = await openStore(`sqlite:${file}`);
  limitPages(0);
  const lease = await small.create({ ...NEW, id: 'mine' });
  let error: any;
  let n = 0;
  while (!error) {
    n++;
    lease.atom('small', { state: 'RUNNING', attempts: n });
    lease.atom(`a${n}`, { state: 'SUCCESS', result: LONG });
    try {
      lease.commit();
    } catch (one) {
      error = one;
    }
  }
  assert.is(error.code, 'ERR_MILLRACE_STORE_FULL');
  assert.is(error.flow, 'mine');
  assert.match(error.message, `${file}': database or disk is full; nothing of this is recorded; free some space`);
  assert.is((await lease.read()).atoms.get('small')!.attempts, n - 1);
  assert.is((await lease.read()).atoms.size, n);
  assert.is((await failure(() => lease.commit())).code, 'ERR_MILLRACE_STORE_FULL');
  // What is appended meanwhile comes after what could not be written.
  lease.atom('small', { state: 'SUCCESS' });
  makeSpace();
  lease.commit();
  const { atoms } = await lease.read();
  assert.equal([atoms.get('small')!.attempts, atoms.get('small')!.state], [n, 'SUCCESS']);
  assert.equal(atoms.get(`a${n}`)!.result, LONG);
  await small.close();
});

for (const engine of ['serial', 'parallel'] as const) {
  test(`SQLite, ${engine}: a flow on a full disk is suspended, and goes on once there is space`, async () => {
    limitPages(100);
    const store = await openStore(`sqlite:${newFile()}`);
    limitPages(0);
    const done: string[] = [];
    const steps = Array.from({ length: 12 }, (_, i) =>
      task({
        name: `step ${i}`,
        provides: `bytes ${i}`,
        execute() {
          done.push(`execute ${i}`);
          return `${i}`.repeat(50_000);
        },
        revert() {
          done.push(`revert ${i}`);
        },
      }),
    );
    await using running = load(linear('fill', ...steps), { engine, record: { store, id: 'fill' } });
    const error = await failure(() => running.run());
    assert.is(error.code, 'ERR_MILLRACE_STORE_FULL');
    assert.is(running.state, 'SUSPENDED');
    const before = done.length;
    assert.ok(before < steps.length);
    const successes = [...(await store.read('fill')).atoms.values()].filter(({ state }) => state === 'SUCCESS');
    assert.ok(successes.length >= before - 1 && successes.every(({ result }) => result));
    assert.is((await failure(() => running.run())).code, 'ERR_MILLRACE_STORE_FULL');
    makeSpace();
    await running.run();
    assert.is(running.state, 'SUCCESS');
    assert.equal(
      done,
      steps.map((_, i) => `execute ${i}`),
    );
    assert.is((await store.read('fill')).state, 'SUCCESS');
    await store.close();
  });
}

test('SQLite: a commit that was carried out, though it seemed to fail, makes no difference the second time', async () => {
  const store = await openStore(`sqlite:${newFile()}`);
  const lease = await store.create(NEW);
  lease.atom('gone', { state: 'SUCCESS', result: LONG });
  lease.atom('again', { state: 'SUCCESS', result: LONG, rounds: 1 });
  lease.attempt('retry', 0, { value: LONG });
  lease.attempt('retry', 1, { value: LONG });
  await lease.commit();
  for (const name of ['gone', 'again']) lease.remove(name);
  lease.atom('again', { state: 'RUNNING', attempts: 1 });
  lease.forget('retry');
  lease.attempt('retry', 0, { value: text('anew') });
  lease.flow({ notes: LONG });
  loseAnswer();
  assert.match((await failure(() => lease.commit())).message, 'disk I/O error');
  const { updatedAt: _, ...once } = await lease.read();
  assert.equal([...once.atoms.keys()], ['again']);
  await lease.commit();
  const { updatedAt: __, ...twice } = await lease.read();
  assert.equal(twice, once);
  lease.atom('again', { state: 'SUCCESS' });
  await lease.commit();
  assert.is((await lease.read()).atoms.get('again')!.state, 'SUCCESS');
  await store.close();
});

test('SQLite: while somebody else writes, a commit waits, and the event loop goes on', async () => {
  const file = newFile();
  const store = await openStore(`sqlite:${file}`);
  const lease = await store.create(NEW);
  const other = await plainSqlite(file);
  other.exec('begin immediate');
  lease.atom('a', { state: 'RUNNING' });
  const first = lease.commit();
  assert.instance(first, Promise);
  lease.atom('a', { state: 'SUCCESS' });
  const second = lease.commit();
  assert.is((await lease.read()).atoms.size, 0);
  other.exec('rollback');
  await first;
  await second;
  assert.is((await lease.read()).atoms.get('a')!.state, 'SUCCESS');
  other.close();
  await store.close();
});

test('SQLite: a file that stays locked is an error, and the commit can be asked for again', async () => {
  const file = newFile();
  const store = await openStore(`sqlite:${file}`, { patience: 50 });
  const lease = await store.create(NEW);
  const other = await plainSqlite(file);
  other.exec('begin immediate');
  lease.atom('a', { state: 'RUNNING', attempts: 1 });
  assert.is((await failure(() => lease.commit())).code, 'ERR_MILLRACE_DATABASE');
  lease.atom('b', { state: 'RUNNING' });
  const both = lease.commit();
  other.exec('rollback');
  other.close();
  await both;
  assert.equal([...(await lease.read()).atoms.keys()].sort(), ['a', 'b']);
  await store.close();
});

test('SQLite: a file that is no database, or is damaged, is refused, and left alone', async () => {
  const junk = newFile();
  writeFileSync(junk, 'x'.repeat(5000));
  const error = await failure(() => openStore(`sqlite:${junk}`));
  assert.is(error.code, 'ERR_MILLRACE_STORE_CORRUPT');
  assert.match(error.message, junk);
  assert.is(readFileSync(junk, 'utf8'), 'x'.repeat(5000));

  const damaged = newFile();
  const store = await openStore(`sqlite:${damaged}`);
  const lease = await store.create({ ...NEW, id: 'mine' });
  for (let n = 0; n < 100; n++) lease.atom(`a${n}`, { state: 'SUCCESS', result: text('x'.repeat(500)) });
  lease.commit();
  await store.close();
  const connection = await plainSqlite(damaged);
  connection.exec('pragma wal_checkpoint(truncate)');
  connection.close();
  const bytes = readFileSync(damaged);
  bytes.fill(0xa5, 4096); // all pages but the first
  writeFileSync(damaged, bytes);
  const codes = await failure(async () => {
    await using again = await openStore(`sqlite:${damaged}`);
    await again.read('mine');
  });
  assert.is(codes.code, 'ERR_MILLRACE_STORE_CORRUPT');
  assert.ok(readFileSync(damaged).subarray(4096).equals(bytes.subarray(4096)));
});

test('a URL or an option that is malformed is refused', async () => {
  for (const url of ['', 'file:x', 'memory', 'sqlite:']) {
    assert.is((await failure(() => openStore(url))).code, 'ERR_MILLRACE_INVALID_ARG');
  }
  const error = await failure(() => openStore('memory:', { durability: 'strict' as never }));
  assert.match(error.message, 'durability must be one of full, normal, none');
  for (const wrong of [0, -1, Number.NaN, '5', 2 ** 31]) {
    const { code, message } = await failure(() => openStore('memory:', { silence: wrong as never }));
    assert.is(code, 'ERR_MILLRACE_INVALID_ARG');
    assert.match(message, 'silence must be a number of ms from 1');
  }
  const secret = await failure(() => openStore('mysql://me:secret@host/db'));
  assert.match(secret.message, "received 'mysql:...'");
  assert.not.match(secret.message, 'secret');
});

test.run();
