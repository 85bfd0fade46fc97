/**
 * Bulky values stay on the thread that made them until a task needs them elsewhere: a task goes where its largest input is, and what it
 * needs from other threads is fetched first. To copy 16 MiB to this thread and to another one takes some 20 ms.
 *
 * A thread may be lost, and what only it has with it. So this is for flows of which nothing would go on after that; and before a thread
 * begins with something of another run, it sends what it has. It does, too, before it begins with what may take long: nobody has to wait
 * for a value more than some ms.
 */
import type { Ledger, Scheduler } from '../engine/index.js';
import { type Kinds, kindsOf } from '../plan/index.js';
import type { Atoms } from '../wire/index.js';
import type { Lane } from './lane.js';

/** A value on a thread. */
interface Resident {
  readonly lane: Lane;
  readonly bytes: number;
  /** Whether it was asked for, and has not come. */
  asked: boolean;
}

/** What an atom lacks: the value of another one, and why. */
export interface Loss {
  readonly atom: number;
  readonly source: number;
  readonly error: unknown;
}

export class Residents {
  readonly #scheduler: Scheduler;
  readonly #ledger: Ledger;
  readonly #run: number;
  readonly #kinds: Kinds;
  /** By the atom whose result it is. Some of them are here as well. */
  readonly #all = new Map<number, Resident>();
  /** The atoms that were taken and are to go to a thread, because of what it has. */
  readonly #pinned = new Map<Lane, number[]>();
  /** The atoms that were taken and wait for values to be fetched. */
  #delayed: number[] = [];
  /** Whether values of the flow may stay on threads, as far as that is known from the start. */
  readonly #allowed: boolean;
  /** For each atom whether a task on this thread needs its result. */
  #neededHere: Uint8Array | undefined;

  constructor(scheduler: Scheduler, run: number) {
    const { plan } = scheduler;
    this.#scheduler = scheduler;
    this.#ledger = scheduler.ledger;
    this.#run = run;
    this.#kinds = kindsOf(plan);
    this.#allowed = plan.retries === undefined && !scheduler.goesOn;
  }

  /** Whether there is any. */
  get some(): boolean {
    return this.#all.size > 0 || this.#ledger.away.size > 0;
  }

  has(atom: number): boolean {
    return this.#all.has(atom);
  }

  /** Whether atoms wait for the threads that have what they need. */
  get waiting(): boolean {
    return this.#pinned.size > 0 && !this.#scheduler.halted;
  }

  /** Whether the results of atoms may stay on a thread now; which of them, `mayStay()` tells. */
  get open(): boolean {
    return this.#allowed && this.#scheduler.quiet && this.#ledger.releases;
  }

