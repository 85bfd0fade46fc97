/**
 * The scheduler: one for every kind of dispatcher. It is synchronous: a dispatcher takes ready atoms from it, says how they
 * ended, and asks it to go on; it knows nothing of threads, promises or time.
 */
import type { Failure } from '../atoms/index.js';
import { isMillraceError } from '../errors.js';
import type { Plan } from '../plan/index.js';
import { ignoredFrom } from './decide.js';
import { type LogEvent, logEvent, type ProgressEvent, progressEvent, type TaskEvent, taskEvent } from './events.js';
import {
  backwards,
  backwardsConcurrently,
  concurrently,
  type Frontier,
  forwards,
  type Place,
  ReadySet,
} from './frontier.js';
import type { Ledger } from './ledger.js';
import { FAILURE, type FlowState, PENDING, REVERTING, RUNNING, SUCCESS } from './states.js';

/** What the scheduler tells the engine. */
export interface SchedulerEvents {
  task(event: TaskEvent): void;
  progress(event: ProgressEvent): void;
  log(event: LogEvent): void;
}

export interface SchedulerOptions {
  readonly plan: Plan;
  readonly ledger: Ledger;
  readonly events: SchedulerEvents;
  /** Whether several atoms may run at once. */
  readonly concurrent: boolean;
  readonly observed: boolean;
}

export class Scheduler {
  readonly plan: Plan;
  readonly ledger: Ledger;
  readonly concurrent: boolean;
  /** Whether anyone listens to tasks, so that events are worth making. */
  observed: boolean;
  /** How many atoms have begun and not ended. */
  running = 0;
  /** How many atoms have ended, well or badly. */
  ended = 0;
  /** How many atoms a dispatcher has taken and not begun. */
  held = 0;
  #frontier!: Frontier;
  /** No atom is handed out any more: one has failed, or the run is suspended or aborted. */
  #halted = false;
  #suspended = false;
  #aborted = false;
  #revertFailed = false;
  readonly #events: SchedulerEvents;

  constructor(options: SchedulerOptions) {
    this.plan = options.plan;
    this.ledger = options.ledger;
    this.concurrent = options.concurrent;
    this.observed = options.observed;
    this.#events = options.events;
    // A run that was stopped while it reverted goes on reverting.
    if (this.ledger.reverting || this.ledger.failures.size > 0) this.#revert();
    else this.#frontier = this.#forwards();
  }

