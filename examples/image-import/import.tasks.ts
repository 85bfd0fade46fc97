/**
 * The steps of an import. Each is a task that knows its module, so it may run on any worker thread; all that passes
 * between them is names and numbers, the bytes stay in files. Each task that writes has a `revert` that removes whatever
 * it may have written, also when it failed half-way: that is why every path can be told from the inputs alone.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type Gunzip, gunzipSync, gzipSync } from 'node:zlib';
import { task } from 'millrace';
import { type Chunk, chunksOf } from './chunks.js';
import { type ImageFormat, inspectFormat } from './formats.js';
import { ImageError } from './image-error.js';

const partOf = (workspace: string, index: number) => join(workspace, `part-${index}.gz`);
const archiveOf = (workspace: string) => join(workspace, 'image.gz');
const manifestOf = (workspace: string) => join(workspace, 'manifest.json');

/** Makes the folder that the import works in, and the store when there is none yet. */
export const prepare = task(import.meta.url, {
  name: 'prepare',
  requires: ['root', 'workspace'],
  provides: 'firstMade',
  async execute({ root, workspace }: { root: string; workspace: string }) {
    try {
      return (await mkdir(workspace, { recursive: true })) ?? workspace;
    } catch (error) {
      throw new ImageError('ERR_IMAGE_STORE', `no store can be made at ${root}: ${(error as Error).message}`);
    }
  },
  async revert({ root, workspace, firstMade }) {
    if (existsSync(workspace)) await rm(workspace, { recursive: true });
    if (firstMade !== undefined && firstMade !== workspace) await removeEmptyFolders(root, firstMade);
  },
});

export const inspect = task(import.meta.url, {
  name: 'inspect',
  requires: ['path', 'size'],
  provides: 'format',
  execute({ path, size }: { path: string; size: number }) {
    return inspectFormat(path, size);
  },
});

/**
 * Digests the whole file, and on the way each of its chunks, from the same bytes: a chunk that has the digest of the one
 * that was read here is part of the file that the whole digest names.
 */
const digest = task(import.meta.url, {
  name: 'digest',
  requires: ['path', 'size', 'chunkSize', 'algorithm'],
  provides: ['digest', 'chunkDigests'],
  priority: 1, // the longest tasks start first, and the chunks fill the gaps that they leave
  async execute(
    { path, size, chunkSize, algorithm }: Digested,
    context,
  ): Promise<[digest: string, chunkDigests: string[]]> {
    const whole = createHash(algorithm);
    const chunkDigests: string[] = [];
    const chunks = chunksOf(size, chunkSize);
    for (const { offset, length } of chunks) {
      const chunk = readAt(path, offset, length);
      whole.update(chunk);
      chunkDigests.push(digestOf(chunk));
      context.progress(chunkDigests.length / chunks.length);
      await setImmediate(); // an abort must be heard in place, too
      context.signal.throwIfAborted();
    }
    if ((await stat(path)).size > size) throw changed(path, `expected ${size} bytes, found more`);
    return [whole.digest('hex'), chunkDigests];
  },
});

/** What a `digest` task reads, and how; sizes in bytes. */
interface Digested {
  readonly path: string;
  readonly size: number;
  readonly chunkSize: number;
  readonly algorithm: string;
}

export const sha256 = digest.with({
  name: 'sha256',
  inject: { algorithm: 'sha256' },
  provides: ['sha256', 'chunksBySha256'],
});
export const sha512 = digest.with({
  name: 'sha512',
  inject: { algorithm: 'sha512' },
  provides: ['sha512', 'chunksBySha512'],
});

/** Compresses one chunk of the image into a gzip member of its own; members in a row are a valid gzip file. */
export const compress = task(import.meta.url, {
  name: 'compress',
  requires: ['path', 'workspace', 'index', 'offset', 'length'],
  execute({ path, workspace, index, offset, length }: Chunk & { path: string; workspace: string }) {
    const member = gzipSync(readAt(path, offset, length));
    writeFileSync(partOf(workspace, index), member);
    return { size: member.length };
  },
  async revert({ workspace, index }) {
    await rm(partOf(workspace, index), { force: true });
  },
});

/** Puts the members in a row, and tells where in the archive each of them ends. */
export const assemble = task(import.meta.url, {
  name: 'assemble',
  requires: ['workspace', 'chunks'],
  provides: ['compressedSize', 'memberEnds'],
  async execute(
    { workspace, chunks }: { workspace: string; chunks: number },
    context,
  ): Promise<[compressedSize: number, memberEnds: number[]]> {
    const memberEnds: number[] = [];
    let end = 0;
    const archive = openSync(archiveOf(workspace), 'w');
    try {
      for (let index = 0; index < chunks; index++) {
        const part = partOf(workspace, index);
        const member = readFileSync(part);
        writeFileSync(archive, member);
        rmSync(part); // at once, so that the disk never holds everything twice
        end += member.length;
        memberEnds.push(end);
        context.progress((index + 1) / chunks);
        await setImmediate();
        context.signal.throwIfAborted();
      }
    } finally {
      closeSync(archive);
    }
    return [end, memberEnds];
  },
  async revert({ workspace }) {
    await rm(archiveOf(workspace), { force: true });
  },
});

