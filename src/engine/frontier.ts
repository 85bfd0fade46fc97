/**
 * Which atoms are ready. Four of a kind: forwards and backwards (reverting), one at a time and concurrently.
 *
 * This is the hot path. One at a time, the order was computed with the plan, so that "ready" is the next one in it and leaving
 * costs nothing. Concurrently, `left[node]` counts what a node still waits for, and ready atoms stand in a heap of ranks.
 */
import { type Edges, IntHeap, type Plan, type Ranks, ranks, reversed } from '../plan/index.js';
import type { Ledger } from './ledger.js';
import { FAILURE, PENDING, REVERT_FAILURE, REVERTING, SUCCESS, TASK_STATES } from './states.js';

/** Where an atom may run. */
export type Place = 'here' | 'away';

/** Asks whether an atom whose turn has come may run. `false`: it is passed over; `undefined`: nothing more is to run. */
export type Decide = (atom: number) => boolean | undefined;

export interface Frontier {
  /** Whether nothing is ready now. */
  readonly empty: boolean;
  /** Takes the next ready atom out; -1 when there is none. */
  take(place?: Place): number;
  /** An atom is through: what waits for it may become ready. */
  leave(atom: number): void;
}

/** By state: whether an atom is to be run, or to be reverted. Tables, as a closure a run would be inlined anew each time. */
const TO_RUN = Uint8Array.from(TASK_STATES, (_, state) => Number(state === PENDING));
const TO_REVERT = Uint8Array.from(TASK_STATES, (_, state) =>
  Number(state === SUCCESS || state === FAILURE || state === REVERT_FAILURE || state === REVERTING),
);

/** One atom at a time, in a given order. */
class Walk implements Frontier {
  readonly #order: Int32Array | undefined;
  readonly #end: number;
  readonly #states: Uint8Array;
  readonly #wanted: Uint8Array;
  readonly #decide: Decide | undefined;
  #next = 0;

  constructor(
    order: Int32Array | undefined,
    end: number,
    states: Uint8Array,
    wanted: Uint8Array,
    decide: Decide | undefined,
  ) {
    this.#decide = decide;
    this.#order = order;
    this.#end = end;
    this.#states = states;
    this.#wanted = wanted;
  }

  get empty(): boolean {
    return this.#peek() < 0;
  }

  take(): number {
    for (;;) {
      const atom = this.#peek();
      this.#next++;
      if (this.#decide === undefined || atom < 0) return atom;
      const decision = this.#decide(atom);
      if (decision !== false) return decision ? atom : -1;
    }
  }

  leave(): void {}

  #peek(): number {
    for (; this.#next < this.#end; this.#next++) {
      const atom = this.#order === undefined ? this.#next : this.#order[this.#next];
      if (this.#wanted[this.#states[atom]] === 1) return atom;
    }
    return -1;
  }
}

/** In the order of the plan. */
export function forwards({ order, size }: Plan, { states }: Ledger, decide: Decide | undefined): Frontier {
  return new Walk(order, size, states, TO_RUN, decide);
}

/** In the reverse order of finishing. */
export function backwards({ finished, finishedCount, states }: Ledger): Frontier {
  const order = finished.slice(0, finishedCount).reverse();
  return new Walk(order, finishedCount, states, TO_REVERT, undefined);
}

export function concurrently(
  plan: Plan,
  { states }: Ledger,
  runsHere: (atom: number) => boolean,
  decide: Decide | undefined,
): ReadySet {
  return new ReadySet(plan, plan.successors, plan.waits, ranks(plan), states, TO_RUN, runsHere, decide);
}

/** What waited for an atom is reverted before it; among ready atoms, the one that finished last goes first. */
export function backwardsConcurrently(
  plan: Plan,
  { states, finished, finishedCount }: Ledger,
  runsHere: (atom: number) => boolean,
): ReadySet {
  const { start } = plan.successors;
  const waits = new Int32Array(plan.nodes);
  for (let node = 0; node < plan.nodes; node++) waits[node] = start[node + 1] - start[node];
  const rank = new Int32Array(plan.size);
  const atom = new Int32Array(finishedCount);
  for (let i = 0; i < finishedCount; i++) {
    atom[i] = finished[finishedCount - 1 - i];
    rank[atom[i]] = i;
  }
  const edges = reversed(plan.successors, plan.nodes);
  return new ReadySet(plan, edges, waits, { rank, atom }, states, TO_REVERT, runsHere, undefined);
}

/** The ready atoms of a concurrent run. */
export class ReadySet implements Frontier {
  readonly edges: Edges;
  /** For each node, how many of its predecessors are not through. */
  readonly left: Int32Array;
  readonly #size: number;
  readonly #ranks: Ranks;
  readonly #here = new IntHeap();
  readonly #away = new IntHeap();
  /** Atoms that were taken along by others and are not ready of themselves. */
  readonly #claimed: Uint8Array;
  /** Nodes without work, about to be left. */
  readonly #passing: number[] = [];
  readonly #states: Uint8Array;
  readonly #wanted: Uint8Array;
  readonly #runsHere: (atom: number) => boolean;
  readonly #decide: Decide | undefined;

