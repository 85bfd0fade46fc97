/** JSON as data that is checked when it comes in, so that what is stored is what was given. */
import { ServiceError } from '../errors.js';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The largest input or result, in UTF-16 code units of its text. Larger content belongs in a file, and its name here. */
const MAX_TEXT = 16 * 1024 ** 2;

/**
 * A copy of a value as JSON. `undefined` properties are left out, and `toJSON()` is heeded, as a date has one.
 *
 * @param what names the value in messages
 * @throws {@link ServiceError} `ERR_MILLRACE_NOT_JSON` with the place of what JSON cannot say: a function, a bigint, NaN, a map, a
 *   circle, ...; and when it is too large
 */
export function toJson(value: unknown, what: string, id: string): Json {
  const refuse = (problem: string, cause?: unknown) =>
    new ServiceError('ERR_MILLRACE_NOT_JSON', `${what} must be JSON: ${problem}`, { id, cause });
  let text: string | undefined;
  try {
    text = JSON.stringify(value, function (this: unknown, key: string, inner: unknown) {
      const problem = problemOf(inner);
      if (problem) throw refuse(`${problem} at ${key === '' ? 'its top' : `property '${shorten(key)}'`}`);
      return inner;
    });
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    throw refuse(error instanceof RangeError ? 'it is nested too deeply' : firstLine(error), error);
  }
  if (text === undefined) throw refuse('undefined at its top');
  if (text.length > MAX_TEXT) {
    throw refuse(
      `it has ${text.length} characters, and ${MAX_TEXT} are allowed; put it into a file and name that here`,
    );
  }
  return JSON.parse(text);
}

function problemOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'function':
    case 'symbol':
    case 'bigint':
      return `a ${typeof value}`;
    case 'number':
      return Number.isFinite(value) ? undefined : String(value);
    case 'object': {
      if (value === null || Array.isArray(value)) return undefined;
      // An instance of a class would come back as a plain object, a map as an empty one.
      const prototype: object | null = Object.getPrototypeOf(value);
      if (prototype === null || Object.getPrototypeOf(prototype) === null) return undefined;
      return `an instance of ${prototype.constructor?.name || 'a class'}`;
    }
    default:
      return undefined;
  }
}

function shorten(key: string): string {
  return key.length > 100 ? `${key.slice(0, 99)}…` : key;
}

function firstLine(error: unknown): string {
  return String((error as Error)?.message ?? error).split('\n', 1)[0];
}
