import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CHUNK_SIZE } from './flow.js';
import { ImageError } from './image-error.js';

export const USAGE = `Usage: node build/examples/image-import/main.js [FILE] [options]

Imports an image into a store: digests it, compresses it in chunks, reads it back, and files it under its digest.
FILE is the Node.js binary when it is left out.

  --engine serial|parallel|both   which engine runs the flow (both)
  --workers N|auto                how many worker threads the parallel engine uses (auto)
  --chunk SIZE                    how much one task compresses, 64KiB to 256MiB (4MiB)
  --out DIR                       the store to import into (a temporary one that is removed at the end)
  --help                          this text`;

export type EngineName = 'serial' | 'parallel';

export interface Options {
  readonly help: boolean;
  readonly file: string;
  readonly engines: readonly EngineName[];
  readonly workers: number | 'auto';
  /** In bytes. */
  readonly chunkSize: number;
  readonly out: string | undefined;
}

export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parse(args);
  if (positionals.length > 1) throw usageError(`expected one FILE, received ${positionals.length}`);
  return {
    help: values.help ?? false,
    file: resolve(positionals[0] ?? process.execPath),
    engines: readEngines(values.engine),
    workers: readWorkers(values.workers),
    chunkSize: readChunkSize(values.chunk),
    out: values.out === undefined ? undefined : resolve(values.out),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        engine: { type: 'string', default: 'both' },
        workers: { type: 'string', default: 'auto' },
        chunk: { type: 'string' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw usageError((error as Error).message.split('. ', 1)[0]);
  }
}

export function readEngines(text: string): readonly EngineName[] {
  if (text === 'both') return ['serial', 'parallel'];
  if (text === 'serial' || text === 'parallel') return [text];
  throw usageError(`--engine must be serial, parallel or both, received '${text}'`);
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
