import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Failure, History } from '../../src/atoms/index.js';
import { decodeStored, encodeStored, type Stored } from '../../src/stored/index.js';
import fc from '../fast-check.js';
import { value } from './arbitrary.js';
import { assertSame } from './same.js';

const limit = 2 ** 30;
const encode = (value: unknown) => encodeStored(value, { limit });
/** What is read again has gone through bytes, as in a database. */
const store = ({ text, parts }: Stored): Stored => ({
  text: Buffer.from(text, 'utf8').toString('utf8'),
  parts: parts.map((part) => Buffer.from(part)),
});
const pass = (value: unknown): any => decodeStored(store(encode(value)));

test('any value that can be stored comes back as it was, and what is shared stays shared', () => {
  fc.assert(
    fc.property(value, (value) => assertSame(value, pass(value))),
    { numRuns: Number(process.env.TEST_RUNS) || 1000 },
  );
});

test('what JSON says whole is stored as JSON', () => {
  for (const value of [null, true, 1.5, 'text', [], {}, { a: [1, { b: 'c' }], d: null }, [[[]]], '\ud800\0']) {
    assert.equal(encode(value), { text: `=${JSON.stringify(value)}`, parts: [] });
    assert.equal(pass(value), value);
  }
});

test('what JSON would change is stored otherwise', () => {
  const shared = {};
  for (const value of [
    ...[undefined, Number.NaN, Infinity, -Infinity, -0, 7n, { a: undefined }, [undefined], [Number.NaN], [-0]],
    ...[
      Array(1),
      [1].concat(Array(1)),
      [shared, shared],
      { a: shared, b: [shared] },
      Object.assign([1], { a: 1 }),
      new Date(0),
    ],
    Object.assign([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], { a: 1 }),
    Object.assign(Array(100).fill(1), { a: 1 }),
    Array.from({ length: 20 }, (_, i) => (i < 19 ? {} : shared)).concat(shared),
    Object.defineProperty({ a: 1 }, 'toJSON', { value: () => 'other' }),
  ]) {
    assert.is(encode(value).text[0], '1');
    if (!Object.hasOwn(Object(value), 'toJSON')) assertSame(value, pass(value));
  }
});

test('a property called __proto__ is one like any other', () => {
  for (const text of ['{"__proto__":{"polluted":1}}', '{"__proto__":{"polluted":1},"a":{"b":1}}']) {
    for (const more of [{}, { u: undefined }]) {
      const back = pass(Object.assign(Object.create(null), JSON.parse(text), more, { __proto__: null }));
      assert.is(Object.getPrototypeOf(back), Object.prototype);
      const other = pass(Object.assign(JSON.parse(text), more));
      assert.is(Object.getPrototypeOf(other), Object.prototype);
      assert.equal(Object.getOwnPropertyDescriptor(other, '__proto__')!.value, { polluted: 1 });
      assert.is(other.polluted, undefined);
    }
  }
});

test('a value of 100,000 levels comes back', () => {
  let list: any = { end: undefined };
  for (let i = 0; i < 100_000; i++) list = i % 2 ? [list] : { list };
  let depth = 0;
  for (let at = pass(list); !('end' in at); at = at[0] ?? at.list) depth++;
  assert.is(depth, 100_000);
});

test('a long chain of causes is cut after 100', () => {
  let error = new Error('first');
  for (let i = 0; i < 5000; i++) error = new Error(`${i}`, { cause: error });
  let at = pass({ error }).error;
  let links = 0;
  for (; at instanceof Error; at = at.cause) links++;
  assert.is(links, 101);
  assert.match(at, /more than 100 links away/);
});

test('an array may be sparse, and as long as arrays can be', () => {
  const sparse: unknown[] = [1];
  sparse[4e9] = 2;
  sparse.length = 2 ** 32 - 1;
  const back = pass(sparse);
  assert.is(back.length, 2 ** 32 - 1);
  assert.equal(Object.entries(back), [
    ['0', 1],
    ['4000000000', 2],
  ]);
});

test('binary content of 1 KiB and more is beside the text, and not in it', () => {
  const [small, large] = [new Uint8Array(1023).fill(1), new Uint8Array(1024).fill(2)];
  const { text, parts } = encode({ small, large });
  assert.equal(parts, [large]);
  assert.match(text, Buffer.from(small).toString('base64'));
  assert.equal(pass({ small, large }), { small, large });
});

