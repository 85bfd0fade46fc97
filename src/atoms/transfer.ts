import { ArgumentError, received } from '../errors.js';
import { thread } from './registry.js';

/**
 * Marks a value that a task is about to return (or that stands anywhere in what it returns), so that its memory moves to the
 * scheduler's thread instead of being copied. On the scheduler's thread it does nothing.
 *
 * @param value an `ArrayBuffer`, a typed array, a `DataView` or a `MessagePort`. It is unusable in this task from the return on.
 * @returns the value itself
 * @throws {@link ArgumentError} when the value is of another kind
 * @example
 * execute({ width, height }) {
 *   return transfer(new Uint8Array(width * height));
 * }
 */
export function transfer<T extends ArrayBufferLike | ArrayBufferView | import('node:worker_threads').MessagePort>(
  value: T,
): T {
  const memory = ArrayBuffer.isView(value) ? value.buffer : value;
  if (memory instanceof ArrayBuffer || memory instanceof MessagePort) {
    const { transfers } = thread();
    if (transfers && !transfers.includes(memory)) transfers.push(memory);
  } else if (!(memory instanceof SharedArrayBuffer)) {
    throw new ArgumentError(
      `transfer() takes an ArrayBuffer, a typed array, a DataView or a MessagePort; received ${received(value)}`,
    );
  }
  return value;
}

/**
 * Puts a typed array in shared memory, so that every thread that is given it sees the same bytes and none of them copies it.
 * An array that is in shared memory already is returned as it is.
 *
 * @returns an array of the same kind over a `SharedArrayBuffer` (for a `Buffer`: a `Uint8Array`)
 * @throws {@link ArgumentError} when the value is not a typed array or a `DataView`
 */
export function share<T extends ArrayBufferView>(value: T): T {
  if (!ArrayBuffer.isView(value)) throw new ArgumentError(`share() takes a typed array; received ${received(value)}`);
  if (value.buffer instanceof SharedArrayBuffer) return value;
  const memory = new SharedArrayBuffer(value.byteLength);
  new Uint8Array(memory).set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  const kind = (Buffer.isBuffer(value) ? Uint8Array : value.constructor) as new (memory: SharedArrayBuffer) => T;
  return new kind(memory);
}
