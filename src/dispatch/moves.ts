/** Values whose memory moves to a thread instead of being copied, as nobody else is ever going to see them. */
import type { Scheduler } from '../engine/index.js';
import { BULKY } from '../wire/index.js';

/** So many properties of an object are looked at. */
const MOST = 16;

export class Moves {
  readonly #scheduler: Scheduler;
  /** The memory of results that came from a thread by themselves, each for one argument. */
  readonly #memory = new WeakMap<object, readonly ArrayBuffer[]>();
  #some = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** An atom's result has come from a thread by itself. */
  note(atom: number, result: unknown): void {
    if (typeof result !== 'object' || result === null || !this.#scheduler.ledger.isWantedOnce(atom)) return;
    const memory = memoryOf(result);
    if (memory.length === 0) return;
    this.#memory.set(result, memory);
    this.#some = true;
  }

  /** What moves to an atom that runs: the memory, by the atom whose result it is. What is with the thread already need not. */
  to(atom: number, isThere: (source: number) => boolean): ReadonlyMap<number, readonly ArrayBuffer[]> | undefined {
    if (!this.#some) return undefined;
    const { plan, ledger } = this.#scheduler;
    const { args } = ledger.binding;
    const moves = new Map<number, readonly ArrayBuffer[]>();
    for (let at = plan.argStart[atom]; at < plan.argStart[atom + 1]; at++) {
      const source = args[at];
      if (source < 0 || source >= plan.size || !this.#scheduler.isForOnly(source, atom) || isThere(source)) continue;
      const memory = this.#memory.get(ledger.results[source] as object);
      if (memory) moves.set(source, memory);
    }
    return moves.size > 0 ? moves : undefined;
  }
}

/** The bulky memory of a value: its own, or that of its properties. */
function memoryOf(value: object): readonly ArrayBuffer[] {
  const own = bulk(value);
  if (own) return [own];
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype) return [];
  const values: unknown[] = Object.values(value);
  if (values.length > MOST) return [];
  const found = new Set<ArrayBuffer>();
  for (const one of values) {
    const memory = bulk(one);
    if (memory) found.add(memory);
  }
  return [...found];
}

function bulk(value: unknown): ArrayBuffer | undefined {
  const memory = ArrayBuffer.isView(value) ? value.buffer : value;
  if (!(memory instanceof ArrayBuffer) || memory.byteLength < BULKY) return undefined;
  // Of memory of which it is only a part, all would move.
  return ArrayBuffer.isView(value) && value.byteLength < memory.byteLength ? undefined : memory;
}
