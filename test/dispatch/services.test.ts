import { setTimeout as sleep } from 'node:timers/promises';
import { createPool, type Engine, load, run } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { calls, callsOften, callsWithFunction, diesDuringCall, survives } from '../fixtures/dispatch/context.js';
import { HttpError } from '../fixtures/dispatch/failing.js';
import { settle, useAll } from './settle.js';

const pool = await createPool({ workers: 2 });

class Counter {
  readonly count = 1;
}

const services = {
  echo: (...args: unknown[]) => args,
  later: async (value: unknown) => {
    await sleep(1);
    return value;
  },
  double: (n: number) => n * 2,
  nothing: () => {},
  instance: () => new Counter(),
  function: () => () => 1,
  never: () => new Promise<never>(() => {}),
  fails: () => {
    throw Object.assign(new HttpError('gone', 410, { cause: new TypeError('why') }), { code: 'E_GONE' });
  },
};

const call = (service: string, ...args: unknown[]) => run(calls, { service, args }, { pool, services });

test('a worker is given what a service returns', async () => {
  assert.equal((await call('echo', 1, { two: [2] }, new Date(3))).answer, [1, { two: [2] }, new Date(3)]);
  assert.is((await call('later', 'value')).answer, 'value');
  assert.is((await call('nothing')).answer, undefined);
  assert.equal((await call('instance')).answer, { count: 1 });
});

test('an error that a service throws fails the task, whole', async () => {
  const { error } = await settle(calls, { inputs: { service: 'fails', args: [] }, pool, services });
  const { name, message, code, status, cause } = error as any;
  assert.equal([name, message, code, status], ['HttpError', 'gone', 'E_GONE', 410]);
  assert.instance(cause, TypeError);
});

test('a task may handle the error of a service', async () => {
  assert.is((await run(survives, {}, { pool, services })).caught, 'HttpError: gone');
});

test('a service that the run does not offer is an error that names those it offers', async () => {
  const inputs = { service: 'ecko', args: [] };
  const { error } = await settle(calls, { inputs, pool, services: { echo: services.echo, never: services.never } });
  assert.is(error.code, 'ERR_MILLRACE_SERVICE');
  assert.match(error.message, "called service 'ecko'; the run offers echo, never");
});

test('what all objects have is no service', async () => {
  for (const service of ['constructor', 'toString', '__proto__']) {
    const { error } = await settle(calls, { inputs: { service, args: [] }, pool, services });
    assert.is(error.code, 'ERR_MILLRACE_SERVICE');
  }
});

test('an argument that cannot be sent is an error that says where it is', async () => {
  const { error } = await settle(callsWithFunction, { pool, services });
  assert.is(error.code, 'ERR_MILLRACE_SERVICE');
  assert.match(error.message, "called service 'echo' with function at arguments[0].callback");
});

test('an answer that cannot be sent is an error that names the service', async () => {
  const { error } = await settle(calls, { inputs: { service: 'function', args: [] }, pool, services });
  assert.is(error.code, 'ERR_MILLRACE_SERVICE');
  assert.match(error.message, "Service 'function'");
  assert.match(error.message, 'cannot be sent');
});

test('a call that is never answered ends with its task, when that is aborted', async () => {
  const controller = new AbortController();
  const waiting = {
    never() {
      setImmediate(() => controller.abort());
      return services.never();
    },
  };
  const options = { inputs: { service: 'never', args: [] }, pool, services: waiting, signal: controller.signal };
  const { error } = await settle(calls, { ...options, abortGrace: 20_000 });
  assert.is(error.code, 'ABORT_ERR');
});

test('a call that is never answered ends with its task, when that takes too long', async () => {
  const inputs = { service: 'never', args: [] };
  const { error } = await settle(calls, { inputs, pool, services, taskTimeout: 50, abortGrace: 20_000 });
  assert.is(error.code, 'ERR_MILLRACE_TIMEOUT');
});

test('each of many calls at once, from several workers, gets its own answer', async () => {
  const doubled = Array.from({ length: 500 }, (_, i) => i * 2);
  const runs = Array.from({ length: 4 }, () => run(callsOften, { times: 500 }, { pool, services }));
  for (const { answers, warnings } of await Promise.all(runs)) {
    assert.equal(answers, doubled);
    assert.equal(warnings, []);
  }
});

test('runs that share a pool each call their own services', async () => {
  const which = (name: string) => run(calls, { service: 'which', args: [] }, { pool, services: { which: () => name } });
  const answers = await Promise.all(['a', 'b', 'c', 'd'].map(which));
  assert.equal(
    answers.map(({ answer }) => answer),
    ['a', 'b', 'c', 'd'],
  );
});

test('a worker that dies during a call fails its task, and leaves no port behind', async () => {
  await useAll(pool);
  const ports = () => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
  const before = ports();
  for (let i = 0; i < 5; i++) {
    const { error } = await settle(diesDuringCall, { pool, services: { ...services, called: () => {} } });
    assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  }
  await useAll(pool);
  assert.is(ports(), before);
});

test('a service that answers when its caller is dead does no harm', async () => {
  let answer = () => {};
  const called = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const late = { called: () => {}, never: () => called };
  const engine = (running: Engine) => running.on('task', ({ state }) => state === 'FAILURE' && answer());
  await settle(diesDuringCall, { pool, services: late }, engine);
  await called;
  await useAll(pool);
});

test('a service may be called in place as well', async () => {
  const engine = load(calls, { inputs: { service: 'later', args: [7] }, engine: 'serial', services });
  assert.is((await engine.run()).answer, 7);
});

test.after(() => pool.close());
test.run();
