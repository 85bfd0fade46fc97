/**
 * Every error that Millrace itself raises. Each has a stable `code`; tell them apart by it, not by message or class.
 * A class is a family: what the caller passed, how a flow is built, how it is configured, how a run went.
 */
import { type ErrorKind, isOfKind } from './error-kinds.js';

const brand = Symbol.for('millrace.error');

/** What an error may carry beside its message. */
export interface ErrorDetails {
  /** What led to this error. */
  readonly cause?: unknown;
  /** The name of the task that the error is about. */
  readonly task?: string | undefined;
}

function describe(error: Error, code: string, details: ErrorDetails): void {
  Object.defineProperty(error, brand, { value: true });
  Object.assign(error, { code });
  if (details.task !== undefined) Object.assign(error, { task: details.task });
}

/** Whether a value is an error raised by Millrace, by any loaded copy of it, on any thread. */
export function isMillraceError(value: unknown): value is Error & { code: string; task?: string } {
  return typeof value === 'object' && value !== null && brand in value;
}

/** An argument or an option is not what it should be. `code` is `ERR_MILLRACE_INVALID_ARG`. */
export class ArgumentError extends TypeError {
  declare readonly code: string;
  declare readonly task?: string;
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    describe(this, 'ERR_MILLRACE_INVALID_ARG', details);
  }
}

/** A flow cannot be compiled: an input is missing, a name occurs twice, there is a cycle, ... */
export class FlowError extends Error {
  declare readonly code: FlowErrorCode;
  declare readonly task?: string;
  constructor(code: FlowErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    describe(this, code, details);
  }
}

export type FlowErrorCode =
  | 'ERR_MILLRACE_AMBIGUOUS_PROVIDER'
  | 'ERR_MILLRACE_CYCLE'
  | 'ERR_MILLRACE_DUPLICATE_NAME'
  | 'ERR_MILLRACE_FACTORY_FAILED'
  | 'ERR_MILLRACE_INVALID_INPUT'
  | 'ERR_MILLRACE_MISSING_INPUT'
  | 'ERR_MILLRACE_NOT_A_FLOW';

/** A configuration value is wrong. `code` is `ERR_MILLRACE_CONFIG`; `source` is the file, variable or option it came from. */
export class ConfigError extends Error {
  declare readonly code: string;
  readonly source: string;
  constructor(source: string, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.source = source;
    describe(this, 'ERR_MILLRACE_CONFIG', details);
  }
}

/** Something other than the task's own code went wrong while a flow ran; `task` names the task. */
export class RunError extends Error {
  declare readonly code: RunErrorCode;
  declare readonly task?: string;
  constructor(code: RunErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    describe(this, code, details);
  }
}

