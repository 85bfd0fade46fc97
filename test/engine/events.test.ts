import { type LogEvent, linear, load, type ProgressEvent, type TaskEvent, task, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { travelling } from '../fixtures/engine/tasks.js';
import { withWarnings } from '../warnings.js';
import { capture, captureTasks, promised } from './capture.js';
import { overEveryKind } from './kinds.js';

overEveryKind((test, options, { five, addOne, gate, steps, woot }) => {
  test('a lone task is a flow of its own name', async () => {
    const engine = load(five, options);
    const events = capture(engine);
    assert.equal(await engine.run(), { five: 5 });
    assert.equal(events, ['flow five: RUNNING', 'five: RUNNING', 'five: SUCCESS(5)', 'flow five: SUCCESS']);
  });

  test('the events of a linear flow come in the order of its tasks', async () => {
    const inner = linear('inner', five.with({ name: 'b' }), five.with({ name: 'c' }));
    const engine = load(linear('outer', five.with({ name: 'a' }), inner, five.with({ name: 'd' })), options);
    const events = capture(engine);
    await engine.run();
    assert.equal(events, [
      'flow outer: RUNNING',
      ...['a', 'b', 'c', 'd'].flatMap((name) => [`${name}: RUNNING`, `${name}: SUCCESS(5)`]),
      'flow outer: SUCCESS',
    ]);
  });

  test('an event tells the state that was before', async () => {
    const engine = load(linear('f', five, woot), options);
    const changes: string[] = [];
    engine.on('flow', ({ oldState, state }) => changes.push(`flow: ${oldState} -> ${state}`));
    engine.on('task', ({ name, oldState, state }) => changes.push(`${name}: ${oldState} -> ${state}`));
    await engine.run().catch(() => {});
    assert.equal(changes, [
      'flow: PENDING -> RUNNING',
      'five: PENDING -> RUNNING',
      'five: RUNNING -> SUCCESS',
      'woot: PENDING -> RUNNING',
      'woot: RUNNING -> FAILURE',
      'woot: FAILURE -> REVERTING',
      'woot: REVERTING -> REVERTED',
      'five: SUCCESS -> REVERTING',
      'five: REVERTING -> REVERTED',
      'flow: RUNNING -> REVERTED',
    ]);
  });

  test('only a task that has ended has a result in its event', async () => {
    const engine = load(linear('f', five, woot), options);
    const seen: TaskEvent[] = [];
    engine.on('task', (event) => seen.push(event));
    await engine.run().catch(() => {});
    assert.equal(
      seen.filter((event) => 'result' in event).map(({ name, state }) => `${name}: ${state}`),
      ['five: SUCCESS', 'woot: FAILURE', 'woot: REVERTED', 'five: REVERTED'],
    );
  });

  test('an event comes when the storage knows of it', async () => {
    const engine = load(linear('f', five, addOne.with({ rebind: { value: 'five' } })), options);
    const known: unknown[] = [];
    engine.on('task', ({ name, state }) => {
      known.push(engine.storage.getTaskState(name) === state);
      if (name === 'five' && state === 'SUCCESS') known.push(engine.storage.fetch('five'));
    });
    await engine.run();
    assert.equal(known, [true, true, 5, true, true]);
  });

  test('the tasks of an unordered flow all run, each once', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `task-${i}`);
    const engine = load(
      unordered(
        'f',
        names.map((name) => five.with({ name })),
      ),
      options,
    );
    const events = captureTasks(engine);
    await engine.run();
    assert.equal(events.toSorted(), names.flatMap((name) => [`${name}: RUNNING`, `${name}: SUCCESS(5)`]).toSorted());
  });

  test('ready tasks start in the order of their priorities', async () => {
    const tasks = Array.from({ length: 10 }, (_, i) => five.with({ name: `task-${i}`, priority: i }));
    const engine = load(unordered('f', tasks), options);
    const started: string[] = [];
    engine.on('task', ({ name, state }) => state === 'RUNNING' && started.push(name));
    await engine.run();
    assert.is(started[0], 'task-9');
    // Several threads take them in this order, but do not begin in step.
    if (five === travelling.five && Number(options.workers) > 1) return;
    assert.equal(started, tasks.map(({ name }) => name).reverse());
  });

  test('progress is told from 0 to 1, with what the task says between', async () => {
    const engine = load(steps, { ...options, inputs: { steps: [0.2, 0.5, 0.8] } });
    const told: ProgressEvent[] = [];
    engine.on('progress', (event) => told.push(event));
    await engine.run();
    assert.equal(told, [
      { name: 'steps', progress: 0 },
      { name: 'steps', progress: 0.2, details: { at: 0.2 } },
      { name: 'steps', progress: 0.5, details: { at: 0.5 } },
      { name: 'steps', progress: 0.8, details: { at: 0.8 } },
      { name: 'steps', progress: 1 },
    ]);
  });

  test('progress is told of a task that says nothing', async () => {
    const engine = load(five, options);
    const told: number[] = [];
    engine.on('progress', ({ progress }) => told.push(progress));
    await engine.run();
    assert.equal(told, [0, 1]);
  });

  test('progress beyond its bounds is told as the bound', async () => {
    const engine = load(steps, { ...options, inputs: { steps: [-3, 1.5, Number.POSITIVE_INFINITY] } });
    const told: number[] = [];
    engine.on('progress', ({ progress }) => told.push(progress));
    await engine.run();
    assert.equal(told, [0, 0, 1, 1, 1]);
  });

  test('progress that is not a number is a failure of the task', async () => {
    const engine = load(steps, { ...options, inputs: { steps: ['half'] } });
    const error = await engine.run().catch((reason) => reason);
    assert.is(error.code, 'ERR_MILLRACE_INVALID_ARG');
    assert.match(error.message, /steps.*a string \("half"\)/);
  });

  test('progress and state come in one order', async () => {
    const engine = load(linear('f', five, woot), options);
    const all: unknown[] = [];
    engine.on('task', ({ name, state }) => all.push(`${name} ${state}`));
    engine.on('progress', ({ name, progress }) => all.push(`${name} ${progress}`));
    await engine.run().catch(() => {});
    assert.equal(all, [
      ...['five RUNNING', 'five 0', 'five SUCCESS', 'five 1'],
      ...['woot RUNNING', 'woot 0', 'woot FAILURE'],
      ...['woot REVERTING', 'woot 0', 'woot REVERTED', 'woot 1'],
      ...['five REVERTING', 'five 0', 'five REVERTED', 'five 1'],
    ]);
  });

  test('what a task logs arrives, with its details', async () => {
    const engine = load(steps, { ...options, inputs: { steps: [0.5] } });
    const told: LogEvent[] = [];
    engine.on('log', (event) => told.push(event));
    await engine.run();
    assert.equal(told, [{ name: 'steps', message: 'done', details: { steps: 1 } }]);
  });

  test('a listener that throws harms neither the run nor the other listeners, and becomes a warning', async () => {
    const engine = load(linear('f', five, steps), { ...options, inputs: { steps: [0.5] } });
    for (const name of ['flow', 'task', 'progress', 'log'] as const) {
      engine.on(name, () => {
        throw new Error('bad listener');
      });
    }
    const events = capture(engine);
    const { result, warnings } = await withWarnings(() => engine.run());
    assert.equal(result, { five: 5 });
    assert.is(events.length, 6);
    assert.is(warnings[0].type, 'MillraceWarning');
    assert.match(warnings[0].message, /listener of 'flow' of flow 'f' threw: Error: bad listener/);
  });

  test('a task that waits hides neither what came before it nor that it runs', async () => {
    // Several times, so that both are known to be small and travel together.
    for (let i = 0; i < 10; i++) {
      const opened = promised();
      const engine = load(linear('f', five, gate), { ...options, services: { gate: () => opened.promise } });
      const told: string[] = [];
      engine.on('task', ({ name, state }) => {
        told.push(`${name} ${state}`);
        if (name === 'gate' && state === 'RUNNING') opened.resolve();
      });
      await engine.run();
      assert.equal(told, ['five RUNNING', 'five SUCCESS', 'gate RUNNING', 'gate SUCCESS']);
    }
  });

  test('a listener that was added during the run is told of the rest', async () => {
    const engine = load(linear('f', five.with({ name: 'a' }), five.with({ name: 'b' }), five), options);
    const events: string[] = [];
    engine.once('flow', () => {
      engine.on('task', ({ name, state }) => events.push(`${name} ${state}`));
    });
    await engine.run();
    assert.is(events.length, 6);
  });

  test('a listener that was added with once() is told once', async () => {
    const engine = load(linear('f', five.with({ name: 'a' }), five), options);
    let told = 0;
    engine.once('task', () => told++);
    await engine.run();
    assert.is(told, 1);
    assert.is(engine.listenerCount('task'), 0);
  });
});

once('a task that is told its name and its flow finds those of the running flow', async () => {
  const names: string[] = [];
  const one = task({ name: 'one', execute: (_, { name, flow }) => names.push(`${flow}/${name}`) });
  const engine = load(linear('outer', linear('inner', one.with({ name: 'renamed' }))), { engine: 'serial' });
  await engine.run();
  assert.equal(names, ['outer/renamed']);
});

once.run();
