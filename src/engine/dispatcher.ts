import type { TaskAtom } from '../atoms/index.js';
import type { Ended } from './children.js';
import type { Scheduler } from './scheduler.js';

/** Where ready atoms run. The engine owns this interface; `dispatch/` implements it. */
export interface Dispatcher {
  /**
   * Takes ready atoms from the scheduler and starts them, as many as fit; in a stepped run, no more than one at each place.
   * May return early so that the event loop can turn, and then calls `host.settled()` by itself.
   */
  pump(stepped: boolean): void;
  /** Tells the running atoms to stop, and ends those that do not within the grace. */
  abort(reason: unknown): void;
  /** The run has ended. */
  close(): void;
}

/** What a dispatcher knows of the run that it works for. */
export interface RunHost {
  readonly scheduler: Scheduler;
  /** Whether it is the run of a region's flow, within that of the flow around it. */
  readonly nested: boolean;
  /** What tasks may call as `context.services`. */
  readonly services: Readonly<Record<string, (...args: any[]) => unknown>>;
  /** How long a task that was told to stop has time to do so, in ms. */
  readonly abortGrace: number;
  /** Where the run was asked for, as the stack of an error: it goes below the stacks that come from workers. */
  readonly callerStack: string;
  /** How long a task may take, in ms; `Infinity`: as long as it wants. */
  timeoutOf(task: TaskAtom): number;
  /**
   * Runs or reverts the flow of an atom that is a region.
   *
   * @throws what it fails with; so does the promise
   */
  runChild(atom: number, signal: AbortSignal): Ended | Promise<Ended>;
  /** An atom that did not end while it was started has ended, or the dispatcher can go on. */
  settled(): void;
}

export type DispatcherFactory = (host: RunHost) => Dispatcher;
