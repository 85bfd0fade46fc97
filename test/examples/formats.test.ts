import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { inspectFormat } from '../../examples/image-import/formats.js';

const test = suite<{ folder: string }>('formats');

test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'formats-test-'));
});
test.after(({ folder }) => rmSync(folder, { recursive: true }));

/** An image of `size` bytes with something written in it here and there. */
function image(size: number, ...parts: [at: number, content: string | bigint, order?: 'BE' | 'LE'][]): Buffer {
  const bytes = Buffer.alloc(size);
  for (const [at, content, order] of parts) {
    if (typeof content === 'string') bytes.write(content, at, 'latin1');
    else if (order === 'BE') bytes.writeBigUInt64BE(content, at);
    else bytes.writeBigUInt64LE(content, at);
  }
  return bytes;
}

const GIB = 1024n ** 3n;
const images: [title: string, bytes: Buffer, name: string, virtualSize?: bigint][] = [
  ['qcow2', image(1024, [0, 'QFI\xfb'], [24, 10n * GIB, 'BE']), 'qcow2', 10n * GIB],
  ['sparse VMDK', image(1024, [0, 'KDMV'], [12, 2048n, 'LE']), 'vmdk', 1024n ** 2n],
  ['VMDK descriptor', image(1024, [0, '# Disk DescriptorFile\nversion=1']), 'vmdk'],
  ['VDI', image(1024, [0, '<<< Oracle VM'], [0x40, '\x7f\x10\xda\xbe'], [0x170, 3n * GIB, 'LE']), 'vdi', 3n * GIB],
  ['dynamic VHD', image(1024, [0, 'conectix'], [48, GIB, 'BE']), 'vhd', GIB],
  ['fixed VHD', image(2048, [1536, 'conectix'], [1536 + 48, 1536n, 'BE']), 'vhd', 1536n],
  ['VHDX', image(1024, [0, 'vhdxfile']), 'vhdx'],
  ['ISO 9660', image(0x9000, [0x8001, 'CD001']), 'iso9660'],
  ['tar', image(1024, [257, 'ustar\x0000']), 'tar'],
  ['gzip', image(32, [0, '\x1f\x8b\x08']), 'gzip'],
  ['xz', image(32, [0, '\xfd7zXZ\0']), 'xz'],
  ['zstd', image(32, [0, '\x28\xb5\x2f\xfd']), 'zstd'],
  ['ELF', image(32, [0, '\x7fELF']), 'elf'],
  ['PE', image(512, [0, 'MZ'], [0x3c, '\x80\0\0\0'], [0x80, 'PE\0\0']), 'pe'],
  ['Mach-O', image(32, [0, '\xcf\xfa\xed\xfe']), 'mach-o'],
  ['universal Mach-O', image(32, [0, '\xca\xfe\xba\xbe\0\0\0\x02']), 'mach-o'],
  ['Java class', image(32, [0, '\xca\xfe\xba\xbe\0\0\0\x3d']), 'raw'],
  ['DOS program', image(512, [0, 'MZ'], [0x3c, '\xff\xff\xff\xff']), 'raw'],
  ['empty file', image(0), 'raw'],
  ['qcow2 that ends after its magic bytes', image(4, [0, 'QFI\xfb']), 'qcow2'],
];

for (const [title, bytes, name, virtualSize] of images) {
  test(`a file with the marks of a ${title} is taken for ${name}`, async ({ folder }) => {
    const path = join(folder, 'image');
    writeFileSync(path, bytes);
    const expected = virtualSize === undefined ? { name } : { name, virtualSize: Number(virtualSize) };
    assert.equal(await inspectFormat(path, bytes.length), expected);
  });
}

test('the Node.js binary is recognized', async () => {
  const { name } = await inspectFormat(process.execPath, 1024 ** 2);
  assert.ok(['elf', 'pe', 'mach-o'].includes(name), name);
});

test.run();
