/** What listeners, explanations and drawings make of what is tried again, and of tasks that may fail. */
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import {
  each,
  type Failure,
  type FlowItem,
  forEach,
  linear,
  load,
  type RunOptions,
  retry,
  task,
  times,
  unordered,
} from 'millrace';
import {
  attach,
  capturing,
  type ExplainOptions,
  explainFailure,
  logging,
  printing,
  printingDurations,
  progress,
  timing,
  toDot,
  toMermaid,
} from 'millrace/observe';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryKind } from '../engine/kinds.js';
import { local } from '../fixtures/engine/tasks.js';
import { readDot, readMermaid } from './read-diagram.js';

const serial = { engine: 'serial' } as const;
const numbers = (...list: number[]) => forEach(list, { provides: 'number' });
const withoutFrames = (text: string) =>
  text
    .split('\n')
    .filter((line) => !/^ +at /.test(line))
    .join('\n');

/** What is told at each failure of a run, and at the revert of each task that failed. */
async function explained(flow: FlowItem, run: RunOptions, options?: ExplainOptions) {
  const engine = load<any, any>(flow, run);
  const texts: string[] = [];
  const reverting: string[] = [];
  const failures = new Map<string, Failure>();
  engine.on('task', ({ name, state, result }) => {
    if (state === 'FAILURE') failures.set(name, result as Failure);
    const failure = failures.get(name);
    if (!failure || (state !== 'FAILURE' && state !== 'REVERTING')) return;
    (state === 'FAILURE' ? texts : reverting).push(withoutFrames(explainFailure(engine, failure, options)));
  });
  await engine.run().catch(() => {});
  return { texts, reverting, engine, failures };
}

