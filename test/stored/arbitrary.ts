import { Failure, History } from '../../src/atoms/index.js';
import { RunError } from '../../src/errors.js';
import fc from '../fast-check.js';

class Custom extends TypeError {}

/** How an object is made: of a kind, some primitives, and links to any of the objects, itself too. */
interface Recipe {
  readonly kind: (typeof kinds)[number];
  readonly keys: readonly string[];
  readonly items: readonly unknown[];
  readonly size: number;
}

const kinds = [
  ...(['object', 'object', 'array', 'array', 'holes', 'named', 'map', 'set', 'date', 'regexp', 'boxed'] as const),
  ...(['error', 'custom', 'aggregate', 'dom', 'own', 'failure', 'history', 'buffer', 'shared'] as const),
  ...(['bytes', 'doubles', 'bigints', 'view', 'node'] as const),
];

const key = fc.oneof(
  fc.constantFrom('a', 'b', '0', '7', '__proto__', 'constructor', 'toJSON', 'then', 'é'),
  fc.string({ maxLength: 4, unit: 'binary' }),
);

export const primitive: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(undefined, null, true, false, Number.NaN, -0, 0, Infinity, -Infinity, '', '\ud800', '\udc00a', '\0'),
  fc.string({ maxLength: 6, unit: 'binary' }),
  fc.double(),
  fc.bigInt(),
  fc.constantFrom(2n ** 1500n, -(2n ** 1500n) + 1n, 10n ** 308n),
);

class Link {
  constructor(readonly to: number) {}
}

const recipe: fc.Arbitrary<Recipe> = fc.record({
  kind: fc.constantFrom(...kinds),
  keys: fc.uniqueArray(key, { maxLength: 4 }),
  items: fc.array(
    fc.oneof(
      primitive,
      fc.nat(20).map((to) => new Link(to)),
    ),
    { maxLength: 5 },
  ),
  size: fc.oneof(fc.nat(40), fc.constantFrom(1023, 1024, 3000)),
});

/** A value with objects of all kinds that can be stored, which refer to each other in any way. */
export const value: fc.Arbitrary<unknown> = fc.oneof(
  primitive,
  fc.jsonValue(),
  fc.array(recipe, { minLength: 1, maxLength: 12 }).map(build),
);

function build(recipes: readonly Recipe[]): unknown {
  const objects: object[] = [];
  const errors: Error[] = [new RunError('ERR_MILLRACE_CLOSED', 'closed')];
  const buffers: ArrayBuffer[] = [new ArrayBuffer(64)];
  for (const recipe of recipes) {
    const made = create(recipe, errors, buffers);
    objects.push(made);
    if (made instanceof Error) errors.push(made);
    if (made instanceof ArrayBuffer) buffers.push(made);
  }
  for (const [i, recipe] of recipes.entries()) fill(objects[i]!, recipe, objects);
  return objects[0];
}

function create(
  { kind, items, keys, size }: Recipe,
  errors: readonly Error[],
  buffers: readonly ArrayBuffer[],
): object {
  const error = errors[size % errors.length]!;
  const buffer = buffers[size % buffers.length]!;
  const width = Math.floor(buffer.byteLength / 8);
  switch (kind) {
    case 'map':
      return new Map();
    case 'set':
      return new Set();
    case 'date':
      return new Date(size % 3 === 0 ? Number.NaN : size * 1e12 - 1e13);
    case 'regexp':
      return new RegExp(['a/b', '[\\n/]', '(?:)'][size % 3]!, ['', 'gi', 'u'][size % 3]);
    case 'boxed':
      return Object([1, -0, Number.NaN, 'text', true, false, 5n, ''][size % 8]);
    case 'error':
      return new RangeError(String(items[0]), { cause: error });
    case 'custom':
      return new Custom('custom', size % 2 ? { cause: 'none' } : undefined);
    case 'aggregate':
      return new AggregateError([error, 5, { error }], 'several');
    case 'dom':
      return new DOMException('dom', 'TimeoutError');
    case 'own':
      return new RunError('ERR_MILLRACE_TIMEOUT', 'late', { task: 't' });
    case 'failure':
      return new Failure(keys[0] ?? 'task', error);
    case 'history': {
      const failure = new Failure('t', error);
      return new History([{ value: size, failures: { t: failure } }], size % 2 ? failure : undefined);
    }
    case 'buffer':
      return new Uint8Array(size).fill(size).buffer;
    case 'shared':
      return new SharedArrayBuffer(size);
    case 'bytes':
      return new Uint8Array(buffer, Math.min(size, buffer.byteLength), 0);
    case 'doubles':
      return new Float64Array(buffer, 0, width);
    case 'bigints':
      return new BigInt64Array(buffer, 8 * Math.min(1, width), Math.max(0, width - 1));
    case 'view':
      return new DataView(buffer, Math.min(3, buffer.byteLength));
    case 'node':
      return Buffer.from('x'.repeat(size));
    case 'array':
    case 'holes':
    case 'named':
      return [];
    case 'object':
      return {};
  }
}

function fill(object: object, { kind, items, keys, size }: Recipe, objects: readonly object[]): void {
  const values = items.map((item) => (item instanceof Link ? objects[item.to % objects.length] : item));
  const name = () => {
    for (const [i, key] of keys.entries()) {
      if (Object.hasOwn(object, key)) continue;
      const held = i < values.length ? values[i] : i;
      Object.defineProperty(object, key, { value: held, enumerable: true, writable: true, configurable: true });
    }
  };
  if (kind === 'object') name();
  if (['array', 'holes', 'named'].includes(kind)) (object as unknown[]).push(...values);
  if (kind === 'holes') {
    delete (object as unknown[])[1];
    (object as unknown[]).length += size;
  }
  if (kind === 'named') name();
  if (object instanceof Map)
    for (const [i, held] of values.entries()) object.set(held, values[(i + 1) % values.length]);
  if (object instanceof Set) for (const held of values) object.add(held);
  // An error's properties called so are never sent anywhere.
  if (kind === 'custom' && values.length > 0)
    Object.assign(object, { code: size, held: values[0], list: values.slice(1) });
}
