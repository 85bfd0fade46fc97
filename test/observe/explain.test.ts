import { Failure, graph, linear, load, type RunOptions, task, unordered } from 'millrace';
import { type ExplainOptions, explainFailure } from 'millrace/observe';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { travelling } from '../fixtures/engine/tasks.js';

const { five, woot, addOne, telling } = travelling;

/** What is told of the task that fails, when it has just failed. */
async function explained(
  flow: any,
  inputs: object,
  run: RunOptions,
  options?: ExplainOptions,
): Promise<{ text: string; later: string }> {
  const engine = load(flow, { ...run, inputs: inputs as never });
  let text = '';
  let failure!: Failure;
  engine.on('task', ({ state, result }) => {
    if (state !== 'FAILURE') return;
    failure = result as Failure;
    text = explainFailure(engine, failure, options);
  });
  await engine.run().catch(() => {});
  return { text, later: explainFailure(engine, failure, options) };
}

/** Without the frames of stacks, which change with every edit of a test. */
const withoutFrames = (text: string) =>
  text
    .split('\n')
    .filter((line) => !/^ +at /.test(line))
    .join('\n');

overEveryEngine((test, options) => {
  test('a failure is told with its state, what the task was given, and the tree of what led to it', async () => {
    const flow = linear(
      'f',
      addOne,
      addOne.with({ name: 'again', rebind: ['sum'], provides: 'more' } as object),
      woot.with({ inject: { of: 'this' } } as object),
    );
    const { text } = await explained(flow, { value: 3 }, options);
    assert.match(text, /\n {4}at .*tasks\.js/);
    assert.is(
      withoutFrames(text),
      [
        "Task 'woot' of flow 'f' has failed: Error: Woot! [ERR_MILLRACE_TASK_FAILED]",
        "It is FAILURE, given { of: 'this' }",
        'What ran before it:',
        '└─ again: SUCCESS, given { value: 4 }, provided { more: 5 }',
        '   └─ addOne: SUCCESS, given { value: 3 }, provided { sum: 4 }',
      ].join('\n'),
    );
  });

  test('what was reverted is told as reverted, without its results', async () => {
    const { later } = await explained(
      linear('f', five, telling, woot),
      { value: 3 },
      {
        ...options,
        services: { reverted: () => undefined },
      },
    );
    assert.is(
      withoutFrames(later).split('\n').slice(1).join('\n'),
      [
        'It is REVERTED',
        'What ran before it:',
        '└─ telling: REVERTED, given { value: 3 }',
        '   └─ five: REVERTED',
      ].join('\n'),
    );
  });

  test('masked keys are shown as ***: inputs, arguments under another name, results, and inside of them', async () => {
    const flow = linear(
      'f',
      five.with({ provides: 'token' } as object),
      travelling.returns.with({ name: 'login', rebind: { what: 'Password' }, provides: 'session' } as object),
      travelling.returns.with({ name: 'nested', rebind: { what: 'user' }, provides: 'seen' } as object),
      woot,
    );
    const inputs = { Password: 'hunter2', user: { name: 'me', keys: [{ secret: 'hunter3' }] } };
    const { text } = await explained(flow, inputs, options, { mask: ['password', 'TOKEN', 'secret', 'session'] });
    assert.not.match(text, /hunter/);
    assert.is(
      withoutFrames(text).split('What ran before it:\n')[1],
      [
        "└─ nested: SUCCESS, given { what: { name: 'me', keys: [{ secret: *** }] } }, " +
          "provided { seen: { name: 'me', keys: [{ secret: *** }] } }",
        '   └─ login: SUCCESS, given { what: *** }, provided { session: *** }',
        '      └─ five: SUCCESS, provided { token: *** }',
      ].join('\n'),
    );
  });
});

const serial = { engine: 'serial' } as const;
const named = (...names: string[]) => names.map((name) => five.with({ name }));

once('of a hidden task neither inputs nor results are shown', async () => {
  const { text } = await explained(linear('f', addOne, woot), { value: 3 }, serial, { hide: ['addOne'] });
  assert.match(text, /└─ addOne: SUCCESS$/);
});

