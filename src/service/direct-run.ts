/**
 * Carries a flow out as a plain program would, without an engine: one function after another, in place. A flow in which
 * something may be tried again, or go on in spite of a failure, takes an engine.
 */
import { EventEmitter } from 'node:events';
import { type Dataflow, isThenable, type Simplify } from '../atoms/index.js';
import { Budget } from '../dispatch/budget.js';
import {
  aborted,
  type ContextHost,
  callAtom,
  commonTurn,
  LocalContext,
  type Patience,
  timedOut,
  Waiting,
} from '../dispatch/local.js';
import {
  abortedRun,
  bind,
  checkInputs,
  closedEngine,
  closedRun,
  type EngineEvents,
  emitSafely,
  type FlowState,
  FlowStorage,
  IGNORE,
  ignoredFrom,
  Ledger,
  logEvent,
  onAbort,
  outcome,
  PENDING,
  progressEvent,
  type RunHost,
  type Storage,
  taskEvent,
} from '../engine/index.js';
import { RunError } from '../errors.js';
import { compile, type Plan } from '../plan/index.js';

/** What a direct run needs to know beside its flow. */
export interface DirectSetup {
  /** What the flow needs, by name. */
  readonly inputs: Record<string, unknown>;
  /** Stops the run: the task under way is told so, and what was done is reverted. */
  readonly signal: AbortSignal | undefined;
  /** What tasks may call as `context.services`. */
  readonly services: RunHost['services'];
  /** How long a task that was told to stop has time to do so, in ms. */
  readonly abortGrace: number;
  /** How long a task may take that has no timeout of its own, in ms; `Infinity`: as long as it wants. */
  readonly taskTimeout: number;
}

/**
 * One run of a flow, without an engine. Results, errors and events are those of the serial engine.
 *
 * Synchronous tasks run one after the other within the call of `run()`, as far as they get in 8 ms; then the event loop turns.
 */
export class DirectRun<Gives = Record<string, unknown>> extends EventEmitter<EngineEvents> {
  readonly #flow: unknown;
  readonly #setup: DirectSetup;
  readonly #budget = new Budget(() => this.#goOn());
  #plan!: Plan;
  #ledger!: Ledger;
  #storage: Storage | undefined;
  #host!: ContextHost;
  #state: FlowState = 'PENDING';
  /** Whether anyone listens to tasks, so that events are worth making. */
  #observed = false;
  /** No task is to begin: one has failed, or the run was stopped. */
  #halted = false;
  /** Why the run was stopped. */
  #stopped: Error | undefined;
  #closed = false;
  /** Of the task that is being called. */
  #calling: LocalContext | undefined;
  /** For what the task under way has promised. */
  #waiting: Waiting | undefined;
  #goOn: () => void = () => {};
  /** Who waits for the end. */
  readonly #closing: (() => void)[] = [];

  constructor(flow: Dataflow<any, Gives>, setup: DirectSetup) {
    super();
    this.#flow = flow;
    this.#setup = setup;
    (this as EventEmitter).on('newListener', (event) => {
      if (event === 'task' || event === 'progress') this.#observed = true;
    });
  }

  /** What is known of the flow's values and tasks, once it runs. */
  get storage(): Storage | undefined {
    this.#storage ??= this.#ledger && new FlowStorage(this.#ledger, (what) => this.#refuse(what));
    return this.#storage;
  }

