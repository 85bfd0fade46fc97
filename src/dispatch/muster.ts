/**
 * Which part of a run a crew can take on: small tasks that travel, whose values are simple, and about which nobody need be asked
 * between the end of one and the beginning of the next.
 */
import type { Shape } from '../atoms/index.js';
import { EXECUTE, type Ledger, PENDING, type RunHost, type Scheduler, SUCCESS } from '../engine/index.js';
import { CONSTANT, INPUT, linesOf } from '../plan/index.js';
import { BARRED, CONTROL_WORDS, type CrewPlan, type CrewWork, fitsSlot, Slots, TAIL } from '../wire/index.js';

/**
 * Tasks that take longer, in ms, may as well come by message. With those of 0.2 ms that depend on each other, a crew needs 50 ms for what
 * takes 85 by message, with those of 1 ms 47 rather than 56.
 */
const SLOWEST = 4;
/** To make a crew takes 0.5 to 1 ms: it is not for fewer tasks than this, */
const FEWEST = 16;
/** nor for fewer than this, if they take less than so many ms. */
const MANY = 128;
const WORTHWHILE = 8;

/** The most atoms that a thread of a crew takes at once, */
const CHUNK = 16;
/** if they take no longer than this together, in ms. */
const AT_ONCE = 4;

/** So many atoms are looked at in one piece. */
const PIECE = 4096;

/** What a crew is to run. */
export interface Muster {
  readonly work: CrewWork;
  readonly shapes: readonly Shape[];
  readonly atoms: Int32Array;
  /** For each atom of the plan its attempt and its round; `undefined`: for all it is the first time. */
  readonly turns: Int32Array | undefined;
}

/** What is known of a plan, given where its arguments come from. */
interface Chart {
  readonly plan: CrewPlan;
  readonly shapes: readonly Shape[];
  /** For each atom whether it may be one for a crew, whatever it costs. */
  readonly fit: Uint8Array;
  /** The values of the last slots. */
  readonly constants: readonly unknown[];
  readonly slots: number;
}

/** By the sources of arguments, which belong to one plan. */
const charts = new WeakMap<Int32Array, Chart>();

/** A task has returned something; what fits no slot is remembered. */
export function noteResult(shape: Shape, result: unknown): void {
  if (!fitsSlot(result)) shape.cost.bulky = true;
}

/** Whether a task is known to be one for a crew. */
export function isSmall(shape: Shape): boolean {
  return shape.cost.mean <= SLOWEST && !shape.cost.bulky;
}

/** Whether a crew may work on a run: nothing in it is decided, tried again or recorded. */
export function allowsCrew({ scheduler, nested }: RunHost): boolean {
  const { plan, ledger } = scheduler;
  return (
    !nested &&
    plan.size - scheduler.ended >= FEWEST &&
    plan.range === undefined &&
    plan.decisions === undefined &&
    plan.retries === undefined &&
    !plan.lacking &&
    ledger.journal === undefined &&
    ledger.verdict === undefined
  );
}

/**
 * Takes from the scheduler all that a crew can run: what is ready, and what only waits for that. They count as held.
 * `undefined`: it is too little, and nothing is taken.
 *
 * Of a million tasks that takes 100 ms or more, and so it goes piece by piece. Meanwhile others may end, and nothing else may begin; who
 * gives up on it puts back what was taken so far.
 */
