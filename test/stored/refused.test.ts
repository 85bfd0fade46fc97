import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure } from '../../src/atoms/index.js';
import { decodeStored, encodeStored } from '../../src/stored/index.js';
import fc from '../fast-check.js';
import { primitive, value } from './arbitrary.js';

const encode = (value: unknown, limit = 2 ** 30) => encodeStored(value, { limit });
const thrownBy = (action: () => unknown): any => {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
};
const refuses = (value: unknown, place: string) => {
  const error = thrownBy(() => encode(value));
  assert.is(error?.code, 'ERR_MILLRACE_UNSTORABLE');
  assert.is(error.message, `The value cannot be stored (${place})`);
  return error;
};

test('what cannot be stored is refused with the way to it and what it is', () => {
  const f = () => 1;
  refuses(f, 'function');
  refuses(Symbol('s'), 'symbol');
  refuses({ handlers: [1, 2, { onClick: f }] }, '.handlers[2].onClick: function');
  refuses({ 'a b': [{ 7: Symbol('s') }] }, '["a b"][0][7]: symbol');
  refuses(new Map<unknown, unknown>([['k', { f }]]), '.get("k").f: function');
  refuses(new Map<unknown, unknown>([[{ f }, 1]]), '.keys()[0].f: function');
  refuses(new Set<unknown>([1, f]), '.values()[1]: function');
  refuses(Object.assign([1], { f }), '.f: function');
  refuses(Array(1).concat([f]), '[1]: function');
  refuses({ a: Promise.resolve() }, '.a: Promise');
  refuses([new WeakMap()], '[0]: WeakMap');
  refuses([new WeakSet()], '[0]: WeakSet');
  refuses([Object(Symbol('s'))], '[0]: Symbol object');
  refuses([(function* () {})()], '[0]: generator');
  refuses([new Map().keys()], '[0]: Map iterator');
  refuses({ f: new Failure('t', 'text' as never) }, '.f: Failure without an Error');
});

test('an object whose state is all private is refused, for nothing would be left of it', () => {
  const { port1, port2 } = new MessageChannel();
  class Secret {
    #value = 1;
    reveal = undefined as unknown;
    constructor() {
      Object.defineProperty(this, 'reveal', { enumerable: false, value: () => this.#value });
    }
  }
  refuses({ a: new Secret() }, '.a: Secret whose state is private');
  refuses(new Blob(['a']), 'Blob whose state is private');
  refuses([port1], '[0]: MessagePort whose state is private');
  for (const value of [new URL('http://a'), new WeakRef({}), new Intl.NumberFormat(), new AbortController()]) {
    assert.match(refuses(value, `${value.constructor.name} whose state is private`).message, value.constructor.name);
  }
  port1.close();
  port2.close();
});

test('a detached buffer is refused', () => {
  const view = new Uint8Array(8);
  structuredClone(view, { transfer: [view.buffer] });
  refuses({ view }, '.view: detached ArrayBuffer');
  refuses([view.buffer], '[0]: detached ArrayBuffer');
});

test('what throws when it is read is refused, with what it threw as the cause', () => {
  const thrown = new Error('no');
  const throws = () => {
    throw thrown;
  };
  assert.is(
    refuses({ a: Object.defineProperty({}, 'b', { get: throws, enumerable: true }) }, '.a.b: getter that throws').cause,
    thrown,
  );
  const proxy = new Proxy({}, { getPrototypeOf: throws });
  assert.is(refuses([proxy], '[0]: object that throws when it is read').cause, thrown);
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  assert.is(thrownBy(() => encode([revoked])).code, 'ERR_MILLRACE_UNSTORABLE');
});

test('a proxy is stored as what it shows', () => {
  assert.equal(decodeStored(encode(new Proxy({ a: [undefined] }, {}))), { a: [undefined] });
  assert.equal(decodeStored(encode(new Proxy([1, 2], {}))), [1, 2]);
});

test('a message names the value and the task that it is of', () => {
  const options = { limit: 10, what: "The result of task 't'", task: 't' };
  for (const value of [{ f() {} }, 'x'.repeat(100), [undefined, 'x'.repeat(100)]]) {
    const error = thrownBy(() => encodeStored(value, options));
    assert.match(error.message, /^The result of task 't' /);
    assert.is(error.task, 't');
  }
  const error = thrownBy(() => decodeStored({ text: 'x', parts: [] }, options));
  assert.match(error.message, /^The result of task 't' cannot be read/);
  assert.is(error.task, 't');
});

test('a function anywhere in a value is found, but in errors', () => {
  fc.assert(
    fc.property(fc.array(primitive, { maxLength: 4 }), fc.nat(3), (items, place) => {
      const at = Math.min(place, items.length);
      refuses({ list: items.toSpliced(at, 0, { f() {} }) }, `.list[${at}].f: function`);
    }),
  );
});

test('the limit is that of bytes, of text and parts together', () => {
  const bytes = new Uint8Array(2000);
  const { text, parts } = encode(bytes);
  const size = Buffer.byteLength(text) + parts[0]!.byteLength;
  encode(bytes, size);
  const error = thrownBy(() => encode(bytes, size - 1));
  assert.is(error.code, 'ERR_MILLRACE_TOO_LARGE');
  assert.match(error.message, `takes ${size} bytes when it is stored, and ${size - 1} are allowed`);
  encode('é', 5);
  assert.match(thrownBy(() => encode('é', 4)).message, 'takes 5 bytes when it is stored, and 4 are allowed');
});

test('a value is stored if and only if it fits', () => {
  fc.assert(
    fc.property(value, fc.nat(2000), (value, limit) => {
      const { text, parts } = encode(value);
      const size = parts.reduce((sum, part) => sum + part.byteLength, Buffer.byteLength(text));
      const error = thrownBy(() => encode(value, limit));
      assert.is(error?.code, size > limit ? 'ERR_MILLRACE_TOO_LARGE' : undefined);
    }),
    { numRuns: Number(process.env.TEST_RUNS) || 300 },
  );
});

test('a value that makes itself up as it is read ends at the limit', () => {
  const endless = (): object => ({
    get next() {
      return endless();
    },
  });
  for (const value of [endless(), [undefined, endless()], Object.assign(new Error('a'), { endless: endless() })]) {
    assert.is(thrownBy(() => encode(value, 100_000)).code, 'ERR_MILLRACE_TOO_LARGE');
  }
});

test('a limit must be given', () => {
  for (const options of [undefined, {}, { limit: -1 }, { limit: Number.NaN }, { limit: '5' }]) {
    assert.throws(() => encodeStored(1, options as never), /limit must be a number of bytes/);
  }
});

test.run();
