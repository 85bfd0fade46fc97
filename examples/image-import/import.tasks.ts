/**
 * The steps of an import. Each is a task that knows its module, so it may run on any worker thread; all that passes
 * between them is names and numbers, the bytes stay in files. Each task that writes has a `revert` that removes whatever
 * it may have written, also when it failed half-way: that is why every path can be told from the inputs alone.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, createWriteStream, existsSync, openSync, readSync, writeFileSync } from 'node:fs';
import { mkdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import { task } from 'millrace';
import { type ImageFormat, inspectFormat } from './formats.js';
import { ImageError } from './image-error.js';

const BLOCK = 1024 ** 2;

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

const digest = task(import.meta.url, {
  name: 'digest',
  requires: ['path', 'size', 'algorithm'],
  provides: 'digest',
  priority: 1, // the longest tasks start first, and the chunks fill the gaps that they leave
  async execute({ path, size, algorithm }: { path: string; size: number; algorithm: string }, context) {
    const hash = createHash(algorithm);
    let read = 0;
    for await (const block of createReadStream(path, { highWaterMark: BLOCK, signal: context.signal })) {
      hash.update(block);
      read += block.length;
      if (read > size) break; // it has grown, and may never end
      context.progress(read / size);
    }
    if (read !== size) throw changed(path, `expected ${size} bytes, found ${read > size ? 'more' : read}`);
    return hash.digest('hex');
  },
});

export const sha256 = digest.with({ name: 'sha256', inject: { algorithm: 'sha256' }, provides: 'sha256' });
export const sha512 = digest.with({ name: 'sha512', inject: { algorithm: 'sha512' }, provides: 'sha512' });

/** Compresses one chunk of the image into a gzip member of its own; members in a row are a valid gzip file. */
export const compress = task(import.meta.url, {
  name: 'compress',
  requires: ['path', 'workspace', 'index', 'offset', 'length'],
  execute({ path, workspace, index, offset, length }: Chunk & { path: string; workspace: string }) {
    const member = gzipSync(readChunk(path, offset, length));
    writeFileSync(partOf(workspace, index), member);
    return { size: member.length };
  },
  async revert({ workspace, index }) {
    await rm(partOf(workspace, index), { force: true });
  },
});

/** Which part of the file a `compress` task reads: its number, and where it lies, in bytes. */
export interface Chunk {
  readonly index: number;
  readonly offset: number;
  readonly length: number;
}

export const assemble = task(import.meta.url, {
  name: 'assemble',
  requires: ['workspace', 'chunks'],
  provides: 'compressedSize',
  async execute({ workspace, chunks }: { workspace: string; chunks: number }, context) {
    const archive = archiveOf(workspace);
    await writeFile(archive, '');
    for (let index = 0; index < chunks; index++) {
      const part = partOf(workspace, index);
      await pipeline(createReadStream(part, { highWaterMark: BLOCK }), createWriteStream(archive, { flags: 'a' }), {
        signal: context.signal,
      });
      await rm(part); // at once, so that the disk never holds everything twice
      context.progress((index + 1) / chunks);
    }
    return (await stat(archive)).size;
  },
  async revert({ workspace }) {
    await rm(archiveOf(workspace), { force: true });
  },
});

/** Reads the archive back: it must give the very bytes that were digested, or the file changed under our hands. */
export const verify = task(import.meta.url, {
  name: 'verify',
  requires: ['path', 'size', 'workspace', 'sha256', 'sha512'],
  async execute(expected: { path: string; size: number; workspace: string; sha256: string; sha512: string }, context) {
    const { path, size, workspace } = expected;
    const hashes = { sha256: createHash('sha256'), sha512: createHash('sha512') };
    let read = 0;
    await pipeline(
      createReadStream(archiveOf(workspace), { highWaterMark: BLOCK / 4 }),
      createGunzip({ chunkSize: BLOCK / 4 }),
      async (blocks: AsyncIterable<Buffer>) => {
        for await (const block of blocks) {
          hashes.sha256.update(block);
          hashes.sha512.update(block);
          read += block.length;
          context.progress(Math.min(1, read / size));
        }
      },
      { signal: context.signal },
    );
    if (read !== size) throw changed(path, `${size} bytes were digested, ${read} compressed`);
    if (hashes.sha256.digest('hex') !== expected.sha256 || hashes.sha512.digest('hex') !== expected.sha512) {
      throw changed(path, 'what was compressed is not what was digested');
    }
  },
});

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

function readChunk(path: string, offset: number, length: number): Buffer {
  const chunk = Buffer.allocUnsafeSlow(length);
  const file = openSync(path, 'r');
  try {
    let read = 0;
    while (read < length) {
      const more = readSync(file, chunk, read, length - read, offset + read);
      if (more === 0) throw changed(path, `it ends at ${offset + read} bytes, inside the chunk at ${offset}`);
      read += more;
    }
  } finally {
    closeSync(file);
  }
  return chunk;
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
