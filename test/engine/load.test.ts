import { EventEmitter } from 'node:events';
import { type Engine, graph, linear, load, run, type Task, task } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { local, travelling } from '../fixtures/engine/tasks.js';
import { rejection } from './capture.js';

const { five, addOne } = local;

const hasCode = (code: string) => (error: { code?: string }) => error.code === code;

overEveryEngine((test, options) => {
  test('what is not a flow is refused by compile() and by run()', async () => {
    for (const wrong of ['i am not a flow', undefined, null, 7, {}, [five], () => five]) {
      const engine = load(wrong as never, options);
      assert.throws(() => engine.compile(), hasCode('ERR_MILLRACE_NOT_A_FLOW'));
      assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_NOT_A_FLOW');
    }
    assert.match((await rejection(run('i am not a flow' as never, {}, options))).message, 'i am not a flow');
  });

  test('a missing input is found by validate() and by run(), before anything runs', async () => {
    const engine = load(linear('f', five, addOne) as never, options) as Engine;
    const events: unknown[] = [];
    engine.on('task', (event) => events.push(event));
    engine.prepare();
    assert.throws(() => engine.validate(), hasCode('ERR_MILLRACE_MISSING_INPUT'));
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_MISSING_INPUT');
    assert.match(error.message, /'value' \(for task 'addOne'\)/);
    assert.equal(events, []);
    assert.is(engine.state, 'PENDING');
  });

  test('run() gives what the tasks provide, and nothing of the inputs', async () => {
    assert.equal(await run(addOne, { value: 1, other: 2 }, options), { sum: 2 });
  });

  test('an empty flow succeeds', async () => {
    assert.equal(await run(linear('nothing', graph('g')), {}, options), {});
  });

  test('compile(), prepare() and validate() can be called before run(), in any number', async () => {
    const engine = load(five, options);
    assert.is(engine.compile(), engine);
    assert.is(engine.prepare().prepare(), engine);
    assert.is(engine.validate().validate(), engine);
    assert.is(engine.state, 'PENDING');
    assert.equal(await engine.run(), { five: 5 });
  });

  test('an engine tells its name and its state', async () => {
    const engine = load(linear('thumbnail', five), options);
    assert.is(engine.name, 'thumbnail');
    assert.instance(engine, EventEmitter);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
  });
});

for (const [what, options] of Object.entries({
  'options that are no object': 'serial',
  'a signal that is none': { signal: {} },
  'a pool that is none': { pool: {} },
  'services that are no object': { services: () => {} },
  'a service that is no function': { services: { gate: 5 } },
})) {
  once(`${what} is refused by load(), with what was expected and what came`, () => {
    assert.throws(
      () => load(five, options as never),
      (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && / must be .*; received /.test(error.message),
    );
  });
}

once('an option that the configuration refuses is an error of the run', async () => {
  const error = await rejection(run(five, {}, { engine: 'quantum' } as never));
  assert.is(error.code, 'ERR_MILLRACE_CONFIG');
  assert.match(error.message, /quantum/);
});

once('a refused option leaves the engine as it was', async () => {
  const engine = load(five, { workers: -1 } as never);
  await rejection(engine.run());
  assert.is(engine.state, 'PENDING');
  assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CONFIG');
  await engine.close();
});

once('the engine is parallel unless someone says otherwise', async () => {
  const here = task({ name: 'here', execute() {} });
  const order: string[] = [];
  const engine = load(linear('f', travelling.five as Task, here));
  engine.on('task', ({ name, state }) => order.push(`${name} ${state}`));
  const running = engine.run();
  // Threads are not there at once, whereas a serial run begins within the call.
  assert.equal(order, []);
  await running;
  assert.is(order.length, 4);
});

once.run();
