import { type Plan, predecessors } from '../plan/index.js';

/** An atom, and what ran directly before it. */
export interface Ancestor {
  readonly atom: number;
  /** In order of declaration. Each atom is once in the whole tree, as near to its root as can be. */
  readonly before: Ancestor[];
  /** Those that stand elsewhere in the tree. */
  readonly repeated: number[];
  /** Whether there are others, which are left out. */
  more: boolean;
}

/** What leads to an atom, as a tree: the nearest first, and at most `limit` atoms beside the root. */
export function ancestry(plan: Plan, root: number, limit: number): Ancestor {
  const tree = ancestor(root);
  const found = new Set([root]);
  const open = [tree];
  for (const node of open) {
    const all = directlyBefore(plan, node.atom, limit);
    for (const atom of all) {
      if (found.has(atom)) {
        node.repeated.push(atom);
      } else if (found.size <= limit) {
        found.add(atom);
        const one = ancestor(atom);
        node.before.push(one);
        open.push(one);
      }
    }
    node.more = node.before.length + node.repeated.length < all.length;
  }
  return tree;
}

function ancestor(atom: number): Ancestor {
  return { atom, before: [], repeated: [], more: false };
}

/** The atoms from which a way leads to an atom that passes no other. Some more than `limit` are found, not all there may be. */
function directlyBefore(plan: Plan, atom: number, limit: number): number[] {
  const edges = predecessors(plan);
  const enough = 2 * limit + 100;
  const seen = new Set([atom]);
  const atoms: number[] = [];
  for (const node of seen) {
    if (node !== atom && node < plan.size) {
      atoms.push(node);
      continue;
    }
    // From `size` on a node is a joint.
    for (let e = edges.start[node]; e < edges.start[node + 1] && seen.size < enough; e++) seen.add(edges.to[e]);
  }
  return atoms.sort((a, b) => a - b);
}
