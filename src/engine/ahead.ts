/**
 * What a serial run is about to do, as far as that is certain: so many atoms can be recorded as begun in one commit, and each of them still
 * begins when its turn has come, after all that it depends on was recorded.
 */
import { type Plan, predecessors, serialRanks } from '../plan/index.js';
import { EXECUTE, type Ledger } from './ledger.js';
import { IGNORE, PENDING, SUCCESS } from './states.js';

/** The most atoms that are recorded together. */
const MOST = 512;
/** How long they are meant to take, in ms: what runs when the process ends is run again, and nothing of them is durable before. */
const TARGET = 1;

const ranksOf = new WeakMap<Plan, Int32Array>();

export class Ahead {
  readonly #ledger: Ledger;
  /** How many to record together: more while that takes next to no time. */
  #count = 1;
  #began = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Records that an atom is about to begin, and those that come next after it. */
  announce(atom: number): void {
    const ledger = this.#ledger;
    const { journal } = ledger;
    // Something else has come up: it may do so again.
    const foreseen = journal!.retractAll(ledger) === 0;
    this.#count = foreseen && performance.now() - this.#began < TARGET ? Math.min(MOST, this.#count * 2) : 1;
    journal!.announce(ledger, atom);
    if (this.#count > 1 && !ledger.reverts(atom)) this.#announceNext(atom);
  }

  /** What was announced begins. */
  begin(): void {
    this.#began = performance.now();
  }

  /** What began has not ended at once: what comes next does not begin soon. */
  pause(): void {
    this.#ledger.journal!.retractAll(this.#ledger);
    this.#began = 0;
  }

  #announceNext(first: number): void {
    const { plan, states, intentions, journal } = this.#ledger;
    const { order, size, atoms } = plan;
    // What comes next may depend on what is decided, or on what fails, until then.
    if (plan.decisions !== undefined || plan.lacking) return;
    const members = new Set([first]);
    /** Whether joints wait for a member. */
    const joints = new Map<number, boolean>();
    for (let place = placeOf(plan, first) + 1; place < size && members.size < this.#count; place++) {
      const atom = order === undefined ? place : order[place];
      if (states[atom] === SUCCESS || states[atom] === IGNORE) continue;
      if (states[atom] !== PENDING || intentions[atom] !== EXECUTE) return;
      const { controller, region } = atoms[atom];
      if (controller ?? region ?? waits(plan, atom, members, joints)) return;
      journal!.announce(this.#ledger, atom);
      members.add(atom);
    }
  }
}

/** Whether a node waits for some members. */
function waits(plan: Plan, node: number, members: ReadonlySet<number>, joints: Map<number, boolean>): boolean {
  const { start, to } = predecessors(plan);
  for (let e = start[node]; e < start[node + 1]; e++) {
    const before = to[e];
    if (before < plan.size) {
      if (members.has(before)) return true;
      continue;
    }
    let open = joints.get(before);
    if (open === undefined) {
      open = waits(plan, before, members, joints);
      joints.set(before, open);
    }
    if (open) return true;
  }
  return false;
}

function placeOf(plan: Plan, atom: number): number {
  if (plan.order === undefined) return atom;
  let ranks = ranksOf.get(plan);
  if (!ranks) {
    ranks = serialRanks(plan).rank;
    ranksOf.set(plan, ranks);
  }
  return ranks[atom];
}
