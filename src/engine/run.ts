import { AsyncResource } from 'node:async_hooks';
import type { Dispatcher } from './dispatcher.js';
import type { Journal } from './journal.js';
import type { Scheduler } from './scheduler.js';
import type { FlowState } from './states.js';

/** Lets a scheduler wait: after so many ms `wake` is called, and then the run is told that it can go on. */
export function sleeper(settled: () => void): (ms: number, wake: () => void) => () => void {
  return (ms, wake) => {
    const timer = setTimeout(() => {
      wake();
      settled();
    }, ms);
    return () => clearTimeout(timer);
  };
}

/** One run of a flow, from its first task to the state in which the flow ends. It goes on by itself, or step by step. */
export class Run {
  readonly scheduler: Scheduler;
  /** Why it was told to stop. */
  stopped: Error | undefined;
  /** Why what happens could not be recorded. The run is left where it is. */
  broken: Error | undefined;
  /** The state in which it has come to its end. */
  ending: FlowState | undefined;
  /** Whether nothing is left to do; that may still have to become durable. */
  over = false;
  /** Called when an atom has ended that did not end while it was started. */
  onSettled: () => void = () => {};
  readonly #dispatcher: Dispatcher;
  readonly #journal: Journal | undefined;
  readonly #ended: ((ending: FlowState) => void)[] = [];
  #driven = false;

  /**
   * `connect` makes what runs the atoms; it is given what to call when one of them has ended later. `journal` is where the end of the run
   * is recorded before anyone is told.
   */
  constructor(scheduler: Scheduler, connect: (settled: () => void) => Dispatcher, journal?: Journal) {
    this.scheduler = scheduler;
    this.#journal = journal;
    this.#dispatcher = connect(() => this.onSettled());
  }

  /** Listeners are called in the order in which they were added. */
  onEnded(listener: (ending: FlowState) => void): void {
    this.#ended.push(listener);
  }

  /** Waits until the run has come to its end. */
  async toEnd(): Promise<void> {
    if (this.ending === undefined) await new Promise<unknown>((resolve) => this.onEnded(resolve));
  }

  /** Lets the run go on by itself. Tasks on this thread keep the caller's `AsyncLocalStorage`. */
  drive(): void {
    if (this.#driven) return;
    this.#driven = true;
    this.#advance();
    if (this.ending !== undefined) return; // most serial runs: a resource would cost them a fifth of 60 us
    const caller = new AsyncResource('MillraceRun');
    this.onSettled = () => caller.runInAsyncScope(() => this.#advance());
  }

  /** Starts what can be started now, in a run that goes step by step. */
  step(): void {
    if (!this.over) this.#dispatcher.pump(true);
  }

  /** As `step()`, and waits until what was to start has: in a recorded run, that it does must be durable. */
  async stepThrough(): Promise<void> {
    const { scheduler } = this;
    const { ended } = scheduler;
    this.step();
    while (await this.settle()) {
      if (scheduler.held === 0 || scheduler.running > 0 || scheduler.ended > ended) return;
      this.step();
    }
  }

  /** Waits until all that has happened is durable, and told. Returns whether there was something that was not. */
  async settle(): Promise<boolean> {
    const journal = this.#journal;
    if (!journal?.open || this.over || this.broken) return false;
    await new Promise<void>((resolve) => {
      journal.start(() => resolve());
      journal.commit();
    });
    return true;
  }

  /** Ends the run, or turns it round, if there is nothing left to do. */
  conclude(): void {
    if (this.over || !this.scheduler.idle) return;
    const ending = this.scheduler.conclude();
    if (ending) this.end(ending);
  }

  end(ending: FlowState): void {
    const journal = this.#journal;
    this.over = true;
    this.#dispatcher.close();
    if (!journal) {
      this.#finish(ending);
      return;
    }
    journal.flow({ state: this.broken ? 'SUSPENDED' : ending });
    journal.start(() => this.#finish(this.broken ? 'SUSPENDED' : ending));
    journal.commit();
  }

  /** What happens cannot be recorded: the running tasks end, and nothing else begins. With a reason they are told to stop. */
  break(error: Error, reason?: unknown): void {
    if (this.broken) return;
    this.broken = error;
    this.scheduler.freeze();
    this.halt();
    if (reason !== undefined && !this.over) this.#dispatcher.abort(reason);
  }

  /** Stops the run for good: what it has done is reverted. A run that is reverting already goes on with that. */
  stop(error: Error, reason: unknown): void {
    if (this.over || this.scheduler.reverting) return;
    this.stopped ??= error;
    this.scheduler.abort();
    this.#dispatcher.abort(reason);
    this.halt();
  }

  /** Nothing more is to start. A task or a listener may be saying so, and what they are part of must be through first. */
  halt(): void {
    queueMicrotask(() => {
      if (this.over || !this.scheduler.halted) return;
      this.step(); // takes back what has not started
      if (this.scheduler.idle) this.onSettled();
    });
  }

  /** Waits until nothing runs any more. */
  async drain(): Promise<void> {
    while (!this.over && !this.scheduler.idle) {
      await new Promise<void>((resolve) => {
        this.onSettled = resolve;
        this.onEnded(() => resolve());
      });
      this.step(); // takes back what was about to start
    }
  }

  #finish(ending: FlowState): void {
    this.ending = ending;
    for (const listener of this.#ended) listener(ending);
  }

  #advance(): void {
    while (!this.over) {
      this.#dispatcher.pump(false);
      if (!this.scheduler.idle) return;
      this.conclude();
    }
  }
}
