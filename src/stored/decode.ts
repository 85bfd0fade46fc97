import { History } from '../atoms/index.js';
import { ArgumentError, RunError, received } from '../errors.js';
import { Failure } from '../failure/index.js';
import {
  decodeErrors,
  type EncodedObject,
  type EncodedProperty,
  type EncodedValue,
  isError,
  MAX_LINKS,
} from '../wire/errors.js';
import { GRAPH_TAG, isNaming, JSON_TAG, named, type Stored, setOwn, typedArrays } from './format.js';

export interface DecodeOptions {
  /** What to call the stored value in messages. Default: `'The stored value'`. */
  readonly what?: string;
  /** The task that errors are about. */
  readonly task?: string | undefined;
}

/**
 * The value that `encodeStored` has written down. What is read may come from anywhere: nothing in it is run, nor becomes the prototype
 * of anything, and what is made of it takes some multiple of its own size at most.
 *
 * @throws {@link RunError} `ERR_MILLRACE_UNREADABLE` when it is damaged, or written by a later version
 */
export function decodeStored(stored: Stored, { what = 'The stored value', task }: DecodeOptions = {}): unknown {
  try {
    return decode(stored);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new RunError('ERR_MILLRACE_UNREADABLE', `${what} cannot be read: ${reason}`, { cause, task });
  }
}

function decode(stored: Stored): unknown {
  const { text, parts } = fields(stored, 'it');
  if (typeof text !== 'string') throw new ArgumentError(`its text must be a string; received ${received(text)}`);
  if (!Array.isArray(parts) || !parts.every((part) => part instanceof Uint8Array)) {
    throw new ArgumentError(`its parts must be an array of Uint8Array; received ${received(parts)}`);
  }
  const decoder = new Decoder(parts);
  const value = decoder.read(text);
  decoder.checkParts();
  return value;
}

