/**
 * Why a value cannot be sent to another thread. The structured clone only says that it refuses something; this finds where.
 */
import { types } from 'node:util';

/** What structured clone refuses, and where it is in the value that holds it. */
export interface Uncloneable {
  /** The way to it from the value, as one would write it: `'.handlers[2].onClick'`; `''` is the value itself. */
  readonly path: string;
  /** What it is: `'function'`, `'Promise'`, `'getter that throws'`, ... */
  readonly type: string;
}

/** The step that leads to a place in a value, and from where. The path is only written for what is reported. */
export interface Way {
  readonly parent: Way | undefined;
  readonly step: Step;
  readonly key: unknown;
}

/** One object met on the walk. */
interface Place extends Way {
  readonly value: object;
  readonly depth: number;
}

export type Step = 'property' | 'index' | 'map key' | 'map value' | 'set item';

/** Far deeper than structured clone goes (it gives up at some thousand levels), so that getters which make new objects end too. */
const DEEPEST = 200_000;

const TOO_DEEP = 'value that is nested too deeply';
export const THROWING = 'getter that throws';

/** What structured clone always refuses, whatever is in it. Anything that is not listed is tried instead, see `tryOut`. */
export const refused: readonly (readonly [string, (value: unknown) => boolean])[] = [
  ['Promise', types.isPromise],
  ['WeakMap', types.isWeakMap],
  ['WeakSet', types.isWeakSet],
  ['generator', types.isGeneratorObject],
  ['Map iterator', types.isMapIterator],
  ['Set iterator', types.isSetIterator],
  ['module namespace', types.isModuleNamespaceObject],
  ['Symbol object', types.isSymbolObject],
];

/**
 * Finds what keeps a value from being cloned. Meant for a value that `postMessage` has just refused: it tries to
 * clone the value, and then reads its properties. A port or another object that must be transferred is reported last. Never throws.
 *
 * @returns One of the offenders, or `undefined` when the value can be cloned.
 */
export function findUncloneable(value: unknown): Uncloneable | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return { path: '', type: typeof value };
  if (typeof value !== 'object' || value === null) return undefined;
  const failure = refusal(value);
  if (failure === undefined) return undefined;
  const whole = { path: '', type: nameOf(value) };
  const walk = new Walk();
  try {
    return walk.from(value) ?? tryOut(walk.unsure, failure.error) ?? whole;
  } catch {
    return whole; // an object of another realm may be a proxy that does not show it
  }
}

/** So many properties of an object are looked at. */
const FEW = 16;

/** Whether a value can be cloned for sure, as a short look tells: something simple, memory, or an object with a few of these. */
export function isSimplyCloneable(value: unknown): boolean {
  if (isFlat(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  if (types.isProxy(value) || types.isArgumentsObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype) return false;
  if (Array.isArray(value) && value.length > FEW) return false;
  const keys = Object.keys(value);
  return keys.length <= FEW && keys.every((key) => isFlatProperty(Object.getOwnPropertyDescriptor(value, key)!));
}

/** From so many bytes on it takes longer to copy a value than to say where it is. */
export const BULKY = 64 * 1024;

/** How many bytes of memory and text have to be copied to send a value that is simply cloneable. */
export function bytesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || bytesOfFlat(value) > 0) return bytesOfFlat(value);
  let bytes = 0;
  for (const one of Object.values(value)) bytes += bytesOfFlat(one);
  return bytes;
}

function bytesOfFlat(value: unknown): number {
  if (typeof value === 'string') return value.length;
  const memory = ArrayBuffer.isView(value) ? value.buffer : value;
  return memory instanceof ArrayBuffer ? memory.byteLength : 0;
}

/** A getter may do anything. */
function isFlatProperty(property: PropertyDescriptor): boolean {
  return 'value' in property && isFlat(property.value);
}

function isFlat(value: unknown): boolean {
  if (typeof value !== 'object') return typeof value !== 'function' && typeof value !== 'symbol';
  if (value === null) return true;
  const memory = ArrayBuffer.isView(value) ? value.buffer : value;
  return types.isAnyArrayBuffer(memory) && !isDetached(memory);
}

