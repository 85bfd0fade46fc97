import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { type EngineEvents, Failure, linear } from 'millrace';
import { attach, type Logger, type LoggingOptions, logging, type ObservedRun, printing } from 'millrace/observe';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { withWarnings } from '../warnings.js';
import { overEveryRun } from './runs.js';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** Keeps what it is given, as `'debug: line'`. */
function keeping() {
  const lines: string[] = [];
  const logger = Object.fromEntries(LEVELS.map((level) => [level, (line: string) => lines.push(`${level}: ${line}`)]));
  return { lines, logger: logger as Logger };
}

overEveryRun((test, make, { five, addOne, steps, woot, telling, giveBack, wootGotcha }) => {
  /** What is logged of a run. */
  async function logged(run: ObservedRun & { run(): Promise<unknown> }, options: LoggingOptions = {}) {
    const { lines, logger } = keeping();
    attach(run, logging({ logger, ...options }));
    await run.run().catch(() => {});
    return lines;
  }

  test('each change of state is logged, and what tasks log', async () => {
    assert.equal(await logged(make(linear('f', five, steps), { steps: [] })), [
      "debug: flow 'f' has moved from PENDING to RUNNING",
      "debug: task 'five' has moved from PENDING to RUNNING",
      "debug: task 'five' has moved from RUNNING to SUCCESS",
      "debug: task 'steps' has moved from PENDING to RUNNING",
      "debug: task 'steps': done",
      "debug: task 'steps' has moved from RUNNING to SUCCESS",
      "debug: flow 'f' has moved from RUNNING to SUCCESS",
    ]);
  });

  test('levels are those that are asked for, and each line has the prefix', async () => {
    const lines = await logged(make(linear('f', five, woot)), { level: 'info', failureLevel: 'error', prefix: '> ' });
    const levels = lines.map((line) => /^(\w+): > .* to (\w+)/.exec(line)!.slice(1).join(' '));
    assert.equal(levels, [
      ...['info RUNNING', 'info RUNNING', 'info SUCCESS', 'info RUNNING', 'error FAILURE'],
      ...['info REVERTING', 'error REVERTED', 'info REVERTING', 'error REVERTED', 'error REVERTED'],
    ]);
  });

  test('a failure is logged once with its error and stack, at the level of failures', async () => {
    const lines = await logged(make(linear('f', five, woot)));
    const withStack = lines.filter((line) => line.includes('\n    at '));
    assert.is(withStack.length, 1);
    assert.match(
      withStack[0],
      /^warn: task 'woot' has moved from RUNNING to FAILURE: Error: Woot! \[ERR_MILLRACE_TASK_FAILED\]\n {4}at /,
    );
  });

  test('a failure of a revert is logged with its error', async () => {
    const lines = await logged(make(wootGotcha));
    assert.ok(
      lines.some((line) => /^warn: .* from REVERTING to REVERT_FAILURE: Error: Gotcha! .*\n {4}at /.test(line)),
    );
  });

  test('neither inputs nor results are logged unless it is asked for', async () => {
    const lines = await logged(
      make(linear('f', telling, steps), { value: 31337, steps: [0.31337] }, { reverted() {} }),
    );
    assert.is(lines.length, 7);
    assert.not.match(lines.join('\n'), '31337');
    assert.not.match(lines.join('\n'), '62674');
  });

  test('inputs are logged when a task starts and when it fails', async () => {
    const failing = linear('f', addOne.with({ rebind: { value: 'start' } }), steps);
    const lines = await logged(make(failing, { start: 1, steps: ['half'] }), { inputs: true });
    assert.equal(
      lines.filter((line) => line.includes('given')).map((line) => /task.*(?=\})\}/.exec(line)![0]),
      [
        "task 'addOne' has moved from PENDING to RUNNING, given { value: 1 }",
        "task 'steps' has moved from PENDING to RUNNING, given { steps: ['half'] }",
        "task 'steps' has moved from RUNNING to FAILURE, given { steps: ['half'] }",
      ],
    );
  });

  test('results are logged under the names by which they are provided, and so are details', async () => {
    const flow = linear('f', five, telling, steps);
    const lines = await logged(make(flow, { value: 1, steps: [] }, { reverted() {} }), { results: true });
    assert.equal(
      lines.filter((line) => line.includes('{')).map((line) => line.replace(/^debug: task /, '')),
      [
        "'five' has moved from RUNNING to SUCCESS, provided { five: 5 }",
        "'telling' has moved from RUNNING to SUCCESS, provided { first: 1, second: 2 }",
        "'steps': done { steps: 0 }",
      ],
    );
  });

  test('what a revert returned is logged', async () => {
    const lines = await logged(make(linear('f', giveBack, woot), { value: 1 }), { results: true });
    assert.ok(
      lines.includes("warn: task 'giveBack' has moved from REVERTING to REVERTED, returned 3"),
      lines.join('\n'),
    );
  });

  test('what is masked is shown as ***, whatever the kind of value', async () => {
    const inputs = {
      value: 31337,
      steps: [{ Token: '31337' }, new Map([['token', 31337]]), { deep: [{ token: 31337 }] }],
    };
    const run = make(linear('f', telling, steps), inputs, { reverted() {} });
    const lines = await logged(run, {
      ...{ inputs: true, results: true },
      ...{ maskInputs: ['value', 'token'], maskOutputs: ['FIRST', 'second'] },
    });
    const text = lines.join('\n');
    assert.match(text, 'given { value: *** }');
    assert.match(text, 'given { steps: [{ Token: *** }, Map {');
    assert.match(text, 'provided { first: ***, second: *** }');
    assert.not.match(text, '31337');
    assert.not.match(text, '62674');
  });

  test('a task whose values are hidden is logged without them', async () => {
    const flow = linear('f', five, addOne.with({ rebind: { value: 'five' } }));
    const lines = await logged(make(flow), { inputs: true, results: true, hide: ['addOne'] });
    assert.ok(lines.some((line) => line.endsWith('provided { five: 5 }')));
    assert.not.ok(lines.some((line) => line.includes('addOne') && /given|provided/.test(line)));
  });

  test('what is printed is what is logged', async () => {
    const options = { inputs: true, results: true, maskOutputs: ['five'] } as const;
    const { lines, logger } = keeping();
    const stream = new PassThrough({ encoding: 'utf8' });
    const run = make(linear('f', five, steps), { steps: [0.5] });
    attach(run, logging({ logger, ...options }));
    attach(run, printing({ stream, ...options }));
    await run.run();
    assert.is(stream.read(), lines.map((line) => `${line.replace(/^\w+: /, '')}\n`).join(''));
  });
});

