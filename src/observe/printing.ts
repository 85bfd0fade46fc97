import type { FlowEvent, TaskEvent } from '../engine/index.js';
import { ArgumentError, received } from '../errors.js';
import type { Listener } from './attach.js';
import { escapeControls } from './escape.js';
import { Lines, type ShowOptions } from './lines.js';
import { Timing } from './timing.js';

/** Where it is printed. */
export interface StreamOptions {
  /** **Default:** `process.stdout`. */
  readonly stream?: NodeJS.WritableStream;
}

/** How a run is printed. */
export interface PrintingOptions extends ShowOptions, StreamOptions {}

/**
 * Prints each change of state, and what tasks log, a line each.
 *
 * @throws {@link ArgumentError} when an option is wrong
 * @example
 * attach(engine, printing({ stream: process.stderr, results: true, maskOutputs: ['token'] }));
 */
export function printing(options: PrintingOptions = {}): Listener {
  const print = printerTo(options);
  const lines = new Lines(options);
  return {
    flow: (event) => print(lines.flow(event)),
    task: (event, run) => print(lines.task(event, run)),
    log: (event) => print(lines.log(event)),
  };
}

/**
 * Prints when the flow and its tasks start, and how long they took.
 *
 * @example
 * attach(engine, printingDurations()); // task 'resize' took 0.64 s, and is in SUCCESS
 */
export function printingDurations(options: StreamOptions = {}): Listener {
  const print = printerTo(options);
  const timing = new Timing();
  const tell = (what: string, { name, state }: FlowEvent | TaskEvent, ms: number | undefined) => {
    const who = `${what} '${escapeControls(name)}'`;
    if (state === 'RUNNING') print(`${who} started`);
    if (ms !== undefined) print(`${who} took ${(ms / 1000).toFixed(2)} s, and is in ${state}`);
  };
  return {
    flow: (event) => tell('flow', event, timing.flow(event)),
    task: (event) => tell('task', event, timing.task(event)),
  };
}

/** Prints lines. A stream that has been closed is left alone: it would raise an error that nobody handles. */
function printerTo({ stream = process.stdout }: StreamOptions): (line: string) => void {
  if (typeof stream?.write !== 'function') {
    throw new ArgumentError(`option 'stream' must be a writable stream; received ${received(stream)}`);
  }
  return (line) => {
    if (stream.writable) stream.write(`${line}\n`);
  };
}
