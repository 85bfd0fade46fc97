/**
 * The scheduler: one for every kind of dispatcher. It is synchronous: a dispatcher takes ready atoms from it, says how they
 * ended, and asks it to go on; it knows nothing of threads, promises or time.
 */
import { Failure, type RevertExtras, type TaskAtom } from '../atoms/index.js';
import { isMillraceError, RunError } from '../errors.js';
import { CONSTANT, INPUT, type Plan } from '../plan/index.js';
import { markFailed } from '../wire/index.js';
import type { Binding } from './bind.js';
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
import {
  FAILURE,
  type FlowState,
  PENDING,
  REVERT_FAILURE,
  REVERTED,
  REVERTING,
  RUNNING,
  SUCCESS,
  TASK_STATES,
  type TaskState,
} from './states.js';

/** A task has changed its state. */
export interface TaskEvent {
  readonly name: string;
  readonly state: TaskState;
  readonly oldState: TaskState;
  /** With `SUCCESS` and `REVERTED` what the task returned; with `FAILURE` and `REVERT_FAILURE` a {@link Failure}. */
  readonly result?: unknown;
}

/** A task says how far it is. */
export interface ProgressEvent {
  readonly name: string;
  /** From 0 to 1. */
  readonly progress: number;
  readonly details?: unknown;
}

/** A task says something. */
export interface LogEvent {
  readonly name: string;
  readonly message: string;
  readonly details?: unknown;
}

/** What the scheduler tells the engine. */
export interface SchedulerEvents {
  task(event: TaskEvent): void;
  progress(event: ProgressEvent): void;
  log(event: LogEvent): void;
}

export interface SchedulerOptions {
  readonly binding: Binding;
  readonly ledger: Ledger;
  readonly events: SchedulerEvents;
  /** Whether several atoms may run at once. */
  readonly concurrent: boolean;
}

export class Scheduler {
  readonly plan: Plan;
  readonly binding: Binding;
  readonly ledger: Ledger;
  readonly concurrent: boolean;
  /** Whether anyone listens to tasks, so that events are worth making. */
  observed = false;
  /** How many atoms have begun and not ended. */
  running = 0;
  /** How many atoms have ended, well or badly. */
  ended = 0;
  /** How many atoms a dispatcher has taken and not begun. */
  held = 0;
  #frontier: Frontier;
  /** No atom is handed out any more: one has failed, or the run is suspended or aborted. */
  #halted = false;
  #suspended = false;
  #aborted = false;
  #revertFailed = false;
  readonly #events: SchedulerEvents;

