/**
 * Errors on their way from one thread to another. Structured clone loses their class, `code`, own properties and aggregated
 * errors; `encodeError` writes them down as plain data that it can copy, and `decodeError` makes errors of that again.
 *
 * The errors that hang on one another (causes, aggregated errors, errors in properties) are kept in one flat list and refer
 * to each other by index, hence cycles need no care and nothing here recurses.
 */
import { types } from 'node:util';
import { lookAlike } from '../error-kinds.js';
import {
  AbortError,
  ArgumentError,
  ConfigError,
  ExposedError,
  FlowError,
  isMillraceError,
  RunError,
  received,
  ServiceError,
  WrappedFailure,
} from '../errors.js';
import { findUncloneable } from './cloneable.js';

/** Anything that can be thrown, as data that structured clone takes. Made by `encodeError`, to be read by `decodeError`. */
export type EncodedError =
  | { readonly kind: 'error'; readonly errors: readonly EncodedObject[] }
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'lost'; readonly message: string };

/** One error. The first of the list is the one that was thrown. */
export interface EncodedObject {
  /** The closest class that every thread knows. */
  readonly base: string;
  /** The names of its own class and of those that this extends, before `base`; of a user's classes only this travels. */
  readonly classes: readonly string[];
  readonly stack: string | undefined;
  readonly properties: readonly EncodedProperty[];
  /** `name`, `message` and `code` where its class sets them, not the object itself. */
  readonly inherited: readonly EncodedProperty[];
}

export interface EncodedProperty {
  readonly key: string;
  /** The key is `Symbol.for(key)`. */
  readonly symbol: boolean;
  readonly enumerable: boolean;
  readonly value: EncodedValue;
}

export type EncodedValue =
  | { readonly kind: 'plain'; readonly value: unknown }
  | { readonly kind: 'error'; readonly index: number }
  | { readonly kind: 'list'; readonly items: readonly EncodedValue[] };

/** The longest message or stack that travels whole, in UTF-16 code units. */
export const MAX_TEXT = 2 ** 20;
/** How many links (a cause of a cause of ...) are followed. */
export const MAX_LINKS = 100;
/** How many `errors` of one error travel. */
const MAX_ERRORS = 1000;
/** How many errors travel in all, so that aggregates of aggregates stay bounded. */
const MAX_TOTAL = 10_000;

type ErrorClass = abstract new (...args: never[]) => object;

/** The classes that are rebuilt as themselves. Looked up when needed: `SuppressedError` came with Node 24. */
const builtIn: ReadonlyMap<string, ErrorClass> = new Map(
  [
    'Error',
    'TypeError',
    'RangeError',
    'SyntaxError',
    'ReferenceError',
    'EvalError',
    'URIError',
    'AggregateError',
    'SuppressedError',
    'DOMException',
  ].flatMap((name): [string, ErrorClass][] => {
    const found = (globalThis as Record<string, unknown>)[name];
    return typeof found === 'function' ? [[name, found as unknown as ErrorClass]] : [];
  }),
);

/** Millrace's own. Their names are spelled out, as a bundler may rename a class. */
const ours: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ['Millrace.AbortError', AbortError],
  ['Millrace.ArgumentError', ArgumentError],
  ['Millrace.ConfigError', ConfigError],
  ['Millrace.ExposedError', ExposedError],
  ['Millrace.FlowError', FlowError],
  ['Millrace.RunError', RunError],
  ['Millrace.ServiceError', ServiceError],
  ['Millrace.WrappedFailure', WrappedFailure],
]);

const known = new Map([...builtIn, ...ours]);
const knownPrototypes = new Map<unknown, string>([...known].map(([name, { prototype }]) => [prototype, name]));

/** No name of these is ever written to an object: the way to another prototype starts here. `stack` has a field of its own. */
const skipped: ReadonlySet<unknown> = new Set(['__proto__', 'constructor', 'prototype', 'stack']);

/** Whether a value is an error: of any class, of any realm, made by `class` or in the old style. Never throws. */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false;
  if (types.isNativeError(value)) return true;
  try {
    return value instanceof Error;
  } catch {
    return false; // a proxy that refuses
  }
}

