import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blocksOf, type Ended, Project } from './project.js';

const project = new Project();
project.install('esbuild', 'tsx', 'typescript', '@types/node');

const blocks = blocksOf('docs/projects.md');

/** Makes a folder of the project with the files of the page. */
function folder(name: string, ...files: readonly string[]): string {
  for (const file of files) {
    const block = blocks.find((one) => one.name === file);
    assert.ok(block, `expected a block with ${file}`);
    project.write({ [`${name}/${file}`]: block!.text });
  }
  return name;
}

/** A shell command of the page, in words. */
function command(start: string): string[] {
  const line = blocks.find(({ language, text }) => language === 'sh' && text.startsWith(start))?.text;
  assert.ok(line, `expected a block with ${start}`);
  return line!.trim().split(' ').slice(1);
}

function prints({ code, output }: Ended, expected: string): void {
  assert.is(output, `${expected}\n`);
  assert.is(code, 0);
}

const { features } = process as { features: { require_module?: boolean; typescript?: string | false } };

test('a project in JavaScript runs tasks on workers', () => {
  const cwd = folder('js', 'count.tasks.js', 'main.js');
  prints(project.node(['main.js'], cwd), '{ words: 6 }');
});

test('a CommonJS program imports the package with import()', () => {
  const cwd = folder('cjs', 'count.tasks.js', 'main.cjs');
  prints(project.node(['main.cjs'], cwd), '{ words: 6 }');
});

(features.require_module ? test : test.skip)('task modules may be CommonJS where ES modules can be required', () => {
  const cwd = folder('require', 'count.tasks.cjs', 'require.cjs');
  prints(project.node(['require.cjs'], cwd), '{ words: 6 }');
});

test('a project in TypeScript is compiled by tsc', () => {
  const cwd = folder('tsc', 'count.tasks.ts', 'main.ts');
  project.write({ 'tsc/tsconfig.json': blocks.find(({ language }) => language === 'json')!.text });
  const compiled = project.command('tsc', ['-p', '.'], cwd);
  assert.is(compiled.code, 0, compiled.output);
  prints(project.node(['dist/main.js'], cwd), '6');
});

/** Compiles main.ts strictly, the declarations of the package too. */
function check(cwd: string, options: Readonly<Record<string, unknown>>): Ended {
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  const compilerOptions = { target: 'es2022', noEmit: true, skipLibCheck: false, ...strict, ...options };
  project.write({ [`${cwd}/tsconfig.json`]: JSON.stringify({ compilerOptions, files: ['main.ts'] }) });
  return project.command('tsc', ['-p', '.'], cwd);
}

for (const [moduleResolution, module] of [
  ['nodenext', 'nodenext'],
  ['bundler', 'esnext'],
]) {
  test(`the declarations of the package hold by themselves, with the module resolution ${moduleResolution}`, () => {
    const cwd = folder(`types-${moduleResolution}`, 'count.tasks.ts', 'main.ts');
    const { output } = check(cwd, { module, moduleResolution, lib: ['es2022'] });
    assert.is(output, '');
  });

  test(`a missing input does not compile, with the module resolution ${moduleResolution}`, () => {
    const cwd = folder(`types-missing-${moduleResolution}`, 'count.tasks.ts', 'main.ts');
    const main = join(project.folder, cwd, 'main.ts');
    writeFileSync(main, readFileSync(main, 'utf8').replace(/\{ text: .* \}/, '{}'));
    const { code, output } = check(cwd, { module, moduleResolution, types: ['node'] });
    assert.match(output, `Property 'text' is missing`);
    assert.is.not(code, 0);
  });
}

(features.typescript ? test : test.skip)(
  'task modules in TypeScript run without a loader where Node.js does that',
  () => {
    const cwd = folder('native', 'count.tasks.ts', 'main.ts');
    const main = join(project.folder, cwd, 'main.ts');
    writeFileSync(main, readFileSync(main, 'utf8').replace('./count.tasks.js', './count.tasks.ts'));
    const { code, stdout } = project.node(command('node main.ts'), cwd);
    assert.is(stdout, '6\n');
    assert.is(code, 0);
  },
);

test('task modules in TypeScript run through tsx, on the workers too', () => {
  const cwd = folder('tsx', 'count.tasks.ts', 'main.ts', 'register.mjs');
  const { code, stdout, output } = project.node(command('node --import'), cwd);
  assert.is(stdout, '6\n', output);
  assert.is(code, 0);
});

test('a project is bundled with its task modules as entry points', () => {
  const cwd = folder('entries', 'count.tasks.ts', 'main.ts');
  const bundled = project.command('esbuild', command('esbuild main.ts'), cwd);
  assert.is(bundled.code, 0, bundled.output);
  prints(project.node(['dist/main.js'], cwd), '6');
});

test('a project is bundled into one file that starts nothing in a worker', () => {
  const cwd = folder('guarded', 'count.tasks.ts', 'guarded.ts');
  const bundled = project.command('esbuild', command('esbuild guarded.ts'), cwd);
  assert.is(bundled.code, 0, bundled.output);
  prints(project.node(['dist/guarded.js'], cwd), '6');
});

test('a bundle that starts its flow in a worker too is told how to avoid that', () => {
  const cwd = folder('unguarded', 'count.tasks.ts', 'main.ts');
  const options = ['--bundle', '--format=esm', '--platform=node', '--packages=external', '--outfile=dist/main.js'];
  project.command('esbuild', ['main.ts', ...options], cwd);
  const { code, output } = project.node(['dist/main.js'], cwd);
  assert.match(output, 'ERR_MILLRACE_MODULE_LOAD');
  assert.match(output, 'ERR_MILLRACE_NOT_IN_WORKER');
  assert.match(output, 'isMainThread');
  assert.is.not(code, 0);
});

test('a bundle whose format has no import.meta.url is told so', () => {
  const cwd = folder('no-url', 'count.tasks.ts');
  const options = ['--bundle', '--format=cjs', '--platform=node', '--packages=external', '--log-level=error'];
  project.command('esbuild', ['count.tasks.ts', ...options, '--outfile=dist/count.tasks.cjs'], cwd);
  const { output } = project.node(['--eval', `import('./dist/count.tasks.cjs')`], cwd);
  assert.match(output, `Task 'count': the first argument must be the URL of the task's module`);
});

test.run();