/**
 * Reads one member of the archive back: it must give the very bytes that were digested, or the file changed under our
 * hands. Member by member this says as much as a digest of the whole unpacked archive, and can be done on all cores: the
 * members lie in a row, nothing before, between or behind them, as the chunks do in the file; and each must hold what both
 * readings of the file, that for its SHA-256 and that for its SHA-512, found at its place. So the archive as a whole holds
 * what either digest names.
 */
export const verify = task(import.meta.url, {
  name: 'verify',
  requires: ['path', 'workspace', 'index', 'length', 'memberEnds', 'chunksBySha256', 'chunksBySha512'],
  execute({ path, workspace, index, length, memberEnds, chunksBySha256, chunksBySha512 }: Verified) {
    const start = index === 0 ? 0 : memberEnds[index - 1];
    const member = readAt(archiveOf(workspace), start, memberEnds[index] - start);
    const { content, rest } = unpack(member, length);
    const found = digestOf(content);
    if (rest > 0 || found !== chunksBySha256[index] || found !== chunksBySha512[index]) {
      throw changed(path, `chunk ${index}: what was compressed is not what was digested`);
    }
  },
});

/** What a `verify` task reads, and what it must find. */
interface Verified {
  readonly path: string;
  readonly workspace: string;
  readonly index: number;
  readonly length: number;
  readonly memberEnds: readonly number[];
  readonly chunksBySha256: readonly string[];
  readonly chunksBySha512: readonly string[];
}

/** What the store knows of an image; written beside it as JSON. */
export interface Manifest {
  readonly name: string;
  readonly format: ImageFormat;
  readonly size: number;
  readonly sha256: string;
  readonly sha512: string;
  readonly compressedSize: number;
  readonly chunks: number;
  readonly created: string;
}

/** Moves the archive to the place that its digest names. An image that is there already is left as it is. */
export const store = task(import.meta.url, {
  name: 'store',
  requires: ['root', 'workspace', 'name', 'format', 'size', 'sha256', 'sha512', 'compressedSize', 'chunks'],
  provides: 'stored',
  async execute({ root, workspace, ...about }: Omit<Manifest, 'created'> & { root: string; workspace: string }) {
    const { image, manifest } = placeOf(root, about.sha256);
    if (existsSync(manifest)) return { path: image, isNew: false };
    const content: Manifest = { ...about, created: new Date().toISOString() };
    await writeFile(manifestOf(workspace), `${JSON.stringify(content, undefined, 2)}\n`);
    await mkdir(dirname(image), { recursive: true });
    // The manifest comes last: an image without one is not in the store.
    await rename(archiveOf(workspace), image);
    await rename(manifestOf(workspace), manifest);
    return { path: image, isNew: true };
  },
  async revert({ root, workspace, sha256, stored }) {
    const { image, manifest } = placeOf(root, sha256);
    // Without a result it failed half-way: then the archive tells, since it left the workspace only if it was moved.
    const isOurs = stored ? stored.isNew : !existsSync(archiveOf(workspace));
    if (isOurs) for (const file of [manifest, image]) await rm(file, { force: true });
    await removeEmptyFolders(dirname(image), join(root, 'sha256'));
  },
});

/** Apart from `store`, so that an import that fails after it still finds the archive where `store` left it. */
export const clean = task(import.meta.url, {
  name: 'clean',
  requires: ['workspace'],
  async execute({ workspace }: { workspace: string }) {
    await rm(workspace, { recursive: true, force: true });
  },
});

/** `<root>/sha256/ab/abcd...`: two digits make a folder, so that none grows too long to list. */
function placeOf(root: string, sha256: string): { image: string; manifest: string } {
  const place = join(root, 'sha256', sha256.slice(0, 2), sha256);
  return { image: `${place}.gz`, manifest: `${place}.json` };
}

/** What a chunk is known by. */
function digestOf(chunk: Buffer): string {
  return createHash('sha256').update(chunk).digest('hex');
}

/** Unpacks a member that may be damaged: it takes no more memory than its `length` bytes need. */
function unpack(member: Buffer, length: number): { content: Buffer; rest: number } {
  const most = Math.max(64, length); // less than 64 bytes are no size of an output for zlib
  const options = { chunkSize: most, maxOutputLength: most, info: true };
  // The types of Node.js do not know what `info` gives.
  const unpacked = gunzipSync(member, options) as unknown as { buffer: Buffer; engine: Gunzip };
  // Zeros behind a member are passed over in silence here, and would end the archive for other readers.
  return { content: unpacked.buffer, rest: member.length - unpacked.engine.bytesWritten };
}

function readAt(path: string, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length);
  const file = openSync(path, 'r');
  try {
    let read = 0;
    while (read < length) {
      const more = readSync(file, bytes, read, length - read, offset + read);
      if (more === 0) throw changed(path, `it ends at ${offset + read} bytes, inside the chunk at ${offset}`);
      read += more;
    }
  } finally {
    closeSync(file);
  }
  return bytes;
}

/** Removes `folder` and its parents up to `last`, as far as they are empty. */
async function removeEmptyFolders(folder: string, last: string): Promise<void> {
  for (let at = folder; at.length >= last.length; at = dirname(at)) {
    try {
      await rmdir(at);
    } catch {
      return; // in use, or never made
    }
  }
}

function changed(path: string, how: string): ImageError {
  const hint = 'import it again when nothing writes to it';
  return new ImageError('ERR_IMAGE_CHANGED', `${path} changed while it was imported (${how}); ${hint}`);
}
