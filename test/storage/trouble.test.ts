import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Durability, openStore } from '../../src/storage/index.js';
import { newFile, newSchema, onServer, server } from '../fixtures/service/places.js';
import { proxyOf } from '../fixtures/storage/proxy.js';
import { text } from '../fixtures/storage/stored.js';

const NEW = { id: 'flow', name: 'flow', inputs: text('{}') };

const program = (name: string) => fileURLToPath(new URL(`../fixtures/storage/${name}.js`, import.meta.url));

async function codeOf(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return (error as { code: unknown }).code;
  }
  return undefined;
}

/** Starts a process that takes the flow of a store, and commits to it. */
async function startOwner(url: string, silence: number) {
  const child = spawn(process.execPath, [program('stalled'), url, String(silence)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  while (output !== 'begun\n') await once(child.stdout!, 'data');
  return { child, output: () => output };
}

test('SQLite: a process that stands still keeps its flow', async () => {
  const url = `sqlite:${newFile()}`;
  const store = await openStore(url);
  await (await store.create(NEW)).release();
  const { child, output } = await startOwner(url, 1000);
  child.kill('SIGSTOP');
  // It may have stopped in the midst of a commit, and what is locked by it stays so.
  const code = await codeOf(async () => {
    await using other = await openStore(url, { patience: 100 });
    await other.acquire('flow');
  });
  assert.ok(['ERR_MILLRACE_OWNED', 'ERR_MILLRACE_DATABASE'].includes(String(code)), String(code));
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  if (child.signalCode === null && child.exitCode === null) await once(child, 'exit');
  assert.is(output(), 'begun\n');
  const lease = await store.acquire('flow');
  assert.is(lease.epoch, 3);
  assert.is((await lease.read()).atoms.get('mine')!.state, 'RUNNING');
  await store.close();
});

test('SQLite: a full disk is an error; once there is space, all is there', () => {
  // A disk of its own, which is gone with the process.
  const folder = dirname(newFile());
  const mount = `mount -t tmpfs -o size=4m tmpfs '${folder}' 2>/dev/null || exit 99; exec "$@"`;
  const args = ['--mount', 'sh', '-c', mount, 'sh', process.execPath, program('filler'), folder];
  const { status, stdout, error } = spawnSync('unshare', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (error || status === 99 || (status !== 0 && stdout === '')) return; // not allowed here
  assert.equal(JSON.parse(stdout), { codes: 'ERR_MILLRACE_STORE_FULL', missing: 1, found: true, whole: true });
});

/** Does something as a user who may not write everywhere. */
async function asNobody(run: () => Promise<void>): Promise<void> {
  if (process.getuid!() !== 0) return run();
  process.seteuid!(65534);
  try {
    await run();
  } finally {
    process.seteuid!(0);
  }
}

test('SQLite: a file or a folder that may not be written is an error that says so', async () => {
  const file = newFile();
  const folder = dirname(file);
  const nobody = process.getuid!() === 0 ? 65534 : process.getuid!();
  await (await openStore(`sqlite:${newFile()}`)).close(); // what is loaded later, root may load only
  const expectReadOnly = async (path: string) => {
    const code = await codeOf(() => openStore(`sqlite:${path}`, { patience: 100 }));
    assert.is(code, 'ERR_MILLRACE_STORE_READ_ONLY', path);
  };
  chmodSync(folder, 0o500);
  chownSync(folder, nobody, -1);
  if (await codeOf(() => asNobody(async () => void readdirSync(folder)))) return; // it lies where nobody may look
  await asNobody(() => expectReadOnly(file));
  assert.not.ok(existsSync(file));

  chmodSync(folder, 0o700);
  await asNobody(async () => {
    const store = await openStore(`sqlite:${file}`);
    const lease = await store.create(NEW);
    lease.atom('a', { state: 'RUNNING' });
    await lease.commit();
    await store.close();
    chmodSync(file, 0o400);
    const again = await openStore(`sqlite:${file}`);
    assert.is((await again.read('flow')).atoms.size, 1);
    assert.is(await codeOf(() => again.create({ ...NEW, id: 'other' })), 'ERR_MILLRACE_STORE_READ_ONLY');
    assert.is(await codeOf(() => again.acquire('flow')), 'ERR_MILLRACE_STORE_READ_ONLY');
    await again.close();
    chmodSync(file, 0o600);
    chmodSync(folder, 0o500);
    await expectReadOnly(file);
    chmodSync(folder, 0o700);
  });
  assert.is(statSync(file).mode & 0o777, 0o600);
});

if (server) {
  test('PostgreSQL: what a process commits late, after it stood still and lost its flow, is refused', async () => {
    const { url, remove } = await newSchema();
    const silence = 1000;
    const store = await openStore(url, { silence });
    await (await store.create(NEW)).release();
    const { child, output } = await startOwner(url, silence);
    child.kill('SIGSTOP');
    let lease: Awaited<ReturnType<typeof store.acquire>> | undefined;
    while (!lease) {
      lease = await store.acquire('flow').catch((error) => {
        assert.is(error.code, 'ERR_MILLRACE_OWNED');
        return sleep(20, undefined);
      });
    }
    const { attempts } = (await lease.read()).atoms.get('mine')!;
    child.kill('SIGCONT');
    await once(child, 'close');
    assert.is(output(), 'begun\nERR_MILLRACE_LEASE_LOST\n');
    assert.is((await lease.read()).atoms.get('mine')!.attempts, attempts);
    lease.atom('ours', { state: 'SUCCESS' });
    await lease.commit();
    await store.close();
    await remove();
  });

  for (const durability of ['normal', 'full'] as Durability[]) {
    test(`PostgreSQL, ${durability}: a server that comes and goes in the middle of commits loses none, and has none twice`, async () => {
      const { url, remove } = await newSchema();
      const proxy = await proxyOf(url);
      const store = await openStore(proxy.url, { durability });
      const lease = await store.create(NEW);
      const commits = 60;
      for (let n = 0; n < commits; n++) {
        lease.atom(`a${n}`, { state: 'SUCCESS', order: n + 1, result: text(`=${n}`) });
        lease.attempt('retry', n, { value: text(`=${n}`) });
        const committed = lease.commit();
        if (n % 3 === 0) proxy.loseAnswers(1 + (n % 4));
        if (n % 10 === 5) {
          proxy.shut();
          setTimeout(() => proxy.open(), 20);
        }
        await committed;
      }
      const { atoms, histories } = await lease.read();
      const values = Array.from({ length: commits }, (_, n) => `=${n}`);
      const inOrder = [...atoms.values()].sort((a, b) => a.order - b.order);
      assert.equal(
        inOrder.map(({ result }) => result!.text),
        values,
      );
      assert.equal(
        histories.get('retry')!.map(({ value }) => value!.text),
        values,
      );
      assert.equal(
        (await onServer('select seq::int from millrace_flows', url)).map(({ seq }) => seq),
        [commits],
      );
      await store.close();
      proxy.close();
      await remove();
    });
  }

  test('PostgreSQL: who commits to a server that has lost the commit before is told that the lease is lost', async () => {
    const { url, remove } = await newSchema();
    const store = await openStore(url);
    const lease = await store.create(NEW);
    lease.atom('a', { state: 'SUCCESS' });
    await lease.commit();
    // As after a crash of the server, with less than full durability.
    await onServer('update millrace_flows set seq = 0', url);
    await onServer('delete from millrace_atoms', url);
    lease.atom('b', { state: 'RUNNING' });
    const error = await (lease.commit() as Promise<void>).catch((one) => one);
    assert.is(error.code, 'ERR_MILLRACE_LEASE_LOST');
    assert.match(error.message, 'has lost what was committed last');
    assert.is((await store.read('flow')).atoms.size, 0);
    await lease.release();
    await (await store.acquire('flow')).release();
    await store.close();
    await remove();
  });
}

test.run();
