import { type InspectOptions, inspect } from 'node:util';
import type { ErrorKind } from '../error-kinds.js';
import { kindOf } from '../errors.js';
import type { Failure } from '../failure/index.js';

/** One attempt of a retry. */
export interface Attempt<Value = unknown> {
  /** What the retry's `execute` returned for it. */
  readonly value: Value;
  /** What failed in it, by the name of the task. */
  readonly failures: Readonly<Record<string, Failure>>;
}

/** Which failures {@link History.causedBy} looks at. */
export interface CausedByOptions {
  /** Only those of one attempt; a number below zero counts from the last one. Default: those of all attempts. */
  readonly attempt?: number;
  /** Whether the retry's own failure is looked at, too. Default: `false`. */
  readonly includeRetry?: boolean;
}

/** What a retry has tried so far, the first attempt first. It does not change: each call of a retry is given another one. */
export class History<Value = unknown> implements Iterable<Attempt<Value>> {
  /** How the retry itself failed, if it did. */
  readonly failure: Failure | undefined;
  readonly #attempts: readonly Attempt<Value>[];

  constructor(attempts: readonly Attempt<Value>[], failure?: Failure) {
    this.#attempts = [...attempts];
    this.failure = failure;
  }

  /** How many attempts there were. */
  get length(): number {
    return this.#attempts.length;
  }

  /** The last attempt. */
  get last(): Attempt<Value> | undefined {
    return this.#attempts.at(-1);
  }

  /** One attempt, by its place; a number below zero counts from the last one. */
  at(index: number): Attempt<Value> | undefined {
    return this.#attempts.at(index);
  }

  [Symbol.iterator](): IterableIterator<Attempt<Value>> {
    return this.#attempts.values();
  }

  /**
   * Whether one of the failures is of a kind: see {@link Failure.check}.
   *
   * @param kind a class of errors; or the name of one, the `name` of an error, or its `code`
   * @throws {@link ArgumentError} when the kind is neither a class nor a name
   * @example
   * if (history.causedBy('ECONNREFUSED', { attempt: -1 })) return { retryAfter: 1000 };
   */
  causedBy(kind: ErrorKind, { attempt, includeRetry = false }: CausedByOptions = {}): boolean {
    kindOf(undefined, [kind]); // a wrong kind is told even when nothing has failed
    const asked = attempt === undefined ? this.#attempts : [this.at(attempt)];
    const failures = asked.flatMap((one) => Object.values(one?.failures ?? {}));
    if (includeRetry && this.failure) failures.push(this.failure);
    return failures.some((failure) => failure.check(kind) !== undefined);
  }

  [inspect.custom](_depth: unknown, options: InspectOptions): string {
    const own = this.failure ? `, ${this.failure}` : '';
    return `History (${this.length === 1 ? '1 attempt' : `${this.length} attempts`}${own}) ${inspect(this.#attempts, options)}`;
  }
}
