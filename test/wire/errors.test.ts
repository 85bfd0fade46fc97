import { readFileSync } from 'node:fs';
import { inspect, isDeepStrictEqual } from 'node:util';
import { createContext, runInContext, runInNewContext } from 'node:vm';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  AbortError,
  ArgumentError,
  ConfigError,
  FlowError,
  isMillraceError,
  RunError,
  WrappedFailure,
} from '../../src/errors.js';
import { decodeError, encodeError, markFailed } from '../../src/wire/index.js';
import fc from '../fast-check.js';

/** Through a real port, as between two threads. */
function send(thrown: unknown, callerStack?: string): any {
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(encodeError(thrown));
    return decodeError(receiveMessageOnPort(port2)!.message, callerStack);
  } finally {
    port1.close();
  }
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new RunError('ERR_MILLRACE_BAD_RESULT', 'the action should have thrown');
}

class MyError extends Error {}
class NamedError extends TypeError {
  override name = 'NamedError';
}
class ComputedError extends Error {
  override get name() {
    return 'Computed';
  }
  get code() {
    return 'E_COMPUTED';
  }
}
class MyException extends DOMException {}
class MyRunError extends RunError {}
const BareError = (() => class extends Error {})();

const stubborn: ProxyHandler<object> = Object.fromEntries(
  ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'isExtensible', 'defineProperty'].map(
    (trap) => [
      trap,
      () => {
        throw new MyError(trap);
      },
    ],
  ),
);

const looksTheSame: Record<string, () => unknown> = {
  'a plain error': () => new Error('a'),
  'an error without a message': () => new Error(),
  'a TypeError': () => new TypeError('a'),
  'a subclass': () => new MyError('a'),
  'a subclass that sets its name': () => new NamedError('a'),
  'a subclass that computes its name and code': () => new ComputedError('a'),
  'a subclass without a name': () => new BareError('a'),
  'an AggregateError': () => new AggregateError([new MyError('b'), new RangeError('c'), 4, 'five'], 'a'),
  'a DOMException': () => new DOMException('a', 'TimeoutError'),
  'a subclass of DOMException': () => new MyException('a', 'DataCloneError'),
  'an error with a cause': () => new Error('a', { cause: new MyError('b', { cause: { c: 1 } }) }),
  'an error with an error in a property': () => Object.assign(new Error('a'), { reason: new MyError('b') }),
  'an error from node:fs': () => thrownBy(() => readFileSync('/does/not/exist')),
  'an error of Node about an argument': () => thrownBy(() => readFileSync({} as never)),
  'the reason of an aborted signal': () => AbortSignal.abort().reason,
  'an error from another realm': () => runInNewContext('new TypeError("a")'),
  'a subclass from another realm': () => runInNewContext('class FarError extends RangeError {} new FarError("a")'),
  'a frozen error': () => Object.freeze(Object.assign(new MyError('a'), { code: 'E_A' })),
  'an error in the old style': () => {
    function OldError(this: Error, message: string) {
      this.message = message;
    }
    OldError.prototype = Object.create(Error.prototype, { constructor: { value: OldError } });
    OldError.prototype.name = 'OldError';
    return Reflect.construct(OldError, ['a']);
  },
  'an error of Millrace': () => new RunError('ERR_MILLRACE_CLOSED', 'a', { task: 't', cause: new MyError('b') }),
  'a subclass of an error of Millrace': () => new MyRunError('ERR_MILLRACE_CLOSED', 'a'),
  'a WrappedFailure': () => new WrappedFailure([new MyError('b'), new AbortError('c')], 'a'),
};

for (const [what, make] of Object.entries(looksTheSame)) {
  test(`${what} looks the same on the other thread`, () => {
    const error = make() as Error;
    const arrived = send(error);
    assert.is(inspect(arrived, { sorted: true }), inspect(error, { sorted: true }));
    assert.is(arrived.name, error.name);
    assert.is(arrived.message, error.message);
    assert.is(arrived.stack, error.stack ?? `${error.constructor.name}: ${error.message}`);
    assert.is(arrived.code, (error as { code?: unknown }).code);
    assert.is(arrived.constructor.name, error.constructor.name || 'Error');
    assert.instance(arrived, Error);
  });
}

