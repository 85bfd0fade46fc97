import { ArgumentError, received } from '../errors.js';
import type { Listener } from './attach.js';
import { isBad, Lines, type ShowOptions } from './lines.js';
import { LEVELS, type Logger, type LogLevel } from './logger.js';

/** How a run is logged. */
export interface LoggingOptions extends ShowOptions {
  /** Where lines go. **Default:** `console`. */
  readonly logger?: Logger;
  /** The level of changes of state, and of what tasks log. **Default:** `'debug'`. */
  readonly level?: LogLevel;
  /** The level of what failed, and of what had to be reverted or tried again. **Default:** `'warn'`. */
  readonly failureLevel?: LogLevel;
  /** What each line begins with. **Default:** `''`. */
  readonly prefix?: string;
}

/**
 * Writes each change of state, and what tasks log, to a log. The line of a failure has the error with its stack and causes.
 *
 * @throws {@link ArgumentError} when an option is wrong
 * @example
 * attach(engine, logging({ logger, inputs: true, maskInputs: ['password', 'token'] }));
 */
export function logging(options: LoggingOptions = {}): Listener {
  const { logger = console, level = 'debug', failureLevel = 'warn', prefix = '' } = options;
  if (typeof logger !== 'object' || logger === null) {
    throw new ArgumentError(`option 'logger' must be an object of functions; received ${received(logger)}`);
  }
  checkLevel('level', level);
  checkLevel('failureLevel', failureLevel);
  const lines = new Lines(options);
  return {
    flow: (event) => logger[isBad(event) ? failureLevel : level]?.(prefix + lines.flow(event)),
    task: (event, run) => logger[isBad(event) ? failureLevel : level]?.(prefix + lines.task(event, run)),
    log: (event) => logger[level]?.(prefix + lines.log(event)),
  };
}

function checkLevel(option: string, level: LogLevel): void {
  if (LEVELS.includes(level)) return;
  throw new ArgumentError(`option '${option}' must be one of ${LEVELS.join(', ')}; received ${received(level)}`);
}