  /** Whether nothing runs and nothing can be taken. */
  get idle(): boolean {
    return this.running === 0 && this.held === 0 && (this.#halted || this.#frontier.empty);
  }

  /** Whether the atoms taken now are to be reverted. */
  get reverting(): boolean {
    return this.ledger.reverting;
  }

  /** The ready atoms, for a dispatcher that takes several at once. */
  get ready(): ReadySet | undefined {
    return this.#frontier instanceof ReadySet ? this.#frontier : undefined;
  }

  /** Whether no atom is to start now. */
  get halted(): boolean {
    return this.#halted;
  }

  /** Takes the next ready atom; -1 when there is none now. */
  take(place?: Place): number {
    return this.#halted ? -1 : this.#frontier.take(place);
  }

  /**
   * Whether an atom is to run on the scheduler's thread. A task that has nothing to revert need not travel for it, and one
   * whose code no worker has found cannot.
   */
  readonly runsHere = (atom: number): boolean => {
    const task = this.plan.atoms[atom];
    if (!task.travels) return true;
    if (!this.reverting) return false;
    return task.definition.revert === undefined || UNFOUND.has(codeOf(this.ledger.failures.get(atom)));
  };

  /** An atom that was taken starts. */
  begin(atom: number): void {
    const oldState = this.ledger.states[atom];
    this.ledger.begin(atom);
    this.running++;
    if (this.observed) {
      this.#tell(atom, oldState);
      this.#events.progress(progressEvent(this.plan.atoms[atom].name, 0));
    }
  }

  /** An atom that was said to begin has not: its worker died before. */
  unbegin(atom: number): void {
    const { states, failures } = this.ledger;
    const oldState = states[atom];
    states[atom] = !this.reverting ? PENDING : failures.has(atom) ? FAILURE : SUCCESS;
    this.running--;
    if (this.observed) this.#tell(atom, oldState);
  }

  /** An atom has ended well. */
  finish(atom: number, result: unknown): void {
    try {
      this.ledger.finish(atom, result);
    } catch (error) {
      this.fail(atom, error);
      return;
    }
    this.running--;
    this.ended++;
    if (this.observed) {
      this.#tell(atom, this.reverting ? REVERTING : RUNNING, result);
      this.#events.progress(progressEvent(this.plan.atoms[atom].name, 1));
    }
    this.#frontier.leave(atom);
  }

  /** An atom has ended badly: it threw `error`, or something happened to it. */
  fail(atom: number, error: unknown): void {
    const failure = this.ledger.fail(atom, error);
    if (this.reverting) this.#revertFailed = true;
    this.running--;
    this.ended++;
    this.#halted = true;
    if (this.observed) this.#tell(atom, this.reverting ? REVERTING : RUNNING, failure);
  }

  /** Atoms that run may end; no other starts. */
  suspend(): void {
    this.#suspended = true;
    this.#halted = true;
  }

  /** As `suspend()`, and what has run is reverted, even if the run was suspended before. */
  abort(): void {
    this.#aborted = true;
    if (this.reverting) return;
    this.#halted = true;
    this.#suspended = false;
  }

  /**
   * Nothing runs and nothing can be taken: what now? Either the run goes on backwards, and `undefined` is returned, or it has
   * come to an end in the state that is returned.
   */
  conclude(): FlowState | undefined {
    const { failures, revertFailures } = this.ledger;
    if (this.reverting) {
      if (this.#frontier.empty && revertFailures.size === 0) return 'REVERTED';
      return this.#suspended && !this.#revertFailed ? 'SUSPENDED' : 'FAILURE';
    }
    if (failures.size === 0 && !this.#aborted) {
      const complete = this.ledger.finishedCount + this.ledger.ignoredCount === this.plan.size;
      return this.#suspended && !complete ? 'SUSPENDED' : 'SUCCESS';
    }
    if (this.#suspended && !this.#aborted) return 'SUSPENDED';
    this.#revert();
    return undefined;
  }

  /** A task says how far it is. */
  progress(name: string, progress: number, details?: unknown): void {
    const event = progressEvent(name, progress, details);
    this.ledger.note(event);
    this.#events.progress(event);
  }

  log(name: string, message: string, details: unknown): void {
    this.#events.log(logEvent(name, message, details));
  }

  #forwards(): Frontier {
    const { plan, ledger } = this;
    const decide = plan.decisions && this.#decide;
    return this.concurrent ? concurrently(plan, ledger, this.runsHere, decide) : forwards(plan, ledger, decide);
  }

  /** Asks the deciders about an atom whose turn has come. */
  readonly #decide = (atom: number): boolean | undefined => {
    if (this.#halted) return undefined; // whoever goes on asks
    try {
      const ignored = ignoredFrom(this.plan, this.ledger, this.plan.decisions!, atom);
      for (const one of ignored) {
        this.ledger.ignore(one);
        if (this.observed) this.#tell(one, PENDING);
      }
      return ignored.length === 0;
    } catch (error) {
      this.begin(atom);
      this.fail(atom, error);
      return undefined;
    }
  };

  #revert(): void {
    this.ledger.reverting = true;
    this.#halted = this.#suspended;
    this.#frontier = this.concurrent
      ? backwardsConcurrently(this.plan, this.ledger, this.runsHere)
      : backwards(this.ledger);
  }

  #tell(atom: number, oldState: number, ...result: [unknown?]): void {
    this.#events.task(taskEvent(this.plan.atoms[atom].name, this.ledger.states[atom], oldState, ...result));
  }
}

const UNFOUND: ReadonlySet<unknown> = new Set(['ERR_MILLRACE_MODULE_LOAD', 'ERR_MILLRACE_TASK_NOT_FOUND']);

function codeOf(failure: Failure | undefined): unknown {
  return isMillraceError(failure?.error) ? failure.error.code : undefined;
}