export function* muster(host: RunHost, hands: number): Generator<undefined, Muster | undefined> {
  const { scheduler } = host;
  const { plan, ledger } = scheduler;
  const { successors, size } = plan;
  const { start, to } = successors;
  const chart = yield* chartOf(host);
  const small = chart.shapes.map(isSmall);
  const room = new Room(scheduler, chart);
  const open = scheduler.ready!.left.slice();
  const left = shared(Int32Array, plan.nodes);
  const mine = new Uint8Array(size);
  const found = new Int32Array(size);
  const others: number[] = [];
  let total = 0;
  const qualifies = (atom: number): boolean =>
    chart.fit[atom] === 1 &&
    small[chart.plan.shapes[atom]] &&
    ledger.states[atom] === PENDING &&
    ledger.intentions[atom] === EXECUTE &&
    room.admits(atom, mine);
  left.set(open);
  /** How many of those that were found were ready, and taken. */
  let ready = 0;
  let isTaken = false;
  try {
    for (let atom = scheduler.takeReady(); atom >= 0; atom = scheduler.takeReady()) {
      if (qualifies(atom)) {
        mine[atom] = 1;
        found[ready++] = atom;
      } else {
        others.push(atom);
      }
      if ((ready + others.length) % PIECE === 0) yield;
    }
    for (const atom of others.splice(0)) scheduler.putBack(atom);
    total = ready;
    const joints: number[] = [];
    for (let at = 0; at < total; at++) {
      if (at % PIECE === PIECE - 1) yield;
      for (let node: number | undefined = found[at]; node !== undefined; node = joints.pop()) {
        for (let e = start[node]; e < start[node + 1]; e++) {
          const next = to[e];
          if (--open[next] > 0) continue;
          if (next >= size) {
            joints.push(next);
          } else if (qualifies(next)) {
            mine[next] = 1;
            found[total++] = next;
          } else {
            left[next] = BARRED;
          }
        }
      }
    }
    isTaken = total >= MANY || (total >= FEWEST && isLong(found.subarray(0, total), chart));
  } finally {
    if (!isTaken) for (const atom of [...others, ...found.subarray(0, ready)]) scheduler.putBack(atom);
  }
  if (!isTaken) return undefined;
  for (let at = ready; at < total; at++) scheduler.claim(found[at]);
  scheduler.held += total;
  const control = shared(Int32Array, CONTROL_WORDS);
  const queue = shared(Int32Array, total);
  for (let at = 0; at < ready; at++) queue[at] = found[at] + 1;
  Atomics.store(control, TAIL, ready);
  const work = {
    ...chart.plan,
    control,
    total,
    hands,
    chunk: chunkOf(chart, small),
    left,
    queue,
    log: shared(Int32Array, total),
    ...room,
  };
  return { work, shapes: chart.shapes, atoms: found.subarray(0, total), turns: turnsOf(ledger) };
}

function chunkOf({ shapes }: Chart, small: readonly boolean[]): number {
  let slowest = 0;
  for (let i = 0; i < shapes.length; i++) if (small[i]) slowest = Math.max(slowest, shapes[i].cost.mean);
  return Math.max(1, Math.min(CHUNK, Math.floor(AT_ONCE / slowest)));
}

function isLong(atoms: Int32Array, { shapes, plan }: Chart): boolean {
  let time = 0;
  for (const atom of atoms) time += shapes[plan.shapes[atom]].cost.mean;
  return time >= WORTHWHILE;
}

function turnsOf(ledger: Ledger): Int32Array | undefined {
  if (ledger.turns === undefined) return undefined;
  const turns = shared(Int32Array, 2 * ledger.plan.size);
  for (let atom = 0; atom < ledger.plan.size; atom++) {
    turns[2 * atom] = ledger.attemptOf(atom);
    turns[2 * atom + 1] = ledger.roundOf(atom);
  }
  return turns;
}

/** The slots of a run, and what stands in them from the start. */
class Room {
  readonly kinds: Uint8Array;
  readonly numbers: Float64Array;
  readonly extras: unknown[] = [];
  readonly #slots: Slots;
  readonly #scheduler: Scheduler;
  readonly #chart: Chart;
  /** By slot: 1 when it is filled, 2 when its value cannot go into one. */
  readonly #known: Uint8Array;

  constructor(scheduler: Scheduler, chart: Chart) {
    const { slots, constants } = chart;
    this.kinds = shared(Uint8Array, slots);
    this.numbers = shared(Float64Array, slots);
    this.#slots = new Slots(this);
    this.#scheduler = scheduler;
    this.#chart = chart;
    this.#known = new Uint8Array(slots);
    const first = slots - constants.length;
    for (let i = 0; i < constants.length; i++) this.#put(first + i, constants[i]);
  }

