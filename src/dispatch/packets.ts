/**
 * Which ready tasks travel together, and what is sent with them.
 *
 * A round trip to a worker costs some 20 to 60 us, so that small tasks go in company: siblings, and successors whose only
 * open predecessors are in the same packet. How small a task is, is measured; until then it travels alone. A packet is meant
 * to take a few milliseconds: the way there then costs a per cent or two, and no thread waits much longer for its next one.
 */
import type { Shape, TaskAtom } from '../atoms/index.js';
import type { ReadySet, RunHost, Scheduler } from '../engine/index.js';
import { CONSTANT, INPUT, nameOf } from '../plan/index.js';
import { BY_VALUE, encodeError, type WireFailures, type WireRevert } from '../wire/index.js';
import type { Draft, Lane } from './lane.js';

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

export class Packer {
  readonly #host: RunHost;
  readonly #scheduler: Scheduler;
  readonly #run: number;
  /** For each node, how many of its open predecessors are in the packet. */
  readonly #inside: Int32Array;
  readonly #touched: number[] = [];
  /** For each atom, its place in the packet, counted from 1. */
  readonly #member: Int32Array;
  /** How many arguments come from each source; made when it is first asked for. */
  #uses: Int32Array | undefined;
  /** In a flow with retries: for each source, when the atom that gave the value had finished, and the number of the value. */
  readonly #values = new Map<number, { readonly finished: number; readonly number: number }>();
  #valueCount: number;
  /** All that had failed when something was reverted last. A thread is sent it once, however many it reverts. */
  #failures: { readonly all: object; readonly number: number; readonly encoded: WireFailures } | undefined;

  constructor(host: RunHost, run: number) {
    this.#host = host;
    this.#scheduler = host.scheduler;
    this.#run = run;
    this.#inside = new Int32Array(host.scheduler.plan.nodes);
    const { plan, ledger } = host.scheduler;
    this.#member = new Int32Array(plan.size);
    this.#valueCount = plan.size + plan.picks.length + ledger.binding.inputs.length;
  }

