import { type InspectOptions, inspect } from 'node:util';
import { isTask, type TaskAtom } from '../atoms/index.js';
import { ArgumentError, FlowError, received } from '../errors.js';
import { tree } from './tree.js';

/** How the items of a flow follow each other. */
export type Pattern = 'linear' | 'unordered' | 'graph';

/** What a flow is made of: tasks and other flows. */
export type Item = TaskAtom | FlowNode;

/**
 * Says whether what a link leads to is to run. It is given the results of the tasks from which such links lead there, by name,
 * without those that were ignored.
 */
export type Decider = (history: Readonly<Record<string, any>>) => boolean;

/**
 * How far a decider's no reaches: only to what the link leads to (`'atom'`), also to the tasks that come directly after it in
 * the same flow (`'neighbors'`), to all that come after it in the same flow (`'flow'`), or to whatever comes after it (`'all'`).
 */
export type DeciderDepth = 'atom' | 'neighbors' | 'flow' | 'all';

/** The narrowest first. */
export const DEPTHS: readonly DeciderDepth[] = ['atom', 'neighbors', 'flow', 'all'];

/** `from` runs before `to`; a list that grows at its head, since flows are immutable and share their links. */
export interface Link {
  readonly from: Item;
  readonly to: Item;
  readonly decider: Decider | undefined;
  readonly depth: DeciderDepth;
  readonly previous: Link | undefined;
}

const brand = Symbol.for('millrace.flow');

/** A flow as the compiler sees it: a name, a pattern, items. An immutable value: it can be run many times, and at once. */
export class FlowNode {
  readonly kind: Pattern;
  readonly name: string;
  readonly items: readonly Item[];
  readonly links: Link | undefined;

  constructor(kind: Pattern, name: string, items: readonly Item[], links?: Link) {
    this.kind = kind;
    this.name = name;
    this.items = items;
    this.links = links;
  }

  get length(): number {
    return this.items.length;
  }

  [Symbol.iterator](): Iterator<Item> {
    return this.items[Symbol.iterator]();
  }

  [inspect.custom](depth: unknown, options: InspectOptions): string {
    return tree(this, depth, options);
  }
}
Object.defineProperty(FlowNode.prototype, brand, { value: true });

/** Whether a value is a flow, made by any loaded copy of the package. */
export function isFlow(value: unknown): value is FlowNode {
  return typeof value === 'object' && value !== null && brand in value;
}

/** Reads the arguments of a pattern function: a name, then items and lists of items. */
export function readItems(kind: Pattern, name: unknown, given: readonly unknown[]): Item[] {
  if (typeof name !== 'string' || name === '') {
    throw new ArgumentError(`${kind}(): the first argument must be the flow's name; received ${received(name)}`);
  }
  const items: Item[] = [];
  for (const entry of given) {
    if (Array.isArray(entry)) for (const item of entry) items.push(itemOf(kind, name, item, items.length));
    else items.push(itemOf(kind, name, entry, items.length));
  }
  return items;
}

function itemOf(kind: Pattern, name: string, value: unknown, index: number): Item {
  if (isTask(value) || isFlow(value)) return value;
  throw new FlowError(
    'ERR_MILLRACE_NOT_A_FLOW',
    `${kind}('${name}'): item ${index} must be a task or a flow; received ${received(value)}`,
  );
}
