/** Who carries tasks out, and what plug-ins add, as it is configured. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { ArgumentError, ConfigError, linear, ServiceError, task } from 'millrace';
import {
  createTaskService,
  type SubflowFactory,
  type TaskPlugin,
  type TaskService,
  type TaskServiceOptions,
  type TaskTypeOptions,
  taskType,
} from 'millrace/service';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rejection } from '../engine/capture.js';
import { folder } from '../fixtures/config/folder.js';
import { local } from '../fixtures/service/steps.js';

const program = fileURLToPath(new URL('../fixtures/service/program.js', import.meta.url));
const plugin = fileURLToPath(new URL('../fixtures/service/plugin.js', import.meta.url));

const types = [taskType('one', { flow: () => local.first })];

/** A service with its records in memory. */
const open = ({ task, ...options }: TaskServiceOptions = {}): Promise<TaskService> =>
  createTaskService({ logger: {}, types, ...options, task: { database: 'memory:', ...task } });

const direct = { executor: 'direct' } as const;

/** Runs the program in a folder with these files. */
async function runIn(
  files: Record<string, string>,
  env: NodeJS.ProcessEnv = {},
  args: [options?: object, type?: string] = [],
) {
  const [options = {}, type = 'where'] = args;
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_')));
  const cwd = folder(files);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, JSON.stringify(options), type], {
    cwd,
    env: { ...clean, MILLRACE_TASK_DATABASE: 'memory:', ...env },
  });
  return { cwd, stderr, told: JSON.parse(stdout) };
}

async function wrongConfig(promise: Promise<unknown>): Promise<ConfigError> {
  const error = await rejection(promise);
  assert.instance(error, ConfigError);
  assert.is(error.code, 'ERR_MILLRACE_CONFIG');
  return error;
}

// In code.

for (const [options, description] of [
  [{ task: direct }, { executor: 'direct' }],
  [{ taskflowExecutor: { engineMode: 'serial' } }, { executor: 'taskflow', engine: 'serial' }],
  [{ engine: 'serial' }, { executor: 'taskflow', engine: 'serial' }],
  [
    { engine: 'serial', taskflowExecutor: { engineMode: 'parallel', maxWorkers: 3 } },
    { executor: 'taskflow', engine: 'parallel', workers: 3 },
  ],
  [{ workers: 2 }, { executor: 'taskflow', engine: 'parallel', workers: 2 }],
  [
    { workers: 2, taskflowExecutor: { maxWorkers: 1 } },
    { executor: 'taskflow', engine: 'parallel', workers: 1 },
  ],
  [
    { maxWorkers: 2, taskflowExecutor: { maxWorkers: 5 } },
    { executor: 'taskflow', engine: 'parallel', workers: 2 },
  ],
  [
    { task: { executor: 'taskflow' }, taskflowExecutor: { engineMode: 'parallel', maxWorkers: 1 } },
    { executor: 'taskflow', engine: 'parallel', workers: 1 },
  ],
] as const) {
  test(`a service says who carries its tasks out: ${JSON.stringify(options)}`, async () => {
    await using service = await open(options);
    assert.equal(service.executor, description);
    const { id } = await service.submit('one');
    assert.equal((await service.finished(id)).result, { one: 1 });
  });
}

test('an executor that is not known is refused with those that are, and with where it was named', async () => {
  const error = await wrongConfig(open({ task: { executor: 'eventlet' } }));
  assert.is(error.source, "option 'task.executor'");
  assert.is(
    error.message,
    "option 'task.executor': expected one of 'direct', 'taskflow'; received a string (\"eventlet\")",
  );
});

for (const executor of ['', 'Direct ', '../direct', '__proto__', 5, null, {}]) {
  test(`${JSON.stringify(executor)} cannot be the name of an executor`, async () => {
    const error = await wrongConfig(open({ task: { executor: executor as string } }));
    assert.match(error.message, /^option 'task.executor': expected 'direct', 'taskflow', or the name of a registered/);
  });
}

for (const executor of ['constructor', 'toString', 'hasOwnProperty']) {
  test(`what every object has is no executor: ${executor}`, async () => {
    assert.match((await wrongConfig(open({ task: { executor } }))).message, "expected one of 'direct', 'taskflow'");
  });
}

