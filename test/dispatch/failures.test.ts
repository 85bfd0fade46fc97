import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createPool, run, task } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  fails,
  failsLater,
  HttpError,
  leavesBomb,
  lightsFuse,
  rejectsWhileRunning,
  takesAnything,
  type Way,
} from '../fixtures/dispatch/failing.js';
import { settle, useAll } from './settle.js';

const pool = await createPool({ workers: 2 });

for (const culprit of [fails, failsLater]) {
  const fail = async (how: Way) => {
    const { error } = await settle(culprit, { inputs: { how }, pool });
    await useAll(pool);
    return error as any;
  };
  const title = (claim: string) => `${claim} (${culprit === fails ? 'synchronous' : 'asynchronous'})`;

  test(
    title('an error that a task throws in a worker comes out of the run, with the stacks of both threads'),
    async () => {
      const error = await fail('error');
      assert.is(error.constructor, Error);
      assert.is(error.message, 'boom');
      assert.is(error.code, 'ERR_MILLRACE_TASK_FAILED');
      assert.match(error.stack, /^Error: boom\n.*failing\.js.*\[worker thread\].*failures\.test.*at task fails/s);
    },
  );

  test(title('a TypeError keeps its class and its cause'), async () => {
    const error = await fail('type');
    assert.is(error.constructor, TypeError);
    assert.instance(error.cause, RangeError);
    assert.is(error.cause.message, 'below');
  });

  test(title("an error of the user's own class keeps its name, code and properties"), async () => {
    const error = await fail('http');
    assert.is(error.name, 'HttpError');
    assert.is(error.constructor.name, HttpError.name);
    assert.is(error.code, 'E_HTTP');
    assert.is(error.status, 404);
    assert.equal(error.when, new Date(0));
    assert.is(error.cause, 'why');
  });

  test(title('an AggregateError keeps its errors'), async () => {
    const error = await fail('aggregate');
    assert.instance(error, AggregateError);
    assert.equal(error.errors.map(String), ['TypeError: first', 'HttpError: second']);
    assert.is(error.errors[1].status, 500);
  });

  test(title('a DOMException stays one'), async () => {
    const error = await fail('dom');
    assert.instance(error, DOMException);
    assert.is(error.name, 'NotFoundError');
    assert.is(error.code, DOMException.NOT_FOUND_ERR);
  });

  for (const [how, shown, value] of [
    ['string', /threw a string \("boom"\) instead of an Error/, 'boom'],
    ['undefined', /threw undefined instead of an Error/, undefined],
  ] as const) {
    test(title(`throwing ${how} is a failure that says so`), async () => {
      const error = await fail(how);
      assert.is(error.code, 'ERR_MILLRACE_NON_ERROR_THROWN');
      assert.match(error.message, shown);
      assert.is(error.cause, value);
    });
  }

  for (const how of ['exit0', 'exit3'] as const) {
    test(title(`process.exit(${how.at(-1)}) in a worker is a failure of the task`), async () => {
      const error = await fail(how);
      assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
      assert.match(error.message, `exit code ${how.at(-1)}`);
    });
  }

  test(title('an infinite loop ends at its timeout'), async () => {
    const slow = culprit.with({ timeout: 100 });
    const { error } = await settle(slow, { inputs: { how: 'loop' }, pool, abortGrace: 50 });
    assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
    await useAll(pool);
  });

  test(title('a rejection that nobody handles is a failure of the task, even if it has returned'), async () => {
    const error = await fail('rejection');
    assert.is(error.code, 'ERR_MILLRACE_UNHANDLED_ERROR');
    assert.is(error.cause.name, 'HttpError');
    assert.is(error.cause.status, 500);
    assert.match(error.message, 'nobody');
  });

  test(title('an exception in a timer is a failure of the task that runs'), async () => {
    const error = await fail('timer');
    assert.is(error.code, 'ERR_MILLRACE_UNHANDLED_ERROR');
    assert.is(error.cause.status, 500);
  });

  for (const [how, type, path] of [
    ['function', 'function', ''],
    ['symbol', 'symbol', ''],
    ['nested', 'function', ' at result.list[1].callback'],
    ['class', 'function', ' at result.method'],
    ['generator', 'generator', ''],
  ] as const) {
    test(title(`a result that holds what cannot be sent (${how}) is a failure that says where it is`), async () => {
      const error = await fail(how);
      assert.is(error.code, 'ERR_MILLRACE_UNCLONEABLE_RESULT');
      assert.is(
        error.message,
        `Task '${culprit.name}' returned ${type}${path}, which cannot be sent to another thread`,
      );
    });
  }
}