export type RunErrorCode =
  | 'ERR_MILLRACE_BAD_DECIDER' // a decider did not answer
  | 'ERR_MILLRACE_BAD_DECISION' // a retry did not decide
  | 'ERR_MILLRACE_BAD_LIST' // what a region goes over is no list, or is empty or too long
  | 'ERR_MILLRACE_BAD_RESULT' // a task did not return what it says it provides
  | 'ERR_MILLRACE_CLOSED' // the engine or the pool has been closed
  | 'ERR_MILLRACE_INTERRUPTED' // the process ended while a task ran, and the flow is reverted
  | 'ERR_MILLRACE_INVALID_STATE' // not now: the engine is running, closed, not compiled, ...
  | 'ERR_MILLRACE_MODULE_LOAD' // a worker could not import the task's module
  | 'ERR_MILLRACE_NO_ATTEMPT' // a retry has no value left to try with
  | 'ERR_MILLRACE_NON_ERROR_THROWN' // a task threw something that is not an Error
  | 'ERR_MILLRACE_NOT_FOUND' // no value is known by that name
  | 'ERR_MILLRACE_NOT_IN_WORKER' // a parallel engine cannot be started inside a worker
  | 'ERR_MILLRACE_QUEUE_FULL' // more runs wait for the pool than `maxQueue` allows
  | 'ERR_MILLRACE_RELEASED' // a value was let go of when no task needed it any more
  | 'ERR_MILLRACE_SERVICE' // the task called a service that the run does not offer
  | 'ERR_MILLRACE_TASK_NOT_FOUND' // the module was imported, and has no such task
  | 'ERR_MILLRACE_TIMEOUT' // the task took longer than its `timeout`
  | 'ERR_MILLRACE_TOO_DEEP' // regions have built flows within flows without end
  | 'ERR_MILLRACE_TOO_LARGE' // a value takes more bytes than may be stored
  | 'ERR_MILLRACE_UNCLONEABLE_INPUT' // an input cannot be sent to a worker
  | 'ERR_MILLRACE_UNCLONEABLE_RESULT' // a result cannot be sent back from a worker
  | 'ERR_MILLRACE_UNHANDLED_ERROR' // an unhandled rejection or uncaught exception in the worker
  | 'ERR_MILLRACE_UNREADABLE' // what is stored is damaged, or written by a newer version
  | 'ERR_MILLRACE_UNSTORABLE' // there is no way to store a value: a function, a promise, ...
  | 'ERR_MILLRACE_VERSION_CHANGED' // the code of tasks that have run is not what it was when the flow was recorded
  | 'ERR_MILLRACE_WORKER_EXIT' // the worker ended: process.exit(), terminated, ...
  | 'ERR_MILLRACE_WORKER_MEMORY' // the worker ran out of memory
  | 'ERR_MILLRACE_WORKER_START'; // workers cannot be started

/** A task record cannot be made, found, changed or stored; `id` names the record. */
export class ServiceError extends Error {
  declare readonly code: ServiceErrorCode;
  /** The id of the task record. */
  declare readonly id?: string;
  constructor(
    code: ServiceErrorCode,
    message: string,
    details: ErrorDetails & { readonly id?: string | undefined } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    describe(this, code, details);
    if (details.id !== undefined) Object.assign(this, { id: details.id });
  }
}

export type ServiceErrorCode =
  | 'ERR_MILLRACE_DATABASE' // the database cannot be opened, or did not answer in time
  | 'ERR_MILLRACE_DUPLICATE_RECORD' // there is a task with that id
  | 'ERR_MILLRACE_ILLEGAL_TRANSITION' // the status cannot change in that way
  | 'ERR_MILLRACE_NOT_JSON' // an input or a result is not JSON, or is too large
  | 'ERR_MILLRACE_RECORD_NOT_FOUND' // there is no task with that id
  | 'ERR_MILLRACE_SERVICE_CLOSED' // the service has been closed
  | 'ERR_MILLRACE_TASK_SUSPENDED' // the task has not ended, and a service is to resume it
  | 'ERR_MILLRACE_UNKNOWN_TYPE'; // no task type is registered by that name

/** A flow cannot be recorded, or taken, or read; `flow` is its id. */
export class StoreError extends Error {
  declare readonly code: StoreErrorCode;
  /** The id of the flow. */
  declare readonly flow?: string;
  constructor(
    code: StoreErrorCode,
    message: string,
    details: ErrorDetails & { readonly flow?: string | undefined } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    describe(this, code, details);
    if (details.flow !== undefined) Object.assign(this, { flow: details.flow });
  }
}

export type StoreErrorCode =
  | 'ERR_MILLRACE_DUPLICATE_FLOW' // there is a flow with that id
  | 'ERR_MILLRACE_FLOW_NOT_FOUND' // there is no flow with that id
  | 'ERR_MILLRACE_LEASE_LOST' // somebody else goes on with the flow, or it was released
  | 'ERR_MILLRACE_OWNED' // somebody else, who lives, goes on with the flow
  | 'ERR_MILLRACE_STORE_CORRUPT' // the database is damaged, or is none
  | 'ERR_MILLRACE_STORE_FULL' // there is no space left
  | 'ERR_MILLRACE_STORE_READ_ONLY' // the database may not be written
  | 'ERR_MILLRACE_UNKNOWN_FACTORY'; // there is no factory of the name that was recorded with the flow

