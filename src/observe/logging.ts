/** Writes what happens in a run to a log. */
import type { EventEmitter } from 'node:events';
import { inspect } from 'node:util';
import { Failure } from '../atoms/index.js';
import type { EngineEvents, FlowState, TaskState } from '../engine/index.js';

/** Where lines go. */
export interface RunLog {
  /** Each change of state. */
  readonly debug: (message: string) => void;
  /** What failed, and what had to be reverted. */
  readonly warn: (message: string) => void;
}

const BAD: ReadonlySet<FlowState | TaskState> = new Set(['FAILURE', 'REVERTED', 'REVERT_FAILURE']);

/** Logs the changes of state of a flow and its tasks, and what tasks say. Inputs and results are not logged: they may be secret. */
export function logRun(run: EventEmitter<EngineEvents>, { debug, warn }: RunLog, label: string): void {
  const changed = (what: string, name: string, oldState: string, state: FlowState | TaskState, result?: unknown) => {
    const line = `${label}: ${what} '${name}' has moved from ${oldState} to ${state}`;
    if (!BAD.has(state)) debug(line);
    else warn(result instanceof Failure ? `${line}: ${inspect(result.error)}` : line);
  };
  run.on('flow', ({ name, state, oldState }) => changed('flow', name, oldState, state));
  run.on('task', ({ name, state, oldState, result }) => changed('task', name, oldState, state, result));
  run.on('log', ({ name, message }) => debug(`${label}: task '${name}': ${message}`));
}
