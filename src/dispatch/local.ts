/** What it takes to run an atom on this thread, whoever asks for it: its context, its call, and waiting for what it promised. */
import { revertArguments, type TaskAtom } from '../atoms/index.js';
import type { Ledger, RunHost } from '../engine/index.js';
import { AbortError, RunError } from '../errors.js';
import { type Named, nameOf } from '../plan/index.js';
import { Context, callService, FIRST, LONGEST_DELAY, type Turn } from './context.js';

/** Calls what an atom that has begun is to do: its `execute`, or its `revert` if it has one. */
export function callAtom(ledger: Ledger, atom: number, task: TaskAtom, context: LocalContext): unknown {
  const { definition, controller } = task;
  const reverting = ledger.isReverting(atom);
  if (reverting && (controller ?? definition).revert === undefined) return undefined;
  if (reverting || (ledger.turns !== undefined && ledger.turns.common === undefined)) {
    context.again({ attempt: ledger.attemptOf(atom), round: ledger.roundOf(atom), reverting });
  }
  if (!reverting) {
    const args = ledger.argumentsOf(atom);
    return controller ? controller.execute(ledger.historyOf(atom), args) : definition.execute(args, context);
  }
  const args = revertArguments(ledger.revertArgumentsOf(atom), task.provision, ledger.revertExtrasOf(atom));
  return controller ? controller.revert!(ledger.historyOf(atom), args) : definition.revert!(args, context);
}

/** The run that a context belongs to. */
export interface ContextHost {
  readonly ledger: Ledger;
  /** Which time it is that tasks run of which nothing else is said. */
  readonly turn: Turn;
  readonly services: RunHost['services'];
  progress(task: string, fraction: number, details: unknown): void;
  log(task: string, message: string, details: unknown): void;
}

/** The turn of all tasks that are about to run in a ledger, as far as it is the same. */
export function commonTurn({ turns }: Ledger): Turn {
  return turns?.common ? { ...FIRST, round: turns.common } : FIRST;
}

/** The context of a task that runs on the scheduler's thread: an object with four fields, and no more until the task asks for more. */
export class LocalContext extends Context {
  declare private readonly host: ContextHost;
  declare private readonly atom: number;
  /** Of the atom whose start led to this one's. */
  declare readonly outer: LocalContext | undefined;

  constructor(host: ContextHost, atom: number, outer: LocalContext | undefined) {
    super();
    this.host = host;
    this.atom = atom;
    this.outer = outer;
    this.late = undefined;
  }

  get name(): string {
    return nameOf(this.host.ledger.plan, this.atom);
  }

  get flow(): string {
    return this.host.ledger.plan.name;
  }

  get aborted(): boolean {
    return this.cancelled;
  }

  protected get flowKey(): string {
    return this.host.ledger.key;
  }

  protected override get usualTurn(): Turn {
    return this.host.turn;
  }

  protected report(fraction: number, details: unknown): void {
    this.host.progress(this.name, fraction, details);
  }

  protected say(message: string, details: unknown): void {
    this.host.log(this.name, message, details);
  }

  protected call(service: string, args: unknown[]): Promise<unknown> {
    return callService(this.host.services, this.name, service, args);
  }
}

/** How long to wait for a promise, in ms. */
export interface Patience {
  /** How long the task may take. */
  readonly timeout: number;
  /** When it began, as `performance.now()`; of no account if there is no timeout. */
  readonly started: number;
  /** How long it has to end after it was told to stop. */
  readonly abortGrace: number;
}

/** Waits for what a task has promised: no longer than its timeout, and once it was told to stop, no longer than the grace. */
export class Waiting {
  readonly #context: LocalContext;
  readonly #abortGrace: number;
  readonly #ended: (good: boolean, value: unknown) => void;
  /** For its timeout, or for the grace after it was told to stop. */
  #timer: NodeJS.Timeout | undefined;
  /** Why it was told to stop. */
  #error: Error | undefined;
  #over = false;

  /** `ended` is told once, later, how the task has ended: `good` with its result, or not with what it failed of. */
  constructor(
    context: LocalContext,
    result: PromiseLike<unknown>,
    { timeout, started, abortGrace }: Patience,
    ended: (good: boolean, value: unknown) => void,
  ) {
    this.#context = context;
    this.#abortGrace = abortGrace;
    this.#ended = ended;
    Promise.resolve(result).then(
      (value) => this.#end(true, value),
      (error) => this.#end(false, error),
    );
    const left = timeout === Infinity ? Infinity : started + timeout - performance.now();
    if (left <= LONGEST_DELAY) {
      this.#timer = setTimeout(() => {
        const error = timedOut(context, timeout);
        this.#stop(error, error);
      }, left);
    }
    // It was told so while it started, perhaps by itself.
    if (context.cancelled) this.cancel(context.signal.reason);
  }

  /** Tells the task to stop, and stops waiting for it after the grace. */
  cancel(reason: unknown): void {
    this.#stop(aborted(this.#context, reason), reason);
  }

  #stop(error: Error, reason: unknown): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(false, error), Math.min(this.#abortGrace, LONGEST_DELAY));
    this.#context.cancel(reason);
  }

  #end(good: boolean, value: unknown): void {
    if (this.#over) return; // it was given up before
    this.#over = true;
    clearTimeout(this.#timer);
    if (this.#error === undefined || (good && this.#error instanceof AbortError)) this.#ended(good, value);
    else this.#ended(false, this.#error);
  }
}

/** The failure of a task that was told to stop. */
export function aborted({ name }: Named, reason: unknown): AbortError {
  return new AbortError(`Task '${name}' was aborted`, { cause: reason, task: name });
}

/** The failure of a task that took too long. */
export function timedOut({ name }: Named, timeout: number): RunError {
  return new RunError('ERR_MILLRACE_TIMEOUT', `Task '${name}' took longer than its timeout of ${timeout} ms`, {
    task: name,
  });
}
