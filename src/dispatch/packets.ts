/**
 * Which ready tasks travel together, and what is sent with them.
 *
 * A round trip to a worker costs some 20 to 60 us, so that small tasks go in company: siblings, and successors whose only
 * open predecessors are in the same packet. How small a task is, is measured; until then it travels alone. A packet is meant
 * to take a few milliseconds: the way there then costs a per cent or two, and no thread waits much longer for its next one.
 */
import type { Shape, TaskAtom } from '../atoms/index.js';
import type { ReadySet, RunHost, Scheduler } from '../engine/index.js';
import { type Kinds, kindsOf, nameOf, namesOf } from '../plan/index.js';
import {
  type Atoms,
  encodeError,
  isPlain,
  NAMES,
  type Row,
  row,
  type WireFailures,
  type WireRevert,
} from '../wire/index.js';
import { ArgumentWriter, areInRow } from './arguments.js';
import { type Draft, type Lane, SHORT } from './lane.js';
import { Moves } from './moves.js';
import type { Residents } from './residents.js';

/** How long a packet is meant to take, in ms. */
const TARGET = 4;
/**
 * And when nobody waits for any one of its tasks: each packet costs the scheduler's thread 0.1 to 0.3 ms, which with two workers
 * on two cores the workers lack. Of 100 tasks of 1 ms it took 26 packets rather than 14.
 */
const LONG = 20;
/** After so many ms a worker returns what is left of a packet, when the tasks have turned out longer than they were. */
const BUDGET = 20;
/** A successor that takes no longer than this, in ms, is worth less than its way to another thread. */
const TINY = 0.02;
/** The most tasks in a packet. */
const MOST = 512;
/** And when all that is sent are numbers: a message costs 20 us or so by itself, and a number next to nothing. */
const MOST_PLAIN = 8192;
/** The names of so many members are worth less than a message that all names can go. */
const FEW = 32;

export class Packer {
  readonly #host: RunHost;
  readonly #scheduler: Scheduler;
  readonly #run: number;
  /** For each node, how many of its open predecessors are in the packet. */
  readonly #inside: Int32Array;
  readonly #touched: number[] = [];
  /** For each kind, how many are in the packet. */
  readonly #together: Int32Array;
  readonly #kinds: Kinds;
  /** Whether all are of one kind, and nothing follows: then they are taken as they come. */
  readonly #uniform: boolean;
  readonly #arguments: ArgumentWriter;
  readonly #moves: Moves;
  readonly #residents: Residents;
  /** All that had failed when something was reverted last. A thread is sent it once, however many it reverts. */
  #failures: { readonly all: object; readonly number: number; readonly encoded: WireFailures } | undefined;

  constructor(host: RunHost, run: number, residents: Residents) {
    this.#host = host;
    this.#residents = residents;
    this.#scheduler = host.scheduler;
    this.#run = run;
    this.#inside = new Int32Array(host.scheduler.plan.nodes);
    this.#kinds = kindsOf(host.scheduler.plan);
    this.#together = new Int32Array(this.#kinds.samples.length);
    this.#uniform = this.#kinds.samples.length === 1 && host.scheduler.plan.successors.to.length === 0;
    this.#arguments = new ArgumentWriter(host.scheduler, run, residents);
    this.#moves = new Moves(host.scheduler);
  }

