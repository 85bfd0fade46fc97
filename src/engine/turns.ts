import { RunError } from '../errors.js';

/** Which time it is that the atoms of a flow run. Kept only once something was tried again, or a process has ended meanwhile. */
export class Turns {
  /** For each atom, how many times it has begun and was put back to its start. */
  readonly #rounds: Uint32Array;
  /** How many times what an atom does next had begun in processes that ended meanwhile, if it had. */
  readonly #interrupted = new Map<number, number>();

  constructor(size: number) {
    this.#rounds = new Uint32Array(size);
  }

  roundOf(atom: number): number {
    return this.#rounds[atom];
  }

  /** How many times what an atom does next had begun in processes that ended meanwhile: it may have had effects. */
  before(atom: number): number {
    return this.#interrupted.get(atom) ?? 0;
  }

  /** The atoms that had begun in processes that ended meanwhile, and have not come to the end of that. */
  interrupted(): number[] {
    return [...this.#interrupted.keys()].sort((a, b) => a - b);
  }

  /** An atom has come to the end of what it did. */
  end(atom: number): void {
    this.#interrupted.delete(atom);
  }

  /** An atom that has begun is put back to its start. */
  again(atom: number): void {
    this.#rounds[atom]++;
    this.#interrupted.delete(atom);
  }

  /** What was recorded of an atom: `before` counts if it had not come to the end of what it did. */
  restore(atom: number, round: number, before: number): void {
    this.#rounds[atom] = round;
    if (before > 0) this.#interrupted.set(atom, before);
  }
}

/** What counts as the failure of a task that had begun when its process ended, and is reverted because its flow is. */
export function interruption(task: string): RunError {
  const message = `Task '${task}' was interrupted when its process ended, and is reverted, as its flow is`;
  return new RunError('ERR_MILLRACE_INTERRUPTED', message, { task });
}
