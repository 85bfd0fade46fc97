/// <reference types="node" preserve="true" />
/**
 * Listeners of Millrace: what happens in a run is logged, printed, timed or kept, by what is attached to it from outside.
 *
 * @packageDocumentation
 */

export { type Attachment, attach, type Choice, type Heard, type Listener, type ObservedRun } from './attach.js';
export { type CapturedEvent, type Capturing, capturing } from './capturing.js';
export type { ShowOptions } from './lines.js';
export type { Logger, LogLevel } from './logger.js';
export { type LoggingOptions, logging } from './logging.js';
export { type PrintingOptions, printing, printingDurations, type StreamOptions } from './printing.js';
export { type Progress, type ProgressOptions, progress } from './progress.js';
export { type FlowTimes, type TaskTimes, type Timing, timing } from './timing.js';
