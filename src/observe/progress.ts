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
  'RETRYING',
]);

/** What {@link progress} makes: how far the tasks of one flow are, taken together. */
export class Progress implements Listener {
  readonly #changed: ProgressOptions['changed'];
  readonly #interval: number;
  readonly #counts = new Map<TaskState, number>();
  /** How far the tasks are that run. */
  readonly #running = new Map<string, number>();
  /** The tasks that have failed, and the flow goes on. */
  readonly #tolerated = new Set<string>();
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

  /** How many tasks the flow has, its retries included; `undefined` while that is not known. */
  get total(): number | undefined {
    return this.#total;
  }

  /** How many tasks are done with, and not reverted: those that failed as well, if the flow goes on. */
  get done(): number {
    let done = this.#tolerated.size;
    for (const [state, count] of this.#counts) if (!UNDONE.has(state)) done += count;
    return done;
  }

  /** The names of the tasks that run, each with how far it is, from 0 to 1. */
  get running(): ReadonlyMap<string, number> {
    return this.#running;
  }

  /**
   * How far the flow is, from 0 to 1, all tasks being taken for equally long; `undefined` while the number of tasks is not known.
   * It falls when tasks are reverted, be it to try them again.
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
    this.#noteFailure(name, state, run);
    // The first that is heard may be in the middle of a run; the storage knows of it already.
    if (this.#synchronized || !this.#synchronize(run)) {
      this.#counts.set(oldState, Math.max(0, this.count(oldState) - 1));
      this.#counts.set(state, this.count(state) + 1);
    }
    return this.#tellNowAndThen();
  }

  progress({ name, progress, details }: ProgressEvent, run: ObservedRun): unknown {
    // A region says so when it has built its flow: there are more tasks than before.
    if (progress === 0 && typeof (details as { tasks?: unknown } | undefined)?.tasks === 'number')
      this.#synchronize(run);
    // A revert has progress, too.
    if (!this.#running.has(name)) return undefined;
    this.#running.set(name, progress);
    return this.#tellNowAndThen();
  }

  /** Takes the counts from the run, or all states from its storage. Returns whether it has any. */
  #synchronize({ storage, statistics }: ObservedRun): boolean {
    this.#synchronized = true;
    const counts = statistics?.tasks ?? countsOf(storage?.getTaskStates?.());
    if (!counts) return false;
    this.#counts.clear();
    this.#total = 0;
    for (const [state, count] of Object.entries(counts)) {
      this.#counts.set(state as TaskState, count);
      this.#total += count;
    }
    this.#tolerated.clear();
    const states = this.count('FAILURE') > 0 ? (storage?.getTaskStates?.() ?? {}) : {};
    for (const [name, state] of Object.entries(states)) this.#noteFailure(name, state, { storage });
    return true;
  }

  #noteFailure(name: string, state: TaskState, { storage }: Pick<ObservedRun, 'storage'>): void {
    if (state === 'FAILURE' && storage?.getTaskIntention?.(name) === 'EXECUTE') this.#tolerated.add(name);
    else this.#tolerated.delete(name);
  }

  #tellNowAndThen(): unknown {
    return this.#changed && performance.now() - this.#toldAt >= this.#interval ? this.#tell() : undefined;
  }

  #tell(): unknown {
    this.#toldAt = performance.now();
    return this.#changed?.(this);
  }
}

function countsOf(states: Readonly<Record<string, TaskState>> | undefined): Record<string, number> | undefined {
  if (!states) return undefined;
  const counts: Record<string, number> = {};
  for (const state of Object.values(states)) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
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
