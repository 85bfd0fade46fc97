/** What is known of a flow's atoms: their states, results and failures. It stays with the engine from run to run. */
import { Failure, type RevertExtras, type TaskAtom } from '../atoms/index.js';
import { ArgumentError, RunError } from '../errors.js';
import { CONSTANT, INPUT, type Plan } from '../plan/index.js';
import { markFailed } from '../wire/index.js';
import type { Binding } from './bind.js';
import {
  FAILURE,
  IGNORE,
  PENDING,
  REVERT_FAILURE,
  REVERTED,
  REVERTING,
  RUNNING,
  SUCCESS,
  TASK_STATES,
  type TaskState,
} from './states.js';

/** What an engine knows of its flow, to be read at any time. */
export interface Storage {
  /** The value that a name stands for: the input, or else what the task provides that ran last. */
  fetch(name: string): unknown;
  /** All inputs and all values provided so far; for a name with several values, the list of them: the input, then in order. */
  fetchAll(): Record<string, unknown>;
  /** The arguments of a task: what its `execute` is given, or would be if it ran now. */
  fetchMappedArgs(task: string): Record<string, unknown>;
  /** The values that a task has provided, by name; none while it has not succeeded. */
  getProvided(task: string): Record<string, unknown>;
  /** The state of a task. */
  getTaskState(task: string): TaskState;
  /** The states of all tasks, in order of declaration. */
  getTaskStates(): Record<string, TaskState>;
  /** The failures of the tasks whose `execute` failed, by name. */
  getExecuteFailures(): Record<string, Failure>;
  /** The failures of the tasks whose `revert` failed, by name. */
  getRevertFailures(): Record<string, Failure>;
  /** What a task's `revert` returned. */
  getRevertResult(task: string): unknown;
}

export class Ledger implements Storage {
  readonly states: Uint8Array;
  /** The whole result of each atom. */
  readonly results: unknown[];
  readonly failures = new Map<number, Failure>();
  readonly revertResults = new Map<number, unknown>();
  readonly revertFailures = new Map<number, Failure>();
  /** The atoms that have run, in the order in which they finished. */
  readonly finished: Int32Array;
  finishedCount = 0;
  /** How many atoms were ignored. */
  ignoredCount = 0;
  /** Whether what has run is being reverted, or will be when the run goes on. */
  reverting = false;

  readonly #plan: Plan;
  readonly #binding: Binding;
  #numbers: Map<string, number> | undefined;

  constructor(binding: Binding) {
    const { plan } = binding;
    this.#plan = plan;
    this.#binding = binding;
    this.states = new Uint8Array(plan.size);
    this.results = new Array(plan.size);
    this.finished = new Int32Array(plan.size);
  }

  /** An atom begins to run, or to be reverted. */
  begin(atom: number): void {
    if (this.reverting) {
      this.states[atom] = REVERTING;
      this.revertFailures.delete(atom);
    } else {
      this.states[atom] = RUNNING;
    }
  }

  /**
   * An atom has ended well.
   *
   * @throws when the result lacks a value that the atom promised, or it cannot be read: the atom has not ended well
   */
  finish(atom: number, result: unknown): void {
    if (this.reverting) {
      this.states[atom] = REVERTED;
      this.results[atom] = undefined;
      if (result !== undefined) this.revertResults.set(atom, result);
    } else {
      const { picks, atoms } = this.#plan;
      if (picks.length > 0 && atoms[atom].provision.keys !== undefined) checkResult(atoms[atom], result);
      this.states[atom] = SUCCESS;
      this.results[atom] = result;
      this.finished[this.finishedCount++] = atom;
    }
  }

