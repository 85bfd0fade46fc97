/**
 * A thread as one of a crew: it takes ready tasks from a plan in shared memory, together with the other threads, and the scheduler
 * only hears every few ms how far they have come.
 *
 * This is a hot path: a step costs some 0.1 us beside the task. A ready successor is run at once; others go into the queue that all
 * share, from which each takes a few at a time.
 */
import { type Definition, isThenable, thread } from '../src/atoms/index.js';
import {
  type CrewWork,
  type EncodedError,
  encodeError,
  fitsSlot,
  HALT,
  HEAD,
  LOGGED,
  type Packet,
  RUNNING_MEMBER,
  SIGNAL,
  SLEEPERS,
  Slots,
  STARTED,
  TAIL,
  type WireShape,
  wake,
} from '../src/wire/index.js';
import { type ContextHost, WorkerContext } from './context.js';
import { load } from './modules.js';

/** After so many ms the scheduler hears of what has ended. */
const REPORT = 4;
/** After so many ms the event loop turns. */
const TURN = 10;
/** So many small tasks may run before someone looks at the clock. */
const STRIDE = 64;
/** So often a thread looks for work before it sleeps: some 100 us, which is what it takes to wake up. */
const SPINS = 3_000;
/** A thread that sleeps lets its event loop turn every so many ms. */
const NAP = 5;

export type CrewShape = WireShape & { definition?: Definition };

/** What a hand needs of the thread that it works for. */
export interface CrewHost extends ContextHost {
  /** Whether the task that runs has said something. */
  readonly hasTold: boolean;
  /** The context of the task that runs now. */
  enter(context: WorkerContext): void;
  /** Others will see what runs, as it takes long. */
  tellRunning(): void;
  /** Says that more has been logged; costs are a shape, how many of it, and ms. */
  tellLogged(costs: readonly number[]): void;
  /** Sends a result that fits no slot. Returns why it cannot be sent, if it cannot. */
  postResult(atom: number, result: unknown): EncodedError | undefined;
  postFailure(atom: number, error: EncodedError): void;
}

export class CrewHand {
  readonly #packet: Packet;
  readonly #work: CrewWork;
  readonly #shapes: readonly CrewShape[];
  readonly #host: CrewHost;
  readonly #slots: Slots;
  readonly #flag: number;
  readonly #names: { all?: readonly string[] } = {};
  /** Nodes that have become ready and are not placed yet. */
  readonly #fresh: number[] = [];
  /** The atom to run next, without a queue. */
  #next = -1;
  /** The part of the queue that is ours. */
  #at = 0;
  #end = 0;
  #reported = 0;
  /** How many tasks have run since the last report, and how long they took, in ms. */
  #count = 0;
  #spent = 0;
  #lastReport = performance.now();
  #lastTurn = this.#lastReport;

  constructor(packet: Packet, shapes: readonly CrewShape[], flag: number, host: CrewHost) {
    this.#packet = packet;
    this.#work = packet.crew!;
    this.#shapes = shapes;
    this.#host = host;
    this.#slots = new Slots(this.#work);
    this.#flag = flag;
  }

