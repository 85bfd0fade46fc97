import type { InspectOptions, inspect } from 'node:util';
import type { OnVersionChange, TaskAtom } from '../atoms/index.js';
import type { Decider, DeciderDepth } from '../flows/index.js';
import type { Edges } from './edges.js';
import type { Elements } from './names.js';

/** What stands in `args` instead of the number of an atom. Inputs are `INPUT`, `INPUT - 1`, `INPUT - 2`, ... */
export const CONSTANT = -1;
export const INPUT = -2;

/** One value out of a result that provides several: `key` is a position or a property. */
export interface Pick {
  readonly atom: number;
  readonly key: string | number;
}

/** A link that leads to an atom and has a decider. */
export interface DecidedLink {
  /** The atom from which it leads; -1: a flow. */
  readonly from: number;
  readonly decider: Decider;
  readonly depth: DeciderDepth;
}

/** A link with a decider, as the edge from one node to another. */
export interface DecidedEdge extends DecidedLink {
  readonly to: number;
}

/** Where the run of a flow depends on deciders. */
export interface Decisions {
  /** The links that lead to an atom, by its number. */
  readonly links: ReadonlyMap<number, readonly DecidedLink[]>;
  /** The same links as edges, for those who draw them. */
  readonly edges: readonly DecidedEdge[];
  /** For each atom the innermost flow that holds it, as the number of that flow. */
  readonly homes: Int32Array;
}

/** Part of a plan: its atoms from `start` to before `end`, and its joints from `firstNode` to before `endNode`. */
export interface Range {
  readonly start: number;
  readonly end: number;
  readonly firstNode: number;
  readonly endNode: number;
}

/** A flow with a retry. */
export interface Scope extends Range {
  /** The atom of the retry, which is the first. */
  readonly controller: number;
  /** The scope around it; -1: there is none. */
  readonly parent: number;
}

/** What may be tried again. */
export interface Retries {
  /** The flows with a retry, each before those it holds. */
  readonly scopes: readonly Scope[];
  /** For each atom the innermost scope that it is in; for the atom of a retry the one around its own; -1: there is none. */
  readonly scopeOf: Int32Array;
}

/** A flow that says what becomes of it when the code of its tasks changes. */
export interface VersionRule {
  /** Its atoms are those from here on, */
  readonly start: number;
  /** and before here. */
  readonly end: number;
  readonly onVersionChange: OnVersionChange;
}

/** What a flow needs from outside. */
export interface PlanInput {
  readonly name: string;
  /** The first atom that asks for it, for messages. */
  readonly atom: number;
  /** Whether some atom cannot do without. */
  readonly required: boolean;
}

/**
 * A compiled flow: names resolved to numbers, once, in flat arrays.
 *
 * Atoms are numbered `0 .. size` in the order of declaration, depth first; the retry of a flow comes before its items. From `size`
 * on come *joints*: nodes without work through which nested flows are connected, so that 1,000 tasks before 1,000 others make 2,000
 * edges and not a million.
 *
 * A *source*, in `args` and `outputs`, is the number of the atom whose whole result is meant; from `size` on, the index of a
 * pick; below zero, a constant of the atom or an input of the flow.
 */
export interface Plan {
  /** The flow's name. */
  readonly name: string;
  readonly atoms: readonly TaskAtom[];
  /** How many atoms there are. */
  readonly size: number;
  /** How many nodes there are: atoms and joints. */
  readonly nodes: number;
  readonly successors: Edges;
  /** For each node, how many edges arrive at it. */
  readonly waits: Int32Array;
  /**
   * The sources of atom `i`'s arguments are `args[argStart[i] .. argStart[i + 1])`: those of `execute`, and behind them those of
   * `revert` if they are others.
   */
  readonly argStart: Int32Array;
  readonly args: Int32Array;
  readonly picks: readonly Pick[];
  readonly inputs: readonly PlanInput[];
  /** What the flow provides, and beside it the source that a task after the flow would be given. */
  readonly outputNames: readonly string[];
  readonly outputs: Int32Array;
  /** Who decides whether atoms run; `undefined` when nobody does. */
  readonly decisions: Decisions | undefined;
  /** What may be tried again; `undefined` when no flow and no task has a retry. */
  readonly retries: Retries | undefined;
  /** The flows that say what becomes of them when the code of tasks changes, each before those it holds. */
  readonly versionRules: readonly VersionRule[];
  /** Whether a task may fail while the flow goes on, so that values may be missing. */
  readonly lacking: boolean;
  /** Whether some task has a timeout of its own. */
  readonly timed: boolean;
  /** The order of a serial run; `undefined` when it is the order of declaration. */
  readonly order: Int32Array | undefined;
  /** The elements that the atoms stand for, and are named after; `undefined`: they have the names of their tasks. */
  readonly range: Elements | undefined;
  /** Whether the work of some atom is a flow of its own. */
  readonly regions: boolean;
  [inspect.custom](depth: unknown, options: InspectOptions): string;
}
