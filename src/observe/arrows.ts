/** The arrows of a diagram: a plan's edges between the boxes that hold its atoms, and the values that go along them. */
import { condition } from '../flows/index.js';
import type { Plan } from '../plan/index.js';

/** Nodes are numbered: first the boxes, then the plan's joints. */
export interface NodeArrow {
  readonly from: number;
  readonly to: number;
  readonly names: ReadonlySet<string>;
  readonly order: boolean;
  /** What deciders it depends on, in words. */
  readonly conditions: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/** @param show shows the name of a decider */
export function arrows(
  plan: Plan,
  boxOf: Int32Array,
  boxes: number,
  { values, show }: { values: boolean; show: (name: string) => string },
) {
  const { after, joints } = order(plan, boxOf, boxes, show);
  const found: NodeArrow[] = [];
  const carried = values ? flow(plan, boxOf) : new Map<number, Map<number, Set<string>>>();
  for (const [from, targets] of after) {
    for (const [to, conditions] of targets) {
      const names = carried.get(from)?.get(to) ?? new Set<string>();
      carried.get(from)?.delete(to);
      found.push({ from, to, names, order: true, conditions });
    }
  }
  for (const [from, targets] of carried) {
    for (const [to, names] of targets) found.push({ from, to, names, order: false, conditions: NONE });
  }
  found.sort((a, b) => a.from - b.from || a.to - b.to);
  return { arrows: found, joints };
}

/**
 * What runs before what, with the deciders that are asked between. A joint is left out, and what leads to it is led on, unless that
 * would take more arrows: a thousand boxes before a thousand others meet in a point.
 */
function order(
  { size, nodes, successors, decisions }: Plan,
  boxOf: Int32Array,
  boxes: number,
  show: (name: string) => string,
) {
  const after = new Map<number, Map<number, ReadonlySet<string>>>();
  const before = new Map<number, Set<number>>();
  const lead = (from: number, to: number, conditions = NONE) => {
    if (from === to) return; // within one box
    const targets = after.get(from) ?? new Map<number, ReadonlySet<string>>();
    after.set(from, targets.set(to, both(targets.get(to) ?? NONE, conditions)));
    before.set(to, (before.get(to) ?? new Set<number>()).add(from));
  };
  const numberOf = (node: number) => (node < size ? boxOf[node] : boxes + node - size);
  for (let node = 0; node < nodes; node++) {
    for (let e = successors.start[node]; e < successors.start[node + 1]; e++) {
      lead(numberOf(node), numberOf(successors.to[e]));
    }
  }
  for (const edge of decisions?.edges ?? []) {
    lead(numberOf(edge.from), numberOf(edge.to), new Set([condition(edge, show)]));
  }
  const joints: number[] = [];
  for (let joint = boxes; joint < boxes + nodes - size; joint++) {
    const sources = before.get(joint) ?? new Set();
    const targets = after.get(joint) ?? new Map<number, ReadonlySet<string>>();
    if (sources.size * targets.size > sources.size + targets.size) {
      joints.push(joint);
      continue;
    }
    for (const from of sources) {
      const first = after.get(from)!.get(joint)!;
      after.get(from)!.delete(joint);
      for (const [to, second] of targets) lead(from, to, both(first, second));
    }
    for (const to of targets.keys()) before.get(to)!.delete(joint);
    before.delete(joint);
    after.delete(joint);
  }
  return { after, joints };
}

function both(one: ReadonlySet<string>, other: ReadonlySet<string>): ReadonlySet<string> {
  if (other.size === 0) return one;
  return one.size === 0 ? other : new Set([...one, ...other]);
}

/** Which values go from box to box, by the names that they have there. */
function flow({ size, atoms, argStart, args, picks }: Plan, boxOf: Int32Array): Map<number, Map<number, Set<string>>> {
  const carried = new Map<number, Map<number, Set<string>>>();
  for (let atom = 0; atom < size; atom++) {
    const { sources } = atoms[atom].mapping;
    for (let i = 0; i < sources.length; i++) {
      const source = args[argStart[atom] + i];
      if (source < 0) continue; // a constant or an input
      const from = boxOf[source < size ? source : picks[source - size].atom];
      if (from === boxOf[atom]) continue;
      const targets = carried.get(from) ?? new Map<number, Set<string>>();
      carried.set(from, targets);
      targets.set(boxOf[atom], (targets.get(boxOf[atom]) ?? new Set<string>()).add(sources[i]!));
    }
  }
  return carried;
}
