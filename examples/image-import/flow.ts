/**
 * The import as a flow. It reads like the sentence that describes it: what stands in a `linear` happens in that order,
 * what stands in an `unordered` may happen at the same time.
 */
import { randomUUID } from 'node:crypto';
import { basename, join } from 'node:path';
import { linear, unordered } from 'millrace';
import { assemble, clean, compress, inspect, prepare, sha256, sha512, store, verify } from './import.tasks.js';

/** 4 MiB: long enough to be worth a trip to a worker, and short enough that the workers finish together. */
export const CHUNK_SIZE = 4 * 1024 ** 2;

/** Into how many chunks a file of `size` bytes is cut. An empty file is one empty chunk: its archive is valid, too. */
export function countChunks(size: number, chunkSize: number): number {
  return Math.max(1, Math.ceil(size / chunkSize));
}

/**
 * Makes the flow that imports a file of `size` bytes. It takes what {@link importInputs} gives, and provides `stored`,
 * the digests and the format. Memory is bounded by one chunk and its compressed form a worker, whatever the size.
 */
export function importFlow(size: number, chunkSize = CHUNK_SIZE) {
  const chunks = countChunks(size, chunkSize);
  const compressChunks = Array.from({ length: chunks }, (_, index) => {
    const offset = index * chunkSize;
    const length = Math.min(chunkSize, size - offset);
    return compress.with({ name: `compress-${index}`, inject: { index, offset, length } });
  });

  return linear(
    'image-import',
    prepare,
    inspect,
    unordered(
      'read',
      sha256,
      sha512,
      linear('archive', unordered('compress', compressChunks), assemble.with({ inject: { chunks } })),
    ),
    verify,
    store.with({ inject: { chunks } }),
    clean,
  );
}

/** The inputs of the flow: a file of `size` bytes at `path`, and the folder `root` of the store that it goes to. */
export function importInputs(path: string, size: number, root: string) {
  // The workspace lies inside the store: to move a file within one file system is atomic.
  return { path, size, root, workspace: join(root, `.import-${randomUUID()}`), name: basename(path) };
}