/** Looks for what is certainly refused. Depth first and without recursion: a list of 100,000 nodes has a path, too. */
class Walk {
  /** Objects of kinds that only a trial can judge; whatever is inside of an object comes after it. */
  readonly unsure: Place[] = [];
  readonly #seen = new Set<object>();
  readonly #open: Place[] = [];
  /** Arrays whose elements are fine. Listing the named properties of a long array is slow, so that is left for last. */
  readonly #arrays: Place[] = [];

  from(root: object): Uncloneable | undefined {
    this.#seen.add(root);
    this.#open.push({ value: root, parent: undefined, step: 'property', key: '', depth: 0 });
    while (this.#open.length > 0 || this.#arrays.length > 0) {
      const place = this.#open.pop();
      const found = place ? this.#enter(place) : this.#names(this.#arrays.pop()!);
      if (found) return found;
    }
    return undefined;
  }

  #enter(place: Place): Uncloneable | undefined {
    const { value } = place;
    if (place.depth > DEEPEST) return { path: '', type: TOO_DEEP };
    if (types.isProxy(value)) return report(place, 'Proxy');
    if (types.isArgumentsObject(value)) return report(place, 'arguments object');
    if (Array.isArray(value)) return this.#elements(place, value);
    if (Object.getPrototypeOf(value) !== Object.prototype) {
      if (types.isMap(value)) return this.#map(place, value);
      if (types.isSet(value)) return this.#set(place, value);
      if (ArrayBuffer.isView(value))
        return isDetached(value.buffer) ? report(place, 'detached ArrayBuffer') : undefined;
      if (types.isAnyArrayBuffer(value)) return isDetached(value) ? report(place, 'detached ArrayBuffer') : undefined;
      if (types.isDate(value) || types.isRegExp(value)) return undefined;
      for (const [type, matches] of refused) if (matches(value)) return report(place, type);
      if (types.isBoxedPrimitive(value)) return undefined;
      this.unsure.push(place);
      // Of an error, its cause is cloned, but no other property.
      if (types.isNativeError(value)) return this.#child(place, 'property', 'cause', ownValue(value, 'cause'));
    }
    return this.#properties(place, Object.keys(value));
  }

  #elements(place: Place, array: readonly unknown[]): Uncloneable | undefined {
    for (let index = 0; index < array.length; index++) {
      let element: unknown;
      try {
        element = array[index];
      } catch {
        return { path: `${pathOf(place)}[${index}]`, type: THROWING };
      }
      // In a sparse array, which may have a length of thousands of millions, only the elements that exist are visited.
      if (element === undefined && !Object.hasOwn(array, index)) return this.#properties(place, Object.keys(array));
      const found = this.#child(place, 'index', index, element);
      if (found) return found;
    }
    this.#arrays.push(place);
    return undefined;
  }

  #names(place: Place): Uncloneable | undefined {
    return this.#properties(place, Object.keys(place.value).slice((place.value as unknown[]).length));
  }

  #properties(place: Place, keys: readonly string[]): Uncloneable | undefined {
    for (const key of keys) {
      let value: unknown;
      try {
        value = (place.value as Record<string, unknown>)[key];
      } catch {
        return { path: `${pathOf(place)}${written('property', key)}`, type: THROWING };
      }
      const found = this.#child(place, 'property', key, value);
      if (found) return found;
    }
    return undefined;
  }

  #map(place: Place, map: ReadonlyMap<unknown, unknown>): Uncloneable | undefined {
    let found: Uncloneable | undefined;
    let index = 0;
    Map.prototype.forEach.call(map, (value, key) => {
      found ??= this.#child(place, 'map key', index, key);
      const named = typeof key === 'string' || typeof key === 'number';
      found ??= this.#child(place, 'map value', named ? key : { index }, value);
      index++;
    });
    return found;
  }

  #set(place: Place, set: ReadonlySet<unknown>): Uncloneable | undefined {
    let found: Uncloneable | undefined;
    let index = 0;
    Set.prototype.forEach.call(set, (item) => {
      found ??= this.#child(place, 'set item', index, item);
      index++;
    });
    return found;
  }

  #child(parent: Place, step: Step, key: unknown, value: unknown): Uncloneable | undefined {
    if (typeof value === 'function' || typeof value === 'symbol') {
      return { path: pathOf(parent) + written(step, key), type: typeof value };
    }
    if (typeof value === 'object' && value !== null && !this.#seen.has(value)) {
      this.#seen.add(value);
      this.#open.push({ value, parent, step, key, depth: parent.depth + 1 });
    }
    return undefined;
  }
}