test('built-in errors come back as instances of their class', () => {
  for (const Class of [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError]) {
    assert.is(Object.getPrototypeOf(send(new Class('a'))), Class.prototype);
  }
  assert.is(Object.getPrototypeOf(send(new AggregateError([]))), AggregateError.prototype);
  const exception = send(new DOMException('a', 'AbortError'));
  assert.is(Object.getPrototypeOf(exception), DOMException.prototype);
  assert.is(exception.code, DOMException.ABORT_ERR);
});

test('a subclass comes back as an instance of its closest built-in class', () => {
  assert.instance(send(new NamedError('a')), TypeError);
  assert.instance(send(new MyException('a')), DOMException);
  assert.instance(send(runInNewContext('class FarError extends RangeError {} new FarError("a")')), RangeError);
});

test('errors of Millrace come back as instances of their class, with code, task and source', () => {
  const errors: Error[] = [
    new ArgumentError('a', { task: 't' }),
    new FlowError('ERR_MILLRACE_CYCLE', 'a', { task: 't' }),
    new RunError('ERR_MILLRACE_TIMEOUT', 'a', { task: 't' }),
    new AbortError('a', { task: 't', cause: 'why' }),
    new ConfigError('file', 'a', { task: 't' }),
    new WrappedFailure([1], 'a'),
  ];
  for (const error of errors) {
    const arrived = send(error);
    assert.is(Object.getPrototypeOf(arrived), Object.getPrototypeOf(error));
    assert.ok(isMillraceError(arrived));
    for (const key of ['name', 'message', 'code', 'task', 'source', 'cause']) {
      assert.is(arrived[key as 'name'], error[key as 'name'], `${error.name}: ${key}`);
    }
  }
});

test("a user's class is not taken for the class of Millrace that has the same name", () => {
  const Theirs = { ConfigError: class ConfigError extends Error {} };
  const arrived = send(new Theirs.ConfigError('a'));
  assert.not.instance(arrived, ConfigError);
  assert.is(arrived.constructor.name, 'ConfigError');
});

test('an error of another copy of Millrace comes back as one of this copy', () => {
  const Other = { RunError: class RunError extends Error {} };
  const error = Object.assign(new Other.RunError('a'), { code: 'ERR_MILLRACE_CLOSED' });
  Object.defineProperty(error, Symbol.for('millrace.error'), { value: true });
  assert.instance(send(error), RunError);
});

test('own properties arrive with their enumerability, except for those that cannot', () => {
  const error = Object.assign(new Error('a'), {
    code: 42,
    when: new Date(0),
    [Symbol.for('kept')]: new Map([[1, 2]]),
    [Symbol('local')]: 1,
    callback() {},
    deep: { callback() {} },
  });
  Object.defineProperty(error, 'hidden', { value: 'h' });
  Object.defineProperty(error, 'computed', { get: () => 'c', enumerable: true });
  Object.defineProperty(error, 'throwing', { get: () => assert.unreachable(), enumerable: true });
  const arrived = send(error);
  assert.equal(Object.keys(arrived), ['code', 'when', 'computed']);
  assert.equal({ ...arrived }, { code: 42, when: new Date(0), computed: 'c', [Symbol.for('kept')]: new Map([[1, 2]]) });
  assert.is(arrived.hidden, 'h');
  assert.equal(
    Reflect.ownKeys(arrived).filter((key) => typeof key === 'symbol'),
    [Symbol.for('kept')],
  );
});

test('what a failed task is marked with arrives, and stays hidden', () => {
  const arrived = send(markFailed(new Error('a'), 'resize', 'thumbnails'));
  assert.is(arrived.task, 'resize');
  assert.is(arrived.code, 'ERR_MILLRACE_TASK_FAILED');
  assert.equal(Object.keys(arrived), []);
  assert.match(arrived.stack, /\n {4}at task resize \(flow thumbnails\)$/);
});

test('cycles of causes and of aggregated errors arrive as cycles', () => {
  const inner = new MyError('inner');
  const outer = new AggregateError([inner, inner], 'outer', { cause: inner });
  inner.cause = outer;
  const arrived = send(outer);
  assert.is(arrived.cause, arrived.errors[0]);
  assert.is(arrived.errors[0], arrived.errors[1]);
  assert.is(arrived.cause.cause, arrived);
});

