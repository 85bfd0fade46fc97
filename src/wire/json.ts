/**
 * Errors as JSON: what is kept of them when they are stored, or sent past this machine. They are written down as `encodeError` sees
 * them and rebuilt by `decodeError`; here this flat list becomes a tree that reads well, and back. What is read may come from
 * anywhere, and is checked.
 */
import { ArgumentError, received } from '../errors.js';
import {
  decodeError,
  describe,
  type EncodedError,
  type EncodedObject,
  type EncodedProperty,
  type EncodedValue,
  encodeError,
  MAX_LINKS,
  MAX_TEXT,
} from './errors.js';

/** An error as plain data. */
export interface ErrorJson {
  /** The name of its class and of those that this extends; the last one is built in, or `'Millrace.…'`. */
  readonly classes: readonly string[];
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
  readonly cause?: ValueJson;
  /** Of an `AggregateError`. */
  readonly errors?: readonly ValueJson[];
  /** Its other own properties. */
  readonly properties?: Readonly<Record<string, ValueJson>>;
  /** Those of them, and `code`, that are not enumerable. */
  readonly hidden?: readonly string[];
}

/** What an error refers to: another one, or a JSON value. */
export type ValueJson = { readonly error: ErrorJson } | { readonly value: unknown };

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** How many errors are written in all; one that is referred to twice counts twice. */
const MAX_COUNT = 1000;
/** How deeply a value may be nested. */
const MAX_DEPTH = 100;
/** A text that `encodeError` has cut says so. */
const LONGEST_TEXT = MAX_TEXT + 100;

/** Whether a property would do harm under this name, or has a field of its own. */
function isReserved(key: string): boolean {
  if (['__proto__', 'prototype', 'stack', 'name', 'message', 'code', 'cause', 'errors'].includes(key)) return true;
  return typeof (Error.prototype as unknown as Record<string, unknown>)[key] === 'function';
}

/** Writes down an error, for `JSON.stringify`. What JSON cannot hold is left out. Never throws. */
export function errorToJson(error: Error): ErrorJson {
  const encoded = encodeError(error);
  if (encoded.kind === 'error') return new Writer(encoded.errors).write(0);
  const message = encoded.kind === 'lost' ? encoded.message : `A failure holds ${describe(error)} instead of an Error`;
  return errorToJson(decodeError({ kind: 'lost', message }) as Error);
}

class Writer {
  readonly #errors: readonly EncodedObject[];
  /** Those that are being written: each leads to the next. */
  readonly #path: number[] = [];
  #count = 0;

  constructor(errors: readonly EncodedObject[]) {
    this.#errors = errors;
  }

  write(index: number): ErrorJson {
    const { base, classes, stack, properties, inherited } = this.#errors[index];
    this.#count++;
    this.#path.push(index);
    const json: Writable<ErrorJson> = { classes: [...classes, base], name: defaultName(base), message: '' };
    const others: Record<string, ValueJson> = {};
    const hidden: string[] = [];
    for (const { key, symbol, enumerable, value } of [...properties, ...inherited]) {
      if (symbol) continue;
      const written = this.#field(json, key, value) || isReserved(key) ? undefined : this.#value(value);
      if (written) others[key] = written;
      if (!enumerable && (written || (key === 'code' && json.code !== undefined))) hidden.push(key);
    }
    if (stack !== undefined) json.stack = stack;
    if (Object.keys(others).length > 0) json.properties = others;
    if (hidden.length > 0) json.hidden = hidden;
    this.#path.pop();
    return json;
  }

  /** Writes what has a field of its own, if it is of the right kind. */
  #field(json: Writable<ErrorJson>, key: string, value: EncodedValue): boolean {
    const plain = value.kind === 'plain' ? value.value : undefined;
    if (key === 'cause' && value.kind === 'plain' && plain === undefined) return true;
    if (key === 'cause') json.cause = this.#item(value);
    else if (key === 'errors' && value.kind === 'list') json.errors = value.items.map((item) => this.#item(item));
    else if ((key === 'name' || key === 'message') && typeof plain === 'string') json[key] = plain;
    else if (key === 'code' && (typeof plain === 'string' || Number.isFinite(plain)))
      json.code = plain as string | number;
    else return false;
    return true;
  }

  #item(value: EncodedValue): ValueJson {
    return this.#value(value) ?? note('a value that JSON cannot hold');
  }

  #value(value: EncodedValue): ValueJson | undefined {
    if (value.kind === 'plain') return asJson(value.value);
    if (value.kind === 'list') return undefined;
    if (this.#path.includes(value.index)) return note('circular');
    if (this.#path.length > MAX_LINKS || this.#count >= MAX_COUNT) return note('an error that was left out');
    return { error: this.write(value.index) };
  }
}

function note(text: string): ValueJson {
  return { value: `[${text}]` };
}

function defaultName(base: string): string {
  return base.replace('Millrace.', '');
}

