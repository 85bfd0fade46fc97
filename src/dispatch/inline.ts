/** Runs atoms on the scheduler's thread: all of a serial run, and in a parallel one those that do not travel. */
import { revertArguments, type TaskAtom } from '../atoms/index.js';
import type { Dispatcher, RunHost, Scheduler } from '../engine/index.js';
import { AbortError, RunError } from '../errors.js';
import { Context, callService, isThenable, LONGEST_DELAY } from './context.js';

/** How long a run of synchronous tasks may hold the event loop, in ms. */
const BUDGET = 10;
/** A clock read costs as much as a small task: there is one for so many tasks at most. */
const STRIDE = 64;

/** Starts one atom at a time; the engine that is called `serial`. */
export class InlineDispatcher implements Dispatcher {
  readonly #host: RunHost;
  readonly #runner: InlineRunner;
  #stride = 1;

  constructor(host: RunHost) {
    this.#host = host;
    this.#runner = new InlineRunner(host);
  }

  pump(stepped: boolean): void {
    const { scheduler } = this.#host;
    if (scheduler.running > 0) return;
    let last = performance.now();
    const end = last + BUDGET;
    for (let since = 1; ; since++) {
      const atom = scheduler.take();
      if (atom < 0 || !this.#runner.start(atom) || stepped) return;
      if (since < this.#stride) continue;
      const now = performance.now();
      if (now >= end) {
        this.#stride = 1;
        setImmediate(() => this.#host.settled());
        return;
      }
      // Tasks that are small so far are asked for the time less often.
      this.#stride = now - last < 1 ? Math.min(STRIDE, this.#stride * 2) : 1;
      last = now;
      since = 0;
    }
  }

  abort(reason: unknown): void {
    this.#runner.abort(reason);
  }

  close(): void {}
}

/** Runs single atoms, several at once when they are asynchronous. */
export class InlineRunner {
  readonly #host: RunHost;
  readonly #scheduler: Scheduler;
  /** The atoms that wait for a promise. */
  readonly #waiting = new Map<number, Execution>();
  /** Of the atom that is being started. */
  #starting: InlineContext | undefined;

  constructor(host: RunHost) {
    this.#host = host;
    this.#scheduler = host.scheduler;
  }

  /** Starts an atom. Returns whether it has ended; if not, the host is told when it has. */
  start(atom: number): boolean {
    const scheduler = this.#scheduler;
    const task = scheduler.plan.atoms[atom];
    const timeout = this.#host.timeoutOf(task);
    const started = timeout === Infinity ? 0 : performance.now();
    const context = new InlineContext(this.#host, task, this.#starting);
    let result: unknown;
    this.#starting = context;
    scheduler.begin(atom);
    try {
      result = this.#call(atom, task, context);
      if (isThenable(result)) {
        this.#wait(atom, result, context, started + timeout);
        this.#starting = context.outer;
        return false;
      }
    } catch (error) {
      this.#starting = context.outer;
      scheduler.fail(atom, context.cancelled ? aborted(task, context.signal.reason) : error);
      return true;
    }
    this.#starting = context.outer;
    // Nothing can stop a synchronous task, but its lateness is what it would be on a worker.
    if (timeout !== Infinity && performance.now() - started > timeout) scheduler.fail(atom, timedOut(task, timeout));
    else scheduler.finish(atom, result);
    return true;
  }

  abort(reason: unknown): void {
    for (let context = this.#starting; context; context = context.outer) context.cancel(reason);
    for (const [atom, execution] of this.#waiting) {
      this.#cancel(execution, aborted(this.#scheduler.plan.atoms[atom], reason), reason);
    }
  }

  #call(atom: number, task: TaskAtom, context: InlineContext): unknown {
    const { execute, revert } = task.definition;
    if (!this.#scheduler.reverting) return execute(this.#scheduler.argumentsOf(atom), context);
    if (revert === undefined) return undefined;
    const args = this.#scheduler.argumentsOf(atom);
    return revert(revertArguments(args, task.provision, this.#scheduler.revertExtrasOf(atom)), context);
  }

  #wait(atom: number, result: PromiseLike<unknown>, context: InlineContext, deadline: number): void {
    const execution: Execution = { context, timer: undefined, end: undefined as never, error: undefined };
    execution.end = (good, value) => {
      if (!this.#waiting.delete(atom)) return; // it was given up before
      clearTimeout(execution.timer);
      if (execution.error !== undefined && !(good && execution.error instanceof AbortError)) {
        this.#scheduler.fail(atom, execution.error);
      } else if (good) {
        this.#scheduler.finish(atom, value);
      } else {
        this.#scheduler.fail(atom, value);
      }
      this.#host.settled();
    };
    this.#waiting.set(atom, execution);
    const task = this.#scheduler.plan.atoms[atom];
    if (deadline - performance.now() <= LONGEST_DELAY) {
      execution.timer = setTimeout(() => {
        const error = timedOut(task, this.#host.timeoutOf(task));
        this.#cancel(execution, error, error);
      }, deadline - performance.now());
    }
    Promise.resolve(result).then(
      (value) => execution.end(true, value),
      (error) => execution.end(false, error),
    );
    // It was told so while it started, perhaps by itself.
    if (context.cancelled) this.#cancel(execution, aborted(task, context.signal.reason), context.signal.reason);
  }

  /** Tells a task to stop, and stops waiting for it after the grace. */
  #cancel(execution: Execution, error: Error, reason: unknown): void {
    if (execution.error !== undefined) return;
    execution.error = error;
    clearTimeout(execution.timer);
    execution.timer = setTimeout(() => execution.end(false, error), Math.min(this.#host.abortGrace, LONGEST_DELAY));
    execution.context.cancel(reason);
  }
}

/** An atom that waits for its promise. */
interface Execution {
  readonly context: InlineContext;
  /** For its timeout, or for the grace after it was told to stop. */
  timer: NodeJS.Timeout | undefined;
  /** Why it was told to stop. */
  error: Error | undefined;
  end: (good: boolean, value: unknown) => void;
}

/** The failure of a task that was told to stop. */
export function aborted({ name }: TaskAtom, reason: unknown): AbortError {
  return new AbortError(`Task '${name}' was aborted`, { cause: reason, task: name });
}

/** The failure of a task that took too long. */
export function timedOut({ name }: TaskAtom, timeout: number): RunError {
  return new RunError('ERR_MILLRACE_TIMEOUT', `Task '${name}' took longer than its timeout of ${timeout} ms`, {
    task: name,
  });
}

class InlineContext extends Context {
  readonly #host: RunHost;
  readonly #task: TaskAtom;
  /** Of the atom whose start led to this one's. */
  readonly outer: InlineContext | undefined;

  constructor(host: RunHost, task: TaskAtom, outer: InlineContext | undefined) {
    super();
    this.#host = host;
    this.#task = task;
    this.outer = outer;
  }

  get name(): string {
    return this.#task.name;
  }

  get flow(): string {
    return this.#host.scheduler.plan.name;
  }

  get aborted(): boolean {
    return this.cancelled;
  }

  protected report(fraction: number, details: unknown): void {
    this.#host.scheduler.progress(this.name, fraction, details);
  }

  protected say(message: string, details: unknown): void {
    this.#host.scheduler.log(this.name, message, details);
  }

  protected call(service: string, args: unknown[]): Promise<unknown> {
    return callService(this.#host.services, this.name, service, args);
  }
}