test('a cause that is not an error arrives as it is, or as a note when it cannot be sent', () => {
  assert.is(send(new Error('a', { cause: 'because' })).cause, 'because');
  assert.equal(send(new Error('a', { cause: { b: [1] } })).cause, { b: [1] });
  assert.ok(Object.hasOwn(send(new Error('a', { cause: undefined })), 'cause'));
  assert.is(
    send(new Error('a', { cause: Symbol('b') })).cause,
    '[a symbol (Symbol(b)), which cannot be sent to another thread]',
  );
  const { errors } = send(new AggregateError([() => 1, 2]));
  assert.match(errors[0], /^\[a function.* cannot be sent to another thread]$/);
  assert.is(errors[1], 2);
});

test('a chain of causes is cut after 100 links', () => {
  let error = new Error('innermost');
  for (let i = 0; i < 20_000; i++) error = new Error('outer', { cause: error });
  let links = 0;
  let last = send(error);
  for (; last instanceof Error; last = last.cause) links++;
  assert.is(links, 101);
  assert.is(last, '[what is more than 100 links away was left out]');
});

test('more than 1000 aggregated errors are cut', () => {
  const { errors } = send(new AggregateError(Array.from({ length: 1500 }, (_, i) => new Error(`${i}`))));
  assert.is(errors.length, 1001);
  assert.is(errors[999].message, '999');
  assert.is(errors[1000], '[500 more errors were left out]');
});

test('aggregates of aggregates stay bounded', () => {
  const many = (make: () => Error) => new AggregateError(Array.from({ length: 200 }, make));
  const encoded = encodeError(many(() => many(() => new Error())));
  assert.is(encoded.kind === 'error' && encoded.errors.length, 10_000);
});

test('an array of other things in `errors` is an ordinary property', () => {
  const errors = Array.from({ length: 1500 }, (_, i) => ({ line: i }));
  assert.equal(send(Object.assign(new Error('a'), { errors })).errors, errors);
  const sparse: unknown[] = [];
  sparse.length = 2 ** 32 - 1;
  assert.is(send(Object.assign(new Error('a'), { errors: sparse })).errors.length, sparse.length);
});

test('a message or a stack over 1 MiB is cut', () => {
  const arrived = send(new Error('x'.repeat(2 ** 20 + 5)));
  assert.ok(arrived.message.endsWith('x… [5 more characters]'));
  assert.ok(arrived.message.length < 2 ** 20 + 50);
  assert.ok(arrived.stack.length < 2 ** 20 + 50);
});

test('a value that is not an error arrives as it is', () => {
  for (const value of ['boom', '', undefined, null, 0, -0, Number.NaN, 7n, false])
    assert.ok(Object.is(send(value), value));
  assert.equal(send({ status: 500, body: [1, new Date(0)] }), { status: 500, body: [1, new Date(0)] });
  assert.is(send(Array.from({ length: 100_000 }, (_, i) => i)).length, 100_000);
});

test('a value that cannot be sent arrives as a RunError that says what was thrown and why it cannot', () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cases: [unknown, string][] = [
    [Symbol('s'), 'a symbol (Symbol(s))'],
    [function boom() {}, 'a function (boom)'],
    [{ retry: [() => 1] }, 'an object, which cannot be sent to another thread (.retry[0]: function)'],
    [new Proxy({}, stubborn), 'a Proxy'],
    [revoked.proxy, 'a Proxy'],
    [Promise.resolve(), 'an instance of Promise'],
  ];
  for (const [thrown, text] of cases) {
    const arrived = send(thrown);
    assert.instance(arrived, RunError);
    assert.is(arrived.code, 'ERR_MILLRACE_NON_ERROR_THROWN');
    assert.ok(arrived.message.includes(text), arrived.message);
  }
});

test('a proxy of an error arrives as an error as far as it lets itself be read', () => {
  const arrived = send(new Proxy(new MyError('a'), {}));
  assert.is(arrived.message, 'a');
  assert.is(arrived.constructor.name, 'MyError');
  const shy = new Proxy(new MyError('a'), { ...stubborn, getPrototypeOf: () => MyError.prototype });
  assert.is(send(shy).constructor.name, 'MyError');
});

