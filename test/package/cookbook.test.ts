/** What the cookbook and the page on states say that their code prints, it prints, on both engines; and no recipe lacks a part. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blocksIn, Project, root } from './project.js';

const project = new Project();
project.install('typescript', '@types/node');

interface Section {
  readonly heading: string;
  readonly text: string;
}

function sectionsOf(page: string): Section[] {
  const text = readFileSync(join(root, page), 'utf8');
  return text.split(/^##? /m).map((section) => ({ heading: section.split('\n', 1)[0]!, text: section }));
}

/** Code of a page, and the text that follows it: what it prints. */
interface Printing {
  readonly heading: string;
  readonly file: string;
  readonly printed: string;
}

const files: string[] = [];

/** Writes the code of a section to files, and tells which of it is said to print something. */
function write({ heading, text }: Section, folder: string): Printing[] {
  const blocks = blocksIn(text);
  return blocks.flatMap((block, index) => {
    if (block.language !== 'ts') return [];
    const path = `${folder}/${block.name ?? `main-${index}.ts`}`;
    project.write({ [path]: `${block.text}\nexport {};\n` });
    files.push(path);
    const next = blocks[index + 1];
    if (next?.language !== 'text') return [];
    return [{ heading, file: `built/${path.replace(/\.ts$/, '.js')}`, printed: next.text }];
  });
}

const [, , ...recipes] = sectionsOf('docs/cookbook.md'); // after what is before the title, and the introduction
const printing = [...recipes, ...sectionsOf('docs/states.md')].flatMap((section, index) => write(section, `${index}`));

test('the code of the pages compiles', () => {
  const compilerOptions = {
    ...{ target: 'es2022', module: 'nodenext', strict: true, types: ['node'], noUncheckedIndexedAccess: true },
    ...{ exactOptionalPropertyTypes: true, rootDir: '.', outDir: 'built' },
  };
  project.write({ 'tsconfig.json': JSON.stringify({ compilerOptions, files }) });
  assert.is(project.command('tsc', ['-p', '.']).output, '');
});

/** What each file prints. All run in one process, one after the other. */
function run(engine: string): Map<string, string> {
  const imports = printing.map(
    ({ file }) => `console.log('--- ${file}'); await import('./${file}').catch(console.log);\n`,
  );
  project.write({ 'all.js': imports.join('') });
  const { output } = project.node(['all.js'], '.', { MILLRACE_ENGINE: engine });
  const [, ...outputs] = output.split(/^--- /m);
  return new Map(outputs.map((text) => [text.slice(0, text.indexOf('\n')), text.slice(text.indexOf('\n') + 1)]));
}

for (const engine of ['serial', 'parallel']) {
  let outputs: Map<string, string>;
  test(`the code of the pages runs (${engine})`, () => {
    outputs = run(engine);
    assert.is(outputs.size, printing.length);
  });
  for (const { heading, file, printed } of printing) {
    test(`${heading}: the code prints what the page says (${engine})`, () => {
      assert.is(outputs.get(file), printed);
    });
  }
}

for (const { heading, text } of recipes) {
  test(`${heading}: the recipe says what it prints, how it fails, its pitfalls and its limitations`, () => {
    assert.ok(printing.some((one) => one.heading === heading));
    for (const part of [/^On (failure|abort) /m, /^Pitfalls:\n\n- /m, /^Limitations:\n\n- /m]) assert.match(text, part);
  });
}

test.run();