test('what is stored, and what is read, is a copy', () => {
  const bytes = new Uint8Array(2000);
  const stored = encode(bytes);
  bytes[0] = 1;
  const first = decodeStored(stored) as Uint8Array;
  assert.is(first[0], 0);
  first[1] = 1;
  assert.is((decodeStored(stored) as Uint8Array)[1], 0);
});

test('views that share a buffer share it again, and see what is written to it', () => {
  const buffer = new ArrayBuffer(64);
  const back = pass([new Float64Array(buffer, 8, 2), new Uint8Array(buffer, 8, 4), buffer, new DataView(buffer)]);
  back[0][0] = -1;
  assert.is(back[1].buffer, back[2]);
  assert.is(back[2], back[3].buffer);
  assert.is(back[3].getFloat64(8, true), -1);
  const memory = new SharedArrayBuffer(16);
  const shared = pass({ a: new Int32Array(memory), b: memory });
  assert.instance(shared.b, SharedArrayBuffer);
  assert.is(shared.a.buffer, shared.b);
});

test('all kinds of typed arrays come back', () => {
  for (const name of ['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float16', 'Float32']) {
    const View = (globalThis as any)[`${name}Array`]; // Float16Array is younger than Node 20
    if (View) assertSame(View.of(1, 2, 3), pass(View.of(1, 2, 3)));
  }
  assertSame(Float64Array.of(0.1, -0), pass(Float64Array.of(0.1, -0)));
  assertSame(BigInt64Array.of(-1n), pass(BigInt64Array.of(-1n)));
  assertSame(BigUint64Array.of(2n ** 63n), pass(BigUint64Array.of(2n ** 63n)));
});

test('of a Buffer only its own bytes are stored, not the memory that it was cut from', () => {
  const secret = Buffer.from('a secret that lies in the same memory');
  const shown = Buffer.from('shown');
  assert.is(secret.buffer, shown.buffer);
  const values = [shown, new Uint8Array(shown.buffer, shown.byteOffset, shown.length), [secret.subarray(0, 2), shown]];
  for (const value of values) {
    const { text, parts } = encode(value);
    const stored = JSON.parse(text.slice(1)).filter((node: unknown[]) => node[0] === 'ArrayBuffer');
    const bytes = [...parts, ...stored.map((node: string[]) => Buffer.from(node[1]!, 'base64'))].map(
      Buffer.from as any,
    );
    assert.not(Buffer.concat(bytes as Buffer[]).includes('secret'));
    assert.equal(pass(value), value);
  }
});

test('Buffers that overlap still do, also with wider views on the same memory', () => {
  const whole = Buffer.from('0123456789'.repeat(4));
  const offset = 8 - (whole.byteOffset % 8);
  const wide = new Uint16Array(whole.buffer, whole.byteOffset + offset, 4);
  const back = pass([whole.subarray(3, 20), whole.subarray(7, 30), wide, whole.subarray(35)]);
  assert.is(back[0].toString(), whole.subarray(3, 20).toString());
  assert.equal(back[2], wide);
  back[0].write('X', 5);
  assert.is(back[1].toString('latin1', 1, 2), 'X');
  assert.is(back[3].toString(), '56789');
});

test('an instance of a class becomes a plain object of its own enumerable properties', () => {
  class Point {
    #secret = 1;
    x = 1;
    at = new Date(0);
    get secret() {
      return this.#secret;
    }
  }
  assertSame({ x: 1, at: new Date(0) }, pass(new Point()));
  assertSame({ x: 1 }, pass(Object.assign(Object.create(null), { x: 1 })));
});

test('what comes from another realm is of this one when it comes back', () => {
  const other = runInNewContext('({ d: new Date(0), m: new Map([[1, [2]]]), e: {}, u: undefined, r: /x/g })');
  assertSame({ d: new Date(0), m: new Map([[1, [2]]]), e: {}, u: undefined, r: /x/g }, pass(other));
});

test('an error keeps what hangs on it, and loses only what cannot be stored', () => {
  const shared = { at: new Date(0) };
  const error: any = Object.assign(new TypeError('bad', { cause: new RangeError('below') }), {
    ...{ code: 'E_BAD', shared, socket: { write() {}, shared }, retry: () => 1 },
    [Symbol.for('mark')]: new Set([1]),
  });
  error.itself = { error };
  const back = pass({ shared, error }) as any;
  assert.is(back.error.shared, back.shared);
  assert.is(back.error.itself.error, back.error);
  assert.equal(Object.keys(back.error).sort(), ['code', 'itself', 'shared']);
  assert.equal(back.error[Symbol.for('mark')], new Set([1]));
  assert.is(back.error.stack, error.stack);
  assert.instance(back.error.cause, RangeError);
});

