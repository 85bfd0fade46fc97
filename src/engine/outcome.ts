/** What comes out of a run that did not end well. */
import type { Failure } from '../atoms/index.js';
import { AbortError, RunError } from '../errors.js';
import { wrapFailures } from '../failure/index.js';
import type { Ledger } from './ledger.js';

/**
 * The error that a run rejects with. A failed revert comes before what it was to revert, since now something is left behind;
 * then comes the reason why the run was stopped; one failure comes out as the very error that was thrown, several as a `WrappedFailure`.
 */
export function outcome(
  flow: string,
  { severe, revertFailures }: Ledger,
  stopped: Error | undefined,
): Error | undefined {
  return (
    wrapped(flow, 'could not be reverted', [...revertFailures.values()]) ?? stopped ?? wrapped(flow, 'failed', severe)
  );
}

function wrapped(flow: string, how: string, failures: readonly Failure[]): Error | undefined {
  const errors = new Set<unknown>(failures.map(({ error }) => error));
  // A failure that another one caused is not told beside it; only in a circle of causes there is none but such.
  const first = failures.filter(({ error }) => !errors.has(causeOf(error)));
  const all = first.length > 0 ? first : failures;
  return all.length === 0 ? undefined : wrapFailures(all, `${all.length} tasks of flow '${flow}' ${how}`);
}

/** An error may be anything that a task has thrown: reading it may throw. */
function causeOf(error: Error): unknown {
  try {
    return error.cause;
  } catch {
    return undefined;
  }
}

/** The error of a run that its signal has stopped while the tasks of these names ran, or, without names, kept from its start. */
export function abortedRun(flow: string, signal: AbortSignal, running?: readonly string[]): AbortError {
  const when = running ? whileRunning(running) : ' before it began';
  return new AbortError(`Flow '${flow}' was aborted${when}`, { cause: signal.reason, task: running?.[0] });
}

/** The error of who asks something of an engine that is closed. */
export function closedEngine(flow: string, what: string): RunError {
  return new RunError('ERR_MILLRACE_CLOSED', `Flow '${flow}' cannot ${what}: its engine is closed`);
}

/** The error of a run that was stopped while the tasks of these names ran, because its engine was closed. */
export function closedRun(flow: string, running: readonly string[]): RunError {
  const message = `Flow '${flow}' was stopped: its engine was closed${whileRunning(running)}`;
  return new RunError('ERR_MILLRACE_CLOSED', message, { task: running[0] });
}

function whileRunning(names: readonly string[]): string {
  if (names.length === 0) return '';
  const shown = names.slice(0, 3).map((name) => `'${name}'`);
  if (names.length > shown.length) shown.push(`${names.length - shown.length} more`);
  return ` while ${shown.join(', ')} ran`;
}