  /**
   * Runs the flow to its end, once.
   *
   * @returns what the tasks provide, by name
   * @throws what `run()` of an engine throws
   */
  async run(): Promise<Simplify<Gives>> {
    this.#prepare();
    const { order, size, name, decisions } = this.#plan;
    const ledger = this.#ledger;
    const ignore = this.#listen();
    this.#transition('RUNNING');
    for (let place = 0; place < size && !this.#halted; place++) {
      if (this.#budget.spend()) await this.#pause();
      if (this.#halted) break;
      const atom = order === undefined ? place : order[place];
      if (decisions !== undefined && !this.#mayRun(atom)) continue;
      const pending = this.#start(atom);
      if (pending !== undefined) await pending;
    }
    if (this.#halted) {
      ledger.reverting = true;
      this.#halted = false;
      for (const atom of ledger.finishedOrder().reverse()) {
        if (this.#budget.spend()) await this.#pause();
        const pending = this.#start(atom);
        if (pending !== undefined) await pending;
        if (this.#halted) break;
      }
    }
    ignore?.();
    this.#transition(!ledger.reverting ? 'SUCCESS' : this.#halted ? 'FAILURE' : 'REVERTED');
    for (const closed of this.#closing) closed();
    const error = outcome(name, ledger, this.#stopped);
    if (error) throw error;
    return ledger.provided() as Simplify<Gives>;
  }

  /**
   * Stops the run if it is under way, as an abort does: it reverts what was done and rejects with `ERR_MILLRACE_CLOSED`; the
   * promise resolves when it has.
   */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#state !== 'RUNNING') return;
    const ended = new Promise<void>((resolve) => this.#closing.push(resolve));
    const closed = closedRun(this.#plan.name, this.#ledger.runningTasks());
    this.#stop(closed, closed);
    await ended;
  }

  #prepare(): void {
    const plan = compile(this.#flow);
    if (this.#closed) throw closedEngine(plan.name, 'run');
    if (this.#state !== 'PENDING') this.#refuse('run again');
    const { inputs, signal, services } = this.#setup;
    const binding = bind(plan, inputs);
    checkInputs(binding);
    if (signal?.aborted) throw abortedRun(plan.name, signal);
    this.#plan = plan;
    const ledger = new Ledger(binding);
    this.#ledger = ledger;
    this.#host = {
      ...{ ledger, services, turn: commonTurn(ledger) },
      progress: (task, fraction, details) => this.#notify('progress', progressEvent(task, fraction, details)),
      log: (task, message, details) => this.#notify('log', logEvent(task, message, details)),
    };
  }

  #refuse(what: string): never {
    throw new RunError(
      'ERR_MILLRACE_INVALID_STATE',
      `Flow '${this.#plan.name}' cannot ${what}: a direct run is carried out once`,
    );
  }

  /** Heeds the signal. Returns what ends that. */
  #listen(): (() => void) | undefined {
    const { signal } = this.#setup;
    return (
      signal &&
      onAbort(signal, () => this.#stop(abortedRun(this.#plan.name, signal, this.#ledger.runningTasks()), signal.reason))
    );
  }

  /** Asks the deciders about an atom whose turn has come. */
  #mayRun(atom: number): boolean {
    if (this.#ledger.states[atom] === IGNORE) return false;
    try {
      const ignored = ignoredFrom(this.#plan, this.#ledger, atom);
      for (const one of ignored) {
        this.#ledger.ignore(one);
        if (this.#observed) this.#tell(one, PENDING, undefined);
      }
      return ignored.length === 0;
    } catch (error) {
      this.#begin(atom);
      this.#fail(atom, error);
      return false;
    }
  }

  /** Runs or reverts one atom. Returns what to wait for if it goes on. */
  #start(atom: number): Promise<void> | undefined {
    const task = this.#plan.atoms[atom];
    const { abortGrace, taskTimeout } = this.#setup;
    let timeout = task.timeout ?? taskTimeout;
    // What does nothing cannot be late.
    if (timeout !== Infinity && task.definition.revert === undefined && this.#ledger.reverts(atom)) timeout = Infinity;
    const started = timeout === Infinity ? 0 : performance.now();
    const context = new LocalContext(this.#host, atom, undefined);
    let result: unknown;
    this.#calling = context;
    this.#begin(atom);
    try {
      result = callAtom(this.#ledger, atom, task, context);
      if (isThenable(result)) return this.#wait(atom, result, context, { timeout, started, abortGrace });
    } catch (error) {
      this.#calling = undefined;
      this.#fail(atom, context.cancelled ? aborted(task, context.signal.reason) : error);
      return undefined;
    }
    this.#calling = undefined;
    // Nothing can stop a synchronous task, but its lateness is what it would be on a worker.
    if (timeout !== Infinity && performance.now() - started > timeout) this.#fail(atom, timedOut(task, timeout));
    else this.#finish(atom, result);
    return undefined;
  }

  #wait(atom: number, result: PromiseLike<unknown>, context: LocalContext, patience: Patience): Promise<void> {
    let goOn!: () => void;
    const through = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    this.#waiting = new Waiting(context, result, patience, (good, value) => {
      this.#waiting = undefined;
      if (good) this.#finish(atom, value);
      else this.#fail(atom, value);
      goOn();
    });
    this.#calling = undefined;
    return through;
  }

  #begin(atom: number): void {
    const oldState = this.#ledger.states[atom];
    this.#ledger.begin(atom);
    if (this.#observed) this.#tell(atom, oldState, 0);
  }

  #finish(atom: number, result: unknown): void {
    const oldState = this.#ledger.states[atom];
    try {
      this.#ledger.finish(atom, result);
    } catch (error) {
      this.#fail(atom, error);
      return;
    }
    if (this.#observed) this.#tell(atom, oldState, 1, result);
  }

  #fail(atom: number, error: unknown): void {
    const oldState = this.#ledger.states[atom];
    const failure = this.#ledger.fail(atom, error);
    this.#halted = true;
    if (this.#observed) this.#tell(atom, oldState, undefined, failure);
  }

  /** Nothing more is to begin but reverts. A run that reverts goes on with that. */
  #stop(error: Error, reason: unknown): void {
    if (this.#state !== 'RUNNING' || this.#ledger.reverting) return;
    this.#stopped ??= error;
    this.#halted = true;
    if (this.#waiting) this.#waiting.cancel(reason);
    else this.#calling?.cancel(reason);
  }

  /** Lets timers, signals and whatever else waits have their turn. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }

  #tell(atom: number, oldState: number, progress: number | undefined, ...result: [unknown?]): void {
    const { name } = this.#plan.atoms[atom];
    this.#notify('task', taskEvent(name, this.#ledger.states[atom], oldState, ...result));
    if (progress !== undefined) this.#notify('progress', progressEvent(name, progress));
  }

  #transition(state: FlowState): void {
    const oldState = this.#state;
    this.#state = state;
    this.#notify('flow', { name: this.#plan.name, state, oldState });
  }

  #notify<E extends keyof EngineEvents>(event: E, ...details: EngineEvents[E]): void {
    emitSafely(this, `flow '${this.#plan.name}'`, event, ...details);
  }
}
