import { join } from 'node:path';
import { register } from 'tsx/esm/api';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Config, configureFrom } from '../../src/config/index.js';
import { ConfigError } from '../../src/errors.js';
import { folder } from '../fixtures/config/folder.js';

const configureIn = (files: Record<string, string>, env: NodeJS.ProcessEnv = {}) =>
  configureFrom({ cwd: folder(files), env, available: () => 4 });

async function failure(run: () => unknown): Promise<ConfigError> {
  try {
    await run();
  } catch (error) {
    assert.instance(error, ConfigError);
    return error as ConfigError;
  }
  assert.unreachable('expected a ConfigError');
  throw undefined;
}

test('without a file the configuration is returned at once', () => {
  assert.is((configureIn({})() as Config).workers, 4);
});

test('a JSON file is read at once', () => {
  const config = configureIn({ 'millrace.config.json': '{ "workers": 3, "resourceLimits": { "stackSizeMb": 2 } }' })();
  assert.not.instance(config, Promise);
  assert.is((config as Config).workers, 3);
  assert.is((config as Config).resourceLimits.stackSizeMb, 2);
});

test('a group in a file sets its options, whether it is JSON or a module', async () => {
  const texts = {
    'millrace.config.json': '{ "task": { "executor": "direct", "timeToLive": "Infinity", "plugins": ["./a.js"] } }',
    'millrace.config.mjs': 'export default { task: { executor: "direct", timeToLive: 1 / 0, plugins: ["./a.js"] } };',
  };
  for (const [name, text] of Object.entries(texts)) {
    const { task } = await configureIn({ [name]: text })();
    assert.equal(
      [task.executor, task.timeToLive, task.plugins, task.concurrency],
      ['direct', Infinity, ['./a.js'], 16],
    );
  }
});

test('JSON writes Infinity as a string', () => {
  const config = configureIn({ 'millrace.config.json': '{ "idleTimeout": "Infinity" }' })() as Config;
  assert.is(config.idleTimeout, Infinity);
});

for (const name of ['millrace.config.js', 'millrace.config.mjs']) {
  test(`${name} is imported, and the configuration is returned at once from then on`, async () => {
    const local = configureIn({
      'package.json': '{ "type": "module" }',
      [name]: 'await null; export default { workers: 1 + 2 };',
    });
    const [first, second] = [local(), local({ workers: 5 })];
    assert.instance(first, Promise);
    assert.instance(second, Promise);
    assert.is((await first).workers, 3);
    assert.is((await second).workers, 5);
    assert.is((local() as Config).workers, 3);
    assert.is(local(), local({}));
  });
}

test('a file may be a CommonJS module', async () => {
  const local = configureIn({ 'package.json': '{}', 'millrace.config.js': 'module.exports = { workers: 3 };' });
  assert.is((await local()).workers, 3);
});

const typescript = 'const options: { workers: number } = { workers: 3 }; export default options;';

test('a TypeScript file is imported where Node.js can, and else the error says what can', async () => {
  const local = configureIn({ 'package.json': '{ "type": "module" }', 'millrace.config.ts': typescript });
  if ('typescript' in process.features && process.features.typescript) {
    assert.is((await local()).workers, 3);
  } else {
    const error = await failure(local);
    assert.is(error.source, 'millrace.config.ts');
    assert.match(error.message, 'Use Node.js 22.18, 24 or later, or start it with: node --import tsx');
    assert.is((error.cause as NodeJS.ErrnoException).code, 'ERR_UNKNOWN_FILE_EXTENSION');
  }
});

test('a TypeScript file is imported with the loader of tsx', async () => {
  const unregister = register();
  try {
    const local = configureIn({ 'package.json': '{ "type": "module" }', 'millrace.config.ts': typescript });
    assert.is((await local()).workers, 3);
  } finally {
    await unregister();
  }
});

test('MILLRACE_CONFIG names the file, relative to the folder, instead of the one that is found there', () => {
  const files = { 'conf/production.json': '{ "workers": 2 }', 'millrace.config.json': '{ "workers": 3 }' };
  const cwd = folder(files);
  for (const MILLRACE_CONFIG of ['conf/production.json', join(cwd, 'conf/production.json')]) {
    const config = configureFrom({ cwd, env: { MILLRACE_CONFIG }, available: () => 4 })();
    assert.is((config as Config).workers, 2);
  }
  assert.is((configureIn(files, { MILLRACE_CONFIG: '' })() as Config).workers, 3);
});

