/**
 * The values that JSON says whole: trees of plain objects, arrays, strings, booleans, null and finite numbers. Nearly all that tasks
 * return are, so they are told apart in one quick walk, which takes about as long as `JSON.stringify` itself.
 */
import { inspect } from 'node:util';

/** Deeper ones are left to the graph, which nothing is too deep for. */
const MAX_DEPTH = 200;
/** In an array of more items, to list all keys takes longer than to have it printed without its items. */
const SHORT = 50;

/** The text of a value that JSON says whole, `undefined` for any other. */
export function treeText(value: unknown): string | undefined {
  try {
    return isTree(value, new Seen(), 0) ? JSON.stringify(value) : undefined;
  } catch {
    return undefined; // a getter or a proxy that throws, or too long a text: the graph's encoder tells
  }
}

function isTree(value: unknown, seen: Seen, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true;
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0);
    case 'object':
      if (value === null) return true;
      if (depth === MAX_DEPTH || (value as { toJSON?: unknown }).toJSON !== undefined || !seen.add(value)) return false;
      return Array.isArray(value) ? isTreeOfItems(value, seen, depth) : isTreeOfProperties(value, seen, depth);
    default:
      return false;
  }
}

function isTreeOfProperties(value: object, seen: Seen, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) if (!isTree((value as Record<string, unknown>)[key], seen, depth + 1)) return false;
  return true;
}

function isTreeOfItems(array: readonly unknown[], seen: Seen, depth: number): boolean {
  if (Object.getPrototypeOf(array) !== Array.prototype) return false;
  // A hole reads as `undefined`, which is none of JSON's.
  for (let i = 0; i < array.length; i++) if (!isTree(array[i], seen, depth + 1)) return false;
  return hasOnlyItems(array);
}

/** Objects that have been met. As long as they are few, they are looked up faster in a list. */
class Seen {
  readonly #few: object[] = [];
  #many: Set<object> | undefined;

  /** False for an object that is shared, or holds itself. */
  add(value: object): boolean {
    if (this.#many) {
      const { size } = this.#many;
      return this.#many.add(value).size > size;
    }
    if (this.#few.includes(value)) return false;
    if (this.#few.push(value) > 10) this.#many = new Set(this.#few);
    return true;
  }
}

/** Whether an array without holes has no named properties. */
export function hasOnlyItems(array: readonly unknown[]): boolean {
  if (array.length <= SHORT) return Object.keys(array).length === array.length;
  // Only Node.js can tell without making a string of each index. Should it ever print otherwise, more is stored as a graph.
  return /^\[ \.\.\. \d+ more items \]$/.test(inspect(array, unprinted));
}

const unprinted = { maxArrayLength: 0, maxStringLength: 0, depth: 0, customInspect: false, breakLength: Infinity };
