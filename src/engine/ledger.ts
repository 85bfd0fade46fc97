/** What is known of a flow's atoms: their states, results and failures. It stays with the engine from run to run. */
import {
  type Attempt,
  Failure,
  History,
  keyPart,
  type Mapping,
  type RevertExtras,
  type TaskAtom,
  taskKey,
} from '../atoms/index.js';
import { isMillraceError, RunError } from '../errors.js';
import { CONSTANT, INPUT, nameOf, type Plan, type Range } from '../plan/index.js';
import { type Atoms, markFailed, type Row } from '../wire/index.js';
import type { Binding } from './bind.js';
import type { ProgressEvent } from './events.js';
import type { Journal } from './journal.js';
import { type Child, Directory, type Place, withChildren } from './nesting.js';
import type { Left } from './record.js';
import {
  FAILURE,
  IGNORE,
  PENDING,
  RETRYING,
  REVERT_FAILURE,
  REVERTED,
  REVERTING,
  RUNNING,
  SUCCESS,
  TO_REVERT,
} from './states.js';
import { Turns } from './turns.js';
import { HELD, providerOf, usesOf } from './uses.js';

/** What is meant to become of an atom that no decider has refused. */
export const EXECUTE = 0;
/** It is part of what is rolled back, so that what of it has run is reverted. */
export const REVERT = 1;
/** As `REVERT`, and it is what is tried again: a retry controller, which is not reverted itself, or a task with a retry of its own. */
export const RETRY = 2;

/** Part of a flow that is rolled back. */
export interface Rollback {
  readonly range: Range;
  /** After how many ms it is tried again; `undefined`: not at all. */
  readonly retryAfter: number | undefined;
}

/** What a retry was given and what became of it, attempt by attempt. */
interface Attempts {
  readonly all: { readonly value: unknown; readonly failures: Record<string, Failure> }[];
  /** Of the controller itself. */
  failure?: Failure;
}

export class Ledger {
  /** Where it is recorded what happens. */
  journal: Journal | undefined;
  /** What regions had built in an earlier process, until it is built again. */
  readonly left = new Map<number, Left>();
  /** The failures of tasks that are no more. */
  readonly gone: Failure[] = [];
  /** The region whose flow this is. */
  readonly region: string | undefined;
  /** Where values come from. It changes between runs only. */
  binding: Binding;
  readonly states: Uint8Array;
  readonly intentions: Uint8Array;
  /** The whole result of each atom. */
  readonly results: unknown[];
  /** The atoms whose results are with a thread and not here, although tasks are still going to need them; of those that are lost, why. */
  readonly away = new Map<number, unknown>();
  readonly failures = new Map<number, Failure>();
  readonly revertResults = new Map<number, unknown>();
  readonly revertFailures = new Map<number, Failure>();
  /** For each atom that has run: how many had before it. What finished last is reverted first. */
  readonly finished: Uint32Array;
  /** How many times an atom has finished. */
  finishedCount = 0;
  /** What is being rolled back to be tried again, by its retry: a controller, or a task with a retry of its own. */
  readonly rollbacks = new Map<number, Rollback>();
  /** What is to be reverted because of a failure that no retry resolves. */
  verdict: Range | undefined;
  /** Whether that has begun: the flow comes to its end. */
  reverting = false;
  /** The retries that are not to be asked any more, as they gave up before. */
  readonly givenUp = new Set<number>();
  /** What tasks that have not ended well said last of how far they are. */
  readonly progress = new Map<string, ProgressEvent>();
  /** When tasks last gave details. */
  readonly details = new Map<string, ProgressEvent>();

  /** `undefined`: all that runs does so for the first time. */
  turns: Turns | undefined;

  /** The flows that regions have built, by the region's atom. */
  readonly children = new Map<number, Child>();
  /** Where atoms are found by name, here and in all flows within. */
  readonly directory: Directory;
  /** How many regions there are around this flow. */
  readonly depth: number;
  /** The flow that holds the region whose flow this is. */
  readonly outer: Ledger | undefined;

  readonly #plan: Plan;
  #key: string | undefined;
  /** For each atom, how many arguments its result is still to be; `undefined`: all results stay. */
  #uses: Int32Array | undefined;
  readonly #attempts = new Map<number, Attempts>();
  /** What was made of the failures last, until there are others. */
  #told: { readonly around: object | undefined; readonly all: Readonly<Record<string, Failure>> } | undefined;