for (const [options, message] of [
  [{ taskflowExecutor: { engineMode: 'threads' } }, /'taskflowExecutor.engineMode': expected 'serial' or 'parallel'/],
  [{ taskflowExecutor: { maxWorkers: 0 } }, /'taskflowExecutor.maxWorkers': expected/],
  [{ task: { concurrency: 0 } }, /'task.concurrency': expected a whole number from 1, or Infinity; received/],
  [{ task: { timeToLive: -1 } }, /'task.timeToLive': expected a number of hours from 0, or Infinity; received/],
  [{ task: { database: 'tasks.db' } }, /'task.database': expected/],
  [{ task: { plugins: 'x.js' } }, /'task.plugins': expected/],
  [{ task: { workDir: '' } }, /'task.workDir': expected the path of a folder/],
  [{ task: { worker: 'x' } }, /'task.worker': there is no such option/],
  [{ exector: 'direct' }, /'exector': there is no such option/],
] as const) {
  test(`a wrong option is refused before anything is opened: ${JSON.stringify(options)}`, async () => {
    const file = join(folder({}), 'records.db');
    const { task: settings, ...others } = options as object as TaskServiceOptions;
    const service = createTaskService({
      ...{ logger: {}, types, ...others },
      task: { database: `sqlite:${file}`, ...settings },
    });
    assert.match((await wrongConfig(service)).message, message);
    assert.not.ok(existsSync(file));
  });
}

for (const [options, message] of [
  [null, 'The options must be an object; received null'],
  ['direct', 'The options must be an object; received a string ("direct")'],
  [{ types: {} }, "option 'types' must be a list; received an object"],
  [{ plugins: plugin }, "option 'plugins' must be a list; received a string"],
  [{ repository: 'memory:' }, "option 'repository' must be an object; received a string"],
  [{ logger: null }, "option 'logger' must be an object; received null"],
  [{ services: { put: 5 } }, "option 'services.put' must be a function; received a number (5)"],
  [{ handleSignals: 'no' }, "option 'handleSignals' must be true or false; received a string"],
  [{ types: [{ name: 'x' }] }, "A plug-in's types must be made by taskType(); received an object"],
  [{ types: [null] }, "A plug-in's types must be made by taskType(); received null"],
  [{ types: [{ flow() {} }] }, "A plug-in's types must be made by taskType(); received an object"],
] as const) {
  test(`an argument that is wrong is refused: ${JSON.stringify(options)}`, async () => {
    const error = await rejection(createTaskService(options as never));
    assert.instance(error, ArgumentError);
    assert.ok(error.message.startsWith(message), error.message);
  });
}

// Around the program.

test('by default tasks are carried out in parallel, and recorded in a file of the folder', async () => {
  const { cwd, told, stderr } = await runIn({}, { MILLRACE_TASK_DATABASE: '' });
  const { workers, ...description } = told.executor;
  assert.equal(
    [description, told.status, told.result],
    [{ executor: 'taskflow', engine: 'parallel' }, 'success', { thread: 'worker' }],
  );
  assert.ok(workers >= 1);
  assert.ok(existsSync(join(cwd, 'millrace.db')));
  assert.is(stderr, '');
});

test('the environment chooses the executor and its engine', async () => {
  const serial = await runIn({}, { MILLRACE_TASKFLOW_EXECUTOR_ENGINE_MODE: 'serial' });
  assert.equal(serial.told.executor, { executor: 'taskflow', engine: 'serial' });
  assert.equal(serial.told.result, { thread: 'main' });
  const parallel = await runIn({}, { MILLRACE_TASKFLOW_EXECUTOR_MAX_WORKERS: '1' });
  assert.equal(parallel.told.executor, { executor: 'taskflow', engine: 'parallel', workers: 1 });
  assert.equal(parallel.told.result, { thread: 'worker' });
});

test('code goes before the environment, and that before the file', async () => {
  const files = { 'millrace.config.json': '{ "task": { "executor": "direct" }, "engine": "serial" }' };
  const file = await runIn(files);
  assert.equal([file.told.executor, file.told.result], [{ executor: 'direct' }, { thread: 'main' }]);
  const env = { MILLRACE_TASK_EXECUTOR: 'taskflow' };
  assert.equal((await runIn(files, env)).told.executor, { executor: 'taskflow', engine: 'serial' });
  const code = await runIn(files, env, [{ task: { executor: 'direct' } }]);
  assert.equal(code.told.executor, { executor: 'direct' });
});

