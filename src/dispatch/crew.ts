/**
 * Threads that schedule themselves: they share what is left of a plan, take ready tasks from it without asking, and tell every few
 * ms how far they have come. The scheduler then hears of one task after the other, as if each had come by itself.
 *
 * A crew is stopped by whatever needs to be thought about: a failure, the death of a thread, a value that its memory cannot hold, an
 * abort, other runs that wait. What it has not begun then goes back to the scheduler.
 */
import type { RunHost } from '../engine/index.js';
import { named, nameOf } from '../plan/index.js';
import {
  CANCEL,
  type CrewWork,
  decodeError,
  type EncodedError,
  encodeError,
  type FromWorker,
  HALT,
  LOGGED,
  RUNNING_MEMBER,
  RUNNING_PACKET,
  Slots,
  STOP,
  type ToWorker,
  wake,
} from '../wire/index.js';
import { LONGEST_DELAY } from './context.js';
import { deathOf, takenDown, UnhandledInWorker, warnOfDeath } from './deaths.js';
import type { Draft, Flight, FlightOwner, Lane } from './lane.js';
import { aborted } from './local.js';
import type { Muster } from './muster.js';
import { noteResult } from './muster.js';
import { learn } from './packets.js';

/** So long the scheduler's thread may handle what has ended, in ms, before the event loop turns. */
const SLICE = 3;

type Posted = { readonly value?: unknown; readonly error?: EncodedError };

/** What a crew tells of itself. */
export interface CrewEvents {
  /** It has come further, so that the run may go on. */
  advanced(): void;
  /** Nothing of it runs any more, and what it has not run is put back. `well`: another one may take over. */
  ended(well: boolean): void;
}

export class Crew implements FlightOwner {
  readonly run: number;
  readonly #host: RunHost;
  readonly #muster: Muster;
  readonly #work: CrewWork;
  readonly #slots: Slots;
  readonly #draft: Draft;
  readonly #events: CrewEvents;
  readonly #flights = new Set<Flight>();
  readonly #posted = new Map<number, Posted>();
  /** The atoms that are known to run, and those that have ended. */
  readonly #shown = new Set<number>();
  readonly #ended: Uint8Array;
  /** What threads died of, and the atoms that ran on them. */
  readonly #deaths: { readonly atom: number | undefined; readonly error: unknown }[] = [];
  /** How much of the log has been handled. */
  #read = 0;
  #stopping = false;
  #well = true;
  #aborted: { readonly reason: unknown } | undefined;
  /** The thread that was asked to leave the others. */
  #leaving: Flight | undefined;
  #slice: NodeJS.Immediate | undefined;
  #over = false;

