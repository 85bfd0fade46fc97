/** Which atoms the links with deciders of a graph lead to. */
import { isTask } from '../atoms/index.js';
import type { Item } from '../flows/index.js';
import type { Edges, Ends } from './edges.js';
import type { Outline, Span } from './outline.js';
import type { DecidedLink, Decisions } from './plan.js';

/** A link with a decider, and what it leads to. */
export interface DecidedEnds extends DecidedLink {
  readonly to: Ends;
}

/** Adds the links with deciders of a graph, as they were made; `ends` are those of its children. */
export function addDecided({ flow: { items, links } }: Span, ends: readonly Ends[], decided: DecidedEnds[]): void {
  const found: DecidedEnds[] = [];
  let endsOf: Map<Item, Ends> | undefined;
  for (let link = links; link; link = link.previous) {
    const { from, to, decider, depth } = link;
    if (!decider) continue;
    endsOf ??= new Map(items.map((item, child) => [item, ends[child]]));
    found.push({ from: isTask(from) ? endsOf.get(from)!.exit : -1, decider, depth, to: endsOf.get(to)! });
  }
  for (let last = found.pop(); last; last = found.pop()) decided.push(last);
}

export function decisionsOf(decided: readonly DecidedEnds[], { atoms, spans }: Outline, successors: Edges): Decisions {
  const links = new Map<number, DecidedLink[]>();
  for (const { to, ...link } of decided) {
    for (const atom of entries(to, atoms.length, successors)) {
      const others = links.get(atom);
      if (others) others.push(link);
      else links.set(atom, [link]);
    }
  }
  return { links, homes: homesOf(atoms.length, spans) };
}

/** The innermost flow of each atom. Flows come in the order in which they start, each before those it holds. */
function homesOf(size: number, spans: readonly Span[]): Int32Array {
  const homes = new Int32Array(size);
  const open: number[] = [];
  for (let atom = 0, next = 0; atom < size; atom++) {
    while (next < spans.length && spans[next].start <= atom) open.push(next++);
    while (spans[open[open.length - 1]].end <= atom) open.pop();
    homes[atom] = open[open.length - 1];
  }
  return homes;
}

/** The atoms by which something is entered: itself, or the first ones of a flow. */
function entries({ entry, exit }: Ends, size: number, { start, to }: Edges): number[] {
  const found: number[] = [];
  const joints = [entry];
  const seen = new Set<number>();
  for (let node = joints.pop(); node !== undefined; node = joints.pop()) {
    if (node < size) found.push(node);
    else if (node !== exit && !seen.has(node)) for (let e = start[node]; e < start[node + 1]; e++) joints.push(to[e]);
    seen.add(node);
  }
  return [...new Set(found)];
}