  /**
   * Takes atoms that are ready to run on a thread; none: what is ready has to run on another one. `threads` is how many share it, `crowded`
   * whether other runs wait for them.
   */
  take(ready: ReadySet, lane: Lane, threads: number, alone: boolean, crowded: boolean): Atoms {
    const scheduler = this.#scheduler;
    const { of, samples } = this.#kinds;
    if (this.#uniform && !alone && this.#small(samples[0])) {
      const { mean, company } = samples[0].shape.cost;
      const time = crowded ? TARGET : LONG;
      const share = Math.ceil(ready.waiting / (2 * threads));
      return scheduler.takeRow(Math.max(1, Math.min(share, company, Math.floor(time / mean))));
    }
    const first = this.#residents.take(lane);
    if (first < 0) return [];
    const chosen = [first];
    let kind = of[first];
    if (alone || !this.#small(samples[kind])) return chosen;
    // The last ready tasks are shared out, rather than left to one thread.
    const share = Math.ceil((ready.waiting + 1) / (2 * threads));
    const following: number[] = [];
    const together = this.#together;
    together[kind] = 1;
    let { cost } = samples[kind].shape;
    let time = cost.mean;
    let siblings = 1;
    let patient = !crowded && this.#patient(first);
    this.#follow(ready, lane, first, following);
    while (chosen.length < MOST_PLAIN) {
      let next = following.pop();
      if (next === undefined) {
        if (siblings >= share) break;
        next = this.#residents.take(lane);
        if (next < 0) break;
        siblings++;
      } else {
        scheduler.claim(next);
      }
      patient &&= this.#patient(next);
      let small = true;
      if (of[next] !== kind) {
        kind = of[next];
        cost = samples[kind].shape.cost;
        small = this.#small(samples[kind]);
      }
      if (!small || together[kind] >= cost.company || time + cost.mean > (patient ? LONG : TARGET)) {
        scheduler.putBack(next);
        break;
      }
      time += cost.mean;
      together[kind]++;
      chosen.push(next);
      this.#follow(ready, lane, next, following);
    }
    for (const atom of chosen) together[of[atom]] = 0;
    for (const node of this.#touched) this.#inside[node] = 0;
    this.#touched.length = 0;
    return chosen;
  }

  /** The results of atoms in a row have come from a thread. What comes together may share its memory, so that only one by itself may move. */
  arrived(atoms: Atoms, from: number, results: Row): void {
    if (results instanceof Float64Array) return;
    let alone = -1;
    for (let i = 0; i < results.length; i++) {
      if (typeof results[i] !== 'object' || results[i] === null) continue;
      if (alone >= 0) return;
      alone = i;
    }
    if (alone >= 0) this.#moves.note(atoms[from + alone], results[alone]);
  }

  /** A value that stayed with a thread has come from it. */
  fetched(atom: number, value: unknown): void {
    this.#moves.note(atom, value);
  }

  /** Writes the packet. With `alone` nothing stays with the thread. */
  draft(atoms: Atoms, lane: Lane, alone: boolean): Draft {
    const { plan, ledger } = this.#scheduler;
    const reverting = this.#scheduler.reverts(atoms[0]);
    const first = plan.atoms[atoms[0]];
    const timed = this.#host.timeoutOf(first) !== Infinity;
    const { columns, keep, inner, borrowed } = this.#arguments.write(atoms, lane, reverting);
    const plain = keep.size === 0 && columns.every(({ values }) => isPlain(values));
    const names = this.#names(atoms, lane, keep);
    const revert = reverting ? this.#revert(atoms[0], first) : undefined;
    if (revert && !lane.keeps(this.#run, revert.flowFailures)) {
      keep.set(revert.flowFailures, this.#failures!.encoded);
    }
    const { kinds, shapes, expected } = this.#shapes(atoms, reverting);
    // Only what is neither taken back nor comes back before it has begun is never sent a second time: the first of what runs at once.
    const isThere = (source: number) => lane.keeps(this.#run, source);
    const moves = lane.flights.length === 0 && !reverting ? this.#moves.to(atoms[0], isThere) : undefined;
    const last = borrowed.filter((atom) => isThere(atom) && ledger.isWantedOnce(atom));
    return {
      ...{ atoms, columns, names, moves, kinds, shapes, timed, revert, plain, borrowed },
      stay: alone || reverting ? undefined : this.#stay(atoms, kinds),
      last: last.length > 0 ? last : undefined,
      long: !(expected <= SHORT),
      flow: plan.name,
      key: ledger.key,
      turns: ledger.turns && Array.from(atoms, (atom) => [ledger.attemptOf(atom), ledger.roundOf(atom)]).flat(),
      inner: inner.length > 0 ? inner : undefined,
      keep: keep.size > 0 ? keep : undefined,
      budget: Math.max(BUDGET, 2 * expected || 0),
      crew: undefined,
      expected: timed || reverting ? Number.NaN : expected,
    };
  }

  /** The members whose results may stay with the thread, and their numbers there. */
  #stay(atoms: Atoms, kinds: ReadonlySet<Shape>): number[] | undefined {
    if (!this.#residents.open || ![...kinds].some(({ cost }) => cost.bulky || Number.isNaN(cost.mean)))
      return undefined;
    const stay: number[] = [];
    for (let i = 0; i < atoms.length; i++) if (this.#residents.mayStay(atoms[i])) stay.push(i, atoms[i]);
    return stay.length > 0 ? stay : undefined;
  }

  #shapes(atoms: Atoms, reverting: boolean) {
    const { of, samples } = this.#kinds;
    const kinds = new Set<Shape>();
    const shapes: number[] = [];
    let expected = 0;
    for (let begin = 0, end = 0; begin < atoms.length; begin = end) {
      const kind = of[atoms[begin]];
      while (end < atoms.length && of[atoms[end]] === kind) end++;
      const shape = reverting ? samples[kind].revertShape : samples[kind].shape;
      kinds.add(shape);
      shapes.push(shape.id, end - begin);
      expected += (end - begin) * shape.cost.mean;
    }
    return { kinds, shapes, expected };
  }

  #names(atoms: Atoms, lane: Lane, keep: Map<number, unknown>): Draft['names'] {
    const { plan } = this.#scheduler;
    const { range } = plan;
    const [first] = atoms;
    if (range && areInRow(atoms)) return { list: range.name, first: range.first + first };
    if (range || atoms.length < FEW) return Array.from(atoms, (atom) => nameOf(plan, atom)).join('\n');
    if (!lane.keeps(this.#run, NAMES)) keep.set(NAMES, namesOf(plan));
    return { atoms: Array.isArray(atoms) ? row(atoms) : Float64Array.from(atoms) };
  }

  /** Whether nothing becomes ready when this atom has ended, unless others have ended too. */
  #patient(atom: number): boolean {
    const { size, successors } = this.#scheduler.plan;
    const { start, to } = successors;
    for (let e = start[atom]; e < start[atom + 1]; e++) if (to[e] < size) return false;
    return true;
  }

  #small(task: TaskAtom): boolean {
    return task.shape.cost.mean <= TARGET && this.#host.timeoutOf(task) === Infinity;
  }

  /** Adds to `following` the atoms that become ready within the packet once `atom` has ended in it. */
  #follow(ready: ReadySet, lane: Lane, atom: number, following: number[]): void {
    const { plan } = this.#scheduler;
    const { start, to } = plan.successors;
    if (start[atom] === start[atom + 1]) return;
    // What comes next may depend on deciders or on what has failed, and that is asked here. Or what came before is to be durable first.
    if (plan.decisions !== undefined || plan.lacking || this.#scheduler.ledger.journal) return;
    // What provides several values may turn out to lack one: it has failed then, and nothing that follows it may run.
    const { of, samples } = this.#kinds;
    const { provision, priority } = samples[of[atom]];
    if (provision.keys !== undefined) return;
    const chain = start[atom + 1] - start[atom] === 1;
    const passing = [atom];
    for (let node = passing.pop(); node !== undefined; node = passing.pop()) {
      for (let e = start[node]; e < start[node + 1]; e++) {
        const next = to[e];
        if (++this.#inside[next] === 1) this.#touched.push(next);
        if (this.#inside[next] < ready.left[next]) continue;
        if (next >= plan.size) passing.push(next);
        else if (this.#scheduler.runsHere(next) || !this.#residents.isNear(next, lane)) continue;
        // Some ready task may come between the two.
        else if (samples[of[next]].priority < priority) continue;
        else if (chain || samples[of[next]].shape.cost.mean <= TINY) following.push(next);
      }
    }
  }

  #revert(atom: number, { provision }: TaskAtom): WireRevert {
    const { result, flowFailures } = this.#scheduler.ledger.revertExtrasOf(atom);
    const failure = this.#scheduler.ledger.failures.get(atom);
    if (this.#failures?.all !== flowFailures) {
      const encoded = Object.entries(flowFailures).map(([task, { error }]) => [task, encodeError(error)] as const);
      this.#failures = { all: flowFailures, number: this.#arguments.newNumber(), encoded };
    }
    return {
      ...provision,
      result: failure ? undefined : result,
      failure: failure && { task: failure.task, error: encodeError(failure.error) },
      flowFailures: this.#failures.number,
    };
  }
}

/** Learns from what tasks took: `costs` is shape, count and ms, again and again. */
export function learn(
  kinds: ReadonlySet<Shape>,
  costs: readonly number[],
  { complete, plain }: { readonly complete: boolean; readonly plain: boolean },
): void {
  const most = plain ? MOST_PLAIN : MOST;
  const sums = new Map<number, { count: number; time: number }>();
  for (let i = 0; i < costs.length; i += 3) {
    const sum = sums.get(costs[i]) ?? { count: 0, time: 0 };
    sum.count += costs[i + 1];
    sum.time += costs[i + 2];
    sums.set(costs[i], sum);
  }
  for (const { id, cost } of kinds) {
    const sum = sums.get(id);
    if (!sum) continue;
    const sample = sum.time / sum.count;
    // The first runs are slower than all others: what gets cheaper is believed sooner.
    if (Number.isNaN(cost.mean)) cost.mean = sample;
    else cost.mean += (sample - cost.mean) * (sample < cost.mean ? 0.5 : 0.2);
    if (!complete) cost.company = Math.max(1, cost.company >> 1);
    else if (sum.count >= cost.company) cost.company *= 2;
    cost.company = Math.min(most, cost.company);
  }
}
