/**
 * The memory that the threads of a crew share: a plan, and how far its run has come.
 *
 * A *slot* is the place of a value: first come the atoms, for their results, then the picks of the plan, its inputs and its constants.
 * `left[node]` counts what a node still waits for; who brings it to zero goes on with the node, or puts it into the queue, which each
 * atom enters at most once. Who has run an atom writes its slot, then the log, and only then counts down what waits for it: so
 * the log is in an order in which the atoms may have run one by one, and whoever takes an atom sees the values that it needs.
 *
 * `RUNNING_MEMBER` of a thread is the atom that it ran last until its event loop has turned: if the thread dies, that one is to blame.
 * The scheduler believes the log only up to the first such atom.
 */

/** The words of `control`, each on a cache line of its own. */
export const HALT = 0;
/** How many atoms have been taken out of the queue, and how many put in. */
export const HEAD = 16;
export const TAIL = 32;
/** How many atoms the log holds. Its last entries may not be written yet. */
export const LOGGED = 48;
/** Changes when those who sleep have to look again. */
export const SIGNAL = 64;
export const SLEEPERS = 80;
export const CONTROL_WORDS = 96;

/** More than any node waits for: it is not for the crew, and never comes to zero. */
export const BARRED = 2 ** 30;

// What a slot holds.

export const UNDEFINED = 0;
export const NUMBER = 1;
export const TRUE = 2;
export const FALSE = 3;
export const NULL = 4;
/** The value at the place in `extras` that the number says. */
export const EXTRA = 5;

/** What does not change from run to run. */
export interface CrewPlan {
  /** Edges in compressed sparse rows. Nodes from `size` on are joints: they have no work. */
  readonly size: number;
  readonly start: Int32Array;
  readonly to: Int32Array;
  /** For each atom the place of its shape in the packet. */
  readonly shapes: Int32Array;
  /** The slots of atom `i`'s arguments are `args[argStart[i] ..]`. */
  readonly argStart: Int32Array;
  readonly args: Int32Array;
  /** The names of the atoms, a line each. */
  readonly names: Uint8Array;
}

/** What a crew works on. */
export interface CrewWork extends CrewPlan {
  readonly control: Int32Array;
  /** How many atoms it is to run. */
  readonly total: number;
  /** How many threads may take part. */
  readonly hands: number;
  /** The most atoms that a thread takes out of the queue at once: it runs them all, even when it is called away. */
  readonly chunk: number;
  readonly left: Int32Array;
  /** Ready atoms, counted from 1. */
  readonly queue: Int32Array;
  /** The atoms that have ended, counted from 1; below zero those whose result or failure was sent by message before. */
  readonly log: Int32Array;
  readonly kinds: Uint8Array;
  readonly numbers: Float64Array;
  readonly extras: readonly unknown[];
}

/** The slots of a crew's values. */
export class Slots {
  readonly #kinds: Uint8Array;
  readonly #numbers: Float64Array;
  readonly #extras: readonly unknown[];

  constructor({ kinds, numbers, extras }: Pick<CrewWork, 'kinds' | 'numbers' | 'extras'>) {
    this.#kinds = kinds;
    this.#numbers = numbers;
    this.#extras = extras;
  }

  get(slot: number): unknown {
    switch (this.#kinds[slot]) {
      case NUMBER:
        return this.#numbers[slot];
      case TRUE:
        return true;
      case FALSE:
        return false;
      case NULL:
        return null;
      case EXTRA:
        return this.#extras[this.#numbers[slot]];
      default:
        return undefined;
    }
  }

  /** Puts a value into a slot that was never written; `false`: it is none that a slot can hold. */
  put(slot: number, value: unknown): boolean {
    if (typeof value === 'number') {
      this.#numbers[slot] = value;
      this.#kinds[slot] = NUMBER;
    } else if (value === true) {
      this.#kinds[slot] = TRUE;
    } else if (value === false) {
      this.#kinds[slot] = FALSE;
    } else if (value === null) {
      this.#kinds[slot] = NULL;
    } else {
      return value === undefined;
    }
    return true;
  }

  /** The slot's value stands among the extras. */
  refer(slot: number, place: number): void {
    this.#numbers[slot] = place;
    this.#kinds[slot] = EXTRA;
  }
}

/** Whether a slot can hold a value. */
export function fitsSlot(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null;
}

/** Lets all of a crew look again whether there is something for them, or whether they are to stop. */
export function wake(control: Int32Array): void {
  Atomics.add(control, SIGNAL, 1);
  Atomics.notify(control, SIGNAL);
}