/** What is logged of one event of a run that knows nothing. */
function lineOf<E extends keyof EngineEvents>(
  kind: E,
  event: EngineEvents[E][0],
  options: LoggingOptions = {},
): string {
  const run: EventEmitter = new EventEmitter();
  const { lines, logger } = keeping();
  attach(run as ObservedRun, logging({ logger, results: true, ...options }));
  run.emit(kind, event);
  return lines.join('');
}

const returned = (result: unknown, options?: LoggingOptions) =>
  lineOf('task', { name: 'a', state: 'SUCCESS', oldState: 'RUNNING', result }, options).split('returned ')[1];

once('without a storage to name them, results are masked by key, and whole when they have none', () => {
  assert.is(returned({ token: 1, n: 2 }, { maskOutputs: ['token'] }), '{ token: ***, n: 2 }');
  assert.is(returned('secret', { maskOutputs: ['token'] }), '***');
  assert.is(returned(['secret'], { maskOutputs: ['token'] }), '***');
  assert.is(returned('public'), "'public'");
});

once('no text that comes from a task leaves its line or moves a cursor', () => {
  const evil = 'a\nERROR: all is lost\r\x1b[2J\u202e\u2028\u0085';
  const texts = [
    lineOf('log', { name: evil, message: evil, details: { [evil]: evil, s: Symbol(evil) } }),
    lineOf('flow', { name: evil, state: 'RUNNING', oldState: 'PENDING' }),
    returned({ [evil]: [evil, new Map([[evil, new Error(evil)]])] }),
  ];
  for (const text of texts) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
    assert.not.match(text, /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    assert.match(text, 'a\\nERROR: all is lost\\r\\u001b[2J\\u202e\\u2028\\u0085');
  }
});

