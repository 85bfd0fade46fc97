/**
 * Imports a file into a store of images, as a service does: an `import` task is submitted, and the executor that the
 * configuration names carries it out.
 *
 *   npm start -- disk.qcow2 --out ./store
 */
import { statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants as os, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigOptions } from 'millrace';
import { createTaskService, type ExecutorDescription, type TaskService } from 'millrace/service';
import { Progress, table } from '../progress.js';
import { countChunks } from './chunks.js';
import { ImageError } from './image-error.js';
import { type ImportResult, importType } from './import.type.js';
import { type Options, readOptions, USAGE } from './options.js';

interface Imported {
  readonly by: ExecutorDescription;
  readonly seconds: number;
  readonly result: ImportResult;
}

async function main(options: Options, signal: AbortSignal): Promise<void> {
  const imports: Imported[] = [];
  for (const settings of options.settings) imports.push(await importWith(settings, options, signal));
  if (options.compare) compare(imports, options.file);
  else show(imports[0], options.out === undefined);
}

/** Starts a service for one import. Without `--out` it has a store of its own, so that each import does the whole work. */
async function importWith(settings: ConfigOptions, options: Options, signal: AbortSignal): Promise<Imported> {
  const { chunkSize, out } = options;
  const root = out ?? (await mkdtemp(join(tmpdir(), 'image-import-')));
  // The whole story of an interruption is told at the end.
  const say = (message: string) => signal.aborted || console.error(`image-import: ${firstLine(message)}`);
  try {
    const service = await createTaskService({
      ...settings,
      types: [importType({ root, chunkSize })],
      logger: { warn: say, error: say },
      handleSignals: false,
    });
    try {
      return await importBy(service, options, signal);
    } finally {
      await service.close({ timeout: 0 }); // an interrupted task fails, and undoes what it has done
    }
  } finally {
    if (out === undefined) await rm(root, { recursive: true, force: true });
  }
}

/** Submits the task, shows how far it is, and how it has ended. */
async function importBy(service: TaskService, options: Options, signal: AbortSignal): Promise<Imported> {
  const { file, chunkSize } = options;
  const { executor: by } = service;
  const { database } = service.config.task;
  // The address of a server may hold a password.
  const records = database.startsWith('postgres') ? 'PostgreSQL' : database;
  console.log(`\nfile      ${file}\nexecutor  ${nameOf(by)}\nrecords   ${records}`);

  const start = performance.now();
  const { id, type } = await service.submit('import', { path: file });
  service.on('start', (task, run) => {
    if (task.id !== id) return; // a killed process has left it, and this one carries it out
    const chunks = countChunks(statSync(file).size, chunkSize);
    const stages = { inspect: 1, sha256: 1, sha512: 1, compress: chunks, assemble: 1, verify: chunks, store: 1 };
    new Progress(stages).watch(run);
  });
  const { status, result, message } = await service.finished(id, { signal });
  const seconds = (performance.now() - start) / 1000;

  console.log(`task      ${id} (${type})\nstatus    ${status}\nseconds   ${seconds.toFixed(2)}`);
  if (status === 'failure') throw new ImageError('ERR_IMAGE_NOT_IMPORTED', message);
  return { by, seconds, result: result as unknown as ImportResult };
}

function show({ seconds, result }: Imported, isRemoved: boolean): void {
  console.log(`MB/s      ${speedOf(result.size, seconds)}\nresult    ${JSON.stringify(result, undefined, 2)}`);
  if (isRemoved) console.log('The store was a temporary one, which is removed; --out DIR names one that is kept.');
}

function compare(imports: readonly Imported[], file: string): void {
  const [first] = imports;
  const rows = imports.map(({ by, seconds, result }) => [
    nameOf(by),
    seconds.toFixed(2),
    speedOf(result.size, seconds),
    `${(first.seconds / seconds).toFixed(2)}x`,
  ]);
  console.log(`\n${table([['executor', 'seconds', 'MB/s', 'speed-up'], ...rows])}`);

  const { sha256, sha512 } = first.result;
  const isEqual = imports.every(({ result }) => result.sha256 === sha256 && result.sha512 === sha512);
  console.log(`\nsha256 ${sha256}\ndigests equal: ${isEqual ? 'yes' : 'no'}`);
  if (!isEqual) throw new ImageError('ERR_IMAGE_CHANGED', `${file} changed between the imports`);
}

function nameOf({ executor, engine, workers }: ExecutorDescription): string {
  return [executor, engine, workers && `workers: ${workers}`].filter(Boolean).join(', ');
}

function speedOf(size: number, seconds: number): string {
  return (size / 1e6 / seconds).toFixed(1);
}

/** One line that says what went wrong. */
function explain(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'AbortError') return 'interrupted; nothing half-done is left behind';
  return firstLine(message) + (code === 'ERR_IMAGE_USAGE' ? '; --help tells the options' : '');
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0];
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
  console.error(`image-import: ${explain(error)}`);
}
process.exitCode = exitCode;
