/**
 * What flows look like in `util.inspect`: a tree of their items. Only what is shown is looked at, and nothing recurses, so that
 * a flow of a million tasks, or one that is nested 10,000 deep, prints at once.
 */
import type { InspectOptions } from 'node:util';
import { bare, describeTask, isTask, quoted, row } from '../atoms/index.js';
import type { FlowNode, Item, Link } from './flow.js';

export interface TreeOptions extends InspectOptions {
  /** The states of the atoms from one number to before another, in a few words. Atoms are numbered as in a plan. */
  readonly states?: (from: number, to: number) => string;
}

/** A flow whose items are being written. */
interface Level {
  readonly items: readonly Item[];
  readonly indent: string;
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
    if (!isTask(item) && path.length <= deepest && hasRoom()) path.push({ items: item.items, indent, next: 0, atom });
  };
  write(root, 0, '', '');
  for (let top = path.at(-1); top; top = path.at(-1)) {
    const { items, indent, next, atom } = top;
    if (next < items.length && next < longest && (path.length === 1 || hasRoom())) {
      const last = next === items.length - 1;
      top.next++;
      top.atom += sizeOf(items[next]);
      write(items[next], atom, `${indent}${last ? '└─ ' : '├─ '}`, `${indent}${last ? '   ' : '│  '}`);
    } else {
      if (next < items.length) lines.push(`${indent}└─ … ${items.length - next} more`);
      path.pop();
    }
  }
  return lines.join('\n');
}

function heading({ kind, name, items, links }: FlowNode, options: InspectOptions, state = ''): string {
  const parts = [`${kind}, ${items.length === 0 ? 'empty' : items.length === 1 ? '1 item' : `${items.length} items`}`];
  const made: Link[] = [];
  for (let link = links; link; link = link.previous) made.push(link);
  const arrow = ({ from, to }: Link) => `${bare(from.name, options)} -> ${bare(to.name, options)}`;
  if (made.length > 0) parts.push(`links ${row(made.reverse(), arrow)}`);
  return `Flow ${quoted(name, options)}${state && `: ${state}`} (${parts.join('; ')})`;
}

/** How many atoms each flow holds. */
function atomCounts(root: Item): Map<FlowNode, number> {
  const counts = new Map<FlowNode, number>();
  const path = isTask(root) ? [] : [{ flow: root, next: 0, count: 0 }];
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
    else path.push({ flow: item, next: 0, count: 0 });
  }
  return counts;
}
