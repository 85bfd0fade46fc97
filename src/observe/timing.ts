import type { FlowEvent, FlowState, TaskEvent, TaskState } from '../engine/index.js';
import type { Listener } from './attach.js';

/** When a task or a flow has been where, and for how long. */
interface Times<State extends string> {
  /** When it last entered each state, in milliseconds since the epoch. No step of the clock shows in it. */
  readonly entered: Readonly<Partial<Record<State, number>>>;
}

/** The times of a task. What was not heard, or has not happened, is missing. */
export interface TaskTimes extends Times<TaskState> {
  /** How long it ran when it last did, whether it succeeded or failed, in milliseconds. */
  readonly execute?: number;
  /** How long it ran each time, the last one included: more than one if it was tried again, or the flow ran again. */
  readonly attempts?: readonly number[];
  /** How long its revert took when it was last reverted, in milliseconds. */
  readonly revert?: number;
}

/** The times of a flow. */
export interface FlowTimes extends Times<FlowState> {
  /** How long its last run took, until it ended or was suspended, in milliseconds. */
  readonly run?: number;
}

/** Which states are the end of what began with a state. From anywhere else it has not happened: the worker died before. */
const ENDS: Readonly<Partial<Record<TaskState, ReadonlySet<TaskState>>>> = {
  RUNNING: new Set<TaskState>(['SUCCESS', 'FAILURE']),
  REVERTING: new Set<TaskState>(['REVERTED', 'REVERT_FAILURE']),
};

/** What {@link timing} makes. */
export class Timing implements Listener {
  /** The times of the tasks that were heard of, by name. */
  readonly tasks: ReadonlyMap<string, TaskTimes>;
  /** The times of the flows that were heard of, by name. */
  readonly flows: ReadonlyMap<string, FlowTimes>;
  readonly #tasks = new Map<string, Entry<TaskState>>();
  readonly #flows = new Map<string, Entry<FlowState>>();

  constructor() {
    this.tasks = this.#tasks;
    this.flows = this.#flows;
  }

  /** Returns how long that has taken which has now ended, in ms. */
  task({ name, state, oldState }: TaskEvent): number | undefined {
    const times = enter(this.#tasks, name, state);
    if (!ENDS[oldState]?.has(state)) return undefined;
    const ms = since(times, oldState, state);
    if (ms === undefined) return undefined;
    if (oldState === 'RUNNING') {
      times.execute = ms;
      times.attempts ??= [];
      times.attempts.push(ms);
    } else {
      times.revert = ms;
    }
    return ms;
  }

  /** As `task()`. */
  flow({ name, state, oldState }: FlowEvent): number | undefined {
    const times = enter(this.#flows, name, state);
    if (state === 'SUSPENDING' || (oldState !== 'RUNNING' && oldState !== 'SUSPENDING')) return undefined;
    const ms = since(times, 'RUNNING', state);
    if (ms !== undefined) times.run = ms;
    return ms;
  }
}

/**
 * Measures how long tasks and flows take, by a clock that does not jump.
 *
 * @example
 * const times = timing();
 * attach(engine, times);
 * await engine.run();
 * console.log(times.tasks.get('resize')?.execute, times.flows.get('thumbnail')?.run);
 */
export function timing(): Timing {
  return new Timing();
}

interface Entry<State extends string> {
  readonly entered: Partial<Record<State, number>>;
  execute?: number;
  attempts?: number[];
  revert?: number;
  run?: number;
}

function enter<State extends string>(entries: Map<string, Entry<State>>, name: string, state: State): Entry<State> {
  const entry: Entry<State> = entries.get(name) ?? { entered: {} };
  entries.set(name, entry);
  entry.entered[state] = performance.timeOrigin + performance.now();
  return entry;
}

function since<State extends string>({ entered }: Entry<State>, begin: State, end: State): number | undefined {
  const at = entered[begin];
  return at === undefined ? undefined : entered[end]! - at;
}
