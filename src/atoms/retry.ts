import { isDeepStrictEqual } from 'node:util';
import { ArgumentError, RunError, received } from '../errors.js';
import type { Controller, Decision } from './controller.js';
import type { Definition } from './definition.js';
import { History } from './history.js';
import { declare, mapArguments, mapResult, type Owner } from './mapping.js';
import { anotherAttempt, type PaceOptions } from './pace.js';
import type {
  AlwaysRevertFunction,
  ForEachFunction,
  ParameterizedForEachFunction,
  RetryFunction,
  TimesFunction,
} from './retry-signature.js';
import { FIRST_VERSION } from './version.js';

/** What a retry says of the values that it is given and gives. */
interface Wiring {
  readonly requires?: unknown;
  readonly optional?: unknown;
  readonly rebind?: unknown;
  readonly inject?: object | undefined;
  readonly provides?: unknown;
}

const brand = Symbol.for('millrace.retry');

/** What a flow or a task can be given, so that it is tried again. Immutable: it can be given to any number of them. */
export class Retry {
  /** `undefined`: it is called after the flow. */
  readonly name: string | undefined;
  readonly controller: Controller;
  readonly definition: Definition;
  readonly wiring: Readonly<Pick<Wiring, 'rebind' | 'inject' | 'provides'>>;
  /** Whether it is given nothing and gives nothing. */
  readonly isBare: boolean;

  /** @param what how it was made, for messages and where it is shown */
  constructor(
    what: string,
    name: string | undefined,
    { requires, optional, ...wiring }: Wiring,
    controller: Controller,
  ) {
    const owner = ownerOf(what, name);
    const declared = declare(owner, requires, optional);
    this.name = name;
    this.controller = controller;
    this.wiring = wiring;
    this.definition = {
      name: what,
      module: undefined,
      execute: (args) => controller.execute(new History([]), args),
      revert: controller.revert && ((args) => controller.revert!(new History([]), args)),
      ...{ version: FIRST_VERSION, declared, declaredRevert: undefined, region: undefined, shapes: new Map() },
    };
    // Once here, so that what is wrong is told where it was said, and not where the retry is given to a flow.
    const { rebind, inject } = wiring;
    const { params } = mapArguments(owner, {
      declared,
      declaredRevert: undefined,
      rebind,
      revertRebind: undefined,
      inject,
    });
    const { names } = mapResult(owner, wiring.provides);
    this.isBare = params.length === 0 && names.length === 0;
  }
}
Object.defineProperty(Retry.prototype, brand, { value: true });

/** Whether a value is a retry, made by any loaded copy of the package. */
export function isRetry(value: unknown): value is Retry {
  return typeof value === 'object' && value !== null && brand in value;
}

/** The options of the ready-made retries as they come from JavaScript. */
interface RawOptions extends PaceOptions {
  readonly name?: string;
  readonly provides?: unknown;
  readonly revertAll?: boolean;
  readonly values?: unknown;
}

const COMMON = ['name', 'provides', 'revertAll', 'delay', 'backoff', 'maxDelay', 'jitter', 'retryIf'];

/**
 * Tries a number of times. Its value is the number of the attempt, from 1 on.
 *
 * @param attempts how many times in all, the first one included; 0 is taken for 1
 * @throws {@link ArgumentError} when an argument is wrong
 * @example
 * const fetching = linear('fetch', download, check).with({ retry: times(3, { delay: 100, backoff: 2 }) });
 */
export const times = ((attempts: unknown = 1, given: unknown = {}): Retry => {
  if (
    !(
      typeof attempts === 'number' &&
      attempts >= 0 &&
      (Number.isInteger(attempts) || attempts === Number.POSITIVE_INFINITY)
    )
  ) {
    throw new ArgumentError(
      `times(): the number of attempts must be an integer, at least 0; received ${received(attempts)}`,
    );
  }
  const options = checkOptions('times()', given, COMMON);
  return new Retry(
    `times(${attempts})`,
    options.name,
    { provides: options.provides },
    {
      execute: (history) => history.length + 1,
      onFailure: (history) => decide(options, 'times()', history, history.length < attempts),
    },
  );
}) as unknown as TimesFunction;

