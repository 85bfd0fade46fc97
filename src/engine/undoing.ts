/**
 * Which atoms are ready to be reverted: what waited for an atom goes before it, and of several the one that finished last goes
 * first.
 */
import { IntHeap, type Plan, predecessors, type Range } from '../plan/index.js';
import type { Place } from './frontier.js';
import type { Ledger } from './ledger.js';
import { RETRYING, TO_REVERT } from './states.js';

/** The highest place in a heap. */
const LAST = 2 ** 31 - 1;

/** Part of a flow while it is rolled back. Nothing of it is reverted before all that ran in it has ended. */
export class Retreat {
  readonly range: Range;
  /** The retry that tries again afterwards; -1: none does. */
  readonly retry: number;
  /** After how many ms; `undefined`: not at all. */
  retryAfter: number | undefined;
  /** How many of its atoms were taken and have not ended. */
  busy: number;
  /** How many of its atoms are ready to be reverted; `undefined`: reverting has not begun. */
  ready: number | undefined;

  constructor(range: Range, retry: number, retryAfter: number | undefined, busy: number) {
    this.range = range;
    this.retry = retry;
    this.retryAfter = retryAfter;
    this.busy = busy;
  }

  get over(): boolean {
    return this.ready === 0 && this.busy === 0;
  }
}

export class Undoing {
  readonly #plan: Plan;
  readonly #ledger: Ledger;
  readonly #runsHere: (atom: number) => boolean;
  /** For each node that is rolled back, how many of its successors are not through. */
  readonly #left: Int32Array;
  readonly #here = new IntHeap();
  readonly #away = new IntHeap();
  /** By its place in the heaps: what finished last has the lowest. */
  readonly #atoms = new Map<number, number>();

  constructor(plan: Plan, ledger: Ledger, runsHere: (atom: number) => boolean) {
    this.#plan = plan;
    this.#ledger = ledger;
    this.#runsHere = runsHere;
    this.#left = new Int32Array(plan.nodes);
  }

  get empty(): boolean {
    return this.#atoms.size === 0;
  }

  /** How many atoms are ready to be reverted away. */
  get waiting(): number {
    return this.#away.size;
  }

  /** Begins to revert what has run of a part. */
  begin(retreat: Retreat): void {
    const { start, end, firstNode, endNode } = retreat.range;
    const { successors } = this.#plan;
    const inside = insideOf(retreat.range);
    const passing: number[] = [];
    retreat.ready = 0;
    const count = (node: number) => {
      let waits = 0;
      for (let e = successors.start[node]; e < successors.start[node + 1]; e++) if (inside(successors.to[e])) waits++;
      this.#left[node] = waits;
      if (waits === 0) passing.push(node);
    };
    for (let atom = start; atom < end; atom++) count(atom);
    for (let node = firstNode; node < endNode; node++) count(node);
    const last = passing.slice();
    passing.length = 0;
    for (const node of last) this.#arrive(node, retreat, passing);
    this.#pass(retreat, passing);
  }

  /** Forgets the atoms of a part: they are rolled back with what is around it. */
  drop({ start, end }: Range): void {
    for (const heap of [this.#here, this.#away]) {
      heap.keep((place) => {
        const atom = this.#atoms.get(place)!;
        const outside = atom < start || atom >= end;
        if (!outside) this.#atoms.delete(place);
        return outside;
      });
    }
  }

  take(place: Place): number {
    const next = (place === 'here' ? this.#here : this.#away).pop();
    if (next < 0) return -1;
    const atom = this.#atoms.get(next)!;
    this.#atoms.delete(next);
    return atom;
  }

  /** An atom was reverted: what it had waited for may be. */
  leave(atom: number, retreat: Retreat): void {
    this.#pass(retreat, [atom]);
  }

  putBack(atom: number, retreat: Retreat): void {
    const place = LAST - this.#ledger.finished[atom];
    this.#atoms.set(place, atom);
    (this.#runsHere(atom) ? this.#here : this.#away).push(place);
    retreat.ready!++;
  }

  #arrive(node: number, retreat: Retreat, passing: number[]): void {
    if (node < this.#plan.size && this.#toRevert(node, retreat)) this.putBack(node, retreat);
    else passing.push(node);
  }

  #toRevert(atom: number, { retry }: Retreat): boolean {
    const state = this.#ledger.states[atom];
    const { controller } = this.#plan.atoms[atom];
    // What tries again stays, if it is a controller. One that waits to try again has run.
    if (controller) return atom !== retry && (TO_REVERT[state] === 1 || state === RETRYING);
    return TO_REVERT[state] === 1;
  }

  #pass(retreat: Retreat, passing: number[]): void {
    const { start, to } = predecessors(this.#plan);
    const inside = insideOf(retreat.range);
    for (let node = passing.pop(); node !== undefined; node = passing.pop()) {
      for (let e = start[node]; e < start[node + 1]; e++) {
        if (inside(to[e]) && --this.#left[to[e]] === 0) this.#arrive(to[e], retreat, passing);
      }
    }
  }
}

function insideOf({ start, end, firstNode, endNode }: Range): (node: number) => boolean {
  return (node) => (node >= start && node < end) || (node >= firstNode && node < endNode);
}
