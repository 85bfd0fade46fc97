/** How a file is cut into chunks: those that read it, compress it and read it back have to agree on that. */

/** A part of a file: its number, and where it lies, in bytes. */
export interface Chunk {
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}

/** Into how many chunks a file of `size` bytes is cut. An empty file is one empty chunk: its archive is valid, too. */
export function countChunks(size: number, chunkSize: number): number {
  return Math.max(1, Math.ceil(size / chunkSize));
}

export function chunksOf(size: number, chunkSize: number): Chunk[] {
  return Array.from({ length: countChunks(size, chunkSize) }, (_, index) => {
    const offset = index * chunkSize;
    return { index, offset, length: Math.min(chunkSize, size - offset) };
  });
}