  constructor(options: SchedulerOptions) {
    this.binding = options.binding;
    this.plan = options.binding.plan;
    this.ledger = options.ledger;
    this.concurrent = options.concurrent;
    this.#events = options.events;
    this.#frontier = this.#forwards();
    // A run that was stopped while it reverted goes on reverting.
    if (this.ledger.reverting || this.ledger.failures.size > 0) this.#revert();
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
    const { states } = this.ledger;
    const oldState = states[atom];
    if (this.reverting) {
      states[atom] = REVERTING;
      this.ledger.revertFailures.delete(atom);
    } else {
      states[atom] = RUNNING;
    }
    this.running++;
    if (this.observed) {
      this.#tell(atom, oldState);
      this.#events.progress({ name: this.plan.atoms[atom].name, progress: 0 });
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
    const { ledger } = this;
    if (this.reverting) {
      ledger.states[atom] = REVERTED;
      ledger.results[atom] = undefined;
      if (result !== undefined) ledger.revertResults.set(atom, result);
    } else {
      if (this.plan.picks.length > 0 && this.plan.atoms[atom].provision.keys !== undefined) {
        try {
          checkResult(this.plan.atoms[atom], result);
        } catch (error) {
          this.fail(atom, error);
          return;
        }
      }
      ledger.states[atom] = SUCCESS;
      ledger.results[atom] = result;
      ledger.finished[ledger.finishedCount++] = atom;
    }
    this.running--;
    this.ended++;
    if (this.observed) {
      this.#tell(atom, this.reverting ? REVERTING : RUNNING, result);
      this.#events.progress({ name: this.plan.atoms[atom].name, progress: 1 });
    }
    this.#frontier.leave(atom);
  }

  /** An atom has ended badly: it threw `error`, or something happened to it. */
  fail(atom: number, error: unknown): void {
    const { ledger } = this;
    const { name } = this.plan.atoms[atom];
    const failure = new Failure(name, markFailed(error, name, this.plan.name));
    if (this.reverting) {
      ledger.states[atom] = REVERT_FAILURE;
      ledger.revertFailures.set(atom, failure);
      this.#revertFailed = true;
    } else {
      ledger.states[atom] = FAILURE;
      ledger.failures.set(atom, failure);
      ledger.finished[ledger.finishedCount++] = atom;
    }
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
      const complete = this.ledger.finishedCount === this.plan.size;
      return this.#suspended && !complete ? 'SUSPENDED' : 'SUCCESS';
    }
    if (this.#suspended && !this.#aborted) return 'SUSPENDED';
    this.#revert();
    return undefined;
  }

  /** The names of the tasks that run now. */
  runningTasks(): string[] {
    const { states } = this.ledger;
    return this.plan.atoms
      .filter((_, atom) => states[atom] === RUNNING || states[atom] === REVERTING)
      .map(({ name }) => name);
  }

  /** The arguments of an atom's `execute`. */
  argumentsOf(atom: number): Record<string, unknown> {
    const { plan, ledger, binding } = this;
    const { mapping } = plan.atoms[atom];
    const { params } = mapping;
    const args: Record<string, unknown> = {};
    const start = plan.argStart[atom];
    for (let i = 0; i < params.length; i++) {
      const source = binding.args[start + i];
      if (source >= 0) args[params[i]] = ledger.value(source);
      else if (source === CONSTANT) args[params[i]] = mapping.constants[i];
      else args[params[i]] = binding.inputs[INPUT - source];
    }
    return args;
  }

  /** What an atom's `revert` is given beside the arguments of `execute`. */
  revertExtrasOf(atom: number): RevertExtras {
    const flowFailures: Record<string, Failure> = {};
    for (const failure of this.ledger.failures.values()) flowFailures[failure.task] = failure;
    return { result: this.ledger.failures.get(atom) ?? this.ledger.results[atom], flowFailures };
  }

  progress(name: string, progress: number, details: unknown): void {
    this.#events.progress({ name, progress, ...(details === undefined ? {} : { details }) });
  }

  log(name: string, message: string, details: unknown): void {
    this.#events.log({ name, message, ...(details === undefined ? {} : { details }) });
  }

  #forwards(): Frontier {
    return this.concurrent ? concurrently(this.plan, this.ledger, this.runsHere) : forwards(this.plan, this.ledger);
  }

  #revert(): void {
    this.ledger.reverting = true;
    this.#halted = this.#suspended;
    this.#frontier = this.concurrent
      ? backwardsConcurrently(this.plan, this.ledger, this.runsHere)
      : backwards(this.ledger);
  }

  #tell(atom: number, oldState: number, ...result: [unknown?]): void {
    const state = TASK_STATES[this.ledger.states[atom]];
    const event = { name: this.plan.atoms[atom].name, state, oldState: TASK_STATES[oldState] };
    this.#events.task(result.length > 0 ? { ...event, result: result[0] } : event);
  }
}

const UNFOUND: ReadonlySet<unknown> = new Set(['ERR_MILLRACE_MODULE_LOAD', 'ERR_MILLRACE_TASK_NOT_FOUND']);

function codeOf(failure: Failure | undefined): unknown {
  return isMillraceError(failure?.error) ? failure.error.code : undefined;
}

/** A result that lacks a promised value, or a value that cannot be read, is a failure of the task that promised it. */
function checkResult({ name, provision }: TaskAtom, result: unknown): void {
  const { keys, names } = provision;
  const holder =
    typeof result === 'object' && result !== null ? (result as Record<string | number, unknown>) : undefined;
  const index = keys!.findIndex((key) => holder?.[key] === undefined && (holder === undefined || !(key in holder)));
  if (index < 0) return;
  const promised =
    typeof keys![index] === 'number' ? `element ${keys![index]} ('${names[index]}')` : `'${names[index]}'`;
  throw new RunError(
    'ERR_MILLRACE_BAD_RESULT',
    `Task '${name}' provides ${names.map((one) => `'${one}'`).join(', ')}, but its result has no ${promised}`,
    { task: name },
  );
}
