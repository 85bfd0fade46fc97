import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeStored, encodeStored, type Stored } from '../../src/stored/index.js';
import fc from '../fast-check.js';
import { primitive, value } from './arbitrary.js';

const limit = 2 ** 30;
const own = (object: object) => Reflect.ownKeys(object).map(String);
const before = [Object, Array, Map, Error].map(({ prototype }) => own(prototype));

/** What is read, if it is: and in that case it is a value as good as any other, which can be looked at and stored again. */
function read(stored: Stored): void {
  let back: unknown;
  try {
    back = decodeStored(stored);
  } catch (error: any) {
    assert.is(error.code, 'ERR_MILLRACE_UNREADABLE', error.stack);
    return;
  } finally {
    assert.equal(
      [Object, Array, Map, Error].map(({ prototype }) => own(prototype)),
      before,
    );
  }
  inspect(back, { depth: 3, maxArrayLength: 3 });
  encodeStored(back, { limit });
}

const refuses = (text: string, message: RegExp | string, parts: unknown = []) => {
  try {
    decodeStored({ text, parts } as Stored);
  } catch (error: any) {
    assert.is(error.code, 'ERR_MILLRACE_UNREADABLE');
    assert.match(error.message, message);
    return;
  }
  assert.unreachable(text);
};

test('what is not stored at all is refused', () => {
  for (const stored of [
    undefined,
    null,
    'text',
    [],
    {},
    { text: 1, parts: [] },
    { text: '=1' },
    { text: '=1', parts: {} },
  ]) {
    assert.throws(
      () => decodeStored(stored as never),
      (error: any) => error.code === 'ERR_MILLRACE_UNREADABLE',
    );
  }
  refuses('=1', /parts must be an array of Uint8Array/, [[1, 2]]);
  refuses('=1', /does not refer to 1 of its 1 parts/, [new Uint8Array(1)]);
});

test('a text of a later version is refused as such', () => {
  refuses('2[[1],{}]', /no text that starts with "2"; a later one may/);
  refuses('', /no text that starts with ""/);
});

test('a text that is cut short is refused', () => {
  const { text } = encodeStored({ a: [undefined, new Date(0)], b: 'text' }, { limit });
  for (let length = 0; length < text.length; length++) refuses(text.slice(0, length), /cannot be read/);
});

test('what refers to nothing, or to the wrong thing, is refused with its place', () => {
  for (const [items, message] of [
    ['[2],{}', /refers to item 2/],
    ['[0],{}', /refers to item 0/],
    ['[-1],{}', /refers to item -1/],
    ['[0.5],{}', /refers to item 0.5/],
    ['["__proto__"],{}', /stands for no value/],
    ['["constructor"]', /stands for no value/],
    ['[]', /stands for no value/],
    ['{}', /an object that has no place/],
    ['[1],{"a":{}}', /item 1: it holds an object that has no place/],
    ['[1],7', /item 1: .*must be an object/],
    ['[1],["Widget",[1]]', /item 1: /],
    ['[1],["constructor",[2],0,1],["ArrayBuffer","AAAA"]', /item 1: this version of Node.js knows no view/],
    ['[1],["Float99Array",[2],0,1],["ArrayBuffer","AAAA"]', /knows no view of the kind a string \("Float99Array"\)/],
    ['[1],["Uint8Array",[2],0,4],["ArrayBuffer","AAAA"]', /item 1: .*length/],
    ['[1],["Uint16Array",[2],1,1],["ArrayBuffer","AAAA"]', /item 1: .*offset/],
    ['[1],["Uint8Array",[2],-1,1],["ArrayBuffer","AAAA"]', /its offset must be an integer/],
    ['[1],["Uint8Array",[2],0,null],["ArrayBuffer","AAAA"]', /its length must be an integer/],
    [
      '[1],["Uint8Array",[2],0,1],["Uint8Array",[3],0,1],["ArrayBuffer","AAAA"]',
      /item 1: it refers to item 2, which is .* not of the right kind/,
    ],
    ['[1],["Uint8Array",[2],0,1],["Map"]', /it has no buffer/],
    ['[1],["ArrayBuffer","AAA"]', /base64/],
    ['[1],["ArrayBuffer","!AAA"]', /base64/],
    ['[1],["ArrayBuffer",0]', /there is no part 0/],
    ['[1],["ArrayBuffer",null]', /there is no part null/],
    ['[1],["Date","yesterday"]', /no time/],
    ['[1],["Date",5]', /its time must be a string/],
    ['[1],["RegExp","(","g"]', /Invalid regular expression/],
    ['[1],["RegExp","a","gg"]', /Invalid flags/],
    ['[1],["Map",1]', /a key without a value/],
    ['[1],["Boxed",null]', /no object for that primitive/],
    ['[1],["Boxed",[1]]', /no object for that primitive/],
    ['["bigint","1e5"]', /no bigint/],
    ['["bigint",5]', /a bigint must be a string/],
    [`["bigint","${'9'.repeat(500)}"]`, /no bigint/],
    ['[1],["Array",["holes",4294967296]]', /cannot have 4294967296 items/],
    ['[1],["Array",["holes",9007199254740991],1]', /cannot have/],
    ['[1],["Array",["holes",-1]]', /the number of its holes must be an integer/],
    ['[1],["ArrayWith",{"length":5}]', /no property 'length'/],
    ['[1],["ArrayWith",5]', /its properties must be an object/],
    ['[1],["Failure","t",[2]],{}', /a failure has an error/],
    ['[1],["Failure",7,[2]],["Error",{"classes":["Error"]}]', /its task must be a string/],
    ['[1],["History",[2]],{}', /the failure of a history is a failure/],
    ['[1],["History",null,[2]],{"value":1}', /its failures must be an object/],
    ['[1],["History",null,[2]],{"value":1,"failures":[3]},{"t":[3]}', /an attempt has a value and failures/],
    ['[1],["History",null,5]', /an attempt must be an object/],
    ['[1],["Error"]', /item 1: it must be an object/],
    ['[1],["Error",{"classes":[]}]', /its classes must be an array with items/],
    ['[1],["Error",{"classes":[1]}]', /the name of its class must be a string/],
    [`[1],["Error",{"classes":${JSON.stringify(Array(200).fill('E'))}}]`, /an error has 1 to 101 classes/],
    ['[1],["Error",{"classes":["Error"],"stack":[1]}]', /its stack must be a string/],
    ['[1],["Error",{"classes":["Error"],"hidden":{"name":[1]}}]', /the name of an error is no object/],
    ['[1],["Error",{"classes":["Error"],"inherited":{"message":[1]}}]', /the message of an error is no object/],
    ['[1],["Error",{"classes":["Error"],"hidden":[1]}]', /its properties must be an object/],
  ] as const) {
    refuses(`1[${items}]`, message);
  }
});