/** `received`, for values that may do anything when they are looked at. */
export function describe(value: unknown): string {
  try {
    return cut(received(value));
  } catch {
    return types.isProxy(value) ? 'a Proxy' : 'an object';
  }
}

/**
 * Writes down what was thrown so that it can be sent to another thread: an error with its class, message, code, stack, cause,
 * aggregated errors and own properties, or any other value. Properties that cannot be cloned or read are left out.
 * Texts over 1 MiB, chains over 100 links and more than 1000 aggregated errors are cut, and say so.
 *
 * Never throws, and what it returns can always be cloned.
 *
 * @param thrower - Who threw it, for a message that has to take the place of what was thrown.
 */
export function encodeError(thrown: unknown, thrower = 'A task'): EncodedError {
  try {
    if (isError(thrown)) return { kind: 'error', errors: new Encoder().encode(thrown) };
    const plain = asPlain(thrown);
    if (plain) return { kind: 'value', value: plain.value };
  } catch {
    // Nothing above is expected to throw; but an error must arrive in any case.
  }
  return { kind: 'lost', message: `${thrower} threw ${describe(thrown)}, ${whyLost(thrown)}: throw an Error instead` };
}

function whyLost(thrown: unknown): string {
  const refusal = findUncloneable(thrown);
  const reason = refusal && refusal.path !== '' ? ` (${cut(refusal.path, 200)}: ${refusal.type})` : '';
  return `which cannot be sent to another thread${reason}`;
}

/** What an error is made of: as {@link EncodedObject}, but its properties hold what they hold. */
export interface ErrorParts extends Omit<EncodedObject, 'properties'> {
  readonly properties: readonly (Omit<EncodedProperty, 'value'> & { readonly value: unknown })[];
}

/** Reads an error. What cannot be read is left out, and texts over 1 MiB are cut. Never throws. */
export function partsOf(error: Error): ErrorParts {
  const lineage = lineageOf(error);
  const keys = ownKeys(error);
  const stack = read(error, 'stack');
  return {
    ...lineage,
    stack: typeof stack === 'string' ? cut(stack) : undefined,
    properties: keys.flatMap((key) => (skipped.has(key) ? [] : propertyOf(error, key))),
    inherited: inheritedOf(error, keys, lineage.base),
  };
}

function propertyOf(error: Error, key: string | symbol): ErrorParts['properties'] {
  const name = typeof key === 'string' ? key : Symbol.keyFor(key);
  if (name === undefined) return [];
  try {
    const value = (error as unknown as Record<string | symbol, unknown>)[key];
    const enumerable = Object.prototype.propertyIsEnumerable.call(error, key);
    const held = key === 'message' && typeof value === 'string' ? cut(value) : value;
    return [{ key: name, symbol: typeof key === 'symbol', enumerable, value: held }];
  } catch {
    return []; // a getter that throws
  }
}

/** Collects an error and all that hang on it. The list is its own queue: each is written after the one that leads to it. */
class Encoder {
  readonly #sources: Error[] = [];
  readonly #depths: number[] = [];
  readonly #indexes = new Map<Error, number>();

  encode(root: Error): EncodedObject[] {
    const encoded: EncodedObject[] = [];
    this.#refer(root, 0);
    for (let i = 0; i < this.#sources.length; i++) encoded.push(this.#object(this.#sources[i]!, this.#depths[i]!));
    return encoded;
  }

  #object(error: Error, depth: number): EncodedObject {
    const parts = partsOf(error);
    const properties: EncodedProperty[] = [];
    for (const property of parts.properties) {
      const value = this.#value(property.key, property.value, parts.base, depth);
      if (value) properties.push({ ...property, value });
    }
    return { ...parts, properties };
  }