  /** Whether all arguments of an atom come from others of the crew, or can be given to it. */
  admits(atom: number, mine: Uint8Array): boolean {
    const { args, argStart } = this.#chart.plan;
    const { length } = this.#scheduler.plan.atoms[atom].mapping.params;
    for (let i = 0, at = argStart[atom]; i < length; i++, at++) {
      const slot = args[at];
      if (slot < mine.length && mine[slot] === 1) continue;
      if (this.#known[slot] === 0) this.#fetch(slot);
      if (this.#known[slot] === 2) return false;
    }
    return true;
  }

  #fetch(slot: number): void {
    const { plan, ledger } = this.#scheduler;
    const { size, picks } = plan;
    const input = slot - size - picks.length;
    if (input >= 0) {
      this.#put(slot, ledger.binding.inputs[input]);
      return;
    }
    const source = slot < size ? slot : picks[slot - size].atom;
    if (ledger.states[source] === SUCCESS && !ledger.isMissing(source)) this.#put(slot, ledger.value(slot));
    else this.#known[slot] = 2;
  }

  #put(slot: number, value: unknown): void {
    this.#known[slot] = 1;
    if (this.#slots.put(slot, value)) return;
    if (isPortable(value)) this.#slots.refer(slot, this.extras.push(value) - 1);
    else this.#known[slot] = 2;
  }
}

/** Whether a value may be given to many tasks at little cost, and none of them can change it for the others unless it is shared anyway. */
function isPortable(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) {
    return ArrayBuffer.isView(value) && value.buffer instanceof SharedArrayBuffer;
  }
  return typeof value !== 'function' && typeof value !== 'symbol';
}

function* chartOf(host: RunHost): Generator<undefined, Chart> {
  const { args } = host.scheduler.ledger.binding;
  const known = charts.get(args);
  if (known) return known;
  const chart = yield* makeChart(host);
  charts.set(args, chart);
  return chart;
}

function* makeChart({ scheduler, timeoutOf }: RunHost): Generator<undefined, Chart> {
  const { plan, ledger } = scheduler;
  const { atoms, size, picks, argStart, successors } = plan;
  const { binding } = ledger;
  const shapes: Shape[] = [];
  const places = new Map<Shape, number>();
  const shapeOf = shared(Int32Array, size);
  const fit = new Uint8Array(size);
  const names: Buffer[] = [];
  for (let atom = 0; atom < size; atom++) {
    const task = atoms[atom];
    const place = places.get(task.shape) ?? shapes.push(task.shape) - 1;
    if (place === shapes.length - 1) places.set(task.shape, place);
    shapeOf[atom] = place;
    const plain = task.travels && task.priority === 0 && task.provision.keys === undefined;
    fit[atom] = Number(plain && timeoutOf(task) === Infinity);
    if (atom % PIECE === PIECE - 1) yield;
  }
  for (let atom = 0; atom < size; atom += PIECE) {
    names.push(Buffer.from(`${linesOf(plan, atom, Math.min(size, atom + PIECE))}\n`));
    yield;
  }
  const inputs = size + picks.length;
  const first = inputs + binding.inputs.length;
  const constants: unknown[] = [];
  const numbers = new Map<unknown, number>();
  const slots = shared(Int32Array, binding.args.length);
  for (let atom = 0; atom < size; atom++) {
    if (atom % PIECE === PIECE - 1) yield;
    const { constants: own } = atoms[atom].mapping;
    for (let at = argStart[atom], i = 0; at < argStart[atom + 1]; at++, i++) {
      const source = binding.args[at];
      if (source === CONSTANT) {
        const value = own[i];
        const number = numbers.get(value) ?? constants.push(value) - 1;
        if (number === constants.length - 1) numbers.set(value, number);
        slots[at] = first + number;
      } else {
        slots[at] = source >= 0 ? source : inputs + INPUT - source;
      }
    }
  }
  return {
    plan: {
      size,
      start: sharedCopy(successors.start),
      to: sharedCopy(successors.to),
      shapes: shapeOf,
      argStart: sharedCopy(argStart),
      args: slots,
      names: joined(names),
    },
    shapes,
    fit,
    constants,
    slots: first + constants.length,
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = shared(
    Uint8Array,
    parts.reduce((length, part) => length + part.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function sharedCopy(array: Int32Array): Int32Array {
  const copy = shared(Int32Array, array.length);
  copy.set(array);
  return copy;
}

type Kind<T> = { new (memory: SharedArrayBuffer): T; readonly BYTES_PER_ELEMENT: number };

/** A typed array of zeros in shared memory. */
function shared<T>(kind: Kind<T>, length: number): T {
  return new kind(new SharedArrayBuffer(length * kind.BYTES_PER_ELEMENT));
}