overEveryKind((test, options, { five, dial, woot }) => {
  const dialing = linear('dialing', five, dial).with({ retry: numbers(1, 2, 3) });

  test('what is tried again is logged as a failure is, and printed', async () => {
    const logged: string[] = [];
    const stream = new PassThrough({ encoding: 'utf8' });
    const engine = load(linear('dialing', dial).with({ retry: numbers(2, 3) }), options);
    const keep = (level: string) => (line: string) => logged.push(`${level}: ${line.split('\n')[0]}`);
    attach(engine, logging({ logger: { debug: keep('debug'), warn: keep('warn') }, results: true }));
    attach(engine, printing({ stream }));
    await engine.run();
    assert.equal(logged, [
      "debug: flow 'dialing' has moved from PENDING to RUNNING",
      "debug: task 'dialing_retry' has moved from PENDING to RUNNING",
      "debug: task 'dialing_retry' has moved from RUNNING to SUCCESS, provided { number: 2 }",
      "debug: task 'dial' has moved from PENDING to RUNNING",
      "warn: task 'dial' has moved from RUNNING to FAILURE: Error: 2 is busy [ERR_MILLRACE_TASK_FAILED]",
      "debug: task 'dial' has moved from FAILURE to REVERTING",
      "warn: task 'dial' has moved from REVERTING to REVERTED",
      "warn: task 'dialing_retry' has moved from SUCCESS to RETRYING",
      "debug: task 'dial' has moved from REVERTED to PENDING",
      "debug: task 'dialing_retry' has moved from RETRYING to RUNNING",
      "debug: task 'dialing_retry' has moved from RUNNING to SUCCESS, provided { number: 3 }",
      "debug: task 'dial' has moved from PENDING to RUNNING",
      "debug: task 'dial' has moved from RUNNING to SUCCESS, provided { line: 'line to 3' }",
      "debug: flow 'dialing' has moved from RUNNING to SUCCESS",
    ]);
    assert.match(String(stream.read()), /\ntask 'dialing_retry' has moved from SUCCESS to RETRYING\n/);
  });

  test('what is tried again is captured like anything else, and can be chosen by its state', async () => {
    const captured = capturing();
    const engine = load(dialing, options);
    attach(engine, captured, { flow: false, progress: false, task: ['RETRYING'] });
    await engine.run();
    const event = { kind: 'task', name: 'dialing_retry', state: 'RETRYING', oldState: 'SUCCESS' };
    assert.equal(captured.events, [event, event]);
  });

  test('each attempt is timed, and the last one is what the task took', async () => {
    const times = timing();
    const engine = load(dialing, options);
    attach(engine, times);
    await engine.run();
    for (const name of ['dialing_retry', 'five', 'dial']) {
      const { attempts, execute } = times.tasks.get(name)!;
      assert.is(attempts!.length, 3);
      assert.ok(attempts!.every((ms) => ms >= 0));
      assert.is(attempts![2], execute);
    }
    assert.ok(times.tasks.get('dial')!.revert! >= 0);
    assert.is(times.tasks.get('dialing_retry')!.revert, undefined);
    assert.ok(times.tasks.get('dialing_retry')!.entered.RETRYING! > 0);
  });

  test('each attempt of a task with a retry of its own is timed, and its durations are printed', async () => {
    const stream = new PassThrough({ encoding: 'utf8' });
    const clock = timing();
    const engine = load(woot.with({ retry: times(2) } as object), options);
    attach(engine, clock);
    attach(engine, printingDurations({ stream }));
    await engine.run().catch(() => {});
    assert.is(clock.tasks.get('woot')!.attempts!.length, 2);
    const lines = String(stream.read())
      .replace(/\d+\.\d\d s/g, 'N s')
      .trimEnd()
      .split('\n');
    const attempt = [
      "task 'woot' started",
      "task 'woot' took N s, and is in FAILURE",
      "task 'woot' took N s, and is in REVERTED",
    ];
    assert.equal(lines, ["flow 'woot' started", ...attempt, ...attempt, "flow 'woot' took N s, and is in REVERTED"]);
  });

  test('progress goes back when a flow is tried again, and comes to its end', async () => {
    const seen: string[] = [];
    const engine = load(
      linear('f', five.with({ name: 'first' }), linear('dialing', five, dial).with({ retry: numbers(2, 3) })),
      options,
    );
    const view = progress({ interval: 0, changed: ({ done, total }) => seen.push(`${done}/${total}`) });
    attach(engine, view, { progress: false });
    engine.on('task', () => {
      const states = Object.values(engine.storage.getTaskStates());
      for (const state of ['PENDING', 'RUNNING', 'SUCCESS', 'RETRYING'] as const) {
        assert.is(view.count(state), states.filter((one) => one === state).length);
      }
    });
    await engine.run();
    assert.equal(
      seen.filter((one, i) => one !== seen[i - 1]),
      ['0/4', '1/4', '2/4', '3/4', '2/4', '1/4', '2/4', '3/4', '4/4'],
    );
    assert.equal([view.fraction, view.running.size], [1, 0]);
  });

  test('a task that may fail, and has, is done with', async () => {
    const engine = load(linear('f', five, woot.with({ mayFail: true } as object)), options);
    const view = progress();
    attach(engine, view);
    await engine.run();
    assert.equal([view.done, view.total, view.fraction, view.count('FAILURE')], [2, 2, 1, 1]);
    const late = progress();
    attach(engine, late);
    await engine.run();
    assert.equal([late.done, late.total], [2, 2]);
    engine.reset();
    assert.equal([view.done, late.done], [0, 0]);
  });

  test('a task that may fail is not done with while it is tried again', async () => {
    const again: number[] = [];
    const engine = load(linear('f', five, woot.with({ mayFail: true, retry: times(2) } as object)), options);
    const view = progress();
    attach(engine, view);
    engine.on('task', ({ state }) => state === 'RETRYING' && again.push(view.done));
    await engine.run();
    assert.equal(again, [1]);
    assert.is(view.done, 2);
  });

  test('a failure is told with what the retry around it has tried', async () => {
    const { texts } = await explained(dialing, options);
    assert.equal(texts, [
      [
        "Task 'dial' of flow 'dialing' has failed: Error: 1 is busy [ERR_MILLRACE_TASK_FAILED]",
        'It is FAILURE, given { number: 1 }',
        "Retry 'dialing_retry' has tried:",
        '  1: provided { number: 1 }',
        'What ran before it:',
        '└─ five: SUCCESS, provided { five: 5 }',
        '   └─ dialing_retry: SUCCESS, provided { number: 1 }',
      ].join('\n'),
      [
        "Task 'dial' of flow 'dialing' has failed: Error: 2 is busy [ERR_MILLRACE_TASK_FAILED]",
        'It is FAILURE, given { number: 2 }',
        "Retry 'dialing_retry' has tried:",
        '  1: provided { number: 1 }; dial: Failure: Error: 1 is busy',
        '  2: provided { number: 2 }',
        'What ran before it:',
        '└─ five: SUCCESS, provided { five: 5 }',
        '   └─ dialing_retry: SUCCESS, provided { number: 2 }',
      ].join('\n'),
    ]);
  });

  test('when all retries have given up, a failure is told with what each has tried, until that is reverted', async () => {
    const inner = linear('inner', dial).with({ retry: numbers(1, 2) });
    const { reverting, engine, failures } = await explained(linear('outer', inner).with({ retry: times(2) }), options);
    assert.is(engine.state, 'REVERTED');
    assert.match(
      reverting.at(-1)!,
      [
        "Retry 'inner_retry' has tried:",
        '  1: provided { number: 1 }; dial: Failure: Error: 1 is busy',
        '  2: provided { number: 2 }; dial: Failure: Error: 2 is busy',
        "Retry 'outer_retry' has tried:",
        '  1: dial: Failure: Error: 2 is busy',
        '  2: dial: Failure: Error: 2 is busy',
      ].join('\n'),
    );
    assert.not.match(explainFailure(engine, failures.get('dial')!), 'has tried');
  });

  test('a task with a retry of its own is told with what that has tried', async () => {
    const calling = dial.with({ inject: { number: 1 }, retry: times(3) } as object);
    const { reverting } = await explained(calling, options);
    const attempts = [1, 2, 3].map((number) => `  ${number}: dial: Failure: Error: 1 is busy`);
    assert.equal(
      reverting.map((text) => text.split('\n').slice(2)),
      [1, 2, 3].map((count) => ["The retry of task 'dial' has tried:", ...attempts.slice(0, count)]),
    );
  });

  test('an element of a list is told by its own name, with what its retry has tried', async () => {
    const calling = each(dial.with({ retry: times(2) } as object), { name: 'calls', over: 'all', as: 'number' } as any);
    const engine = load<any, any>(calling as any, { ...options, inputs: { all: [3, 1] } });
    const texts: string[] = [];
    engine.on('task', ({ name, state, result }) => {
      if (name === 'calls[1]' && state === 'FAILURE')
        texts.push(withoutFrames(explainFailure(engine, result as Failure)));
    });
    await engine.run().catch(() => {});
    assert.is(texts.length, 2);
    assert.match(texts[0]!, /^Task 'calls\[1\]' of flow 'calls' has failed: Error: 1 is busy/);
    assert.match(texts[1]!, "The retry of task 'calls[1]' has tried:\n  1: calls[1]: Failure: Error: 1 is busy");
  });

  test('a retry that waits is shown as what it is, in the tree, in DOT and in Mermaid', async () => {
    const patient = linear('patient', five, woot).with({ retry: times(2, { delay: 1e9 }) });
    const engine = load(patient, options);
    engine.on('task', ({ state }) => state === 'RETRYING' && engine.suspend());
    await engine.run();
    assert.is(engine.state, 'SUSPENDED');
    assert.match(inspect(engine), /Retry 'patient_retry': RETRYING /);
    assert.match(inspect(engine), /^Engine \(SUSPENDED\) of Flow 'patient': 2 PENDING, 1 RETRYING /);
    for (const { labels } of [readDot(toDot(engine)), readMermaid(toMermaid(engine))]) {
      assert.match(labels.t0!, /^patient_retry\n.*\nRETRYING$/);
      assert.is(labels.t1, 'five\nPENDING');
    }
    assert.match(toDot(engine), /t0 \[.*fillcolor="#d0bfff"\]/);
    assert.match(toMermaid(engine), 'classDef RETRYING fill:#d0bfff');
  });
});

