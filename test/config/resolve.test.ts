import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Config, type ConfigOptions, configureFrom, optionError, resolve } from '../../src/config/index.js';
import { entries } from '../../src/config/schema.js';
import { ConfigError } from '../../src/errors.js';
import fc from '../fast-check.js';
import { folder } from '../fixtures/config/folder.js';

const available = () => 4;

function failure(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    assert.instance(error, ConfigError);
    return error as ConfigError;
  }
  assert.unreachable('expected a ConfigError');
  throw undefined;
}

function at(values: unknown, path: string): unknown {
  return path.split('.').reduce((value, key) => (value as Record<string, unknown> | undefined)?.[key], values);
}

/** `{ 'a.b': 1 }` as `{ a: { b: 1 } }`. */
function nest(flat: Record<string, unknown>): object {
  const root: Record<string, any> = {};
  for (const [path, value] of Object.entries(flat)) {
    const keys = path.split('.');
    const last = keys.pop()!;
    let group = root;
    for (const key of keys) group = group[key] ??= {};
    group[last] = value;
  }
  return root;
}

test('without any setting each option has its default', () => {
  assert.equal(resolve({ available }), {
    engine: 'parallel',
    workers: 4,
    minWorkers: 1,
    maxWorkers: 1024,
    idleTimeout: 10_000,
    resourceLimits: {},
    abortGrace: 1000,
    maxQueue: Infinity,
    taskTimeout: Infinity,
    task: {
      executor: 'taskflow',
      timeToLive: 48,
      database: 'sqlite:millrace.db',
      plugins: [],
      concurrency: 16,
      recovery: 'fail',
      durability: 'normal',
    },
    taskflowExecutor: {},
  });
});

test('an option in code wins over its variable, that over the file, that over the default', () => {
  // Values that are valid for any option of its kind, and under which no bound changes `workers`.
  const values = new Map<string, fc.Arbitrary<unknown>>(
    entries.map(({ path }) => [path, fc.integer({ min: 5, max: 9 })]),
  );
  values.set('engine', fc.constantFrom('serial', 'parallel'));
  values.set('minWorkers', fc.integer({ min: 1, max: 4 }));
  values.set('maxWorkers', fc.integer({ min: 10, max: 20 }));
  values.set('resourceLimits.maxOldGenerationSizeMb', fc.integer({ min: 8, max: 64 }));
  values.set('task.executor', fc.constantFrom('direct', 'taskflow', 'acme.remote-2'));
  values.set('task.workDir', fc.constantFrom('/tmp/a', 'b'));
  values.set('task.database', fc.constantFrom('memory:', 'sqlite:a.db', 'postgres://user:secret@host/db'));
  values.set('task.plugins', fc.uniqueArray(fc.constantFrom('./a.js', '../b.js', '/c.js'), { minLength: 1 }));
  values.set('task.recovery', fc.constantFrom('fail', 'resume'));
  values.set('task.durability', fc.constantFrom('full', 'normal', 'none'));
  values.set('taskflowExecutor.engineMode', fc.constantFrom('serial', 'parallel'));

  const layers = fc.record(
    Object.fromEntries(
      [...values].map(([path, value]) => [
        path,
        fc.record({ code: value, env: value, file: value }, { requiredKeys: [] }),
      ]),
    ),
  );

  fc.assert(
    fc.property(layers, (settings) => {
      const code: Record<string, unknown> = {};
      const env: Record<string, string> = {};
      const file: Record<string, unknown> = {};
      for (const { path, variable } of entries) {
        const setting = settings[path]!;
        if (setting.code !== undefined) code[path] = setting.code;
        if (setting.env !== undefined) env[variable] = String(setting.env);
        if (setting.file !== undefined) file[path] = setting.file;
      }
      const config = resolve({
        options: nest(code),
        env,
        file: { source: 'millrace.config.json', values: nest(file) },
        available: () => 7,
      });
      for (const { path, variable, option } of entries) {
        const { code, env, file } = settings[path]!;
        const fallback = path === 'workers' ? 7 : option.fallback;
        assert.equal(at(config, path), code ?? env ?? file ?? fallback, path);
        const sources = [code && `option '${path}'`, env && variable, file && 'millrace.config.json'];
        const { source } = optionError(config, path as 'workers', 'it is of no use');
        assert.is(source, sources.find(Boolean) ?? `option '${path}'`, path);
      }
    }),
  );
});

test('each option of a group is resolved on its own', () => {
  const config = resolve({
    options: { resourceLimits: { stackSizeMb: 8 } },
    env: { MILLRACE_RESOURCE_LIMITS_MAX_OLD_GENERATION_SIZE_MB: '512', MILLRACE_RESOURCE_LIMITS_STACK_SIZE_MB: '2' },
    file: { source: 'millrace.config.json', values: { resourceLimits: { codeRangeSizeMb: 0.5, stackSizeMb: 1 } } },
    available,
  });
  assert.equal(config.resourceLimits, { maxOldGenerationSizeMb: 512, codeRangeSizeMb: 0.5, stackSizeMb: 8 });
});