  /** Whether an atom's result may stay on a thread, while the residents are `open`: only tasks that travel need it. */
  mayStay(atom: number): boolean {
    if (!this.#ledger.isWantedByTasks(atom)) return false;
    this.#neededHere ??= this.#findNeededHere();
    return this.#neededHere[atom] !== 1;
  }

  /** The result of an atom has stayed on a thread. */
  add(atom: number, lane: Lane, bytes: number): void {
    this.#all.set(atom, { lane, bytes, asked: false });
    this.#ledger.away.set(atom, undefined);
    lane.keep(this.#run, [atom]);
  }

  /** Takes the next ready atom that may go to a thread; -1: there is none now. Those that had better go to another one are pinned to that. */
  take(lane: Lane): number {
    const scheduler = this.#scheduler;
    if (!this.some) return scheduler.takeReady();
    const pinned = this.#pinned.get(lane);
    if (pinned) {
      const atom = pinned.shift()!;
      if (pinned.length === 0) this.#pinned.delete(lane);
      scheduler.held--;
      return atom;
    }
    for (;;) {
      const atom = scheduler.takeReady();
      if (atom < 0 || this.isNear(atom, lane)) return atom;
      this.#setAside(atom);
    }
  }

  /** Whether all that an atom needs is here or on a thread. Of what is lost that can be said, too. */
  isNear(atom: number, lane: Lane): boolean {
    if (!this.some) return true;
    const sources = this.#missing(atom);
    if (sources.some((source) => this.#isLost(source))) return true;
    return sources.every((source) => this.#all.get(source)!.lane === lane);
  }

  /** The first of some atoms for which something is lost. */
  lossAmong(atoms: Atoms): Loss | undefined {
    if (!this.some) return undefined;
    for (const atom of atoms) {
      const source = this.#missing(atom).find((one) => this.#isLost(one));
      if (source !== undefined) return { atom, source, error: this.#ledger.away.get(source) };
    }
    return undefined;
  }

  /** A thread that can take an atom that is pinned to it. */
  ready(): Lane | undefined {
    for (const lane of this.#pinned.keys()) if (lane.open) return lane;
    return undefined;
  }

  /** A thread has nothing to do: where several atoms wait for a busy one, it is to have some of them, once what they need has come. */
  share(): void {
    for (const [lane, atoms] of this.#pinned) {
      if (atoms.length < 2) continue;
      const atom = atoms.pop()!;
      this.#delayed.push(atom);
      this.#fetch(lane, this.#missing(atom));
    }
  }

  /** A value has come from a thread, or cannot. */
  arrived(atom: number, value: unknown, error: unknown): void {
    const { away, results } = this.#ledger;
    if (!away.has(atom) || this.#isLost(atom)) return;
    this.#answered(this.#all.get(atom)!);
    if (error === undefined) {
      away.delete(atom);
      results[atom] = value;
    } else {
      away.set(atom, error);
    }
    this.#release();
  }

  /** A thread has died, and what it had is lost. */
  died(lane: Lane, error: unknown): void {
    const { away } = this.#ledger;
    for (const [atom, resident] of this.#all) {
      if (resident.lane !== lane || !away.has(atom)) continue;
      this.#answered(resident);
      away.set(atom, error);
    }
    this.#release();
  }

  /** Tasks have ended: of the values that they needed, threads need not keep what nobody needs any more. */
  tidy(atoms: Iterable<number>): void {
    for (const atom of atoms) {
      const resident = this.#all.get(atom);
      if (!resident || !this.#ledger.hasReleased(atom)) continue;
      this.#answered(resident);
      this.#all.delete(atom);
      this.#ledger.away.delete(atom);
      if (!resident.lane.dead) resident.lane.drop(this.#run, [atom]);
    }
  }

  /** The run stops: nothing waits for a thread any more, and if the run is going to go on later, all values come here. */
  withdraw(): void {
    this.#release();
    if (this.#scheduler.suspended) this.comeHome();
  }

  /** Fetches all that is not here. Returns whether there was nothing. */
  comeHome(): boolean {
    const { away } = this.#ledger;
    for (const [atom, error] of away) if (error === undefined) this.#fetch(this.#all.get(atom)!.lane, [atom]);
    return away.size === 0;
  }

  /** An atom cannot go to a thread: it goes where most of what it needs is, and the rest is fetched. */
  #setAside(atom: number): void {
    let place: Resident | undefined;
    const sources = this.#missing(atom);
    for (const source of sources) {
      const resident = this.#all.get(source)!;
      if (!place || resident.bytes > place.bytes) place = resident;
    }
    this.#scheduler.held++;
    const { lane } = place!;
    for (const source of sources) {
      const other = this.#all.get(source)!.lane;
      if (other !== lane) this.#fetch(other, [source]);
    }
    if (sources.some((source) => this.#all.get(source)!.asked)) {
      this.#delayed.push(atom);
    } else {
      const pinned = this.#pinned.get(lane);
      if (pinned) pinned.push(atom);
      else this.#pinned.set(lane, [atom]);
    }
  }

  /** What was asked for counts as held: until it has come, the run is not over. */
  #fetch(lane: Lane, sources: readonly number[]): void {
    const values = sources.filter((source) => {
      const resident = this.#all.get(source)!;
      if (resident.asked) return false;
      resident.asked = true;
      this.#scheduler.held++;
      return true;
    });
    if (values.length > 0) lane.thread.post({ type: 'fetch', run: this.#run, values });
  }

  #answered(resident: Resident): void {
    if (resident.asked) this.#scheduler.held--;
    resident.asked = false;
  }

  /** Where values are has changed: what was set aside is looked at again. */
  #release(): void {
    const scheduler = this.#scheduler;
    const atoms = [...this.#pinned.values(), this.#delayed].flat();
    this.#pinned.clear();
    this.#delayed = [];
    for (const atom of atoms) {
      scheduler.held--;
      scheduler.putBack(atom);
    }
  }

  /** What an atom needs and is not here. */
  #missing(atom: number): number[] {
    const { argStart } = this.#scheduler.plan;
    const { away, binding } = this.#ledger;
    const missing: number[] = [];
    for (let at = argStart[atom]; at < argStart[atom + 1]; at++) {
      const source = binding.args[at];
      if (away.has(source) && !missing.includes(source)) missing.push(source);
    }
    return missing;
  }

  #isLost(atom: number): boolean {
    return this.#ledger.away.get(atom) !== undefined;
  }

  #findNeededHere(): Uint8Array {
    const { plan, ledger } = this.#scheduler;
    const { of, samples } = this.#kinds;
    const needed = new Uint8Array(plan.size);
    if (samples.every(({ travels }) => travels)) return needed;
    for (let atom = 0; atom < plan.size; atom++) {
      if (samples[of[atom]].travels) continue;
      for (let at = plan.argStart[atom]; at < plan.argStart[atom + 1]; at++) {
        const source = ledger.binding.args[at];
        if (source >= 0 && source < plan.size) needed[source] = 1;
      }
    }
    return needed;
  }
}
