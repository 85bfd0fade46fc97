/** Values of many sizes, by the ways in which they go from thread to thread. */

export type Way = 'cloned' | 'transferred' | 'shared' | 'objects' | 'string';

/** How large an object with two properties is, about. */
const OBJECT = 64;

/** Makes a value of so many bytes. */
export const makers: Readonly<Record<Way, (size: number) => unknown>> = {
  cloned: (size) => new Uint8Array(size).fill(1),
  transferred: (size) => new Uint8Array(size).fill(1),
  shared: (size) => new Uint8Array(new SharedArrayBuffer(size)).fill(1),
  objects: (size) => Array.from({ length: Math.ceil(size / OBJECT) }, (_, id) => ({ id, name: 'some name' })),
  string: (size) => Buffer.alloc(size, 'a').toString('latin1'),
};