test('a wrong name is refused with where it came from', async () => {
  const inEnvironment = await runIn({}, { MILLRACE_TASK_EXECUTOR: 'eventlet' });
  assert.equal(inEnvironment.told, {
    ...{ name: 'ConfigError', code: 'ERR_MILLRACE_CONFIG', source: 'MILLRACE_TASK_EXECUTOR' },
    message: "MILLRACE_TASK_EXECUTOR: expected one of 'direct', 'taskflow'; received a string (\"eventlet\")",
  });
  const inFile = await runIn({ 'millrace.config.mjs': 'export default { task: { executor: "eventlet" } };' });
  assert.is(inFile.told.source, 'millrace.config.mjs');
  assert.match(
    inFile.told.message,
    /^millrace.config.mjs: task.executor: expected one of 'direct', 'taskflow'; received/,
  );
});

test('a file names plug-ins, by their paths from the folder', async () => {
  const text = `export { default } from ${JSON.stringify(pathToFileURL(plugin).href)};`;
  const config = { task: { plugins: ['./plugins/greet.mjs'], executor: 'counting' } };
  const { told } = await runIn({ 'plugins/greet.mjs': text, 'millrace.config.json': JSON.stringify(config) }, {}, [
    {},
    'greet',
  ]);
  assert.equal(told, {
    executor: { executor: 'counting', engine: 'serial' },
    status: 'success',
    result: { greeting: 'hello', flow: 'greet', count: 1 },
  });
});

test('errors and warnings go to the standard error output, and the rest too when it is asked for', async () => {
  const args: [object, string] = [{ task: direct }, 'fails'];
  const quiet = await runIn({}, {}, args);
  assert.match(quiet.stderr, /Task [\w-]+ \(fails\) failed: Error: No such luck\n {4}at /);
  assert.not.match(quiet.stderr, 'has moved from PENDING to RUNNING');
  const loud = await runIn({}, { NODE_DEBUG: 'millrace' }, args);
  assert.match(loud.stderr, /MILLRACE \d+: Task [\w-]+: task 'fails' has moved from PENDING to RUNNING/);
  for (const { stderr } of [quiet, loud]) assert.not.match(stderr, 'swordfish');
});

// Plug-ins.

test('a plug-in adds types and executors, by its path or its URL', async () => {
  for (const path of [plugin, pathToFileURL(plugin).href]) {
    await using service = await open({ task: { plugins: [path], executor: 'counting' } });
    assert.equal(service.executor, { executor: 'counting', engine: 'serial' });
    for (const [type, key] of [
      ['greet', 'greeting'],
      ['one', 'one'],
    ]) {
      const { id } = await service.submit(type);
      const { status, result } = await service.finished(id);
      assert.is(status, 'success');
      assert.ok(Object.keys(result as object).includes(key));
    }
  }
});

test('an executor of a plug-in is among those that are allowed', async () => {
  const error = await wrongConfig(open({ task: { plugins: [plugin], executor: 'countin' } }));
  assert.match(error.message, "expected one of 'direct', 'taskflow', 'counting'; received");
});

for (const [what, text, expected] of [
  ['is missing', undefined, /^option 'task.plugins': the plug-in .*plugin\.mjs cannot be imported: /],
  ['does not parse', 'export default {', /cannot be imported: /],
  ['throws', 'throw new RangeError("not today")', /cannot be imported: not today$/],
  ['throws no error', 'throw "not today"', /cannot be imported: a string \("not today"\)$/],
  [
    'has no default export',
    'export const types = [];',
    /must have a default export: \{ types, subflows, executors \}$/,
  ],
  ['exports null', 'export default null;', /cannot be used: A plug-in must be an object; received null$/],
  [
    'exports a function',
    'export default () => ({});',
    /cannot be used: A plug-in must be an object; received a function/,
  ],
  ['misspells', 'export default { type: [] };', /A plug-in has types, subflows and executors; received 'type'$/],
  [
    'has types that are no list',
    'export default { types: {} };',
    /A plug-in's types must be a list; received an object$/,
  ],
  [
    'has a wrong type',
    'export default { types: ["a"] };',
    /types must be made by taskType\(\); received a string \("a"\)$/,
  ],
  ['has a wrong executor', 'export default { executors: { a: {} } };', /'a' must be a function; received an object$/],
  [
    'has no executors',
    'export default { executors: 5 };',
    /executors must be an object of functions; received a number/,
  ],
  [
    'has no sub-flows',
    'export default { subflows: { one: 5 } };',
    /subflows.one must be an object of functions; received/,
  ],
  [
    'has a wrong sub-flow',
    'export default { subflows: { one: { a: 5 } } };',
    /'a' must be a function; received a number/,
  ],
] as const) {
  test(`a plug-in that ${what} is refused with its path and where it was named`, async () => {
    const path = join(folder(text === undefined ? {} : { 'plugin.mjs': text }), 'plugin.mjs');
    const error = await wrongConfig(open({ task: { plugins: [path] } }));
    assert.is(error.source, "option 'task.plugins'");
    assert.match(error.message, expected);
    assert.ok(error.message.includes(path));
  });
}

