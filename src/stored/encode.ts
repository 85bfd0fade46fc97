import { constants } from 'node:buffer';
import { types } from 'node:util';
import { History } from '../atoms/index.js';
import { ArgumentError, RunError, received } from '../errors.js';
import { Failure } from '../failure/index.js';
import { isDetached, nameOf, pathOf, refused, type Step, THROWING, type Way } from '../wire/cloneable.js';
import { describe, type ErrorParts, isError, MAX_LINKS, partsOf } from '../wire/errors.js';
import { byBuffer, bytesOf, type Piece, piecesOf, type View, viewNode } from './binary.js';
import { GRAPH_TAG, isNaming, JSON_TAG, LONG_BIGINT, PART, type Slot, type Stored, setOwn } from './format.js';
import { hasOnlyItems, treeText } from './tree.js';

export interface EncodeOptions {
  /** The most that a value may take, in bytes: its text as UTF-8, and its parts. */
  readonly limit: number;
  /** What to call the value in messages. Default: `'The value'`. */
  readonly what?: string;
  /** The task that errors are about. */
  readonly task?: string | undefined;
}

/**
 * Writes down a value as it is now, to be stored. All that structured clone can copy between threads comes back as it was, and beyond
 * that errors as they come from another thread, `Failure`s, `History`s and `Buffer`s. What is shared stays shared. As with structured clone:
 *
 * - an instance of a class becomes a plain object of its own enumerable properties; if it has none, then all that it holds is private, and
 *   it is refused
 * - properties with symbols for keys, those that are not enumerable, and those that were added to a map, a set, a date, ... are left out
 * - a regular expression forgets its `lastIndex`
 *
 * Otherwise than with it, a buffer that can be resized comes back with the size that it has, a proxy is stored as what it shows, and a
 * property of an error that cannot be stored is left out, so that errors always can.
 *
 * @throws {@link RunError} `ERR_MILLRACE_UNSTORABLE` with the place of what cannot be stored (a function, a symbol, a promise, ...), or
 *   `ERR_MILLRACE_TOO_LARGE`
 */
export function encodeStored(value: unknown, options: EncodeOptions): Stored {
  if (typeof options?.limit !== 'number' || !(options.limit >= 0)) {
    throw new ArgumentError(
      `encodeStored(): limit must be a number of bytes, 0 or more; received ${received(options?.limit)}`,
    );
  }
  const json = treeText(value);
  if (json === undefined) return new Encoder(options).encode(value);
  const text = JSON_TAG + json;
  // No character takes more than three bytes; most values are far from the limit, and need not be measured.
  if (text.length * 3 > options.limit) checkSize(Buffer.byteLength(text), options);
  return { text, parts: [] };
}

function checkSize(size: number, options: EncodeOptions, or = ''): void {
  const { limit, what = 'The value', task } = options;
  if (size <= limit) return;
  throw new RunError(
    'ERR_MILLRACE_TOO_LARGE',
    `${what} takes ${size} bytes${or} when it is stored, and ${limit} are allowed: put it into a file, and pass on the file's name`,
    { task },
  );
}

/** An object that has a place, and the way to it. */
interface Source extends Way {
  readonly value: object;
  /** How many errors lead to it. */
  readonly links: number;
}

/** Objects are written in the order in which they are met; the list of them is its own queue, so that nothing recurses. */
class Encoder {
  readonly #options: EncodeOptions;
  /** The one at place 0 stands for the value itself, which may be none. */
  readonly #sources: Source[] = [{ value: {}, parent: undefined, step: 'property', key: '', links: 0 }];
  readonly #nodes: unknown[] = [];
  readonly #places = new Map<object, number>();
  readonly #views: View[] = [];
  readonly #buffers: { readonly node: unknown[]; readonly buffer: ArrayBufferLike }[] = [];
  readonly #parts: Uint8Array[] = [];
  /** A lower bound of what has been written so far, so that what is endless comes to an end. */
  #size = 0;
  #refusal: unknown;

  constructor(options: EncodeOptions) {
    this.#options = options;
  }

