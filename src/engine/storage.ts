/** What users read of a flow's values and tasks, and what they put in. It stands on the ledger, which the engine writes. */
import type { Failure } from '../atoms/index.js';
import { ArgumentError, RunError, received } from '../errors.js';
import { CONSTANT, INPUT, type Plan } from '../plan/index.js';
import { type Binding, bind, placesOf, unsatisfied } from './bind.js';
import type { Ledger } from './ledger.js';
import { IGNORE, PENDING, REVERT_FAILURE, REVERTED, RUNNING, SUCCESS, TASK_STATES, type TaskState } from './states.js';

/** What the engine means to do with a task, or has done. */
export type TaskIntention = 'EXECUTE' | 'IGNORE' | 'REVERT';

/** What a task last said of itself when it gave details with its progress. */
export interface ProgressDetails {
  /** How far it was then, from 0 to 1. */
  readonly atProgress: number;
  readonly details: unknown;
}

/** What an engine knows of its flow, to be read at any time. */
export interface Storage {
  /**
   * The value that a name stands for: what was given or injected, or else what the task provides that ran last.
   *
   * @throws {@link RunError} `ERR_MILLRACE_NOT_FOUND` when there is none
   */
  fetch(name: string): unknown;
  /** All values given and all provided so far; for a name with several values, the list of them: what was given, then in order. */
  fetchAll(): Record<string, unknown>;
  /**
   * What a task's `execute` is given, or would be if it ran now. Optional arguments without a value are left out.
   *
   * @throws {@link RunError} `ERR_MILLRACE_NOT_FOUND` when one that it requires has no value
   */
  fetchMappedArgs(task: string): Record<string, unknown>;
  /** The values that a task has provided, by name; none while it has not succeeded. */
  getProvided(task: string): Record<string, unknown>;
  /** The names that a task requires, to execute or to revert, and that nobody provides. */
  fetchUnsatisfiedArgs(task: string): string[];
  /**
   * Gives values by name, beside those that the engine was loaded with or in their place. They count for the tasks that have not
   * run, and stay when the engine is reset.
   *
   * @param options `transient`: the values go before those that are not, and are never stored
   * @throws {@link RunError} `ERR_MILLRACE_INVALID_STATE` while the flow runs
   */
  inject(values: Readonly<Record<string, unknown>>, options?: { readonly transient?: boolean }): void;
  /**
   * Gives arguments to one task: by the name after `rebind`, or, if there is none of that name, by that of the argument. They go before
   * all other values.
   *
   * @throws {@link ArgumentError} when the task has no such argument
   * @throws {@link RunError} `ERR_MILLRACE_INVALID_STATE` while the flow runs
   */
  injectTaskArgs(task: string, values: Readonly<Record<string, unknown>>): void;
  /** The state of a task. */
  getTaskState(task: string): TaskState;
  /** The states of all tasks, in order of declaration. */
  getTaskStates(): Record<string, TaskState>;
  /** What the engine means to do with a task, or has done. */
  getTaskIntention(task: string): TaskIntention;
  /**
   * What a task's `execute` returned, or how it failed. What a reverted task returned is gone; its failure stays.
   *
   * @throws {@link RunError} `ERR_MILLRACE_NOT_FOUND` when there is neither
   */
  getExecuteResult(task: string): unknown;
  /** The failures of the tasks whose `execute` failed, by name. */
  getExecuteFailures(): Record<string, Failure>;
  /**
   * What a task's `revert` returned, or how it failed.
   *
   * @throws {@link RunError} `ERR_MILLRACE_NOT_FOUND` when the task has not been reverted
   */
  getRevertResult(task: string): unknown;
  /** The failures of the tasks whose `revert` failed, by name. */
  getRevertFailures(): Record<string, Failure>;
  /** How far a task is, from 0 to 1: 0 before it begins, 1 when it has ended well, between them what it said last. */
  getTaskProgress(task: string): number;
  /** The details that a task gave last, and how far it was then; `undefined` when it gave none, or `{}`. */
  getTaskProgressDetails(task: string): ProgressDetails | undefined;
  /** Notes something about the flow, beside what is noted already. Metadata stays when the engine is reset. */
  updateFlowMetadata(values: Readonly<Record<string, unknown>>): void;
  /** All that was noted about the flow. */
  getFlowMetadata(): Record<string, unknown>;
  /** Notes something about a task, beside what is noted already. */
  updateTaskMetadata(task: string, values: Readonly<Record<string, unknown>>): void;
  /** All that was noted about a task. */
  getTaskMetadata(task: string): Record<string, unknown>;
}