  /** Of what an error refers to, a note takes the place; any other property that cannot travel is left out. */
  #value(key: string, value: unknown, base: string, depth: number): EncodedValue | undefined {
    if (key === 'errors' && Array.isArray(value)) {
      const first = firstOf(value);
      if (isAggregate(base) || first.some(isError)) return this.#list(first, value.length, depth);
    }
    if (isError(value)) return this.#refer(value, depth + 1);
    return asPlain(value) ?? (key === 'cause' ? uncloneableNote(value) : undefined);
  }

  #list(first: readonly unknown[], length: number, depth: number): EncodedValue {
    const items = first.map((item) =>
      isError(item) ? this.#refer(item, depth + 1) : (asPlain(item) ?? uncloneableNote(item)),
    );
    if (length > first.length) items.push(note(`${length - first.length} more errors were left out`));
    return { kind: 'list', items };
  }

  #refer(error: Error, depth: number): EncodedValue {
    const seen = this.#indexes.get(error);
    if (seen !== undefined) return { kind: 'error', index: seen };
    if (depth > MAX_LINKS) return note(`what is more than ${MAX_LINKS} links away was left out`);
    const index = this.#sources.length;
    if (index >= MAX_TOTAL) return note(`there are more than ${MAX_TOTAL} errors, this one was left out`);
    this.#indexes.set(error, index);
    this.#sources.push(error);
    this.#depths.push(depth);
    return { kind: 'error', index };
  }
}

/** By index, for an array may be sparse, huge, or of a class with methods of its own. */
function firstOf(array: readonly unknown[]): unknown[] {
  const items: unknown[] = [];
  for (let i = 0; i < array.length && i < MAX_ERRORS; i++) items.push(read(array, i));
  return items;
}

function note(text: string): EncodedValue {
  return { kind: 'plain', value: `[${text}]` };
}

function uncloneableNote(value: unknown): EncodedValue {
  return note(`${describe(value)}, which cannot be sent to another thread`);
}

/**
 * A value that can be cloned, or `undefined`. Only a trial can tell for an object; its result is what is kept, as the object
 * itself may have getters that say something else the next time.
 */
function asPlain(value: unknown): { readonly kind: 'plain'; readonly value: unknown } | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return { kind: 'plain', value };
  try {
    // Deeper than it will be in the message, for structured clone gives up at some depth.
    const [[[[[[[[clone]]]]]]]] = structuredClone([[[[[[[[value]]]]]]]]);
    return { kind: 'plain', value: clone };
  } catch {
    return undefined;
  }
}

function lineageOf(error: Error): { base: string; classes: string[] } {
  const classes: string[] = [];
  let prototype: object | null = error;
  try {
    for (let i = 0; i < MAX_LINKS; i++) {
      prototype = Object.getPrototypeOf(prototype) as object | null;
      if (prototype === null) break;
      const name = knownPrototypes.get(prototype) ?? constructorName(prototype);
      const base = known.has(name) ? name : `Millrace.${name}`;
      if (base === name || (known.has(base) && isMillraceError(error))) return { base, classes };
      if (name !== '') classes.push(name);
    }
  } catch {
    // A proxy, or a class that computes its name.
  }
  return { base: 'Error', classes };
}

/** For the classes of users, of other realms, and of a second copy of this package. */
function constructorName(prototype: object): string {
  const owner = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  return typeof owner === 'function' && typeof owner.name === 'string' ? cut(owner.name, 200) : '';
}

function isAggregate(base: string): boolean {
  return base === 'AggregateError' || base === 'Millrace.WrappedFailure';
}

function inheritedOf(error: Error, own: readonly (string | symbol)[], base: string): EncodedProperty[] {
  const properties: EncodedProperty[] = [];
  for (const key of ['name', 'message', 'code']) {
    if (own.includes(key)) continue;
    const value = read(error, key);
    if (typeof value !== 'string' && typeof value !== 'number') continue;
    if (value === read(known.get(base)?.prototype, key)) continue;
    const plain = typeof value === 'string' ? cut(value) : value;
    properties.push({ key, symbol: false, enumerable: false, value: { kind: 'plain', value: plain } });
  }
  return properties;
}

function ownKeys(error: Error): readonly (string | symbol)[] {
  try {
    return Reflect.ownKeys(error);
  } catch {
    return []; // a proxy that refuses
  }
}

function read(object: unknown, key: string | number): unknown {
  try {
    return (object as Record<string | number, unknown>)[key];
  } catch {
    return undefined;
  }
}

