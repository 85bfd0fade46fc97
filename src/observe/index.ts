/// <reference types="node" preserve="true" />
/**
 * Looking on: listeners that log, print, time or keep what happens in a run, failures explained, and flows drawn as diagrams.
 *
 * @packageDocumentation
 */

export { type Attachment, attach, type Choice, type Heard, type Listener, type ObservedRun } from './attach.js';
export { type CapturedEvent, type Capturing, capturing } from './capturing.js';
export type { DiagramOptions } from './diagram.js';
export { toDot } from './dot.js';
export { type ExplainOptions, explainFailure } from './explain.js';
export type { ShowOptions } from './lines.js';
export type { Logger, LogLevel } from './logger.js';
export { type LoggingOptions, logging } from './logging.js';
export { toMermaid } from './mermaid.js';
export { type PrintingOptions, printing, printingDurations, type StreamOptions } from './printing.js';
export { type Progress, type ProgressOptions, progress } from './progress.js';
export { type FlowTimes, type TaskTimes, type Timing, timing } from './timing.js';
