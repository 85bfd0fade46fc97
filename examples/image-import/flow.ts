/**
 * The import as a flow. It reads like the sentence that describes it: what stands in a `linear` happens in that order,
 * what stands in an `unordered` may happen at the same time.
 */
import { randomUUID } from 'node:crypto';
import { basename, join } from 'node:path';
import { linear, unordered } from 'millrace';
import { chunksOf } from './chunks.js';
import { assemble, clean, compress, inspect, prepare, sha256, sha512, store, verify } from './import.tasks.js';

/** 4 MiB: long enough to be worth a trip to a worker, and short enough that the workers finish together. */
export const CHUNK_SIZE = 4 * 1024 ** 2;

/**
 * Makes the flow that imports a file of `size` bytes. It takes what {@link importInputs} gives, and provides `stored`,
 * the digests and the format. Memory is bounded by one chunk and its compressed form a worker, whatever the size.
 */
export function importFlow(size: number, chunkSize = CHUNK_SIZE) {
  const parts = chunksOf(size, chunkSize);
  const chunks = parts.length;
  const compressChunks = parts.map((chunk) => compress.with({ name: `compress-${chunk.index}`, inject: chunk }));
  const verifyChunks = parts.map(({ index, length }) =>
    verify.with({ name: `verify-${index}`, inject: { index, length } }),
  );

  return linear(
    'image-import',
    prepare,
    inspect,
    unordered(
      'read',
      sha256.with({ inject: { chunkSize } }),
      sha512.with({ inject: { chunkSize } }),
      linear('archive', unordered('compress', compressChunks), assemble.with({ inject: { chunks } })),
    ),
    unordered('verify', verifyChunks),
    store.with({ inject: { chunks } }),
    clean,
  );
}

/** The inputs of the flow: a file of `size` bytes at `path`, and the folder `root` of the store that it goes to. */
export function importInputs(path: string, size: number, root: string) {
  // The workspace lies inside the store: to move a file within one file system is atomic.
  return { path, size, root, workspace: join(root, `.import-${randomUUID()}`), name: basename(path) };
}
