/** Timing, capturing and progress. */
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { type EngineEvents, linear, load, task, unordered } from 'millrace';
import { attach, capturing, type ObservedRun, printingDurations, progress, timing } from 'millrace/observe';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { withWarnings } from '../warnings.js';
import { overEveryRun } from './runs.js';

overEveryRun((test, make, { five, steps, woot, wootGotcha }) => {
  test('tasks and flow are timed', async () => {
    const times = timing();
    const run = make(linear('f', five, steps), { steps: [] });
    attach(run, times);
    await run.run();
    assert.equal([...times.tasks.keys()], ['five', 'steps']);
    for (const { execute, revert, entered } of times.tasks.values()) {
      assert.ok(execute! >= 0);
      assert.is(revert, undefined);
      assert.equal(Object.keys(entered), ['RUNNING', 'SUCCESS']);
      assert.ok(entered.SUCCESS! - entered.RUNNING! === execute);
    }
    const { run: ms, entered } = times.flows.get('f')!;
    const [first, last] = [times.tasks.get('five')!, times.tasks.get('steps')!];
    assert.ok(ms! >= last.entered.SUCCESS! - first.entered.RUNNING!);
    assert.equal(Object.keys(entered), ['RUNNING', 'SUCCESS']);
  });

  test('what is reverted is timed in both directions', async () => {
    const times = timing();
    const run = make(linear('f', five, woot));
    attach(run, times);
    await run.run().catch(() => {});
    for (const name of ['five', 'woot']) {
      const { execute, revert, entered } = times.tasks.get(name)!;
      assert.ok(execute! >= 0 && revert! >= 0);
      assert.ok(entered.REVERTED! - entered.REVERTING! === revert);
    }
    assert.ok(times.flows.get('f')!.run! >= 0);
  });

  test('a revert that fails is timed', async () => {
    const times = timing();
    const run = make(wootGotcha);
    attach(run, times);
    await run.run().catch(() => {});
    assert.ok(times.tasks.get('wootGotcha')!.revert! >= 0);
  });

  test('what had begun before anyone listened is not timed', async () => {
    const times = timing();
    const run = make(linear('f', five, steps), { steps: [] });
    run.on('task', ({ name, state }) => {
      if (name === 'five' && state === 'RUNNING') attach(run, times);
    });
    await run.run();
    assert.is(times.tasks.get('five')!.execute, undefined);
    assert.ok(times.tasks.get('steps')!.execute! >= 0);
    assert.is(times.flows.get('f')!.run, undefined);
  });

  test('durations are printed', async () => {
    const stream = new PassThrough({ encoding: 'utf8' });
    const run = make(linear('f', five, woot));
    attach(run, printingDurations({ stream }));
    await run.run().catch(() => {});
    const lines = String(stream.read())
      .replace(/\d+\.\d\d s/g, 'N s')
      .trimEnd()
      .split('\n');
    assert.equal(lines, [
      "flow 'f' started",
      "task 'five' started",
      "task 'five' took N s, and is in SUCCESS",
      "task 'woot' started",
      "task 'woot' took N s, and is in FAILURE",
      "task 'woot' took N s, and is in REVERTED",
      "task 'five' took N s, and is in REVERTED",
      "flow 'f' took N s, and is in REVERTED",
    ]);
  });

  test('events are captured, with all that they say', async () => {
    const captured = capturing();
    const run = make(linear('f', five, steps), { steps: [0.5] });
    attach(run, captured);
    await run.run();
    assert.equal(captured.events, [
      { kind: 'flow', name: 'f', state: 'RUNNING', oldState: 'PENDING' },
      { kind: 'task', name: 'five', state: 'RUNNING', oldState: 'PENDING' },
      { kind: 'progress', name: 'five', progress: 0 },
      { kind: 'task', name: 'five', state: 'SUCCESS', oldState: 'RUNNING', result: 5 },
      { kind: 'progress', name: 'five', progress: 1 },
      { kind: 'task', name: 'steps', state: 'RUNNING', oldState: 'PENDING' },
      { kind: 'progress', name: 'steps', progress: 0 },
      { kind: 'progress', name: 'steps', progress: 0.5, details: { at: 0.5 } },
      { kind: 'log', name: 'steps', message: 'done', details: { steps: 1 } },
      { kind: 'task', name: 'steps', state: 'SUCCESS', oldState: 'RUNNING', result: undefined },
      { kind: 'progress', name: 'steps', progress: 1 },
      { kind: 'flow', name: 'f', state: 'SUCCESS', oldState: 'RUNNING' },
    ]);
  });

  test('only what is asked for is captured', async () => {
    const captured = capturing();
    const run = make(linear('f', five, woot));
    attach(run, captured, { task: false, progress: false });
    await run.run().catch(() => {});
    assert.equal(
      captured.events.map((event) => 'state' in event && event.state),
      ['RUNNING', 'REVERTED'],
    );
  });

  test('progress is that of all tasks together', async () => {
    const fractions: unknown[] = [];
    const run = make(linear('f', five, steps), { steps: [0.5] });
    attach(run, progress({ interval: 0, changed: ({ fraction }) => fractions.push(fraction) }));
    await run.run();
    assert.equal(
      fractions.filter((fraction, i) => fraction !== fractions[i - 1]),
      [0, 0.5, 0.75, 1],
    );
  });

  test('progress falls when tasks are reverted', async () => {
    const seen: unknown[] = [];
    const run = make(linear('f', five, woot));
    attach(run, progress({ interval: 0, changed: (one) => seen.push(`${one.done}/${one.total}`) }), {
      progress: false,
    });
    await run.run().catch(() => {});
    assert.equal(
      seen.filter((one, i) => one !== seen[i - 1]),
      ['0/2', '1/2', '0/2'],
    );
  });

  test('progress that is followed from the middle of a run knows what was before', async () => {
    const view = progress();
    const run = make(linear('f', five, five.with({ name: 'b' }), steps), { steps: [] });
    const done: number[] = [];
    run.on('task', ({ name, state }) => {
      if (name === 'b' && state === 'RUNNING') attach(run, view);
      if (name === 'steps') done.push(view.done);
    });
    await run.run();
    assert.is(done[0], 2);
    assert.equal([view.done, view.total, view.fraction], [3, 3, 1]);
    assert.is(view.count('SUCCESS'), 3);
    assert.is(view.running.size, 0);
  });
});