function cut(text: string, limit = MAX_TEXT): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… [${text.length - limit} more characters]`;
}

/**
 * What `encodeError` wrote down, as it was thrown. An error of a class that is not built in, and not Millrace's, becomes an
 * instance of a class of the same name that extends the closest such class. What could not be sent becomes a `RunError`
 * with the code `ERR_MILLRACE_NON_ERROR_THROWN` that describes it.
 *
 * @param callerStack - The `stack` of an error created where the work was handed to the other thread: its lines go below the
 * error's own.
 */
export function decodeError(encoded: EncodedError, callerStack?: string): unknown {
  if (encoded.kind === 'value') return encoded.value;
  if (encoded.kind === 'lost') {
    const error = new RunError('ERR_MILLRACE_NON_ERROR_THROWN', encoded.message);
    const header = `${error.name}: ${error.message}`;
    if (callerStack !== undefined) define(error, 'stack', joinStacks(header, callerStack), false);
    return error;
  }
  return decodeErrors(encoded.errors, callerStack)[0];
}

/** Errors that refer to each other; the first is the one that `callerStack` is about. */
export function decodeErrors(objects: readonly EncodedObject[], callerStack?: string): Error[] {
  // All of them first, for they refer to each other.
  const errors = withoutTraces(() => objects.map(create));
  objects.forEach((object, index) => {
    const error = errors[index]!;
    // The stack before the rest: it is made of name and message when it is first touched, and these may be anything.
    const stack = object.stack ?? headerOf(object);
    define(error, 'stack', index === 0 && callerStack !== undefined ? joinStacks(stack, callerStack) : stack, false);
    for (const { key, symbol, enumerable, value } of object.properties) {
      if (symbol) define(error, Symbol.for(key), decodeValue(value, errors), enumerable);
      else if (!skipped.has(key)) define(error, key, decodeValue(value, errors), enumerable);
    }
    for (const { key, value } of object.inherited) {
      const expected = decodeValue(value, errors);
      if (!skipped.has(key) && read(error, key) !== expected) define(error, key, expected, false);
    }
  });
  return errors;
}

/** An empty error of the right class; of Millrace's, without running their constructors, whose arguments are not known. */
function create({ base, classes, inherited }: EncodedObject): Error {
  const Class = classNamed(base, classes);
  if (base !== 'DOMException') return Reflect.construct(Error, [], Class);
  // It alone keeps its name and message where only its constructor can set them.
  return Reflect.construct(DOMException, [textOf(inherited, 'message'), textOf(inherited, 'name')], Class);
}

/** What stands for a stack where there is none. */
function headerOf({ base, classes, inherited, properties }: EncodedObject): string {
  const all = [...properties, ...inherited];
  const title = textOf(all, 'name') ?? classes[0] ?? base.replace('Millrace.', '');
  const message = textOf(all, 'message');
  return message ? `${title}: ${message}` : title;
}

function textOf(properties: readonly EncodedProperty[], key: string): string | undefined {
  const value = properties.find((property) => property.key === key)?.value;
  return value?.kind === 'plain' && typeof value.value === 'string' ? value.value : undefined;
}

/** To capture a stack that is about to be replaced is most of what it costs to create an error. */
function withoutTraces<T>(action: () => T): T {
  const limit = Error.stackTraceLimit;
  Reflect.set(Error, 'stackTraceLimit', 0); // does nothing, and does not throw, where intrinsics are frozen
  try {
    return action();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', limit);
  }
}

/** The class itself, or else look-alikes of the classes that are not known here. */
function classNamed(base: string, classes: readonly string[]): Function {
  return classes.reduceRight<Function>(lookAlike, known.get(base) ?? Error);
}

function decodeValue(value: EncodedValue, errors: readonly Error[]): unknown {
  if (value.kind === 'plain') return value.value;
  if (value.kind === 'error') return errors[value.index];
  return value.items.map((item) => decodeValue(item, errors));
}

function define(error: Error, key: string | symbol, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}

function joinStacks(stack: string, callerStack: string): string {
  const start = callerStack.search(/^ {4}at /m);
  return start === -1 ? stack : `${stack}\n    at [worker thread]\n${callerStack.slice(start)}`;
}