test('what is registered by one name twice is refused', async () => {
  for (const [plugins, message] of [
    [[{ types }], "Two task types are called 'one'"],
    [[{ executors: { direct: () => null as never } }], "Two executors are called 'direct'"],
    [
      [{ executors: { a: () => null as never } }, { executors: { a: () => null as never } }],
      "Two executors are called 'a'",
    ],
    [
      [
        { types: [work] },
        { subflows: { work: { before: () => null } } },
        { subflows: { work: { before: () => null } } },
      ],
      "Two plug-ins add 'before' to the flow of 'work' tasks",
    ],
  ] satisfies [TaskPlugin[], string][]) {
    const error = await rejection(open({ plugins }));
    assert.instance(error, ArgumentError);
    assert.is(error.message, message);
  }
});

test('a factory that makes no executor is refused, and so is one that throws', async () => {
  for (const made of [undefined, null, {}, 'direct']) {
    const executors = { odd: () => made as never };
    const error = await wrongConfig(open({ plugins: [{ executors }], task: { executor: 'odd' } }));
    assert.match(error.message, /^option 'task.executor': expected 'odd' to make a TaskExecutor; received /);
  }
  const reason = new RangeError('no thread left');
  const executors = { odd: () => Promise.reject(reason) };
  assert.is(await rejection(open({ plugins: [{ executors }], task: { executor: 'odd' } })), reason);
});

// Sub-flows.

const work = taskType('work', {
  subflows: ['before', 'between', 'after'],
  flow: (_, { subflows }) => linear('work', local.first, ...subflows),
  result: (gives) => gives,
});

const step = (name: string) => task({ name, provides: name, execute: () => name });

async function resultWith(plugins: TaskPlugin[], input?: unknown): Promise<string[]> {
  await using service = await open({ types: [work], plugins, task: direct });
  const order: string[] = [];
  service.on('start', (_, run) => run.on('task', ({ name, state }) => state === 'SUCCESS' && order.push(name)));
  const { id } = await service.submit('work', input);
  assert.is((await service.finished(id)).status, 'success');
  return order;
}

const adding = (slot: string, make: SubflowFactory): TaskPlugin => ({ subflows: { work: { [slot]: make } } });

test('sub-flows are in the order of their places, whoever registers them first', async () => {
  const all = ['before', 'between', 'after'].map((slot) => adding(slot, () => step(slot)));
  for (const plugins of [all, all.toReversed(), [all[1], all[2], all[0]]]) {
    assert.equal(await resultWith(plugins), ['first', 'before', 'between', 'after']);
  }
  const at = (slot: string) => ({ [slot]: () => step(slot) });
  const together = { subflows: { work: { ...at('after'), ...at('before') } } };
  assert.equal(await resultWith([together]), ['first', 'before', 'after']);
});

test('a sub-flow may be a flow, may come later, and may decline', async () => {
  const plugins = [
    adding('after', async () => linear('more', step('a'), step('b'))),
    adding('before', () => undefined),
    adding('between', async () => null),
  ];
  assert.equal(await resultWith(plugins), ['first', 'a', 'b']);
  assert.equal(await resultWith([]), ['first']);
});

test('a sub-flow is made for each task, of its input', async () => {
  const seen: unknown[] = [];
  const plugins = [
    adding('between', (input, { taskId, type, owner, workDir, ...others }) => {
      seen.push([typeof taskId, type, owner, workDir, others]);
      return input.convert ? step('convert') : undefined;
    }),
  ];
  assert.equal(await resultWith(plugins, { convert: true }), ['first', 'convert']);
  assert.equal(await resultWith(plugins, { convert: false }), ['first']);
  assert.equal(seen, Array(2).fill(['string', 'work', null, undefined, {}]));
});

test('a plug-in may add to the type of another one, whichever comes first', async () => {
  const plugins = [adding('after', () => step('later')), { types: [work] }];
  for (const order of [plugins, plugins.toReversed()]) {
    await using service = await open({ plugins: order, task: direct });
    const { id } = await service.submit('work');
    assert.equal((await service.finished(id)).result, { one: 1, later: 'later' });
  }
});

