/** A worker thread as the pool sees it: the packets that it holds, and what it knows. */
import type { Shape } from '../atoms/index.js';
import {
  type Atoms,
  FLAGS,
  type FromWorker,
  type Packet,
  RUNNING_MEMBER,
  RUNNING_PACKET,
  TAKEN_BACK,
  type ToWorker,
  WAITING,
} from '../wire/index.js';
import type { Thread } from './threads.js';

/** A packet before it is sent: what does not depend on the thread. */
export interface Draft extends Omit<Packet, 'type' | 'id' | 'flag' | 'run' | 'define'> {
  /** The atoms of its members. */
  readonly atoms: Atoms;
  /** Their shapes. */
  readonly kinds: ReadonlySet<Shape>;
  /** Whether its arguments cost next to nothing to send. */
  readonly plain: boolean;
  /** The memory that moves to the thread, by the atom whose result it is. */
  readonly moves: ReadonlyMap<number, readonly ArrayBuffer[]> | undefined;
  /** The atoms whose results, which stayed with a thread, are among the arguments. */
  readonly borrowed: readonly number[];
  /** How long it is thought to take, in ms; `NaN`: unknown. */
  readonly expected: number;
}

/** A packet on its way. */
export interface Flight {
  readonly id: number;
  readonly flag: number;
  readonly lane: Lane;
  readonly draft: Draft;
  /** Who sent it; `undefined` once it was taken back. */
  owner: FlightOwner | undefined;
  /** How many members the scheduler knows to have begun, and how many to have ended. */
  begun: number;
  ended: number;
  /** Why its running member was told to stop. */
  stopped: Error | undefined;
  /** For the timeout of its member, or for the grace after it was told to stop. */
  timer: NodeJS.Timeout | undefined;
}

/** Is told what becomes of its packets. */
export interface FlightOwner {
  /** A number of its own. */
  readonly run: number;
  /** The flight is the one that the thread runs now. */
  first(flight: Flight): void;
  /** The thread has sent something about it. */
  received(flight: Flight, message: Exclude<FromWorker, { type: 'fatal' | 'value' }>): void;
  /** Another thread has nothing to do: the flight may be taken back, if it has not started. Returns whether it was. */
  recall(flight: Flight): boolean;
  /** What has become known of its packets may let the run go on. */
  advance(): void;
  /** The thread has died. `member` is the one that ran; `undefined`: none did. */
  lost(flight: Flight, error: unknown, member: number | undefined): void;
}

/** So many packets may be with a thread: the one that runs, and one that hides how long the next one is on its way. */
const HOLD = 2;
/** As long as a thread keeps no more values than this, it is not asked which of them can go. */
const FEW = 8;
/** Behind a packet that takes longer, in ms, nothing waits: another thread may be free sooner. */
export const SHORT = 8;

let lastId = 0;

export class Lane {
  readonly thread: Thread;
  /** The packets with the thread, the running one first. */
  readonly flights: Flight[] = [];
  /** How many packets are about to be sent. */
  reserved = 0;
  /** Whether the thread has died. */
  dead = false;
  /** What the thread dies of, when it could still say so. */
  fatal: unknown;
  readonly #shapes = new Set<number>();
  /** The values that the thread keeps, by run. */
  readonly #kept = new Map<number, Set<number>>();
  /** So many may be kept for a run before it is looked again which of them can go. */
  #most = FEW;
  readonly #flags = Array.from({ length: HOLD }, (_, flag) => flag);

  constructor(thread: Thread) {
    this.thread = thread;
  }

  /** Whether the thread can take a packet now. */
  get open(): boolean {
    const held = this.flights.length + this.reserved;
    return held === 0 || (held < HOLD && this.flights.length > 0 && this.flights[0].draft.expected <= SHORT);
  }

  /** Whether the thread keeps a value of a run. */
  keeps(run: number, value: number): boolean {
    return this.#kept.get(run)?.has(value) === true;
  }

  /** The thread keeps these values of a run from now on. */
  keep(run: number, values: Iterable<number>): void {
    const kept = this.#kept.get(run) ?? new Set();
    for (const value of values) kept.add(value);
    this.#kept.set(run, kept);
  }

  /** @throws {DOMException} `DataCloneError`, and then nothing has happened */
  send(draft: Draft, owner: FlightOwner): Flight {
    const { atoms, kinds, plain, moves, borrowed, expected, ...body } = draft;
    const flag = this.#flags[this.#flags.length - 1];
    const unknown = [...kinds].filter(({ id }) => !this.#shapes.has(id));
    const packet: Packet = {
      ...body,
      ...{ type: 'packet', id: ++lastId, flag, run: owner.run },
      define: unknown.length === 0 ? undefined : unknown.map(toWire),
    };
    Atomics.store(this.thread.words, FLAGS + flag, WAITING);
    this.thread.post(packet satisfies ToWorker, moves && [...moves.values()].flat());
    this.#flags.pop();
    for (const { id } of unknown) this.#shapes.add(id);
    if (draft.keep) this.keep(owner.run, draft.keep.keys());
    const flight: Flight = {
      ...{ id: packet.id, flag, lane: this, draft, owner, begun: 0, ended: 0, stopped: undefined, timer: undefined },
    };
    this.flights.push(flight);
    if (this.flights.length === 1) owner.first(flight);
    return flight;
  }

  /** Takes a flight back, unless it has started. */
  takeBack(flight: Flight): boolean {
    if (flight === this.flights[0]) return false;
    const flag = FLAGS + flight.flag;
    if (Atomics.compareExchange(this.thread.words, flag, WAITING, TAKEN_BACK) !== WAITING) return false;
    flight.owner = undefined;
    return true;
  }

  /** Raises a flight's flag, and never lowers it. */
  raise({ flag }: Flight, value: number): void {
    const { words } = this.thread;
    if (Atomics.load(words, FLAGS + flag) < value) Atomics.store(words, FLAGS + flag, value);
  }

  /** The thread is through with a flight. */
  land(flight: Flight): void {
    clearTimeout(flight.timer);
    this.flights.splice(this.flights.indexOf(flight), 1);
    this.#flags.push(flight.flag);
    const [first] = this.flights;
    first?.owner?.first(first);
  }

  /** The thread has died: so have its flights. */
  crash(error: unknown): void {
    this.dead = true;
    const { words } = this.thread;
    const running = Atomics.load(words, RUNNING_PACKET);
    const member = Atomics.load(words, RUNNING_MEMBER) - 1;
    for (const flight of this.flights) {
      clearTimeout(flight.timer);
      flight.owner?.lost(flight, error, flight.id === running && member >= 0 ? member : undefined);
    }
  }

  /** The thread need not keep those values of a run any more that are over. It is looked seldom enough to cost nothing. */
  tidy(run: number, isOver: (value: number) => boolean): void {
    const kept = this.#kept.get(run);
    if (kept === undefined || kept.size <= this.#most) return;
    const values = [...kept].filter(isOver);
    this.drop(run, values);
    this.#most = Math.max(FEW, 2 * kept.size);
  }

  /** The thread need not keep these values of a run any more. */
  drop(run: number, values: readonly number[]): void {
    if (values.length === 0) return;
    for (const value of values) this.#kept.get(run)?.delete(value);
    this.thread.post({ type: 'drop', run, values } satisfies ToWorker);
  }

  /** A run is over: the thread need not keep anything for it. */
  forget(run: number): void {
    if (this.#kept.delete(run)) this.thread.post({ type: 'forget', run } satisfies ToWorker);
  }
}

function toWire({ id, definition, params }: Shape) {
  return { id, module: definition.module!, name: definition.name, params };
}
