import { type Engine, linear, load, run, task } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { local } from '../fixtures/engine/tasks.js';
import { capture, promised, rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

overEveryKind((test, options, { five, woot, gotcha, mended }) => {
  const two = linear('f', five.with({ name: 'a' }), five.with({ name: 'b' }));

  test('a second run after a success runs nothing and gives the same results', async () => {
    const engine = load(two, options);
    const first = await engine.run();
    const events = capture(engine);
    assert.equal(await engine.run(), first);
    assert.equal(events, ['flow f: RUNNING', 'flow f: SUCCESS']);
  });

  test('a second run after a revert runs everything again from the start', async () => {
    const engine = load(linear('f', five, woot), options);
    const events = capture(engine);
    await rejection(engine.run());
    const first = events.splice(0);
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(events, ['five: PENDING', 'woot: PENDING', 'flow f: PENDING', ...first]);
  });

  test('a second run after a failed revert goes on with the revert', async () => {
    let broken = true;
    const engine = load(linear('f', five, mended, woot), { ...options, services: { broken: () => broken } });
    const events = capture(engine);
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    events.splice(0);
    broken = false;
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.equal(events, [
      'flow f: RUNNING',
      'mended: REVERTING',
      'mended: REVERTED',
      'five: REVERTING',
      'five: REVERTED',
      'flow f: REVERTED',
    ]);
    assert.equal(engine.storage.getRevertFailures(), {});
  });

  test('a revert that fails again and again never counts as done', async () => {
    const engine = load(linear('f', five, gotcha, woot), options);
    for (let i = 0; i < 3; i++) {
      assert.is((await rejection(engine.run())).message, 'Gotcha!');
      assert.is(engine.state, 'FAILURE');
      assert.is(engine.storage.getTaskState('five'), 'SUCCESS');
    }
  });

  test('after a reset a flow that had succeeded runs again', async () => {
    const engine = load(two, options);
    const events = capture(engine);
    await engine.run();
    const first = events.splice(0);
    engine.reset();
    assert.equal(events.splice(0), ['a: PENDING', 'b: PENDING', 'flow f: PENDING']);
    await engine.run();
    assert.equal(events, first);
  });

  test('after a reset a flow that was reverted runs again', async () => {
    const engine = load(linear('f', five, woot), options);
    const events = capture(engine);
    await rejection(engine.run());
    const first = events.splice(0);
    engine.reset();
    events.splice(0);
    await rejection(engine.run());
    assert.equal(events, first);
  });

  test('after a reset a flow whose revert failed runs again from the start', async () => {
    let broken = true;
    const engine = load(linear('f', mended, woot), { ...options, services: { broken: () => broken } });
    await rejection(engine.run());
    assert.is(engine.state, 'FAILURE');
    engine.reset();
    assert.equal(engine.storage.getTaskStates(), { mended: 'PENDING', woot: 'PENDING' });
    assert.equal(engine.storage.getRevertFailures(), {});
    assert.equal(engine.storage.getExecuteFailures(), {});
    broken = false;
    assert.is((await rejection(engine.run())).message, 'Woot!');
  });

  test('after a reset a suspended flow runs again from the start', async () => {
    // With a timeout a task travels alone, hence the next has not started when its success is told.
    const alone = ['a', 'b', 'c'].map((name) => five.with({ name, timeout: 60_000 }));
    const engine = load(linear('f', alone), options);
    const events = capture(engine);
    const suspend = ({ name, state }: { name: string; state: string }) =>
      name === 'b' && state === 'SUCCESS' && engine.suspend();
    engine.on('task', suspend);
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    engine.off('task', suspend);
    events.splice(0);
    engine.reset();
    assert.equal(events.splice(0), ['a: PENDING', 'b: PENDING', 'flow f: PENDING']);
    await engine.run();
    assert.equal(
      events.filter((line) => line.endsWith('RUNNING')),
      ['flow f: RUNNING', 'a: RUNNING', 'b: RUNNING', 'c: RUNNING'],
    );
  });

  test('a reset of a flow that never ran changes nothing', async () => {
    const engine = load(two, options);
    const events = capture(engine);
    assert.is(engine.reset(), engine);
    assert.equal(events, []);
    assert.is(engine.state, 'PENDING');
  });

  test('one flow runs in several engines at once, each with its own values', async () => {
    const sum = linear('sum', local.addOne, local.addOne.with({ name: 'again', rebind: { value: 'sum' } }));
    const results = await Promise.all([1, 2, 3, 4].map((value) => run(sum, { value }, options)));
    assert.equal(results, [{ sum: 3 }, { sum: 4 }, { sum: 5 }, { sum: 6 }]);
  });
});

overEveryEngine((test, options) => {
  test('a second run() during a run is refused, and the first goes on', async () => {
    const opened = promised();
    const engine = load(local.gate, { ...options, services: { gate: () => opened.promise } });
    const running = engine.run();
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_INVALID_STATE');
    assert.match(error.message, /Flow 'gate' cannot run while its engine runs.*load\(\)/);
    opened.resolve();
    await running;
    assert.is(engine.state, 'SUCCESS');
  });

  test('run() from inside one of its own tasks is an error, not a hang', async () => {
    const inside = task({ name: 'inside', execute: (): Promise<unknown> => engine.run() });
    const engine: Engine = load(inside, options);
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_INVALID_STATE');
    assert.is(error.task, 'inside');
    assert.is(engine.state, 'REVERTED');
  });

  test('run() from the inside of a task of a task is an error as well', async () => {
    const inner = task({
      name: 'inner',
      async execute() {
        await null;
        await engine.run();
      },
    });
    const outer = task({ name: 'outer', execute: () => run(linear('nested', inner), {}, options) });
    const engine: Engine = load(outer, options);
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_INVALID_STATE');
    assert.is(error.task, 'inner');
    assert.is(engine.state, 'REVERTED');
  });

  test('a step of its own from inside a stepped run is an error', async () => {
    const inside = task({ name: 'inside', execute: () => engine.runIter().next() });
    const engine: Engine = load(inside, options);
    const error = await rejection(
      (async () => {
        for await (const _ of engine.runIter());
      })(),
    );
    assert.is(error.code, 'ERR_MILLRACE_INVALID_STATE');
  });

  for (const [what, again] of Object.entries({
    'run()': (engine: Engine<any>): Promise<unknown> => engine.run(),
    'reset()': async (engine: Engine<any>): Promise<unknown> => engine.reset(),
  })) {
    test(`${what} by a listener as the run ends is refused, and the run ends as it would`, async () => {
      const engine = load(linear('f', local.five, local.woot), options);
      const refused: Promise<any>[] = [];
      engine.on('flow', ({ state }) => state === 'REVERTED' && refused.push(rejection(again(engine))));
      assert.is((await rejection(engine.run())).message, 'Woot!');
      assert.is((await refused[0]).code, 'ERR_MILLRACE_INVALID_STATE');
      assert.is(engine.state, 'REVERTED');
    });
  }

  test('run() by a listener as the tasks go back to their start is refused', async () => {
    const engine = load(local.woot, options);
    await rejection(engine.run());
    const refused: Promise<any>[] = [];
    engine.on('task', ({ state }) => state === 'PENDING' && refused.push(rejection(engine.run())));
    assert.is((await rejection(engine.run())).message, 'Woot!');
    assert.is((await refused[0]).code, 'ERR_MILLRACE_INVALID_STATE');
  });

  test('a flow may run the same flow inside one of its tasks with an engine of its own', async () => {
    const outer = task({ name: 'outer', provides: 'five', execute: () => run(local.five, {}, options) });
    assert.equal(await run(outer, {}, options), { five: { five: 5 } });
  });

  test('reset() during a run is refused', async () => {
    const inside = task({ name: 'inside', execute: (): unknown => engine.reset() });
    const engine: Engine = load(inside, options);
    const error = await rejection(engine.run());
    assert.is(error.code, 'ERR_MILLRACE_INVALID_STATE');
    assert.match(error.message, /cannot reset while its engine runs/);
  });
});

once.run();
