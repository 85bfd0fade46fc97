/**
 * What flows look like in `util.inspect`: a tree of their items. Only what is shown is looked at, and nothing recurses, so that
 * a flow of a million tasks, or one that is nested 10,000 deep, prints at once.
 */
import type { InspectOptions } from 'node:util';
import { bare, describeTask, isTask, quoted, type RetryAtom, row } from '../atoms/index.js';
import type { Decider, DeciderDepth, FlowNode, Item, Link } from './flow.js';

export interface TreeOptions extends InspectOptions {
  /** The states of the atoms from one number to before another, in a few words. Atoms are numbered as in a plan. */
  readonly states?: (from: number, to: number) => string;
}

/** A flow whose items are being written. */
interface Level {
  readonly items: readonly Item[];
  readonly retry: RetryAtom | undefined;
  readonly indent: string;
  /** Which item is next; -1: the retry, which stands before them. */
  next: number;
  /** The number of the first atom of the next item. */
  atom: number;
}

/** Once the tree has as many lines as this many lists at their longest, only the outermost flow goes on. */
const LISTS = 10;

/** @param depth how many levels of nested flows are opened; below zero, not even the first; any but a number: all */
export function tree(root: Item, depth: unknown, { states, ...options }: TreeOptions): string {
  const deepest = typeof depth === 'number' && !Number.isNaN(depth) ? depth : Number.POSITIVE_INFINITY;
  const longest = options.maxArrayLength ?? Number.POSITIVE_INFINITY;
  const sizes = states && atomCounts(root);
  const sizeOf = (item: Item) => (isTask(item) ? 1 : (sizes?.get(item) ?? 0));
  const path: Level[] = [];
  const lines: string[] = [];
  const hasRoom = () => path.length === 0 || lines.length < LISTS * longest;
  const write = (item: Item, atom: number, before: string, indent: string) => {
    const state = states?.(atom, atom + sizeOf(item));
    lines.push(before + (isTask(item) ? describeTask(item, options, state) : heading(item, options, state)));
    if (isTask(item) || path.length > deepest || !hasRoom()) return;
    path.push({ items: item.items, retry: item.retry, indent, next: item.retry ? -1 : 0, atom });
  };
  write(root, 0, '', '');
  for (let top = path.at(-1); top; top = path.at(-1)) {
    const { items, retry, indent, next, atom } = top;
    if (next < items.length && next < longest && (path.length === 1 || hasRoom())) {
      const last = next === items.length - 1;
      const item = next < 0 ? retry! : items[next];
      top.next++;
      top.atom += sizeOf(item);
      write(item, atom, `${indent}${last ? '└─ ' : '├─ '}`, `${indent}${last ? '   ' : '│  '}`);
    } else {
      if (next < items.length) lines.push(`${indent}└─ … ${items.length - next} more`);
      path.pop();
    }
  }
  return lines.join('\n');
}

function heading({ kind, name, items, links, goal, declared }: FlowNode, options: InspectOptions, state = ''): string {
  const parts: string[] = [];
  if (goal) parts.push(`${items.length} of ${declared.length} items; target ${bare(goal.name, options)}`);
  else parts.push(items.length === 0 ? 'empty' : items.length === 1 ? '1 item' : `${items.length} items`);
  const made: Link[] = [];
  for (let link = links; link; link = link.previous) made.push(link);
  const arrow = ({ from, to, decider, depth }: Link) => {
    const order = `${bare(items[from].name, options)} -> ${bare(items[to].name, options)}`;
    return decider ? `${order} ${condition({ decider, depth }, (name) => bare(name, options))}` : order;
  };
  if (made.length > 0) parts.push(`links ${row(made.reverse(), arrow)}`);
  return `Flow ${quoted(name, options)}${state && `: ${state}`} (${kind}, ${parts.join('; ')})`;
}

/** A decider in a few words: `if isLarge [all]`. One that is written where it is given has the name of the option. */
export function condition({ decider, depth }: DecidedLink, show: (name: string) => string): string {
  const { name } = decider;
  return `if ${show(typeof name === 'string' && name !== '' ? name : 'decider')} [${depth}]`;
}

interface DecidedLink {
  readonly decider: Decider;
  readonly depth: DeciderDepth;
}

/** How many atoms each flow holds. */
function atomCounts(root: Item): Map<FlowNode, number> {
  const counts = new Map<FlowNode, number>();
  const path: { flow: FlowNode; next: number; count: number }[] = [];
  const open = (flow: FlowNode) => path.push({ flow, next: 0, count: flow.retry ? 1 : 0 });
  if (!isTask(root)) open(root);
  for (let top = path.at(-1); top; top = path.at(-1)) {
    if (top.next === top.flow.items.length) {
      counts.set(top.flow, top.count);
      path.pop();
      const parent = path.at(-1);
      if (parent) parent.count += top.count;
      continue;
    }
    const item = top.flow.items[top.next++];
    if (isTask(item)) top.count++;
    else open(item);
  }
  return counts;
}
