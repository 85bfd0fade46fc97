/**
 * The scheduler: one for every kind of dispatcher. It is synchronous: a dispatcher takes ready atoms from it, says how they
 * ended, and asks it to go on; it knows nothing of threads, promises or time.
 */
import type { Failure } from '../atoms/index.js';
import { AbortError, isMillraceError } from '../errors.js';
import { type Kinds, kindsOf, nameOf, type Plan, type Range, rangeOf, whole } from '../plan/index.js';
import type { Atoms, Row } from '../wire/index.js';
import { ignoredFrom } from './decide.js';
import { type LogEvent, logEvent, type ProgressEvent, progressEvent, type TaskEvent, taskEvent } from './events.js';
import { type Frontier, NOTHING, type Place, ReadySet, Walk } from './frontier.js';
import { EXECUTE, type Ledger, RETRY, REVERT } from './ledger.js';
import { type Answer, NOBODY, Resolver } from './resolve.js';
import { FAILURE, type FlowState, PENDING, RETRYING, REVERTED, RUNNING } from './states.js';
import { interruption, type Turns } from './turns.js';
import { Retreat, Undoing } from './undoing.js';

/** What the scheduler tells the engine. */
export interface SchedulerEvents {
  task(event: TaskEvent): void;
  progress(event: ProgressEvent): void;
  log(event: LogEvent): void;
}

/** What becomes of a flow in which something fails. */
export interface FailureOptions {
  /**
   * What happens after a failure that no retry resolves: with `'stop'` nothing else starts, with `'finish'` whatever does not depend
   * on it is carried out first. What runs may end, and then the flow is reverted. Default: `'stop'`.
   */
  readonly failurePolicy?: 'stop' | 'finish' | undefined;
  /**
   * Whether a retry that gives up leaves it to the retries around it what is to be reverted, and without any it is the whole
   * flow. If not, and none of those decides otherwise, only the flow of that retry is reverted. Default: `true`.
   */
  readonly deferReverts?: boolean | undefined;
  /**
   * Whether nothing is retried and nothing is reverted: the flow ends as a failure, and runs what is left when it runs again.
   * Default: `false`.
   */
  readonly neverResolve?: boolean | undefined;
}

export interface SchedulerOptions {
  readonly plan: Plan;
  readonly ledger: Ledger;
  readonly events: SchedulerEvents;
  /** Whether several atoms may run at once. */
  readonly concurrent: boolean;
  readonly observed: boolean;
  readonly failures: FailureOptions;
  /** Calls `wake` after so many ms, and lets the run go on, unless what it returns is called before. */
  readonly sleep: (ms: number, wake: () => void) => () => void;
  /** The flow is that of a region: it is not reverted when it fails, but with its region. */
  readonly nested?: boolean;
  /** What has run is to be reverted from the start. */
  readonly reverting?: boolean;
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
  /** The order of the plan, if the run is plain as far as that is known from the start. */
  readonly #straight: Walk | undefined;
  readonly #kinds: Kinds;
  #frontier: Frontier = NOTHING;
  /** What is ready to be reverted, once something is. */
  #undoing: Undoing | undefined;
  /** The parts that are rolled back, by their retries. */
  readonly #retreats = new Map<number, Retreat>();
  /** How many of them wait for what still runs in them. */
  #recalling = 0;
  /** The retries that wait to try again, and what ends that. */
  readonly #sleeping = new Map<number, () => void>();
  /** The atoms that were taken and have not ended. Of a serial run there is one at most, and nobody asks. */
  readonly #taken: Uint8Array;
  /** No atom is handed out any more: one has failed, or the run is suspended or aborted. */
  #halted = false;
  #suspended = false;
  /** The run ends where it is, whatever else is asked. */
  #frozen = false;
  #aborted = false;
  #revertFailed = false;
  readonly #options: SchedulerOptions;
  readonly #events: SchedulerEvents;
  readonly #resolver: Resolver;

