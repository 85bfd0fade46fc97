/**
 * What is left of a graph with a target: the target, and what it depends on within the graph.
 *
 * An item depends on those that provide what it requires, and on those that are linked before it. What an item requires and provides
 * is found in one walk, innermost flows first and without recursion. The sets of names are joined the smaller into the larger, so that
 * this takes n log n steps, however deep flows are nested.
 */
import { isTask, type Mapping, type TaskAtom } from '../atoms/index.js';
import type { FlowNode, Item, Link } from './flow.js';

/** What of a graph is to run. */
export interface Rest {
  readonly items: readonly Item[];
  readonly links: Link | undefined;
}

const rests = new WeakMap<FlowNode, Rest>();

/** What is left of a graph with a target. That of graphs inside of it is found on the way, and kept. */
export function restOf(graph: FlowNode): Rest {
  const known = rests.get(graph);
  if (known) return known;
  const path = [frameOf(graph, new Set())];
  for (let top = path[0]; top; top = path[path.length - 1]) {
    if (top.next === top.items.length) {
      path.pop();
      const names = withRetry(top.flow, top.close());
      path[path.length - 1]?.add(names);
      continue;
    }
    const item = top.items[top.next++];
    if (isTask(item)) {
      top.add(item);
    } else {
      // Only tasks that have one name twice, or no tasks, can stand in one place twice: once is enough.
      const seen = top.seen();
      if (seen.has(item)) top.add(new Names());
      else path.push(frameOf(item, seen.add(item)));
    }
  }
  return rests.get(graph)!;
}

/** The names that an item requires from outside, and those that it provides. What takes them over changes them. */
class Names {
  requires = new Set<string>();
  provides = new Set<string>();

  static of(task: TaskAtom): Names {
    const names = new Names();
    for (const name of requiredBy(task)) names.requires.add(name);
    for (const name of task.provision.names) names.provides.add(name);
    return names;
  }

  get size(): number {
    return this.requires.size + this.provides.size;
  }

  join({ requires, provides }: Names): void {
    this.requires = union(this.requires, requires);
    this.provides = union(this.provides, provides);
  }
}

function requiredBy({ mapping }: TaskAtom): string[] {
  const { revert } = mapping;
  return revert ? [...required(mapping), ...required(revert)] : required(mapping);
}

/** An optional argument makes no order, so that nothing depends on it. */
function required({ sources, optionalFrom }: Omit<Mapping, 'revert'>): string[] {
  return sources.filter((name, i) => name !== undefined && i < optionalFrom) as string[];
}

function union(one: Set<string>, other: Set<string>): Set<string> {
  const [small, large] = one.size < other.size ? [one, other] : [other, one];
  for (const name of small) large.add(name);
  return large;
}

/** Takes out of `requires` what is provided. */
function satisfy(requires: Set<string>, provides: Set<string>): void {
  if (requires.size > provides.size) {
    for (const name of provides) requires.delete(name);
  } else {
    for (const name of requires) if (provides.has(name)) requires.delete(name);
  }
}

/** The retry of a flow provides for its items, and requires what comes from outside. */
function withRetry({ retry }: FlowNode, names: Names): Names {
  if (retry) {
    const own = Names.of(retry);
    satisfy(names.requires, own.provides);
    names.join(own);
  }
  return names;
}

/** A flow that is being walked. */
interface Frame {
  readonly flow: FlowNode;
  readonly items: readonly Item[];
  next: number;
  /** The flows that were met in the same place. */
  seen(): Set<FlowNode>;
  /** One more item. */
  add(item: TaskAtom | Names): void;
  close(): Names;
}

function frameOf(flow: FlowNode, seen: Set<FlowNode>): Frame {
  return flow.goal === undefined || rests.has(flow) ? new Whole(flow, seen) : new Targeted(flow);
}

/** A flow of which all counts. */
class Whole implements Frame {
  readonly flow: FlowNode;
  readonly items: readonly Item[];
  next = 0;
  readonly #seen: Set<FlowNode>;
  readonly #names = new Names();

  constructor(flow: FlowNode, seen: Set<FlowNode>) {
    this.flow = flow;
    this.items = flow.items;
    this.#seen = seen;
  }

  seen(): Set<FlowNode> {
    return this.#seen;
  }

