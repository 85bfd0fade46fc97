/** What users read of a flow's values and tasks, and what they put in. It stands on the ledger, which the engine writes. */
import { type Controller, type Failure, History } from '../atoms/index.js';
import { ArgumentError, RunError, received } from '../errors.js';
import { CONSTANT, INPUT, nameOf, type Plan } from '../plan/index.js';
import { decodeStored } from '../stored/index.js';
import { type Binding, bind, placesOf, unsatisfied } from './bind.js';
import type { Journal } from './journal.js';
import { type Ledger, RETRY, REVERT } from './ledger.js';
import { atomsWithChildren, type Place, withChildren } from './nesting.js';
import type { RecordedFlow } from './recording.js';
import { IGNORE, PENDING, REVERT_FAILURE, REVERTED, RUNNING, SUCCESS, TASK_STATES, type TaskState } from './states.js';
import { providerOf } from './uses.js';

/** What the engine means to do with a task, or has done; `'RETRY'`: to try it again once what has run is reverted. */
export type TaskIntention = 'EXECUTE' | 'IGNORE' | 'RETRY' | 'REVERT';

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
   * @throws {@link RunError} `ERR_MILLRACE_NOT_FOUND` when there is none, `ERR_MILLRACE_RELEASED` when it is there no more
   */
  fetch(name: string): unknown;
  /**
   * All values given and all provided so far, without those that were released; for a name with several values, the list of them: what was
   * given, then in order.
   */
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
  /** What the engine means to do with a task, or has done; `'RETRY'`: to try it again once what has run is reverted. */
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
  /**
   * What a retry has tried so far, by its name, or that of the task whose own it is.
   *
   * @throws {@link RunError} `ERR_MILLRACE_NOT_FOUND` when the task has no retry
   */
  getRetryHistory(name: string): History;
  /** What all retries have tried so far, by name. */
  getRetryHistories(): Record<string, History>;
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
  /** What was given beside or in the place of that. */
  #injected: Readonly<Record<string, unknown>> = {};
  #transient: Readonly<Record<string, unknown>> = {};
  /** For each atom that was given arguments: their values, by their place in the binding. */
  readonly #own = new Map<number, Map<number, unknown>>();
  /** Whether something was given that is not bound yet: many small gifts are bound at once. */
  #unbound = false;
  #providers: Map<string, number | number[]> | undefined;
  #metadata: Readonly<Record<string, unknown>> = {};
  readonly #taskMetadata = new Map<string, Readonly<Record<string, unknown>>>();

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
      this.#ledger.binding = bind(this.#plan, { ...this.#given, ...this.#injected, ...this.#transient }, this.#own);
      this.#unbound = false;
    }
    return this.#ledger.binding;
  }

  /** Takes what was recorded of a flow, for which `given` was given. What was noted and injected before that comes on top. */
  restore(given: Readonly<Record<string, unknown>>, { injected, metadata, atoms }: RecordedFlow): void {
    this.#given = given;
    if (injected) this.#injected = { ...(decodeStored(injected) as object), ...this.#injected };
    if (metadata) this.#metadata = { ...(decodeStored(metadata) as object), ...this.#metadata };
    for (const [task, { metadata: own }] of atoms) {
      if (own) this.#taskMetadata.set(task, { ...(decodeStored(own) as object), ...this.#taskMetadata.get(task) });
    }
    this.#unbound = true;
  }

  /** Records what was noted and injected before there was a journal. */
  record(journal: Journal): void {
    if (Object.keys(this.#injected).length > 0) journal.injected(this.#injected);
    if (Object.keys(this.#metadata).length > 0) journal.described(this.#metadata);
    for (const [task, metadata] of this.#taskMetadata) journal.describedTask(task, metadata);
  }

  /** Where a task is: in the flow itself, or in one that a region has built. */
  placeOf(task: string): { readonly plan: Plan; readonly atom: number } {
    const { ledger, atom } = this.#place(task);
    return { plan: ledger.plan, atom };
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
    checkHeld(this.#ledger, last, `'${name}'`);
    return provided(this.#ledger, last, name);
  }

  fetchAll(): Record<string, unknown> {
    const values = new Map<string, unknown[]>();
    for (const [name, value] of Object.entries(this.binding.given)) values.set(name, [value]);
    for (let atom = 0; atom < this.#plan.size; atom++) {
      if (this.#ledger.states[atom] !== SUCCESS || this.#ledger.isMissing(atom)) continue;
      for (const name of this.#plan.atoms[atom].provision.names) {
        const value = provided(this.#ledger, atom, name);
        const others = values.get(name);
        if (others) others.push(value);
        else values.set(name, [value]);
      }
    }
    return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));
  }

  fetchMappedArgs(task: string): Record<string, unknown> {
    const { ledger, atom } = this.#place(task);
    const { plan } = ledger;
    const binding = this.#bindingOf(ledger);
    const { params, sources, constants, optionalFrom } = plan.atoms[atom].mapping;
    const values: Record<string, unknown> = {};
    params.forEach((param, i) => {
      const source = binding.args[plan.argStart[atom] + i];
      if (!isThere(source, ledger, binding)) {
        if (i < optionalFrom) throw notFound(`Task '${task}' requires '${sources[i]}', which has no value yet`, task);
      } else if (source >= 0) {
        checkHeld(ledger, providerOf(plan, source), `'${sources[i]}', which task '${task}' requires,`);
        values[param] = ledger.value(source);
      } else values[param] = source === CONSTANT ? constants[i] : binding.inputs[INPUT - source];
    });
    return values;
  }

  getProvided(task: string): Record<string, unknown> {
    const { ledger, atom } = this.#place(task);
    if (ledger.states[atom] !== SUCCESS) return {};
    const { names } = ledger.plan.atoms[atom].provision;
    if (names.length > 0) checkHeld(ledger, atom, `What task '${task}' provides`);
    return Object.fromEntries(names.map((name) => [name, provided(ledger, atom, name)]));
  }

  fetchUnsatisfiedArgs(task: string): string[] {
    const { ledger, atom } = this.#place(task);
    return unsatisfied(this.#bindingOf(ledger), atom);
  }

  inject(values: Readonly<Record<string, unknown>>, options: { readonly transient?: boolean } = {}): void {
    checkValues('inject()', values);
    this.#checkFree('take values');
    if (options.transient) {
      this.#transient = { ...this.#transient, ...values };
    } else {
      const injected = { ...this.#injected, ...values };
      this.#ledger.journal?.injected(injected);
      this.#injected = injected;
    }
    this.#unbound = true;
  }

  injectTaskArgs(task: string, values: Readonly<Record<string, unknown>>): void {
    const { ledger, atom } = this.#place(task);
    checkValues('injectTaskArgs()', values);
    if (ledger !== this.#ledger) {
      throw new ArgumentError(`Task '${task}' was built by a region; arguments can be given to the region`, { task });
    }
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
    const { ledger, atom } = this.#place(task);
    return TASK_STATES[ledger.states[atom]];
  }

  getTaskStates(): Record<string, TaskState> {
    const states: [string, TaskState][] = [];
    for (const [name, state] of atomsWithChildren(this.#ledger)) states.push([name, TASK_STATES[state]]);
    return Object.fromEntries(states);
  }

  getTaskIntention(task: string): TaskIntention {
    const { ledger, atom } = this.#place(task);
    const { intentions, states } = ledger;
    if (intentions[atom] === RETRY) return 'RETRY';
    // What a region has built is reverted with it.
    const reverting = intentions[atom] === REVERT || (ledger !== this.#ledger && this.#ledger.reverting);
    if (states[atom] === SUCCESS && reverting) return 'REVERT';
    return ledger.tolerates(atom) ? 'EXECUTE' : INTENTIONS[TASK_STATES[states[atom]]];
  }

  getRetryHistory(name: string): History {
    const { ledger, atom } = this.#place(name);
    const { controller, retry } = ledger.plan.atoms[atom];
    if (!controller && !retry) throw notFound(`Task '${name}' has no retry`, name);
    return historyOf(ledger, atom);
  }

  getRetryHistories(): Record<string, History> {
    const histories: Record<string, History> = {};
    for (const ledger of withChildren(this.#ledger)) {
      const { plan } = ledger;
      if (!plan.retries) continue;
      plan.atoms.forEach(({ controller, retry }, atom) => {
        if (controller ?? retry) histories[nameOf(plan, atom)] = historyOf(ledger, atom);
      });
    }
    return histories;
  }

  getExecuteResult(task: string): unknown {
    const { ledger, atom } = this.#place(task);
    const { states, failures, results } = ledger;
    const failure = failures.get(atom);
    if (failure) return failure;
    const state = states[atom];
    if (state === PENDING || state === RUNNING || state === REVERTED || state === IGNORE) {
      throw notFound(`Task '${task}' has no result: it is ${TASK_STATES[state]}`, task);
    }
    checkHeld(ledger, atom, `The result of task '${task}'`);
    return results[atom];
  }

  getExecuteFailures(): Record<string, Failure> {
    return byName(this.#ledger, ({ failures }) => failures);
  }

  getRevertResult(task: string): unknown {
    const { ledger, atom } = this.#place(task);
    const { states, revertFailures, revertResults } = ledger;
    const state = states[atom];
    if (state === REVERT_FAILURE) return revertFailures.get(atom);
    if (state !== REVERTED) throw notFound(`Task '${task}' was not reverted: it is ${TASK_STATES[state]}`, task);
    return revertResults.get(atom);
  }

  getRevertFailures(): Record<string, Failure> {
    return byName(this.#ledger, ({ revertFailures }) => revertFailures);
  }

  getTaskProgress(task: string): number {
    const { ledger, atom } = this.#place(task);
    const state = ledger.states[atom];
    if (state === PENDING) return 0;
    if (state === SUCCESS || state === REVERTED) return 1;
    return ledger.progress.get(task)?.progress ?? 0;
  }

  getTaskProgressDetails(task: string): ProgressDetails | undefined {
    const last = this.#place(task).ledger.details.get(task);
    return last && { atProgress: last.progress, details: last.details };
  }

  updateFlowMetadata(values: Readonly<Record<string, unknown>>): void {
    checkValues('updateFlowMetadata()', values);
    const metadata = { ...this.#metadata, ...values };
    this.#ledger.journal?.described(metadata);
    this.#metadata = metadata;
  }

  getFlowMetadata(): Record<string, unknown> {
    return { ...this.#metadata };
  }

  updateTaskMetadata(task: string, values: Readonly<Record<string, unknown>>): void {
    this.#place(task);
    checkValues('updateTaskMetadata()', values);
    const metadata = { ...this.#taskMetadata.get(task), ...values };
    this.#ledger.journal?.describedTask(task, metadata);
    this.#taskMetadata.set(task, metadata);
  }

  getTaskMetadata(task: string): Record<string, unknown> {
    if (!this.#taskMetadata.has(task)) this.#place(task);
    return { ...this.#taskMetadata.get(task) };
  }

  #bindingOf(ledger: Ledger): Binding {
    return ledger === this.#ledger ? this.binding : ledger.binding;
  }

  #place(task: string): Place {
    const found = this.#ledger.directory.find(task);
    if (found === undefined) throw new ArgumentError(`Flow '${this.#plan.name}' has no task named '${task}'`);
    return found;
  }
}

/** Whether there is a value for a source. */
function isThere(source: number, { plan, states }: Ledger, { given }: Binding): boolean {
  const { inputs } = plan;
  if (source >= 0) return states[providerOf(plan, source)] === SUCCESS;
  const number = INPUT - source;
  // A constant is there, and so is what was bound beside the inputs of the plan.
  return number < 0 || number >= inputs.length || Object.hasOwn(given, inputs[number].name);
}

/** What an atom that has succeeded provides under a name. */
function provided({ plan, results }: Ledger, atom: number, name: string): unknown {
  const { keys, names } = plan.atoms[atom].provision;
  const result = results[atom];
  return keys ? (result as Record<string | number, unknown>)[keys[names.indexOf(name)]] : result;
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
  RETRYING: 'RETRY',
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

/** The history of a retry. That of a task's own has the attempts that failed, and here the one that has not. */
function historyOf(ledger: Ledger, atom: number): History {
  const history = ledger.historyOf(atom);
  const { retry } = ledger.plan.atoms[atom];
  if (!retry || ledger.states[atom] !== SUCCESS) return history;
  return new History([...history, { value: attemptValue(retry, history), failures: {} }]);
}

/** The value of an attempt, if the retry has one for it. */
function attemptValue(retry: Controller, history: History): unknown {
  try {
    return retry.execute(history, {});
  } catch {
    return undefined;
  }
}

function byName(ledger: Ledger, failuresOf: (ledger: Ledger) => ReadonlyMap<number, Failure>): Record<string, Failure> {
  const all: [string, Failure][] = [];
  for (const one of withChildren(ledger))
    for (const failure of failuresOf(one).values()) all.push([failure.task, failure]);
  return Object.fromEntries(all);
}

function notFound(message: string, task?: string): RunError {
  return new RunError('ERR_MILLRACE_NOT_FOUND', message, { task });
}

function checkHeld(ledger: Ledger, atom: number, what: string): void {
  if (!ledger.isMissing(atom)) return;
  const task = nameOf(ledger.plan, atom);
  const where = ledger.away.has(atom)
    ? 'stays on a worker thread, for the tasks that need it'
    : 'was released when the last task that needed it had run';
  const message = `${what} ${where}: option 'outputs' does not name it`;
  throw new RunError('ERR_MILLRACE_RELEASED', message, { task });
}

function checkValues(where: string, values: unknown): void {
  if (typeof values === 'object' && values !== null && !Array.isArray(values) && !(values instanceof Map)) return;
  throw new ArgumentError(`${where}: the values must be an object, one property a name; received ${received(values)}`);
}
