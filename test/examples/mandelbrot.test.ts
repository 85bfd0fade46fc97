import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const main = fileURLToPath(new URL('../../examples/mandelbrot/main.js', import.meta.url));
const test = suite<{ folder: string }>('mandelbrot');

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'mandelbrot-test-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

function draw(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
}

/** The chunks of a PNG, by type. */
function chunksOf(png: Buffer): Map<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    chunks.set(png.toString('latin1', at + 4, at + 8), png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return chunks;
}

test('the picture is a PNG of the size that was asked for', ({ folder }) => {
  const out = join(folder, 'small.png');
  const { status, stderr } = draw('--size', '60x45', '--iterations', '200', '--workers', '2', '--out', out);
  assert.is(status, 0, stderr);
  const png = readFileSync(out);
  assert.is(png.toString('latin1', 0, 8), '\x89PNG\r\n\x1a\n');
  const chunks = chunksOf(png);
  assert.equal([...chunks.keys()], ['IHDR', 'PLTE', 'IDAT', 'IEND']);
  const header = chunks.get('IHDR')!;
  assert.equal([header.readUInt32BE(0), header.readUInt32BE(4)], [60, 45]);
  assert.is(chunks.get('PLTE')!.length, 256 * 3);
  const scanlines = inflateSync(chunks.get('IDAT')!);
  assert.is(scanlines.length, 45 * 61);
  assert.ok(new Set(scanlines).size > 50, 'a picture of the set has many colours');
  // The last chunk has no content, so its checksum is a known number.
  assert.is(png.toString('hex', png.length - 4), 'ae426082');
});

test('the serial and the parallel engine draw the same picture, whatever the size of a band', ({ folder }) => {
  const pictures = [
    ['--engine', 'serial', '--rows', '100'],
    ['--engine', 'serial', '--rows', '1'],
    ['--engine', 'parallel', '--rows', '7', '--workers', '2'],
  ].map((args, index) => {
    const out = join(folder, `${index}.png`);
    const { status, stderr } = draw('--size', '64x48', '--iterations', '300', '--out', out, ...args);
    assert.is(status, 0, stderr);
    return readFileSync(out).toString('base64');
  });
  assert.is(new Set(pictures).size, 1);
});

test('the table compares the engines, and a pipe gets no line for each band', ({ folder }) => {
  const { stdout } = draw('--size', '32x64', '--rows', '1', '--workers', '2', '--out', join(folder, 'x.png'));
  assert.match(stdout, /^serial +[\d.]+ +[\d.]+ +1\.00x$/m);
  assert.match(stdout, /^parallel +[\d.]+ +[\d.]+ +[\d.]+x$/m);
  assert.match(stdout, /^pictures equal: yes$/m);
  assert.not.match(stdout, '\x1b');
  assert.ok(stdout.split('\n').length < 25, stdout);
});

test('a wrong option is an error in one line, with exit code 1, and draws nothing', ({ folder }) => {
  for (const args of [
    ['--size', '0x10'],
    ['--size', 'big'],
    ['--rows', '0'],
    ['--iterations', '1.5'],
    ['--engine', 'fast'],
    ['--workers', 'many'],
    ['--nonsense'],
  ]) {
    const { status, stdout, stderr } = draw('--out', join(folder, 'x.png'), ...args);
    assert.equal([status, stdout], [1, ''], args.join(' '));
    assert.match(stderr, /^mandelbrot: .+\n$/);
    assert.equal(readdirSync(folder), []);
  }
});

test.run();
