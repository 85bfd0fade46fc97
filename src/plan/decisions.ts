/** Which atoms the links with deciders of a graph lead to. */
import { isTask } from '../atoms/index.js';
import type { Edges, Ends } from './edges.js';
import type { Outline, Span } from './outline.js';
import type { DecidedEdge, DecidedLink, Decisions } from './plan.js';

/** A link with a decider, and what it leads to. */
export interface DecidedEnds extends DecidedLink {
  /** The node from which it leads. */
  readonly exit: number;
  readonly to: Ends;
}

/** Adds the links with deciders of a graph, as they were made; `ends` are those of its children. */
export function addDecided({ flow: { items, links } }: Span, ends: readonly Ends[], decided: DecidedEnds[]): void {
  const found: DecidedEnds[] = [];
  for (let link = links; link; link = link.previous) {
    const { from, to, decider, depth } = link;
    if (!decider) continue;
    const { exit } = ends[from];
    found.push({ from: isTask(items[from]) ? exit : -1, decider, depth, exit, to: ends[to] });
  }
  for (let last = found.pop(); last; last = found.pop()) decided.push(last);
}

/** @param waits for each node, how many edges arrive at it */
export function decisionsOf(
  decided: readonly DecidedEnds[],
  { atoms, spans }: Outline,
  successors: Edges,
  waits: Int32Array,
): Decisions {
  const links = new Map<number, DecidedLink[]>();
  const edges: DecidedEdge[] = [];
  for (const { to, exit, ...link } of decided) {
    const entered = entries(to, atoms.length, successors, waits);
    if (entered.length > 0) edges.push({ ...link, from: exit, to: to.entry });
    for (const atom of entered) {
      const others = links.get(atom);
      if (others) others.push(link);
      else links.set(atom, [link]);
    }
  }
  return { links, edges, homes: homesOf(atoms, spans) };
}

/**
 * The innermost flow of each atom; of a controller, the one around its own. Flows come in the order in which they start, each
 * before those it holds.
 */
function homesOf(atoms: Outline['atoms'], spans: readonly Span[]): Int32Array {
  const homes = new Int32Array(atoms.length);
  const open: number[] = [];
  for (let atom = 0, next = 0; atom < atoms.length; atom++) {
    while (open.length > 0 && spans[open[open.length - 1]].end <= atom) open.pop();
    for (; next < spans.length && spans[next].start <= atom; next++) if (spans[next].end > atom) open.push(next);
    const inner = open.length - 1;
    homes[atom] = open[atoms[atom].controller && inner > 0 ? inner - 1 : inner];
  }
  return homes;
}

/** The atoms by which something is entered: itself, or the ones of a flow that wait for nothing in it. */
function entries({ entry, exit }: Ends, size: number, { start, to }: Edges, waits: Int32Array): number[] {
  if (entry < size) return [entry];
  const found: number[] = [];
  const joints = [entry];
  const left = new Map<number, number>();
  for (let node = joints.pop(); node !== undefined; node = joints.pop()) {
    if (node === exit) continue;
    for (let e = start[node]; e < start[node + 1]; e++) {
      const next = to[e];
      const waiting = (left.get(next) ?? waits[next]) - 1;
      left.set(next, waiting);
      // What waits for an atom as well is no beginning, though a flow without atoms leads to it.
      if (waiting === 0) (next < size ? found : joints).push(next);
    }
  }
  return found;
}
