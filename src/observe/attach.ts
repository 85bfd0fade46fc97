/** How a listener comes to hear what happens in a run, and why it cannot harm the run. */
import type { EventEmitter } from 'node:events';
import { isThenable } from '../atoms/index.js';
import type {
  EngineEvents,
  EngineStatistics,
  FlowEvent,
  FlowState,
  LogEvent,
  ProgressEvent,
  Storage,
  TaskEvent,
  TaskState,
} from '../engine/index.js';
import { ArgumentError, received } from '../errors.js';
import { errorText } from './error-text.js';

/** What a listener can be attached to: an engine, the run of a task that a service carries out, or whatever has the same events. */
export interface ObservedRun extends EventEmitter<EngineEvents> {
  /** What is known of its values and tasks, if it tells that. */
  readonly storage?: Partial<Storage> | undefined;
  /** How many of its tasks are in each state, if it tells that. */
  readonly statistics?: Pick<EngineStatistics, 'tasks'> | undefined;
}

/**
 * What is to be told of a run: a function for each kind of event that is wanted. It may be asynchronous; nobody waits for it.
 *
 * @example
 * const failures: Listener = {
 *   task({ name, state }) {
 *     if (state === 'FAILURE') console.error(name);
 *   },
 * };
 */
export interface Listener {
  /** The flow has changed its state. */
  flow?(event: FlowEvent, run: ObservedRun): unknown;
  /** A task has changed its state. */
  task?(event: TaskEvent, run: ObservedRun): unknown;
  /** A task says how far it is. */
  progress?(event: ProgressEvent, run: ObservedRun): unknown;
  /** A task says something. */
  log?(event: LogEvent, run: ObservedRun): unknown;
}

/** Which events a listener is to hear. What is not named is heard. */
export interface Heard {
  /** `false`, or the states it is told of, or a function that says whether it is told of an event. */
  readonly flow?: Choice<FlowEvent, FlowState>;
  readonly task?: Choice<TaskEvent, TaskState>;
  readonly progress?: Choice<ProgressEvent>;
  readonly log?: Choice<LogEvent>;
}

/** Which events of one kind are heard. */
export type Choice<E, State extends string = never> =
  | boolean
  | ((event: E) => boolean)
  | ([State] extends [never] ? never : readonly State[]);

/** That a listener is attached to a run. `using` detaches it at the end of its block. */
export interface Attachment extends Disposable {
  /** The listener hears nothing more, not even of the event that is just being told. Does nothing the second time. */
  detach(): void;
}

const KINDS = ['flow', 'task', 'progress', 'log'] as const satisfies readonly (keyof EngineEvents)[];

type Kind = (typeof KINDS)[number];

/** Which listeners are attached to a run now. */
const attached = new WeakMap<ObservedRun, Set<Listener>>();

/**
 * Attaches a listener to a run, from outside: before it begins, or at any time later; then the listener is told of the rest.
 *
 * It cannot harm the run. What it throws, or rejects with, becomes a process warning, once for each kind of event.
 *
 * @param heard leaves events out; what is left out altogether costs the run nothing
 * @throws {@link ArgumentError} when the listener is attached to this run already, or an argument is wrong
 * @example
 * using _ = attach(engine, logging({ logger }), { task: ['FAILURE', 'REVERTED'] });
 */
export function attach(run: ObservedRun, listener: Listener, heard: Heard = {}): Attachment {
  const kinds = check(run, listener, heard).filter((kind) => heard[kind] !== false);
  const listeners = attached.get(run) ?? new Set();
  if (listeners.has(listener)) throw new ArgumentError('The listener is already attached to this run; detach it first');
  attached.set(run, listeners.add(listener));

  let detached = false;
  const subscriptions = kinds.map((kind) => {
    const isHeard = heardBy(heard[kind]);
    let warned = false;
    const warn = (event: any, what: string, error: unknown) => {
      if (warned) return; // a flow may have a million tasks
      warned = true;
      const line = `A listener of '${kind}' ${what} at '${event.name}'; if it does so again, nothing is said`;
      process.emitWarning(`${line}: ${errorText(error)}`, 'MillraceWarning');
    };
    const receive = (event: any) => {
      // The emitter may have begun to tell an event before the listener was detached.
      if (detached) return;
      try {
        if (!isHeard(event)) return;
        const told = listener[kind]?.(event, run);
        if (isThenable(told)) Promise.resolve(told).catch((error) => warn(event, 'rejected', error));
      } catch (error) {
        warn(event, 'threw', error);
      }
    };
    return [kind, receive] as const;
  });
  for (const [kind, receive] of subscriptions) run.on(kind, receive);

  const detach = () => {
    if (detached) return;
    detached = true;
    listeners.delete(listener);
    for (const [kind, receive] of subscriptions) run.off(kind, receive);
  };
  return { detach, [Symbol.dispose]: detach };
}

function heardBy(choice: Choice<any, any> | undefined): (event: any) => boolean {
  if (typeof choice === 'function') return choice;
  if (!Array.isArray(choice)) return () => true;
  const states: ReadonlySet<unknown> = new Set(choice);
  return ({ state }) => states.has(state);
}

/** Returns the kinds of events that the listener has a function for. */
function check(run: ObservedRun, listener: Listener, heard: Heard): Kind[] {
  if (typeof run?.on !== 'function' || typeof run.off !== 'function') {
    throw new ArgumentError(`The run must be an engine, or have its events; received ${received(run)}`);
  }
  const kinds = KINDS.filter((kind) => typeof listener?.[kind] === 'function');
  if (kinds.length === 0) {
    throw new ArgumentError(
      `The listener must be an object with some of the functions ${KINDS.join(', ')}; received ${received(listener)}`,
    );
  }
  for (const [kind, choice] of Object.entries(heard)) {
    if (!(KINDS as readonly string[]).includes(kind)) {
      throw new ArgumentError(`There are no events '${kind}' to be heard; there are ${KINDS.join(', ')}`);
    }
    const hasStates = kind === 'flow' || kind === 'task';
    if (choice === undefined || typeof choice === 'boolean' || typeof choice === 'function') continue;
    if (hasStates && Array.isArray(choice)) continue;
    const expected = hasStates ? 'a boolean, a list of states or a function' : 'a boolean or a function';
    throw new ArgumentError(`'${kind}' must be ${expected}; received ${received(choice)}`);
  }
  return kinds;
}
