/** The states of atoms and flows, and which may follow which. As TaskFlow. */
import { RunError } from '../errors.js';

/** The state of a task, as users see it. */
export type TaskState =
  | 'PENDING'
  | 'RUNNING'
  | 'SUCCESS'
  | 'FAILURE'
  | 'REVERTING'
  | 'REVERTED'
  | 'REVERT_FAILURE'
  | 'IGNORE'
  | 'RETRYING';

/** The state of a flow. */
export type FlowState = 'PENDING' | 'RUNNING' | 'SUCCESS' | 'FAILURE' | 'REVERTED' | 'SUSPENDING' | 'SUSPENDED';

/** What the engine is doing between two transitions of a flow, as `runIter()` tells it. */
export type EngineState = 'RESUMING' | 'SCHEDULING' | 'WAITING' | 'ANALYZING' | FlowState;

export const PENDING = 0;
export const RUNNING = 1;
export const SUCCESS = 2;
export const FAILURE = 3;
export const REVERTING = 4;
export const REVERTED = 5;
export const REVERT_FAILURE = 6;
export const IGNORE = 7;
export const RETRYING = 8;

/** The names of the states, by number. */
export const TASK_STATES: readonly TaskState[] = [
  'PENDING',
  'RUNNING',
  'SUCCESS',
  'FAILURE',
  'REVERTING',
  'REVERTED',
  'REVERT_FAILURE',
  'IGNORE',
  'RETRYING',
];

/** By state: whether an atom is to be run, once its turn has come. Tables, as a closure a run would be inlined anew each time. */
export const TO_RUN = Uint8Array.from(TASK_STATES, (_, state) => Number(state === PENDING || state === RETRYING));
/** By state: whether an atom has run, so that it is to be reverted if it is not to have run. */
export const TO_REVERT = Uint8Array.from(TASK_STATES, (_, state) =>
  Number(state === SUCCESS || state === FAILURE || state === REVERT_FAILURE || state === REVERTING),
);

/**
 * From which states to which a task goes, or a retry controller. Back to `PENDING` is a reset; from `RUNNING`, or from `REVERTING`
 * to what was before, it means that the worker died before the task had begun. From `RETRYING` it goes on to `FAILURE` when
 * the retry could not decide, and back to `REVERTED` or to `REVERTING` when the whole flow is reverted meanwhile.
 */
export const TASK_TRANSITIONS: Readonly<Record<TaskState, readonly TaskState[]>> = {
  PENDING: ['RUNNING', 'IGNORE'],
  RUNNING: ['SUCCESS', 'FAILURE', 'PENDING'],
  SUCCESS: ['REVERTING', 'PENDING', 'RETRYING'],
  FAILURE: ['REVERTING', 'PENDING', 'RETRYING'],
  REVERTING: ['REVERTED', 'REVERT_FAILURE', 'SUCCESS', 'FAILURE'],
  REVERTED: ['PENDING', 'RETRYING'],
  REVERT_FAILURE: ['REVERTING', 'PENDING'],
  IGNORE: ['PENDING'],
  RETRYING: ['RUNNING', 'PENDING', 'FAILURE', 'REVERTING', 'REVERTED'],
};

const FLOW_TRANSITIONS: Readonly<Record<FlowState, readonly FlowState[]>> = {
  PENDING: ['RUNNING'],
  RUNNING: ['SUCCESS', 'FAILURE', 'REVERTED', 'SUSPENDING'],
  SUCCESS: ['RUNNING', 'PENDING'],
  FAILURE: ['RUNNING', 'PENDING'],
  REVERTED: ['PENDING'],
  SUSPENDING: ['SUSPENDED', 'SUCCESS', 'FAILURE', 'REVERTED'],
  SUSPENDED: ['RUNNING', 'PENDING'],
};

export function checkFlowTransition(flow: string, from: FlowState, to: FlowState): void {
  if (FLOW_TRANSITIONS[from].includes(to)) return;
  throw new RunError('ERR_MILLRACE_INVALID_STATE', `Flow '${flow}' cannot go from ${from} to ${to}`);
}
