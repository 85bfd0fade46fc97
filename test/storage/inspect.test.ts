import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Lease } from '../../src/engine/recording.js';
import { Failure } from '../../src/failure/index.js';
import { openStore, type Store } from '../../src/storage/index.js';
import { encodeStored } from '../../src/stored/index.js';
import { newFile } from '../fixtures/service/places.js';
import { text } from '../fixtures/storage/stored.js';

const stored = (value: unknown) => encodeStored(value, { limit: 1e6 });
const failure = (task: string, message: string, code: string) =>
  new Failure(task, Object.assign(new Error(message), { code }));

/** What a flow that was recorded so is printed as, with times left out. */
async function printed(append: (lease: Lease) => void, options = {}, url = 'memory:'): Promise<string> {
  const store: Store = await openStore(url);
  const lease = await store.create({ id: 'order-7', book: 'orders', name: 'order', inputs: stored({ secret: 1 }) });
  append(lease);
  await lease.commit();
  await lease.release();
  const shown = inspect(await store.read('order-7'), options);
  await store.close();
  return shown.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replace(/\d+\.\d\d s/g, 'SECONDS');
}

function appendAll(lease: Lease): void {
  lease.flow({ state: 'REVERTED' });
  lease.atom('again', { kind: 'retry', state: 'SUCCESS', order: 1, version: '1.0' });
  lease.attempt('again', 0, {
    value: stored('secret'),
    failures: stored({ pay: failure('pay', 'no\nmoney', 'POOR') }),
  });
  lease.attempt('again', 1, { value: stored('secret'), failures: stored({}) });
  lease.atom('pay', { state: 'RUNNING' });
  lease.atom('pay', { state: 'FAILURE', failure: stored(failure('pay', 'no\nmoney', 'POOR')), order: 3, rounds: 1 });
  lease.atom('each', { kind: 'region', state: 'REVERTING', attempts: 2, intention: 'REVERT' });
  lease.atom('page 2', { parent: 'each', state: 'RUNNING' });
  lease.atom('page 1', { parent: 'each', state: 'SUCCESS', result: stored('secret'), order: 2 });
}

for (const url of ['memory:', `sqlite:${newFile()}`]) {
  test(`${url.slice(0, 6)}: a recorded flow is printed as a tree, without its values`, async () => {
    assert.is(
      await printed(appendAll, {}, url),
      `\
Recorded flow 'order': REVERTED (id 'order-7'; book 'orders'; recorded TIME; ended TIME)
├─ Retry 'again': SUCCESS (version 1.0)
│    attempt 1: 'pay': Error 'no\\nmoney' [POOR]
├─ Task 'pay': FAILURE (SECONDS; tried again once): Error 'no\\nmoney' [POOR]
└─ Region 'each': REVERTING (since TIME; begun 2 times; to REVERT)
   ├─ Task 'page 1': SUCCESS
   └─ Task 'page 2': RUNNING (since TIME)`,
    );
  });
}

test('only so many levels are opened, and so many atoms of each shown', async () => {
  assert.is((await printed(appendAll, { depth: -1 })).split('\n').length, 1);
  assert.not.match(await printed(appendAll, { depth: 0 }), 'page');
  const cut = await printed(appendAll, { maxArrayLength: 1 });
  assert.equal(cut.split('\n').slice(-2), ["│    attempt 1: 'pay': Error 'no\\nmoney' [POOR]", '└─ … 2 more']);
});

test('of a retry that has tried often, the last attempts are shown', async () => {
  const shown = await printed((lease) => {
    lease.atom('again', { kind: 'retry', state: 'SUCCESS' });
    for (let n = 0; n < 20; n++) lease.attempt('again', n, { failures: stored({ a: failure('a', `${n}`, 'X') }) });
  });
  const lines = shown.split('\n').slice(2);
  assert.is(lines.length, 11);
  assert.is(lines[0], '     …');
  assert.is(lines.at(-1), "     attempt 20: 'a': Error '19' [X]");
});

test('what cannot be read keeps nothing else from being shown', async () => {
  const shown = await printed((lease) => {
    lease.atom('a', { state: 'FAILURE', failure: text('?'), order: 1 });
    lease.attempt('a', 0, { failures: text('=7') });
    lease.atom('b', { state: 'REVERT_FAILURE', revertFailure: text('=[]') });
  });
  assert.match(shown, "├─ Task 'a': FAILURE: a failure that cannot be read");
  assert.match(shown, 'attempt 1: failures that cannot be read');
  assert.match(shown, "└─ Task 'b': REVERT_FAILURE: a failure that cannot be read");
});

test.run();
