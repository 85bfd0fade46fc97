import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { linear, load, run, task } from 'millrace';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importFlow, importInputs } from '../../examples/image-import/flow.js';

const main = fileURLToPath(new URL('../../examples/image-import/main.js', import.meta.url));
const KIB = 1024;
const MIB = 1024 ** 2;
const ENGINES = ['serial', 'parallel'] as const;

interface Place {
  folder: string;
  image: string;
  store: string;
  temporary: string;
}

const test = suite<Place>('image import');

test.before.each((place) => {
  place.folder = mkdtempSync(join(tmpdir(), 'image-import-test-'));
  place.image = join(place.folder, 'disk.img');
  place.store = join(place.folder, 'new', 'store');
  place.temporary = join(place.folder, 'temporary');
  mkdirSync(place.temporary);
  // Half of it compresses well, half does not.
  writeFileSync(place.image, Buffer.concat([Buffer.alloc(1.5 * MIB, 'millrace '), randomBytes(1.5 * MIB + 7)]));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the example; `interruptAt` is the text on its stdout at which it gets a SIGINT. */
function importImage({ temporary }: Place, args: string[], interruptAt?: string): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, TMPDIR: temporary } });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  let isInterrupted = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
    if (interruptAt === undefined || isInterrupted || !ended.stdout.includes(interruptAt)) return;
    isInterrupted = child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...ended, code })));
}

const digestOf = (content: Uint8Array, algorithm = 'sha256') => createHash(algorithm).update(content).digest('hex');

/** Everything below a folder, so that what is left behind shows. */
const listing = (folder: string) => (readdirSync(folder, { recursive: true }) as string[]).sort();

const placeOf = (store: string, sha256: string) => join(store, 'sha256', sha256.slice(0, 2), sha256);

const hasTool = (name: string) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const failing = task({
  name: 'failing',
  execute() {
    throw new RangeError('the last step fails');
  },
});

/** Runs the flow, which must fail, and gives its error. */
async function failureOf(running: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await running;
  } catch (error) {
    return (error instanceof AggregateError ? error.errors[0] : error) as Error;
  }
  return assert.unreachable('Expected the import to fail') as never;
}

test('an image is stored under its digest, as a gzip file that the standard tools read back', async (place) => {
  const { image, store } = place;
  const { code, stderr } = await importImage(place, [image, '--out', store, '--workers', '2', '--chunk', '256KiB']);
  assert.is(code, 0, stderr);
  const content = readFileSync(image);
  const archive = `${placeOf(store, digestOf(content))}.gz`;
  assert.ok(gunzipSync(readFileSync(archive)).equals(content));
  if (hasTool('gunzip')) execFileSync('gunzip', ['-t', archive]);
  if (hasTool('gunzip') && hasTool('sha256sum')) {
    const unpacked = execFileSync('gunzip', ['-c', archive], { maxBuffer: 16 * MIB });
    const sum = execFileSync('sha256sum', { input: unpacked, encoding: 'utf8' });
    assert.is(sum.split(' ', 1)[0], digestOf(content));
  }
});

for (const engine of ENGINES) {
  test(`the ${engine} engine writes a manifest, and leaves nothing else behind`, async (place) => {
    const { image, store, folder } = place;
    const before = listing(folder);
    const { code, stderr } = await importImage(place, [image, '--out', store, '--engine', engine, '--chunk', '1M']);
    assert.is(code, 0, stderr);
    const content = readFileSync(image);
    const sha256 = digestOf(content);
    const stored = placeOf(store, sha256);
    const { created, ...manifest } = JSON.parse(readFileSync(`${stored}.json`, 'utf8'));
    assert.equal(manifest, {
      name: 'disk.img',
      format: { name: 'raw' },
      size: content.length,
      sha256,
      sha512: digestOf(content, 'sha512'),
      compressedSize: statSync(`${stored}.gz`).size,
      chunks: 4,
    });
    assert.is(new Date(created).toISOString(), created);
    assert.equal(listing(store), [
      'sha256',
      join('sha256', sha256.slice(0, 2)),
      join('sha256', sha256.slice(0, 2), `${sha256}.gz`),
      join('sha256', sha256.slice(0, 2), `${sha256}.json`),
    ]);
    assert.equal(
      listing(folder).filter((path) => !path.startsWith('new')),
      before,
    );
  });
}