export class FlowStorage implements Storage {
  readonly #ledger: Ledger;
  readonly #plan: Plan;
  readonly #checkFree: (what: string) => void;
  #given: Readonly<Record<string, unknown>>;
  #transient: Readonly<Record<string, unknown>> = {};
  /** For each atom that was given arguments: their values, by their place in the binding. */
  readonly #own = new Map<number, Map<number, unknown>>();
  /** Whether something was given that is not bound yet: many small gifts are bound at once. */
  #unbound = false;
  #numbers: Map<string, number> | undefined;
  #providers: Map<string, number | number[]> | undefined;
  #metadata: Readonly<Record<string, unknown>> = {};
  readonly #taskMetadata = new Map<number, Readonly<Record<string, unknown>>>();

  /** `checkFree` throws while the engine runs. */
  constructor(ledger: Ledger, checkFree: (what: string) => void) {
    this.#ledger = ledger;
    this.#plan = ledger.binding.plan;
    this.#given = ledger.binding.given;
    this.#checkFree = checkFree;
  }

  /** What was given and injected, in force. */
  get binding(): Binding {
    if (this.#unbound) {
      this.#ledger.binding = bind(this.#plan, { ...this.#given, ...this.#transient }, this.#own);
      this.#unbound = false;
    }
    return this.#ledger.binding;
  }

  fetch(name: string): unknown {
    const { given } = this.binding;
    if (Object.hasOwn(given, name)) return given[name];
    this.#providers ??= providersOf(this.#plan);
    const found = this.#providers.get(name);
    if (found === undefined) {
      throw notFound(
        `Nothing is called '${name}': it is neither an input of flow '${this.#plan.name}' nor provided by a task`,
      );
    }
    const providers = typeof found === 'number' ? [found] : found;
    const last = providers.findLast((atom) => this.#ledger.states[atom] === SUCCESS);
    if (last === undefined) {
      throw notFound(`'${name}' has no value yet: the task that provides it has not finished, or was reverted`);
    }
    return this.#provided(last, name);
  }

  fetchAll(): Record<string, unknown> {
    const values = new Map<string, unknown[]>();
    for (const [name, value] of Object.entries(this.binding.given)) values.set(name, [value]);
    for (let atom = 0; atom < this.#plan.size; atom++) {
      if (this.#ledger.states[atom] !== SUCCESS) continue;
      for (const name of this.#plan.atoms[atom].provision.names) {
        const value = this.#provided(atom, name);
        const others = values.get(name);
        if (others) others.push(value);
        else values.set(name, [value]);
      }
    }
    return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));
  }