test('an option that is undefined is not set', () => {
  const options: ConfigOptions = { engine: undefined, resourceLimits: undefined };
  assert.is(resolve({ options, env: { MILLRACE_ENGINE: 'serial' }, available }).engine, 'serial');
});

test('a configuration cannot be changed', () => {
  const options: ConfigOptions = { resourceLimits: { stackSizeMb: 4 } };
  const config = resolve({ options, available }) as { workers: number; resourceLimits: { stackSizeMb?: number } };
  assert.throws(() => {
    config.workers = 9;
  }, /read only/);
  assert.throws(() => {
    config.resourceLimits.stackSizeMb = 9;
  }, /read only/);
});

test('a percentage of workers is a part of what is available, rounded down', () => {
  const workers = (value: ConfigOptions['workers'], cpus: number) =>
    resolve({ options: { workers: value }, available: () => cpus }).workers;
  assert.is(workers('50%', 4), 2);
  assert.is(workers('50%', 3), 1);
  assert.is(workers('1%', 4), 1);
  assert.is(workers('100%', 4), 4);
  assert.is(workers('150%', 4), 6);
  assert.is(workers('12.5%', 16), 2);
});

test('a number of workers may be more than what is available', () => {
  assert.is(resolve({ options: { workers: 64 }, available }).workers, 64);
});

test('minWorkers and maxWorkers bound the number of workers however it is given', () => {
  assert.is(resolve({ options: { maxWorkers: 3 }, available }).workers, 3);
  assert.is(resolve({ options: { minWorkers: 8 }, available }).workers, 8);
  assert.is(resolve({ options: { workers: 16, maxWorkers: 8 }, available }).workers, 8);
  assert.is(resolve({ options: { workers: '10%', minWorkers: 2 }, available }).workers, 2);
});

test('workers is always a whole number within its bounds', () => {
  const size: fc.Arbitrary<ConfigOptions['workers']> = fc.oneof(
    fc.constant('auto' as const),
    fc.integer({ min: 1, max: 1000 }),
    fc.integer({ min: 1, max: 99_999 }).map((share): `${number}%` => `${share / 10}%`),
  );
  fc.assert(
    fc.property(
      size,
      fc.integer({ min: 1, max: 512 }),
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 100, max: 200 }),
      (workers, cpus, minWorkers, maxWorkers) => {
        const config = resolve({ options: { workers, minWorkers, maxWorkers }, available: () => cpus });
        assert.ok(Number.isSafeInteger(config.workers));
        assert.ok(config.workers >= minWorkers && config.workers <= maxWorkers);
      },
    ),
  );
});

test('minWorkers above maxWorkers is an error that names where both were set', () => {
  const error = failure(() => resolve({ options: { minWorkers: 8 }, env: { MILLRACE_MAX_WORKERS: '4' }, available }));
  assert.is(error.source, "option 'minWorkers'");
  assert.is(
    error.message,
    "option 'minWorkers': expected minWorkers to be at most maxWorkers, which is 4 (MILLRACE_MAX_WORKERS); received a number (8)",
  );
});

test('a wrong option is an error that shows what was expected and what came', () => {
  const error = failure(() => resolve({ options: { workers: 2.5 }, available }));
  assert.is(error.code, 'ERR_MILLRACE_CONFIG');
  assert.is(error.source, "option 'workers'");
  assert.is(
    error.message,
    "option 'workers': expected 'auto', a whole number from 1, or a percentage such as '50%'; received a number (2.5)",
  );
});

test('options refuse what they cannot mean', () => {
  const wrong: Record<string, unknown[]> = {
    engine: ['Serial', '', 1, null, true],
    workers: [0, -1, NaN, Infinity, '4', '', '%', '0%', '0.0%', '-5%', '50 %', '99999%', null, [2]],
    minWorkers: [0, 1.5, Infinity, '2'],
    maxWorkers: [0, 1025, Infinity, 1.5, NaN],
    idleTimeout: [-1, 0.5, 2 ** 31, '10'],
    abortGrace: [-1, Infinity, 2 ** 31],
    maxQueue: [-1, 0.5],
    taskTimeout: [0, -1, 2 ** 31],
    'resourceLimits.maxOldGenerationSizeMb': [0, 7, 8.5, NaN, Infinity, '512'],
    'resourceLimits.stackSizeMb': [0, -1, NaN, Infinity, '4'],
    resourceLimits: [4, null, [], new Map()],
    'task.executor': ['', '9lives', 'a b', '../direct', 'direct\n', 1, null, { name: 'direct' }],
    'task.timeToLive': [-1, NaN, '48', null, -Infinity],
    'task.workDir': ['', 1, null, new URL('file:///tmp')],
    'task.database': ['', 'memory', 'memory:x', 'sqlite:', 'mysql://host/db', 'postgres:db', 'SQLITE:x.db', null],
    'task.plugins': ['./a.js', [''], ['a.js'], ['./'], ['http://host/a.js'], ['file:a.js'], [1], new Array(1), null],
    'task.concurrency': [0, 1.5, -1, NaN, '16'],
    'task.recovery': ['', 'Resume', true, 'retry'],
    'task.durability': ['', 'FULL', 2, false],
    'taskflowExecutor.engineMode': ['threads', '', null],
    'taskflowExecutor.maxWorkers': [0, 1.5, Infinity, '4', '0%', null],
    task: ['direct', null, []],
  };
  for (const [path, values] of Object.entries(wrong)) {
    for (const value of values) {
      assert.is(failure(() => resolve({ options: nest({ [path]: value }), available })).source, `option '${path}'`);
    }
  }
});

