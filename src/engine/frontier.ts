/**
 * Which atoms are ready to run: one at a time, or several at once.
 *
 * This is the hot path. One at a time, the order was computed with the plan, so that "ready" is the next one in it and leaving
 * costs nothing. Otherwise `left[node]` counts what a node still waits for, and ready atoms are in a set of ranks.
 */
import { kindsOf, type Plan, type Range, RankSet, type Ranks, ranks, serialRanks } from '../plan/index.js';
import { EXECUTE, type Ledger } from './ledger.js';
import { IGNORE, PENDING, SUCCESS, TO_RUN } from './states.js';

/** Where an atom may run. */
export type Place = 'here' | 'away';

/** Asks whether an atom whose turn has come may run. `false`: it is passed over; `undefined`: nothing more is to run. */
export type Decide = (atom: number) => boolean | undefined;

export interface Frontier {
  /** Whether nothing is ready now. */
  readonly empty: boolean;
  /** Takes the next ready atom out; -1 when there is none. */
  take(place: Place): number;
  /** An atom is through: what waits for it may become ready. */
  leave(atom: number): void;
}

/** Nothing is to run. */
export const NOTHING: Frontier = { empty: true, take: () => -1, leave: () => {} };

/** One atom at a time, in the order of the plan, while nothing is tried again. */
export class Walk implements Frontier {
  readonly #order: Int32Array | undefined;
  readonly #end: number;
  readonly #states: Uint8Array;
  readonly #decide: Decide | undefined;
  #next = 0;

  constructor({ order, size }: Plan, { states }: Ledger, decide: Decide | undefined) {
    this.#order = order;
    this.#end = size;
    this.#states = states;
    this.#decide = decide;
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
      if (TO_RUN[this.#states[atom]] === 1) return atom;
    }
    return -1;
  }
}

export interface ReadySetOptions {
  readonly plan: Plan;
  readonly ledger: Ledger;
  /** Whether several atoms may run at once: the order is that of a parallel run, and deciders are asked as soon as they can be. */
  readonly concurrent: boolean;
  /** The atoms that were taken and have not ended. */
  readonly taken: Uint8Array;
  readonly runsHere: (atom: number) => boolean;
  readonly decide: Decide | undefined;
}

/** The ready atoms of a concurrent run, or of a serial one in which something was tried again. */
export class ReadySet implements Frontier {
  /** For each node, how many of its predecessors are not through. */
  readonly left: Int32Array;
  readonly #plan: Plan;
  readonly #ledger: Ledger;
  readonly #ranks: Ranks;
  readonly #here: RankSet;
  readonly #away: RankSet;
  readonly #taken: Uint8Array;
  /** Nodes without work, about to be left. */
  readonly #passing: number[] = [];
  readonly #runsHere: (atom: number) => boolean;
  readonly #decide: Decide | undefined;
  readonly #concurrent: boolean;

  constructor({ plan, ledger, concurrent, taken, runsHere, decide }: ReadySetOptions) {
    this.#plan = plan;
    this.#ledger = ledger;
    this.left = plan.waits.slice();
    this.#ranks = concurrent ? ranks(plan) : serialRanks(plan);
    this.#here = new RankSet(plan.size);
    this.#away = new RankSet(plan.size);
    this.#taken = taken;
    this.#runsHere = runsHere;
    this.#decide = decide;
    this.#concurrent = concurrent;
  }

