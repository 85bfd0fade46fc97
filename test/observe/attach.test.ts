import { EventEmitter } from 'node:events';
import { type EngineEvents, linear, load, task } from 'millrace';
import { attach, type Listener, type ObservedRun } from 'millrace/observe';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { withWarnings } from '../warnings.js';
import { overEveryRun } from './runs.js';

const KINDS = ['flow', 'task', 'progress', 'log'] as const;

/** Writes down whatever it hears. */
function hearing() {
  const heard: string[] = [];
  const listener: Listener = {
    flow: ({ name, state }) => heard.push(`flow ${name} ${state}`),
    task: ({ name, state }) => heard.push(`${name} ${state}`),
    progress: ({ name, progress }) => heard.push(`${name} ${progress}`),
    log: ({ name, message }) => heard.push(`${name}: ${message}`),
  };
  return { heard, listener };
}

/** Lets what was rejected meanwhile be noticed. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

overEveryRun((test, make, { five, steps, woot }) => {
  const flow = linear('f', five, steps);
  const inputs = { steps: [0.5] };
  const all = [
    ...['flow f RUNNING', 'five RUNNING', 'five 0', 'five SUCCESS', 'five 1'],
    ...['steps RUNNING', 'steps 0', 'steps 0.5', 'steps: done', 'steps SUCCESS', 'steps 1', 'flow f SUCCESS'],
  ];

  test('a listener hears all events, and the run it is attached to', async () => {
    const run = make(flow, inputs);
    const { heard, listener } = hearing();
    const runs = new Set<ObservedRun>();
    attach(run, listener);
    attach(run, { flow: (_, one) => runs.add(one), task: (_, one) => runs.add(one) });
    await run.run();
    assert.equal(heard, all);
    assert.equal([...runs], [run]);
  });

  test('a listener hears the states and kinds of events that are asked for', async () => {
    const run = make(flow, inputs);
    const { heard, listener } = hearing();
    attach(run, listener, {
      flow: ['SUCCESS'],
      task: ({ name }) => name === 'steps',
      progress: false,
      log: true,
    });
    await run.run();
    assert.equal(heard, ['steps RUNNING', 'steps: done', 'steps SUCCESS', 'flow f SUCCESS']);
  });

  test('no events are asked of a run that nobody is to hear', () => {
    const run = make(flow, inputs);
    const { listener } = hearing();
    attach(run, listener, { task: false, progress: false, log: false });
    assert.equal(
      KINDS.map((kind) => run.listenerCount(kind)),
      [1, 0, 0, 0],
    );
  });

  test('a listener that is attached during the run hears the rest', async () => {
    const run = make(flow, inputs);
    const { heard, listener } = hearing();
    run.on('task', ({ name, state }) => {
      if (name === 'steps' && state === 'RUNNING') attach(run, listener);
    });
    await run.run();
    assert.equal(heard, all.slice(all.indexOf('steps 0')));
  });

  test('a listener that is detached during an event does not hear even that', async () => {
    const run = make(flow, inputs);
    const { heard, listener } = hearing();
    attach(run, {
      task: ({ name, state }) => {
        if (name === 'steps' && state === 'RUNNING') attachment.detach();
      },
    });
    const attachment = attach(run, listener);
    await run.run();
    assert.equal(heard, all.slice(0, all.indexOf('steps RUNNING')));
  });

  test('a listener may detach itself, and be attached again', async () => {
    const run = make(flow, inputs);
    const { heard, listener } = hearing();
    const first = attach(run, {
      task(event) {
        heard.push(`first ${event.name}`);
        first.detach();
        first.detach();
        attach(run, listener, { progress: false, log: false, flow: false });
      },
    });
    await run.run();
    assert.equal(heard, ['first five', 'five SUCCESS', 'steps RUNNING', 'steps SUCCESS']);
  });

  test('a listener that throws harms neither the run nor other listeners, and is a warning for each kind of event', async () => {
    const run = make(flow, inputs);
    const bad = () => {
      throw new Error('bad listener');
    };
    attach(run, { flow: bad, task: bad, progress: bad, log: bad });
    const { heard, listener } = hearing();
    attach(run, listener);
    const { result, warnings } = await withWarnings(() => run.run());
    assert.equal(result, { five: 5 });
    assert.equal(heard, all);
    const kinds = warnings.map(
      ({ message }) => /^A listener of '(\w+)' threw at '\w+'.*: Error: bad listener\n {4}at /.exec(message)?.[1],
    );
    assert.equal(kinds.sort(), [...KINDS].sort());
    assert.ok(warnings.every(({ type }) => type === 'MillraceWarning'));
  });

  test('a listener that rejects harms nothing, and is a warning', async () => {
    const run = make(linear('f', five, woot));
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    attach(run, {
      async task() {
        await turn();
        throw new Error('late');
      },
    });
    const { warnings } = await withWarnings(async () => {
      await run.run().catch(() => {});
      await turn();
      await turn();
    });
    process.off('unhandledRejection', note);
    assert.equal(unhandled, []);
    assert.is(warnings.length, 1);
    assert.match(warnings[0].message, /^A listener of 'task' rejected at 'five'.*: Error: late/);
  });
});

once('what a listener throws may be anything', async () => {
  const evil = new Proxy(new Error('evil'), {
    get() {
      throw new Error('do not look');
    },
  });
  for (const thrown of [undefined, null, 'a string\nand a line', { token: 1 }, evil, Object.create(null)]) {
    const engine = load(task({ name: 'five', execute: () => 5 }), { engine: 'serial' });
    attach(engine, {
      flow() {
        throw thrown;
      },
    });
    const { warnings } = await withWarnings(() => engine.run());
    assert.is(warnings.length, 1);
    assert.not.match(warnings[0].message, '\n');
  }
});

once('a choice that throws is the fault of the listener', async () => {
  const engine = load(task({ name: 'five', execute: () => 5 }), { engine: 'serial' });
  attach(engine, hearing().listener, {
    task() {
      throw new Error('bad choice');
    },
  });
  const { warnings } = await withWarnings(() => engine.run());
  assert.is(warnings.length, 1);
  assert.match(warnings[0].message, 'bad choice');
});

once('listeners are called as methods, and those they inherit are called, too', async () => {
  class Counting {
    count = 0;
    task() {
      this.count++;
    }
  }
  const counting = new (class extends Counting {})();
  const engine = load(task({ name: 'five', execute: () => 5 }), { engine: 'serial' });
  attach(engine, counting);
  await engine.run();
  assert.is(counting.count, 2);
});

once('whatever has the events of an engine can be listened to, however it emits them', () => {
  const run = new EventEmitter<EngineEvents>();
  const { heard, listener } = hearing();
  attach(run, listener);
  run.emit('task', { name: 'a', state: 'RUNNING', oldState: 'PENDING' });
  run.emit('log', { name: 'a', message: 'hello' });
  assert.equal(heard, ['a RUNNING', 'a: hello']);
});

once('the same listener cannot be attached twice to one run, but to several', () => {
  const [first, second] = [new EventEmitter<EngineEvents>(), new EventEmitter<EngineEvents>()];
  const { heard, listener } = hearing();
  const attachment = attach(first, listener);
  attach(second, listener);
  assert.throws(
    () => attach(first, listener),
    (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && /already attached/.test(error.message),
  );
  first.emit('log', { name: 'a', message: 'once' });
  attachment.detach();
  attach(first, listener);
  first.emit('log', { name: 'a', message: 'again' });
  second.emit('log', { name: 'b', message: 'too' });
  assert.equal(heard, ['a: once', 'a: again', 'b: too']);
});

once('an attachment ends with the block that uses it, and leaves nothing behind', () => {
  const run = new EventEmitter<EngineEvents>();
  {
    using _ = attach(run, hearing().listener);
    assert.ok(KINDS.every((kind) => run.listenerCount(kind) === 1));
  }
  assert.ok(KINDS.every((kind) => run.listenerCount(kind) === 0));
});

for (const [what, args, message] of [
  ['a run', [{}, { task() {} }], /The run must be an engine/],
  ['nothing', [undefined, { task() {} }], /received undefined/],
  [
    'no listener',
    [new EventEmitter(), undefined],
    /some of the functions flow, task, progress, log; received undefined/,
  ],
  ['a function', [new EventEmitter(), () => {}], /some of the functions/],
  ['a misspelt kind', [new EventEmitter(), { task() {} }, { tasks: false }], /no events 'tasks'/],
  ['a state instead of a list', [new EventEmitter(), { task() {} }, { task: 'FAILURE' }], /'task' must be.*"FAILURE"/],
  [
    'states of progress',
    [new EventEmitter(), { task() {} }, { progress: [1] }],
    /'progress' must be a boolean or a function/,
  ],
] as const) {
  once(`an argument that is wrong is refused: ${what}`, () => {
    assert.throws(
      () => attach(...(args as unknown as Parameters<typeof attach>)),
      (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && message.test(error.message),
    );
  });
}

once.run();
