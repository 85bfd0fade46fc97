import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findUncloneable, isSimplyCloneable } from '../../src/wire/index.js';
import fc from '../fast-check.js';

const refuses = (value: unknown, path: string, type: string) => {
  assert.throws(() => structuredClone(value));
  assert.equal(findUncloneable(value), { path, type });
};

test('what can be cloned has no offender', () => {
  const cyclic: Record<string, unknown> = { map: new Map([[{}, new Set([1])]]) };
  cyclic.self = [cyclic];
  const values = [
    undefined,
    null,
    'text',
    7n,
    cyclic,
    new Date(0),
    /x/,
    new Error('a', { cause: cyclic }),
    Object.assign(new Error('a'), { callback() {} }),
    new SharedArrayBuffer(8),
    new Float64Array(1000),
    new DataView(new ArrayBuffer(8)),
    Object(1),
    new (class Point {
      x = 1;
      move() {}
    })(),
    new Blob(['a']),
    Object.create(null),
    Object.assign(new Map(), { callback() {} }),
  ];
  for (const value of values) {
    structuredClone(value);
    assert.is(findUncloneable(value), undefined);
  }
});

test('a short look never takes for cloneable what is not', () => {
  const detached = new Uint8Array(8);
  structuredClone(detached, { transfer: [detached.buffer] });
  const not = [
    () => 1,
    Symbol('s'),
    { f() {} },
    [1, Symbol('s')],
    detached,
    [detached],
    new Proxy({}, {}),
    new Proxy(new Uint8Array(1), {}),
    Promise.resolve(),
    new WeakMap(),
    new MessageChannel().port1,
    (function () {
      // biome-ignore lint/complexity/noArguments: it is what is refused
      return arguments;
    })(),
    {
      get a() {
        throw new Error('no');
      },
    },
  ];
  for (const value of not) {
    assert.throws(() => structuredClone(value));
    assert.is(isSimplyCloneable(value), false);
  }
  const simple = [
    1,
    'a',
    null,
    undefined,
    7n,
    new Uint8Array(8),
    new SharedArrayBuffer(8),
    { a: new DataView(new ArrayBuffer(8)), b: 'c' },
    [1, 2],
  ];
  for (const value of simple) assert.is(isSimplyCloneable(value), true);
  assert.is(isSimplyCloneable(Array.from({ length: 100 }, () => 1)), false);
  assert.is(isSimplyCloneable({ a: { b: 1 } }), false);
});

test('the path leads to the offender as one would write it', () => {
  const f = () => 1;
  refuses(f, '', 'function');
  refuses(Symbol('s'), '', 'symbol');
  refuses({ handlers: [1, 2, { onClick: f }] }, '.handlers[2].onClick', 'function');
  refuses({ 'a b': { '1x': { 7: f } } }, '["a b"]["1x"][7]', 'function');
  refuses({ ключ: { $_: f } }, '.ключ.$_', 'function');
  refuses(new Map<unknown, unknown>([['k', { f }]]), '.get("k").f', 'function');
  refuses(new Map<unknown, unknown>([[Number.NaN, f]]), '.get(NaN)', 'function');
  refuses(
    new Map<unknown, unknown>([
      [1, 1],
      [{}, [f]],
    ]),
    '.values()[1][0]',
    'function',
  );
  refuses(
    new Map<unknown, unknown>([
      [1, 1],
      [{ f }, 1],
    ]),
    '.keys()[1].f',
    'function',
  );
  refuses(new Set<unknown>([1, { f }]), '.values()[1].f', 'function');
  refuses(new Error('a', { cause: { f } }), '.cause.f', 'function');
  refuses(Object.assign([1, 2], { f }), '.f', 'function');
});

test('every kind of offender is named', () => {
  const detached = new ArrayBuffer(8);
  const view = new Uint8Array(detached);
  structuredClone(detached, { transfer: [detached] });
  const kinds: [unknown, string][] = [
    [class Point {}, 'function'],
    [Symbol.iterator, 'symbol'],
    [Object(Symbol.iterator), 'Symbol object'],
    [new WeakMap(), 'WeakMap'],
    [new WeakSet(), 'WeakSet'],
    [new WeakRef({}), 'WeakRef'],
    [Promise.resolve(), 'Promise'],
    [new Proxy({}, {}), 'Proxy'],
    [new Proxy([], {}), 'Proxy'],
    [(function* () {})(), 'generator'],
    [new Map().entries(), 'Map iterator'],
    [[].values(), 'Array Iterator'],
    [new Intl.NumberFormat(), 'NumberFormat'],
    [new ReadableStream(), 'ReadableStream that is not transferred'],
    [detached, 'detached ArrayBuffer'],
    [view, 'detached ArrayBuffer'],
    [
      (function () {
        // biome-ignore lint/complexity/noArguments: it is about them
        return arguments;
      })(),
      'arguments object',
    ],
  ];
  for (const [offender, type] of kinds) refuses({ list: [{}, offender] }, '.list[1]', type);
});