  encode(value: unknown): Stored {
    this.#nodes[0] = this.#root(value);
    this.#write(1);
    this.#writeBinary();
    let text: string;
    try {
      text = GRAPH_TAG + JSON.stringify(this.#nodes);
    } catch (error) {
      const { MAX_STRING_LENGTH: limit } = constants;
      if (error instanceof RangeError) checkSize(limit + 1, { ...this.#options, limit }, ' or more');
      throw error;
    }
    const size = this.#parts.reduce((sum, part) => sum + part.byteLength, Buffer.byteLength(text));
    checkSize(size, this.#options);
    return { text, parts: this.#parts };
  }

  #root(value: unknown): Slot {
    const root = this.#sources[0]!;
    if (typeof value === 'function' || typeof value === 'symbol') this.#refuse(root, typeof value);
    if (typeof value !== 'object' || value === null) return this.#slot(value, root, 'property', '');
    // The way to an object at the top has no step.
    this.#sources.push({ ...root, value });
    this.#places.set(value, 1);
    return [1];
  }

  #write(from: number): void {
    for (let place = from; place < this.#sources.length; place++)
      this.#nodes[place] ??= this.#node(this.#sources[place]!);
  }

  #slot(value: unknown, from: Source, step: Step, key: unknown): Slot {
    this.#grow(1);
    switch (typeof value) {
      case 'string':
        this.#grow(value.length);
        return value;
      case 'boolean':
        return value;
      case 'number':
        if (Number.isFinite(value) && !Object.is(value, -0)) return value;
        return [Object.is(value, -0) ? '-0' : String(value)];
      case 'undefined':
        return ['undefined'];
      case 'bigint':
        return ['bigint', bigintText(value)];
      case 'object':
        return value === null ? null : this.#refer(value, from, step, key);
      default:
        return this.#refuse({ parent: from, step, key }, typeof value);
    }
  }

  #refer(value: object, parent: Source, step: Step, key: unknown): Slot {
    const known = this.#places.get(value);
    if (known !== undefined) return [known];
    const links = isError(value) ? parent.links + 1 : parent.links;
    if (links > MAX_LINKS + 1) return `[what is more than ${MAX_LINKS} links away was left out]`;
    const place = this.#sources.push({ value, parent, step, key, links }) - 1;
    this.#places.set(value, place);
    this.#grow(2);
    return [place];
  }

  #node(source: Source): unknown {
    try {
      return this.#written(source);
    } catch (error) {
      if (error === this.#refusal) throw error;
      return this.#refuse(source, `${nameOf(source.value)} that throws when it is read`, error);
    }
  }

  #written(source: Source): unknown {
    const { value } = source;
    if (Array.isArray(value)) return this.#array(source, value);
    const prototype: object | null = Object.getPrototypeOf(value);
    if (prototype === null || prototype === Object.prototype) return this.#record(source, Object.keys(value));
    if (types.isMap(value)) return this.#map(source, value);
    if (types.isSet(value)) return this.#set(source, value);
    if (types.isDate(value)) return ['Date', dateText(value)];
    if (types.isRegExp(value)) return this.#regExp(value);
    if (types.isAnyArrayBuffer(value)) return this.#buffer(source, value);
    if (ArrayBuffer.isView(value)) return this.#view(source, value);
    for (const [type, matches] of refused) if (matches(value)) this.#refuse(source, type);
    for (const [matches, unbox] of boxes) {
      if (matches(value)) return ['Boxed', this.#slot(unbox.call(value), source, 'property', '')];
    }
    if (value instanceof Failure) return this.#failure(source, value);
    if (value instanceof History) return this.#history(source, value);
    if (isError(value)) return this.#error(source, value);
    const keys = Object.keys(value);
    const isPlain = Object.getPrototypeOf(prototype) === null; // of another realm, or with a bare prototype of its own
    if (keys.length === 0 && !isPlain) this.#refuse(source, `${nameOf(value)} whose state is private`);
    return this.#record(source, keys);
  }

  #record(source: Source, keys: readonly string[]): Record<string, Slot> {
    const node: Record<string, Slot> = {};
    for (const key of keys) {
      this.#grow(key.length);
      setOwn(node, key, this.#slot(this.#get(source, key), source, 'property', key));
    }
    return node;
  }

  #get(source: Source, key: string): unknown {
    try {
      return (source.value as Record<string, unknown>)[key];
    } catch (error) {
      return this.#refuse({ parent: source, step: 'property', key }, THROWING, error);
    }
  }

  #array(source: Source, array: readonly unknown[]): unknown[] {
    const node: Slot[] = ['Array' as Slot];
    for (let i = 0; i < array.length; i++) {
      const item = array[i];
      // A sparse array may have a length of thousands of millions, and few items.
      if (item === undefined && !Object.hasOwn(array, i)) return this.#sparse(source, array);
      node.push(this.#slot(item, source, 'index', i));
    }
    return hasOnlyItems(array) ? node : this.#sparse(source, array);
  }

  #sparse(source: Source, array: readonly unknown[]): unknown[] {
    const items: Slot[] = [];
    const names: string[] = [];
    let next = 0;
    const skipTo = (index: number) => {
      if (index > next) items.push(['holes', index - next]);
      next = index + 1;
    };
    for (const key of Object.keys(array)) {
      if (!isIndex(key)) {
        names.push(key);
        continue;
      }
      skipTo(Number(key));
      items.push(this.#slot(this.#get(source, key), source, 'index', Number(key)));
    }
    skipTo(array.length);
    const head = names.length > 0 ? ['ArrayWith', this.#record(source, names)] : ['Array'];
    return head.concat(items as never[]);
  }

  #map(source: Source, map: ReadonlyMap<unknown, unknown>): unknown[] {
    const node: unknown[] = ['Map'];
    let index = 0;
    Map.prototype.forEach.call(map, (value, key) => {
      node.push(this.#slot(key, source, 'map key', index));
      const name = typeof key === 'string' || typeof key === 'number' ? key : { index };
      node.push(this.#slot(value, source, 'map value', name));
      index++;
    });
    return node;
  }

  #set(source: Source, set: ReadonlySet<unknown>): unknown[] {
    const node: unknown[] = ['Set'];
    Set.prototype.forEach.call(set, (item) => {
      node.push(this.#slot(item, source, 'set item', node.length - 1));
    });
    return node;
  }

  #regExp(value: RegExp): unknown[] {
    // By its class's getters, for it may have properties of these names.
    const [source, flags] = ['source', 'flags'].map((name) => Reflect.get(RegExp.prototype, name, value) as string);
    this.#grow(source!.length);
    return ['RegExp', source, flags];
  }

  #buffer(source: Source, buffer: ArrayBufferLike): unknown[] {
    if (isDetached(buffer)) this.#refuse(source, 'detached ArrayBuffer');
    const node: unknown[] = [];
    this.#buffers.push({ node, buffer });
    return node;
  }

  #view(source: Source, view: ArrayBufferView): unknown[] {
    if (isDetached(view.buffer)) this.#refuse(source, 'detached ArrayBuffer');
    const node = viewNode(view);
    this.#views.push({ node, view });
    return node;
  }

