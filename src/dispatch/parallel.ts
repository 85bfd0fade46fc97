/** Runs atoms on the threads of a pool, and those that do not travel on the scheduler's own. */
import { AsyncResource } from 'node:async_hooks';
import type { Dispatcher, Journal, RunHost, Scheduler } from '../engine/index.js';
import { AbortError, RunError } from '../errors.js';
import { type Named, named, nameOf } from '../plan/index.js';
import {
  type Atoms,
  CANCEL,
  type Done,
  decodeError,
  encodeError,
  type FromWorker,
  findUncloneable,
  isPlain,
  type Row,
  STOP,
  type ToWorker,
} from '../wire/index.js';
import { Budget } from './budget.js';
import { callService, LONGEST_DELAY } from './context.js';
import { Crews } from './crews.js';
import { deathOf, lostWith, takenDown } from './deaths.js';
import { InlineRunner } from './inline.js';
import type { Flight, Lane } from './lane.js';
import { aborted, timedOut } from './local.js';
import { noteResult } from './muster.js';
import { learn, Packer } from './packets.js';
import type { PoolClient, ThreadPool } from './pool.js';
import { type Loss, Residents } from './residents.js';

/** How long a worker may take to import the module of a task that has a timeout, in ms: a new thread knows no module yet. */
const LOADING = 10_000;
/** So many threads may die of a packet before it starts, as of one that is too large for their memory. */
const ATTEMPTS = 3;
/** So many atoms that run here are recorded as begun at once. */
const MOST_ADMITTED = 256;

let lastRun = 0;

export class ParallelDispatcher implements Dispatcher, PoolClient {
  readonly run = ++lastRun;
  readonly nested: boolean;
  readonly #host: RunHost;
  readonly #scheduler: Scheduler;
  readonly #pool: ThreadPool;
  readonly #here: InlineRunner;
  readonly #packer: Packer;
  readonly #residents: Residents;
  readonly #budget = new Budget(() => this.#host.settled());
  readonly #flights = new Set<Flight>();
  /** The atoms to run here that are recorded as begun. */
  readonly #admitted: number[] = [];
  readonly #caller = new AsyncResource('MillraceRun');
  /** How many threads have died before the atom, which was the next, could start. */
  readonly #deaths = new Map<number, number>();
  #stepped = false;
  /** How many packets may be sent before the next step. */
  #steps = Infinity;
  /** The threads that schedule themselves. */
  readonly #crews: Crews;
  /** No threads can be had. */
  #broken: Error | undefined;

  constructor(host: RunHost, pool: ThreadPool) {
    this.#host = host;
    this.nested = host.nested;
    this.#scheduler = host.scheduler;
    this.#pool = pool;
    this.#here = new InlineRunner(host);
    this.#residents = new Residents(host.scheduler, this.run);
    this.#crews = new Crews(host, this.run, pool, this.#residents);
    this.#packer = new Packer(host, this.run, this.#residents);
    pool.attach(this);
  }

  pump(stepped: boolean): void {
    this.#stepped = stepped;
    this.#steps = stepped ? this.#pool.size - this.#flights.size : Infinity;
    if (this.#scheduler.recalling) this.#withdraw();
    if (this.#broken) this.#doWithout(this.#broken);
    this.#pool.offer(stepped);
    const { journal } = this.#scheduler.ledger;
    let started = false;
    while (stepped ? !started : !this.#budget.spend()) {
      const atom = journal ? this.#takeAdmitted() : this.#scheduler.take('here');
      if (atom < 0) break;
      this.#here.start(atom);
      started = true;
    }
    // A step is one atom: when it is over nothing else is about to begin.
    if (journal && !(stepped && started)) this.#admit(journal, stepped ? 1 : MOST_ADMITTED);
    if (!stepped) this.#pool.offer();
    this.#crews.lookAfter(this.waiting);
    journal?.soon();
  }

  /** Records that what is ready to run here begins; it does once that is durable. */
  #admit(journal: Journal, most: number): void {
    const scheduler = this.#scheduler;
    const atoms: number[] = [];
    while (atoms.length < most) {
      const atom = scheduler.take('here');
      if (atom < 0) break;
      atoms.push(atom);
    }
    this.#startRecorded(journal, atoms);
  }

  #startRecorded(journal: Journal, atoms: Atoms): void {
    if (atoms.length === 0) return;
    this.#scheduler.held += atoms.length;
    for (const atom of atoms) journal.announce(this.#scheduler.ledger, atom);
    journal.start(() => {
      // What could not be recorded has halted the run.
      this.#admitted.push(...atoms);
      this.#host.settled();
    });
    journal.soon();
  }

  /** Takes an atom that is recorded as begun; -1 when there is none. Those that are not to start are put back. */
  #takeAdmitted(): number {
    const scheduler = this.#scheduler;
    for (let atom = this.#admitted.shift(); atom !== undefined; atom = this.#admitted.shift()) {
      scheduler.held--;
      if (!scheduler.recalls(atom)) return atom;
      scheduler.putBack(atom);
    }
    return -1;
  }

