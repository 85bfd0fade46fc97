import { NAMES, type Packet } from '../src/wire/index.js';
import { knowNames, Lines } from './context.js';

/**
 * Values that tasks of a run are going to need here: each is sent to a thread once, or was made on it, and stays there until nobody needs
 * it, or the run is over.
 */
export class KeptValues {
  readonly #runs = new Map<number, Map<number, unknown>>();
  /** For each run, the numbers of the values that were made here and are nowhere else. */
  readonly #only = new Map<number, Set<number>>();
  /** For each run, the memory in its values: worked out when a task first moves memory away. */
  readonly #memory = new Map<number, ReadonlySet<unknown>>();

  /** Puts away what a packet brings for later ones too, whether or not its members come to run. */
  put(packet: Packet): void {
    const { run, keep, names } = packet;
    if (keep) {
      const values = this.#runs.get(run) ?? new Map<number, unknown>();
      for (const [number, value] of keep) values.set(number, number === NAMES ? new Lines(value as string) : value);
      this.#runs.set(run, values);
      this.#memory.delete(run);
    }
    // It may be asked for when the run is over.
    if (typeof names === 'object' && 'atoms' in names) knowNames(packet, this.get(run, NAMES) as Lines);
  }

  get(run: number, number: number): unknown {
    return this.#runs.get(run)?.get(number);
  }

  /** Keeps a value that was made here and is nowhere else. */
  stay(run: number, number: number, value: unknown): void {
    const values = this.#runs.get(run) ?? new Map<number, unknown>();
    this.#runs.set(run, values.set(number, value));
    const only = this.#only.get(run) ?? new Set();
    this.#only.set(run, only.add(number));
    this.#memory.delete(run);
  }

  /** Whether a value is here and nowhere else. From now on it is not. */
  takeOnly(run: number, number: number): boolean {
    return this.#only.get(run)?.delete(number) === true;
  }

  /** The values that must not be here and nowhere else while a packet runs: that may take too long, or be the end of the thread. */
  *endangered({ run, long, last }: Packet): Generator<readonly [run: number, number: number]> {
    for (const [other, numbers] of this.#only) {
      if (other === run && !long) continue;
      for (const number of numbers) if (other !== run || last?.includes(number) !== true) yield [other, number];
    }
  }

  drop(run: number, dropped: readonly number[]): void {
    for (const number of dropped) {
      this.#runs.get(run)?.delete(number);
      this.#only.get(run)?.delete(number);
    }
    this.#memory.delete(run);
  }

  forget(run: number): void {
    this.#runs.delete(run);
    this.#only.delete(run);
    this.#memory.delete(run);
  }

  /** Whether memory is part of a value that is kept for a run, so that it must not be moved away. */
  holds(run: number, memory: unknown): boolean {
    const values = this.#runs.get(run);
    if (!values) return false;
    const held = this.#memory.get(run) ?? memoryIn(values);
    this.#memory.set(run, held);
    return held.has(memory);
  }
}

/** All objects in a value that came by structured clone, among them every `ArrayBuffer`. */
function memoryIn(value: object): ReadonlySet<unknown> {
  const seen = new Set<unknown>();
  const open: unknown[] = [value];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (ArrayBuffer.isView(next)) open.push(next.buffer);
    else if (next instanceof Map) for (const [key, item] of next) open.push(key, item);
    else if (next instanceof Set) for (const item of next) open.push(item);
    else if (Array.isArray(next)) for (const item of next) open.push(item);
    else open.push(...Object.values(next));
  }
  return seen;
}
