/**
 * Shows a value that comes from a task, on one line. Other than `util.inspect()` it masks by key, is bounded in the size of its
 * whole text and in its time, and runs no code of the value's: neither getters, nor proxies, nor what is meant for `inspect`.
 */
import { types } from 'node:util';
import { escapeControls } from './escape.js';

const MASK = '***';
/** Of what is deeper only the kind is shown. */
const DEEPEST = 20;

/**
 * @param masked the keys, in lower case, whose values are shown as `***`, at any depth
 * @param maxLength how many characters the text may have; it ends in `…` when that is not enough
 */
export function valueText(value: unknown, masked: ReadonlySet<string>, maxLength: number): string {
  const writer = new Writer(masked, maxLength);
  try {
    writer.write(value);
  } catch {
    return '[cannot be shown]';
  }
  return writer.text;
}

class Writer {
  text = '';
  readonly #masked: ReadonlySet<string>;
  readonly #maxLength: number;
  #full = false;
  /** The objects that the value being written is in. */
  readonly #around: object[] = [];

  constructor(masked: ReadonlySet<string>, maxLength: number) {
    this.#masked = masked;
    this.#maxLength = maxLength;
  }

  write(value: unknown): void {
    if (typeof value === 'string') this.#string(value);
    else if (typeof value === 'bigint') this.#add(`${value}n`);
    else if (typeof value === 'function') this.#add('[Function]');
    else if (typeof value === 'object' && value !== null) this.#object(value);
    else this.#add(escapeControls(Object.is(value, -0) ? '-0' : String(value)));
  }

  #add(text: string): void {
    if (this.#full) return;
    this.text += text;
    if (this.text.length <= this.#maxLength) return;
    this.text = `${this.text.slice(0, this.#maxLength - 1)}…`;
    this.#full = true;
  }

  #string(value: string): void {
    const room = this.#maxLength - this.text.length;
    this.#add(`'${escapeControls(value.slice(0, room).replace(/[\\']/g, '\\$&'))}'`);
  }

  #object(value: object): void {
    const plain = plainText(value);
    if (plain !== undefined) {
      this.#add(plain);
      return;
    }
    const name = nameOf(value);
    if (this.#around.includes(value)) {
      this.#add('[Circular]');
      return;
    }
    if (this.#around.length >= DEEPEST) {
      this.#add(`[${name}]`);
      return;
    }
    this.#around.push(value);
    if (Array.isArray(value)) this.#list('[', Array.prototype.values.call(value), ']');
    else if (types.isSet(value)) this.#list(`${name} {`, Set.prototype.values.call(value), '}');
    else if (types.isMap(value)) this.#map(`${name} {`, Map.prototype.entries.call(value));
    else this.#properties(name === 'Object' ? '{' : `${name} {`, value);
    this.#around.pop();
  }

  #list(start: string, values: Iterable<unknown>, end: string): void {
    this.#add(start);
    let separator = '';
    for (const value of values) {
      if (this.#full) return;
      this.#add(separator);
      this.write(value);
      separator = ', ';
    }
    this.#add(end);
  }

  #map(start: string, map: Iterable<[unknown, unknown]>): void {
    this.#add(start);
    let separator = ' ';
    for (const [key, value] of map) {
      if (this.#full) return;
      this.#add(separator);
      this.write(key);
      this.#add(' => ');
      if (typeof key === 'string') this.#valueOf(key, value);
      else this.write(value);
      separator = ', ';
    }
    this.#add(separator === ' ' ? '}' : ' }');
  }

  #properties(start: string, object: object): void {
    this.#add(start);
    let separator = ' ';
    for (const key of Object.keys(object)) {
      if (this.#full) return;
      this.#add(separator);
      if (/^[\w$]+$/.test(key)) this.#add(key);
      else this.#string(key);
      this.#add(': ');
      const { value, get } = Object.getOwnPropertyDescriptor(object, key)!;
      this.#valueOf(key, value, get !== undefined);
      separator = ', ';
    }
    this.#add(separator === ' ' ? '}' : ' }');
  }

  #valueOf(key: string, value: unknown, isGetter = false): void {
    if (this.#masked.has(key.toLowerCase())) this.#add(MASK);
    else if (isGetter) this.#add('[Getter]');
    else this.write(value);
  }
}

/** The text of an object whose properties tell nothing; `undefined` for any other. */
function plainText(value: object): string | undefined {
  if (types.isProxy(value)) return '[Proxy]';
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return `${nameOf(value)}(${value.byteLength} bytes)`;
  if (types.isDate(value)) {
    const time = Date.prototype.getTime.call(value);
    return Number.isNaN(time) ? 'Invalid Date' : new Date(time).toISOString();
  }
  if (types.isRegExp(value)) return escapeControls(RegExp.prototype.toString.call(value));
  if (types.isNativeError(value))
    return `[${nameOf(value)}: ${escapeControls(String(ownValue(value, 'message') ?? ''))}]`;
  return undefined;
}

function nameOf(value: object): string {
  const prototype = Object.getPrototypeOf(value);
  const made = prototype === null ? undefined : ownValue(prototype, 'constructor');
  const name = typeof made === 'function' ? ownValue(made, 'name') : undefined;
  return typeof name === 'string' && name !== '' ? escapeControls(name) : 'Object';
}

/** The value of a property that is no getter. */
function ownValue(object: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}