test('a worker that runs out of memory is a failure of the task that ran on it', async () => {
  await using small = await createPool({ workers: 2, resourceLimits: { maxOldGenerationSizeMb: 24 } });
  const { error } = await settle(fails, { inputs: { how: 'memory' }, pool: small });
  assert.is(error.code, 'ERR_MILLRACE_WORKER_MEMORY');
  await useAll(small);
});

test('an input that is too large for the memory of a worker is a failure, not an endless series of dead workers', async () => {
  await using small = await createPool({ workers: 1, resourceLimits: { maxOldGenerationSizeMb: 24 } });
  const value = Array.from({ length: 400_000 }, (_, i) => ({ i }));
  const { error } = await settle(takesAnything, { inputs: { value }, pool: small });
  assert.is(error.code, 'ERR_MILLRACE_WORKER_MEMORY');
  await useAll(small);
});

test('a rejection that nobody handles ends a task that still runs', async () => {
  const { error } = await settle(rejectsWhileRunning, { pool });
  assert.is(error.code, 'ERR_MILLRACE_UNHANDLED_ERROR');
  await useAll(pool);
});

test('an error from a task that has ended is blamed on the task that runs on its thread, and is its cause', async () => {
  await using single = await createPool({ workers: 1 });
  const fuse = new Int32Array(new SharedArrayBuffer(4));
  await run(leavesBomb, { fuse }, { pool: single });
  const { error } = await settle(lightsFuse, { inputs: { fuse }, pool: single });
  assert.is(error.code, 'ERR_MILLRACE_UNHANDLED_ERROR');
  assert.match(error.message, 'from before');
  await useAll(single);
});

test('an input that cannot be sent is a failure that says where in the arguments it is', async () => {
  const value = { deep: [{ callback: () => 1 }] };
  const { error } = await settle(takesAnything, { inputs: { value }, pool });
  assert.is(error.code, 'ERR_MILLRACE_UNCLONEABLE_INPUT');
  assert.match(error.message, 'function at arguments.value.deep[0].callback');
  await useAll(pool);
});

/** A module of that text, somewhere in the file system. */
function withModule<T>(text: string, body: (url: URL) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  const file = join(folder, 'tasks.mjs');
  writeFileSync(file, text);
  return body(pathToFileURL(file)).finally(() => rmSync(folder, { recursive: true }));
}

/** A task as this thread sees it; in a worker it is what the module at `url` makes of it. */
const elsewhere = (url: URL) => task(url, { name: 'elsewhere', execute() {}, revert() {} });

test('a task whose module does not exist is a failure that names the module', async () => {
  const url = new URL('../fixtures/dispatch/missing.js', import.meta.url);
  const { error } = await settle(elsewhere(url), { pool });
  assert.is(error.code, 'ERR_MILLRACE_MODULE_LOAD');
  assert.match(error.message, url.href);
  assert.is((error.cause as any).code, 'ERR_MODULE_NOT_FOUND');
  await useAll(pool);
});

test('a task whose module does not parse is a failure that names the module', () =>
  withModule('export const = 1;', async (url) => {
    const { error } = await settle(elsewhere(url), { pool });
    assert.is(error.code, 'ERR_MILLRACE_MODULE_LOAD');
    assert.match(error.message, url.href);
    assert.instance(error.cause, SyntaxError);
    await useAll(pool);
  }));

test('a task whose module throws when it is imported is a failure, with what it threw as the cause', () =>
  withModule("throw new RangeError('at once');", async (url) => {
    const { error } = await settle(elsewhere(url), { pool });
    assert.is(error.code, 'ERR_MILLRACE_MODULE_LOAD');
    assert.is(String(error.cause), 'RangeError: at once');
    await useAll(pool);
  }));

test('a task that its module does not define is a failure that tells what the module does define', async () => {
  const url = new URL('../fixtures/dispatch/steps.js', import.meta.url);
  const { error } = await settle(elsewhere(url), { pool });
  assert.is(error.code, 'ERR_MILLRACE_TASK_NOT_FOUND');
  assert.match(error.message, 'before, after, meet');
  await useAll(pool);
});

test('the worker of a module that exits when it is imported is replaced', () =>
  withModule('process.exit(5);', async (url) => {
    const lone = task(url, { name: 'elsewhere', execute() {} });
    const { error } = await settle(lone, { pool });
    assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
    await useAll(pool);
  }));

test('a task module may not run flows of its own when it is imported by a worker', async () => {
  const { runsWhenImported } = await import('../fixtures/dispatch/runs-when-imported.js');
  const { error } = await settle(runsWhenImported, { pool });
  assert.is(error.code, 'ERR_MILLRACE_MODULE_LOAD');
  assert.is((error.cause as any).code, 'ERR_MILLRACE_NOT_IN_WORKER');
  assert.match(error.message, 'isMainThread');
  await useAll(pool);
});

test.after(() => pool.close());
test.run();
