/** Makes the program that is killed, of the sources, and perhaps with a mistake in them. */
import { copyFileSync, symlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { folder } from '../fixtures/config/folder.js';

/** A mistake: a text in a source, which is there exactly once, and what stands there instead. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly instead: string;
  /** Whether that is noticed within a few trials. */
  readonly soon?: boolean;
}

/** Returns the path of the program. */
export async function bundle(mutant?: Mutant): Promise<string> {
  const root = resolve('.');
  const outdir = folder({ 'package.json': '{ "type": "module" }' });
  symlinkSync(join(root, 'node_modules'), join(outdir, 'node_modules'), 'junction');
  copyFileSync('workers/worker.cjs', join(outdir, 'worker.cjs'));
  let applied = mutant === undefined;
  const plugin: Plugin = {
    name: 'mutant',
    setup: ({ onLoad }) =>
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        if (relative(root, path) !== mutant?.file) return undefined;
        const parts = (await readFile(path, 'utf8')).split(mutant.text);
        if (parts.length !== 2) throw new Error(`${mutant.name}: the text is there ${parts.length - 1} times`);
        applied = true;
        return { contents: parts.join(mutant.instead), loader: 'ts' };
      }),
  };
  await build({
    // What workers import is a module of its own.
    entryPoints: { child: 'test/durable/child.ts', witness: 'test/durable/witness.ts', worker: 'workers/worker.ts' },
    outdir,
    bundle: true,
    splitting: true,
    // Each process would spend half of its time on loading the modules of kysely one by one, and much of the rest on reading.
    ...{ minifyWhitespace: true, minifySyntax: true },
    external: ['piscina', 'pg', 'better-sqlite3', '@photostructure/sqlite', 'node:*'],
    alias: { millrace: resolve('src/index.ts') },
    ...{ platform: 'node', format: 'esm', target: 'node20', logLevel: 'silent' },
    plugins: [plugin],
  });
  if (!applied) throw new Error(`${mutant!.name}: ${mutant!.file} is not part of the program`);
  return join(outdir, 'child.js');
}