class Decoder {
  readonly #parts: readonly Uint8Array[];
  readonly #usedParts = new Set<unknown>();
  /** What is written of each object, by its place. */
  #nodes: readonly unknown[] = [];
  /** The objects themselves. */
  readonly #objects: object[] = [];
  #place = 0;

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
  }

  read(text: string): unknown {
    const [tag, json] = [text.slice(0, 1), text.slice(1)];
    if (tag === JSON_TAG) return JSON.parse(json); // any JSON is a value, and none is dangerous
    if (tag === GRAPH_TAG) return this.#graph(list(JSON.parse(json), 'it'));
    const start = JSON.stringify(tag);
    throw new ArgumentError(`this version of Millrace knows no text that starts with ${start}; a later one may`);
  }

  /** First the objects, those later that are made of others; then what is in them, for they refer to each other in any way. */
  #graph(nodes: readonly unknown[]): unknown {
    this.#nodes = nodes;
    this.#forEach((node) => this.#create(node));
    this.#forEach((node) => this.#createOfOthers(node));
    this.#createErrors();
    this.#forEach((node, object) => this.#fill(node, object));
    this.#forEach((node, object) => check(node, object));
    this.#place = 0;
    return this.#value(nodes[0]);
  }

  #forEach(action: (node: unknown, object: object) => unknown): void {
    for (this.#place = 1; this.#place < this.#nodes.length; this.#place++) {
      try {
        const made = action(this.#nodes[this.#place], this.#objects[this.#place]!);
        if (made) this.#objects[this.#place] = made as object;
      } catch (error) {
        throw new ArgumentError(`item ${this.#place}: ${(error as Error).message}`, { cause: error });
      }
    }
  }

  checkParts(): void {
    const unused = this.#parts.length - this.#usedParts.size;
    if (unused > 0) throw new ArgumentError(`it does not refer to ${unused} of its ${this.#parts.length} parts`);
  }

  /** An object that is made of nothing but text and parts, or that is empty so far. */
  #create(node: unknown): object | undefined {
    if (!Array.isArray(node)) return fields(node, 'it'); // filled in place: it has no prototype but that of any object
    switch (node[0]) {
      case 'Array':
      case 'ArrayWith':
        return [];
      case 'Map':
        return new Map();
      case 'Set':
        return new Set();
      case 'Date':
        return dateOf(node[1]);
      case 'RegExp':
        return new RegExp(string(node[1], 'its source'), string(node[2], 'its flags'));
      case 'Boxed':
        return this.#boxed(node[1]);
      case 'ArrayBuffer':
        return new Uint8Array(this.#bytes(node[1])).buffer;
      case 'SharedArrayBuffer':
        return shared(this.#bytes(node[1]));
      case 'Failure':
        return new Failure(string(node[1], 'its task'), undefined as never);
      default:
        return undefined;
    }
  }

  #createOfOthers(node: unknown): object | undefined {
    if (!Array.isArray(node)) return undefined;
    if (node[0] === 'History') {
      const [failure, ...attempts] = node.slice(1).map((slot) => this.#value(slot));
      return new History(attempts as never[], (failure ?? undefined) as Failure | undefined);
    }
    if (this.#objects[this.#place] || node[0] === 'Error') return undefined;
    const [kind, buffer, offset, length] = node;
    const bytes = this.#value(buffer);
    if (!(bytes instanceof ArrayBuffer || bytes instanceof SharedArrayBuffer)) {
      throw new ArgumentError(`there is no object of the kind ${received(kind)}, or it has no buffer`);
    }
    const [start, count] = [whole(offset, 'its offset'), whole(length, 'its length')];
    if (kind === 'Buffer') return Buffer.from(bytes as ArrayBuffer, start, count);
    if (kind === 'DataView') return new DataView(bytes, start, count);
    const View = typedArrays.includes(kind) && (globalThis as unknown as Record<string, unknown>)[kind];
    if (!View) throw new ArgumentError(`this version of Node.js knows no view of the kind ${received(kind)}`);
    return Reflect.construct(View as Function, [bytes, start, count]);
  }

  #createErrors(): void {
    const places: number[] = [];
    const indexes = new Map<number, number>();
    this.#forEach((node) => {
      if (Array.isArray(node) && node[0] === 'Error') indexes.set(this.#place, places.push(this.#place) - 1);
    });
    const encoded: EncodedObject[] = [];
    this.#forEach((node) => {
      if (indexes.has(this.#place)) encoded.push(this.#error((node as unknown[])[1], indexes));
    });
    const errors = decodeErrors(encoded);
    for (const [index, place] of places.entries()) this.#objects[place] = errors[index]!;
  }

  #error(node: unknown, indexes: ReadonlyMap<number, number>): EncodedObject {
    const { classes, stack, inherited, ...properties } = fields(node, 'it');
    const names = list(classes, 'its classes').map((name) => string(name, 'the name of its class'));
    const base = names.pop();
    if (base === undefined || names.length > MAX_LINKS) {
      throw new ArgumentError(`an error has 1 to ${MAX_LINKS + 1} classes`);
    }
    const value = (slot: unknown): EncodedValue => {
      const index = Array.isArray(slot) ? indexes.get(slot[0]) : undefined;
      return index === undefined ? { kind: 'plain', value: this.#value(slot) } : { kind: 'error', index };
    };
    const read = (field: unknown, symbol: boolean, enumerable: boolean): EncodedProperty[] =>
      field === undefined
        ? []
        : Object.entries(fields(field, 'its properties')).map(([key, slot]) => {
            if (isNaming(key, symbol) && Array.isArray(slot) && typeof slot[0] === 'number') {
              throw new ArgumentError(`the ${key} of an error is no object`);
            }
            return { key, symbol, enumerable, value: value(slot) };
          });
    return {
      base,
      classes: names,
      stack: stack === undefined ? undefined : string(stack, 'its stack'),
      inherited: read(inherited, false, false),
      properties: [
        ...read(properties.properties, false, true),
        ...read(properties.hidden, false, false),
        ...read(properties.symbols, true, true),
        ...read(properties.hiddenSymbols, true, false),
      ],
    };
  }

  #fill(node: unknown, object: object): void {
    if (!Array.isArray(node)) {
      const slots = object as Record<string, unknown>;
      // Each key is its own already, also one that is called `__proto__`, and is assigned to as such.
      for (const key of Object.keys(slots)) if (typeof slots[key] === 'object') slots[key] = this.#value(slots[key]);
      return;
    }
    switch (node[0]) {
      case 'Array':
        this.#items(node, 1, object as unknown[]);
        break;
      case 'ArrayWith':
        this.#items(node, 2, object as unknown[]);
        for (const [key, slot] of Object.entries(fields(node[1], 'its properties'))) {
          if (key === 'length') throw new ArgumentError("an array has no property 'length' of that kind");
          setOwn(object, key, this.#value(slot));
        }
        break;
      case 'Map':
        if (node.length % 2 === 0) throw new ArgumentError('it has a key without a value');
        for (let i = 1; i < node.length; i += 2) {
          (object as Map<unknown, unknown>).set(this.#value(node[i]), this.#value(node[i + 1]));
        }
        break;
      case 'Set':
        for (let i = 1; i < node.length; i++) (object as Set<unknown>).add(this.#value(node[i]));
        break;
      case 'Failure':
        Object.assign(object, { error: this.#value(node[2]) });
    }
  }

  #items(node: readonly unknown[], from: number, array: unknown[]): void {
    let length = 0;
    for (let i = from; i < node.length; i++) {
      const slot = node[i];
      if (Array.isArray(slot) && slot[0] === 'holes') length += whole(slot[1], 'the number of its holes');
      else array[length++] = this.#value(slot);
      if (length >= 2 ** 32) throw new ArgumentError(`an array cannot have ${length} items`);
    }
    if (array.length === length) return;
    // To set the length would take memory for all that is missing; to write past the end makes the array a sparse one.
    array[length - 1] = undefined;
    delete array[length - 1];
  }

  #value(slot: unknown): unknown {
    if (!Array.isArray(slot)) {
      if (typeof slot === 'object' && slot !== null)
        throw new ArgumentError('it holds an object that has no place of its own');
      return slot;
    }
    const [first, second] = slot;
    if (typeof first === 'number') {
      const object = first > 0 && first < this.#nodes.length ? this.#objects[first] : undefined;
      if (object) return object;
      throw new ArgumentError(`it refers to item ${first}, which is not there, or not of the right kind`);
    }
    if (first === 'bigint') return bigintOf(second);
    if (named.has(first)) return named.get(first);
    throw new ArgumentError(`${received(first)} stands for no value`);
  }

  #boxed(slot: unknown): object {
    const value = Array.isArray(slot) && typeof slot[0] === 'number' ? undefined : this.#value(slot);
    if (value === undefined || value === null) throw new ArgumentError('there is no object for that primitive');
    return Object(value);
  }

  /** Each part once, or a short text could stand for any amount of memory. */
  #bytes(content: unknown): Uint8Array {
    if (typeof content === 'string') return bytesOf(content);
    const part = this.#parts[content as number];
    if (typeof content !== 'number' || part === undefined || this.#usedParts.has(content)) {
      throw new ArgumentError(`there is no part ${String(content)}, or it belongs to another object`);
    }
    this.#usedParts.add(content);
    return part;
  }
}