test('an error may have properties that are null or undefined, and no name or message that is an object', () => {
  const back = pass(Object.assign(new Error('a', { cause: null }), { none: null, missing: undefined, name: { a: 1 } }));
  assert.is(back.cause, null);
  assert.is(back.none, null);
  assert.ok('missing' in back);
  assert.is(back.name, '[an object, which cannot be stored]');
});

test('what an error refers to and cannot be stored is described', () => {
  const error = new AggregateError([new TypeError('a'), () => 1], 'b', { cause: Promise.resolve() });
  const back = pass(error);
  assert.match(back.cause, 'an instance of Promise, which cannot be stored');
  assert.instance(back.errors[0], TypeError);
  assert.match(back.errors[1], 'a function, which cannot be stored');
});

test('an error that is shared by failures and histories is one', () => {
  const error = new Error('a');
  const failure = new Failure('t', error);
  const back = pass({ failure, history: new History([{ value: failure, failures: { t: failure } }], failure) });
  assert.instance(back.failure, Failure);
  assert.instance(back.history, History);
  assert.is(back.history.failure, back.failure);
  assert.is(back.history.last.value, back.failure);
  assert.ok(back.history.causedBy(Error));
});

test('values that were stored by the first version are read, and are written the same way', () => {
  const error = Object.assign(new TypeError('declined', { cause: 'none' }), { code: 'E_CARD' });
  error.stack = 'TypeError: declined';
  const failure = new Failure('pays', error);
  const object: any = {
    undefined: undefined,
    numbers: [Number.NaN, Infinity, -Infinity, -0],
    bigints: [-12n, 2n ** 1024n],
  };
  object.itself = object;
  object.dates = [new Date(0), new Date(Number.NaN)];
  object.others = [
    /a\/b/gi,
    Object('x'),
    Object(-0),
    new Map([[{}, 1]]),
    new Set(['a']),
    Object.assign(Array(4), { 1: 1 }),
  ];
  object.named = Object.assign([1], { index: 0 });
  object.binary = [Uint8Array.of(1, 2), new Int16Array(new SharedArrayBuffer(4), 2, 1), Buffer.from('abc')];
  object.large = new DataView(new ArrayBuffer(1024), 1, 2);
  object.failures = [failure, new History([{ value: 1, failures: { pays: failure } }])];
  const items = [
    '[1]',
    '{"undefined":["undefined"],"numbers":[2],"bigints":[3],"itself":[1],"dates":[4],"others":[5],"named":[6],"binary":[7],"large":[8],"failures":[9]}',
    '["Array",["NaN"],["Infinity"],["-Infinity"],["-0"]]',
    `["Array",["bigint","-12"],["bigint","0x1${'0'.repeat(256)}"]]`,
    '["Array",[10],[11]]',
    '["Array",[12],[13],[14],[15],[16],[17]]',
    '["ArrayWith",{"index":0},1]',
    '["Array",[18],[19],[20]]',
    '["DataView",[27],1,2]',
    '["Array",[21],[22]]',
    '["Date","1970-01-01T00:00:00.000Z"]',
    '["Date",null]',
    '["RegExp","a\\\\/b","gi"]',
    '["Boxed","x"]',
    '["Boxed",["-0"]]',
    '["Map",[23],1]',
    '["Set","a"]',
    '["Array",["holes",1],1,["holes",2]]',
    '["Uint8Array",[28],0,2]',
    '["Int16Array",[29],2,1]',
    '["Buffer",[30],0,3]',
    '["Failure","pays",[24]]',
    '["History",null,[25]]',
    '{}',
    '["Error",{"classes":["TypeError"],"stack":"TypeError: declined","hidden":{"message":"declined","cause":"none"},"properties":{"code":"E_CARD"}}]',
    '{"value":1,"failures":[26]}',
    '{"pays":[21]}',
    '["ArrayBuffer",0]',
    '["ArrayBuffer","AQI="]',
    '["SharedArrayBuffer","AAAAAA=="]',
    '["ArrayBuffer","YWJj"]',
  ];
  const pinned = `1[${items.join()}]`;
  const parts = [new Uint8Array(1024)];
  assert.is(encode(object).text, pinned);
  assertSame(object, decodeStored({ text: pinned, parts }));
  assert.equal(decodeStored({ text: '={"a":[1,"b",null]}', parts: [] }), { a: [1, 'b', null] });
});

test.run();