  /** An atom has ended badly, because of `error`. */
  fail(atom: number, error: unknown): Failure {
    const { name } = this.#plan.atoms[atom];
    const failure = new Failure(name, markFailed(error, name, this.#plan.name));
    if (this.reverting) {
      this.states[atom] = REVERT_FAILURE;
      this.revertFailures.set(atom, failure);
    } else {
      this.states[atom] = FAILURE;
      this.failures.set(atom, failure);
      this.finished[this.finishedCount++] = atom;
    }
    return failure;
  }

  /** An atom is not to run in this run. */
  ignore(atom: number): void {
    this.states[atom] = IGNORE;
    this.ignoredCount++;
  }

  /** The names of the tasks that run now. */
  runningTasks(): string[] {
    return this.#plan.atoms
      .filter((_, atom) => this.states[atom] === RUNNING || this.states[atom] === REVERTING)
      .map(({ name }) => name);
  }

  /** The arguments of an atom's `execute`. */
  argumentsOf(atom: number): Record<string, unknown> {
    const plan = this.#plan;
    const binding = this.#binding;
    const { mapping } = plan.atoms[atom];
    const { params } = mapping;
    const args: Record<string, unknown> = {};
    const start = plan.argStart[atom];
    for (let i = 0; i < params.length; i++) {
      const source = binding.args[start + i];
      if (source >= 0) args[params[i]] = this.value(source);
      else if (source === CONSTANT) args[params[i]] = mapping.constants[i];
      else args[params[i]] = binding.inputs[INPUT - source];
    }
    return args;
  }

  /** What an atom's `revert` is given beside the arguments of `execute`. */
  revertExtrasOf(atom: number): RevertExtras {
    const flowFailures: Record<string, Failure> = {};
    for (const failure of this.failures.values()) flowFailures[failure.task] = failure;
    return { result: this.failures.get(atom) ?? this.results[atom], flowFailures };
  }

  /** The value of a source that is an atom or a pick. */
  value(source: number): unknown {
    const { size, picks } = this.#plan;
    if (source < size) return this.results[source];
    const pick = picks[source - size];
    return (this.results[pick.atom] as Record<string | number, unknown> | undefined)?.[pick.key]; // it may have been ignored
  }

  /** What the flow provides. Values that were not made, or were reverted, are missing. */
  provided(): Record<string, unknown> {
    const { outputNames, outputs } = this.#plan;
    const values: Record<string, unknown> = {};
    let complete = true;
    for (let i = 0; i < outputNames.length; i++) {
      if (this.#has(outputs[i])) values[outputNames[i]] = this.value(outputs[i]);
      else complete = false;
    }
    return complete ? values : { ...this.#providedSoFar(), ...values };
  }

  reset(): void {
    this.states.fill(PENDING);
    this.results.fill(undefined);
    this.failures.clear();
    this.revertResults.clear();
    this.revertFailures.clear();
    this.finishedCount = 0;
    this.ignoredCount = 0;
    this.reverting = false;
  }

  fetch(name: string): unknown {
    const { given } = this.#binding;
    if (Object.hasOwn(given, name)) return given[name];
    const at = this.#plan.outputNames.indexOf(name);
    if (at >= 0 && this.#has(this.#plan.outputs[at])) return this.value(this.#plan.outputs[at]);
    const soFar = at >= 0 ? this.#providedSoFar() : {};
    if (Object.hasOwn(soFar, name)) return soFar[name];
    throw new RunError(
      'ERR_MILLRACE_NOT_FOUND',
      at < 0
        ? `Nothing is called '${name}': it is neither an input of flow '${this.#plan.name}' nor provided by a task`
        : `'${name}' has no value yet: the task that provides it has not finished, or was reverted`,
    );
  }

  fetchAll(): Record<string, unknown> {
    const values = new Map<string, unknown[]>();
    for (const [name, value] of Object.entries(this.#binding.given)) values.set(name, [value]);
    for (let atom = 0; atom < this.#plan.size; atom++) {
      if (this.states[atom] !== SUCCESS) continue;
      const { names, keys } = this.#plan.atoms[atom].provision;
      for (let i = 0; i < names.length; i++) {
        const value = keys ? (this.results[atom] as Record<string | number, unknown>)[keys[i]] : this.results[atom];
        const others = values.get(names[i]);
        if (others) others.push(value);
        else values.set(names[i], [value]);
      }
    }
    return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));
  }

  fetchMappedArgs(task: string): Record<string, unknown> {
    return this.argumentsOf(this.#number(task));
  }

  getProvided(task: string): Record<string, unknown> {
    const atom = this.#number(task);
    if (this.states[atom] !== SUCCESS) return {};
    const { names, keys } = this.#plan.atoms[atom].provision;
    const result = this.results[atom] as Record<string | number, unknown>;
    return Object.fromEntries(names.map((name, i) => [name, keys ? result[keys[i]] : result]));
  }

  getTaskState(task: string): TaskState {
    return TASK_STATES[this.states[this.#number(task)]];
  }

  getTaskStates(): Record<string, TaskState> {
    return Object.fromEntries(this.#plan.atoms.map(({ name }, atom) => [name, TASK_STATES[this.states[atom]]]));
  }

  getExecuteFailures(): Record<string, Failure> {
    return byName(this.failures);
  }

  getRevertFailures(): Record<string, Failure> {
    return byName(this.revertFailures);
  }

  getRevertResult(task: string): unknown {
    const atom = this.#number(task);
    return this.revertFailures.get(atom) ?? this.revertResults.get(atom);
  }

  /** What there is of each name while the last of its providers has not run. */
  #providedSoFar(): Record<string, unknown> {
    const { order, size, atoms } = this.#plan;
    const values: Record<string, unknown> = {};
    for (let place = 0; place < size; place++) {
      const atom = order ? order[place] : place;
      if (this.states[atom] !== SUCCESS) continue;
      const { names, keys } = atoms[atom].provision;
      const result = this.results[atom] as Record<string | number, unknown>;
      for (let i = 0; i < names.length; i++) values[names[i]] = keys ? result[keys[i]] : result;
    }
    return values;
  }

  #has(source: number): boolean {
    const { size, picks } = this.#plan;
    return this.states[source < size ? source : picks[source - size].atom] === SUCCESS;
  }

  #number(task: string): number {
    this.#numbers ??= new Map(this.#plan.atoms.map(({ name }, atom) => [name, atom]));
    const atom = this.#numbers.get(task);
    if (atom === undefined) throw new ArgumentError(`Flow '${this.#plan.name}' has no task named '${task}'`);
    return atom;
  }
}

function byName(failures: ReadonlyMap<number, Failure>): Record<string, Failure> {
  return Object.fromEntries([...failures.values()].map((failure) => [failure.task, failure]));
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