overEveryEngine((test, options) => {
  const tasks = Array.from({ length: 20 }, (_, i) => task({ name: `t${i}`, execute: async () => i }));

  test('counts are those of the storage at every event', async () => {
    const engine = load(unordered('f', tasks), options);
    const view = progress();
    attach(engine, view);
    engine.on('task', () => {
      const states = Object.values(engine.storage.getTaskStates());
      for (const state of ['PENDING', 'RUNNING', 'SUCCESS'] as const) {
        assert.is(view.count(state), states.filter((one) => one === state).length);
      }
      assert.is(view.running.size, view.count('RUNNING'));
    });
    const { warnings } = await withWarnings(() => engine.run());
    assert.equal(warnings, []);
  });

  test('progress begins anew with a reset', async () => {
    const engine = load(linear('f', tasks[0], tasks[1]), options);
    await engine.run();
    const view = progress();
    attach(engine, view);
    engine.reset();
    assert.equal([view.count('PENDING'), view.count('SUCCESS'), view.fraction], [2, 0, 0]);
    await engine.run();
    assert.is(view.fraction, 1);
  });

  test('a suspended run is timed until then, and a task that is run again anew', async () => {
    const engine = load(linear('f', tasks[0], tasks[1]), options);
    const times = timing();
    attach(engine, times);
    engine.once('task', () => engine.suspend());
    await engine.run();
    const { entered, run } = times.flows.get('f')!;
    assert.ok(run! >= 0);
    assert.equal(Object.keys(entered), ['RUNNING', 'SUSPENDING', 'SUSPENDED']);
    await engine.run();
    assert.ok(times.flows.get('f')!.entered.RUNNING! >= entered.SUSPENDED!);
  });
});

/** A change of state of a task, by hand. */
function change(run: EventEmitter, name: string, oldState: string, state: string): void {
  run.emit('task', { name, oldState, state });
}

once('a task that its worker had not begun is not timed', () => {
  const run = new EventEmitter<EngineEvents>();
  const times = timing();
  attach(run, times);
  change(run as EventEmitter, 'a', 'PENDING', 'RUNNING');
  change(run as EventEmitter, 'a', 'RUNNING', 'PENDING');
  change(run as EventEmitter, 'b', 'SUCCESS', 'REVERTING');
  change(run as EventEmitter, 'b', 'REVERTING', 'SUCCESS');
  assert.is(times.tasks.get('a')!.execute, undefined);
  assert.is(times.tasks.get('b')!.revert, undefined);
});

once('of a run that does not tell its tasks no fraction is known, and what runs is', () => {
  const run = new EventEmitter<EngineEvents>();
  const view = progress();
  attach(run as ObservedRun, view);
  change(run as EventEmitter, 'a', 'PENDING', 'RUNNING');
  run.emit('progress', { name: 'a', progress: 0.5 });
  run.emit('progress', { name: 'b', progress: 0.5 });
  assert.equal([view.total, view.fraction, [...view.running]], [undefined, undefined, [['a', 0.5]]]);
  assert.is(view.count('RUNNING'), 1);
  change(run as EventEmitter, 'a', 'RUNNING', 'SUCCESS');
  assert.equal([view.count('RUNNING'), view.done], [0, 1]);
});

once('within the interval, only a change of the flow is told', async () => {
  const told: unknown[] = [];
  const engine = load(linear('f', task({ name: 'a', execute() {} }), task({ name: 'b', execute() {} })), {
    engine: 'serial',
  });
  attach(engine, progress({ interval: Number.POSITIVE_INFINITY, changed: ({ done }) => told.push(done) }));
  await engine.run();
  assert.equal(told, [0, 2]);
});

once('a flow without tasks is at its end', async () => {
  const engine = load(linear('f'), { engine: 'serial' });
  const view = progress();
  attach(engine, view);
  await engine.run();
  assert.equal([view.total, view.fraction], [0, 1]);
});

for (const options of [{ changed: 1 }, { interval: -1 }, { interval: '1' }]) {
  once(`an option of progress that is wrong is refused: ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => progress(options as never),
      (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && /option '\w+' must be/.test(error.message),
    );
  });
}

once.run();