  #failure(source: Source, { task, error }: Failure): unknown[] {
    if (!isError(error)) this.#refuse(source, 'Failure without an Error');
    return ['Failure', String(task), this.#slot(error, source, 'property', 'error')];
  }

  #history(source: Source, history: History): unknown[] {
    const failure = history.failure ?? null;
    const node: unknown[] = ['History', this.#slot(failure, source, 'property', 'failure')];
    for (const attempt of history) {
      const index = node.length - 2;
      node.push(this.#slot(attempt, source, 'index', index));
    }
    return node;
  }

  /** What hangs on an error must not keep it from being stored: what cannot be is left out, or a note takes its place. */
  #error(source: Source, error: Error): unknown[] {
    const { base, classes, stack, properties, inherited } = partsOf(error);
    const node: Record<string, unknown> = { classes: [...classes, base] };
    if (stack !== undefined) {
      this.#grow(stack.length);
      node.stack = stack;
    }
    for (const property of properties) {
      const { key, symbol, value } = property;
      const isLost = isNaming(key, symbol) && typeof value === 'object' && value !== null;
      let slot = isLost ? undefined : this.#attempt(source, key, value);
      if (slot === undefined) slot = this.#substitute(source, property);
      if (slot !== undefined) this.#setField(node, fieldOf(property), key, slot);
    }
    for (const { key, value } of inherited) {
      if (value.kind !== 'plain') continue;
      this.#setField(node, 'inherited', key, this.#slot(value.value, source, 'property', key));
    }
    return ['Error', node];
  }

