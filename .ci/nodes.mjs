/**
 * Fetches the newest Node.js of a line from the npm registry, and links its binary as `<folder>/node`.
 *
 *   node .ci/nodes.mjs 22 /some/folder
 *
 * The package `node` has its binary fetched by an install script, which npm may be told not to run; the packages that hold the
 * binaries need none.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';

const [line, to] = process.argv.slice(2);
const folder = resolve(to);
const name = `node-${process.platform}-${process.arch}`;

mkdirSync(folder, { recursive: true });
execFileSync('npm', ['install', '--no-save', '--ignore-scripts', '--prefix', folder, `${name}@${line}`], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
const binary = join(folder, 'node_modules', name, 'bin/node');
symlinkSync(binary, join(folder, 'node'));

const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim();
if (!version.startsWith(`v${line}.`)) throw new Error(`Expected Node.js ${line}, got ${version}`);
console.log(version);
