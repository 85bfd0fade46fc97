/** The orders in which ready atoms are taken. */
import type { TaskAtom } from '../atoms/index.js';
import { type Edges, reversed } from './edges.js';
import { kindsOf } from './kinds.js';
import type { Plan } from './plan.js';
import { RankSet } from './rank-set.js';

/** Costs that differ by less than this make no other order than their number. */
const ALIKE = 2;
/** So many lengths of paths are told apart for each atom. */
const FINE = 4;
/** A nanosecond, in ms: what a task costs at least. Sums of less could not be told apart, nor divided by. */
const LEAST = 1e-6;

/** A place for each atom in a queue (the lowest goes first), and the atom at each place. */
export interface Ranks {
  readonly rank: Int32Array;
  readonly atom: Int32Array;
}

/** The order of a serial run: among the ready atoms the one of the highest priority, then the one declared first. */
export function serialOrder(atoms: readonly TaskAtom[], successors: Edges, waits: Int32Array): Int32Array {
  const { rank, atom } = ranked(atoms, identity(atoms.length));
  const left = waits.slice();
  const ready = new RankSet(atoms.length);
  const order = new Int32Array(atoms.length);
  const joints: number[] = [];
  const arrive = (node: number) => {
    if (node < atoms.length) ready.add(rank[node]);
    else joints.push(node);
  };
  for (let node = 0; node < left.length; node++) if (left[node] === 0) arrive(node);
  for (let length = 0; ; ) {
    // Joints are no work: what waits for them is ready at once.
    let node = joints.pop();
    if (node === undefined) {
      const next = ready.take();
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

const parallelRanks = new WeakMap<Plan, Ranks & { readonly measured: boolean }>();

/**
 * The order of a parallel run: priority, then the longest chain of atoms that waits behind, then declaration. How long a chain is follows
 * from what its atoms cost, as soon as a run has measured that.
 */
export function ranks(plan: Plan): Ranks {
  let found = parallelRanks.get(plan);
  const { atoms, size, successors } = plan;
  const costs = successors.to.length === 0 || found?.measured ? undefined : measuredCosts(plan);
  if (!found || costs) {
    const order = successors.to.length === 0 ? identity(size) : byLongestPath(plan, costs);
    found = { ...ranked(atoms, order, kindsOf(plan).samples), measured: costs !== undefined };
    parallelRanks.set(plan, found);
  }
  return found;
}

/** For each kind of atoms what one costs, in ms; `undefined`: that is not known, or about the same for all. */
function measuredCosts(plan: Plan): Float64Array | undefined {
  const { samples } = kindsOf(plan);
  const costs = Float64Array.from(samples, ({ shape, travels }) =>
    travels ? Math.max(shape.cost.mean, LEAST) : LEAST,
  );
  let [least, most] = [Infinity, 0];
  for (const cost of costs) {
    if (Number.isNaN(cost)) return undefined;
    least = Math.min(least, cost);
    most = Math.max(most, cost);
  }
  return most < ALIKE * least ? undefined : costs;
}

/** Puts atoms that are in some order already into the order of their priorities; `samples` are atoms of all priorities that there are. */
function ranked(atoms: readonly TaskAtom[], order: Int32Array, samples = atoms): Ranks {
  if (samples.some((atom) => atom.priority !== 0)) order.sort((a, b) => atoms[b].priority - atoms[a].priority); // stable
  const rank = new Int32Array(order.length);
  for (let place = 0; place < order.length; place++) rank[order[place]] = place;
  return { rank, atom: order };
}

function byLongestPath(plan: Plan, costs: Float64Array | undefined): Int32Array {
  const { size, nodes } = plan;
  const { of } = kindsOf(plan);
  const { start, to } = plan.successors;
  const topological = new Int32Array(nodes);
  const left = plan.waits.slice();
  let filled = 0;
  for (let node = 0; node < nodes; node++) if (left[node] === 0) topological[filled++] = node;
  for (let at = 0; at < filled; at++) {
    const node = topological[at];
    for (let e = start[node]; e < start[node + 1]; e++) if (--left[to[e]] === 0) topological[filled++] = to[e];
  }
  // How long the longest path from a node is, itself included: how many atoms it holds, or what these cost.
  const length = new Float64Array(nodes);
  let longest = 0;
  for (let at = filled - 1; at >= 0; at--) {
    const node = topological[at];
    let behind = 0;
    for (let e = start[node]; e < start[node + 1]; e++) behind = Math.max(behind, length[to[e]]);
    length[node] = node >= size ? behind : behind + (costs === undefined ? 1 : costs[of[node]]);
    longest = Math.max(longest, length[node]);
  }
  // A counting sort, longest first; equal ones, or nearly, stay in the order of declaration.
  const scale = costs === undefined || longest === 0 ? 1 : (FINE * size) / longest;
  const place = new Int32Array(size);
  for (let atom = 0; atom < size; atom++) place[atom] = (longest - length[atom]) * scale;
  const next = new Int32Array(Math.ceil(longest * scale) + 2);
  for (let atom = 0; atom < size; atom++) next[place[atom] + 1]++;
  for (let bucket = 0; bucket < next.length - 1; bucket++) next[bucket + 1] += next[bucket];
  const order = new Int32Array(size);
  for (let atom = 0; atom < size; atom++) order[next[place[atom]]++] = atom;
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