  #setField(node: Record<string, unknown>, field: string, key: string, slot: Slot): void {
    this.#grow(key.length);
    node[field] ??= {};
    setOwn(node[field] as object, key, slot);
  }

  /** What stands for what an error refers to and cannot be stored. */
  #substitute(source: Source, { key, symbol, value }: ErrorParts['properties'][number]): Slot | undefined {
    if (key === 'cause' || isNaming(key, symbol)) return lostNote(value);
    if (key !== 'errors' || !Array.isArray(value)) return undefined;
    const items = Array.from(value, (item) => {
      const slot = this.#attempt(source, key, item);
      return slot === undefined ? lostNote(item) : slot;
    });
    const place = this.#sources.push({ ...source, value: items }) - 1;
    this.#nodes[place] = ['Array', ...items];
    return [place];
  }

  /** The slot of a value when all that is in it can be stored; otherwise nothing of it is kept. */
  #attempt(source: Source, key: string, value: unknown): Slot | undefined {
    const [from, size, views, buffers] = [this.#sources.length, this.#size, this.#views.length, this.#buffers.length];
    try {
      const slot = this.#slot(value, source, 'property', key);
      // Errors can be stored in any case, so that theirs is no matter of this one: a chain of causes does not recurse.
      if (!isError(value)) this.#write(from);
      return slot;
    } catch (error) {
      if (error !== this.#refusal || (error as RunError).code !== 'ERR_MILLRACE_UNSTORABLE') throw error;
      for (const { value } of this.#sources.splice(from)) this.#places.delete(value);
      this.#nodes.length = Math.min(this.#nodes.length, from);
      this.#views.length = views;
      this.#buffers.length = buffers;
      this.#size = size;
      return undefined;
    }
  }

  #writeBinary(): void {
    const views = byBuffer(this.#views);
    for (const { node, buffer } of this.#buffers) {
      for (const piece of piecesOf(buffer, views.get(buffer) ?? [], true)) this.#place(piece, buffer, node);
      views.delete(buffer);
    }
    for (const [buffer, group] of views) {
      for (const piece of piecesOf(buffer, group, false)) this.#place(piece, buffer, []);
    }
  }

  /** Writes down what is stored of a buffer, and in the views on it where it is. */
  #place(piece: Piece, buffer: ArrayBufferLike, node: unknown[]): void {
    this.#grow(piece.end - piece.start);
    const bytes = bytesOf(buffer, piece);
    const content =
      bytes.byteLength < PART ? Buffer.from(bytes.buffer).toString('base64') : this.#parts.push(bytes) - 1;
    node.push(types.isSharedArrayBuffer(buffer) ? 'SharedArrayBuffer' : 'ArrayBuffer', content);
    const place = this.#places.get(buffer) ?? this.#nodes.push(node) - 1;
    for (const { node, view } of piece.views) {
      node[1] = [place];
      node[2] = view.byteOffset - piece.start + piece.padding;
    }
  }

  #grow(bytes: number): void {
    this.#size += bytes;
    if (this.#size <= this.#options.limit) return;
    try {
      checkSize(this.#size, this.#options, ' or more');
    } catch (error) {
      this.#refusal = error;
      throw error;
    }
  }

  #refuse(way: Way, type: string, cause?: unknown): never {
    const { what = 'The value', task } = this.#options;
    const path = pathOf(way);
    const place = path === '' ? '' : `${path.length > 200 ? `${path.slice(0, 199)}…` : path}: `;
    const details = cause === undefined ? { task } : { task, cause };
    this.#refusal = new RunError('ERR_MILLRACE_UNSTORABLE', `${what} cannot be stored (${place}${type})`, details);
    throw this.#refusal;
  }
}

/** Each with its class's own method, for an object may have another one. */
const boxes: readonly (readonly [(value: unknown) => boolean, () => unknown])[] = [
  [types.isNumberObject, Number.prototype.valueOf],
  [types.isStringObject, String.prototype.valueOf],
  [types.isBooleanObject, Boolean.prototype.valueOf],
  [types.isBigIntObject, BigInt.prototype.valueOf],
];

function bigintText(value: bigint): string {
  const size = value < 0n ? -value : value;
  const digits = size < LONG_BIGINT ? String(size) : `0x${size.toString(16)}`;
  return value < 0n ? `-${digits}` : digits;
}

function dateText(date: Date): string | null {
  return Number.isNaN(Date.prototype.getTime.call(date)) ? null : Date.prototype.toISOString.call(date);
}

function isIndex(key: string): boolean {
  return /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1;
}

function fieldOf({ symbol, enumerable }: { readonly symbol: boolean; readonly enumerable: boolean }): string {
  if (symbol) return enumerable ? 'symbols' : 'hiddenSymbols';
  return enumerable ? 'properties' : 'hidden';
}

function lostNote(value: unknown): string {
  return `[${describe(value)}, which cannot be stored]`;
}