  /** Runs tasks until none is left, or the thread is called away. */
  async run(): Promise<void> {
    const overdue = setInterval(() => this.#host.tellRunning(), 2 * TURN);
    try {
      await this.#loop();
    } finally {
      clearInterval(overdue);
    }
  }

  async #loop(): Promise<void> {
    const { control, shapes } = this.#work;
    const { words } = this.#host;
    let stride = 1;
    let count = 0;
    let last = performance.now();
    for (;;) {
      if (Atomics.load(control, HALT) !== 0) break;
      const leaving = Atomics.load(words, this.#flag) !== STARTED;
      const atom = this.#take(leaving);
      if (atom < 0) {
        if (leaving || !(await this.#idle())) break;
        last = performance.now();
        count = 0;
        continue;
      }
      Atomics.store(words, RUNNING_MEMBER, atom + 1);
      const shape = this.#shapes[shapes[atom]];
      const context = new CrewContext(this.#host, this.#packet, atom, this.#names);
      this.#host.enter(context);
      let posted = false;
      try {
        shape.definition ??= await load(shape);
        let result = shape.definition.execute(this.#arguments(atom, shape.params), context);
        if (isThenable(result)) result = await result;
        posted = this.#host.hasTold || thread().transfers!.length > 0;
        if (!this.#slots.put(atom, result) || posted) {
          posted = true;
          if (!this.#post(atom, result)) break;
        }
      } catch (error) {
        this.#fail(atom, encodeError(error, `Task '${context.name}'`));
        break;
      }
      if (++count >= stride) {
        const now = performance.now();
        // Tasks that are small so far are measured many at a time.
        stride = now - last < 0.5 ? Math.min(STRIDE, stride * 2) : 1;
        this.#count += count;
        this.#spent += now - last;
        if (now - this.#lastReport >= REPORT) this.#report(now);
        last = now;
        count = 0;
        if (now - this.#lastTurn >= TURN) {
          await turn();
          last = performance.now();
          this.#lastTurn = last;
        }
      }
      this.#publish(posted ? -atom - 1 : atom + 1, leaving);
    }
    await this.#clear();
  }

  #arguments(atom: number, params: readonly string[]): Record<string, unknown> {
    const { args, argStart } = this.#work;
    const given: Record<string, unknown> = {};
    for (let i = 0, at = argStart[atom]; i < params.length; i++, at++) given[params[i]] = this.#slots.get(args[at]);
    return given;
  }

  /** The next atom; -1: there is none now. Who leaves only runs what it alone can run. */
  #take(leaving: boolean): number {
    const { control, queue, hands, chunk } = this.#work;
    if (this.#next >= 0) {
      const atom = this.#next;
      this.#next = -1;
      if (!leaving) return atom;
      this.#fresh.push(atom);
      this.#enqueue();
    }
    while (this.#at === this.#end) {
      if (leaving) return -1;
      const head = Atomics.load(control, HEAD);
      const ready = Atomics.load(control, TAIL) - head;
      if (ready <= 0) return -1;
      const share = Math.min(chunk, Math.ceil(ready / (4 * hands)));
      if (Atomics.compareExchange(control, HEAD, head, head + share) !== head) continue;
      this.#at = head;
      this.#end = head + share;
    }
    // Its place is taken before it is written. Whoever was to write it may have died, and then the crew is told to stop.
    let entry = Atomics.load(queue, this.#at);
    while (entry === 0 && Atomics.load(control, HALT) === 0) entry = Atomics.load(queue, this.#at);
    this.#at++;
    return entry - 1;
  }

  /** An atom has ended well: what waited for it may be ready. */
  #publish(entry: number, leaving: boolean): void {
    const { start, to, left, size } = this.#work;
    this.#log(entry);
    const fresh = this.#fresh;
    for (let node = Math.abs(entry) - 1; ; ) {
      for (let e = start[node]; e < start[node + 1]; e++) {
        const next = to[e];
        if (Atomics.sub(left, next, 1) === 1) fresh.push(next);
      }
      // Joints are no work: what waits for them may be ready at once.
      let joint = fresh.length - 1;
      while (joint >= 0 && fresh[joint] < size) joint--;
      if (joint < 0) break;
      node = fresh[joint];
      fresh[joint] = fresh[fresh.length - 1];
      fresh.length--;
    }
    if (fresh.length === 0) return;
    if (!leaving && this.#next < 0) {
      this.#next = fresh[0];
      fresh[0] = fresh[fresh.length - 1];
      fresh.length--;
    }
    this.#enqueue();
  }

  #enqueue(): void {
    const fresh = this.#fresh;
    if (fresh.length === 0) return;
    const { control, queue } = this.#work;
    const tail = Atomics.add(control, TAIL, fresh.length);
    for (let i = 0; i < fresh.length; i++) Atomics.store(queue, tail + i, fresh[i] + 1);
    fresh.length = 0;
    if (Atomics.load(control, SLEEPERS) > 0) wake(control);
  }

  #log(entry: number): void {
    const { control, log, total } = this.#work;
    const place = Atomics.add(control, LOGGED, 1);
    Atomics.store(log, place, entry);
    if (place + 1 === total) wake(control);
  }

  /**
   * Sends a result by message: it fits no slot, or must not overtake what its task has told. Returns whether the crew goes on, which
   * it cannot when others wait for what fits no slot.
   */
  #post(atom: number, result: unknown): boolean {
    const { start } = this.#work;
    const error = this.#host.postResult(atom, result);
    if (error) {
      this.#fail(atom, error);
      return false;
    }
    if (fitsSlot(result) || start[atom] === start[atom + 1]) return true;
    this.#log(-atom - 1);
    this.#halt();
    return false;
  }

  #fail(atom: number, error: EncodedError): void {
    thread().transfers = [];
    this.#host.postFailure(atom, error);
    this.#log(-atom - 1);
    this.#halt();
  }

  #halt(): void {
    const { control } = this.#work;
    Atomics.store(control, HALT, 1);
    wake(control);
  }

  /** Waits for something to do. Returns whether there may be. */
  async #idle(): Promise<boolean> {
    const { control, total } = this.#work;
    for (let spin = 0; spin < SPINS; spin++) if (this.#called(control, total)) return this.#goesOn(control, total);
    await this.#clear();
    this.#report(performance.now());
    Atomics.add(control, SLEEPERS, 1);
    const signal = Atomics.load(control, SIGNAL);
    if (!this.#called(control, total)) Atomics.wait(control, SIGNAL, signal, NAP);
    Atomics.sub(control, SLEEPERS, 1);
    await turn();
    return this.#goesOn(control, total);
  }

  #called(control: Int32Array, total: number): boolean {
    return (
      Atomics.load(control, HEAD) < Atomics.load(control, TAIL) ||
      Atomics.load(control, HALT) !== 0 ||
      Atomics.load(control, LOGGED) >= total ||
      Atomics.load(this.#host.words, this.#flag) !== STARTED
    );
  }

  #goesOn(control: Int32Array, total: number): boolean {
    return Atomics.load(control, HALT) === 0 && Atomics.load(control, LOGGED) < total;
  }

  #report(now: number): void {
    this.#lastReport = now;
    const logged = Atomics.load(this.#work.control, LOGGED);
    if (logged === this.#reported) return;
    this.#reported = logged;
    // Tasks of several kinds are not told apart.
    const known = this.#shapes.length === 1 && this.#count > 0;
    this.#host.tellLogged(known ? [this.#shapes[0].id, this.#count, this.#spent] : []);
    this.#count = 0;
    this.#spent = 0;
  }

  /** Lets the event loop turn: if the thread lives on, what ran last is not to blame for anything. */
  async #clear(): Promise<void> {
    await turn();
    this.#lastTurn = performance.now();
    if (Atomics.exchange(this.#host.words, RUNNING_MEMBER, 0) > 0) this.#reported = -1;
  }
}

/** Lets the event loop turn, for messages and for what was thrown and not caught. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The context of a task of a crew. Its name is looked up when it asks. */
class CrewContext extends WorkerContext {
  readonly #work: CrewWork;
  readonly #atom: number;
  readonly #names: { all?: readonly string[] };

  constructor(host: ContextHost, packet: Packet, atom: number, names: { all?: readonly string[] }) {
    super(host, packet, atom);
    this.#work = packet.crew!;
    this.#atom = atom;
    this.#names = names;
  }

  override get name(): string {
    // A decoder does not take shared memory.
    this.#names.all ??= new TextDecoder().decode(this.#work.names.slice()).split('\n');
    return this.#names.all[this.#atom];
  }
}