once('the message of an error cannot pass for a line of the log', () => {
  const error = new Error('x\nERROR: all is lost\n    at home', { cause: new Error('y\nERROR: again') });
  const event = { name: 'a', state: 'FAILURE', oldState: 'RUNNING', result: new Failure('a', error) } as const;
  const [first, ...others] = lineOf('task', event).split('\n');
  assert.ok(first.endsWith('FAILURE: Error: x\\nERROR: all is lost\\n    at home'), first);
  assert.ok(others.length > 2);
  assert.ok(
    others.every((line) => /^ {2}(?: {2}at (?!home)|cause: Error: y\\nERROR: again$)/.test(line)),
    others.join('\n'),
  );
});

once('an error is logged with what is behind it, and without properties of its own', () => {
  const error = new AggregateError([new Error('one'), 'two'], 'several', { cause: { password: 1 } });
  Object.assign(error, { code: 'E_MANY', token: 'secret' });
  const event = { name: 'a', state: 'FAILURE', oldState: 'RUNNING', result: new Failure('a', error) } as const;
  const lines = lineOf('task', event)
    .split('\n')
    .filter((line) => !/^ {4}at /.test(line));
  assert.match(lines[0], /: AggregateError: several \[E_MANY\]$/);
  assert.equal(lines.slice(1, 3), ['  errors[0]: Error: one', "  errors[1]: 'two'"]);
  assert.not.match(lines.join('\n'), 'secret');
});

once('causes that go in a circle are logged to an end', () => {
  const error = new Error('round');
  error.cause = error;
  const event = { name: 'a', state: 'FAILURE', oldState: 'RUNNING', result: new Failure('a', error) } as const;
  assert.ok(lineOf('task', event).split('cause: ').length < 20);
});

