/** When a run is handed to a crew, and when it is taken back. */
import type { RunHost, Scheduler } from '../engine/index.js';
import { Crew } from './crew.js';
import type { Flight, Lane } from './lane.js';
import { allowsCrew, isSmall, type Muster, muster } from './muster.js';
import type { ThreadPool } from './pool.js';
import type { Residents } from './residents.js';

/** After a crew, or when too little was there for one, so many tasks must have ended before the next is looked for. */
const BETWEEN = 256;
/** How long packets that are thought to be short are waited for, so that what comes after them is for the crew too, in ms. */
const PATIENCE = 10;
/** So long a crew is mustered in one piece, in ms. */
const SLICE = 4;

export class Crews {
  readonly #host: RunHost;
  readonly #scheduler: Scheduler;
  readonly #run: number;
  readonly #pool: ThreadPool;
  readonly #residents: Residents;
  #crew: Crew | undefined;
  /** What a crew is to run is being looked for. */
  #mustering: Generator<undefined, Muster | undefined> | undefined;
  /** When so many atoms have ended, a crew may be looked for. */
  #next = 0;
  /** When the packets under way have been waited for long enough. */
  #waitUntil = 0;

  constructor(host: RunHost, run: number, pool: ThreadPool, residents: Residents) {
    this.#host = host;
    this.#scheduler = host.scheduler;
    this.#run = run;
    this.#pool = pool;
    this.#residents = residents;
  }

  /** Whether there is a crew. */
  get some(): boolean {
    return this.#crew !== undefined;
  }

  /** Whether threads are with it. */
  get flying(): boolean {
    return this.#crew?.flying === true;
  }

  /** One more thread takes part; `false`: there is no crew, or nothing more for it to take. */
  join(lane: Lane): boolean {
    return this.#crew?.join(lane) === true;
  }

  /**
   * Whether what is ready may be for a crew, so that nothing is to be sent now beside the packets that are under way. If it is, there may be one
   * from now on.
   */
  claims(flights: Iterable<Flight>): boolean {
    if (this.#mustering) return true;
    if (this.#crew || !this.#mayMuster()) return false;
    if (this.#awaits(flights)) return true;
    this.#muster();
    return this.#mustering !== undefined;
  }

  /** Other tasks, and other runs, need threads too. `waiting`: tasks of the run do. */
  lookAfter(waiting: boolean): void {
    if (!this.#crew) return;
    if (this.#scheduler.recalling || this.#pool.crowded) this.#crew.stop();
    else if (waiting) this.#crew.release();
  }

  /** There is to be no crew that is not there already. */
  giveUp(): void {
    if (!this.#mustering) return;
    this.#mustering.return(undefined);
    this.#form(undefined);
  }

  stop(): void {
    this.giveUp();
    this.#crew?.stop();
  }

  abort(reason: unknown): void {
    this.#crew?.abort(reason);
  }

  /** Whether a crew may be looked for, as far as that can be told at once: what is next is for one. */
  #mayMuster(): boolean {
    const scheduler = this.#scheduler;
    if (scheduler.ended < this.#next || scheduler.recalling || !allowsCrew(this.#host) || this.#pool.crowded)
      return false;
    const atom = scheduler.takeReady();
    if (atom < 0) return false;
    scheduler.putBack(atom);
    // Threads that schedule themselves have none of what stays on one of them.
    return isSmall(scheduler.plan.atoms[atom].shape) && this.#residents.comeHome();
  }

  /** What comes after a packet that is under way could not join: short ones are waited for. */
  #awaits(flights: Iterable<Flight>): boolean {
    let some = false;
    for (const { draft } of flights) {
      if (!(draft.expected <= PATIENCE)) return false;
      some = true;
    }
    if (!some) return false;
    const now = performance.now();
    if (this.#waitUntil === 0) {
      this.#waitUntil = now + PATIENCE;
      setTimeout(() => this.#host.settled(), PATIENCE + 1);
    }
    return now < this.#waitUntil;
  }

  #muster(): void {
    const scheduler = this.#scheduler;
    this.#waitUntil = 0;
    this.#next = scheduler.ended + Math.max(BETWEEN, (scheduler.plan.size - scheduler.ended) >> 3);
    scheduler.held++; // until it is known what the crew takes
    this.#mustering = muster(this.#host, this.#pool.size);
    this.#goOn();
  }

  /** Of a large flow mustering takes its time, and the event loop turns between. */
  #goOn(): void {
    const mustering = this.#mustering!;
    const until = performance.now() + SLICE;
    for (;;) {
      const step = mustering.next();
      if (step.done) {
        this.#form(step.value);
        return;
      }
      if (performance.now() < until) continue;
      setImmediate(() => {
        if (this.#mustering !== mustering) return;
        this.#goOn();
        this.#host.settled();
      });
      return;
    }
  }

  #form(found: Muster | undefined): void {
    const scheduler = this.#scheduler;
    scheduler.held--;
    this.#mustering = undefined;
    if (!found) return;
    this.#crew = new Crew(this.#host, this.#run, found, {
      advanced: () => this.#host.settled(),
      ended: (well) => {
        this.#crew = undefined;
        this.#next = well ? scheduler.ended + BETWEEN : Infinity;
        queueMicrotask(() => this.#host.settled());
      },
    });
  }
}