/** What JSON makes of a value; `undefined` if nothing, or if it is too large or too deep to be read again. */
function asJson(value: unknown): ValueJson | undefined {
  try {
    const text = JSON.stringify(value, (key, inner) => (key === '__proto__' ? undefined : inner));
    return text.length > MAX_TEXT ? undefined : { value: new Reader().json(JSON.parse(text), '', 0) };
  } catch {
    return undefined; // circular, a bigint, nested too deeply, or `undefined`
  }
}

/**
 * The error that was written down.
 *
 * @param path what to call it in messages
 * @throws {@link ArgumentError} when it is not what `errorToJson` writes
 */
export function errorFromJson(json: unknown, path: string): Error {
  const reader = new Reader();
  reader.error(json, path, 0);
  const encoded: EncodedError = { kind: 'error', errors: reader.errors };
  return decodeError(encoded) as Error;
}

class Reader {
  readonly errors: EncodedObject[] = [];

  error(json: unknown, path: string, depth: number): EncodedValue {
    const field = fieldsOf(json, path);
    if (depth > MAX_LINKS) throw new ArgumentError(`${path} is nested too deeply`);
    if (this.errors.length === MAX_COUNT) throw new ArgumentError(`${path}: there are more than ${MAX_COUNT} errors`);
    const classes = texts(field('classes'), `${path}.classes`);
    const base = classes.pop();
    if (base === undefined || classes.length > MAX_LINKS) {
      throw new ArgumentError(`${path}.classes must have 1 to ${MAX_LINKS + 1} items`);
    }
    const stack = field('stack');
    const properties: EncodedProperty[] = [];
    const index = this.errors.push({
      ...{ base, classes, properties },
      stack: stack === undefined ? undefined : text(stack, `${path}.stack`),
      inherited: ['name', 'message'].map((key) => property(key, plain(text(field(key), `${path}.${key}`)), false)),
    });
    properties.push(...this.#properties(field, path, depth));
    if (base.startsWith('Millrace.'))
      properties.push({ ...property('millrace.error', plain(true), false), symbol: true });
    return { kind: 'error', index: index - 1 };
  }

  *#properties(field: (key: string) => unknown, path: string, depth: number): Generator<EncodedProperty> {
    const [code, cause, errors, others] = ['code', 'cause', 'errors', 'properties'].map(field);
    const hidden = new Set(texts(field('hidden') ?? [], `${path}.hidden`));
    if (code !== undefined) {
      const value = Number.isFinite(code) ? code : text(code, `${path}.code`);
      yield property('code', plain(value), !hidden.has('code'));
    }
    if (cause !== undefined) yield property('cause', this.#value(cause, `${path}.cause`, depth), false);
    if (errors !== undefined) {
      const items = list(errors, `${path}.errors`).map((item, i) => this.#value(item, `${path}.errors[${i}]`, depth));
      yield property('errors', { kind: 'list', items }, false);
    }
    if (others === undefined) return;
    fieldsOf(others, `${path}.properties`);
    for (const [key, value] of Object.entries(others as object)) {
      if (isReserved(key)) throw new ArgumentError(`${path}.properties must not have a property '${key}'`);
      yield property(key, this.#value(value, `${path}.properties.${key}`, depth), !hidden.has(key));
    }
  }

  #value(json: unknown, path: string, depth: number): EncodedValue {
    const field = fieldsOf(json, path);
    const error = field('error');
    if (error !== undefined) return this.error(error, `${path}.error`, depth + 1);
    return plain(this.json(field('value'), `${path}.value`, 0));
  }

  /** A copy of a JSON value. */
  json(value: unknown, path: string, depth: number): unknown {
    if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value))
      return value;
    if (typeof value !== 'object') throw new ArgumentError(`${path} must be JSON; received ${received(value)}`);
    if (depth === MAX_DEPTH) throw new ArgumentError(`${path} is nested too deeply`);
    if (Array.isArray(value)) return value.map((item, i) => this.json(item, `${path}[${i}]`, depth + 1));
    const copy: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) {
      if (key === '__proto__') throw new ArgumentError(`${path} must not have a property '__proto__'`);
      copy[key] = this.json(item, `${path}.${key}`, depth + 1);
    }
    return copy;
  }
}

function property(key: string, value: EncodedValue, enumerable: boolean): EncodedProperty {
  return { key, symbol: false, enumerable, value };
}

function plain(value: unknown): EncodedValue {
  return { kind: 'plain', value };
}

function fieldsOf(json: unknown, path: string): (key: string) => unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ArgumentError(`${path} must be an object; received ${received(json)}`);
  }
  return (key) => (Object.hasOwn(json, key) ? (json as Record<string, unknown>)[key] : undefined);
}

function list(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new ArgumentError(`${path} must be an array; received ${received(value)}`);
}

function texts(value: unknown, path: string): string[] {
  return list(value, path).map((item, i) => text(item, `${path}[${i}]`));
}

function text(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new ArgumentError(`${path} must be a string; received ${received(value)}`);
  if (value.length > LONGEST_TEXT) throw new ArgumentError(`${path} is too long: ${value.length} characters`);
  return value;
}