  /** Sends a packet once it is durable that its members begin. */
  #sendRecorded(journal: Journal, atoms: Atoms, lane: Lane): void {
    const scheduler = this.#scheduler;
    for (const atom of atoms) journal.announce(scheduler.ledger, atom);
    lane.reserved++;
    journal.start(() => {
      lane.reserved--;
      if (!lane.dead && !atoms.some((atom) => scheduler.recalls(atom))) {
        this.#send(atoms, lane);
        return;
      }
      scheduler.held -= atoms.length;
      for (const atom of atoms) scheduler.putBack(atom);
      this.#host.settled();
    });
    journal.soon();
  }

  abort(reason: unknown): void {
    this.#here.abort(reason);
    this.#crews.abort(reason);
    for (const flight of this.#flights) {
      if (!this.recall(flight)) this.#stop(flight, aborted(this.#runningName(flight), reason), reason);
    }
  }

  close(): void {
    this.#pool.detach(this);
  }

  get waiting(): boolean {
    return this.#scheduler.waiting > 0 || this.#residents.waiting;
  }

  get flying(): boolean {
    return this.#flights.size > 0 || this.#crews.flying;
  }

  fill(lane: Lane): boolean {
    if (this.#steps <= 0) return false;
    if (!this.waiting) return this.#crews.join(lane);
    if (!this.#stepped && this.#crews.claims(this.#flights)) return false;
    if (!this.waiting) return this.#crews.join(lane); // one has taken it all
    const scheduler = this.#scheduler;
    const reverted = scheduler.takeRevert();
    const atoms =
      reverted < 0
        ? this.#packer.take(scheduler.ready!, lane, this.#pool.size, this.#stepped, this.#pool.crowded)
        : [reverted];
    if (atoms.length === 0) return this.#fillAnother();
    this.#steps--;
    const loss = this.#residents.lossAmong(atoms);
    if (loss) {
      this.#failWithout(loss, atoms);
      return true;
    }
    scheduler.held += atoms.length;
    const { journal } = scheduler.ledger;
    if (journal) this.#sendRecorded(journal, atoms, lane);
    else this.#send(atoms, lane);
    return true;
  }

  /** What is ready is for threads that have what it needs. */
  #fillAnother(): boolean {
    const lane = this.#residents.ready();
    if (lane) return this.fill(lane);
    this.#residents.share();
    return false;
  }

  /** An atom cannot begin: what it needs was lost with a thread. */
  #failWithout({ atom, source, error }: Loss, atoms: Atoms): void {
    const scheduler = this.#scheduler;
    for (const other of atoms) if (other !== atom) scheduler.putBack(other);
    scheduler.begin(atom);
    scheduler.fail(atom, lostWith(nameOf(scheduler.plan, atom), nameOf(scheduler.plan, source), error));
    queueMicrotask(() => this.#host.settled());
  }

  fetched(atom: number, value: unknown, error: unknown): void {
    this.#residents.arrived(atom, value, error);
    if (error === undefined) this.#packer.fetched(atom, value);
    this.#host.settled();
  }

  died(lane: Lane, error: unknown): void {
    this.#residents.died(lane, error);
    this.#host.settled();
  }

  first(flight: Flight): void {
    this.#flights.add(flight); // not only when it is sent: a listener may abort as soon as it begins
    this.#begin(flight, 1);
    this.#time(flight, LOADING);
  }

  received(flight: Flight, message: Exclude<FromWorker, { type: 'fatal' | 'value' }>): void {
    switch (message.type) {
      case 'started':
        this.#begin(flight, message.member + 1);
        this.#time(flight, 0);
        return;
      case 'progress':
        this.#begin(flight, message.member + 1);
        this.#scheduler.progress(this.#nameOf(flight, message.member), message.fraction, message.details);
        return;
      case 'log':
        this.#begin(flight, message.member + 1);
        this.#scheduler.log(this.#nameOf(flight, message.member), message.message, message.details);
        return;
      case 'done':
        if (this.#stepped) this.#steps = 0; // a step ends when something has ended
        this.#done(flight, message);
    }
  }

  advance(): void {
    this.#host.settled();
  }

  recall(flight: Flight): boolean {
    if (!flight.lane.takeBack(flight)) return false;
    this.#flights.delete(flight);
    this.#giveBack(flight);
    return true;
  }

  lost(flight: Flight, error: unknown, member: number | undefined): void {
    const { atoms } = flight.draft;
    this.#flights.delete(flight); // a listener of what follows may abort
    if (member === undefined && flight === flight.lane.flights[0]) {
      const deaths = (this.#deaths.get(atoms[0]) ?? 0) + 1;
      this.#deaths.set(atoms[0], deaths);
      if (deaths === ATTEMPTS && !this.#scheduler.reverts(atoms[0])) member = 0;
    }
    // What was given to it alone is lost with the thread, and so it does not begin again.
    if (flight.draft.moves) member ??= 0;
    if (member !== undefined) {
      const death = flight.stopped ?? deathOf(this.#nameOf(flight, member), error);
      // The members before it have ended too, but nobody knows how: as they may have run, they have to be reverted.
      for (let i = flight.ended; i <= member; i++) {
        this.#begin(flight, i + 1);
        this.#scheduler.fail(atoms[i], i === member ? death : takenDown(this.#nameOf(flight, i), death));
        flight.ended++;
      }
    }
    this.#giveBack(flight);
    queueMicrotask(() => this.#host.settled());
  }

  broken(error: Error): void {
    this.#broken = error;
    this.#crews.stop();
    this.#host.settled();
  }

  /** A service sees the `AsyncLocalStorage` of the run's caller, wherever its own caller runs. */
  call(task: string, service: string, args: unknown[]): Promise<unknown> {
    return this.#caller.runInAsyncScope(() => callService(this.#host.services, task, service, args));
  }

  #done(flight: Flight, { from, results, failures, costs, stayed, last }: Done): void {
    const { atoms, kinds, plain, borrowed } = flight.draft;
    if (last) this.#flights.delete(flight); // a listener of what follows may abort
    if (stayed) this.#settleDown(flight, stayed);
    if (results.length > 0) noteResult(this.#scheduler.plan.atoms[atoms[from]].shape, results[0]);
    if (!failures) this.#packer.arrived(atoms, from, results);
    if (failures || flight.stopped || !this.#scheduler.quiet) this.#end(flight, from, results, failures);
    else this.#endQuietly(flight, from, results);
    learn(kinds, costs, {
      complete: !last || flight.ended === atoms.length,
      plain: plain && !stayed && isPlain(results),
    });
    if (last) this.#giveBack(flight);
    this.#residents.tidy(borrowed);
    if (stayed) this.#residents.tidy(atoms);
  }

  /** What members have returned has stayed with their thread: so many bytes each. */
  #settleDown({ draft, lane }: Flight, stayed: readonly number[]): void {
    const { plan } = this.#scheduler;
    for (let i = 0; i < stayed.length; i += 2) {
      const atom = draft.atoms[stayed[i]];
      this.#residents.add(atom, lane, stayed[i + 1]);
      plan.atoms[atom].shape.cost.bulky = true;
    }
    if (this.#crews.some) this.#residents.comeHome();
  }

  #end(flight: Flight, from: number, results: Row, failures: Done['failures']): void {
    const { atoms } = flight.draft;
    const { stopped } = flight;
    const failed = new Map(failures);
    for (let i = 0; i < results.length; i++) {
      const member = from + i;
      this.#begin(flight, member + 1);
      const error = failed.get(member);
      if (error) {
        this.#scheduler.fail(atoms[member], stopped ?? decodeError(error, this.#host.callerStack));
      } else if (stopped && !(stopped instanceof AbortError)) {
        this.#scheduler.fail(atoms[member], stopped); // it has ended, yet too late
      } else {
        this.#scheduler.finish(atoms[member], results[i]);
      }
      flight.ended++;
    }
  }

  /** As `#end()`, of members that have all ended well, when nobody looks on. */
  #endQuietly(flight: Flight, from: number, results: Row): void {
    const end = from + results.length;
    const scheduler = this.#scheduler;
    // Those that have not been said to begin do so now, and end.
    const unsaid = Math.max(0, end - flight.begun);
    scheduler.held -= unsaid;
    scheduler.running += unsaid;
    flight.begun += unsaid;
    scheduler.finishAll(flight.draft.atoms, from, results);
    flight.ended = end;
  }

  #begin(flight: Flight, members: number): void {
    while (flight.begun < members) {
      this.#scheduler.held--;
      this.#scheduler.begin(flight.draft.atoms[flight.begun++]);
    }
  }

  /** Puts the members back that have not ended, which is to say: that have not started. */
  #giveBack(flight: Flight): void {
    const { atoms } = flight.draft;
    for (let i = flight.ended; i < atoms.length; i++) {
      if (i < flight.begun) this.#scheduler.unbegin(atoms[i]);
      else this.#scheduler.held--;
      this.#scheduler.putBack(atoms[i]);
    }
  }

  /** Some tasks are not to start now: takes back the packets of such that wait, and lets of the others only end what runs. */
  #withdraw(): void {
    this.#crews.giveUp();
    this.#residents.withdraw();
    for (const flight of this.#flights) {
      const { atoms } = flight.draft;
      const concerned = this.#scheduler.halted || atoms.some((atom) => this.#scheduler.recalls(atom));
      if (concerned && !this.recall(flight)) flight.lane.raise(flight, STOP);
    }
  }

  /** Gives the member of a timed flight its timeout from now on, and so many ms more. */
  #time(flight: Flight, more: number): void {
    if (!flight.draft.timed || flight.stopped) return;
    clearTimeout(flight.timer);
    const timeout = this.#host.timeoutOf(this.#scheduler.plan.atoms[this.#runningAtom(flight)]);
    if (timeout + more > LONGEST_DELAY) return;
    flight.timer = setTimeout(() => {
      const error = timedOut(this.#runningName(flight), timeout);
      this.#stop(flight, error, error);
    }, timeout + more);
  }

  /** Tells the running member of a flight to stop; its thread is ended if it does not within the grace. */
  #stop(flight: Flight, error: Error, reason: unknown): void {
    if (flight.stopped) return;
    flight.stopped = error;
    const { thread } = flight.lane;
    flight.lane.raise(flight, CANCEL);
    thread.post({ type: 'cancel', id: flight.id, reason: encodeError(reason) } satisfies ToWorker);
    clearTimeout(flight.timer);
    flight.timer = setTimeout(() => thread.terminate(error), Math.min(this.#host.abortGrace, LONGEST_DELAY));
  }

  /** A packet could not be sent. Whose fault it is shows when its first member goes alone. */
  #refuse(atoms: Atoms, lane: Lane, error: unknown): void {
    const [first, ...others] = atoms;
    for (const atom of others) {
      this.#scheduler.held--;
      this.#scheduler.putBack(atom);
    }
    if (others.length > 0) {
      this.#send([first], lane);
      return;
    }
    if (this.#scheduler.reverts(first)) {
      this.#revertHere(first);
      return;
    }
    const name = nameOf(this.#scheduler.plan, first);
    const bad = findUncloneable(this.#scheduler.ledger.argumentsOf(first));
    const what = bad ? `${bad.type} at arguments${shorten(bad.path)}` : String(error);
    this.#scheduler.held--;
    this.#scheduler.begin(first);
    this.#scheduler.fail(
      first,
      new RunError(
        'ERR_MILLRACE_UNCLONEABLE_INPUT',
        `The input of task '${name}' cannot be sent to a worker: ${what}`,
        {
          task: name,
          cause: error,
        },
      ),
    );
    queueMicrotask(() => this.#host.settled());
  }

  /** What could not go to a thread need not go there to be reverted. */
  #revertHere(atom: number): void {
    this.#scheduler.held--;
    this.#here.start(atom);
    queueMicrotask(() => this.#host.settled());
  }

  #send(atoms: Atoms, lane: Lane): void {
    if (this.#scheduler.reverts(atoms[0]) && (this.#deaths.get(atoms[0]) ?? 0) >= ATTEMPTS) {
      this.#revertHere(atoms[0]);
      return;
    }
    try {
      const draft = this.#packer.draft(atoms, lane, this.#stepped || this.#crews.some);
      this.#flights.add(lane.send(draft, this));
      const { ledger } = this.#scheduler;
      for (const atom of draft.moves?.keys() ?? []) ledger.handOver(atom);
      if (draft.keep && ledger.releases) lane.tidy(this.run, (value) => ledger.hasReleasedValue(value));
    } catch (error) {
      this.#refuse(atoms, lane, error);
    }
  }

  /** There are no threads: what would run on one fails, and what is to be reverted on one is reverted here. */
  #doWithout(error: Error): void {
    const { journal } = this.#scheduler.ledger;
    for (let atom = this.#scheduler.take(); atom >= 0; atom = this.#scheduler.take()) {
      if (this.#scheduler.reverts(atom)) {
        if (journal) this.#startRecorded(journal, [atom]);
        else this.#here.start(atom);
      } else {
        this.#scheduler.begin(atom);
        this.#scheduler.fail(atom, deathOf(nameOf(this.#scheduler.plan, atom), error));
      }
    }
  }

  #nameOf(flight: Flight, member: number): string {
    return nameOf(this.#scheduler.plan, flight.draft.atoms[member]);
  }

  #runningAtom(flight: Flight): number {
    return flight.draft.atoms[Math.max(0, flight.begun - 1)];
  }

  #runningName(flight: Flight): Named {
    return named(this.#scheduler.plan, this.#runningAtom(flight));
  }
}

function shorten(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
