import { type Engine, linear, load, task } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { local } from '../fixtures/engine/tasks.js';
import { promised, rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

/** A service for `gate` that never lets it go on. */
function closedGate() {
  const entered = promised();
  const gate = () => {
    entered.resolve();
    return new Promise(() => {});
  };
  return { entered: entered.promise, services: { gate } };
}

overEveryKind((test, options, { five, gate, woot }) => {
  test('close() during a run reverts what was done, and the run rejects', async () => {
    const { entered, services } = closedGate();
    const engine = load(linear('f', five, gate, five.with({ name: 'never' })), { ...options, services, abortGrace: 1 });
    const running = rejection(engine.run());
    await entered;
    await engine.close();
    assert.is(engine.state, 'REVERTED', 'close() has waited for it');
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', gate: 'REVERTED', never: 'PENDING' });
    const error = await running;
    assert.is(error.name, 'RunError');
    assert.is(error.code, 'ERR_MILLRACE_CLOSED');
    assert.is(error.task, 'gate');
    assert.match(error.message, /Flow 'f' was stopped: its engine was closed while 'gate' ran/);
  });

  test('close() during a revert lets the revert go on', async () => {
    const reverting = promised();
    const engine = load(linear('f', five, five.with({ name: 'b' }), woot), options);
    let closed: Promise<void> | undefined;
    engine.on('task', ({ state }) => {
      if (state !== 'REVERTING' || closed) return;
      closed = engine.close();
      reverting.resolve();
    });
    assert.is((await rejection(engine.run())).message, 'Woot!');
    await closed;
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', b: 'REVERTED', woot: 'REVERTED' });
  });

  test('a closed engine runs no more, and its storage can still be read', async () => {
    const engine = load(five, options);
    await engine.run();
    await engine.close();
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_CLOSED');
    assert.match(error.message, /Flow 'five' cannot run: its engine is closed/);
    assert.is((await rejection(engine.runIter().next())).code, 'ERR_MILLRACE_CLOSED');
    assert.throws(
      () => engine.reset(),
      ({ code }: { code: string }) => code === 'ERR_MILLRACE_CLOSED',
    );
    assert.equal(engine.storage.fetchAll(), { five: 5 });
    assert.is(engine.state, 'SUCCESS');
  });

  test('close() may be called before a run, after it, and twice', async () => {
    const engine = load(five, options);
    await engine.run();
    await Promise.all([engine.close(), engine.close()]);
    await engine.close();
    await load(five, options).close();
  });

  test('close() twice during a run waits twice', async () => {
    const { entered, services } = closedGate();
    const engine = load(gate, { ...options, services, abortGrace: 1 });
    const running = rejection(engine.run());
    await entered;
    await Promise.all([engine.close(), engine.close().then(() => assert.is(engine.state, 'REVERTED'))]);
    assert.is((await running).code, 'ERR_MILLRACE_CLOSED');
  });

  test('close() right after run() stops it', async () => {
    const engine = load(gate, { ...options, services: { gate: () => new Promise(() => {}) }, abortGrace: 1 });
    const running = rejection(engine.run());
    await engine.close();
    assert.is((await running).code, 'ERR_MILLRACE_CLOSED');
  });
});

overEveryEngine((test, options) => {
  test('`await using` closes the engine at the end of its block', async () => {
    let kept: ReturnType<typeof load>;
    {
      await using engine = load(local.five, options);
      kept = engine as never;
      await engine.run();
    }
    assert.is((await rejection(kept.run())).code, 'ERR_MILLRACE_CLOSED');
  });

  test('`await using` stops a run that nobody waits for', async () => {
    const { entered, services } = closedGate();
    let running: Promise<any>;
    {
      await using engine = load(local.gate, { ...options, services, abortGrace: 1 });
      running = rejection(engine.run());
      await entered;
    }
    assert.is((await running).code, 'ERR_MILLRACE_CLOSED');
  });

  for (const [when, before] of Object.entries({ 'at once': () => {}, later: () => Promise.resolve() })) {
    test(`a task that waits for the end of its own engine is given up after the grace: ${when}`, async () => {
      const inside = task({
        name: 'inside',
        execute(): Promise<void> {
          const wait = before();
          return wait ? wait.then(() => engine.close()) : engine.close();
        },
      });
      const engine: Engine = load(inside, { ...options, abortGrace: 1 });
      assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
      assert.is(engine.state, 'REVERTED');
    });
  }

  test('a listener may close the engine', async () => {
    const engine = load(linear('f', local.five, local.addOne.with({ inject: { value: 1 } })), options);
    let closed: Promise<void> | undefined;
    engine.on('task', ({ name, state }) => {
      if (name === 'five' && state === 'SUCCESS') closed = engine.close();
    });
    assert.is((await rejection(engine.run())).code, 'ERR_MILLRACE_CLOSED');
    await closed;
    assert.equal(engine.storage.getTaskStates(), { five: 'REVERTED', addOne: 'PENDING' });
  });
});

once.run();
