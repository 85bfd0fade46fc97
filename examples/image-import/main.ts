/**
 * Imports a file into a store of images, once with the serial engine and once with the parallel one, and compares them.
 *
 *   npm start -- disk.qcow2 --out ./store
 */
import { constants, mkdtemp, open, rm } from 'node:fs/promises';
import { constants as os, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool, load, type Pool } from 'millrace';
import { Progress, table } from '../progress.js';
import { countChunks, importFlow, importInputs } from './flow.js';
import { ImageError } from './image-error.js';
import { type EngineName, type Options, readOptions, USAGE } from './options.js';

interface Imported {
  readonly engine: EngineName;
  readonly seconds: number;
  readonly sha256: string;
  readonly sha512: string;
  readonly path: string;
  readonly isNew: boolean;
}

async function main(options: Options, signal: AbortSignal): Promise<void> {
  const size = await sizeOf(options.file);
  // Its threads start when the parallel engine asks for them.
  await using pool = await createPool({ workers: options.workers });
  console.log(`${options.file}: ${size} bytes; Node.js ${process.version}`);

  const imports: Imported[] = [];
  for (const engine of options.engines) {
    console.log(engine === 'serial' ? '\nserial' : `\nparallel, workers: ${pool.size}`);
    imports.push(await importWith(engine, size, options, pool, signal));
  }
  console.log(`\n${compare(imports, size, options.out !== undefined)}`);

  const [first] = imports;
  const isEqual = imports.every(({ sha256, sha512 }) => sha256 === first.sha256 && sha512 === first.sha512);
  console.log(`\nsha256 ${first.sha256}\ndigests equal: ${isEqual ? 'yes' : 'no'}`);
  if (!isEqual) throw new ImageError('ERR_IMAGE_CHANGED', `${options.file} changed between the imports`);
}

/** Runs the import with one engine. Without `--out` it goes to a store of its own, so that each does the whole work. */
async function importWith(
  engine: EngineName,
  size: number,
  { file, chunkSize, out }: Options,
  pool: Pool,
  signal: AbortSignal,
): Promise<Imported> {
  const root = out ?? (await mkdtemp(join(tmpdir(), 'image-import-')));
  try {
    const start = performance.now();
    const inputs = importInputs(file, size, root);
    await using run = load(importFlow(size, chunkSize), { inputs, engine, pool, signal });
    const stages = { inspect: 1, sha256: 1, sha512: 1, compress: countChunks(size, chunkSize), assemble: 1 };
    new Progress({ ...stages, verify: 1, store: 1 }).watch(run);
    const { sha256, sha512, stored } = await run.run();
    return { engine, seconds: (performance.now() - start) / 1000, sha256, sha512, ...stored };
  } finally {
    if (out === undefined) await rm(root, { recursive: true, force: true });
  }
}

function compare(imports: readonly Imported[], size: number, isKept: boolean): string {
  const rows = imports.map(({ engine, seconds, path, isNew }) => [
    engine,
    seconds.toFixed(2),
    (size / 1e6 / seconds).toFixed(1),
    `${(imports[0].seconds / seconds).toFixed(2)}x`,
    path + (isNew ? '' : ' (was there already)') + (isKept ? '' : ' (removed)'),
  ]);
  return table([['engine', 'seconds', 'MB/s', 'speed-up', 'stored as'], ...rows]);
}

/** The size of the file in bytes, once it is sure that it is a file and may be read. */
async function sizeOf(path: string): Promise<number> {
  // Non-blocking, so that a named pipe is refused rather than waited for.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new ImageError('ERR_IMAGE_NOT_A_FILE', `${path} is not a regular file`);
    return found.size;
  } finally {
    await file.close();
  }
}

/** One line that says what went wrong, and what to do where the cause is not in the message. */
function explain(error: unknown): string {
  if (error instanceof AggregateError) return explain(error.errors[0]);
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'AbortError') return 'interrupted; nothing half-done is left behind';
  if (code === 'ENOSPC') return `${message}; free some space, or choose another disk with --out`;
  return message.split('\n', 1)[0];
}

const interruption = new AbortController();
let exitCode = 0;
function interrupt(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGPIPE'): void {
  exitCode ||= 128 + os.signals[signal];
  interruption.abort();
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
process.stdout.on('error', () => interrupt('SIGPIPE')); // its reader has left, as `head` does

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else await main(options, interruption.signal);
} catch (error) {
  exitCode ||= 1;
  const isUsage = error instanceof ImageError && error.code === 'ERR_IMAGE_USAGE';
  console.error(`image-import: ${explain(error)}${isUsage ? `\n\n${USAGE}` : ''}`);
}
process.exitCode = exitCode;