  /** Fills the set, once. */
  start(): void {
    const { nodes, waits, size } = this.#plan;
    if (size > 0 && this.#isFreshRow()) {
      (this.#runsHere(0) ? this.#here : this.#away).fill(size);
      return;
    }
    for (let node = 0; node < nodes; node++) if (waits[node] === 0) this.#arrive(node);
    this.#pass();
  }

  get empty(): boolean {
    return this.#here.size === 0 && this.#away.size === 0;
  }

  /** How many atoms are ready to go away. */
  get waiting(): number {
    return this.#away.size;
  }

  take(place: Place): number {
    for (;;) {
      const next = (place === 'here' ? this.#here : this.#away).take();
      if (next < 0) return -1;
      const atom = this.#ranks.atom[next];
      if (this.#concurrent || this.#decide === undefined) return atom;
      // One at a time, they are asked when the atom's turn has come; it may have been ignored with another one by then.
      const decision = this.#ledger.states[atom] === IGNORE ? false : this.#decide(atom);
      if (decision !== false) return decision ? atom : -1;
      this.leave(atom);
    }
  }

  /** Takes the next atom that is ready to go away, and those that follow it in the order without a gap, so many at most. */
  takeRow(most: number): Int32Array {
    const first = this.#away.lowest;
    const count = this.#away.takeRow(most);
    return this.#ranks.atom.subarray(first, first + count);
  }

  leave(atom: number): void {
    const { start, to } = this.#plan.successors;
    for (let e = start[atom]; e < start[atom + 1]; e++) if (--this.left[to[e]] === 0) this.#arrive(to[e]);
    if (this.#passing.length > 0) this.#pass();
  }

  /** Puts back an atom that was taken, and not begun. */
  putBack(atom: number): void {
    if (this.left[atom] === 0) this.#push(atom);
  }

  /** Part of the flow is rolled back: nothing of it is ready any more. */
  close({ start, end }: Range): void {
    const outside = (rank: number) => this.#ranks.atom[rank] < start || this.#ranks.atom[rank] >= end;
    this.#here.keep(outside);
    this.#away.keep(outside);
  }

  /** Part of the flow is to run again, from its first atom on. */
  reopen({ start, end, firstNode, endNode }: Range): void {
    const { waits } = this.#plan;
    for (let atom = start; atom < end; atom++) this.left[atom] = waits[atom];
    for (let node = firstNode; node < endNode; node++) this.left[node] = waits[node];
    this.left[start] = 0;
    this.#arrive(start);
    this.#pass();
  }

  /** Whether all atoms are the same task, are ready, and wait for nobody's decision. */
  #isFreshRow(): boolean {
    const { range, successors, size, nodes } = this.#plan;
    if (successors.to.length > 0 || nodes > size || this.#decide !== undefined) return false;
    if (range === undefined && !(this.#concurrent && kindsOf(this.#plan).samples.length === 1)) return false;
    const { states, intentions } = this.#ledger;
    for (let atom = 0; atom < size; atom++) {
      if (states[atom] !== PENDING || intentions[atom] !== EXECUTE || this.#taken[atom] !== 0) return false;
    }
    return true;
  }

  #arrive(node: number): void {
    if (node >= this.#plan.size) {
      this.#passing.push(node);
      return;
    }
    const { states, intentions } = this.#ledger;
    const state = states[node];
    if (intentions[node] !== EXECUTE) return;
    if (TO_RUN[state] === 1) {
      if (this.#taken[node] === 0) this.#decideOn(node);
    } else if (
      state === SUCCESS ||
      state === IGNORE ||
      this.#ledger.tolerates(node) ||
      this.#ledger.givenUp.has(node)
    ) {
      // A retry that gave up because it could not decide has failed, and had begun well.
      this.#passing.push(node);
    }
  }

  #decideOn(atom: number): void {
    const decision = this.#decide === undefined || !this.#concurrent || this.#decide(atom);
    if (decision) this.#push(atom);
    else if (decision === false) this.#passing.push(atom);
  }

  #push(atom: number): void {
    (this.#runsHere(atom) ? this.#here : this.#away).add(this.#ranks.rank[atom]);
  }

  #pass(): void {
    const { start, to } = this.#plan.successors;
    for (let node = this.#passing.pop(); node !== undefined; node = this.#passing.pop()) {
      for (let e = start[node]; e < start[node + 1]; e++) if (--this.left[to[e]] === 0) this.#arrive(to[e]);
    }
  }
}