/**
 * The second look, when all that is left are objects whose kind only the engine knows: `WeakRef`, `Intl` formats, ports, handles
 * of Node's own, ... The innermost come last in `unsure`, hence the first that is refused is not refused for what it contains.
 */
function tryOut(unsure: readonly Place[], failure: unknown): Uncloneable | undefined {
  if (isInstance(failure, RangeError)) return { path: '', type: TOO_DEEP };
  for (let i = unsure.length - 1; i >= 0; i--) {
    const place = unsure[i]!;
    const refused = refusal(place.value);
    if (refused)
      return report(place, nameOf(place.value) + (mustMove(refused.error) ? ' that is not transferred' : ''));
  }
  return undefined;
}

/** How the clone of a value fails, if it does. Wrapped, for `undefined` can be thrown as well. */
function refusal(value: object): { readonly error: unknown } | undefined {
  try {
    structuredClone(value);
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** Node 20 throws an error with a code; from Node 22 on it is a `DataCloneError` like any other, but for its message. */
function mustMove(error: unknown): boolean {
  const isEngines = isInstance(error, Error) || (!types.isProxy(error) && error instanceof DOMException);
  return isEngines && error.message.startsWith('Object that needs transfer');
}

/** What a getter throws may be a proxy that throws in turn; what the engine throws is not. */
function isInstance<T>(error: unknown, Class: new () => T): error is T {
  return types.isNativeError(error) && error instanceof Class;
}

/** Node 20 has no `buffer.detached`. */
export function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    new Uint8Array(buffer, 0, 0);
    return false;
  } catch {
    return true;
  }
}

function ownValue(object: object, key: string): unknown {
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}

/** The name of its class, or of the kind of object it is. Never throws. */
export function nameOf(value: object): string {
  try {
    for (let prototype = value; prototype !== null; prototype = Object.getPrototypeOf(prototype)) {
      const owner = ownValue(prototype, 'constructor');
      if (owner === Object) return Object.prototype.toString.call(value).slice('[object '.length, -1);
      if (typeof owner === 'function' && typeof owner.name === 'string' && owner.name !== '') return owner.name;
    }
  } catch {
    // A class may compute its name, and throw.
  }
  return 'object';
}

function report(place: Place, type: string): Uncloneable {
  return { path: pathOf(place), type };
}

/** The way as one would write it, `''` at its start. */
export function pathOf(way: Way): string {
  const steps: string[] = [];
  for (let at = way; at.parent; at = at.parent) steps.push(written(at.step, at.key));
  return steps.reverse().join('');
}

function written(step: Step, key: unknown): string {
  switch (step) {
    case 'property':
      return writtenProperty(String(key));
    case 'index':
      return `[${key}]`;
    case 'map key':
      return `.keys()[${key}]`;
    case 'map value':
      return typeof key === 'object'
        ? `.values()[${(key as { index: number }).index}]`
        : `.get(${typeof key === 'string' ? JSON.stringify(key) : key})`;
    case 'set item':
      return `.values()[${key}]`;
  }
}

function writtenProperty(key: string): string {
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) return `.${key}`;
  return /^(0|[1-9]\d*)$/.test(key) ? `[${key}]` : `[${JSON.stringify(key)}]`;
}
