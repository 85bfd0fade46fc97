import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blocksOf, Project, root } from './project.js';

const project = new Project();
project.install('typescript', '@types/node');

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const docs = readdirSync(join(root, 'docs')).map((name) => `docs/${name}`);
const pages = ['README.md', ...docs];

test('the first example of the README runs as it stands', () => {
  for (const { name, text } of blocksOf('README.md')) if (name) project.write({ [name]: text });
  const { code, stdout, output } = project.node(['main.js']);
  assert.is(code, 0, output);
  const [target, sha256] = stdout.trim().split(' ');
  const bytes = readFileSync(join(project.folder, 'package.json'));
  assert.is(sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.equal(gunzipSync(readFileSync(join(project.folder, target!))), bytes);
});

test('the service of the README carries a task out, as its configuration says', () => {
  const blocks = blocksOf('README.md');
  for (const { name, text } of blocks) if (name) project.write({ [`service/${name}`]: text });
  const { text: config } = blocks.find(({ language }) => language === 'json')!;
  project.write({ 'service/millrace.config.json': config });
  const { code, output } = project.node(['service.js'], 'service');
  assert.is(code, 0, output);
  assert.match(output, createHash('sha256').update('to be or not to be').digest('hex'));
  assert.match(output, /^success /);
});

/** The TypeScript of the pages, each block a module of its own; those of one page may import its named ones. */
function examples(): string[] {
  return docs.flatMap((page) => {
    const folder = page.replace('docs/', 'docs-').replace('.md', '');
    const typescript = blocksOf(page).filter(({ language }) => language === 'ts');
    return typescript.map(({ name, text }, index) => {
      const path = `${folder}/${name ?? `example-${index}.ts`}`;
      project.write({ [path]: `${text}\nexport {};\n` });
      return path;
    });
  });
}

test('every TypeScript example of the documentation compiles and runs', () => {
  const files = examples();
  const compilerOptions = {
    ...{ target: 'es2022', module: 'nodenext', strict: true, types: ['node'], noUncheckedIndexedAccess: true },
    ...{ rootDir: '.', outDir: 'built' },
  };
  project.write({ 'tsconfig.json': JSON.stringify({ compilerOptions, files }) });
  const compiled = project.command('tsc', ['-p', '.']);
  assert.is(compiled.output, '');
  const built = files.map((file) => `await import('./built/${file.replace(/\.ts$/, '.js')}');`);
  project.write({ 'all.js': built.join('\n') });
  const { code, output } = project.node(['all.js']);
  assert.is(code, 0, output);
});

/** A name is documented where it heads a section or an entry of a list. */
function isDocumented(name: string): boolean {
  const place = new RegExp(`^(#+|-) [^{\n]*\`[^\`\n]*\\b${name}\\b[^\`\n]*\`|^- \`\\w+\` \\{${name}\\}`, 'm');
  return docs.some((page) => place.test(read(page)));
}

/** The names that an entry point of the package exports. */
function exportsOf(entry: string): string[] {
  return [...read(entry).matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) =>
    names!
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter((name) => name !== ''),
  );
}

const entries = ['src/index.ts', 'src/observe/index.ts', 'src/service/index.ts', 'src/storage/index.ts'];
const exported = entries.flatMap(exportsOf);

test('the names that the package exports can be told', () => {
  for (const name of ['task', 'run', 'Engine', 'Pool', 'TaskContext', 'createTaskService', 'TaskRecord', 'Json']) {
    assert.ok(exported.includes(name), name);
  }
});

for (const name of exported) {
  test(`the documentation tells of ${name}`, () => {
    assert.ok(isDocumented(name));
  });
}

test('the documentation tells of every error code, and of none that does not exist', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  const text = sources.filter((file) => file.endsWith('.ts')).map((file) => read(join('src', file)));
  const codes = new Set([...text.join('\n').matchAll(/'(ERR_MILLRACE_[A-Z_]+|ABORT_ERR)'/g)].map(([, code]) => code!));
  const told = [...read('docs/errors.md').matchAll(/^### `(\w+)`$/gm)].map(([, code]) => code!);
  assert.equal(told.sort(), [...codes].sort());
});

/** The anchor that a heading gets. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

test('every link from page to page leads somewhere', () => {
  const anchors = new Map(
    pages.map((page) => [page, new Set([...read(page).matchAll(/^#+ (.*)$/gm)].map(([, text]) => anchor(text!)))]),
  );
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)]
      .filter(([, path, fragment]) => {
        const target = path === '' ? page : join(page, '..', path!);
        const found = anchors.get(target!);
        return !found || (fragment !== undefined && !found.has(fragment));
      })
      .map(([link]) => `${page}: ${link}`),
  );
  assert.equal(broken, []);
});

test.run();
