/** The order among the children of a graph flow: its links, and whether there is an order at all. */
import { FlowError } from '../errors.js';
import { arrivals, EdgeList } from './edges.js';
import type { Span } from './outline.js';
import { order } from './scope.js';

/** Adds what `link()` said to what the names said. */
export function addLinks(span: Span): void {
  for (let { links: link } = span.flow; link; link = link.previous) order(span, link.from, link.to);
}

/**
 * Whether each child comes after those that must run before it, so that the order of declaration will do.
 *
 * @throws {@link FlowError} when children wait for one another in a circle
 */
export function checkOrder(span: Span): boolean {
  const { before } = span;
  let forward = true;
  for (let i = 0; i < before.length; i += 2) if (before[i] >= before[i + 1]) forward = false;
  if (forward) return true;
  const size = span.children.length;
  const list = new EdgeList();
  for (let i = 0; i < before.length; i += 2) list.add(before[i], before[i + 1]);
  const { start, to } = list.rows(size);
  const waits = arrivals({ start, to }, size);
  const open: number[] = [];
  let left = size;
  for (let child = 0; child < size; child++) if (waits[child] === 0) open.push(child);
  for (let child = open.pop(); child !== undefined; child = open.pop()) {
    left--;
    for (let e = start[child]; e < start[child + 1]; e++) if (--waits[to[e]] === 0) open.push(to[e]);
  }
  if (left > 0) throw cycle(span, waits);
  return false;
}

/** Every child that still waits has a predecessor that still waits: going back from any of them ends in a circle. */
function cycle(span: Span, waits: Int32Array): FlowError {
  const waitsFor = new Map<number, number>();
  for (let i = 0; i < span.before.length; i += 2) {
    const [first, second] = [span.before[i], span.before[i + 1]];
    if (waits[first] > 0 && waits[second] > 0) waitsFor.set(second, first);
  }
  const seen = new Set<number>();
  let child = waitsFor.keys().next().value as number;
  for (; !seen.has(child); child = waitsFor.get(child)!) seen.add(child);
  const circle = [child];
  for (let at = waitsFor.get(child)!; at !== child; at = waitsFor.get(at)!) circle.push(at);
  circle.push(child);
  const names = circle.reverse().map((index) => span.flow.items[index].name);
  const shown = names.length > 12 ? [...names.slice(0, 6), '…', ...names.slice(-5)] : names;
  return new FlowError(
    'ERR_MILLRACE_CYCLE',
    `Graph '${span.flow.name}' has no order: ${shown.join(' -> ')} wait for one another in a circle`,
    { task: names[0] },
  );
}
