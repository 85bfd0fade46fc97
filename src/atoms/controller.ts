/** What decides whether a flow or a task that has failed is tried again. */
import { RunError, received } from '../errors.js';
import type { History } from './history.js';
import type { Owner } from './mapping.js';
import { isThenable } from './thenable.js';

/** What happens after a failure: another attempt, at once or later; the retry around is asked; or all of the flow is reverted. */
export type Decision = 'RETRY' | 'REVERT' | 'REVERT_ALL' | { readonly retryAfter: number };

/** The code of a retry. It runs on the scheduler's thread. */
export interface Controller {
  /** Begins an attempt. What it returns is the retry's value. */
  execute(history: History, args: any): unknown;
  /** Decides, after a failure, which is in the last attempt of the history by then. */
  onFailure(history: History, args: any): unknown;
  /** Is called when the flow of the retry is reverted for good. */
  revert?(history: History, args: any): unknown;
}

/** A decision, taken apart. */
export interface Verdict {
  readonly kind: 'RETRY' | 'REVERT' | 'REVERT_ALL';
  /** How many milliseconds before the next attempt. */
  readonly after: number;
}

/** The longest that a timer of Node.js can wait: 24 days. */
export const LONGEST_DELAY = 2 ** 31 - 1;

const VERDICTS: Readonly<Record<string, Verdict>> = {
  RETRY: { kind: 'RETRY', after: 0 },
  REVERT: { kind: 'REVERT', after: 0 },
  REVERT_ALL: { kind: 'REVERT_ALL', after: 0 },
};

/**
 * Asks a controller what is to happen after a failure.
 *
 * @param name of the retry, or of the task that has it
 * @throws what `onFailure` throws; {@link RunError} `ERR_MILLRACE_BAD_DECISION` when it does not decide
 */
export function verdict(controller: Controller, name: string, history: History, args: object): Verdict {
  const answer: unknown = controller.onFailure(history, args);
  if (typeof answer === 'string' && Object.hasOwn(VERDICTS, answer)) return VERDICTS[answer];
  const after: unknown = (answer as { retryAfter?: unknown } | null | undefined)?.retryAfter;
  if (typeof after === 'number' && after >= 0) return { kind: 'RETRY', after: Math.min(after, LONGEST_DELAY) };
  const expected = "onFailure must return 'RETRY', 'REVERT', 'REVERT_ALL' or { retryAfter: milliseconds }";
  throw badDecision({ label: `Retry '${name}'`, name }, expected, answer);
}

/** @param answer if it is a promise, what becomes of it is of no interest any more */
export function badDecision({ label, name }: Owner, expected: string, answer: unknown): RunError {
  const isLate = isThenable(answer);
  if (isLate) answer.then(undefined, () => {});
  const shown = isLate ? 'a promise' : received(answer);
  return new RunError('ERR_MILLRACE_BAD_DECISION', `${label}: ${expected}; received ${shown}`, { task: name });
}
