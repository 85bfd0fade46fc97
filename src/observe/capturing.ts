import type { FlowEvent, LogEvent, ProgressEvent, TaskEvent } from '../engine/index.js';
import type { Listener } from './attach.js';

/** An event that was captured: `kind`, and what the event says. */
export type CapturedEvent =
  | ({ readonly kind: 'flow' } & FlowEvent)
  | ({ readonly kind: 'task' } & TaskEvent)
  | ({ readonly kind: 'progress' } & ProgressEvent)
  | ({ readonly kind: 'log' } & LogEvent);

/** What {@link capturing} makes. */
export class Capturing implements Listener {
  /** All that was heard, in order. It holds on to results; empty it when they are no longer needed. */
  readonly events: CapturedEvent[] = [];

  flow(event: FlowEvent): void {
    this.events.push({ kind: 'flow', ...event });
  }

  task(event: TaskEvent): void {
    this.events.push({ kind: 'task', ...event });
  }

  progress(event: ProgressEvent): void {
    this.events.push({ kind: 'progress', ...event });
  }

  log(event: LogEvent): void {
    this.events.push({ kind: 'log', ...event });
  }
}

/**
 * Keeps all events, for tests and for looking at them later.
 *
 * @example
 * const captured = capturing();
 * attach(engine, captured, { progress: false });
 * await engine.run();
 * console.log(captured.events);
 */
export function capturing(): Capturing {
  return new Capturing();
}