test('a sub-flow for a place or a type that there is not is refused', async () => {
  const place = await rejection(open({ types: [work, ...types], plugins: [adding('beside', () => null)] }));
  assert.instance(place, ArgumentError);
  assert.is(
    place.message,
    "A plug-in adds 'beside' to the flow of 'work' tasks, which has the places 'before', 'between', 'after' for sub-flows",
  );
  const none = await rejection(open({ plugins: [{ subflows: { one: { before: () => null } } }] }));
  assert.is(none.message, "A plug-in adds 'before' to the flow of 'one' tasks, which has no place for sub-flows");
  const type = await rejection(open({ plugins: [adding('before', () => null)] }));
  assert.instance(type, ServiceError);
  assert.is(type.code, 'ERR_MILLRACE_UNKNOWN_TYPE');
  assert.match(type.message, "There is no task type 'work'");
});

test('places of different types are not mixed up', async () => {
  const flow: TaskTypeOptions<any, any, any>['flow'] = (_, { subflows }) => linear('flow', ...subflows);
  await using service = await open({
    types: [taskType('a/b', { subflows: ['c'], flow }), taskType('a', { subflows: ['b/c'], flow })],
    plugins: [{ subflows: { a: { 'b/c': () => step('added') } } }],
    task: direct,
  });
  const [one, two] = [await service.submit('a/b'), await service.submit('a')];
  assert.equal((await service.finished(one.id)).result, {});
  assert.equal((await service.finished(two.id)).result, { added: 'added' });
});

// The folder for scratch files.

test('the folder for scratch files is made, and flows are told of it', async () => {
  const workDir = join(folder({}), 'deep', 'scratch');
  let told: unknown;
  const type = taskType('work', {
    flow(_, context) {
      told = context.workDir;
      return local.first;
    },
  });
  for (let again = 0; again < 2; again++) {
    await using service = await open({ types: [type], task: { ...direct, workDir } });
    assert.ok(existsSync(workDir));
    const { id } = await service.submit('work');
    await service.finished(id);
    assert.is(told, workDir);
  }
});

test('a folder for scratch files that cannot be one is refused', async () => {
  const root = folder({ file: 'text' });
  for (const workDir of [join(root, 'file'), join(root, 'file', 'below'), '\0']) {
    const error = await wrongConfig(open({ task: { ...direct, workDir } }));
    assert.is(error.source, "option 'task.workDir'");
    assert.match(error.message, /^option 'task.workDir': expected a folder that can be written to: /);
    assert.instance(error.cause, Error);
  }
  assert.is(readFileSync(join(root, 'file'), 'utf8'), 'text');
});

// Types.

for (const [name, options, message] of [
  ['', { flow() {} }, 'taskType(): the name must be a non-empty string; received a string ("")'],
  [5, { flow() {} }, 'taskType(): the name must be a non-empty string; received a number (5)'],
  ['a', null, "taskType('a'): the options must be an object; received null"],
  ['a', {}, "taskType('a'): flow must be a function that makes a flow; received undefined"],
  ['a', { flow: linear('flow') }, "taskType('a'): flow must be a function that makes a flow; received "],
  [
    'a',
    { flow() {}, requires: 'path' },
    'taskType(\'a\'): requires must be a list of names; received a string ("path")',
  ],
  ['a', { flow() {}, requires: ['path', 5] }, "taskType('a'): requires must be a list of names; received an array"],
  ['a', { flow() {}, requires: [''] }, "taskType('a'): requires must be a list of names; received an array"],
  ['a', { flow() {}, subflows: 'b' }, 'taskType(\'a\'): subflows must be a list of names; received a string ("b")'],
  ['a', { flow() {}, subflows: ['b', 'c', 'b'] }, "taskType('a'): subflows names 'b' twice"],
  ['a', { flow() {}, check: {} }, "taskType('a'): check must be a function; received an object"],
  ['a', { flow() {}, inputs: {} }, "taskType('a'): inputs must be a function; received an object"],
  ['a', { flow() {}, result: 'url' }, 'taskType(\'a\'): result must be a function; received a string ("url")'],
] as const) {
  test(`a task type that is wrong is refused: ${message}`, () => {
    assert.throws(
      () => taskType(name as string, options as never),
      (error: Error) => error instanceof ArgumentError && error.message.startsWith(message),
    );
  });
}

test('a task type does not change with what it was made of', () => {
  const requires = ['path'];
  const type = taskType('a', { requires, flow: () => local.first });
  requires.push('width');
  assert.equal(type.requires, ['path']);
  assert.ok(Object.isFrozen(type));
});

test.run();
