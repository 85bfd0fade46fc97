/** Runs atoms on the scheduler's thread: all of a serial run, and in a parallel one those that do not travel. */
import { isThenable } from '../atoms/index.js';
import { Ahead, type Dispatcher, Ended, type Journal, type RunHost, type Scheduler } from '../engine/index.js';
import { kindsOf } from '../plan/index.js';
import { Budget } from './budget.js';
import {
  aborted,
  type ContextHost,
  callAtom,
  commonTurn,
  LocalContext,
  type Patience,
  timedOut,
  Waiting,
} from './local.js';

/** Starts one atom at a time; the engine that is called `serial`. */
export class InlineDispatcher implements Dispatcher {
  readonly #host: RunHost;
  readonly #runner: InlineRunner;
  readonly #budget = new Budget(() => this.#host.settled());
  /** Of a recorded run: what it is about to do, whether that is not durable yet, and the atom that begins when it is. */
  #ahead: Ahead | undefined;
  #admitting = false;
  #admitted: number | undefined;

  constructor(host: RunHost) {
    this.#host = host;
    this.#runner = new InlineRunner(host);
  }

  pump(stepped: boolean): void {
    const { scheduler } = this.#host;
    if (scheduler.running > 0) return;
    if (scheduler.ledger.journal) {
      this.#pumpRecorded(scheduler.ledger.journal, stepped);
      return;
    }
    // The time counts from pump to pump: a chain of promises that are kept at once would never let the event loop turn.
    while (stepped || (this.#runner.sweep(this.#budget) && !this.#budget.spend())) {
      const atom = scheduler.take();
      if (atom < 0 || !this.#runner.start(atom) || stepped) return;
    }
  }

  /** As `pump()`, and nothing begins before that it begins is durable, with all that went before it. */
  #pumpRecorded(journal: Journal, stepped: boolean): void {
    const { scheduler } = this.#host;
    const { ledger } = scheduler;
    this.#ahead ??= new Ahead(ledger);
    while (!this.#admitting && (stepped || !this.#budget.spend())) {
      const atom = this.#admitted ?? scheduler.take();
      if (atom < 0) break;
      if (this.#admitted === undefined && !journal.isAnnounced(ledger, atom)) {
        this.#admit(atom, journal, this.#ahead);
        continue;
      }
      if (this.#admitted !== undefined) {
        this.#admitted = undefined;
        scheduler.held--;
        if (scheduler.halted) {
          scheduler.putBack(atom);
          break;
        }
      }
      const ended = this.#runner.start(atom);
      if (!ended) this.#ahead.pause();
      if (!ended || stepped) break;
    }
    if (scheduler.halted) journal.retractAll(ledger);
    journal.soon();
  }

  /** Records that an atom begins, and those after it, and goes on once that is durable. */
  #admit(atom: number, journal: Journal, ahead: Ahead): void {
    const { scheduler } = this.#host;
    ahead.announce(atom);
    scheduler.held++;
    this.#admitting = true;
    let later = false;
    journal.start(() => {
      // What could not be recorded has halted the run.
      this.#admitting = false;
      this.#admitted = atom;
      ahead.begin();
      if (later) this.#host.settled();
    });
    journal.commit();
    later = true;
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
  readonly #contextHost: ContextHost;
  /** Whether tasks may have timeouts. */
  readonly #timed: boolean;
  /** With those that have none. */
  readonly #unhurried: Patience;
  /** The atoms that wait for a promise. */
  readonly #waiting = new Map<number, Waiting>();
  /** Of the atom that is being started. */
  #starting: LocalContext | undefined;

  constructor(host: RunHost) {
    const { scheduler, services } = host;
    this.#host = host;
    this.#scheduler = scheduler;
    const { ledger, plan } = scheduler;
    this.#timed = plan.timed || plan.size === 0 || host.timeoutOf(plan.atoms[0]) !== Infinity;
    this.#unhurried = { timeout: Infinity, started: 0, abortGrace: host.abortGrace };
    this.#contextHost = {
      ...{ ledger, services, turn: commonTurn(ledger) },
      progress: (task, fraction, details) => scheduler.progress(task, fraction, details),
      log: (task, message, details) => scheduler.log(task, message, details),
    };
  }