/** What has been made of several objects must not surprise those who use it. */
function check(node: unknown, object: object): void {
  if (!Array.isArray(node)) return;
  if (node[0] === 'Failure' && !isError((object as Failure).error)) throw new ArgumentError('a failure has an error');
  if (node[0] === 'History') checkHistory(object as History);
}

function checkHistory(history: History): void {
  const isAttempt = (attempt: unknown) => {
    const { value: _, failures } = fields(attempt, 'an attempt');
    return (
      Object.hasOwn(attempt as object, 'value') && Object.values(fields(failures, 'its failures')).every(isFailure)
    );
  };
  if (history.failure !== undefined && !isFailure(history.failure)) {
    throw new ArgumentError(`the failure of a history is a failure; received ${received(history.failure)}`);
  }
  if (![...history].every(isAttempt)) throw new ArgumentError('an attempt has a value and failures');
}

function isFailure(value: unknown): boolean {
  return value instanceof Failure;
}

function dateOf(text: unknown): Date {
  if (text === null) return new Date(Number.NaN);
  const date = new Date(string(text, 'its time'));
  if (Number.isNaN(date.getTime())) throw new ArgumentError(`${received(text)} is no time`);
  return date;
}

function bigintOf(text: unknown): bigint {
  const match = /^(-?)([0-9]{1,400}|0x[0-9a-f]+)$/.exec(string(text, 'a bigint'));
  if (!match) throw new ArgumentError(`${received(text)} is no bigint`);
  const size = BigInt(match[2]!);
  return match[1] === '-' ? -size : size;
}

function bytesOf(base64: string): Uint8Array {
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw new ArgumentError('its content is not in base64');
  }
  return Buffer.from(base64, 'base64');
}

function shared(bytes: Uint8Array): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes.byteLength);
  new Uint8Array(buffer).set(bytes);
  return buffer;
}

function fields(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ArgumentError(`${what} must be an object; received ${received(value)}`);
}

function list(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value;
  throw new ArgumentError(`${what} must be an array with items; received ${received(value)}`);
}

function string(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new ArgumentError(`${what} must be a string; received ${received(value)}`);
}

function whole(value: unknown, what: string): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new ArgumentError(`${what} must be an integer, 0 or more; received ${received(value)}`);
}