  add(item: TaskAtom | Names): void {
    const names = isTask(item) ? Names.of(item) : item;
    if (this.flow.kind !== 'unordered') satisfy(names.requires, this.#names.provides);
    if (this.flow.kind === 'graph') satisfy(this.#names.requires, names.provides);
    this.#names.join(names);
  }

  close(): Names {
    return this.#names;
  }
}

/** A graph of which only the target counts, and what that depends on. */
class Targeted implements Frame {
  readonly flow: FlowNode;
  readonly items: readonly Item[];
  next = 0;
  readonly #parts: (TaskAtom | Names)[] = [];

  constructor(flow: FlowNode) {
    this.flow = flow;
    this.items = flow.declared;
  }

  seen(): Set<FlowNode> {
    return new Set();
  }

  add(item: TaskAtom | Names): void {
    this.#parts.push(item);
  }

  close(): Names {
    const { goal, declared, declaredLinks } = this.flow;
    const names = new Names();
    const providers = new Providers(this.#parts);
    const before = predecessors(declaredLinks);
    const kept = new Uint8Array(declared.length);
    const open: number[] = [];
    const keep = (child: number) => {
      if (kept[child]) return;
      kept[child] = 1;
      open.push(child);
    };
    keep(declared.lastIndexOf(goal!));
    for (let child = open.pop(); child !== undefined; child = open.pop()) {
      providers.satisfy(child, names, keep);
      for (const from of before.get(child) ?? []) keep(from);
    }
    this.#parts.forEach((part, child) => {
      if (kept[child] && !isTask(part)) names.join(part);
    });
    rests.set(this.flow, {
      items: declared.filter((_, child) => kept[child]),
      links: linksTo(kept, declaredLinks),
    });
    return names;
  }
}

/** Which children of a graph provide a name. The one that provides most is asked; those of the others are in a map. */
class Providers {
  readonly #parts: readonly (TaskAtom | Names)[];
  readonly #largest: number;
  readonly #others = new Map<string, number | number[]>();

  constructor(parts: readonly (TaskAtom | Names)[]) {
    this.#parts = parts;
    let largest = -1;
    let size = 0;
    parts.forEach((part, child) => {
      if (isTask(part) || part.size <= size) return;
      size = part.size;
      largest = child;
    });
    this.#largest = largest;
    parts.forEach((part, child) => {
      if (child === largest) return;
      for (const name of isTask(part) ? part.provision.names : part.provides) {
        const known = this.#others.get(name);
        if (known === undefined) this.#others.set(name, child);
        else if (typeof known === 'number') this.#others.set(name, [known, child]);
        else known.push(child);
      }
    });
  }

  /** Calls `keep` for those who provide what a child requires. What none of them does, and what a task provides, goes to `outside`. */
  satisfy(child: number, outside: Names, keep: (provider: number) => void): void {
    const part = this.#parts[child];
    if (isTask(part)) {
      for (const name of requiredBy(part)) if (!this.#find(name, child, keep)) outside.requires.add(name);
      for (const name of part.provision.names) outside.provides.add(name);
    } else if (child === this.#largest) {
      for (const name of this.#others.keys()) {
        if (part.requires.has(name) && this.#find(name, child, keep)) part.requires.delete(name);
      }
    } else {
      for (const name of part.requires) if (this.#find(name, child, keep)) part.requires.delete(name);
    }
  }

  /** Says whether another child provides a name. Of many two are enough: that is ambiguous. */
  #find(name: string, child: number, keep: (provider: number) => void): boolean {
    const known = this.#others.get(name) ?? [];
    let found = 0;
    for (const provider of typeof known === 'number' ? [known] : known) {
      if (provider === child) continue;
      keep(provider);
      if (++found === 2) return true;
    }
    const largest = this.#parts[this.#largest] as Names | undefined;
    if (this.#largest === child || !largest?.provides.has(name)) return found > 0;
    keep(this.#largest);
    return true;
  }
}

function predecessors(links: Link | undefined): Map<number, number[]> {
  const before = new Map<number, number[]>();
  for (let link = links; link; link = link.previous) {
    const others = before.get(link.to);
    if (others) others.push(link.from);
    else before.set(link.to, [link.from]);
  }
  return before;
}

/** The links to children that are kept, in the same order; where they come from is kept as well. The places are those of what is kept. */
function linksTo(kept: Uint8Array, links: Link | undefined): Link | undefined {
  const places = new Int32Array(kept.length);
  for (let child = 1; child < kept.length; child++) places[child] = places[child - 1] + kept[child - 1];
  const made: Link[] = [];
  for (let link = links; link; link = link.previous) if (kept[link.to] === 1) made.push(link);
  let previous: Link | undefined;
  for (let link = made.pop(); link; link = made.pop()) {
    previous = { ...link, from: places[link.from], to: places[link.to], previous };
  }
  return previous;
}
