/** The orders in which ready atoms are taken. */
import type { TaskAtom } from '../atoms/index.js';
import { type Edges, reversed } from './edges.js';
import { IntHeap } from './heap.js';
import type { Plan } from './plan.js';

/** A place for each atom in a queue (the lowest goes first), and the atom at each place. */
export interface Ranks {
  readonly rank: Int32Array;
  readonly atom: Int32Array;
}

/** The order of a serial run: among the ready atoms the one of the highest priority, then the one declared first. */
export function serialOrder(atoms: readonly TaskAtom[], successors: Edges, waits: Int32Array): Int32Array {
  const { rank, atom } = ranked(atoms, identity(atoms.length));
  const left = waits.slice();
  const ready = new IntHeap();
  const order = new Int32Array(atoms.length);
  const joints: number[] = [];
  const arrive = (node: number) => {
    if (node < atoms.length) ready.push(rank[node]);
    else joints.push(node);
  };
  for (let node = 0; node < left.length; node++) if (left[node] === 0) arrive(node);
  for (let length = 0; ; ) {
    // Joints are no work: what waits for them is ready at once.
    let node = joints.pop();
    if (node === undefined) {
      const next = ready.pop();
      if (next < 0) return order;
      node = order[length++] = atom[next];
    }
    for (let e = successors.start[node]; e < successors.start[node + 1]; e++) {
      if (--left[successors.to[e]] === 0) arrive(successors.to[e]);
    }
  }
}

/** The order of a serial run, as ranks. */
export function serialRanks({ order, size }: Plan): Ranks {
  const atom = order ?? identity(size);
  const rank = new Int32Array(size);
  for (let place = 0; place < size; place++) rank[atom[place]] = place;
  return { rank, atom };
}

const parallelRanks = new WeakMap<Plan, Ranks>();

/** The order of a parallel run: priority, then the longest chain of atoms that waits behind, then declaration. */
export function ranks(plan: Plan): Ranks {
  let found = parallelRanks.get(plan);
  if (!found) {
    found = ranked(plan.atoms, byLongestPath(plan));
    parallelRanks.set(plan, found);
  }
  return found;
}

/** Puts atoms that are in some order already into the order of their priorities. */
function ranked(atoms: readonly TaskAtom[], order: Int32Array): Ranks {
  if (atoms.some((atom) => atom.priority !== 0)) order.sort((a, b) => atoms[b].priority - atoms[a].priority); // stable
  const rank = new Int32Array(order.length);
  for (let place = 0; place < order.length; place++) rank[order[place]] = place;
  return { rank, atom: order };
}

function byLongestPath(plan: Plan): Int32Array {
  const { size, nodes } = plan;
  const { start, to } = plan.successors;
  const topological = new Int32Array(nodes);
  const left = plan.waits.slice();
  let filled = 0;
  for (let node = 0; node < nodes; node++) if (left[node] === 0) topological[filled++] = node;
  for (let at = 0; at < filled; at++) {
    const node = topological[at];
    for (let e = start[node]; e < start[node + 1]; e++) if (--left[to[e]] === 0) topological[filled++] = to[e];
  }
  // How many atoms the longest path from a node holds, itself included.
  const length = new Int32Array(nodes);
  let longest = 0;
  for (let at = filled - 1; at >= 0; at--) {
    const node = topological[at];
    let behind = 0;
    for (let e = start[node]; e < start[node + 1]; e++) behind = Math.max(behind, length[to[e]]);
    length[node] = behind + (node < size ? 1 : 0);
    longest = Math.max(longest, length[node]);
  }
  // A counting sort, longest first; equal ones stay in the order of declaration.
  const next = new Int32Array(longest + 2);
  for (let atom = 0; atom < size; atom++) next[longest - length[atom] + 1]++;
  for (let bucket = 0; bucket <= longest; bucket++) next[bucket + 1] += next[bucket];
  const order = new Int32Array(size);
  for (let atom = 0; atom < size; atom++) order[next[longest - length[atom]]++] = atom;
  return order;
}

function identity(length: number): Int32Array {
  const order = new Int32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  return order;
}

const backwards = new WeakMap<Plan, Edges>();

/** The edges of a plan the other way round. */
export function predecessors(plan: Plan): Edges {
  let found = backwards.get(plan);
  if (!found) {
    found = reversed(plan.successors, plan.nodes);
    backwards.set(plan, found);
  }
  return found;
}
