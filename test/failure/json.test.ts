import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import {
  AbortError,
  ArgumentError,
  ExposedError,
  Failure,
  isMillraceError,
  RunError,
  run,
  WrappedFailure,
} from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rejection } from '../engine/capture.js';
import fc from '../fast-check.js';
import { CardError, PaymentError, pays } from '../fixtures/failure/payments.js';

const stored = (error: unknown): any =>
  Failure.fromJSON(JSON.parse(JSON.stringify(new Failure('t', error as Error)))).error;
const thrownBy = (action: () => unknown): any => {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
};
const good = () => JSON.parse(JSON.stringify(new Failure('t', new CardError('a', { cause: new Error('b') }))));

for (const [what, make] of Object.entries<() => unknown>({
  'a plain error': () => new Error('a'),
  'an error without a message': () => new Error(),
  'an error of Node.js': () => thrownBy(() => readFileSync('/does/not/exist')),
  'an error of Millrace': () => new RunError('ERR_MILLRACE_CLOSED', 'a', { task: 't' }),
  'an AbortError': () => new AbortError('a', { cause: new Error('b') }),
  'an ExposedError': () => new ExposedError('a'),
  'a DOMException': () => new DOMException('a', 'TimeoutError'),
  'an AggregateError': () => new AggregateError([new TypeError('b'), 4, 'five', null], 'a'),
  'a WrappedFailure': () => new WrappedFailure([new CardError('b'), new AbortError('c')], 'a'),
  'three causes': () => new Error('a', { cause: new Error('b', { cause: new Error('c', { cause: 'd' }) }) }),
  'own properties': () =>
    Object.assign(new Error('a'), { status: 404, list: [1, { b: null }], reason: new TypeError('b') }),
})) {
  test(`an error looks the same when it has been stored as JSON: ${what}`, () => {
    const error = make() as Error;
    const back = stored(error);
    assert.is(back.constructor, error.constructor);
    assert.is(inspect(back, { depth: 9, sorted: true }), inspect(error, { depth: 9, sorted: true }));
    assert.equal(
      JSON.parse(JSON.stringify(new Failure('t', back))),
      JSON.parse(JSON.stringify(new Failure('t', error))),
    );
  });
}

test('the data of a failure reads well', () => {
  const error = Object.assign(new CardError('declined', { cause: new RangeError('below') }), { status: 402 });
  const { version, task, error: data } = new Failure('pays', error).toJSON();
  const { stack, cause, ...rest } = data as any;
  assert.equal({ version, task }, { version: 1, task: 'pays' });
  assert.equal(rest, {
    classes: ['CardError', 'PaymentError', 'TypeError'],
    name: 'CardError',
    message: 'declined',
    code: 'E_CARD',
    properties: { status: { value: 402 } },
  });
  assert.is(stack, error.stack);
  assert.is(cause.error.message, 'below');
});

test('what a run has added to an error stays hidden', async () => {
  const error = await rejection(run(pays, {}, { engine: 'serial' }));
  const back = stored(error);
  assert.is(back.task, 'pays');
  assert.equal(
    Object.keys(back),
    Object.keys(error).filter((key) => key !== 'name'),
  );
});

test('a class of the user keeps its name, and the class that it extends', () => {
  const back = stored(new CardError('a'));
  assert.instance(back, TypeError);
  assert.is(back.constructor.name, 'CardError');
  assert.is(new Failure('t', back).check(PaymentError), PaymentError);
});

test('an error of Millrace is one when it comes back, and one of a user is not', () => {
  assert.ok(isMillraceError(stored(new ArgumentError('a'))));
  assert.instance(stored(new ArgumentError('a')), ArgumentError);
  assert.not.ok(isMillraceError(stored(new CardError('a'))));
});

test('what JSON cannot hold is left out, and said where it was a cause', () => {
  const error = Object.assign(new Error('a', { cause: 5n }), {
    big: 5n,
    call() {},
    map: new Map([[1, 2]]),
    when: new Date(0),
  });
  const back = stored(error);
  assert.is(back.cause, '[a value that JSON cannot hold]');
  assert.not.ok('big' in back || 'call' in back);
  assert.is(back.when, '1970-01-01T00:00:00.000Z');
});

test('circles, long chains and heaps of errors are cut', () => {
  const circle = new Error('a');
  circle.cause = new Error('b', { cause: circle });
  assert.is(stored(circle).cause.cause, '[circular]');
  let chain = new Error('0');
  for (let i = 1; i < 5000; i++) chain = new Error(String(i), { cause: chain });
  const causes = new Failure('t', stored(chain)).causes;
  assert.is(causes.length, 100);
  assert.is(causes[99]!.cause, '[what is more than 100 links away was left out]');
  // Each refers to all others: there are more ways than could ever be written.
  const knot = Array.from({ length: 50 }, (_, i) => new AggregateError([], String(i)));
  for (const error of knot) error.errors = knot.filter((other) => other !== error);
  assert.is(stored(knot[0]).errors.length, 49);
});

test('whatever a failure holds can be written down', () => {
  const refusing = () => {
    throw new Error('no');
  };
  const proxy = new Proxy(new Error('x'), { get: refusing, ownKeys: refusing, getPrototypeOf: refusing });
  assert.instance(stored(proxy), Error);
  assert.match(stored('no error').message, /holds a string \("no error"\) instead of an Error/);
  const poisoned = Object.assign(new Error('a'), { value: JSON.parse('{"__proto__": {"x": 1}, "b": 1}'), toString: 5 });
  assert.equal(stored(poisoned).value, { b: 1 });
  assert.is(String(stored(poisoned)), 'Error: a');
});