once('a nested flow is shown by its tasks, in order of declaration, and each task once', async () => {
  const [a, b, c, d] = named('a', 'b', 'c', 'd');
  const flow = linear('f', a!, unordered('u', b!, c!, linear('empty')), graph('g', d!), woot);
  const { text } = await explained(flow, {}, serial);
  assert.is(
    withoutFrames(text).split('What ran before it:\n')[1],
    [
      '└─ d: SUCCESS, provided { five: 5 }',
      '   ├─ a: SUCCESS, provided { five: 5 }',
      '   ├─ b: SUCCESS, provided { five: 5 }',
      '   │  └─ a (shown elsewhere)',
      '   └─ c: SUCCESS, provided { five: 5 }',
      '      └─ a (shown elsewhere)',
    ].join('\n'),
  );
});

once('only what ran before is told, not what ran beside', async () => {
  const flow = unordered('f', ...named('a', 'b'), woot);
  const { text } = await explained(flow, {}, serial);
  assert.not.match(text, /What ran before|a:/);
});

once('of a long way only the nearest tasks are shown', async () => {
  const flow = linear('f', ...named(...Array.from({ length: 5000 }, (_, i) => `t${i}`)), woot);
  const { text } = await explained(flow, {}, serial, { limit: 2 });
  assert.is(
    withoutFrames(text).split('What ran before it:\n')[1],
    ['└─ t4999: SUCCESS, provided { five: 5 }', '   └─ t4998: SUCCESS, provided { five: 5 }', '      └─ …'].join('\n'),
  );
  const shorter = linear('f', ...named(...Array.from({ length: 100 }, (_, i) => `t${i}`)), woot);
  const whole = await explained(shorter, {}, serial, { limit: Number.POSITIVE_INFINITY });
  assert.match(whole.text, /└─ t0: SUCCESS/);
});

once('of many tasks that ran side by side only some are shown', async () => {
  const flow = linear('f', unordered('u', ...named(...Array.from({ length: 5000 }, (_, i) => `t${i}`))), woot);
  const { text } = await explained(flow, {}, serial, { limit: 2 });
  const lines = withoutFrames(text).split('What ran before it:\n')[1]!.split('\n');
  assert.is(lines.length, 3);
  assert.is(lines[2], '└─ …');
});

once('no value, name or message can look like another line', async () => {
  const bad = task({
    name: 'bad',
    requires: 'value',
    execute(_: { value: string }) {
      throw new Error('one\nTask two has failed');
    },
  });
  const { text } = await explained(bad, { value: 'three\nfour\u001b[2J' }, serial);
  assert.match(text, 'Error: one\\nTask two has failed');
  assert.match(text, "given { value: 'three\\nfour\\u001b[2J' }");
});

once('a long value is cut', async () => {
  const { text } = await explained(linear('f', travelling.returns, woot), { what: 'x'.repeat(1000) }, serial, {
    maxLength: 20,
  });
  assert.match(text, /given \{ what: 'x+…$/m);
});

once('what is asked wrongly is refused', () => {
  const engine = load(linear('f', five), serial);
  const failure = new Failure('five', new Error('x'));
  const refused = (action: () => unknown, message: RegExp) =>
    assert.throws(action, (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && message.test(error.message));
  refused(() => explainFailure(engine, new Error('x') as never), /expected a Failure; received an instance of Error/);
  refused(() => explainFailure(engine, new Failure('six', new Error('x'))), /Flow 'f' has no task named 'six'/);
  refused(() => explainFailure(engine, failure, { mask: 'password' as never }), /'mask' must be a list of names/);
  refused(() => explainFailure(engine, failure, { hide: [1] as never }), /'hide' must be a list of names/);
  refused(() => explainFailure(engine, failure, { limit: -1 }), /'limit' must be a number, at least 0/);
  refused(() => explainFailure(engine, failure, { maxLength: Number.NaN }), /'maxLength' must be a number/);
});

once.run();
