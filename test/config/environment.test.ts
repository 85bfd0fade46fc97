import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Config, configure, configureFrom, resolve } from '../../src/config/index.js';
import { entries } from '../../src/config/schema.js';
import { ConfigError } from '../../src/errors.js';
import fc from '../fast-check.js';
import { folder } from '../fixtures/config/folder.js';

const available = () => 4;
const fromEnv = (env: NodeJS.ProcessEnv) => resolve({ env, available });

function failure(env: NodeJS.ProcessEnv): ConfigError {
  try {
    fromEnv(env);
  } catch (error) {
    assert.instance(error, ConfigError);
    return error as ConfigError;
  }
  assert.unreachable(`expected a ConfigError for ${JSON.stringify(env)}`);
  throw undefined;
}

test('variables are read as what their option is', () => {
  assert.equal(
    fromEnv({
      MILLRACE_ENGINE: 'serial',
      MILLRACE_WORKERS: '50%',
      MILLRACE_MIN_WORKERS: '1',
      MILLRACE_MAX_WORKERS: '512',
      MILLRACE_IDLE_TIMEOUT: 'Infinity',
      MILLRACE_RESOURCE_LIMITS_STACK_SIZE_MB: '0.5',
      MILLRACE_ABORT_GRACE: '0',
      MILLRACE_MAX_QUEUE: '100',
      MILLRACE_TASK_TIMEOUT: '30000',
      MILLRACE_TASK_EXECUTOR: 'direct',
      MILLRACE_TASK_TIME_TO_LIVE: '0.5',
      MILLRACE_TASK_WORK_DIR: '/tmp/scratch',
      MILLRACE_TASK_DATABASE: 'postgres://user:a,b@host/db',
      MILLRACE_TASK_PLUGINS: './a.js, ../b.js ,/c.js,file:///d.js',
      MILLRACE_TASK_CONCURRENCY: 'Infinity',
      MILLRACE_TASK_RECOVERY: 'resume',
      MILLRACE_TASK_DURABILITY: 'none',
      MILLRACE_TASKFLOW_EXECUTOR_ENGINE_MODE: 'parallel',
      MILLRACE_TASKFLOW_EXECUTOR_MAX_WORKERS: '75%',
    }),
    {
      engine: 'serial',
      workers: 2,
      minWorkers: 1,
      maxWorkers: 512,
      idleTimeout: Infinity,
      resourceLimits: { stackSizeMb: 0.5 },
      abortGrace: 0,
      maxQueue: 100,
      taskTimeout: 30_000,
      task: {
        executor: 'direct',
        timeToLive: 0.5,
        workDir: '/tmp/scratch',
        database: 'postgres://user:a,b@host/db',
        plugins: ['./a.js', '../b.js', '/c.js', 'file:///d.js'],
        concurrency: Infinity,
        recovery: 'resume',
        durability: 'none',
      },
      taskflowExecutor: { engineMode: 'parallel', maxWorkers: 3 },
    },
  );
});

test('the name of a variable is made of the path of its option', () => {
  const variables = new Map(entries.map(({ path, variable }) => [path, variable]));
  assert.is(variables.get('idleTimeout'), 'MILLRACE_IDLE_TIMEOUT');
  assert.is(
    variables.get('resourceLimits.maxOldGenerationSizeMb'),
    'MILLRACE_RESOURCE_LIMITS_MAX_OLD_GENERATION_SIZE_MB',
  );
  assert.is(new Set(variables.values()).size, entries.length);
});

test('an empty variable is not set', () => {
  assert.equal(fromEnv({ MILLRACE_WORKERS: '', MILLRACE_ENGINE: '' }), fromEnv({}));
});

test('a wrong variable is an error that shows what was expected and what came', () => {
  const error = failure({ MILLRACE_WORKERS: 'many' });
  assert.is(error.source, 'MILLRACE_WORKERS');
  assert.is(
    error.message,
    `MILLRACE_WORKERS: expected 'auto', a whole number from 1, or a percentage such as '50%'; received a string ("many")`,
  );
});