/**
 * An error whose message is meant for whoever submitted a task: it becomes the message of the task record, and is not an internal
 * error. Any error with `expose: true` is taken so, as is the custom in HTTP frameworks. `code` is `ERR_MILLRACE_EXPOSED`.
 */
export class ExposedError extends Error {
  declare readonly code: string;
  declare readonly task?: string;
  readonly expose = true;
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    describe(this, 'ERR_MILLRACE_EXPOSED', details);
  }
}

/** The run was aborted by its signal. As in Node: `name` is `AbortError`, `code` is `ABORT_ERR`, `cause` is the signal's reason. */
export class AbortError extends Error {
  declare readonly code: string;
  declare readonly task?: string;
  override readonly name = 'AbortError';
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    describe(this, 'ABORT_ERR', details);
  }
}

/** Several tasks of one run failed. `errors` holds their errors, in the order in which they failed. */
export class WrappedFailure extends AggregateError {
  declare readonly code: string;
  constructor(errors: readonly unknown[], message: string) {
    super(errors, message);
    describe(this, 'ERR_MILLRACE_WRAPPED_FAILURE', {});
  }

  /**
   * The first of the kinds that one of the errors is of, or `undefined`; the errors are asked in turn.
   *
   * @param kinds classes of errors, or names of classes, names of errors, or codes
   * @throws {@link ArgumentError} when a kind is neither a class nor a name
   */
  check<K extends readonly ErrorKind[]>(...kinds: K): K[number] | undefined {
    return kindOf(this, kinds);
  }

  /** The errors; of those that are a `WrappedFailure` themselves, their errors. */
  [Symbol.iterator](): IterableIterator<unknown> {
    return flattened(this).values();
  }
}
for (const family of [
  ArgumentError,
  FlowError,
  ConfigError,
  RunError,
  ServiceError,
  StoreError,
  ExposedError,
  WrappedFailure,
]) {
  Object.defineProperty(family.prototype, 'name', { value: family.name, configurable: true, writable: true });
}

/** How a message shows what came instead of what was expected: `'a string ("abc")'`, `'an array'`, `'undefined'`. */
export function received(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string')
    return `a string (${JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value)})`;
  if (typeof value === 'function') return `a function${value.name ? ` (${value.name})` : ''}`;
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') {
    const name = Object.getPrototypeOf(value)?.constructor?.name;
    return name && name !== 'Object' ? `an instance of ${name}` : 'an object';
  }
  return `a ${typeof value} (${String(value)})`;
}

/** What is in a {@link WrappedFailure}, and in those that it holds; of anything else, itself. */
function flattened(error: unknown, seen = new Set<unknown>()): unknown[] {
  const errors = isOfKind(error, WrappedFailure) ? (error as WrappedFailure).errors : undefined;
  if (!Array.isArray(errors)) return [error];
  if (seen.has(error)) return [];
  seen.add(error);
  return errors.flatMap((one) => flattened(one, seen));
}

/**
 * The first of the kinds that an error is of, or one of those in a {@link WrappedFailure}, which are asked in turn; or `undefined`.
 *
 * @throws {@link ArgumentError} when a kind is neither a class nor a name
 */
export function kindOf<K extends ErrorKind>(error: unknown, kinds: readonly K[]): K | undefined {
  for (const kind of kinds) {
    if (typeof kind !== 'string' && typeof kind !== 'function') {
      throw new ArgumentError(`check(): a kind of error must be a class, a name or a code; received ${received(kind)}`);
    }
  }
  for (const one of [error, ...flattened(error)]) {
    const kind = kinds.find((candidate) => isOfKind(one, candidate));
    if (kind !== undefined) return kind;
  }
  return undefined;
}