once('the text of a value is bounded, whatever its size', () => {
  const deep: any = {};
  let inner = deep;
  for (let i = 0; i < 10_000; i++) inner = inner.x = {};
  const circular: any = { list: [] };
  circular.list.push(circular);
  for (const value of [
    'x'.repeat(1e6),
    new Array(1e9),
    new Set(Array(1e5).keys()),
    deep,
    { [`k${'x'.repeat(1e6)}`]: 1 },
  ]) {
    for (const maxLength of [1, 2, 10, 1000]) {
      const text = returned(value, { maxLength });
      assert.ok(text.length <= maxLength, `${text.length} > ${maxLength}`);
      assert.match(text, /…$|^\{ x: \{ x/);
    }
  }
  assert.is(returned(circular), '{ list: [[Circular]] }');
  assert.is(returned({ a: 12 }, { maxLength: 9 }), '{ a: 12 }');
  assert.is(returned({ a: 12 }, { maxLength: 8 }), '{ a: 12…');
});

once('values are shown as what they are, and none of their code runs', () => {
  const code = () => {
    throw new Error('it ran');
  };
  const shown: [unknown, string][] = [
    [-0, '-0'],
    [5n, '5n'],
    [null, 'null'],
    [{}, '{}'],
    [[], '[]'],
    [[1, [undefined]], '[1, [undefined]]'],
    ["it's", "'it\\'s'"],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'Invalid Date'],
    [/a\/b/g, '/a\\/b/g'],
    [new Uint8Array(3), 'Uint8Array(3 bytes)'],
    [new SharedArrayBuffer(4), 'SharedArrayBuffer(4 bytes)'],
    [
      new Map<unknown, unknown>([
        ['a', 1],
        [{ b: 1 }, new Set([2])],
      ]),
      "Map { 'a' => 1, { b: 1 } => Set {2} }",
    ],
    [new RangeError('too far'), '[RangeError: too far]'],
    [Object.create(null, { 'a b': { value: 1, enumerable: true } }), "{ 'a b': 1 }"],
    [new URL('http://user:secret@host/'), 'URL {}'],
    [
      {
        get token() {
          return code();
        },
        toJSON: code,
        [Symbol.toPrimitive]: code,
      },
      '{ token: [Getter], toJSON: [Function] }',
    ],
    [new Proxy({}, { ownKeys: code, get: code, getPrototypeOf: code }), '[Proxy]'],
    [{ [Symbol.for('nodejs.util.inspect.custom')]: code, a: 1 }, '{ a: 1 }'],
    [Object.assign(new Date(1), { toISOString: code }), '1970-01-01T00:00:00.001Z'],
  ];
  for (const [value, text] of shown) assert.is(returned(value), text);
});

once('a level that the logger has not is not logged, and one that throws harms nothing', async () => {
  const run = new EventEmitter<EngineEvents>();
  const warned: string[] = [];
  attach(run, logging({ logger: { warn: (line) => warned.push(line) } }));
  attach(
    run,
    logging({
      logger: {
        debug() {
          throw new Error('disk full');
        },
      },
    }),
  );
  const { warnings } = await withWarnings(async () => {
    run.emit('flow', { name: 'f', state: 'RUNNING', oldState: 'PENDING' });
    run.emit('flow', { name: 'f', state: 'REVERTED', oldState: 'RUNNING' });
  });
  assert.equal(warned, ["flow 'f' has moved from RUNNING to REVERTED"]);
  assert.is(warnings.length, 1);
  assert.match(warnings[0].message, 'disk full');
});

once('a stream that was closed is not written to', () => {
  const run = new EventEmitter<EngineEvents>();
  const stream = new PassThrough();
  stream.on('error', (error) => assert.unreachable(String(error)));
  attach(run, printing({ stream }));
  stream.end();
  run.emit('flow', { name: 'f', state: 'RUNNING', oldState: 'PENDING' });
});

once('inputs that cannot be had are left out', () => {
  const fetchMappedArgs = () => {
    throw new Error('it is gone');
  };
  for (const storage of [undefined, {}, { fetchMappedArgs }]) {
    const run: EventEmitter = Object.assign(new EventEmitter(), { storage });
    const { lines, logger } = keeping();
    attach(run as ObservedRun, logging({ logger, inputs: true }));
    run.emit('task', { name: 'five', state: 'RUNNING', oldState: 'PENDING' });
    assert.equal(lines, ["debug: task 'five' has moved from PENDING to RUNNING"]);
  }
});

for (const [options, message] of [
  [{ maskInputs: 'password' }, /'maskInputs' must be a list of names; received a string/],
  [{ maskOutputs: [1] }, /'maskOutputs' must be a list of names/],
  [{ hide: 'a' }, /'hide' must be a list of names/],
  [{ maxLength: 0 }, /'maxLength' must be a number, at least 1; received a number \(0\)/],
  [{ level: 'trace' }, /'level' must be one of debug, info, warn, error/],
  [{ failureLevel: 'fatal' }, /'failureLevel' must be one of/],
  [{ logger: null }, /'logger' must be an object of functions; received null/],
] as const) {
  once(`an option that is wrong is refused: ${JSON.stringify(options)}`, () => {
    assert.throws(
      () => logging(options as never),
      (error: any) => error.code === 'ERR_MILLRACE_INVALID_ARG' && message.test(error.message),
    );
  });
}

once('a stream that is none is refused', () => {
  assert.throws(
    () => printing({ stream: {} as never }),
    (error: any) =>
      error.code === 'ERR_MILLRACE_INVALID_ARG' && /'stream' must be a writable stream/.test(error.message),
  );
});

once.run();