  /** `region`: the one whose flow this is. */
  constructor(binding: Binding, region?: Place) {
    const { plan } = binding;
    const outer = region?.ledger;
    this.outer = outer;
    if (region) {
      const { ledger, atom } = region;
      this.region = nameOf(ledger.plan, atom);
      // Now, as what was given up may ask for it when the region is in its next round.
      this.#key = taskKey(ledger.key, this.region, ledger.roundOf(atom));
    }
    this.journal = outer?.journal;
    this.depth = outer ? outer.depth + 1 : 0;
    this.directory = outer ? outer.directory : new Directory(this);
    this.#plan = plan;
    this.binding = binding;
    this.states = new Uint8Array(plan.size);
    this.intentions = new Uint8Array(plan.size);
    this.results = new Array(plan.size);
    this.finished = new Uint32Array(plan.size);
  }

  /** What happens is recorded from now on, or not any more. */
  attach(journal: Journal | undefined): void {
    for (const ledger of withChildren(this)) ledger.journal = journal;
  }

  /** Whether an atom is being reverted, or will be when it begins: it has run. */
  reverts(atom: number): boolean {
    const state = this.states[atom];
    if (TO_REVERT[state] === 1) return true;
    // A controller that waited to try again has run, too.
    return state === RETRYING && this.intentions[atom] === REVERT && this.#plan.atoms[atom].controller !== undefined;
  }

  /** Whether an atom that has begun is being reverted. */
  isReverting(atom: number): boolean {
    return this.states[atom] === REVERTING;
  }

  get plan(): Plan {
    return this.#plan;
  }

  /** What the keys of its atoms begin with: the id of the flow, and for the flow of a region the key of that, in its round. */
  get key(): string {
    this.#key ??= this.journal ? keyPart(this.journal.lease.id) : crypto.randomUUID();
    return this.#key;
  }

  /** How many times an atom has begun with what it does, or will have when it begins, counting what an earlier process did not end. */
  attemptOf(atom: number): number {
    return this.turns === undefined ? 1 : 1 + this.turns.before(atom);
  }

  /** How many times an atom has begun and was put back to its start. */
  roundOf(atom: number): number {
    return this.turns === undefined ? 0 : this.turns.roundOf(atom);
  }

  /**
   * A region has built its flow.
   *
   * @throws {@link FlowError} when a name in it is taken
   */
  adopt(atom: number, child: Child, region: string): void {
    this.directory.add(child.ledger, region);
    this.left.delete(atom);
    this.children.set(atom, child);
  }

  /** What a region has built is of no account any more. */
  forget(atom: number): void {
    this.#strike(atom);
    const child = this.children.get(atom);
    if (child) this.directory.remove(child.ledger);
    this.children.delete(atom);
    this.left.delete(atom);
  }

  /** An atom begins to run, or to be reverted. */
  begin(atom: number): void {
    if (this.states[atom] === PENDING || !this.reverts(atom)) {
      this.move(atom, RUNNING);
    } else {
      this.revertFailures.delete(atom);
      this.move(atom, REVERTING);
    }
  }

  /** An atom comes to another state, and all else that is known of it has been put down. */
  move(atom: number, state: number): void {
    this.states[atom] = state;
    this.journal?.moved(this, atom);
  }

  /** An atom that was said to begin has not: its worker died before. */
  unbegin(atom: number): void {
    this.states[atom] = this.states[atom] === RUNNING ? PENDING : this.failures.has(atom) ? FAILURE : SUCCESS;
    this.journal?.unbegun(this, atom);
  }