  constructor(options: SchedulerOptions) {
    const { plan, ledger, failures } = options;
    this.plan = plan;
    this.ledger = ledger;
    this.concurrent = options.concurrent;
    this.#kinds = options.concurrent ? kindsOf(plan) : NO_KINDS;
    this.observed = options.observed;
    this.#options = options;
    this.#events = options.events;
    this.#taken = new Uint8Array(options.concurrent ? plan.size : 0);
    this.#resolver = new Resolver(plan, ledger, failures.deferReverts !== false, (...change) => {
      if (this.observed) this.#tell(...change);
    });
    const stopped = [...ledger.rollbacks];
    if (options.reverting) ledger.verdict = whole(plan);
    else if (failures.neverResolve) this.#revive();
    const unresolved = ledger.verdict !== undefined;
    if (unresolved && (ledger.reverting || options.reverting || (this.#stops && !this.#nested))) {
      this.#revert();
    } else if (unresolved && this.#stops && this.#nested) {
      this.#halted = true; // a region's flow that had failed when its process ended: the region fails
    } else if (this.concurrent || unresolved) {
      this.#start(this.#readySet());
    } else {
      const walk = new Walk(plan, ledger, this.#decider);
      this.#frontier = walk;
      if (isSimple(plan, ledger)) this.#straight = walk;
    }
    // What was stopped while it was rolled back goes on with that, unless what was just asked has come to something else.
    for (const [retry, rollback] of stopped) {
      if (ledger.rollbacks.get(retry) === rollback) this.#retreat(rollback.range, retry, rollback.retryAfter);
    }
  }

  /** Whether nothing runs and nothing can be taken. */
  get idle(): boolean {
    if (this.running > 0 || this.held > 0) return false;
    return this.#halted || (this.#frontier.empty && this.#sleeping.size === 0 && this.#undoing?.empty !== false);
  }

  /** Whether the flow is reverted for good. */
  get reverting(): boolean {
    return this.ledger.reverting;
  }

  /** The atoms that are ready to run, for a dispatcher that takes several at once. */
  get ready(): ReadySet | undefined {
    return this.#frontier instanceof ReadySet ? this.#frontier : undefined;
  }

  /** How many atoms are ready to run, or to be reverted, away. */
  get waiting(): number {
    return this.#halted ? 0 : (this.ready?.waiting ?? 0) + (this.#undoing?.waiting ?? 0);
  }

  /** Whether no atom is to start now. */
  get halted(): boolean {
    return this.#halted;
  }

  /** Whether the run is to stop where it is. */
  get suspended(): boolean {
    return this.#suspended;
  }

  /** Whether some atoms that were taken are to be put back, if they have not begun. */
  get recalling(): boolean {
    return this.#halted || this.#recalling > 0;
  }

  /** Whether this one is. */
  recalls(atom: number): boolean {
    if (this.#halted) return true;
    const retreat = this.#retreatOf(atom);
    return retreat !== undefined && retreat.ready === undefined;
  }

  /**
   * Whether the run is plain, as most are: one atom after the other in the order of the plan, and nothing is asked of any but what it
   * returns. That ends when an atom fails, when someone listens, and when the run is to stop.
   */
  get plain(): boolean {
    return this.#frontier === this.#straight && !this.observed && !this.#halted && this.ledger.progress.size === 0;
  }

  /** Takes and begins the next atom of a plain run; -1 when there is none. */
  beginNext(): number {
    const atom = this.#straight!.take();
    if (atom < 0) return -1;
    this.ledger.states[atom] = RUNNING;
    this.running++;
    return atom;
  }

  /** The atom that was begun has ended well, and the run is plain still. */
  finishNext(atom: number, result: unknown): void {
    this.ledger.succeed(atom, result);
    this.running--;
    this.ended++;
  }

  /** Takes the next ready atom; -1 when there is none now. What is to be reverted goes first. */
  take(place: Place = 'away'): number {
    for (;;) {
      if (this.#halted) return -1;
      if (this.#undoing !== undefined) {
        const atom = this.takeRevert(place);
        if (atom >= 0) return atom;
      }
      const { ended } = this;
      const atom = this.takeReady(place);
      // A decider that was asked may have thrown, and that may lead to something else that is ready.
      if (atom >= 0 || ended === this.ended) return atom;
    }
  }

  /** Takes the next atom that is ready to run; -1 when there is none now. */
  takeReady(place: Place = 'away'): number {
    const atom = this.#frontier.take(place);
    if (this.concurrent && atom >= 0) this.#taken[atom] = 1;
    return atom;
  }

  /** As `takeReady()`, of the next atom and those that follow it in the order without a gap, so many at most. */
  takeRow(most: number): Int32Array {
    const atoms = this.ready!.takeRow(most);
    for (let i = 0; i < atoms.length; i++) this.#taken[atoms[i]] = 1;
    return atoms;
  }

  /** Takes the next atom that is to be reverted; -1 when there is none now. */
  takeRevert(place: Place = 'away'): number {
    const atom = this.#halted || this.#undoing === undefined ? -1 : this.#undoing.take(place);
    if (atom < 0) return -1;
    const retreat = this.#retreatOf(atom)!;
    retreat.ready!--;
    retreat.busy++;
    if (this.concurrent) this.#taken[atom] = 1;
    return atom;
  }

  /** Takes an atom that is not ready: it goes along with what it waits for. */
  claim(atom: number): void {
    this.#taken[atom] = 1;
  }

  /** Puts back an atom that was taken, and not begun. */
  putBack(atom: number): void {
    this.#taken[atom] = 0;
    this.ledger.journal?.retract(this.ledger, atom);
    const retreat = this.#retreatOf(atom);
    if (retreat === undefined) {
      this.ready?.putBack(atom);
    } else {
      if (retreat.ready !== undefined) this.#undoing!.putBack(atom, retreat);
      this.#settle(retreat);
    }
  }

  /** Whether an atom is being reverted, or will be when it begins. */
  reverts(atom: number): boolean {
    return this.ledger.reverts(atom);
  }

  /**
   * Whether an atom is to run on the scheduler's thread. A task that has nothing to revert need not travel for it, and one
   * whose code no worker has found cannot.
   */
  readonly runsHere = (atom: number): boolean => {
    const { of, samples } = this.#kinds;
    const task = samples[of[atom]];
    if (!task.travels) return true;
    if (!this.reverts(atom)) return false;
    return task.definition.revert === undefined || UNFOUND.has(codeOf(this.ledger.failures.get(atom)));
  };

  /** Whether an atom is the only one that is ever going to be given another one's result, be it that it fails. */
  isForOnly(result: number, atom: number): boolean {
    // Whoever listens was told the result, and may have kept it.
    if (this.observed || this.#options.failures.neverResolve) return false;
    return this.ledger.isWantedOnce(result) && this.plan.atoms[atom].retry === undefined;
  }

  /** An atom that was taken starts. */
  begin(atom: number): void {
    const oldState = this.ledger.states[atom];
    this.ledger.begin(atom);
    this.running++;
    if (this.observed) {
      this.#tell(atom, oldState);
      this.#events.progress(progressEvent(nameOf(this.plan, atom), 0));
    }
  }

  /** An atom that was said to begin has not: its worker died before. It is still taken. */
  unbegin(atom: number): void {
    const oldState = this.ledger.states[atom];
    this.ledger.unbegin(atom);
    this.running--;
    if (this.observed) this.#tell(atom, oldState);
  }

  /** An atom has ended well. */
  finish(atom: number, result: unknown): void {
    const oldState = this.ledger.states[atom];
    try {
      this.ledger.finish(atom, result);
    } catch (error) {
      this.fail(atom, error);
      return;
    }
    this.running--;
    this.ended++;
    if (this.concurrent) this.#taken[atom] = 0;
    if (this.observed) {
      this.#tell(atom, oldState, result);
      this.#events.progress(progressEvent(nameOf(this.plan, atom), 1));
    }
    const retreat = this.#retreats.size > 0 ? this.#retreatOf(atom) : undefined;
    if (retreat === undefined) {
      this.#frontier.leave(atom);
    } else {
      if (retreat.ready !== undefined) this.#undoing!.leave(atom, retreat);
      this.#settle(retreat);
    }
  }

  /** Whether several atoms may be said to end at once: nobody is told of each, and nothing is decided between them. */
  get quiet(): boolean {
    return !this.observed && this.#retreats.size === 0 && this.#decider === undefined && this.ledger.quiet;
  }

  /** As `finish()`, for atoms in a row, while the scheduler is quiet: that they begin may be left out. */
  finishAll(atoms: Atoms, from: number, results: Row): void {
    const { ledger } = this;
    const count = results.length;
    const taken = this.#taken;
    this.running -= count;
    this.ended += count;
    if (this.plan.successors.to.length === 0) {
      ledger.succeedAll(atoms, from, results);
      for (let i = 0; i < count; i++) taken[atoms[from + i]] = 0;
      return;
    }
    for (let i = 0; i < count; i++) {
      const atom = atoms[from + i];
      ledger.succeed(atom, results[i]);
      taken[atom] = 0;
      // One by one: what follows in the same row is not through yet.
      this.#frontier.leave(atom);
    }
  }

  /** An atom has ended badly: it threw `error`, or something happened to it. */
  fail(atom: number, error: unknown): void {
    if (this.#fail(atom, error)) this.#frontier.leave(atom);
  }

  /** Returns whether the flow goes on in spite of it. */
  #fail(atom: number, error: unknown): boolean {
    const oldState = this.ledger.states[atom];
    const failure = this.ledger.fail(atom, error);
    this.running--;
    this.ended++;
    if (this.concurrent) this.#taken[atom] = 0;
    if (this.observed) this.#tell(atom, oldState, failure);
    if (oldState !== RUNNING) {
      this.#revertFailed = true;
      this.#halted = true;
    }
    const retreat = this.#retreatOf(atom);
    if (retreat) this.#settle(retreat);
    return oldState === RUNNING && this.#resolve(atom, failure);
  }

  /** Atoms that run may end; no other starts. */
  suspend(): void {
    this.#suspended = true;
    this.#halted = true;
    this.#wake();
  }

  /** As `suspend()`, and nothing changes that: what happens cannot be recorded. */
  freeze(): void {
    this.#frozen = true;
    this.#halted = true;
    this.#wake();
  }

  /** As `suspend()`, and what has run is reverted, even if the run was suspended before. */
  abort(): void {
    this.#aborted = true;
    if (this.reverting || this.#frozen) return;
    this.#halted = true;
    this.#suspended = false;
    this.#wake();
  }

  /**
   * Nothing runs and nothing can be taken: what now? Either the run goes on backwards, and `undefined` is returned, or it has
   * come to an end in the state that is returned.
   */
  conclude(): FlowState | undefined {
    const { ledger } = this;
    this.#wake();
    if (this.#frozen) return 'SUSPENDED';
    if (this.#revertFailed) return 'FAILURE';
    if (ledger.reverting) return this.#retreats.get(NOBODY)!.over ? 'REVERTED' : 'SUSPENDED';
    if (this.#aborted) {
      ledger.verdict = whole(this.plan);
    } else {
      const { verdict, rollbacks } = ledger;
      const going = verdict === undefined || !this.#stops;
      if (this.#suspended && (going || !this.#nested)) {
        return !verdict && rollbacks.size === 0 && ledger.complete ? 'SUCCESS' : 'SUSPENDED';
      }
      if (!verdict) return 'SUCCESS';
    }
    if (this.#nested || this.#options.failures.neverResolve) return 'FAILURE';
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

  /** Whether the flow is reverted only with the region whose flow it is. */
  get #nested(): boolean {
    return this.#options.nested === true;
  }

  /** Whether the run goes on after a failure, with what does not depend on it. */
  get goesOn(): boolean {
    return !this.#stops || this.#options.failures.neverResolve === true;
  }

  /** Whether nothing else starts after a failure that no retry resolves. */
  get #stops(): boolean {
    return this.#options.failures.failurePolicy !== 'finish';
  }

  get #decider(): ((atom: number) => boolean | undefined) | undefined {
    return this.plan.decisions !== undefined || this.plan.lacking ? this.#decide : undefined;
  }

  /** While a set is filled, deciders are asked, and what they come to may close parts of it. */
  #start(set: ReadySet): void {
    this.#frontier = set;
    set.start();
  }

  #readySet(): ReadySet {
    const { plan, ledger, concurrent } = this;
    const [taken, runsHere] = concurrent ? [this.#taken, this.runsHere] : [new Uint8Array(plan.size), nowhere];
    return new ReadySet({ plan, ledger, concurrent, taken, runsHere, decide: this.#decider });
  }

  /** Asks the deciders about an atom whose turn has come. */
  readonly #decide = (atom: number): boolean | undefined => {
    if (this.#halted) return undefined; // whoever goes on asks
    try {
      const ignored = ignoredFrom(this.plan, this.ledger, atom);
      for (const one of ignored) {
        this.ledger.ignore(one);
        if (this.observed) this.#tell(one, PENDING);
      }
      return ignored.length === 0;
    } catch (error) {
      this.begin(atom);
      return this.#fail(atom, error) ? false : undefined;
    }
  };

  /** An atom has failed: asks what is to become of that. Returns whether the flow goes on in spite of it. */
  #resolve(atom: number, failure: Failure): boolean {
    const { ledger } = this;
    // What fails meanwhile is reverted with the rest.
    if (this.#aborted || (ledger.verdict !== undefined && this.#stops)) return false;
    const answer = this.#options.failures.neverResolve
      ? this.#resolver.unresolved(atom)
      : this.#resolver.ask(atom, failure);
    if (answer === undefined) return true;
    if (answer.retry !== NOBODY) {
      this.#rollBack(answer);
    } else {
      // What is rolled back already, to be tried again, is not.
      const retreat = this.#retreatOf(atom);
      if (retreat) {
        retreat.retryAfter = undefined;
        ledger.rollBack(retreat.retry, retreat);
      }
      // Of several parts that nobody tries again, all is reverted.
      ledger.judge(ledger.verdict === undefined ? answer.range : whole(this.plan));
      if (this.#stops) this.#halted = true;
      else this.#toReadySet();
    }
    return false;
  }

  /** Part of the flow is to be reverted, and tried again. */
  #rollBack({ range, retry, retryAfter }: Answer): void {
    const { ledger } = this;
    if (this.#retreatOf(retry) !== undefined) return; // it is rolled back already, itself or with what is around it
    if (range.end - range.start > 1) {
      this.#absorb(range);
      this.ready?.close(range);
    }
    ledger.rollBack(retry, { range, retryAfter });
    ledger.intend(range, REVERT);
    ledger.intentions[retry] = RETRY;
    this.#retreat(range, retry, retryAfter);
  }

  /** What is rolled back, or waits to be tried again, within a part becomes a matter of the whole part. */
  #absorb(range: Range): void {
    const inside = (retry: number) => retry >= range.start && retry < range.end;
    for (const [retry, retreat] of this.#retreats) {
      if (!inside(retry)) continue;
      this.#retreats.delete(retry);
      if (retreat.ready === undefined) this.#recalling--;
    }
    for (const retry of this.ledger.rollbacks.keys()) if (inside(retry)) this.ledger.endRollback(retry);
    this.#undoing?.drop(range);
    for (const [retry, cancel] of this.#sleeping) {
      if (!inside(retry)) continue;
      cancel();
      this.#sleeping.delete(retry);
    }
  }

  /** A part is to be reverted as soon as nothing runs in it. */
  #retreat(range: Range, retry: number, retryAfter: number | undefined): void {
    let busy = 0;
    for (let atom = range.start; atom < range.end; atom++) if (this.#taken[atom] === 1) busy++;
    const retreat = new Retreat(range, retry, retryAfter, busy);
    this.#retreats.set(retry, retreat);
    if (busy > 0) this.#recalling++;
    else this.#turn(retreat);
  }

  /** Nothing runs any more in what is rolled back: what has run is reverted. */
  #turn(retreat: Retreat): void {
    const { plan, ledger, concurrent } = this;
    if (ledger.turns !== undefined) this.#giveUpInterrupted(ledger.turns, retreat.range);
    if (ledger.children.size > 0 || ledger.left.size > 0) this.#giveUpSuspended(retreat.range);
    this.#undoing ??= new Undoing(plan, ledger, concurrent ? this.runsHere : nowhere);
    this.#undoing.begin(retreat);
    if (retreat.over) this.#tryAgain(retreat);
  }

  /** An atom of a part has ended, or was put back: what is rolled back may go on. */
  #settle(retreat: Retreat): void {
    retreat.busy--;
    if (retreat.ready !== undefined) {
      if (retreat.over) this.#tryAgain(retreat);
    } else if (retreat.busy === 0) {
      this.#recalling--;
      this.#turn(retreat);
    }
  }

  /** A part was rolled back: it is tried again, unless the flow as a whole is going to be reverted. */
  #tryAgain({ range, retry, retryAfter }: Retreat): void {
    const { ledger } = this;
    if (retryAfter === undefined || this.#aborted || this.#revertFailed) return;
    if (ledger.verdict !== undefined && this.#stops) return;
    this.#retreats.delete(retry);
    ledger.endRollback(retry);
    this.#change(retry, () => ledger.retry(retry));
    for (let atom = range.start; atom < range.end; atom++) {
      if (atom !== retry && ledger.states[atom] !== PENDING) this.#change(atom, () => ledger.restart(atom));
    }
    const again = () => {
      this.#sleeping.delete(retry);
      ledger.intend(range, EXECUTE);
      this.ready!.reopen(range);
    };
    this.#toReadySet();
    if (retryAfter > 0 && !this.#halted) this.#sleeping.set(retry, this.#options.sleep(retryAfter, again));
    else again();
  }

  /** The retries that wait wait no longer; the run stops, and when it goes on they try again at once. */
  #wake(): void {
    for (const [retry, cancel] of this.#sleeping) {
      cancel();
      this.ledger.intend(rangeOf(this.plan, retry), EXECUTE);
    }
    this.#sleeping.clear();
  }

  /** Something may become ready that is not the next one in the order of the plan. */
  #toReadySet(): void {
    if (this.#frontier instanceof Walk) this.#start(this.#readySet());
  }

  /** The flow is reverted for good, or a part of it. */
  #revert(): void {
    const { ledger, plan } = this;
    const range = ledger.verdict!;
    ledger.judge(range, true);
    ledger.rollbacks.clear();
    this.#retreats.clear();
    this.#recalling = 0;
    this.#undoing = undefined;
    this.#frontier = NOTHING;
    this.#halted = this.#suspended;
    ledger.intend(range, REVERT);
    if (plan.retries) {
      // A task that waits to be tried again has been reverted.
      for (let atom = range.start; atom < range.end; atom++) {
        if (ledger.states[atom] !== RETRYING || plan.atoms[atom].controller) continue;
        this.#change(atom, () => ledger.move(atom, REVERTED));
      }
    }
    this.#retreat(range, NOBODY, undefined);
  }

  /** What has failed is to run again. */
  #revive(): void {
    const { ledger } = this;
    for (const atom of [...ledger.failures.keys()]) {
      if (ledger.states[atom] !== FAILURE || ledger.tolerates(atom)) continue;
      // What a region has done so far counts.
      const child = ledger.children.get(atom);
      if (child) child.suspended = true;
      this.#change(atom, () => ledger.restart(atom, true));
    }
    ledger.judge(undefined);
  }

  /** The part that is rolled back and holds an atom. */
  #retreatOf(atom: number): Retreat | undefined {
    const retreats = this.#retreats;
    if (retreats.size === 0) return undefined;
    const { retries } = this.plan;
    let found = retreats.get(NOBODY) ?? retreats.get(atom);
    for (
      let scope = retries?.scopeOf[atom] ?? -1;
      found === undefined && scope >= 0;
      scope = retries!.scopes[scope].parent
    ) {
      found = retreats.get(retries!.scopes[scope].controller);
    }
    return found;
  }

  #change(atom: number, change: () => void): void {
    const oldState = this.ledger.states[atom];
    change();
    if (this.observed) this.#tell(atom, oldState);
  }

  /** Regions that were to go on, and will not: what they have done is to be reverted, and so they count as failed. */
  #giveUpSuspended({ start, end }: Range): void {
    const { children, left, states, failures } = this.ledger;
    const [first] = failures.values();
    for (const atom of [...children.keys(), ...left.keys()]) {
      const suspended = left.has(atom) || children.get(atom)?.suspended;
      if (!suspended || states[atom] !== PENDING || atom < start || atom >= end) continue;
      const name = nameOf(this.plan, atom);
      // Because of its cause it is not told beside it.
      const details = { task: name, ...(first && { cause: first.error }) };
      this.#giveUp(atom, new AbortError(`Task '${name}' was suspended, and its flow does not go on`, details));
    }
  }

  /** What ran when an earlier process ended, and has not begun again: it may have done its work, and so it is reverted as what has failed. */
  #giveUpInterrupted(turns: Turns, { start, end }: Range): void {
    for (const atom of turns.interrupted()) {
      if (this.ledger.states[atom] !== PENDING || atom < start || atom >= end) continue;
      this.#giveUp(atom, interruption(nameOf(this.plan, atom)));
    }
  }

  /** An atom that was to go on does not. */
  #giveUp(atom: number, error: Error): void {
    this.ledger.move(atom, RUNNING);
    if (this.observed) this.#tell(atom, PENDING);
    const failure = this.ledger.fail(atom, error);
    if (this.observed) this.#tell(atom, RUNNING, failure);
  }

  #tell(atom: number, oldState: number, ...result: [unknown?]): void {
    this.#events.task(taskEvent(nameOf(this.plan, atom), this.ledger.states[atom], oldState, ...result));
  }
}

/** Whether no atom of a plan may be ignored, tried again, checked or recorded, and none is a flow of its own. */
function isSimple(plan: Plan, { journal, turns }: Ledger): boolean {
  const { decisions, lacking, retries, picks, regions } = plan;
  const once = turns === undefined || turns.common !== undefined;
  return once && !journal && !decisions && !lacking && !retries && !regions && picks.length === 0;
}

/** One at a time, nobody asks. */
const NO_KINDS: Kinds = { of: new Int32Array(0), samples: [] };

/** One at a time, nothing needs to be told apart by where it runs. */
function nowhere(): boolean {
  return false;
}

const UNFOUND: ReadonlySet<unknown> = new Set(['ERR_MILLRACE_MODULE_LOAD', 'ERR_MILLRACE_TASK_NOT_FOUND']);

function codeOf(failure: Failure | undefined): unknown {
  return isMillraceError(failure?.error) ? failure.error.code : undefined;
}
