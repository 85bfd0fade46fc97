import { type InspectOptionsStylized, inspect } from 'node:util';
import type { ErrorKind } from '../error-kinds.js';
import { ArgumentError, kindOf, received } from '../errors.js';
import { type ErrorJson, errorFromJson, errorToJson } from '../wire/index.js';
import { causesOf, matchingErrors } from './matching.js';
import { wrapFailures } from './wrap.js';

/** A failure as plain data: what `failure.toJSON()` returns and `Failure.fromJSON()` reads. */
export interface FailureJson {
  readonly version: 1;
  /** The name of the task that failed. */
  readonly task: string;
  readonly error: ErrorJson;
}

/** That a task failed, and how. It stands where the task's result would be: in `revert`'s `result` and `flowFailures`. */
export class Failure {
  /** The name of the task that failed. */
  readonly task: string;
  /** What it threw. */
  readonly error: Error;

  constructor(task: string, error: Error) {
    this.task = task;
    this.error = error;
  }

  /** The error's message. */
  get message(): string {
    return this.error.message;
  }

  /** The error's name. */
  get name(): string {
    return this.error.name;
  }

  /** The error's code; `'ERR_MILLRACE_TASK_FAILED'` when it was thrown without one. */
  get code(): string | number | undefined {
    return (this.error as { code?: string | number }).code;
  }

  /** The errors that led to this one: its cause, the cause of that, and so on; at most 100. What is not an error ends the chain. */
  get causes(): Error[] {
    return causesOf(this.error);
  }

  /**
   * The first of the kinds that the error is of, or `undefined`. An error is of its class and of those that this extends, of their
   * names, of its `name` and of its `code`. A class stands also for an error that has lost it on the way from another thread.
   * A `WrappedFailure` is of the kinds of its errors, too. Causes are not asked.
   *
   * @throws {@link ArgumentError} when a kind is neither a class nor a name
   * @example
   * if (failure.check(TimeoutError, 'ECONNRESET')) await context.services.slowDown();
   */
  check<K extends readonly ErrorKind[]>(...kinds: K): K[number] | undefined {
    return kindOf(this.error, kinds);
  }

  /**
   * Whether another failure is of the same task and says the same: the classes, name, message and code of the error, and of all
   * that led to it. Stacks may differ, and so a failure matches its copy on another thread.
   */
  matches(other: unknown): boolean {
    return isFailure(other) && this.task === other.task && matchingErrors(this.error, other.error);
  }

  /** Throws the error. */
  reraise(): never {
    throw this.error;
  }

  /** As plain data, for JSON. What JSON cannot hold is left out of the error's properties. */
  toJSON(): FailureJson {
    return { version: 1, task: this.task, error: errorToJson(this.error) };
  }

  toString(): string {
    return `Failure: ${this.error.name}: ${this.error.message}`;
  }

  [inspect.custom](depth: number, options: InspectOptionsStylized): string {
    const title = `Failure of task '${this.task}'`;
    return depth < 0
      ? options.stylize(`[${title}]`, 'special')
      : `${title}: ${inspect(this.error, { ...options, depth })}`;
  }

  /** Throws the error of one failure, a {@link WrappedFailure} for several, and nothing when there are none. */
  static reraiseIfAny(failures: Iterable<Failure>): void {
    const all = [...failures];
    if (all.length > 0) throw wrapFailures(all, `${all.length} tasks failed`);
  }

  /**
   * The failure that `toJSON()` has written down. Its error is rebuilt as one is that comes from another thread: an error of a class
   * that is not built in, and not Millrace's, is of a class that has the name only.
   *
   * @throws {@link ArgumentError} when the data is not what `toJSON()` writes; it may come from anywhere
   */
  static fromJSON(data: unknown): Failure {
    return readFailure(data);
  }

  /** Whether a value is a failure, also one that came from another thread or another copy of the package. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return isFailure(value);
  }
}

const brand = Symbol.for('millrace.failure');
Object.defineProperty(Failure.prototype, brand, { value: true });

// Outside of the class, which a bundler renames when it refers to itself.

function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && brand in value;
}

function readFailure(data: unknown): Failure {
  const wrong = (what: string, value: unknown) =>
    new ArgumentError(`Failure.fromJSON(): ${what}; received ${received(value)}`);
  if (typeof data !== 'object' || data === null) throw wrong('the data must be an object', data);
  const { version, task, error } = data as Partial<FailureJson>;
  if (version !== 1) throw wrong('version must be 1', version);
  if (typeof task !== 'string') throw wrong('task must be a string', task);
  return new Failure(task, errorFromJson(error, 'Failure.fromJSON(): error'));
}