  /**
   * Takes atoms that are ready to run for a packet; there must be one. `threads` is how many share what is ready, `crowded` whether other runs
   * wait for them.
   */
  take(ready: ReadySet, threads: number, alone: boolean, crowded: boolean): number[] {
    const scheduler = this.#scheduler;
    const { atoms } = scheduler.plan;
    const first = scheduler.takeReady();
    const chosen = [first];
    if (alone || !this.#small(atoms[first])) return chosen;
    // The last ready tasks are shared out, rather than left to one thread.
    const share = Math.ceil((ready.waiting + 1) / (2 * threads));
    const following: number[] = [];
    let time = atoms[first].shape.cost.mean;
    let siblings = 1;
    let patient = !crowded && this.#patient(first);
    this.#follow(ready, first, following);
    while (chosen.length < MOST) {
      let next = following.pop();
      if (next === undefined) {
        if (siblings >= share) break;
        next = scheduler.takeReady();
        if (next < 0) break;
        siblings++;
      } else {
        scheduler.claim(next);
      }
      const { mean, company } = atoms[next].shape.cost;
      patient &&= this.#patient(next);
      if (!this.#small(atoms[next]) || chosen.length >= company || time + mean > (patient ? LONG : TARGET)) {
        scheduler.putBack(next);
        break;
      }
      time += mean;
      chosen.push(next);
      this.#follow(ready, next, following);
    }
    for (const node of this.#touched) this.#inside[node] = 0;
    this.#touched.length = 0;
    return chosen;
  }

  /** Writes the packet. */
  draft(atoms: readonly number[], lane: Lane): Draft {
    const { plan, ledger } = this.#scheduler;
    const reverting = this.#scheduler.reverts(atoms[0]);
    const tasks = atoms.map((atom) => plan.atoms[atom]);
    const timed = this.#host.timeoutOf(tasks[0]) !== Infinity;
    const args = this.#arguments(atoms, lane, reverting);
    const revert = reverting ? this.#revert(atoms[0], tasks[0]) : undefined;
    if (revert && !lane.keeps(this.#run, revert.flowFailures)) {
      args.keep ??= new Map();
      args.keep.set(revert.flowFailures, this.#failures!.encoded);
    }
    const expected = timed ? Number.NaN : tasks.reduce((sum, { shape }) => sum + shape.cost.mean, 0);
    return {
      ...args,
      atoms,
      flow: plan.name,
      shapes: tasks.map((task) => (reverting ? task.revertShape : task.shape)),
      names: atoms.map((atom) => nameOf(plan, atom)).join('\n'),
      key: ledger.key,
      turns: ledger.turns && atoms.flatMap((atom) => [ledger.attemptOf(atom), ledger.roundOf(atom)]),
      budget: Math.max(BUDGET, 2 * expected || 0),
      timed,
      revert,
      expected: reverting ? Number.NaN : expected,
    };
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
  #follow(ready: ReadySet, atom: number, following: number[]): void {
    const { plan } = this.#scheduler;
    // What comes next may depend on deciders or on what has failed, and that is asked here. Or what came before is to be durable first.
    if (plan.decisions !== undefined || plan.lacking || this.#scheduler.ledger.journal) return;
    // What provides several values may turn out to lack one: it has failed then, and nothing that follows it may run.
    if (plan.atoms[atom].provision.keys !== undefined) return;
    const { start, to } = plan.successors;
    const chain = start[atom + 1] - start[atom] === 1;
    const passing = [atom];
    for (let node = passing.pop(); node !== undefined; node = passing.pop()) {
      for (let e = start[node]; e < start[node + 1]; e++) {
        const next = to[e];
        if (++this.#inside[next] === 1) this.#touched.push(next);
        if (this.#inside[next] < ready.left[next]) continue;
        if (next >= plan.size) passing.push(next);
        else if (this.#scheduler.runsHere(next)) continue;
        // Some ready task may come between the two.
        else if (plan.atoms[next].priority < plan.atoms[atom].priority) continue;
        else if (chain || plan.atoms[next].shape.cost.mean <= TINY) following.push(next);
      }
    }
  }

  #arguments(atoms: readonly number[], lane: Lane, reverting: boolean) {
    const { plan, ledger } = this.#scheduler;
    const { binding } = ledger;
    const values: unknown[] = [];
    const keep = new Map<number, unknown>();
    let refs: number[] | undefined;
    let count = 0;
    const refer = (ref: number) => {
      refs ??= new Array(count).fill(BY_VALUE);
      refs.push(ref);
    };
    atoms.forEach((atom, i) => {
      this.#member[atom] = i + 1;
      const { mapping } = plan.atoms[atom];
      const own = reverting ? mapping.revert : undefined;
      const { params, constants } = own ?? mapping;
      const start = plan.argStart[atom] + (own ? mapping.params.length : 0);
      for (let p = 0; p < params.length; p++, count++) {
        const source = binding.args[start + p];
        // What provides several values has nothing of its packet behind it, so that a pick is never of a member.
        const member = source < 0 || source >= plan.size ? 0 : this.#member[source];
        if (member > 0) {
          refer(member - 1);
          continue;
        }
        const value =
          source >= 0 ? ledger.value(source) : source === CONSTANT ? constants[p] : binding.inputs[INPUT - source];
        if (typeof value === 'object' && value !== null && source !== CONSTANT && this.#usesOf(source) > 1) {
          const number = this.#valueNumber(source);
          if (!lane.keeps(this.#run, number)) keep.set(number, value);
          refer(BY_VALUE - 1 - number);
          continue;
        }
        values.push(value);
        refs?.push(BY_VALUE);
      }
    });
    for (const atom of atoms) this.#member[atom] = 0;
    return { values, refs, keep: keep.size > 0 ? keep : undefined };
  }

  /** Numbers all sources that are not constants from 0. */
  #number(source: number): number {
    const { size, picks } = this.#scheduler.plan;
    return source >= 0 ? source : size + picks.length + INPUT - source;
  }

  /** Numbers values: what is tried again gives another one under the same source. */
  #valueNumber(source: number): number {
    const { plan, ledger } = this.#scheduler;
    if (plan.retries === undefined || source < 0) return this.#number(source);
    const finished = ledger.finished[source < plan.size ? source : plan.picks[source - plan.size].atom];
    let value = this.#values.get(source);
    if (value?.finished !== finished) {
      value = { finished, number: value === undefined ? source : this.#valueCount++ };
      this.#values.set(source, value);
    }
    return value.number;
  }

  #usesOf(source: number): number {
    if (!this.#uses) {
      const { plan, ledger } = this.#scheduler;
      const { binding } = ledger;
      this.#uses = new Int32Array(plan.size + plan.picks.length + binding.inputs.length);
      for (const used of binding.args) if (used !== CONSTANT) this.#uses[this.#number(used)]++;
    }
    return this.#uses[this.#number(source)];
  }

  #revert(atom: number, { provision }: TaskAtom): WireRevert {
    const { result, flowFailures } = this.#scheduler.ledger.revertExtrasOf(atom);
    const failure = this.#scheduler.ledger.failures.get(atom);
    if (this.#failures?.all !== flowFailures) {
      const encoded = Object.entries(flowFailures).map(([task, { error }]) => [task, encodeError(error)] as const);
      this.#failures = { all: flowFailures, number: this.#valueCount++, encoded };
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
export function learn(shapes: readonly Shape[], costs: readonly number[], complete: boolean): void {
  let together = 0;
  for (let i = 0; i < costs.length; i += 3) together += costs[i + 1];
  for (let i = 0; i < costs.length; i += 3) {
    const shape = shapes.find(({ id }) => id === costs[i]);
    if (!shape) continue;
    const { cost } = shape;
    const sample = costs[i + 2] / costs[i + 1];
    // The first runs are slower than all others: what gets cheaper is believed sooner.
    if (Number.isNaN(cost.mean)) cost.mean = sample;
    else cost.mean += (sample - cost.mean) * (sample < cost.mean ? 0.5 : 0.2);
    if (!complete) cost.company = Math.max(1, cost.company >> 1);
    else if (together >= cost.company) cost.company = Math.min(MOST, cost.company * 2);
  }
}
