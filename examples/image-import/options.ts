import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { ConfigOptions } from 'millrace';
import { CHUNK_SIZE } from './flow.js';
import { ImageError } from './image-error.js';

export const USAGE = `Usage: npm start -- [FILE] [options]

Submits a task that imports an image into a store, and has it carried out: the image is digested, compressed in chunks,
read back, and filed under its digest. FILE is the Node.js binary when it is left out.

  --executor NAME            who carries the task out: direct or taskflow
  --engine serial|parallel   which engine the taskflow executor has
  --workers N|auto           how many worker threads the parallel engine uses
  --compare                  imports FILE three times: direct, taskflow serial and taskflow parallel, and compares them
  --chunk SIZE               how much one step compresses, 64KiB to 256MiB (4MiB)
  --out DIR                  the store to import into (a temporary one that is removed at the end)
  --help                     this text

What is not said comes from the environment (MILLRACE_TASK_EXECUTOR, MILLRACE_TASKFLOW_EXECUTOR_ENGINE_MODE,
MILLRACE_TASKFLOW_EXECUTOR_MAX_WORKERS, MILLRACE_TASK_DATABASE), from millrace.config.json, or from the defaults.`;

export interface Options {
  readonly help: boolean;
  readonly file: string;
  readonly compare: boolean;
  /** How each import is to be carried out; what is `undefined` is left to the configuration. */
  readonly settings: readonly ConfigOptions[];
  /** In bytes. */
  readonly chunkSize: number;
  readonly out: string | undefined;
}

export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  if (positionals.length > 1) throw usageError(`expected one FILE, received ${positionals.length}`);
  const { help = false, compare = false, executor, out } = values;
  if (compare && (executor ?? values.engine) !== undefined) {
    throw usageError('--compare has every executor and engine; leave --executor and --engine out');
  }
  const engine = values.engine === undefined ? undefined : readEngine(values.engine);
  const workers = values.workers === undefined ? undefined : readWorkers(values.workers);
  return {
    help,
    file: resolve(positionals[0] ?? process.execPath),
    compare,
    settings: compare
      ? [choose('direct'), choose('taskflow', 'serial'), choose('taskflow', 'parallel', workers)]
      : [choose(executor, engine, workers)],
    chunkSize: readChunkSize(values.chunk),
    out: out === undefined ? undefined : resolve(out),
  };
}

function choose(executor?: string, engineMode?: 'serial' | 'parallel', maxWorkers?: number | 'auto'): ConfigOptions {
  return { task: { executor }, taskflowExecutor: { engineMode, maxWorkers } };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        executor: { type: 'string' },
        engine: { type: 'string' },
        workers: { type: 'string' },
        compare: { type: 'boolean' },
        chunk: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw usageError((error as Error).message.split('. ', 1)[0]);
  }
}

function readEngine(text: string): 'serial' | 'parallel' {
  if (text === 'serial' || text === 'parallel') return text;
  throw usageError(`--engine must be serial or parallel, received '${text}'`);
}

export function readWorkers(text: string): number | 'auto' {
  if (text === 'auto') return text;
  const workers = /^\d+$/.test(text) ? Number(text) : 0;
  if (workers >= 1 && workers <= 256) return workers;
  throw usageError(`--workers must be auto or a number from 1 to 256, received '${text}'`);
}

function readChunkSize(text: string | undefined): number {
  if (text === undefined) return CHUNK_SIZE;
  const [, digits, unit = ''] = /^(\d+)(?:([KMG])(?:iB)?)?$/i.exec(text) ?? [];
  const size = Number(digits) * 1024 ** ' KMG'.indexOf(unit.toUpperCase() || ' ');
  if (size >= 64 * 1024 && size <= 256 * 1024 ** 2) return size;
  throw usageError(`--chunk must be a size from 64KiB to 256MiB, such as 4MiB, received '${text}'`);
}

export function usageError(message: string): ImageError {
  return new ImageError('ERR_IMAGE_USAGE', message);
}
