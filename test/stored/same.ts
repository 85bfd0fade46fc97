import { isDeepStrictEqual, types } from 'node:util';
import { Failure, History } from '../../src/atoms/index.js';
import { ArgumentError } from '../../src/errors.js';

/** Of errors only the names of their classes come back. */
function classOf(value: object): unknown {
  if (value instanceof Error) return value.constructor.name;
  return value instanceof Failure ? 'Failure' : Object.getPrototypeOf(value);
}

/** Throws unless two values say the same and what is shared in one is shared in the other. */
export function assertSame(a: unknown, b: unknown): void {
  const pairs = new Map<unknown, unknown>();
  const back = new Map<unknown, unknown>();
  const open: [unknown, unknown, string][] = [[a, b, 'value']];
  for (let next = open.pop(); next; next = open.pop()) {
    const [one, other, path] = next;
    const demand = (condition: boolean, what: string) => {
      if (!condition) throw new ArgumentError(`${path}: ${what}`);
    };
    if (typeof one !== 'object' || one === null) {
      demand(Object.is(one, other), `${String(one)} became ${String(other)}`);
      continue;
    }
    demand(typeof other === 'object' && other !== null, 'an object became something else');
    if (pairs.has(one) || back.has(other)) {
      demand(pairs.get(one) === other && back.get(other) === one, 'what is shared differs');
      continue;
    }
    pairs.set(one, other);
    back.set(other, one);
    demand(classOf(one) === classOf(other as object), 'of another class');
    const keys = (value: object) => {
      if (ArrayBuffer.isView(value)) return [];
      return Reflect.ownKeys(value).filter((key) => key !== 'stack');
    };
    demand(isDeepStrictEqual(keys(one).sort(byName), keys(other as object).sort(byName)), 'has other properties');
    for (const key of keys(one)) {
      const [from, to] = [one, other as object].map((value) => Object.getOwnPropertyDescriptor(value, key)!);
      demand(from!.enumerable === to!.enumerable, `${String(key)} is enumerable, or not`);
      open.push([from!.value, to!.value, `${path}.${String(key)}`]);
    }
    for (const [i, [x, y]] of zip(inner(one), inner(other as object)).entries()) open.push([x, y, `${path}<${i}>`]);
  }
}

function byName(a: string | symbol, b: string | symbol): number {
  return String(a) < String(b) ? -1 : 1;
}

function zip(a: readonly unknown[], b: readonly unknown[]): [unknown, unknown][] {
  if (a.length !== b.length) throw new ArgumentError(`${a.length} items became ${b.length}`);
  return a.map((item, i) => [item, b[i]]);
}

/** What an object holds that is no property of it. */
function inner(value: object): unknown[] {
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return [...value];
  if (value instanceof Date) return [value.getTime()];
  if (value instanceof RegExp) return [value.source, value.flags];
  if (value instanceof History) return [...value];
  if (types.isBoxedPrimitive(value)) return [value.valueOf()];
  if (types.isAnyArrayBuffer(value)) return [Buffer.from(value as ArrayBuffer).toString('hex')];
  if (Buffer.isBuffer(value)) return [value.toString('hex')]; // where it lies is its own matter
  if (ArrayBuffer.isView(value)) return [value.byteOffset, value.byteLength, value.buffer];
  if (value instanceof Error) return [value.name, value.message, value.stack];
  return [];
}