  /** Starts an atom. Returns whether it has ended; if not, the host is told when it has. */
  start(atom: number): boolean {
    const scheduler = this.#scheduler;
    const task = scheduler.plan.atoms[atom];
    const region = scheduler.plan.regions && task.region !== undefined;
    let timeout = this.#host.timeoutOf(task);
    // A region is reverted as long as that takes: its tasks have timeouts of their own. What does nothing cannot be late.
    if (timeout !== Infinity && (region || task.definition.revert === undefined) && scheduler.reverts(atom)) {
      timeout = Infinity;
    }
    const started = timeout === Infinity ? 0 : performance.now();
    const context = new LocalContext(this.#contextHost, atom, this.#starting);
    let result: unknown;
    this.#starting = context;
    scheduler.begin(atom);
    try {
      if (region) result = this.#host.runChild(atom, context.signal);
      else result = callAtom(scheduler.ledger, atom, task, context);
      if (isThenable(result)) {
        // The tasks of a region's flow have the grace, each of them; it ends when they have.
        const abortGrace = region ? Infinity : this.#host.abortGrace;
        return this.#wait(atom, result, context, { timeout, started, abortGrace });
      }
    } catch (error) {
      this.#fail(atom, context, error);
      return true;
    }
    this.#starting = context.outer;
    // Nothing can stop a synchronous task, but its lateness is what it would be on a worker.
    if (timeout !== Infinity && performance.now() - started > timeout) scheduler.fail(atom, timedOut(context, timeout));
    else if (region) this.#finish(atom, result);
    else scheduler.finish(atom, result);
    return true;
  }

  /**
   * As `start()`, for one atom after the other while the run is plain, without what such a run never asks for: this is where the time of
   * small tasks goes, some 60 ns each. What is not plain is left to the others. Returns whether the run can go on at once.
   */
  sweep(budget: Budget): boolean {
    const scheduler = this.#scheduler;
    const { ledger, plan } = scheduler;
    if (this.#timed || !scheduler.plain) return true;
    const host = this.#contextHost;
    const { of, samples } = kindsOf(plan);
    while (!budget.spend()) {
      const atom = scheduler.beginNext();
      if (atom < 0) {
        this.#starting = undefined;
        return true;
      }
      const context = new LocalContext(host, atom, undefined);
      this.#starting = context;
      let result: unknown;
      try {
        const { definition, params } = samples[of[atom]].shape;
        result = definition.execute(ledger.argumentsFor(atom, params), context);
        if (isThenable(result)) return this.#wait(atom, result, context, this.#unhurried);
      } catch (error) {
        this.#fail(atom, context, error);
        return true;
      }
      if (!scheduler.plain) {
        this.#starting = undefined;
        scheduler.finish(atom, result);
        return true;
      }
      scheduler.finishNext(atom, result);
    }
    this.#starting = undefined;
    return false;
  }

  abort(reason: unknown): void {
    for (let context = this.#starting; context; context = context.outer) context.cancel(reason);
    for (const waiting of this.#waiting.values()) waiting.cancel(reason);
  }

  /** Returns that the atom has not ended. */
  #wait(atom: number, result: PromiseLike<unknown>, context: LocalContext, patience: Patience): false {
    this.#starting = context.outer;
    const waiting = new Waiting(context, result, patience, (good, value) => {
      this.#waiting.delete(atom);
      if (good) this.#finish(atom, value);
      else this.#scheduler.fail(atom, value);
      this.#host.settled();
    });
    this.#waiting.set(atom, waiting);
    return false;
  }

  #fail(atom: number, context: LocalContext, error: unknown): void {
    this.#starting = context.outer;
    this.#scheduler.fail(atom, context.cancelled ? aborted(context, context.signal.reason) : error);
  }

  #finish(atom: number, result: unknown): void {
    if (!(result instanceof Ended)) this.#scheduler.finish(atom, result);
    else if (!result.suspended) this.#scheduler.finish(atom, result.value);
    else {
      this.#scheduler.unbegin(atom);
      this.#scheduler.putBack(atom);
    }
  }
}