once('of what retries have tried, masked values, and those of hidden retries, are not shown', async () => {
  const flow = linear('dialing', local.dial).with({ retry: numbers(1, 2) });
  const masked = await explained(flow, serial, { mask: ['NUMBER'] });
  assert.match(
    masked.texts[1]!,
    '  1: provided { number: *** }; dial: Failure: Error: 1 is busy\n  2: provided { number: *** }\n',
  );
  const hidden = await explained(flow, serial, { hide: ['dialing_retry'] });
  assert.match(hidden.texts[1]!, "Retry 'dialing_retry' has tried:\n  1: dial: Failure: Error: 1 is busy\nWhat ran");
  const short = await explained(flow, serial, { maxLength: 10 });
  assert.match(short.texts[1]!, '  1: provided { number:…; dial');
});

once('of many attempts only the last are told, and of many failures only some', async () => {
  const flow = linear('dialing', local.dial).with({ retry: numbers(...new Array(100).fill(1)) });
  const { reverting } = await explained(flow, serial, { limit: 2 });
  assert.match(
    reverting.at(-1)!,
    "Retry 'dialing_retry' has tried:\n  …\n  99: provided { number: 1 }; dial: Failure: Error: 1 is busy\n  100: ",
  );
  const none = await explained(linear('dialing', local.dial).with({ retry: numbers(1, 1) }), serial, { limit: 0 });
  assert.match(none.reverting.at(-1)!, "Retry 'dialing_retry' has tried:\n  …\nWhat ran");

  const woots = Array.from({ length: 5 }, (_, i) => task({ name: `w${i}`, execute: () => assert.unreachable('no') }));
  const all = unordered('all', woots).with({ retry: times(2) });
  const wide = await explained(all, { ...serial, failurePolicy: 'finish' }, { limit: 2 });
  assert.ok(wide.reverting.every((text) => text.split('\n').every((line) => line.split('; ').length <= 3)));
});

