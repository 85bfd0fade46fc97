import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Project } from './project.js';

const project = new Project();

test('the package contains what a user needs, and nothing else', () => {
  const expected = [/^package\.json$/, /^(README|CHANGELOG)\.md$/, /^LICENSE$/, /^docs\/[\w-]+\.md$/];
  const built = [/^dist\/[\w-]+\.c?js$/, /^dist\/types\/[\w/-]+\.d\.ts$/];
  const others = project.packed.filter((file) => ![...expected, ...built].some((pattern) => pattern.test(file)));
  assert.equal(others, []);
  const types = ['', 'observe/', 'service/', 'storage/'].map((folder) => `dist/types/${folder}index.d.ts`);
  const modules = ['index', 'observe', 'service', 'storage', 'worker'].map((name) => `dist/${name}.js`);
  for (const file of ['README.md', 'CHANGELOG.md', ...modules, ...types]) {
    assert.ok(project.packed.includes(file), file);
  }
});

test('importing the package, and running a flow serially, loads neither piscina nor comlink', () => {
  project.unpack();
  project.write({
    'serial.js': `
      import { run, task } from 'millrace';
      const answer = task(import.meta.url, { name: 'answer', provides: 'answer', execute: () => 42 });
      console.log((await run(answer, {}, { engine: 'serial' })).answer);
      try {
        await import('piscina');
      } catch (error) {
        console.log(error.code); // it could not have been loaded
      }
    `,
  });
  assert.is(project.node(['serial.js']).output, '42\nERR_MODULE_NOT_FOUND\n');
});

test('importing the package, and running a flow, does not load the task service', () => {
  project.write({
    'node_modules/millrace/dist/service.js': `throw new Error('the service was loaded');`,
    'service.js': `import 'millrace/service';`,
  });
  assert.match(project.node(['service.js']).output, 'the service was loaded');
  assert.is(project.node(['serial.js']).output, '42\nERR_MODULE_NOT_FOUND\n');
  project.unpack();
});

for (const executor of ['direct', 'taskflow']) {
  test(`a task service with records in memory and the ${executor} executor loads neither threads nor a database`, () => {
    project.write({
      'service.js': `
        import { task } from 'millrace';
        import { createTaskService, taskType } from 'millrace/service';
        const answer = task(import.meta.url, { name: 'answer', provides: 'answer', execute: () => 42 });
        const service = await createTaskService({
          types: [taskType('ask', { flow: () => answer })],
          task: { executor: '${executor}', database: 'memory:' },
          taskflowExecutor: { engineMode: 'serial' },
        });
        const { id } = await service.submit('ask');
        console.log(JSON.stringify((await service.finished(id)).result));
        await service.close();
        for (const name of ['piscina', 'comlink', 'kysely', 'pg', '@photostructure/sqlite']) {
          await import(name).catch((error) => console.log(error.code)); // it could not have been loaded
        }
      `,
    });
    const { output } = project.node(['service.js']);
    assert.is(output, `{"answer":42}\n${'ERR_MODULE_NOT_FOUND\n'.repeat(5)}`);
  });
}

test('flows are recorded in memory without loading a database', () => {
  project.write({
    'storage.js': `
      import { run, task } from 'millrace';
      import { decodeStored, openStore } from 'millrace/storage';
      const answer = task(import.meta.url, { name: 'answer', provides: 'answer', execute: () => 42 });
      const store = await openStore('memory:');
      await run(answer, {}, { engine: 'serial', record: { store, id: 'one' } });
      const { atoms } = await store.read('one');
      console.log(decodeStored(atoms.get('answer').result));
      await openStore('sqlite:x').catch((error) => console.log(error.code)); // kysely could not have been loaded
    `,
  });
  assert.is(project.node(['storage.js']).output, '42\nERR_MODULE_NOT_FOUND\n');
});

test('a bundler leaves the package out of a program that imports it and uses nothing of it', () => {
  project.install('esbuild');
  project.write({ 'unused.js': `import { linear, run, task } from 'millrace';\nconsole.log('nothing');\n` });
  const bundled = project.command('esbuild', ['unused.js', '--bundle', '--format=esm', '--platform=node']);
  assert.is(bundled.code, 0, bundled.output);
  assert.match(bundled.stdout, 'nothing');
  assert.not.match(bundled.stdout, 'millrace');
});

test('what is not exported by the package cannot be imported', () => {
  project.write({ 'inside.js': `import 'millrace/dist/worker.js';` });
  assert.match(project.node(['inside.js']).output, 'ERR_PACKAGE_PATH_NOT_EXPORTED');
});

test('the package says which version it is', () => {
  project.write({
    'version.js': `
      import { createRequire } from 'node:module';
      console.log(createRequire(import.meta.url)('millrace/package.json').version);
    `,
  });
  const { version } = JSON.parse(readFileSync(join(project.folder, 'node_modules/millrace/package.json'), 'utf8'));
  assert.is(project.node(['version.js']).output, `${version}\n`);
  assert.match(readFileSync(join(project.folder, 'node_modules/millrace/CHANGELOG.md'), 'utf8'), `## [${version}]`);
});

test.run();
