import { type InspectOptions, inspect } from 'node:util';
import { type Services, type TaskContext, taskKey } from '../atoms/index.js';
import { ArgumentError, RunError, received } from '../errors.js';

/** `setTimeout` fires at once for a longer delay. */
export const LONGEST_DELAY = 2 ** 31 - 1;

/** Which time it is that a task runs or is reverted. */
export interface Turn {
  readonly attempt: number;
  /** How many times the task had been put back to its start. */
  readonly round: number;
  readonly reverting: boolean;
}

export const FIRST: Turn = { attempt: 1, round: 0, reverting: false };

/** What few tasks ask of their context. */
interface Late {
  controller?: AbortController;
  cancelled?: { reason: unknown };
  services?: Services;
  turn?: Turn;
}

/** What the two contexts, here and in a worker, have in common: progress that is checked, and a signal that is made late. */
export abstract class Context implements TaskContext {
  abstract readonly name: string;
  abstract readonly flow: string;
  abstract readonly aborted: boolean;
  /** What the keys of the flow's tasks begin with. */
  protected abstract readonly flowKey: string;
  /**
   * What few tasks ask for, made when one does: contexts are made by the million. It is declared and not initialised, as each class on the
   * way that initialises fields makes a context twice as dear.
   */
  declare protected late: Late | undefined;

  /** Few tasks look at it, and a signal costs more than a small task. */
  get signal(): AbortSignal {
    this.late ??= {};
    const { late } = this;
    if (!late.controller) {
      late.controller = new AbortController();
      if (late.cancelled) late.controller.abort(late.cancelled.reason);
    }
    return late.controller.signal;
  }

  get services(): Services {
    this.late ??= {};
    this.late.services ??= services((name, args) => this.call(name, args));
    return this.late.services;
  }

  get attempt(): number {
    return this.#turn.attempt;
  }

  get idempotencyKey(): string {
    const { round, reverting } = this.#turn;
    return taskKey(this.flowKey, this.name, round, reverting);
  }

  /** It is not the first time. A task that was given up, and asks late, must not be told of the next one: so it is said beforehand. */
  again(turn: Turn): void {
    this.late ??= {};
    this.late.turn = turn;
  }

  get #turn(): Turn {
    return this.late?.turn ?? this.usualTurn;
  }

  /** That of a task of which nothing else was said. */
  protected get usualTurn(): Turn {
    return FIRST;
  }

  progress(fraction: number, details?: unknown): void {
    if (typeof fraction !== 'number' || Number.isNaN(fraction)) {
      throw new ArgumentError(
        `Task '${this.name}': progress must be a number from 0 to 1; received ${received(fraction)}`,
      );
    }
    this.report(Math.min(1, Math.max(0, fraction)), details);
  }

  log(message: string, details?: unknown): void {
    this.say(String(message), details);
  }

  get cancelled(): boolean {
    return this.late?.cancelled !== undefined;
  }

  /** Tells the task to stop. */
  cancel(reason: unknown): void {
    if (this.cancelled) return;
    this.late ??= {};
    this.late.cancelled = { reason };
    this.late.controller?.abort(reason);
  }

  /** As users print it: without what it is made of. */
  [inspect.custom](_depth: unknown, options: InspectOptions): string {
    const { name, flow, aborted, attempt } = this;
    return `TaskContext ${inspect({ name, flow, aborted, attempt }, options)}`;
  }

  protected abstract report(fraction: number, details: unknown): void;
  protected abstract say(message: string, details: unknown): void;
  protected abstract call(service: string, args: unknown[]): Promise<unknown>;
}

/** `services.anything(...)` becomes `call('anything', [...])`. */
function services(call: (name: string, args: unknown[]) => Promise<unknown>): Services {
  return new Proxy({} as Services, {
    get: (_, name) =>
      typeof name === 'symbol' || name === 'then' ? undefined : (...args: unknown[]) => call(name, args),
  });
}

/** Calls a service on the scheduler's thread. */
export async function callService(
  offered: Readonly<Record<string, (...args: any[]) => unknown>>,
  task: string,
  name: string,
  args: unknown[],
): Promise<unknown> {
  const service = Object.hasOwn(offered, name) ? offered[name] : undefined;
  if (typeof service === 'function') return await service(...args);
  const names = Object.keys(offered).join(', ') || 'none';
  throw new RunError('ERR_MILLRACE_SERVICE', `Task '${task}' called service '${name}'; the run offers ${names}`, {
    task,
  });
}
