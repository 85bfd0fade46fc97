import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const prelude = `
import { graph, linear, run, task } from 'millrace';
const decode = task({ name: 'decode', requires: ['path'], provides: 'pixels',
  execute: ({ path }: { path: string }) => new Uint8Array(path.length) });
const resize = task({ name: 'resize', requires: ['pixels', 'width'], provides: 'thumb',
  execute: ({ pixels, width }: { pixels: Uint8Array; width: number }) => pixels.subarray(width) });
const print = task({ name: 'print', requires: ['pixels'], execute: ({ pixels }: { pixels: string }) => pixels });
const thumbnail = linear('thumbnail', decode, resize);
export { decode, graph, linear, print, resize, run, task, thumbnail };
`;

/** One compiler run for all the programs: each is a file, its last line the one that is wrong. */
const programs = {
  correct: `await run(thumbnail, { path: 'a.png', width: 320 });`,
  missingInput: `await run(thumbnail, { path: 'a.png' });`,
  missingInputs: `await run(thumbnail, {});`,
  noInputs: `await run(thumbnail);`,
  illTypedLiteral: `await run(thumbnail, { path: 'a.png', width: '320' });`,
  illTypedVariable: `const inputs = { path: 'a.png', width: '320' };\nawait run(thumbnail, inputs);`,
  clash: `linear('clash', decode, print);`,
  clashInGraph: `graph('clash', print, decode);`,
  undeclared: `task({ name: 'a', requires: ['width'], execute: (size: { width: number; height: number }) => size });`,
  undeclaredOptional: `task({ name: 'a', requires: ['width'], execute: (size: { width: number; depth?: number }) => size });`,
};
type Program = keyof typeof programs;

/** What the compiler says of each program. */
let messages: Map<Program, string>;

function compile(): Map<Program, string> {
  const cache = join(root, 'build');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'millrace-types-'));
  try {
    writeFileSync(join(folder, 'prelude.mts'), prelude);
    for (const [name, lines] of Object.entries(programs)) {
      const source = `import { decode, graph, linear, print, run, task, thumbnail } from './prelude.mjs';\n${lines}\n`;
      writeFileSync(join(folder, `${name}.mts`), source);
    }
    const compilerOptions = {
      noUnusedLocals: false,
      typeRoots: [join(root, 'node_modules/@types')],
      paths: { millrace: [join(root, 'src/index.ts')] },
    };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.mts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const output = tsc(folder);
    const found = new Map<Program, string>();
    for (const name of Object.keys(programs) as Program[]) found.set(name, about(`${name}.mts`, output));
    return found;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function tsc(folder: string): string {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  try {
    return execFileSync(process.execPath, [compiler, '--pretty', 'false', '-p', folder], {
      cwd: folder,
      encoding: 'utf8',
    });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

/** The messages about a file: a line that begins with its name, and the indented lines after it. */
function about(file: string, output: string): string {
  const messages = output.split(/\n(?=\S)/);
  return messages.filter((message) => message.startsWith(`${file}(`)).join('\n');
}

test.before(() => {
  messages = compile();
});

test('a run with all its inputs compiles', () => {
  assert.is(messages.get('correct'), '');
});

test('the compiler names an input that is missing', () => {
  assert.match(messages.get('missingInput')!, `Property 'width' is missing in type '{ path: string; }'`);
});

test('the compiler names all the inputs that are missing', () => {
  assert.match(messages.get('missingInputs')!, /missing the following properties .*: path, width/);
});

test('the compiler names the missing inputs when a run is given none', () => {
  assert.match(messages.get('noInputs')!, /missing the following properties .*: path, width/);
});

test('the compiler points at an input of the wrong type', () => {
  const column = programs.illTypedLiteral.indexOf('width') + 1;
  assert.match(messages.get('illTypedLiteral')!, `illTypedLiteral.mts(2,${column}): error TS2322`);
  assert.match(messages.get('illTypedLiteral')!, `Type 'string' is not assignable to type 'number'`);
});

test('the compiler names an input of the wrong type in an object made before', () => {
  const message = messages.get('illTypedVariable')!;
  assert.match(message, `Types of property 'width' are incompatible`);
  assert.match(message, `Type 'string' is not assignable to type 'number'`);
});

for (const [program, pattern] of [
  ['clash', 'linear'],
  ['clashInGraph', 'graph'],
] as const) {
  test(`the compiler names what one item of a ${pattern} flow gives and another does not accept, and both types`, () => {
    const message = messages.get(program)!;
    assert.match(message, `Types of property 'pixels' are incompatible`);
    assert.match(message, /Type 'Uint8Array(<ArrayBuffer>)?' is not assignable to type 'string'/);
  });
}

test('the compiler names an argument of execute that the task does not declare', () => {
  assert.match(messages.get('undeclared')!, `Property 'height' is missing`);
});

test('the compiler names an optional argument of execute that the task does not declare', () => {
  assert.match(messages.get('undeclaredOptional')!, `Types of property 'depth' are incompatible`);
  assert.match(messages.get('undeclaredOptional')!, 'NotInRequiresOptionalOrInject');
});

test.run();