test('a list in a variable is separated by commas, without empty parts', () => {
  for (const text of [',', './a.js,', ',./a.js', './a.js,,./b.js', './a.js, ', 'a.js', './a.js;b.js,c.js']) {
    const error = failure({ MILLRACE_TASK_PLUGINS: text });
    assert.is(error.source, 'MILLRACE_TASK_PLUGINS');
    assert.match(error.message, `received a string ("${text}")`);
  }
});

test('a number in a variable is a plain decimal of the right size', () => {
  const wrong: Record<string, string[]> = {
    MILLRACE_WORKERS: ['2.5', '0', '-1', '1e3', '0x10', ' 4', '4 ', '1_000', 'Infinity', 'NaN', '9'.repeat(400)],
    MILLRACE_ABORT_GRACE: ['Infinity', '1s', '-1', '.5'],
    MILLRACE_MIN_WORKERS: ['Infinity', 'true'],
    MILLRACE_IDLE_TIMEOUT: ['-Infinity', 'infinity', '2147483648'],
    MILLRACE_TASK_TIME_TO_LIVE: ['-1', '2d', '1e3', '-Infinity'],
  };
  for (const [variable, texts] of Object.entries(wrong)) {
    for (const text of texts) assert.is(failure({ [variable]: text }).source, variable);
  }
});

test('whatever text a variable holds, it is either a valid value or an error that names the variable', () => {
  const text = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.double().map(String),
    fc.integer().map(String),
    fc.double().map((share) => `${share}%`),
    fc.constantFrom('auto', 'Infinity', 'serial', 'NaN', 'null', 'undefined', '__proto__', './a.js,', 'sqlite:x'),
  );
  fc.assert(
    fc.property(fc.constantFrom(...entries), text, ({ variable }, value) => {
      let config: Config;
      try {
        config = fromEnv({ [variable]: value });
      } catch (error) {
        assert.instance(error, ConfigError);
        assert.is((error as ConfigError).source, variable);
        return;
      }
      assert.ok(Number.isSafeInteger(config.workers) && config.workers >= 1);
      assert.ok(config.task.timeToLive >= 0 && config.task.concurrency >= 1);
      assert.ok(config.abortGrace >= 0 && config.taskTimeout >= 1 && config.idleTimeout >= 0);
    }),
  );
});

test('each unknown variable is a warning, given once, that suggests the nearest one', async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  const env = {
    MILLRACE_WROKERS: '2',
    MILLRACE_TASK_EXECPTOR: 'direct',
    MILLRACE_CONFIG: '',
    MILLRACE_MAX_QUEUE: '-5',
    OTHER_WORKERS: '3',
  };
  const local = configureFrom({ env, cwd: folder({}), available });
  assert.throws(() => local(), 'MILLRACE_MAX_QUEUE: expected');
  env.MILLRACE_MAX_QUEUE = '5';
  assert.is((local() as Config).maxQueue, 5);
  local({ engine: 'serial' });
  await new Promise((resolve) => setImmediate(resolve)); // warnings are emitted on the next tick
  process.off('warning', listen);
  assert.equal(
    warnings.map(({ message }) => message),
    [
      'MILLRACE_WROKERS: Millrace has no such variable; did you mean MILLRACE_WORKERS?',
      'MILLRACE_TASK_EXECPTOR: Millrace has no such variable; did you mean MILLRACE_TASK_EXECUTOR?',
    ],
  );
  assert.is((warnings[0] as NodeJS.ErrnoException).code, 'MILLRACE_UNKNOWN_VARIABLE');
});

test('configure reads the environment of the process once, when it is first called', () => {
  process.env.MILLRACE_MAX_QUEUE = '7';
  const first = configure() as Config;
  process.env.MILLRACE_MAX_QUEUE = '8';
  const second = configure({ engine: 'serial' }) as Config;
  const third = configure() as Config;
  delete process.env.MILLRACE_MAX_QUEUE;
  assert.equal([first.maxQueue, second.maxQueue, second.engine], [7, 7, 'serial']);
  assert.is(third, first);
});

test.run();
