/** What is known of a flow's atoms: their states, results and failures. It stays with the engine from run to run. */
import { Failure, type Mapping, type RevertExtras, type TaskAtom } from '../atoms/index.js';
import { RunError } from '../errors.js';
import { CONSTANT, INPUT, type Plan } from '../plan/index.js';
import { markFailed } from '../wire/index.js';
import type { Binding } from './bind.js';
import type { ProgressEvent } from './events.js';
import { FAILURE, IGNORE, PENDING, REVERT_FAILURE, REVERTED, REVERTING, RUNNING, SUCCESS } from './states.js';

export class Ledger {
  /** Where values come from. It changes between runs only. */
  binding: Binding;
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
  /** What tasks that have not ended well said last of how far they are. */
  readonly progress = new Map<string, ProgressEvent>();
  /** When tasks last gave details. */
  readonly details = new Map<string, ProgressEvent>();

  readonly #plan: Plan;

  constructor(binding: Binding) {
    const { plan } = binding;
    this.#plan = plan;
    this.binding = binding;
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
    if (this.progress.size > 0) this.progress.delete(this.#plan.atoms[atom].name);
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
    return this.#arguments(this.#plan.atoms[atom].mapping, this.#plan.argStart[atom]);
  }

  /** The arguments of an atom's `revert`, without what it is given in any case. */
  revertArgumentsOf(atom: number): Record<string, unknown> {
    const { mapping } = this.#plan.atoms[atom];
    if (mapping.revert === undefined) return this.argumentsOf(atom);
    return this.#arguments(mapping.revert, this.#plan.argStart[atom] + mapping.params.length);
  }

  /** What an atom's `revert` is given in any case. */
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

  /** A task says how far it is. Details stay until there are others; `{}` takes them away. */
  note(event: ProgressEvent): void {
    const { name, details } = event;
    this.progress.set(name, event);
    if (details === undefined) return;
    if (isEmpty(details)) this.details.delete(name);
    else this.details.set(name, event);
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
    this.progress.clear();
    this.details.clear();
    this.finishedCount = 0;
    this.ignoredCount = 0;
    this.reverting = false;
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

  #arguments({ params, constants }: Omit<Mapping, 'revert'>, start: number): Record<string, unknown> {
    const { binding } = this;
    const args: Record<string, unknown> = {};
    for (let i = 0; i < params.length; i++) {
      const source = binding.args[start + i];
      if (source >= 0) args[params[i]] = this.value(source);
      else if (source === CONSTANT) args[params[i]] = constants[i];
      else args[params[i]] = binding.inputs[INPUT - source];
    }
    return args;
  }

  #has(source: number): boolean {
    const { size, picks } = this.#plan;
    return this.states[source < size ? source : picks[source - size].atom] === SUCCESS;
  }
}

/** Whether a value is `{}`. */
function isEmpty(value: unknown): boolean {
  const plain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return plain && Object.keys(value).length === 0;
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
