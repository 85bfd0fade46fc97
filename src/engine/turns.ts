import { RunError } from '../errors.js';

/** Which time it is that the atoms of a flow run. Kept only once something was tried again, or a process has ended meanwhile. */
export class Turns {
  /** How many times all atoms had begun and were put back to their start together. */
  #together = 0;
  /** For each atom, how many times beside that, once some atom was by itself. */
  #apart: Uint32Array | undefined;
  readonly #size: number;
  /** How many times what an atom does next had begun in processes that ended meanwhile, if it had. */
  readonly #interrupted = new Map<number, number>();

  constructor(size: number) {
    this.#size = size;
  }

  /** The round of all atoms that are about to do something for the first time in it; `undefined`: they differ. */
  get common(): number | undefined {
    return this.#apart === undefined && this.#interrupted.size === 0 ? this.#together : undefined;
  }

  roundOf(atom: number): number {
    return this.#together + (this.#apart === undefined ? 0 : this.#apart[atom]);
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
    this.#rounds()[atom]++;
    this.#interrupted.delete(atom);
  }

  /** All atoms have begun, and are put back to their start. */
  allAgain(): void {
    this.#together++;
    this.#interrupted.clear();
  }

  /** What was recorded of an atom: `before` counts if it had not come to the end of what it did. */
  restore(atom: number, round: number, before: number): void {
    this.#rounds()[atom] = round - this.#together;
    if (before > 0) this.#interrupted.set(atom, before);
  }

  #rounds(): Uint32Array {
    this.#apart ??= new Uint32Array(this.#size);
    return this.#apart;
  }
}

/** What counts as the failure of a task that had begun when its process ended, and is reverted because its flow is. */
export function interruption(task: string): RunError {
  const message = `Task '${task}' was interrupted when its process ended, and is reverted, as its flow is`;
  return new RunError('ERR_MILLRACE_INTERRUPTED', message, { task });
}
