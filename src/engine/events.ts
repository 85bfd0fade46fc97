/** What the events of a run say. */
import { type FlowState, TASK_STATES, type TaskState } from './states.js';

/** A flow has changed its state. */
export interface FlowEvent {
  readonly name: string;
  readonly state: FlowState;
  readonly oldState: FlowState;
}

/** A task has changed its state. */
export interface TaskEvent {
  readonly name: string;
  readonly state: TaskState;
  readonly oldState: TaskState;
  /** With `SUCCESS` and `REVERTED` what the task returned; with `FAILURE` and `REVERT_FAILURE` a {@link Failure}. */
  readonly result?: unknown;
}

/** A task says how far it is. */
export interface ProgressEvent {
  readonly name: string;
  /** From 0 to 1. */
  readonly progress: number;
  readonly details?: unknown;
}

/** A task says something. */
export interface LogEvent {
  readonly name: string;
  readonly message: string;
  readonly details?: unknown;
}

/** The events of an engine. A listener that throws harms nothing: its error becomes a process warning. */
export interface EngineEvents {
  flow: [FlowEvent];
  task: [TaskEvent];
  progress: [ProgressEvent];
  log: [LogEvent];
}

/** States are given by number. An event has a result only if one is given, were it `undefined`. */
export function taskEvent(name: string, state: number, oldState: number, ...result: [unknown?]): TaskEvent {
  const event = { name, state: TASK_STATES[state], oldState: TASK_STATES[oldState] };
  return result.length > 0 ? { ...event, result: result[0] } : event;
}

export function progressEvent(name: string, progress: number, details?: unknown): ProgressEvent {
  return { name, progress, ...(details === undefined ? {} : { details }) };
}

export function logEvent(name: string, message: string, details: unknown): LogEvent {
  return { name, message, ...(details === undefined ? {} : { details }) };
}
