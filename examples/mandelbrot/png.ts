/** The least of PNG that a picture with a palette needs: https://www.w3.org/TR/png-3/ */
import { deflateSync } from 'node:zlib';

const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const INDEXED_COLOUR = 3;

/** Encodes bands of rows, a byte a pixel, from the top down. `palette` has three bytes, red, green and blue, a colour. */
export function encodePng(width: number, height: number, bands: readonly Uint8Array[], palette: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, INDEXED_COLOUR], 8); // eight bits a pixel; compression, filter and interlace are 0

  const scanlines = Buffer.alloc((width + 1) * height); // each begins with its filter: 0, none
  let at = 0;
  for (const band of bands) {
    for (let row = 0; row < band.length; row += width, at += width + 1) {
      scanlines.set(band.subarray(row, row + width), at + 1);
    }
  }

  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(scanlines)),
    chunk('IEND', new Uint8Array()),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(data.length + 12);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, 'latin1');
  bytes.set(data, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), data.length + 8);
  return bytes;
}

const crcs = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** By hand, since `zlib.crc32` is younger than Node.js 20. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = crcs[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return ~crc >>> 0;
}