const deep = (levels: number) => JSON.parse(`${'['.repeat(levels)}1${']'.repeat(levels)}`);
const chainOf = (length: number) => {
  let error = good().error;
  for (let i = 0; i < length; i++) error = { ...error, cause: { error } };
  return error;
};

for (const [what, spoil, message] of [
  ['no object', () => 'x', /the data must be an object; received a string/],
  ['null', () => null, /the data must be an object; received null/],
  ['another version', (data) => ({ ...data, version: 2 }), /version must be 1; received a number \(2\)/],
  ['no task', (data) => ({ ...data, task: 5 }), /task must be a string/],
  ['no error', (data) => ({ ...data, error: undefined }), /error must be an object; received undefined/],
  ['an array', (data) => ({ ...data, error: [] }), /error must be an object; received an array/],
  ['no classes', ({ error }) => ({ error: { ...error, classes: [] } }), /error\.classes must have 1 to 101 items/],
  ['many classes', ({ error }) => ({ error: { ...error, classes: Array(200).fill('A') } }), /1 to 101 items/],
  ['a class that is no text', ({ error }) => ({ error: { ...error, classes: [{}] } }), /classes\[0\] must be a string/],
  [
    'a message that is no text',
    ({ error }) => ({ error: { ...error, message: {} } }),
    /error\.message must be a string/,
  ],
  ['a code that is an object', ({ error }) => ({ error: { ...error, code: {} } }), /error\.code must be a string/],
  [
    'a huge text',
    ({ error }) => ({ error: { ...error, stack: 'x'.repeat(2e6) } }),
    /error\.stack is too long: 2000000/,
  ],
  ['a bare cause', ({ error }) => ({ error: { ...error, cause: 'x' } }), /error\.cause must be an object/],
  [
    'a cause deep down',
    ({ error }) => ({ error: { ...error, cause: { error: {} } } }),
    /error\.cause\.error\.classes must/,
  ],
  ['errors that are no list', ({ error }) => ({ error: { ...error, errors: {} } }), /error\.errors must be an array/],
  ['a function', ({ error }) => ({ error: { ...error, cause: { value: () => 1 } } }), /cause\.value must be JSON/],
  [
    'a value nested deeply',
    ({ error }) => ({ error: { ...error, cause: { value: deep(5000) } } }),
    /nested too deeply/,
  ],
  ['causes nested deeply', () => ({ error: chainOf(200) }), /nested too deeply/],
  [
    'too many errors',
    ({ error }) => ({ error: { ...error, errors: Array.from({ length: 1001 }, () => ({ error: good().error })) } }),
    /more than 1000 errors/,
  ],
  ...['__proto__', 'constructor', 'toString', 'stack', 'message'].map(
    (key) =>
      [
        `a property '${key}'`,
        ({ error }: any) => ({ error: { ...error, properties: JSON.parse(`{"${key}": {"value": {"x": 1}}}`) } }),
        new RegExp(`error\\.properties must not have a property '${key}'`),
      ] as const,
  ),
  [
    '__proto__ in a value',
    ({ error }) => ({ error: { ...error, cause: { value: JSON.parse('[{"__proto__": {"x": 1}}]') } } }),
    /cause\.value\[0\] must not have a property '__proto__'/,
  ],
] as readonly (readonly [string, (data: any) => any, RegExp])[]) {
  test(`data that is no failure is refused: ${what}`, () => {
    const data = good();
    const spoilt = spoil(data);
    const whole = spoilt !== null && typeof spoilt === 'object' ? { ...data, ...spoilt } : spoilt;
    const error = thrownBy(() => Failure.fromJSON(whole));
    assert.is(error?.code, 'ERR_MILLRACE_INVALID_ARG');
    assert.match(error.message, message);
    assert.is(({} as any).x, undefined);
  });
}

test('data that is anything at all is read or refused, and never harms', () => {
  const runs = Number(process.env.TEST_RUNS) || 300;
  const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<any>;
  const value = fc.oneof(json, fc.record({ value: json }), fc.constant({ error: good().error }));
  const key = fc.constantFrom('classes', 'name', 'message', 'code', 'stack', 'cause', 'errors', 'properties', 'hidden');
  fc.assert(
    fc.property(fc.dictionary(key, value), (fields) => {
      const data = { ...good(), error: { ...good().error, ...fields } };
      const error = thrownBy(() => {
        const failure = Failure.fromJSON(data);
        assert.type(String(failure) + inspect(failure), 'string');
        assert.equal(Failure.fromJSON(failure.toJSON()).toJSON(), failure.toJSON());
      });
      assert.ok(error === undefined || error.code === 'ERR_MILLRACE_INVALID_ARG', inspect(error));
    }),
    { numRuns: runs },
  );
});

test('an error of any making matches what is stored of it', () => {
  const text = fc.string({ maxLength: 20 });
  const error = fc.letrec<{ error: Error }>((tie) => ({
    error: fc
      .record({
        Class: fc.constantFrom(Error, RangeError, CardError),
        message: text,
        cause: fc.option(tie('error')),
        code: fc.option(text),
      })
      .map(({ Class, message, cause, code }) => {
        const made = new Class(message, cause ? { cause } : undefined);
        return code === null || Class === CardError ? made : Object.assign(made, { code });
      }),
  })).error;
  fc.assert(
    fc.property(error, (made) => {
      const failure = new Failure('t', made);
      const back = Failure.fromJSON(JSON.parse(JSON.stringify(failure)));
      assert.ok(failure.matches(back) && back.matches(failure));
      assert.is(back.error.stack, made.stack);
    }),
    { numRuns: Number(process.env.TEST_RUNS) || 200 },
  );
});

test.run();