  fetchMappedArgs(task: string): Record<string, unknown> {
    const atom = this.#number(task);
    const { args, inputs } = this.binding;
    const { params, sources, constants, optionalFrom } = this.#plan.atoms[atom].mapping;
    const values: Record<string, unknown> = {};
    params.forEach((param, i) => {
      const source = args[this.#plan.argStart[atom] + i];
      if (!this.#has(source)) {
        if (i < optionalFrom) throw notFound(`Task '${task}' requires '${sources[i]}', which has no value yet`, task);
      } else if (source >= 0) values[param] = this.#ledger.value(source);
      else values[param] = source === CONSTANT ? constants[i] : inputs[INPUT - source];
    });
    return values;
  }

  getProvided(task: string): Record<string, unknown> {
    const atom = this.#number(task);
    if (this.#ledger.states[atom] !== SUCCESS) return {};
    const { names } = this.#plan.atoms[atom].provision;
    return Object.fromEntries(names.map((name) => [name, this.#provided(atom, name)]));
  }

  fetchUnsatisfiedArgs(task: string): string[] {
    return unsatisfied(this.binding, this.#number(task));
  }

  inject(values: Readonly<Record<string, unknown>>, options: { readonly transient?: boolean } = {}): void {
    checkValues('inject()', values);
    this.#checkFree('take values');
    if (options.transient) this.#transient = { ...this.#transient, ...values };
    else this.#given = { ...this.#given, ...values };
    this.#unbound = true;
  }

  injectTaskArgs(task: string, values: Readonly<Record<string, unknown>>): void {
    const atom = this.#number(task);
    checkValues('injectTaskArgs()', values);
    this.#checkFree('take values');
    const own = new Map(this.#own.get(atom));
    for (const [name, value] of Object.entries(values)) {
      const places = placesOf(this.#plan, atom, name);
      if (places.length === 0) {
        throw new ArgumentError(
          `Task '${task}' has no argument '${name}' (${this.#plan.atoms[atom].mapping.params.join(', ') || 'none'})`,
          { task },
        );
      }
      for (const place of places) own.set(place, value);
    }
    this.#own.set(atom, own);
    this.#unbound = true;
  }
  getTaskState(task: string): TaskState {
    return TASK_STATES[this.#ledger.states[this.#number(task)]];
  }

  getTaskStates(): Record<string, TaskState> {
    const { states } = this.#ledger;
    return Object.fromEntries(this.#plan.atoms.map(({ name }, atom) => [name, TASK_STATES[states[atom]]]));
  }

  getTaskIntention(task: string): TaskIntention {
    const state = this.getTaskState(task);
    return state === 'SUCCESS' && this.#ledger.reverting ? 'REVERT' : INTENTIONS[state];
  }

  getExecuteResult(task: string): unknown {
    const atom = this.#number(task);
    const { states, failures, results } = this.#ledger;
    const failure = failures.get(atom);
    if (failure) return failure;
    const state = states[atom];
    if (state === PENDING || state === RUNNING || state === REVERTED || state === IGNORE) {
      throw notFound(`Task '${task}' has no result: it is ${TASK_STATES[state]}`, task);
    }
    return results[atom];
  }

  getExecuteFailures(): Record<string, Failure> {
    return byName(this.#ledger.failures);
  }

  getRevertResult(task: string): unknown {
    const atom = this.#number(task);
    const { states, revertFailures, revertResults } = this.#ledger;
    const state = states[atom];
    if (state === REVERT_FAILURE) return revertFailures.get(atom);
    if (state !== REVERTED) throw notFound(`Task '${task}' was not reverted: it is ${TASK_STATES[state]}`, task);
    return revertResults.get(atom);
  }

  getRevertFailures(): Record<string, Failure> {
    return byName(this.#ledger.revertFailures);
  }

  getTaskProgress(task: string): number {
    const state = this.#ledger.states[this.#number(task)];
    if (state === PENDING) return 0;
    if (state === SUCCESS || state === REVERTED) return 1;
    return this.#ledger.progress.get(task)?.progress ?? 0;
  }

  getTaskProgressDetails(task: string): ProgressDetails | undefined {
    this.#number(task);
    const last = this.#ledger.details.get(task);
    return last && { atProgress: last.progress, details: last.details };
  }

  updateFlowMetadata(values: Readonly<Record<string, unknown>>): void {
    checkValues('updateFlowMetadata()', values);
    this.#metadata = { ...this.#metadata, ...values };
  }

  getFlowMetadata(): Record<string, unknown> {
    return { ...this.#metadata };
  }

  updateTaskMetadata(task: string, values: Readonly<Record<string, unknown>>): void {
    const atom = this.#number(task);
    checkValues('updateTaskMetadata()', values);
    this.#taskMetadata.set(atom, { ...this.#taskMetadata.get(atom), ...values });
  }

  getTaskMetadata(task: string): Record<string, unknown> {
    return { ...this.#taskMetadata.get(this.#number(task)) };
  }

  /** Whether there is a value for a source. */
  #has(source: number): boolean {
    const { size, picks, inputs } = this.#plan;
    if (source >= 0) return this.#ledger.states[source < size ? source : picks[source - size].atom] === SUCCESS;
    const number = INPUT - source;
    // A constant is there, and so is what was bound beside the inputs of the plan.
    return number < 0 || number >= inputs.length || Object.hasOwn(this.binding.given, inputs[number].name);
  }

  /** What an atom that has succeeded provides under a name. */
  #provided(atom: number, name: string): unknown {
    const { keys, names } = this.#plan.atoms[atom].provision;
    const result = this.#ledger.results[atom];
    return keys ? (result as Record<string | number, unknown>)[keys[names.indexOf(name)]] : result;
  }

  #number(task: string): number {
    this.#numbers ??= new Map(this.#plan.atoms.map(({ name }, atom) => [name, atom]));
    const atom = this.#numbers.get(task);
    if (atom === undefined) throw new ArgumentError(`Flow '${this.#plan.name}' has no task named '${task}'`);
    return atom;
  }
}

/** By state, while the flow is not being reverted. */
const INTENTIONS: Readonly<Record<TaskState, TaskIntention>> = {
  PENDING: 'EXECUTE',
  RUNNING: 'EXECUTE',
  SUCCESS: 'EXECUTE',
  FAILURE: 'REVERT',
  REVERTING: 'REVERT',
  REVERTED: 'REVERT',
  REVERT_FAILURE: 'REVERT',
  IGNORE: 'IGNORE',
};

/** The atoms that provide each name, in the order of running; one alone stands without a list. */
function providersOf({ atoms, order, size }: Plan): Map<string, number | number[]> {
  const providers = new Map<string, number | number[]>();
  for (let place = 0; place < size; place++) {
    const atom = order ? order[place] : place;
    for (const name of atoms[atom].provision.names) {
      const others = providers.get(name);
      if (others === undefined) providers.set(name, atom);
      else if (typeof others === 'number') providers.set(name, [others, atom]);
      else others.push(atom);
    }
  }
  return providers;
}

function byName(failures: ReadonlyMap<number, Failure>): Record<string, Failure> {
  return Object.fromEntries([...failures.values()].map((failure) => [failure.task, failure]));
}

function notFound(message: string, task?: string): RunError {
  return new RunError('ERR_MILLRACE_NOT_FOUND', message, { task });
}

function checkValues(where: string, values: unknown): void {
  if (typeof values === 'object' && values !== null && !Array.isArray(values) && !(values instanceof Map)) return;
  throw new ArgumentError(`${where}: the values must be an object, one property a name; received ${received(values)}`);
}
