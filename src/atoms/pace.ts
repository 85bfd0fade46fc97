/** When the ready-made retries try again, and whether at all. */
import { badDecision, type Decision, LONGEST_DELAY } from './controller.js';
import type { History } from './history.js';
import type { Owner } from './mapping.js';

/** How fast attempts follow each other, and what is not worth another one. */
export interface PaceOptions {
  /** Milliseconds between a failure and the next attempt. Default: 0. */
  readonly delay?: number;
  /** By what the delay is multiplied from one attempt to the next. Default: 1. */
  readonly backoff?: number;
  /** The longest delay in milliseconds. Default: `Infinity`. */
  readonly maxDelay?: number;
  /** Whether each delay is a random share of itself, at least half of it, so that many do not all try at once. Default: `false`. */
  readonly jitter?: boolean;
  /** Is asked about what failed in the last attempt: when it returns `false` for one of the errors, there is no other attempt. */
  readonly retryIf?: (error: Error) => boolean;
}

/** The delay after the last attempt of a history, in milliseconds. */
export function delayAfter(
  { length }: History,
  { delay = 0, backoff = 1, maxDelay = Number.POSITIVE_INFINITY, jitter = false }: PaceOptions,
): number {
  if (delay === 0) return 0; // and not NaN, when the factor has grown beyond all numbers
  const full = Math.min(delay * backoff ** Math.max(0, length - 1), maxDelay, LONGEST_DELAY);
  return jitter ? full * (0.5 + Math.random() / 2) : full;
}

/** Another attempt, unless one of the last failures is not worth it. */
export function anotherAttempt(owner: Owner, history: History, pace: PaceOptions): Decision | undefined {
  const { retryIf } = pace;
  if (retryIf) {
    for (const { error } of Object.values(history.last?.failures ?? {})) {
      const answer: unknown = retryIf(error);
      if (typeof answer !== 'boolean') throw badDecision(owner, 'retryIf must return true or false', answer);
      if (!answer) return undefined;
    }
  }
  const after = delayAfter(history, pace);
  return after > 0 ? { retryAfter: after } : 'RETRY';
}