  constructor(host: RunHost, run: number, muster: Muster, events: CrewEvents) {
    const { plan, ledger } = host.scheduler;
    this.run = run;
    this.#host = host;
    this.#muster = muster;
    this.#work = muster.work;
    this.#slots = new Slots(muster.work);
    this.#events = events;
    this.#ended = new Uint8Array(plan.size);
    this.#draft = {
      ...{
        atoms: [],
        columns: [],
        names: '',
        plain: true,
        inner: undefined,
        keep: undefined,
        stay: undefined,
        last: undefined,
        borrowed: [],
        moves: undefined,
        revert: undefined,
      },
      ...{ flow: plan.name, key: ledger.key, turns: muster.turns, crew: muster.work },
      kinds: new Set(muster.shapes),
      shapes: muster.shapes.flatMap(({ id }) => [id, 0]),
      ...{ budget: Infinity, timed: false, long: true, expected: Number.NaN },
    };
  }

  get flying(): boolean {
    return this.#flights.size > 0;
  }

  /** One more thread takes part; `false`: there is nothing more to take. */
  join(lane: Lane): boolean {
    if (this.#stopping || Atomics.load(this.#work.control, LOGGED) >= this.#work.total) return false;
    this.#flights.add(lane.send(this.#draft, this));
    return true;
  }

  /** One thread is needed for something else. */
  release(): void {
    if (this.#leaving || this.#stopping) return;
    const [flight] = this.#flights;
    if (!flight || this.recall(flight)) return;
    this.#leaving = flight;
    flight.lane.raise(flight, STOP);
    wake(this.#work.control);
  }

  /** No more tasks begin. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    Atomics.store(this.#work.control, HALT, 1);
    wake(this.#work.control);
    for (const flight of this.#flights) this.recall(flight);
    this.#later();
  }

  /** As `stop()`, and the tasks that run are told to end; the threads of those that do not within the grace are ended. */
  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = { reason };
    this.stop();
    for (const flight of this.#flights) {
      const { lane } = flight;
      lane.raise(flight, CANCEL);
      lane.thread.post({ type: 'cancel', id: flight.id, reason: encodeError(reason) } satisfies ToWorker);
      const error = aborted({ name: this.#host.scheduler.plan.name }, reason);
      flight.timer = setTimeout(() => lane.thread.terminate(error), Math.min(this.#host.abortGrace, LONGEST_DELAY));
    }
  }

  first(): void {}

  recall(flight: Flight): boolean {
    if (!flight.lane.takeBack(flight)) return false;
    this.#flights.delete(flight);
    this.#later();
    return true;
  }

  received(flight: Flight, message: Exclude<FromWorker, { type: 'fatal' | 'value' }>): void {
    const { scheduler } = this.#host;
    switch (message.type) {
      case 'crew':
        if (message.posted) this.#posted.set(message.posted.atom, message.posted);
        learn(this.#draft.kinds, message.costs, { complete: true, plain: true });
        break;
      case 'done':
        if (message.last) this.#left(flight);
        break;
      default:
        this.#handle();
        if (this.#ended[message.member] === 1) return;
        this.#show(message.member);
        if (message.type === 'progress')
          scheduler.progress(nameOf(scheduler.plan, message.member), message.fraction, message.details);
        else if (message.type === 'log')
          scheduler.log(nameOf(scheduler.plan, message.member), message.message, message.details);
        return;
    }
    if (!this.#slice) this.#handle();
  }

  advance(): void {
    this.#events.advanced();
  }

  lost(flight: Flight, error: unknown, member: number | undefined): void {
    this.#left(flight);
    this.#well = false;
    this.#deaths.push({ atom: member, error });
    this.stop();
    this.#later();
  }

  #left(flight: Flight): void {
    this.#flights.delete(flight);
    if (this.#leaving === flight) this.#leaving = undefined;
  }

  #later(): void {
    this.#slice ??= setImmediate(() => {
      this.#slice = undefined;
      this.#handle();
    });
  }

  /** Handles what is in the log, for as long as a slice, and ends the crew if nothing of it is left. */
  #handle(): void {
    if (this.#over) return;
    const { log, control, total } = this.#work;
    const written = Atomics.load(control, LOGGED);
    const doubtful = this.#doubtful();
    const until = performance.now() + SLICE;
    const before = this.#read;
    while (this.#read < written) {
      const entry = Atomics.load(log, this.#read);
      if (entry === 0 || doubtful.includes(Math.abs(entry)) || !this.#end(entry)) break;
      this.#read++;
      if (this.#read % 64 === 0 && performance.now() > until) {
        this.#later();
        break;
      }
    }
    if (this.#slice === undefined && this.#flights.size === 0 && (this.#stopping || this.#read === total))
      this.#finish();
    else if (this.#read > before) queueMicrotask(() => this.#events.advanced());
  }

  /** The atoms that threads have died of, or may yet though they have ended; counted from 1. To be asked after how much is written. */
  #doubtful(): number[] {
    const last: number[] = [];
    for (const { id, lane } of this.#flights) {
      const { words } = lane.thread;
      if (Atomics.load(words, RUNNING_PACKET) === id) last.push(Atomics.load(words, RUNNING_MEMBER));
    }
    for (const { atom } of this.#deaths) if (atom !== undefined) last.push(atom + 1);
    return last;
  }

  /** Handles an entry of the log; `false`: its result is still on its way. */
  #end(entry: number): boolean {
    const { scheduler } = this.#host;
    const atom = Math.abs(entry) - 1;
    if (entry > 0) {
      this.#begin(atom);
      this.#ended[atom] = 1;
      scheduler.finish(atom, this.#slots.get(atom));
      return true;
    }
    const posted = this.#posted.get(atom);
    if (!posted) return false;
    this.#posted.delete(atom);
    this.#begin(atom);
    this.#ended[atom] = 1;
    if (posted.error) {
      this.#well = false;
      this.#fail(atom, decodeError(posted.error, this.#host.callerStack));
      this.stop();
    } else {
      const { shape } = scheduler.plan.atoms[atom];
      noteResult(shape, posted.value);
      scheduler.finish(atom, posted.value);
      // A thread that has found that others wait for it has stopped the crew.
      if (Atomics.load(this.#work.control, HALT) !== 0) this.stop();
    }
    return true;
  }

  #fail(atom: number, error: unknown): void {
    const { scheduler } = this.#host;
    const stopped = this.#aborted && aborted(named(scheduler.plan, atom), this.#aborted.reason);
    scheduler.fail(atom, stopped ?? error);
  }

  /** An atom is known to run before it has ended. */
  #show(atom: number): void {
    if (this.#shown.has(atom)) return;
    this.#begin(atom);
    this.#shown.add(atom);
  }

  #begin(atom: number): void {
    if (this.#shown.size > 0 && this.#shown.delete(atom)) return;
    this.#host.scheduler.held--;
    this.#host.scheduler.begin(atom);
  }

  /** No thread is left. What was lost with one has failed, and what has not begun goes back. */
  #finish(): void {
    const { scheduler } = this.#host;
    this.#over = true;
    const blamed = new Set(this.#deaths.map(({ atom }) => atom));
    for (const entry of this.#unread()) {
      const atom = Math.abs(entry) - 1;
      if (blamed.has(atom) || this.#end(entry)) continue;
      // Its result was on its way when the thread died.
      const name = nameOf(scheduler.plan, atom);
      this.#die(atom, takenDown(name, deathOf(name, this.#deaths[0]?.error)));
    }
    for (const { atom, error } of this.#deaths) {
      if (atom !== undefined && this.#ended[atom] === 0) this.#die(atom, deathOf(nameOf(scheduler.plan, atom), error));
      else if (error instanceof UnhandledInWorker) warnOfDeath(error.cause);
    }
    if (this.#stopping) for (const atom of this.#muster.atoms) if (this.#ended[atom] === 0) this.#putBack(atom);
    this.#events.ended(this.#well);
  }

  /** What stands in the log behind an entry that could not be handled, or was never written. */
  *#unread(): Iterable<number> {
    const { log, total } = this.#work;
    for (; this.#read < total; this.#read++) {
      const entry = Atomics.load(log, this.#read);
      if (entry !== 0) yield entry;
    }
  }

  #die(atom: number, error: unknown): void {
    this.#begin(atom);
    this.#ended[atom] = 1;
    this.#fail(atom, error);
  }

  #putBack(atom: number): void {
    const { scheduler } = this.#host;
    if (this.#shown.delete(atom)) scheduler.unbegin(atom);
    else scheduler.held--;
    scheduler.putBack(atom);
  }
}