/**
 * Tries with each value of a list in turn. Its value is that of the list.
 *
 * @param values taken as they are now; a value that is in it twice is tried twice
 * @throws {@link ArgumentError} when an argument is wrong
 * @example
 * const download = linear('download', fetchFrom).with({ retry: forEach(mirrors, { provides: 'mirror' }) });
 */
export const forEach = ((values: unknown, given: unknown = {}): Retry => {
  if (!isList(values)) {
    throw new ArgumentError(`forEach(): the values must be an array or another iterable; received ${received(values)}`);
  }
  const list = [...values];
  const options = checkOptions('forEach()', given, COMMON);
  return new Retry(
    'forEach()',
    options.name,
    { provides: options.provides },
    eachOf('forEach()', options, () => list),
  );
}) as unknown as ForEachFunction;

/**
 * Tries with each value of a list in turn, and is given the list when it runs. Its value is that of the list.
 *
 * @throws {@link ArgumentError} when an option is wrong
 * @example
 * const download = linear('download', fetchFrom).with({ retry: parameterizedForEach({ values: 'mirrors', provides: 'mirror' }) });
 */
export const parameterizedForEach = ((given: unknown): Retry => {
  const where = 'parameterizedForEach()';
  const options = checkOptions(where, given, ['values', ...COMMON]);
  const { name, provides, values } = options;
  if (typeof values !== 'string' || values === '') {
    throw new ArgumentError(`${where}: values must be the name of a list; received ${received(values)}`);
  }
  const listIn = (args: { readonly values: unknown }) => {
    if (isList(args.values)) return [...args.values];
    throw new ArgumentError(
      `${ownerOf(where, name).label}: '${values}' must be an array or another iterable; received ${received(args.values)}`,
    );
  };
  const wiring = { requires: 'values', rebind: { values }, provides };
  return new Retry(where, name, wiring, eachOf(where, options, listIn));
}) as unknown as ParameterizedForEachFunction;

/**
 * Never tries again: what failed in its flow reverts it, and the retry around is asked.
 *
 * @throws {@link ArgumentError} when an option is wrong
 */
export const alwaysRevert = ((given: unknown = {}): Retry =>
  never('alwaysRevert()', given, 'REVERT')) as unknown as AlwaysRevertFunction;

/**
 * Never tries again, and lets no retry around do so: all of the flow that runs is reverted.
 *
 * @throws {@link ArgumentError} when an option is wrong
 */
export const alwaysRevertAll = ((given: unknown = {}): Retry =>
  never('alwaysRevertAll()', given, 'REVERT_ALL')) as unknown as AlwaysRevertFunction;

/**
 * Makes a retry of your own.
 *
 * @throws {@link ArgumentError} when an option is wrong
 * @example
 * const patient = retry({
 *   requires: 'limit',
 *   onFailure: (history, { limit }: { limit: number }) =>
 *     history.length < limit && history.causedBy('ETIMEDOUT', { attempt: -1 }) ? { retryAfter: 500 * history.length } : 'REVERT',
 * });
 */
export const retry = ((given: unknown): Retry => {
  const known = ['name', 'requires', 'optional', 'rebind', 'inject', 'provides', 'execute', 'onFailure', 'revert'];
  const options = checkKeys('retry()', given, known) as RawOptions & Wiring & Partial<Controller>;
  const { name, execute, onFailure, revert, requires, optional, rebind, inject, provides } = options;
  const { label } = ownerOf('retry()', name);
  const wrong = (what: string, expected: string, value: unknown) =>
    new ArgumentError(`${label}: ${what} must be ${expected}; received ${received(value)}`);
  if (typeof onFailure !== 'function') throw wrong('onFailure', 'a function', onFailure);
  if (execute !== undefined && typeof execute !== 'function') throw wrong('execute', 'a function', execute);
  if (revert !== undefined && typeof revert !== 'function') throw wrong('revert', 'a function', revert);
  if (inject !== undefined && (typeof inject !== 'object' || inject === null || Array.isArray(inject))) {
    throw wrong('inject', 'an object, one property a constant', inject);
  }
  const controller: Controller = { execute: execute ?? (() => undefined), onFailure, ...(revert && { revert }) };
  return new Retry('retry()', name, { requires, optional, rebind, inject, provides }, controller);
}) as unknown as RetryFunction;