test('a port that is not transferred is named', () => {
  const { port1 } = new MessageChannel();
  refuses({ port: port1 }, '.port', 'MessagePort that is not transferred');
  port1.close();
});

test('a port, which may be in the transfer list, is not blamed for another offender', () => {
  const { port1 } = new MessageChannel();
  refuses({ port: port1, later: { f() {} } }, '.later.f', 'function');
  port1.close();
});

test('a module namespace is refused', async () => {
  const namespace = await import('node:path');
  refuses({ path: namespace }, '.path', 'module namespace');
});

test('an offender that holds other things is blamed itself, and not what it is in', () => {
  class Box {
    constructor(readonly content: unknown) {}
  }
  const held = Object.assign(new WeakRef({}), { extra: new Box({ fine: 1 }) });
  refuses(new Box({ inner: new Box(held) }), '.content.inner.content', 'WeakRef');
});

test('a getter that throws is an offender, whatever it throws', () => {
  const throwing = (thrown: unknown) => ({
    a: {
      get b() {
        throw thrown;
      },
    },
  });
  refuses(throwing(undefined), '.a.b', 'getter that throws');
  refuses([throwing(new RangeError('r'))], '[0].a.b', 'getter that throws');
});

test('an error that cannot be read is an offender', () => {
  refuses({ a: Object.assign(new Error('a'), { name: Symbol('n') }) }, '.a', 'Error');
});

test('a list of 100,000 nodes has a path to its end', () => {
  let node: unknown = { f() {} };
  for (let i = 0; i < 100_000; i++) node = { next: node };
  refuses(node, `${'.next'.repeat(100_000)}.f`, 'function');
});

test('a value that is too deep for structured clone is refused as such', () => {
  let node: unknown = {};
  for (let i = 0; i < 100_000; i++) node = { next: node };
  refuses(node, '', 'value that is nested too deeply');
});

test('getters that make new objects for ever come to an end', () => {
  const make = () => ({
    get next() {
      return make();
    },
  });
  refuses(make(), '', 'value that is nested too deeply');
});

test('long and sparse arrays are searched', () => {
  const numbers = Array.from({ length: 1_000_000 }, (_, i) => i);
  refuses([numbers, Promise.resolve()], '[1]', 'Promise');
  const sparse: unknown[] = [];
  sparse[4_000_000_000] = () => 1;
  assert.equal(findUncloneable(sparse), { path: '[4000000000]', type: 'function' });
});

const cloneable = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true,
});

test('a random value that can be cloned has no offender', () => {
  fc.assert(
    fc.property(cloneable, (value) => {
      structuredClone(value);
      return findUncloneable(value) === undefined;
    }),
    { numRuns: 300 },
  );
});

/** One more layer around an offender: what to put it in, among random company, and how that place is written. */
type Layer = (inner: unknown, company: readonly unknown[]) => [outer: unknown, step: string];

const written = (key: string) =>
  /^(?:0|[1-9][0-9]*)$/.test(key)
    ? `[${key}]`
    : /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
      ? `.${key}`
      : `[${JSON.stringify(key)}]`;

const layer = fc.oneof<fc.Arbitrary<Layer>[]>(
  fc.constant((inner, company) => [[...company, inner, ...company], `[${company.length}]`]),
  fc.constant((inner, company) => [new Set([...company.map((c) => [c]), inner]), `.values()[${company.length}]`]),
  fc.constant((inner, company) => [
    new Map(company.map((c) => [[c], c] as [unknown, unknown]).concat([[inner, 1]])),
    `.keys()[${company.length}]`,
  ]),
  fc.constant((inner, company) => [
    new Map(company.map((c) => [[c], c] as [unknown, unknown]).concat([[{}, inner]])),
    `.values()[${company.length}]`,
  ]),
  fc.constant((inner) => [new Error('e', { cause: inner }), '.cause']),
  fc.string().map(
    (key): Layer =>
      (inner, company) => [
        new Map<unknown, unknown>([
          [company, 1],
          [key, inner],
        ]),
        `.get(${JSON.stringify(key)})`,
      ],
  ),
  fc
    .string()
    .filter((key) => key !== '__proto__')
    .map(
      (key): Layer =>
        (inner, company) => [{ before: company, [key]: inner }, written(key)],
    ),
  fc.constant((inner, company) => [
    new (class Box {
      company = company;
      content = inner;
      self = this;
    })(),
    '.content',
  ]),
);

test('a function planted at a random place is found at exactly that place', () => {
  const layers = fc.array(fc.tuple(layer, fc.array(cloneable, { maxLength: 3 })), { maxLength: 8 });
  fc.assert(
    fc.property(
      layers,
      fc.constantFrom<unknown>(() => 1, Symbol('s'), Promise.resolve(), new WeakRef({})),
      (layers, offender) => {
        let value = offender;
        let path = '';
        for (const [wrap, company] of layers) {
          const [outer, step] = wrap(value, company);
          value = outer;
          path = step + path;
        }
        assert.is(findUncloneable(value)?.path, path);
      },
    ),
    { numRuns: 500 },
  );
});

test.run();
