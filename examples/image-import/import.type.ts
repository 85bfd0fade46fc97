/** The import as a type of task: what a service needs to know of it, to take such tasks and to have them carried out. */
import { constants, open } from 'node:fs/promises';
import { type TaskType, taskType } from 'millrace/service';
import { CHUNK_SIZE, importFlow, importInputs } from './flow.js';
import type { ImageFormat } from './formats.js';
import { ImageError } from './image-error.js';

/** What whoever runs the service decides; whoever submits a task only names a file. */
export interface ImportSettings {
  /** The folder of the store. */
  readonly root: string;
  /** How much one task compresses, in bytes. Default: {@link CHUNK_SIZE}. */
  readonly chunkSize?: number;
}

/** What comes of an `import` task. */
export interface ImportResult {
  /** Where the store has the image, as a gzip file. */
  readonly path: string;
  /** `false` when it was there already. */
  readonly isNew: boolean;
  readonly format: ImageFormat;
  /** In bytes. */
  readonly size: number;
  readonly compressedSize: number;
  readonly sha256: string;
  readonly sha512: string;
}

/** Makes the task type `import`. Its input is `{ path }`: the file to import. */
export function importType({ root, chunkSize = CHUNK_SIZE }: ImportSettings): TaskType {
  return taskType('import', {
    requires: ['path'],
    check: async ({ path }) => ({ path: path as string, size: await sizeOf(path) }),
    flow: ({ size }) => importFlow(size, chunkSize),
    inputs: ({ path, size }) => importInputs(path, size, root),
    result: ({ stored, format, compressedSize, sha256, sha512 }, { size }): ImportResult => {
      return { ...stored, format, size, compressedSize, sha256, sha512 };
    },
  });
}

/** The size of a file in bytes, once it is sure that it is a file and may be read. */
async function sizeOf(path: unknown): Promise<number> {
  if (typeof path !== 'string') throw new ImageError('ERR_IMAGE_NOT_A_FILE', "'path' must be the path of a file");
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