test('a pipe gets a line when a stage starts and one when it ends, however many chunks there are', async (place) => {
  const { stdout } = await importImage(place, [place.image, '--chunk', '64KiB']);
  for (const stage of ['inspect', 'sha256', 'sha512', 'compress', 'assemble', 'verify', 'store']) {
    assert.is(stdout.match(new RegExp(`^  ${stage} started$`, 'gm'))?.length, 2, stage);
    assert.is(stdout.match(new RegExp(`^  ${stage} done [\\d.]+ s$`, 'gm'))?.length, 2, stage);
  }
  assert.not.match(stdout, '\x1b');
  assert.ok(stdout.split('\n').length < 50, stdout);
});

test('the table compares the engines, and the digests are equal', async (place) => {
  const { stdout } = await importImage(place, [place.image]);
  assert.match(stdout, /^engine +seconds +MB\/s +speed-up +stored as$/m);
  assert.match(stdout, /^serial +[\d.]+ +[\d.]+ +1\.00x +\S+\.gz \(removed\)$/m);
  assert.match(stdout, /^parallel +[\d.]+ +[\d.]+ +[\d.]+x +\S+\.gz \(removed\)$/m);
  assert.match(stdout, `sha256 ${digestOf(readFileSync(place.image))}`);
  assert.match(stdout, /^digests equal: yes$/m);
});

test('without --out the stores are temporary, and are removed', async (place) => {
  const before = listing(place.folder);
  assert.is((await importImage(place, [place.image])).code, 0);
  assert.equal(listing(place.folder), before);
});

test('an image that is in the store already is left as it is', async (place) => {
  const { image, store, folder } = place;
  await importImage(place, [image, '--out', store, '--engine', 'serial']);
  const before = listing(folder);
  const archive = `${placeOf(store, digestOf(readFileSync(image)))}.gz`;
  const { ino, mtimeMs } = statSync(archive);
  const { code, stdout } = await importImage(place, [image, '--out', store, '--engine', 'parallel']);
  assert.is(code, 0);
  assert.match(stdout, '(was there already)');
  assert.equal([statSync(archive).ino, statSync(archive).mtimeMs], [ino, mtimeMs]);
  assert.equal(listing(folder), before);
});

for (const size of [0, 1, 64 * KIB, 64 * KIB + 1]) {
  test(`a file of ${size} bytes is imported in chunks of 64 KiB`, async (place) => {
    const content = randomBytes(size);
    writeFileSync(place.image, content);
    const { code, stderr } = await importImage(place, [place.image, '--out', place.store, '--chunk', '64KiB']);
    assert.is(code, 0, stderr);
    const stored = placeOf(place.store, digestOf(content));
    assert.ok(gunzipSync(readFileSync(`${stored}.gz`)).equals(content));
    assert.is(JSON.parse(readFileSync(`${stored}.json`, 'utf8')).chunks, size > 64 * KIB ? 2 : 1);
  });
}