test('the stack of the worker comes first, then the lines of the caller', () => {
  const error = new MyError('a');
  error.stack = 'MyError: a\n    at work (worker.js:1:1)';
  error.cause = new Error('b');
  const arrived = send(error, 'Error: not shown\n    at run (main.js:2:2)\n    at main.js:3:3');
  const lines = [
    'MyError: a',
    'at work (worker.js:1:1)',
    'at [worker thread]',
    'at run (main.js:2:2)',
    'at main.js:3:3',
  ];
  assert.is(arrived.stack, lines.join('\n    '));
  assert.not.match(arrived.cause.stack, 'worker thread');
  assert.is(send(error, 'no lines').stack, error.stack);
  assert.match(
    send(Symbol('s'), 'Error\n    at run (main.js:2:2)').stack,
    /^RunError: .*\n {4}at \[worker thread]\n {4}at run/,
  );
});

test('an error without a stack gets one that says what it is', () => {
  const error = new MyError('a');
  delete error.stack;
  assert.is(send(error).stack, 'MyError: a');
});

test('a name and a message that are not texts arrive, and do no harm', () => {
  const error = new Error('a');
  Object.assign(error, { name: { toString: 1, valueOf: 1 }, message: error, stack: 5 });
  const arrived = send(error);
  assert.equal(arrived.name, { toString: 1, valueOf: 1 });
  assert.is(arrived.message, arrived);
  assert.is(arrived.stack, 'Error');
});

test('no property of an error can change the prototype of what arrives', () => {
  const error = new Error('a');
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    Object.defineProperty(error, key, { value: { polluted: true }, enumerable: true });
  }
  const forged = encodeError(Object.assign(new Error('a'), { harmless: { polluted: true } }));
  const text = JSON.stringify(forged);
  assert.ok(text.includes('"harmless"'));
  for (const key of ['__proto__', 'constructor', 'prototype']) {
    for (const arrived of [send(error), decodeError(JSON.parse(text.replace('harmless', key)))]) {
      assert.is(Object.getPrototypeOf(arrived), Error.prototype);
      assert.not(Object.hasOwn(arrived, key));
      assert.is(arrived.polluted, undefined);
    }
  }
  assert.is(({} as { polluted?: true }).polluted, undefined);
});

test('an unknown class is rebuilt as an Error', () => {
  const forged = JSON.parse(JSON.stringify(encodeError(new Error('a'))).replaceAll('"Error"', '"__proto__"'));
  const arrived = decodeError(forged) as Error;
  assert.instance(arrived, Error);
  assert.is(arrived.message, 'a');
});

test('decoding leaves Error.stackTraceLimit as it was', () => {
  const limit = Error.stackTraceLimit;
  send(new Error('a'));
  assert.is(Error.stackTraceLimit, limit);
});

test('many different class names are all kept', () => {
  for (let i = 0; i < 1000; i++) {
    const Class = { [`Error${i}`]: class extends Error {} }[`Error${i}`]!;
    assert.is(send(new Class('a')).constructor.name, `Error${i}`);
  }
});

/** Without dates: Node 20 does not take two invalid ones for equal. */
const data = fc.anything({
  maxDepth: 2,
  withBigInt: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
});
const reserved = new Set(['__proto__', 'constructor', 'prototype', 'stack', 'cause', 'errors', 'message', 'name']);
const errorTree = fc.letrec<{ error: Error; link: unknown }>((tie) => ({
  link: fc.oneof({ depthSize: 'small', withCrossShrink: true }, data, tie('error')),
  error: fc
    .record({
      make: fc.constantFrom<(message: string) => Error>(
        (message) => new Error(message),
        (message) => new RangeError(message),
        (message) => new MyError(message),
        (message) => new NamedError(message),
        (message) => new ComputedError(message),
        (message) => new MyException(message, 'AbortError'),
        (message) => new DOMException(message, 'TimeoutError'),
        (message) => new RunError('ERR_MILLRACE_CLOSED', message),
        (message) => runInNewContext('(m) => new SyntaxError(m)')(message),
      ),
      message: fc.string(),
      code: fc.option(fc.oneof(fc.string(), fc.integer()), { nil: undefined }),
      cause: fc.option(fc.record({ is: tie('link') }), { nil: undefined }),
      errors: fc.option(fc.array(tie('link'), { maxLength: 3 }), { nil: undefined }),
      properties: fc.array(fc.tuple(fc.string(), data, fc.boolean()), { maxLength: 3 }),
    })
    .map(({ make, message, code, cause, errors, properties }) => {
      const error = errors ? new AggregateError(errors, message) : make(message);
      if (cause) Object.defineProperty(error, 'cause', { value: cause.is, configurable: true });
      if (code !== undefined) Object.defineProperty(error, 'code', { value: code, configurable: true });
      for (const [key, value, enumerable] of properties) {
        if (!reserved.has(key)) Object.defineProperty(error, key, { value, enumerable, configurable: true });
      }
      return error;
    }),
}));

