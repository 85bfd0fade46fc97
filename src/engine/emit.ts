import type { EventEmitter } from 'node:events';
import { inspect } from 'node:util';

/**
 * Emits an event, and lets no listener harm what emits it: the error of one that throws becomes a process warning.
 *
 * @param whose whose event it is, for the warning: `flow 'import'`
 */
export function emitSafely<Events extends Record<keyof Events, unknown[]>, E extends keyof Events & string>(
  emitter: EventEmitter<Events>,
  whose: string,
  event: E,
  ...details: Events[E]
): void {
  // One by one, as `emit()` would leave out those behind a listener that throws.
  for (const listener of (emitter as EventEmitter).rawListeners(event)) {
    try {
      Reflect.apply(listener, emitter, details);
    } catch (error) {
      process.emitWarning(`A listener of '${event}' of ${whose} threw: ${inspect(error)}`, 'MillraceWarning');
    }
  }
}