for (const engine of ENGINES) {
  test(`a file that shrinks before the ${engine} engine reads it is refused, and nothing is left`, async (place) => {
    const { image, store, folder } = place;
    const before = listing(folder);
    const inputs = importInputs(image, 4 * MIB, store);
    const error = await failureOf(run(importFlow(4 * MIB, 256 * KIB), inputs, { engine, workers: 2 }));
    assert.match(error.message, /disk\.img changed while it was imported \(.+\); import it again/);
    assert.equal(listing(folder), before);
  });

  test(`a file that grows before the ${engine} engine reads it is refused, and nothing is left`, async (place) => {
    const { image, store, folder } = place;
    const before = listing(folder);
    const inputs = importInputs(image, MIB, store);
    const error = await failureOf(run(importFlow(MIB, 256 * KIB), inputs, { engine, workers: 2 }));
    assert.match(error.message, `expected ${MIB} bytes, found more`);
    assert.equal(listing(folder), before);
  });

  test(`a failure after the ${engine} engine stored the image takes it out of the store again`, async (place) => {
    const { image, store, folder } = place;
    const before = listing(folder);
    const { size } = statSync(image);
    const flow = linear('import and fail', importFlow(size, MIB), failing);
    const error = await failureOf(run(flow, importInputs(image, size, store), { engine, workers: 2 }));
    assert.is(error.message, 'the last step fails');
    assert.equal(listing(folder), before);
  });

  test(`a failure of the ${engine} engine never removes an image that was stored before`, async (place) => {
    const { image, store, folder } = place;
    const { size } = statSync(image);
    await run(importFlow(size, MIB), importInputs(image, size, store), { engine: 'serial' });
    const before = listing(folder);
    const flow = linear('import and fail', importFlow(size, MIB), failing);
    await failureOf(run(flow, importInputs(image, size, store), { engine, workers: 2 }));
    assert.equal(listing(folder), before);
  });

  test(`SIGINT while the ${engine} engine runs ends it with 130, and nothing is left`, async (place) => {
    const { image, store, folder } = place;
    writeFileSync(image, randomBytes(32 * MIB));
    const before = listing(folder);
    for (const out of [[], ['--out', store]]) {
      const args = [image, '--engine', engine, '--workers', '2', '--chunk', '512KiB', ...out];
      const { code, stdout, stderr } = await importImage(place, args, 'compress started');
      assert.is(code, 130, stderr);
      assert.is(stderr, 'image-import: interrupted; nothing half-done is left behind\n');
      assert.not.match(stdout, 'stored as');
      assert.equal(listing(folder), before);
    }
  });
}

test('an import whose output nobody reads any longer ends, and nothing is left', async (place) => {
  const before = listing(place.folder);
  const child = spawn(process.execPath, [main, place.image, '--chunk', '64KiB'], {
    env: { ...process.env, TMPDIR: place.temporary },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.is(code, 128 + constants.signals.SIGPIPE);
  assert.equal(listing(place.folder), before);
});

test('a file that is rewritten between digest and compression is refused, and nothing is left', async (place) => {
  const { image, store, folder } = place;
  const before = listing(folder);
  const { size } = statSync(image);
  await using engine = load(importFlow(size, 64 * KIB), { inputs: importInputs(image, size, store), engine: 'serial' });
  engine.on('task', ({ name, state }) => {
    if (name === 'sha512' && state === 'SUCCESS') writeFileSync(image, randomBytes(size));
  });
  const error = await failureOf(engine.run());
  assert.match(error.message, 'what was compressed is not what was digested');
  assert.equal(listing(folder), before);
});

const mistakes: [title: string, args: (place: Place) => string[], message: RegExp][] = [
  ['a file that is missing', ({ folder }) => [join(folder, 'none')], /^image-import: ENOENT: .+'.+none'$/],
  ['a folder', ({ folder }) => [folder], /^image-import: .+ is not a regular file$/],
  ['a store inside a file', ({ image }) => [image, '--out', join(image, 'in')], /no store can be made at .+: ENOTDIR/],
];
for (const [title, args, message] of mistakes) {
  test(`${title} is an error in one line, with exit code 1, and nothing is left`, async (place) => {
    const before = listing(place.folder);
    const { code, stderr } = await importImage(place, args(place));
    assert.is(code, 1);
    assert.match(stderr.trimEnd(), message);
    assert.is(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.equal(listing(place.folder), before);
  });
}

for (const args of [
  ['--nonsense'],
  ['--engine', 'fast'],
  ['--workers', '0'],
  ['--workers', '257'],
  ['--chunk', '1'],
  ['--chunk', '1GiB'],
  ['--chunk', 'all'],
  ['a', 'b'],
]) {
  test(`'${args.join(' ')}' is answered with the usage and exit code 1`, async (place) => {
    const { code, stdout, stderr } = await importImage(place, args);
    assert.is(code, 1);
    assert.is(stdout, '');
    assert.match(stderr, /^image-import: .+\n\nUsage: node /);
  });
}

test('--help prints the usage and succeeds', async (place) => {
  const { code, stdout, stderr } = await importImage(place, ['--help']);
  assert.equal([code, stderr], [0, '']);
  assert.match(stdout, /^Usage: node /);
  assert.not.ok(existsSync(place.store));
});

test.run();