function never(where: string, given: unknown, decision: Decision): Retry {
  const { name } = checkKeys(where, given, ['name']);
  return new Retry(where, name, {}, { execute: () => undefined, onFailure: () => decision });
}

/** Who makes or is a retry, for messages. */
function ownerOf(where: string, name: string | undefined): Owner {
  return { label: name === undefined ? where : `Retry '${name}'`, name };
}

function decide(options: RawOptions, where: string, history: History, isLeft: boolean): Decision {
  const again = isLeft ? anotherAttempt(ownerOf(where, options.name), history, options) : undefined;
  return again ?? (options.revertAll ? 'REVERT_ALL' : 'REVERT');
}

function eachOf(where: string, options: RawOptions, listIn: (args: any) => readonly unknown[]): Controller {
  return {
    execute(history, args) {
      const left = untried(listIn(args), history);
      if (left.length > 0) return left[0];
      const { label, name } = ownerOf(where, options.name);
      throw new RunError('ERR_MILLRACE_NO_ATTEMPT', `${label}: No elements left in the list of values`, { task: name });
    },
    onFailure: (history, args) => decide(options, where, history, untried(listIn(args), history).length > 0),
  };
}

/** The values of a list without those that were tried: each attempt takes away one that is equal to its own. */
function untried(values: readonly unknown[], history: History): unknown[] {
  const left = [...values];
  let first = 0; // as a rule the list is what it was, and what was tried is its beginning
  for (const { value } of history) {
    if (first < left.length && isDeepStrictEqual(left[first], value)) {
      first++;
    } else {
      const at = left.findIndex((one, i) => i >= first && isDeepStrictEqual(one, value));
      if (at >= 0) left.splice(at, 1);
    }
  }
  return left.slice(first);
}

/** Whether a value is a list of values: a string is one value. */
function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function checkKeys(where: string, options: unknown, known: readonly string[]): RawOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ArgumentError(`${where}: options must be an object; received ${received(options)}`);
  }
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new ArgumentError(`${where}: unknown option '${unknown}'; the options are ${known.join(', ')}`);
  }
  const { name } = options as RawOptions;
  if (name !== undefined && !(typeof name === 'string' && /^.+$/.test(name))) {
    throw new ArgumentError(`${where}: name must be a string of one line, not empty; received ${received(name)}`);
  }
  return options;
}

function checkOptions(where: string, options: unknown, known: readonly string[]): RawOptions {
  const checked = checkKeys(where, options, known);
  const { name, revertAll, delay, backoff, maxDelay, jitter, retryIf } = checked;
  const { label } = ownerOf(where, name);
  const wrong = (option: string, expected: string, value: unknown) =>
    new ArgumentError(`${label}: ${option} must be ${expected}; received ${received(value)}`);
  if (revertAll !== undefined && typeof revertAll !== 'boolean') throw wrong('revertAll', 'a boolean', revertAll);
  if (delay !== undefined && !(Number.isFinite(delay) && delay >= 0)) {
    throw wrong('delay', 'a number of milliseconds, 0 or above', delay);
  }
  if (backoff !== undefined && !(Number.isFinite(backoff) && backoff > 0)) {
    throw wrong('backoff', 'a number above 0', backoff);
  }
  if (maxDelay !== undefined && !(typeof maxDelay === 'number' && maxDelay >= 0)) {
    throw wrong('maxDelay', 'a number of milliseconds, 0 or above', maxDelay);
  }
  if (jitter !== undefined && typeof jitter !== 'boolean') throw wrong('jitter', 'a boolean', jitter);
  if (retryIf !== undefined && typeof retryIf !== 'function') throw wrong('retryIf', 'a function', retryIf);
  return { ...checked };
}
