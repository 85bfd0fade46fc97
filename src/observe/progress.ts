import type { FlowEvent, ProgressEvent, TaskEvent, TaskState } from '../engine/index.js';
import { ArgumentError, received } from '../errors.js';
import type { Listener, ObservedRun } from './attach.js';

/** How progress is told. */
export interface ProgressOptions {
  /** Called when the progress has changed. */
  readonly changed?: (progress: Progress) => unknown;
  /** The least time between two calls of `changed`, in milliseconds; a change of the flow is told at once. **Default:** `100`. */
  readonly interval?: number;
}

/** In these states a task still has its work before it. */
const UNDONE: ReadonlySet<TaskState> = new Set([
  'PENDING',
  'RUNNING',
  'FAILURE',
  'REVERTING',
  'REVERTED',
  'REVERT_FAILURE',
]);

/** What {@link progress} makes: how far the tasks of one flow are, taken together. */
export class Progress implements Listener {
  readonly #changed: ProgressOptions['changed'];
  readonly #interval: number;
  readonly #counts = new Map<TaskState, number>();
  /** How far the tasks are that run. */
  readonly #running = new Map<string, number>();
  #total: number | undefined;
  #synchronized = false;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ changed, interval = 100 }: ProgressOptions) {
    if (changed !== undefined && typeof changed !== 'function') {
      throw new ArgumentError(`option 'changed' must be a function; received ${received(changed)}`);
    }
    if (typeof interval !== 'number' || !(interval >= 0)) {
      throw new ArgumentError(`option 'interval' must be a number, at least 0; received ${received(interval)}`);
    }
    this.#changed = changed;
    this.#interval = interval;
  }

  /** How many tasks the flow has; `undefined` while that is not known. */
  get total(): number | undefined {
    return this.#total;
  }

  /** How many tasks are done with, and not reverted. */
  get done(): number {
    let done = 0;
    for (const [state, count] of this.#counts) if (!UNDONE.has(state)) done += count;
    return done;
  }

  /** The names of the tasks that run, each with how far it is, from 0 to 1. */
  get running(): ReadonlyMap<string, number> {
    return this.#running;
  }

  /**
   * How far the flow is, from 0 to 1, all tasks being taken for equally long; `undefined` while the number of tasks is not known.
   * It falls when tasks are reverted.
   */
  get fraction(): number | undefined {
    if (this.#total === undefined) return undefined;
    if (this.#total === 0) return 1;
    let sum = this.done;
    for (const one of this.#running.values()) sum += one;
    return sum / this.#total;
  }

  /** How many tasks are in a state. */
  count(state: TaskState): number {
    return this.#counts.get(state) ?? 0;
  }

  flow({ state }: FlowEvent, run: ObservedRun): unknown {
    // A reset changes all tasks first, and tells of them then.
    if (state === 'RUNNING' || state === 'PENDING') this.#synchronize(run);
    return this.#tell();
  }

  task({ name, state, oldState }: TaskEvent, run: ObservedRun): unknown {
    if (state === 'RUNNING') this.#running.set(name, 0);
    else this.#running.delete(name);
    // The first that is heard may be in the middle of a run; the storage knows of it already.
    if (this.#synchronized || !this.#synchronize(run)) {
      this.#counts.set(oldState, Math.max(0, this.count(oldState) - 1));
      this.#counts.set(state, this.count(state) + 1);
    }
    return this.#tellNowAndThen();
  }

  progress({ name, progress }: ProgressEvent): unknown {
    // A revert has progress, too.
    if (!this.#running.has(name)) return undefined;
    this.#running.set(name, progress);
    return this.#tellNowAndThen();
  }

  /** Takes all states from the storage. Returns whether there is one. */
  #synchronize({ storage }: ObservedRun): boolean {
    this.#synchronized = true;
    const states = storage?.getTaskStates?.();
    if (!states) return false;
    this.#counts.clear();
    const all = Object.values(states);
    for (const state of all) this.#counts.set(state, this.count(state) + 1);
    this.#total = all.length;
    return true;
  }

  #tellNowAndThen(): unknown {
    return this.#changed && performance.now() - this.#toldAt >= this.#interval ? this.#tell() : undefined;
  }

  #tell(): unknown {
    this.#toldAt = performance.now();
    return this.#changed?.(this);
  }
}

/**
 * Follows how far a flow is, as one number and as counts. Each is for one run at a time.
 *
 * @throws {@link ArgumentError} when an option is wrong
 * @example
 * attach(engine, progress({ changed: ({ done, total }) => console.log(`${done} of ${total}`) }));
 */
export function progress(options: ProgressOptions = {}): Progress {
  return new Progress(options);
}
