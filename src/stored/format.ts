/**
 * Values as they are stored: text that any process on any machine, any later version, and a person can read, with large binary
 * content beside it. The first character of a text says how to read the rest:
 *
 * - `=`: JSON, and the value is what it says. Most values are stored so.
 *   `={"id":7,"tags":["a","b"]}`
 * - `1`: a JSON array. Its first item is the value; the others are its objects, which refer to each other by their place in the
 *   array, so that an object that is shared or holds itself is written once, and nothing nests.
 *   `1[[1],{"at":[2],"left":["undefined"],"self":[1]},["Date","2026-11-23T18:00:00.000Z"]]`
 *
 * In the second form, a *slot* is what stands for a value: JSON's own for null, booleans, strings and most numbers; `[place]` for an
 * object; and `["undefined"]`, `["NaN"]`, `["Infinity"]`, `["-Infinity"]`, `["-0"]`, `["bigint","123"]`. An object is a JSON object of
 * slots if it is a plain one, and otherwise a JSON array that starts with what it is:
 *
 * | object | |
 * | --- | --- |
 * | array | `["Array", slot, ...]`; `["holes", n]` stands for n items that are missing |
 * | array with named properties | `["ArrayWith", {name: slot}, slot, ...]` |
 * | map, set | `["Map", key, value, key, value, ...]`, `["Set", slot, ...]` |
 * | date, regular expression | `["Date", text or null]`, `["RegExp", source, flags]` |
 * | boxed primitive | `["Boxed", slot]` |
 * | buffer | `["ArrayBuffer", base64]`, or the number of the part that has its bytes; `["SharedArrayBuffer", ...]` |
 * | view | `["Float64Array", [buffer], byteOffset, length]`, `["DataView", ...]`, `["Buffer", ...]`, ... |
 * | error | `["Error", {classes, stack?, properties?, hidden?, symbols?, hiddenSymbols?, inherited?}]` |
 * | failure | `["Failure", task, [error]]` |
 * | history | `["History", [failure] or null, [attempt], ...]` |
 *
 * A change that an older version could not read takes another first character.
 */

/** A value as it is stored. */
export interface Stored {
  readonly text: string;
  /** Binary content of 1 KiB and more, which the text refers to by number. */
  readonly parts: readonly Uint8Array[];
}

export const JSON_TAG = '=';
export const GRAPH_TAG = '1';

/** What stands for a value. */
export type Slot =
  | null
  | boolean
  | number
  | string
  | readonly [number]
  | readonly [string]
  | readonly [string, unknown];

/** The primitives that JSON has no text for, by what stands for them. */
export const named: ReadonlyMap<unknown, unknown> = new Map([
  ['undefined', undefined],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/** Binary content of this size, in bytes, is not part of the text. */
export const PART = 1024;

/** Beyond this, a bigint is written in hexadecimal digits: decimal ones would take more time than in proportion to their number. */
export const LONG_BIGINT = 2n ** 1024n;

/** Whoever reads knows some of these: `Float16Array` came with Node 24. */
export const typedArrays = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const;

/** Assigns also what is called `__proto__`, of which an assignment would make another prototype. */
export function setOwn(object: object, key: string, value: unknown): void {
  if (key !== '__proto__') (object as Record<string, unknown>)[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}

/** Whether it is what an error is printed by. That is a primitive, for an error that has itself for a name cannot be printed at all. */
export function isNaming(key: string, symbol: boolean): boolean {
  return (key === 'name' || key === 'message') && !symbol;
}