once('no name, value or message of an attempt can look like another line', async () => {
  const bad = task({
    name: 'bad\u001b[2J',
    requires: 'x',
    execute(_: { x: string }) {
      throw new Error('one\n  2: two');
    },
  });
  const { reverting } = await explained(
    linear('f', bad).with({ retry: forEach(['a\nb'], { name: 'r\u0007', provides: 'x' }) }),
    serial,
  );
  assert.match(
    reverting[0]!,
    "Retry 'r\\u0007' has tried:\n  1: provided { x: 'a\\nb' }; bad\\u001b[2J: Failure: Error: one\\n  2: two\n",
  );
});

once('a retry that provides several values is told with each of them', async () => {
  const pair = retry({
    name: 'pair',
    provides: ['number', 'way'],
    execute: () => [1, 'radio'],
    onFailure: () => 'REVERT' as const,
  });
  const { texts } = await explained(linear('f', local.dial).with({ retry: pair }), serial);
  assert.match(texts[0]!, "Retry 'pair' has tried:\n  1: provided { number: 1, way: 'radio' }\n");
});

once('a retry that has failed is told, and how', async () => {
  const undecided = retry({
    name: 'undecided',
    execute: () => 0,
    onFailure: () => {
      throw new RangeError('cannot decide');
    },
  });
  const { texts, reverting } = await explained(linear('f', local.woot).with({ retry: undecided }), serial);
  assert.match(texts[1]!, /^Retry 'undecided' of flow 'f' has failed: RangeError: cannot decide/);
  assert.match(texts[1]!, "Retry 'undecided' has tried:\n  1: woot: Failure: Error: Woot!");
  assert.match(reverting[0]!, "Retry 'undecided' has failed: Failure: RangeError: cannot decide");
  const empty = await explained(linear('f', local.dial).with({ retry: numbers() }), serial);
  assert.match(
    empty.texts[0]!,
    /^Retry 'f_retry' of flow 'f' has failed: RunError: .*\[ERR_MILLRACE_NO_ATTEMPT\]\nIt is FAILURE$/,
  );
});

once.run();
