import { debuglog, inspect } from 'node:util';
import type { Logger } from '../observe/index.js';

const debug = debuglog('millrace');

/** Errors and warnings go to the standard error output; the rest too, with `NODE_DEBUG=millrace`. */
export const defaultLogger: Logger = {
  ...(debug.enabled && { debug: (message: string) => debug(message), info: (message: string) => debug(message) }),
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
};

/** A message, and below it an error with its stack and causes. */
export function withError(message: string, error: unknown): string {
  return `${message}: ${shown(error)}`;
}

/** What was thrown may be anything, also what cannot be looked at. */
function shown(error: unknown): string {
  try {
    return inspect(error);
  } catch {
    return 'an error that cannot be inspected';
  }
}

/** A logger that harms nothing: the error of one that throws becomes a process warning. */
export function harmless(logger: Logger): Logger {
  const guarded: Logger = {};
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    if (!logger[level]) continue;
    guarded[level] = (message) => {
      try {
        logger[level]?.(message);
      } catch (error) {
        process.emitWarning(`The logger of the task service threw: ${shown(error)}`, 'MillraceWarning');
      }
    };
  }
  return guarded;
}
