import { WrappedFailure } from '../errors.js';
import type { Failure } from './failure.js';

/** The very error of one failure; for several, one that holds them all, and whose message is `what` and the first of them. */
export function wrapFailures(failures: readonly Failure[], what: string): Error {
  if (failures.length === 1) return failures[0].error;
  const shown = failures.slice(0, 3).map(({ task, error }) => `'${task}' (${error.name}: ${error.message})`);
  if (failures.length > shown.length) shown.push(`${failures.length - shown.length} more`);
  return new WrappedFailure(
    failures.map(({ error }) => error),
    `${what}: ${shown.join(', ')}`,
  );
}
