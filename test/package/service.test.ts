import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blocksOf, Project } from './project.js';

const project = new Project();
project.install('typescript', '@types/node');

const typed = blocksOf('docs/task-types.md').filter(({ language }) => language === 'ts');

/** The file of an example of the documentation. */
function example(name: string): string {
  return typed.find((block) => block.name === name)!.text;
}

const main = `
  import { createTaskService } from 'millrace/service';
  import { words } from './words.js';

  const service = await createTaskService({ types: [words], task: { database: 'memory:' } });
  const { id } = await service.submit('words', { text: 'to be' });
  const { status, result } = await service.finished(id);
  console.log(status, result);
  await service.close();
`;

const plain = example('words.ts').replace(': { text: string }', '');

test('the task service is used from JavaScript', () => {
  project.write({ 'js/words.js': plain, 'js/main.js': main });
  assert.is(project.node(['main.js'], 'js').output, 'success { words: 2 }\n');
});

test('the task service is used from CommonJS with import()', () => {
  const imported = main.replaceAll(/import (.*) from (.*);/g, 'const $1 = await import($2);');
  project.write({ 'cjs/words.js': plain, 'cjs/main.cjs': `(async () => {${imported}})();` });
  assert.is(project.node(['main.cjs'], 'cjs').output, 'success { words: 2 }\n');
});

test('the task service is used from TypeScript', () => {
  const compilerOptions = { target: 'es2022', module: 'nodenext', strict: true, types: ['node'], outDir: 'dist' };
  project.write({
    'ts/words.ts': example('words.ts'),
    'ts/main.ts': main,
    'ts/tsconfig.json': JSON.stringify({ compilerOptions, files: ['main.ts'] }),
  });
  assert.is(project.command('tsc', ['-p', '.'], 'ts').output, '');
  assert.is(project.node(['dist/main.js'], 'ts').output, 'success { words: 2 }\n');
});

/** Compiles a module strictly, the declarations of the package too, and says what the compiler says. */
function check(folder: string, text: string, resolution: Readonly<Record<string, string>>): string {
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  const compilerOptions = { target: 'es2022', lib: ['es2022'], noEmit: true, skipLibCheck: false, ...strict };
  const tsconfig = { compilerOptions: { ...compilerOptions, ...resolution }, files: ['main.ts'] };
  project.write({ [`${folder}/main.ts`]: text, [`${folder}/tsconfig.json`]: JSON.stringify(tsconfig) });
  return project.command('tsc', ['-p', '.'], folder).output;
}

for (const [moduleResolution, module] of [
  ['nodenext', 'nodenext'],
  ['bundler', 'esnext'],
] as const) {
  test(`the declarations of the service, and of storage, hold by themselves, with the module resolution ${moduleResolution}`, () => {
    const use = `
      import { MemoryTaskRepository, type TaskRecord, type TaskService } from 'millrace/service';
      import { atomTree, decodeStored, openStore, type RecordedFlow, type Store } from 'millrace/storage';
      export const repository = new MemoryTaskRepository();
      export async function resultOf(service: TaskService, id: string): Promise<TaskRecord['result']> {
        const { result, expiresAt } = await service.finished(id, { signal: AbortSignal.timeout(1000) });
        return expiresAt === null ? null : result;
      }
      const store: Store = await openStore('memory:', { durability: 'full' });
      export const flow: RecordedFlow = await store.read('id');
      export const values = atomTree(flow).map(({ atom }) => atom.result && decodeStored(atom.result));
    `;
    assert.is(check(`types-${moduleResolution}`, use, { module, moduleResolution }), '');
  });
}

test('a flow that its task type does not feed does not compile', () => {
  const wrong = `${example('words.ts')}\nexport const hungry = taskType('hungry', { flow: (_: {}) => count });`;
  assert.match(check('hungry', wrong, { module: 'nodenext' }), `Property 'inputs' is missing`);
});

test.run();
