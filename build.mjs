/**
 * Builds everything. `dist/` is what the package ships: bundled, with what needs threads in chunks of their own that are
 * loaded when a run first asks for them. `build/` holds the tests, the benchmarks and the examples, which import `millrace`
 * as a user does.
 *
 *   node build.mjs           everything
 *   node build.mjs --fast    without the type declarations
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

process.chdir(fileURLToPath(new URL('.', import.meta.url)));

const sources = (folder) =>
  readdirSync(folder, { recursive: true })
    .map((file) => `${folder}/${file}`)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'));

/** The declarations that one of them needs, itself included. */
function reachable(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)) {
    reachable(join(file, '..', `${path}.d.ts`), found);
  }
  return found;
}

const node = { platform: 'node', format: 'esm', target: 'node20', sourcemap: true, logLevel: 'warning' };

rmSync('dist', { recursive: true, force: true });
rmSync('build', { recursive: true, force: true });

await build({
  ...node,
  entryPoints: {
    index: 'src/index.ts',
    observe: 'src/observe/index.ts',
    service: 'src/service/index.ts',
    storage: 'src/storage/index.ts',
    worker: 'workers/worker.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  packages: 'external', // piscina does not survive bundling
  sourcemap: false, // the sources are not shipped, and what is shipped can be read
});

// Task modules (examples, fixtures) must stay modules of their own: a worker imports them by their URL.
// Those of the tests may be workers that are built of the library's own parts.
const modules = ['examples', 'test/fixtures', 'bench', 'src', 'workers'].flatMap(sources);
await build({ ...node, entryPoints: modules, outdir: 'build', outbase: '.' });

// What starts a worker thread lies beside what the thread runs.
for (const folder of ['dist', 'build/workers', 'build/test/fixtures/threads']) {
  mkdirSync(folder, { recursive: true });
  copyFileSync('workers/worker.cjs', `${folder}/worker.cjs`);
}

// A test may look inside the library, so each is bundled with the internals that it imports.
await build({
  ...node,
  entryPoints: sources('test').filter((file) => file.endsWith('.test.ts')),
  outdir: 'build',
  outbase: '.',
  bundle: true,
  packages: 'external',
  external: ['millrace', '../fixtures/*', '../../examples/*'], // tsconfig.json would have `millrace` bundled from src
});

if (!process.argv.includes('--fast')) {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
  const doors = ['index', 'observe/index', 'service/index', 'storage/index'].map((door) => `dist/types/${door}.d.ts`);
  const needed = doors.reduce((found, door) => reachable(door, found), new Set());
  for (const file of readdirSync('dist/types', { recursive: true }).map((name) => join('dist/types', name))) {
    if (file.endsWith('.d.ts') && !needed.has(file)) rmSync(file);
  }
}
