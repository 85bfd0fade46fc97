/** What an engine has done so far, in numbers. Nothing is counted while tasks run: the states are, when someone asks. */
import type { Ledger } from './ledger.js';
import { TASK_STATES, type TaskState } from './states.js';

/** A snapshot of what an engine has done so far. */
export interface EngineStatistics {
  /** How many tasks are in each state; those that regions have built are counted beside them. */
  readonly tasks: Readonly<Record<TaskState, number>>;
  /** How many runs have begun. */
  readonly runs: number;
  /** How long the run under way has lasted, or else the last one did, in seconds. */
  readonly activeFor: number;
  /** What all runs took so far, in seconds. */
  readonly seconds: {
    /** To compile the flow and to check its inputs. */
    readonly preparing: number;
    /** To wait for the configuration and for threads. */
    readonly waiting: number;
    /** To run tasks and to revert them. */
    readonly running: number;
  };
}

/** Times the runs of an engine: the clock is read a few times a run, and not for its tasks. */
export class RunClock {
  #runs = 0;
  #preparing = 0;
  #waiting = 0;
  /** Of the runs that have ended. */
  #running = 0;
  #began = 0;
  /** `undefined` while a run is under way. */
  #activeFor: number | undefined = 0;

  /** A run begins that was asked for, and prepared, at these times of `performance.now()`. */
  begin(asked: number, prepared: number): void {
    this.#began = performance.now();
    this.#runs++;
    this.#preparing += prepared - asked;
    this.#waiting += this.#began - prepared;
    this.#activeFor = undefined;
  }

  end(): void {
    this.#activeFor = performance.now() - this.#began;
    this.#running += this.#activeFor;
  }

  /** `ledgers`: those of the flow, and of all that its regions have built. */
  read(ledgers: Iterable<Ledger>): EngineStatistics {
    const counts = TASK_STATES.map(() => 0);
    for (const { states } of ledgers) for (let atom = 0; atom < states.length; atom++) counts[states[atom]]++;
    const now = this.#activeFor === undefined ? performance.now() - this.#began : 0;
    return {
      tasks: Object.fromEntries(TASK_STATES.map((name, state) => [name, counts[state]])) as Record<TaskState, number>,
      runs: this.#runs,
      activeFor: (this.#activeFor ?? now) / 1000,
      seconds: {
        preparing: this.#preparing / 1000,
        waiting: this.#waiting / 1000,
        running: (this.#running + now) / 1000,
      },
    };
  }
}