test('each part belongs to one buffer, so that a short text cannot stand for much memory', () => {
  refuses('1[[1],["Array",[2],[3]],["ArrayBuffer",0],["ArrayBuffer",0]]', /belongs to another object/, [
    new Uint8Array(9),
  ]);
});

test('no text changes a prototype', () => {
  const keys = ['__proto__', 'constructor', 'prototype'];
  for (const key of keys) {
    read({ text: `={"${key}":{"polluted":1}}`, parts: [] });
    for (const node of [
      `{"${key}":[2]}`,
      `["ArrayWith",{"${key}":[2]}]`,
      `["Map","${key}",[2]]`,
      `["Error",{"classes":["${key}"],"${key}":[2],"properties":{"${key}":[2]},"inherited":{"${key}":[2]},"symbols":{"${key}":[2]}}]`,
    ]) {
      const back = decodeStored({ text: `1[[1],${node},{"polluted":1}]`, parts: [] }) as any;
      assert.is(back.polluted, undefined);
      assert.is(({} as any).polluted, undefined);
    }
  }
});

test('huge lengths and deep texts take no more than in proportion', () => {
  const sparse = Array.from({ length: 2000 }, () => '["Array",["holes",4294967295]]').join();
  const objects = decodeStored({ text: `1[[1],${sparse}]`, parts: [] }) as unknown[];
  assert.is(objects.length, 2 ** 32 - 1);
  const deep = '['.repeat(200_000) + ']'.repeat(200_000);
  assert.ok(Array.isArray(decodeStored({ text: `=${deep}`, parts: [] })));
  refuses(`1[${deep}]`, /cannot be read/);
  refuses(`1[[1],["RegExp","${'('.repeat(100_000)}","g"]]`, /regular expression/i);
});

/** Small changes to a text, at the places where they do most harm. */
const junk = fc.oneof(
  { weight: 3, arbitrary: fc.nat(12).map((place) => [place]) },
  {
    weight: 2,
    arbitrary: fc.constantFrom('Array', 'Map', 'Error', 'Failure', 'History', 'Uint8Array', 'Boxed', 'holes'),
  },
  fc.constantFrom([], {}, ['undefined'], ['holes', 5], ['bigint', '0x'], -1, 1e9, '__proto__', {
    __proto__: null,
    a: 1,
  }),
  primitive.filter((one) => typeof one !== 'bigint' && one !== undefined),
);

function mutated(tree: any, choices: readonly [number, unknown][]): unknown {
  for (const [choice, by] of choices) {
    const places: [any, string | number][] = [];
    const walk = (node: any) => {
      if (typeof node !== 'object' || node === null) return;
      for (const key of Object.keys(node)) {
        places.push([node, key]);
        walk(node[key]);
      }
    };
    walk(tree);
    const [holder, key] = places[choice % places.length]!;
    Object.defineProperty(holder, key, {
      value: structuredClone(by),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return tree;
}

const runs = Number(process.env.TEST_RUNS) || 1500;

test('a text with changed parts is refused, or is a value as good as any other', () => {
  const changes = fc.array(fc.tuple(fc.nat(), junk), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(value, changes, (value, changes) => {
      const { text, parts } = encodeStored(value, { limit });
      if (text[0] !== '1') return;
      read({ text: `1${JSON.stringify(mutated(JSON.parse(text.slice(1)), changes))}`, parts });
    }),
    { numRuns: runs },
  );
});

test('a text with changed characters is refused, or is a value as good as any other', () => {
  const change = fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom('', '0', '1', '[', ']', '"', ',', '{}', '-', '\\'));
  fc.assert(
    fc.property(value, fc.array(change, { minLength: 1, maxLength: 3 }), (value, changes) => {
      let { text, parts } = encodeStored(value, { limit });
      for (const [at, length, by] of changes) {
        const start = at % text.length;
        text = text.slice(0, start) + by + text.slice(start + length);
      }
      read({ text, parts });
    }),
    { numRuns: runs },
  );
});

test.run();