function same(left: any, right: any): boolean {
  if (!(right instanceof Error || Object.prototype.toString.call(right) === '[object Error]')) {
    return isDeepStrictEqual(left, structuredClone(right));
  }
  const keys = Reflect.ownKeys(right);
  return (
    left.name === right.name &&
    left.message === right.message &&
    left.stack === right.stack &&
    left.constructor.name === right.constructor.name &&
    isDeepStrictEqual(left.code, right.code) &&
    isDeepStrictEqual(Object.keys(left).sort(), Object.keys(right).sort()) &&
    keys.every((key) => {
      if (key === 'stack') return true;
      if (key !== 'errors') return Object.hasOwn(left, key) && same(left[key], right[key]);
      return (
        left.errors.length === right.errors.length &&
        right.errors.every((e: unknown, i: number) => same(left.errors[i], e))
      );
    })
  );
}

test('any tree of errors arrives with all that it holds', () => {
  fc.assert(
    fc.property(errorTree.error, (error) => same(decodeError(structuredClone(encodeError(error))), error)),
    { numRuns: 300 },
  );
});

interface Mess {
  readonly base: 'error' | 'object';
  readonly properties: readonly (readonly [
    key: string,
    value: { make(): unknown },
    kind: 'value' | 'thrown' | 'listed',
  ])[];
  readonly frozen: boolean;
}

function makeMess({ base, properties, frozen }: Mess): unknown {
  const thrown: object = base === 'error' ? new Error('a') : {};
  if (base === 'error') assert.type((thrown as Error).stack, 'string'); // made now, before the name and the message are odd
  for (const [key, { make }, kind] of properties) {
    const get = () => {
      throw make();
    };
    const value = kind === 'listed' ? [make(), make()] : make();
    const property = kind === 'thrown' ? { get } : { value };
    Object.defineProperty(thrown, key, { ...property, configurable: true, enumerable: true });
  }
  return frozen ? Object.freeze(thrown) : thrown;
}

/** The global object of another realm does not show that it is, in part, a proxy. */
function disguised(): unknown {
  const handler = {};
  const realm = runInContext('globalThis', createContext(new Proxy({}, handler)));
  Object.assign(handler, stubborn);
  return realm;
}

/** Never the odd value itself, for fast-check looks into what it makes. */
const odd = fc
  .constantFrom<(() => unknown)[]>(
    () => new Proxy({}, stubborn),
    () => new Proxy(new Error('a'), stubborn),
    () => new Proxy([], stubborn),
    disguised,
    () => Symbol('s'),
    () => () => 1,
    () => new WeakMap(),
    () => Promise.resolve(),
    () => new URL('http://localhost'),
    () => globalThis,
    () => process,
    () => Object.create(Error.prototype),
    () => Object.create(DOMException.prototype),
    () =>
      new (class extends Error {
        static override get name(): string {
          throw new MyError('name');
        }
      })(),
    () =>
      new (class extends Error {
        override get message(): string {
          throw new MyError('message');
        }
      })(),
  )
  .map((make) => ({ make }));

test('odd things of every kind can be encoded, sent and decoded', () => {
  fc.assert(
    fc.property(odd, ({ make }) => {
      send(make());
    }),
  );
});

test('an error or object with odd properties can be encoded, sent and decoded', () => {
  const keys = ['cause', 'errors', 'message', 'name', 'code', 'stack', 'constructor', '__proto__', 'other'];
  const value = fc.oneof(
    odd,
    fc.oneof(data, errorTree.error).map((value) => ({ make: () => value })),
  );
  const kind = fc.constantFrom('value', 'thrown', 'listed');
  const mess: fc.Arbitrary<Mess> = fc.record({
    base: fc.constantFrom('error', 'object'),
    properties: fc.array(fc.tuple(fc.constantFrom(...keys), value, kind)),
    frozen: fc.boolean(),
  });
  fc.assert(
    fc.property(mess, (mess) => {
      send(makeMess(mess));
    }),
    { numRuns: 300 },
  );
});

test.run();