test('the limits of each option are allowed', () => {
  const options: ConfigOptions = { minWorkers: 1, idleTimeout: 0, abortGrace: 0, maxQueue: 0, taskTimeout: 1 };
  assert.is(resolve({ options, available }).taskTimeout, 1);
  const most: ConfigOptions = { idleTimeout: Infinity, abortGrace: 2 ** 31 - 1, taskTimeout: 2 ** 31 - 1 };
  assert.is(resolve({ options: most, available }).idleTimeout, Infinity);
  for (const task of [
    { executor: 'A', timeToLive: 0, database: 'sqlite:x', concurrency: 1, plugins: ['./a', 'file:///a.js'] },
    { timeToLive: 0.25, database: 'postgresql://', concurrency: Infinity },
    { timeToLive: Infinity, database: 'sqlite::memory:', recovery: 'resume', durability: 'full' },
  ] as const) {
    const { executor = 'taskflow', database = '', timeToLive } = task;
    const config = resolve({ options: { task }, available });
    assert.equal(
      [config.task.executor, config.task.database, config.task.timeToLive],
      [executor, database, timeToLive],
    );
  }
});

test('an unknown option is an error that suggests the nearest one', () => {
  const message = (options: object) => failure(() => resolve({ options, available })).message;
  assert.is(message({ wrokers: 2 }), "option 'wrokers': there is no such option; did you mean 'workers'?");
  assert.match(message({ resourceLimit: {} }), "did you mean 'resourceLimits'?");
  assert.match(message({ stackSizeMb: 4 }), "did you mean 'resourceLimits.stackSizeMb'?");
  assert.match(message({ resourceLimits: { stackSize: 4 } }), "did you mean 'resourceLimits.stackSizeMb'?");
  assert.is(
    message({ task: { execptor: 'direct' } }),
    "option 'task.execptor': there is no such option; did you mean 'task.executor'?",
  );
  assert.match(message({ tasks: {} }), "did you mean 'task'?");
  assert.match(message({ executor: 'direct' }), "did you mean 'task.executor'?");
  assert.match(message({ task: { engine: 'serial' } }), "did you mean 'engine'?");
  assert.match(message({ task: { x: 1 } }), 'the options here are executor, timeToLive,');
  assert.match(message({ colour: 'red' }), 'the options here are engine, workers,');
  assert.match(message(JSON.parse('{"__proto__": 1}')), "option '__proto__': there is no such option");
  assert.match(message({ toString: 1 }), "option 'toString': there is no such option");
});

test('an option of a group that is named by its whole path is an error that shows how to write it', () => {
  assert.is(
    failure(() => resolve({ options: { 'task.executor': 'direct' } as object, available })).message,
    "option 'task.executor': there is no such option; write it as { task: { executor: ... } }",
  );
});

test('the workers of the taskflow executor are counted and bounded as workers are, and absent unless set', () => {
  const count = (options: ConfigOptions) => resolve({ options, available }).taskflowExecutor.maxWorkers;
  assert.is(count({ workers: 2 }), undefined);
  assert.is(count({ workers: 2, taskflowExecutor: { maxWorkers: 'auto' } }), 4);
  assert.is(count({ taskflowExecutor: { maxWorkers: '50%' } }), 2);
  assert.is(count({ taskflowExecutor: { maxWorkers: 64 } }), 64);
  assert.is(count({ maxWorkers: 3, taskflowExecutor: { maxWorkers: 64 } }), 3);
  assert.is(count({ minWorkers: 6, taskflowExecutor: { maxWorkers: '10%' } }), 6);
});

test('a list is copied, and cannot be changed', () => {
  const plugins = ['./a.js'];
  const config = resolve({ options: { task: { plugins } }, available });
  plugins.push('b.js');
  assert.equal(config.task.plugins, ['./a.js']);
  for (const list of [config.task.plugins, resolve({ available }).task.plugins]) {
    assert.throws(() => (list as string[]).push('b.js'), /not extensible/);
  }
});

