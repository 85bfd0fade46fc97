/**
 * Tells what kind of image a file is by its magic bytes: it reads the two ends of the file, and trusts no name.
 */
import { open } from 'node:fs/promises';

export interface ImageFormat {
  /** `'qcow2'`, `'iso9660'`, `'elf'`, ...; `'raw'` when nothing is recognized. */
  readonly name: string;
  /** The size of the disk that the image describes, in bytes, when its header tells. */
  readonly virtualSize?: number;
}

interface Signature {
  readonly name: string;
  /** Where the magic bytes are, from the start of the file. */
  readonly at: number;
  /** The magic bytes, one character a byte. */
  readonly magic: string;
  readonly virtualSize?: (head: Buffer) => bigint;
}

const SECTOR = 512;
/** Enough for the signature that lies deepest: that of ISO 9660, behind 16 sectors of 2 KiB. */
const HEAD = 0x8000 + SECTOR;

const signatures: readonly Signature[] = [
  { name: 'qcow2', at: 0, magic: 'QFI\xfb', virtualSize: (head) => head.readBigUInt64BE(24) },
  { name: 'vmdk', at: 0, magic: 'KDMV', virtualSize: (head) => head.readBigUInt64LE(12) * BigInt(SECTOR) },
  { name: 'vmdk', at: 0, magic: '# Disk DescriptorFile' },
  { name: 'vdi', at: 0x40, magic: '\x7f\x10\xda\xbe', virtualSize: (head) => head.readBigUInt64LE(0x170) },
  { name: 'vhd', at: 0, magic: 'conectix', virtualSize: (head) => head.readBigUInt64BE(48) },
  { name: 'vhdx', at: 0, magic: 'vhdxfile' },
  { name: 'iso9660', at: 0x8001, magic: 'CD001' },
  { name: 'tar', at: 257, magic: 'ustar' },
  { name: 'gzip', at: 0, magic: '\x1f\x8b' },
  { name: 'xz', at: 0, magic: '\xfd7zXZ\0' },
  { name: 'zstd', at: 0, magic: '\x28\xb5\x2f\xfd' },
  { name: 'elf', at: 0, magic: '\x7fELF' },
  { name: 'mach-o', at: 0, magic: '\xcf\xfa\xed\xfe' },
  { name: 'mach-o', at: 0, magic: '\xce\xfa\xed\xfe' },
  { name: 'mach-o', at: 0, magic: '\xfe\xed\xfa\xcf' },
  { name: 'mach-o', at: 0, magic: '\xfe\xed\xfa\xce' },
];

/** Reads the ends of the file at `path`, which is `size` bytes long, and tells its format. */
export async function inspectFormat(path: string, size: number): Promise<ImageFormat> {
  const file = await open(path);
  try {
    // Zeros stand for what a short file lacks, so that no header is read past its end.
    const head = Buffer.alloc(HEAD);
    const tail = Buffer.alloc(SECTOR);
    await file.read(head, 0, HEAD, 0);
    if (size >= SECTOR) await file.read(tail, 0, SECTOR, size - SECTOR);
    return detectFormat(head, tail);
  } finally {
    await file.close();
  }
}

function detectFormat(head: Buffer, tail: Buffer): ImageFormat {
  const found = signatures.find(({ at, magic }) => startsWith(head, at, magic));
  if (found) return describe(found.name, found.virtualSize?.(head));
  if (isPortableExecutable(head)) return { name: 'pe' };
  if (isUniversalBinary(head)) return { name: 'mach-o' };
  // A VHD of fixed size is the raw disk, followed by a footer.
  if (startsWith(tail, 0, 'conectix')) return describe('vhd', tail.readBigUInt64BE(48));
  return { name: 'raw' };
}

function describe(name: string, virtualSize: bigint | undefined): ImageFormat {
  return virtualSize ? { name, virtualSize: Number(virtualSize) } : { name };
}

function startsWith(bytes: Buffer, at: number, magic: string): boolean {
  return bytes.toString('latin1', at, at + magic.length) === magic;
}

function isPortableExecutable(head: Buffer): boolean {
  return startsWith(head, 0, 'MZ') && startsWith(head, head.readUInt32LE(0x3c), 'PE\0\0');
}

/** Java classes begin with the same four bytes; what follows is their version, 45 or more, here it is a count. */
function isUniversalBinary(head: Buffer): boolean {
  return startsWith(head, 0, '\xca\xfe\xba\xbe') && head.readUInt32BE(4) < 45;
}