  /**
   * An atom has ended well.
   *
   * @throws when the result lacks a value that the atom promised, or it cannot be read: the atom has not ended well
   */
  finish(atom: number, result: unknown): void {
    if (this.progress.size > 0) this.progress.delete(nameOf(this.#plan, atom));
    if (this.states[atom] === REVERTING) {
      this.journal?.check(this, atom, result);
      this.turns?.end(atom);
      this.results[atom] = undefined;
      if (result !== undefined) this.revertResults.set(atom, result);
      if (this.#attempts.size > 0 && this.intentions[atom] !== RETRY) this.#forget(atom);
      this.move(atom, REVERTED);
    } else {
      const { picks, atoms, retries } = this.#plan;
      if (picks.length > 0 && atoms[atom].provision.keys !== undefined) {
        checkResult(nameOf(this.#plan, atom), atoms[atom], result);
      }
      this.journal?.check(this, atom, result);
      this.turns?.end(atom);
      this.results[atom] = result;
      this.finished[atom] = ++this.finishedCount;
      this.move(atom, SUCCESS);
      if (retries !== undefined && atoms[atom].controller) this.attempt(atom, result);
      if (this.#uses !== undefined) this.#letGo(atom, this.#uses);
    }
  }

  /** Whether results go as soon as nobody needs them any more. */
  get releases(): boolean {
    return this.#uses !== undefined;
  }

  /** From now on results go as soon as nobody needs them any more, but for the sources in `kept`. Of a flow that may begin again, none go. */
  release(kept: Iterable<number>): void {
    this.#uses ??= usesOf(this.binding, kept);
  }

  /** Whether an atom's result is to be one more argument, and nothing else. */
  isWantedOnce(atom: number): boolean {
    return this.#uses?.[atom] === 1;
  }

  /** Whether an atom's result is to be an argument, once or more often, and nothing else. */
  isWantedByTasks(atom: number): boolean {
    return this.#uses !== undefined && this.#uses[atom] > 0 && this.#uses[atom] < HELD;
  }

  /** An atom's result is handed over, for the one argument that it was still to be. */
  handOver(atom: number): void {
    this.results[atom] = undefined;
    this.#uses![atom] = 0;
  }

  /** Whether the value of a source is there no more, as nobody needed it. */
  hasReleasedValue(source: number): boolean {
    const { size, picks } = this.#plan;
    return source < size + picks.length && this.hasReleased(providerOf(this.#plan, source));
  }

  /** Whether an atom's result is there no more, as nobody needed it. */
  hasReleased(atom: number): boolean {
    return this.#uses?.[atom] === 0 && this.states[atom] === SUCCESS;
  }

  /** Whether an atom's result is not here, be it that nobody needs it or that it is with a thread. */
  isMissing(atom: number): boolean {
    return this.hasReleased(atom) || this.away.has(atom);
  }

  /** Whether nothing is to be done for an atom that ends well but to put down its result. */
  get quiet(): boolean {
    const { journal, turns, progress } = this;
    return journal === undefined && turns === undefined && progress.size === 0 && this.#plan.picks.length === 0;
  }

  /** As `finish()`, while the ledger is quiet. */
  succeed(atom: number, result: unknown): void {
    this.results[atom] = result;
    this.finished[atom] = ++this.finishedCount;
    this.states[atom] = SUCCESS;
    if (this.#uses !== undefined) this.#letGo(atom, this.#uses);
  }

  /** As `succeed()`, for atoms in a row. */
  succeedAll(atoms: Atoms, from: number, values: Row): void {
    const { results, finished, states } = this;
    const before = this.finishedCount + 1;
    for (let i = 0; i < values.length; i++) {
      const atom = atoms[from + i];
      results[atom] = values[i];
      finished[atom] = before + i;
      states[atom] = SUCCESS;
    }
    this.finishedCount += values.length;
    const uses = this.#uses;
    if (uses !== undefined) for (let i = 0; i < values.length; i++) this.#letGo(atoms[from + i], uses);
  }

  /** An atom has ended badly, because of `error`. */
  fail(atom: number, error: unknown): Failure {
    const name = nameOf(this.#plan, atom);
    const failure = new Failure(name, markFailed(error, name, this.#plan.name));
    this.turns?.end(atom);
    if (this.states[atom] === REVERTING) {
      this.revertFailures.set(atom, failure);
      this.move(atom, REVERT_FAILURE);
    } else {
      // A retry that cannot decide has finished before, and what it was to decide on after it.
      if (this.states[atom] === RUNNING) this.finished[atom] = ++this.finishedCount;
      this.failures.set(atom, failure);
      this.#told = undefined;
      this.move(atom, FAILURE);
      if (this.#plan.atoms[atom].controller) this.#attemptsOf(atom).failure = failure;
    }
    return failure;
  }

  /** An atom is not to run in this run. */
  ignore(atom: number): void {
    this.move(atom, IGNORE);
  }

  /** A retry hears of a failure in its care. */
  record(retry: number, failure: Failure): void {
    const { all } = this.#attemptsOf(retry);
    all[all.length - 1].failures[failure.task] = failure;
    this.journal?.attempted(this, retry);
  }

  /** A retry begins an attempt with a value. */
  attempt(retry: number, value: unknown): void {
    this.#attemptsOf(retry).all.push({ value, failures: {} });
    this.journal?.attempted(this, retry);
  }

  /** What a retry has tried so far. */
  historyOf(retry: number): History {
    const attempts = this.#attempts.get(retry);
    return new History(attempts?.all ?? [], attempts?.failure);
  }

  /** What a retry has tried in an earlier process. */
  remember(retry: number, attempts: readonly Attempt[]): void {
    this.#attempts.set(retry, {
      all: attempts.map(({ value, failures }) => ({ value, failures: { ...failures } })),
      ...(this.failures.has(retry) && this.#plan.atoms[retry].controller && { failure: this.failures.get(retry)! }),
    });
  }

  /** A retry rolls back what is in its care, or does it otherwise than before. */
  rollBack(retry: number, rollback: Rollback): void {
    this.rollbacks.set(retry, rollback);
    this.journal?.note(nameOf(this.#plan, retry), { retryAfter: rollback.retryAfter ?? null });
  }

  /** A retry rolls nothing back any more. */
  endRollback(retry: number): void {
    this.rollbacks.delete(retry);
    this.journal?.note(nameOf(this.#plan, retry), { retryAfter: undefined });
  }

  /** A retry is not to be asked any more. */
  giveUp(retry: number): void {
    this.givenUp.add(retry);
    this.journal?.note(nameOf(this.#plan, retry), { givenUp: true });
  }

  /** It is decided what is to be reverted because of a failure that no retry resolves, and whether that begins. */
  judge(verdict: Range | undefined, reverting = false): void {
    this.verdict = verdict;
    this.reverting = reverting;
    this.journal?.judged(this);
  }

  /** Part of the flow is being rolled back, or has been. */
  intend({ start, end }: Range, intention: number): void {
    this.intentions.fill(intention, start, end);
  }

  /** An atom that was rolled back is as if it had never run. `goesOn`: what a region has built counts. */
  restart(atom: number, goesOn = false): void {
    this.results[atom] = undefined;
    this.away.delete(atom);
    this.failures.delete(atom);
    this.#told = undefined;
    this.revertResults.delete(atom);
    this.revertFailures.delete(atom);
    this.#forget(atom);
    this.givenUp.delete(atom);
    this.journal?.forgetNotes(nameOf(this.#plan, atom));
    // A region that goes on with what it has built is in the same round.
    if (!(goesOn && (this.children.has(atom) || this.left.has(atom))) && this.states[atom] !== IGNORE)
      this.#again(atom);
    if (!goesOn && (this.children.size > 0 || this.left.size > 0)) this.forget(atom);
    this.move(atom, PENDING);
  }

  /** A retry is about to try again. Its history stays. */
  retry(retry: number): void {
    this.#strike(retry);
    this.results[retry] = undefined;
    this.failures.delete(retry);
    this.#told = undefined;
    this.#again(retry);
    this.move(retry, RETRYING);
  }

  /** Whether an atom has failed, and the flow goes on without its values. */
  tolerates(atom: number): boolean {
    return this.states[atom] === FAILURE && this.#plan.atoms[atom].mayFail;
  }

  /** Whether all atoms are through. */
  get complete(): boolean {
    return this.states.every((state, atom) => state === SUCCESS || state === IGNORE || this.tolerates(atom));
  }

  /** The failures that are not tolerated. */
  get severe(): Failure[] {
    const all = [...this.failures].filter(
      ([atom, { error }]) => !(this.#plan.lacking && this.#plan.atoms[atom].mayFail) && !isInterruption(error),
    );
    return [...this.gone, ...all.map(([, one]) => one)];
  }

  /** The names of the tasks that run now. */
  runningTasks(): string[] {
    const names: string[] = [];
    this.states.forEach((state, atom) => {
      if (state === RUNNING || state === REVERTING) names.push(nameOf(this.#plan, atom));
    });
    return names;
  }

  /** The arguments of an atom's `execute`. */
  argumentsOf(atom: number): Record<string, unknown> {
    return this.argumentsFor(atom, this.#plan.atoms[atom].mapping.params);
  }

  /** As `argumentsOf()`, when the names are known: a look at the atom itself costs as much as a small task. */
  argumentsFor(atom: number, params: readonly string[]): Record<string, unknown> {
    const { binding, results } = this;
    const { argStart, size } = this.#plan;
    const start = argStart[atom];
    const args: Record<string, unknown> = {};
    for (let i = 0; i < params.length; i++) {
      const source = binding.args[start + i];
      if (source >= size) args[params[i]] = this.value(source);
      else if (source >= 0) args[params[i]] = results[source];
      else if (source === CONSTANT) args[params[i]] = this.#plan.atoms[atom].mapping.constants[i];
      else args[params[i]] = binding.inputs[INPUT - source];
    }
    return args;
  }

  /** The arguments of an atom's `revert`, without what it is given in any case. */
  revertArgumentsOf(atom: number): Record<string, unknown> {
    const { mapping } = this.#plan.atoms[atom];
    if (mapping.revert === undefined) return this.argumentsOf(atom);
    return this.#arguments(mapping.revert, this.#plan.argStart[atom] + mapping.params.length);
  }

  /** The atoms that have run, in the order in which they finished. */
  finishedOrder(): number[] {
    const order: number[] = [];
    this.finished.forEach((place, atom) => {
      if (place > 0) order[place - 1] = atom;
    });
    return order;
  }

  /** What an atom's `revert` is given in any case. */
  revertExtrasOf(atom: number): RevertExtras {
    return { result: this.failures.get(atom) ?? this.results[atom], flowFailures: this.#flowFailures };
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

  /** What the flow provides, or of it what has one of these names. Values that were not made, or were reverted, are missing. */
  provided(names?: ReadonlySet<string>): Record<string, unknown> {
    const { outputNames, outputs } = this.#plan;
    const values: Record<string, unknown> = {};
    if (names?.size === 0) return values;
    let complete = true;
    for (let i = 0; i < outputNames.length; i++) {
      if (names !== undefined && !names.has(outputNames[i])) continue;
      if (this.#has(outputs[i])) values[outputNames[i]] = this.value(outputs[i]);
      else complete = false;
    }
    return complete ? values : { ...this.#providedSoFar(names), ...values };
  }

  reset(): void {
    this.#putBack();
    this.states.fill(PENDING);
    this.finished.fill(0);
    this.intentions.fill(EXECUTE);
    this.results.fill(undefined);
    this.away.clear();
    this.#uses = undefined;
    this.failures.clear();
    this.#told = undefined;
    this.revertResults.clear();
    this.revertFailures.clear();
    this.progress.clear();
    this.details.clear();
    this.rollbacks.clear();
    this.givenUp.clear();
    this.#attempts.clear();
    this.finishedCount = 0;
    this.verdict = undefined;
    this.reverting = false;
    this.left.clear();
    this.gone.length = 0;
    this.children.clear();
    this.directory.clear();
  }

  /**
   * What has failed, here and in the flows around, by name: one object for all that are reverted because of it, as there may be as many
   * of them as there are failures.
   */
  get #flowFailures(): Readonly<Record<string, Failure>> {
    const around = this.outer === undefined ? undefined : this.outer.#flowFailures;
    if (this.#told === undefined || this.#told.around !== around) {
      const own = this.severe.map((failure) => [failure.task, failure] as const);
      this.#told = { around, all: Object.freeze({ ...around, ...Object.fromEntries(own) }) };
    }
    return this.#told.all;
  }

  /** What a region has built is not recorded any more. */
  #strike(region: number): void {
    if (this.journal === undefined) return;
    const child = this.children.get(region);
    const left = this.left.get(region);
    this.journal.note(nameOf(this.#plan, region), { built: undefined });
    if (child) this.journal.removed(child.ledger);
    if (left) this.journal.removedLeft(nameOf(this.#plan, region), left.recorded);
  }

  /** All atoms are about to go back to their start. */
  #putBack(): void {
    for (const region of [...this.children.keys(), ...this.left.keys()]) this.#strike(region);
    const { states, journal } = this;
    // Of what has run as a whole nothing has to be said of single atoms: the next run is as fast as the first.
    const together = !states.includes(PENDING) && !states.includes(IGNORE);
    if (together) this.#turns().allAgain();
    for (let atom = 0; atom < this.#plan.size && !(together && journal === undefined); atom++) {
      if (states[atom] === PENDING && this.attemptOf(atom) === 1) continue; // it has never left it
      if (!together && states[atom] !== IGNORE) this.#again(atom);
      journal?.reset(this, atom);
    }
    this.journal?.flow({ notes: null });
  }

  /** An atom that has begun is put back to its start. */
  #again(atom: number): void {
    this.#turns().again(atom);
  }

  #turns(): Turns {
    this.turns ??= new Turns(this.#plan.size);
    return this.turns;
  }

  #forget(retry: number): void {
    if (this.#attempts.delete(retry)) this.journal?.forgot(this, retry);
  }

  #attemptsOf(retry: number): Attempts {
    let attempts = this.#attempts.get(retry);
    if (!attempts) {
      attempts = { all: [] };
      this.#attempts.set(retry, attempts);
    }
    return attempts;
  }

  /** What there is of each name while the last of its providers has not run. */
  #providedSoFar(wanted: ReadonlySet<string> | undefined): Record<string, unknown> {
    const { order, size, atoms } = this.#plan;
    const values: Record<string, unknown> = {};
    for (let place = 0; place < size; place++) {
      const atom = order ? order[place] : place;
      if (this.states[atom] !== SUCCESS || this.isMissing(atom)) continue;
      const { names, keys } = atoms[atom].provision;
      const result = this.results[atom] as Record<string | number, unknown>;
      for (let i = 0; i < names.length; i++) {
        if (wanted === undefined || wanted.has(names[i])) values[names[i]] = keys ? result[keys[i]] : result;
      }
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
    return this.states[providerOf(this.#plan, source)] === SUCCESS;
  }

  /** An atom has ended well: it needs what it was given no more, and perhaps nobody needs what it gives. */
  #letGo(atom: number, uses: Int32Array): void {
    const plan = this.#plan;
    const { args } = this.binding;
    for (let at = plan.argStart[atom]; at < plan.argStart[atom + 1]; at++) {
      if (args[at] < 0) continue;
      const provider = providerOf(plan, args[at]);
      if (uses[provider] > 0 && --uses[provider] === 0) this.results[provider] = undefined;
    }
    if (uses[atom] === 0) this.results[atom] = undefined;
  }
}

/** Whether a task did not fail, but its process ended while it ran: its flow was to be reverted anyway. */
function isInterruption(error: Error): boolean {
  return isMillraceError(error) && error.code === 'ERR_MILLRACE_INTERRUPTED';
}

/** Whether a value is `{}`. */
function isEmpty(value: unknown): boolean {
  const plain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return plain && Object.keys(value).length === 0;
}

/** What a result lacks of what its task promised; `undefined`: it has it all. Throws when a value in it cannot be read. */
export function lackedBy({ provision: { keys, names } }: TaskAtom, result: unknown): string | undefined {
  if (keys === undefined) return undefined;
  const holder =
    typeof result === 'object' && result !== null ? (result as Record<string | number, unknown>) : undefined;
  const index = keys.findIndex((key) => holder?.[key] === undefined && (holder === undefined || !(key in holder)));
  if (index < 0) return undefined;
  return typeof keys[index] === 'number' ? `element ${keys[index]} ('${names[index]}')` : `'${names[index]}'`;
}

/** A result that lacks a promised value, or a value that cannot be read, is a failure of the task that promised it. */
function checkResult(name: string, task: TaskAtom, result: unknown): void {
  const lacked = lackedBy(task, result);
  if (lacked === undefined) return;
  const promised = task.provision.names.map((one) => `'${one}'`).join(', ');
  throw new RunError(
    'ERR_MILLRACE_BAD_RESULT',
    `Task '${name}' provides ${promised}, but its result has no ${lacked}`,
    { task: name },
  );
}