test('an error about a list names what is wrong in it', () => {
  assert.is(
    failure(() => resolve({ options: { task: { plugins: ['./a.js', 'b.js'] } }, available })).message,
    "option 'task.plugins': expected a list of modules, each './PATH', '../PATH', an absolute path or 'file:///PATH'; " +
      'received one with a string ("b.js")',
  );
});

test('an error about a database never shows what may be a password', () => {
  const shown = (database: unknown) => {
    const { message } = failure(() => resolve({ options: { task: { database } } as ConfigOptions, available }));
    return message.replace(/^option 'task.database': expected .*; received /, '');
  };
  const secrets = ['mysql://root:secret@host/db', 'Postgres://u:secret@h', 'postgres:u:secret@h', 'u:secret@h'];
  for (const database of [...secrets, ' postgres://u:secret@h', 'host=h password=secret', '//u:secret@h']) {
    assert.not.match(shown(database), 'secret');
    const env = { MILLRACE_TASK_DATABASE: database };
    assert.not.match(failure(() => resolve({ env, available })).message, 'secret');
    const file = { source: 'millrace.config.json', values: { task: { database } } };
    assert.not.match(failure(() => resolve({ file, available })).message, 'secret');
  }
  assert.is(shown('mysql://root:secret@host/db'), 'a string ("mysql://…")');
  assert.is(shown('postgres:u:secret@h'), 'a string ("postgres:…")');
  assert.is(shown('data/millrace.db'), 'a string ("data/millrace.db")');
  assert.is(shown('sqlite:'), 'a string ("sqlite:")');
  assert.is(shown(7), 'a number (7)');
});

test('an error about an option in use says where it was set, also when nothing is set in code', () => {
  const cwd = folder({ 'millrace.config.json': '{ "task": { "workDir": "scratch", "executor": "direct" } }' });
  const configure = configureFrom({ cwd, env: { MILLRACE_TASK_EXECUTOR: 'remote' }, available });
  const plain = configure() as Config;
  const coded = configure({ task: { executor: 'mine' } }) as Config;
  const shown = (config: Config, name: 'task.executor' | 'task.workDir' | 'task.database') => {
    const { source, message } = optionError(config, name, 'no');
    return [source, message];
  };
  assert.equal(shown(plain, 'task.executor'), ['MILLRACE_TASK_EXECUTOR', 'MILLRACE_TASK_EXECUTOR: no']);
  assert.equal(shown(plain, 'task.workDir'), ['millrace.config.json', 'millrace.config.json: task.workDir: no']);
  assert.equal(shown(plain, 'task.database'), ["option 'task.database'", "option 'task.database': no"]);
  assert.equal(shown(coded, 'task.executor'), ["option 'task.executor'", "option 'task.executor': no"]);
  assert.equal(shown(coded, 'task.workDir'), ['millrace.config.json', 'millrace.config.json: task.workDir: no']);
});

test('options that are not an object are an error', () => {
  for (const options of [null, 4, 'serial', [], Promise.resolve({}), () => ({})]) {
    assert.is(failure(() => resolve({ options: options as ConfigOptions, available })).source, 'options');
  }
});

test('the types of options and of the configuration follow from the schema', () => {
  const config: Config = resolve({ options: { workers: '50%', engine: 'serial' }, available });
  const engine: 'parallel' | 'serial' = config.engine;
  const workers: number = config.workers;
  const stack: number | undefined = config.resourceLimits.stackSizeMb;
  assert.equal([engine, workers, stack], ['serial', 2, undefined]);
  // @ts-expect-error a word that is not of the list
  assert.throws(() => resolve({ options: { engine: 'threads' } }), "option 'engine'");
  // @ts-expect-error a percentage has its sign
  assert.throws(() => resolve({ options: { workers: '50' } }), "option 'workers'");
  const mode: 'serial' | 'parallel' | undefined = config.taskflowExecutor.engineMode;
  const most: number | undefined = config.taskflowExecutor.maxWorkers;
  const [executor, plugins]: [string, readonly string[]] = [config.task.executor, config.task.plugins];
  assert.equal([mode, most, executor, plugins], [undefined, undefined, 'taskflow', []]);
  // @ts-expect-error a word that is not of the list
  assert.throws(() => resolve({ options: { taskflowExecutor: { engineMode: 'threads' } } }), 'engineMode');
  // @ts-expect-error no such option in the group
  assert.throws(() => resolve({ options: { task: { engineMode: 'serial' } } }), "option 'task.engineMode'");
  // @ts-expect-error no such option
  assert.throws(() => resolve({ options: { worker: 1 } }), "option 'worker'");
});

test.run();
