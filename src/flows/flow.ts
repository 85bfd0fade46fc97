import { type InspectOptions, inspect } from 'node:util';
import {
  checkOnVersionChange,
  isRetry,
  isTask,
  type OnVersionChange,
  RetryAtom,
  type TaskAtom,
} from '../atoms/index.js';
import { ArgumentError, FlowError, received } from '../errors.js';
import { restOf } from './target.js';
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

/**
 * `from` runs before `to`: places among the items, as looking up the items once more costs more than all else about a link. A list that
 * grows at its head, since flows are immutable and share their links.
 */
export interface Link {
  readonly from: number;
  readonly to: number;
  readonly decider: Decider | undefined;
  readonly depth: DeciderDepth;
  readonly previous: Link | undefined;
}

/** What becomes of a flow in which something fails, or whose code changes. */
export interface FlowCare {
  readonly retry: RetryAtom | undefined;
  readonly onVersionChange: OnVersionChange | undefined;
}

const NO_CARE: FlowCare = { retry: undefined, onVersionChange: undefined };

const brand = Symbol.for('millrace.flow');

/** A flow as the compiler sees it: a name, a pattern, items. An immutable value: it can be run many times, and at once. */
export class FlowNode {
  readonly kind: Pattern;
  readonly name: string;
  /** Of a graph with a target also what is not to run; and links from and to that. */
  readonly declared: readonly Item[];
  readonly declaredLinks: Link | undefined;
  readonly care: FlowCare;
  /** The target. */
  readonly goal: Item | undefined;

  constructor(kind: Pattern, name: string, items: readonly Item[], links?: Link, care = NO_CARE, goal?: Item) {
    this.kind = kind;
    this.name = name;
    this.declared = items;
    this.declaredLinks = links;
    this.care = care;
    this.goal = goal;
  }

  get items(): readonly Item[] {
    return this.goal === undefined ? this.declared : restOf(this).items;
  }

  get links(): Link | undefined {
    return this.goal === undefined ? this.declaredLinks : restOf(this).links;
  }

  /** What tries it again; the first atom in it. */
  get retry(): RetryAtom | undefined {
    return this.care.retry;
  }

  /** A copy with another name or another care. */
  with(overrides: unknown): FlowNode {
    const { care } = this;
    const given = checkOverrides(this, overrides);
    const { name = this.name, retry = care.retry?.origin, onVersionChange = care.onVersionChange } = given;
    return this.copy(name, this.declaredLinks, { retry: retry && new RetryAtom(retry, name), onVersionChange });
  }

  protected copy(name: string, links: Link | undefined, care: FlowCare): FlowNode {
    return flowOf(this.kind, name, this.declared, links, care);
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

/** Outside of the class, which a bundler renames when it refers to itself. */
function flowOf(...parts: ConstructorParameters<typeof FlowNode>): FlowNode {
  return new FlowNode(...parts);
}

interface Overrides {
  readonly name?: string;
  readonly retry?: RetryAtom['origin'];
  readonly onVersionChange?: OnVersionChange;
}

/** Whether a value is a flow, made by any loaded copy of the package. */
export function isFlow(value: unknown): value is FlowNode {
  return typeof value === 'object' && value !== null && brand in value;
}

/** Whether a value can stand in a flow, and be run. The retry of a flow is an atom, too, but has no place of its own. */
export function isItem(value: unknown): value is Item {
  return isFlow(value) || (isTask(value) && value.controller === undefined);
}

/** What came instead of a task or a flow, for messages. */
export function receivedItem(value: unknown): string {
  if (!isRetry(value) && !isTask(value)) return received(value);
  return 'a retry, which is given to a flow or a task: flow.with({ retry })';
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
  if (isItem(value)) return value;
  throw new FlowError(
    'ERR_MILLRACE_NOT_A_FLOW',
    `${kind}('${name}'): item ${index} must be a task or a flow; received ${receivedItem(value)}`,
  );
}

const OPTIONS: readonly string[] = ['name', 'retry', 'onVersionChange'] satisfies (keyof Overrides)[];

function checkOverrides({ kind, name }: FlowNode, overrides: unknown): Overrides {
  const wrong = (what: string, expected: string, value: unknown) =>
    new ArgumentError(`${kind}('${name}').with(): ${what} must be ${expected}; received ${received(value)}`);
  if (typeof overrides !== 'object' || overrides === null || Array.isArray(overrides)) {
    throw wrong('the options', 'an object', overrides);
  }
  const given = overrides as { readonly [K in keyof Overrides]: unknown };
  const unknown = Object.keys(given).find((key) => !OPTIONS.includes(key));
  if (unknown !== undefined) {
    throw new ArgumentError(
      `${kind}('${name}').with(): unknown option '${unknown}'; the options are ${OPTIONS.join(', ')}`,
    );
  }
  if (given.name !== undefined && (typeof given.name !== 'string' || given.name === '')) {
    throw wrong('name', 'a string, not empty', given.name);
  }
  if (given.retry !== undefined && !isRetry(given.retry)) {
    throw wrong('retry', 'made by times(), forEach(), retry() or the like', given.retry);
  }
  checkOnVersionChange(`${kind}('${name}').with()`, given.onVersionChange);
  return given as Overrides;
}
