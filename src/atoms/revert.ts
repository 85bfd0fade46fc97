import { Failure } from '../failure/index.js';
import type { Provision } from './mapping.js';

/** What `revert` is given beside the arguments of `execute` and the values that it provided. */
export interface RevertExtras {
  /** What `execute` returned, or the failure that it ended in. */
  readonly result: unknown;
  /** All failures of the flow, by the name of the task. */
  readonly flowFailures: Readonly<Record<string, Failure>>;
}

/** The arguments of `revert`: what `execute` was given, what it provided if it came so far, its result, and what failed. */
export function revertArguments(
  args: Record<string, unknown>,
  { names, keys }: Provision,
  { result, flowFailures }: RevertExtras,
): Record<string, unknown> {
  const all = { ...args };
  if (!(result instanceof Failure)) {
    names.forEach((name, i) => {
      if (!Object.hasOwn(args, name))
        all[name] = keys ? (result as Record<string | number, unknown>)?.[keys[i]] : result;
    });
  }
  return { ...all, result, flowFailures };
}