  constructor(
    plan: Plan,
    edges: Edges,
    waits: Int32Array,
    ranks: Ranks,
    states: Uint8Array,
    wanted: Uint8Array,
    runsHere: (atom: number) => boolean,
    decide: Decide | undefined,
  ) {
    this.edges = edges;
    this.left = waits.slice();
    this.#size = plan.size;
    this.#claimed = new Uint8Array(plan.size);
    this.#ranks = ranks;
    this.#states = states;
    this.#wanted = wanted;
    this.#runsHere = runsHere;
    this.#decide = decide;
    for (let node = 0; node < plan.nodes; node++) if (waits[node] === 0) this.#arrive(node);
    this.#pass();
  }

  get empty(): boolean {
    return this.#here.size === 0 && this.#away.size === 0;
  }

  /** How many atoms are ready to go away. */
  get waiting(): number {
    return this.#away.size;
  }

  take(place: Place = 'away'): number {
    const next = (place === 'here' ? this.#here : this.#away).pop();
    return next < 0 ? -1 : this.#ranks.atom[next];
  }

  leave(atom: number): void {
    const { start, to } = this.edges;
    for (let e = start[atom]; e < start[atom + 1]; e++) if (--this.left[to[e]] === 0) this.#arrive(to[e]);
    if (this.#passing.length > 0) this.#pass();
  }

  /** Marks an atom that is not ready as taken: it goes along with what it waits for. */
  claim(atom: number): void {
    this.#claimed[atom] = 1;
  }

  /** Puts back an atom that was taken or claimed, and not begun. */
  putBack(atom: number): void {
    this.#claimed[atom] = 0;
    if (this.left[atom] === 0) this.#push(atom);
  }

  #arrive(node: number): void {
    if (node >= this.#size || this.#wanted[this.#states[node]] === 0) this.#passing.push(node);
    else if (this.#decide !== undefined) this.#decideOn(node, this.#decide);
    else if (this.#claimed[node] === 0) this.#push(node);
  }

  #decideOn(atom: number, decide: Decide): void {
    const decision = decide(atom);
    if (decision) this.#push(atom);
    else if (decision === false) this.#passing.push(atom);
  }

  #push(atom: number): void {
    (this.#runsHere(atom) ? this.#here : this.#away).push(this.#ranks.rank[atom]);
  }

  #pass(): void {
    const { start, to } = this.edges;
    for (let node = this.#passing.pop(); node !== undefined; node = this.#passing.pop()) {
      for (let e = start[node]; e < start[node + 1]; e++) if (--this.left[to[e]] === 0) this.#arrive(to[e]);
    }
  }
}
