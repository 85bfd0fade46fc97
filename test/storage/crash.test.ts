import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { RecordedFlow } from '../../src/engine/recording.js';
import { openStore } from '../../src/storage/index.js';
import { newFile, newSchema, plainSqlite, server } from '../fixtures/service/places.js';
import { append, COMMITS } from '../fixtures/storage/recording.js';
import { text } from '../fixtures/storage/stored.js';

/** Each point takes two processes, so all of them are tried in long runs only. */
const long = process.env.TEST_RUNS !== undefined;
/** How many of them in others. */
const SOME = 12;

const recorder = fileURLToPath(new URL('../fixtures/storage/recorder.js', import.meta.url));

/** Runs the recorder to its end, or to the point where it is killed. Returns the numbers that it said. */
async function record(url: string, failAt: string): Promise<{ killed: boolean; committed: number; calls: number }> {
  const child = spawn(process.execPath, [recorder, url], {
    // How tables come to be is a matter of one transaction, and rarely worth the time.
    env: { FAIL_FROM: long ? 'start' : 'flow', ...process.env, FAIL_AT: failAt },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  const [code, signal] = await once(child, 'close');
  assert.ok(code === 0 || signal === 'SIGKILL', `${failAt}: ended with ${code} ${signal}`);
  const lines = output.split('\n').filter(Boolean);
  const calls = Number(lines.find((line) => line.startsWith('calls'))?.split(' ')[1]);
  return { killed: code !== 0, committed: lines.filter((line) => /^\d/.test(line)).length - 1, calls };
}

/** What is in a flow, but for times. */
function contentOf({ state, inputs, notes, atoms, histories }: RecordedFlow): unknown {
  const untimed = [...atoms.values()].map(({ startedAt: _, finishedAt: __, ...atom }) => atom);
  untimed.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { state, inputs, notes, atoms: untimed, histories: [...histories] };
}

/** What is in the flow after each commit. */
async function expected(): Promise<unknown[]> {
  const store = await openStore('memory:');
  const lease = await store.create({ name: 'flow', inputs: text('{}') });
  const contents = [contentOf(await lease.read())];
  for (let n = 1; n <= COMMITS; n++) {
    append(lease, n);
    lease.commit();
    contents.push(contentOf(await lease.read()));
  }
  return contents;
}

/** Whoever comes after a killed process finds what it had committed, or that and what it was about to commit. */
async function check(url: string, committed: number, contents: readonly unknown[], point: string): Promise<void> {
  const store = await openStore(url);
  try {
    const lease = await store.acquire('flow').catch(async (error) => {
      // A server may take a moment to notice.
      for (let last = error; ; ) {
        if (last.code !== 'ERR_MILLRACE_OWNED' || !url.startsWith('postgres')) throw last;
        await sleep(5);
        try {
          return await store.acquire('flow');
        } catch (again) {
          last = again;
        }
      }
    });
    const content = JSON.stringify(contentOf(await lease.read()));
    const found = contents.findIndex((one) => JSON.stringify(one) === content);
    assert.ok(found === committed || found === committed + 1, `${point}: ${committed} committed, and ${found} found`);
    // It can be gone on with.
    for (let n = found + 1; n <= COMMITS; n++) {
      append(lease, n);
      await lease.commit();
    }
    assert.is(JSON.stringify(contentOf(await lease.read())), JSON.stringify(contents[COMMITS]));
  } catch (error) {
    // The process was killed before it had created the flow.
    if (committed >= 0 || (error as { code?: string }).code !== 'ERR_MILLRACE_FLOW_NOT_FOUND') throw error;
  } finally {
    await store.close();
  }
}

async function sweep(place: () => Promise<{ url: string; remove(): Promise<void> }>, hows: readonly string[]) {
  const contents = await expected();
  const whole = await place();
  const { calls, committed } = await record(whole.url, 'before:0');
  await whole.remove();
  assert.is(committed, COMMITS);
  assert.ok(calls > COMMITS);
  const points = hows.flatMap((how) => Array.from({ length: calls }, (_, i) => `${how}:${i + 1}`));
  const every = long ? 1 : Math.ceil(points.length / SOME);
  const chosen = points.filter((_, i) => i % every === 0).values();
  const work = async () => {
    for (const point of chosen) {
      const { url, remove } = await place();
      const { killed, committed } = await record(url, point);
      assert.ok(killed, point);
      await check(url, committed, contents, point);
      await remove();
    }
  };
  await Promise.all([work(), work()]);
}

test('SQLite: a process killed before any call of the database has recorded whole commits, all that it knew of', async () => {
  let last = '';
  await sweep(async () => {
    const file = newFile();
    last = file;
    return { url: `sqlite:${file}`, remove: async () => {} };
  }, ['before']);
  const connection = await plainSqlite(last);
  assert.equal({ ...connection.prepare('pragma integrity_check').get() }, { integrity_check: 'ok' });
  connection.close();
});

if (server) {
  test('PostgreSQL: a process killed before or after sending any query has recorded whole commits, all that it knew of', () =>
    sweep(newSchema, ['before', 'sent']));
}

test('SQLite: the flow of a killed process can be taken at once, and that of a living one cannot', async () => {
  const url = `sqlite:${newFile()}`;
  const child = spawn(process.execPath, [recorder, url, 'stay'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  for await (const chunk of child.stdout!) {
    output += chunk;
    if (output.includes(`${COMMITS}\n`)) break;
  }
  const store = await openStore(url);
  const error = await store.acquire('flow').catch((one) => one);
  assert.is(error.code, 'ERR_MILLRACE_OWNED');
  assert.match(error.message, `process ${child.pid} on`);
  child.kill('SIGKILL');
  if (child.signalCode === null) await once(child, 'exit');
  assert.is((await store.acquire('flow')).epoch, 2);
  await store.close();
});

test.run();