test('MILLRACE_CONFIG names a file that exists, of a known kind', async () => {
  const missing = await failure(configureIn({}, { MILLRACE_CONFIG: 'none.json' }));
  assert.is(missing.source, 'MILLRACE_CONFIG');
  assert.match(missing.message, /expected the path of a file; there is none at .+none\.json/);
  const strange = await failure(configureIn({ 'config.yaml': '' }, { MILLRACE_CONFIG: 'config.yaml' }));
  assert.match(strange.message, 'expected the path of a file that ends in .json, .js, .mjs, .ts; received');
});

test('two files in one folder are an error that names both', async () => {
  const error = await failure(configureIn({ 'millrace.config.json': '{}', 'millrace.config.mjs': '' }));
  assert.is(error.source, 'millrace.config.json');
  assert.match(error.message, 'there is millrace.config.mjs too');
});

test('a file that does not parse is an error with its cause', async () => {
  for (const name of ['millrace.config.json', 'millrace.config.mjs']) {
    const error = await failure(configureIn({ [name]: '{ workers' }));
    assert.is(error.source, name);
    assert.ok(error.message.startsWith(`${name}: `));
    assert.instance(error.cause, SyntaxError);
  }
});

test('a file that throws is an error with its cause', async () => {
  const error = await failure(configureIn({ 'millrace.config.mjs': 'throw new RangeError("no secrets");' }));
  assert.is(error.message, 'millrace.config.mjs: importing it failed: no secrets');
  assert.instance(error.cause, RangeError);
  const odd = await failure(configureIn({ 'millrace.config.mjs': 'throw "no secrets";' }));
  assert.is(odd.message, 'millrace.config.mjs: importing it failed: it threw a string ("no secrets")');
});

test('a file without a default export is an error that shows what it exports', async () => {
  const named = await failure(configureIn({ 'millrace.config.mjs': 'export const workers = 2;' }));
  assert.match(
    named.message,
    'expected a default export with the options (export default { ... }); received a module that exports workers',
  );
  const empty = await failure(configureIn({ 'millrace.config.mjs': '' }));
  assert.match(empty.message, 'received a module without exports');
});

test('a file that holds something else than an object is an error', async () => {
  const json = await failure(configureIn({ 'millrace.config.json': '[]' }));
  assert.is(json.message, 'millrace.config.json: expected an object with options; received an array');
  const called = await failure(configureIn({ 'millrace.config.mjs': 'export default async () => ({});' }));
  assert.match(called.message, 'millrace.config.mjs: expected an object with options; received a function');
});

test('a wrong value or an unknown name in a file is an error that names the file and the option', async () => {
  const value = await failure(configureIn({ 'millrace.config.json': '{ "resourceLimits": { "stackSizeMb": "4" } }' }));
  assert.is(value.source, 'millrace.config.json');
  assert.is(
    value.message,
    'millrace.config.json: resourceLimits.stackSizeMb: expected a number above 0; received a string ("4")',
  );
  const name = await failure(configureIn({ 'millrace.config.json': '{ "Workers": 4 }' }));
  assert.is(name.message, "millrace.config.json: Workers: there is no such option; did you mean 'workers'?");
  const inner = await failure(configureIn({ 'millrace.config.json': '{ "task": { "execptor": "direct" } }' }));
  assert.is(
    inner.message,
    "millrace.config.json: task.execptor: there is no such option; did you mean 'task.executor'?",
  );
});

test('wrong options in code are reported at once, even while the file is being imported', () => {
  const local = configureIn({ 'millrace.config.mjs': 'export default {};' });
  assert.throws(() => local({ workers: 0 }), "option 'workers': expected");
  assert.throws(() => local(null as never), 'options: expected an object with options; received null');
});

test('after an error the file is read again', async () => {
  const env: NodeJS.ProcessEnv = { MILLRACE_CONFIG: 'wrong.mjs' };
  const files = { 'wrong.mjs': 'export default { workers: 0 };', 'right.mjs': 'export default { workers: 2 };' };
  const local = configureIn(files, env);
  await failure(local);
  env.MILLRACE_CONFIG = 'right.mjs';
  assert.is((await local()).workers, 2);
});

test('what the process may use is asked once', () => {
  let asked = 0;
  const local = configureFrom({ cwd: folder({}), env: {}, available: () => ++asked });
  local();
  local({ workers: '100%' });
  assert.is((local({ engine: 'serial' }) as Config).workers, 1);
  assert.is(asked, 1);
});

test.run();
