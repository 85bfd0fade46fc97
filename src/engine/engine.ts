import { EventEmitter } from 'node:events';
import { type InspectOptions, inspect, isDeepStrictEqual } from 'node:util';
import { AbortError, ArgumentError, isMillraceError, RunError } from '../errors.js';
import { type FlowItem, isFactory } from '../flows/index.js';
import { compile, type Plan } from '../plan/index.js';
import { decodeStored } from '../stored/index.js';
import { bind, checkInputs } from './bind.js';
import { builtFrom, Factories } from './built.js';
import { Children } from './children.js';
import type { Dispatcher, DispatcherFactory, RunHost } from './dispatcher.js';
import { emitSafely } from './emit.js';
import type { EngineEvents, FlowEvent } from './events.js';
import { describeEngine } from './inspect.js';
import type { Journal } from './journal.js';
import { Ledger } from './ledger.js';
import { atomsWithChildren, withChildren } from './nesting.js';
import { onAbort } from './on-abort.js';
import { abortedRun, closedEngine, closedRun, outcome } from './outcome.js';
import { restore } from './record.js';
import { Recorder, type RecorderOptions } from './recorder.js';
import type { RecordedFlow } from './recording.js';
import { Run, sleeper } from './run.js';
import { type FailureOptions, Scheduler, type SchedulerEvents } from './scheduler.js';
import { checkFlowTransition, type EngineState, type FlowState, PENDING, TASK_STATES } from './states.js';
import { type EngineStatistics, RunClock } from './statistics.js';
import { FlowStorage, type Storage } from './storage.js';
import { outputSources } from './uses.js';

/** What an engine needs to know beside its flow; `load()` prepares it. */
export interface EngineSetup {
  readonly inputs: unknown;
  readonly signal: AbortSignal | undefined;
  readonly services: RunHost['services'];
  readonly failures: FailureOptions;
  /** The names of what is asked of the flow; `undefined`: all that it gives. */
  readonly outputs: readonly string[] | undefined;
  /** Whether a value that is not asked for goes as soon as no task needs it. What is recorded stays. */
  readonly releases: boolean;
  /** Where the flow is recorded. */
  readonly record: RecorderOptions | undefined;
  /** Looks up the configuration and says where atoms run; called at the start of each run. */
  readonly connect: () => Connection | Promise<Connection>;
}

export interface Connection {
  /** Whether several atoms may run at once. */
  readonly concurrent: boolean;
  readonly abortGrace: number;
  readonly taskTimeout: number;
  readonly dispatcher: DispatcherFactory;
}

/** That someone asked for a run: when, when the flow was prepared for it, and where, as the stack of an error. */
interface Request {
  readonly asked: number;
  prepared: number;
  readonly stack?: string;
}

/**
 * Runs one flow, as often as you like, one run at a time. Made by `load()`.
 *
 * The engine emits `'flow'` and `'task'` at each change of state, and `'progress'` and `'log'` for what tasks say.
 */
export class Engine<Gives = Record<string, unknown>> extends EventEmitter<EngineEvents> implements AsyncDisposable {
  /** The flow, or what builds it. */
  #source: unknown;
  #flow: unknown;
  readonly #setup: EngineSetup;
  readonly #outputs: ReadonlySet<string> | undefined;
  /** The inputs that the flow is built from. */
  #builtOf: unknown;
  /** Takes and leaves the flow where it is recorded. */
  readonly #recorder: Recorder | undefined;
  #plan: Plan | undefined;
  #ledger: Ledger | undefined;
  #storage: FlowStorage | undefined;
  readonly #clock = new RunClock();
  #state: FlowState = 'PENDING';
  /** The state that listeners know of. */
  #told: FlowState = 'PENDING';
  #run: Run | undefined;
  /** The flows of regions in that run. */
  #children: Children | undefined;
  /** The flow was put back to its start here, and is to be where it is recorded. */
  #resets = false;
  /** A run is about to begin, and waits for its configuration or its threads. */
  #opening = false;
  #closed = false;

  /** @internal */
  constructor(source: unknown, setup: EngineSetup) {
    super();
    this.#source = source;
    this.#setup = setup;
    if (setup.outputs) this.#outputs = new Set(setup.outputs);
    this.#builtOf = setup.inputs;
    if (setup.record) this.#recorder = new Recorder(setup.record);
    // Events are made only while someone listens.
    (this as EventEmitter).on('newListener', () => {
      if (!this.#run) return;
      this.#run.scheduler.observed = true;
      this.#children!.observe();
    });
  }

  /** The flow that it runs, as it was given to `load()`, or as the factory builds it. */
  get flow(): FlowItem {
    this.#flow ??= builtFrom(this.#source, this.#builtOf);
    return this.#flow as FlowItem;
  }

  /** The name of the flow. */
  get name(): string {
    return this.compile().#plan!.name;
  }

  /** The id by which the flow is recorded; `undefined`: it is not. */
  get id(): string | undefined {
    return this.#recorder?.id;
  }

  /** The state of the flow. */
  get state(): FlowState {
    return this.#state;
  }

  /** What the flow has failed with, when it was reverted, or could not be; not why it was told to stop. */
  get failure(): Error | undefined {
    if (this.#state !== 'REVERTED' && this.#state !== 'FAILURE') return undefined;
    return outcome(this.name, this.#ledger!, undefined);
  }

  /** What is known of the flow's values and tasks. */
  get storage(): Storage {
    const ledger = this.prepare().#ledger!;
    this.#storage ??= new FlowStorage(ledger, (what) => this.#checkFree(what));
    return this.#storage;
  }

  /** What the engine has done so far: a snapshot. Resets count among its runs, and take nothing away. */
  get statistics(): EngineStatistics {
    return this.#clock.read(withChildren(this.prepare().#ledger!));
  }

  /**
   * Compiles the flow, if that has not been done; `run()` does it by itself.
   *
   * @throws {@link FlowError} when the flow is wrong
   */
  compile(): this {
    this.#plan ??= compile(this.flow);
    return this;
  }

  /** Compiles the flow and makes room for its results. */
  prepare(): this {
    if (this.#ledger) return this;
    this.compile();
    checkOutputs(this.#plan!, this.#outputs);
    this.#ledger = new Ledger(bind(this.#plan!, this.#setup.inputs));
    return this;
  }

  /**
   * Compiles and prepares, and checks that all inputs are there.
   *
   * @throws {@link FlowError} when the flow is wrong or an input is missing
   */
  validate(): this {
    const ledger = this.prepare().#ledger!;
    checkInputs(this.#storage?.binding ?? ledger.binding);
    return this;
  }

  /**
   * Takes the flow where it is recorded, so that {@link state} and {@link storage} tell what is known of it; a flow that is not there yet is
   * recorded. `run()` does it by itself. Without `record` this does no more than `validate()`.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_OWNED` when another process, or another engine of this one, has the flow
   */
  async open(): Promise<this> {
    this.#checkFree('open');
    if (!this.#recorder) return this.validate();
    if (!this.#recorder.journal) await this.#take(this.#recorder);
    return this;
  }

  /**
   * Runs the flow to its end. A flow that has succeeded does nothing more; one that was reverted runs again from the start;
   * one that was suspended, or whose revert failed, goes on where it was.
   *
   * A serial flow of synchronous tasks runs within this call, as far as it gets in 8 ms.
   *
   * @returns what the tasks provide, by name; a suspended run resolves with what there is so far
   * @throws what a task threw, when one failed; {@link WrappedFailure}, when several did; {@link AbortError};
   *   {@link FlowError} and {@link ConfigError} before anything runs; {@link RunError} when the engine runs or is closed
   */
  run(): Promise<Gives> {
    return new Promise((resolve, reject) => {
      const drive = (run: Run) => {
        run.onEnded((ending) => {
          const error = this.#outcomeOf(run);
          const end = () => {
            if (error) reject(error);
            else resolve(this.#ledger!.provided(this.#outputs) as Gives);
          };
          const left = this.#leaveEnded(ending, run);
          if (left) left.then(end, reject);
          else end();
        });
        run.drive();
      };
      const opened = this.#open(this.run);
      if (opened instanceof Promise) opened.then(drive).catch(reject);
      else drive(opened);
    });
  }

  /**
   * Runs the flow step by step: yields what the engine is about to do, and at last the state in which the flow ended; then
   * throws as `run()` would. `next(true)` and `return()` suspend the run, `throw()` ends it as a failure.
   */
  async *runIter(): AsyncGenerator<EngineState, void, boolean | undefined> {
    const run = await this.#open(this.runIter);
    const { scheduler } = run;
    let wake = () => {};
    let settled = false;
    run.onSettled = () => {
      settled = true;
      wake();
    };
    run.onEnded(() => wake());
    const suspend = (asked: boolean | undefined) => {
      if (asked) this.suspend();
    };
    try {
      suspend(yield 'RESUMING');
      while (run.ending === undefined) {
        suspend(yield 'SCHEDULING');
        settled = false;
        const { ended } = scheduler;
        await run.stepThrough();
        suspend(yield 'WAITING');
        // When nothing runs, either all that was started has ended at once, or there is no free thread yet.
        const waiting = scheduler.running > 0 || run.over || (scheduler.ended === ended && !scheduler.idle);
        if (waiting && run.ending === undefined && !settled) await new Promise<void>((resolve) => (wake = resolve));
        await run.settle();
        suspend(yield 'ANALYZING');
        run.conclude();
        if (run.over) await run.toEnd();
      }
      yield run.ending;
    } catch (error) {
      await this.#leave(run, 'FAILURE');
      throw error;
    } finally {
      await this.#leave(run, undefined);
    }
    const error = this.#outcomeOf(run);
    await this.#leaveEnded(run.ending!, run);
    if (error) throw error;
  }

  /** Lets the running tasks end, and starts no other; `run()` goes on from there. Does nothing when the flow does not run. */
  suspend(): void {
    if (!this.#run || this.#state !== 'RUNNING') return;
    const run = this.#run;
    this.#transition('SUSPENDING');
    run.scheduler.suspend();
    run.halt();
    this.#children!.suspend();
  }

  /**
   * Puts the flow and all its tasks back to the start.
   *
   * @throws {@link RunError} `ERR_MILLRACE_INVALID_STATE` while the flow runs
   */
  reset(): this {
    this.#checkFree('reset');
    this.prepare();
    this.#toStart();
    if (this.#recorder && !this.#recorder.journal) this.#resets = true;
    this.#recorder?.journal?.commit();
    return this;
  }

  /**
   * Closes the engine. A run under way is stopped as by an abort: it reverts what was done and rejects with
   * `ERR_MILLRACE_CLOSED`; the promise resolves when it has.
   */
  async close(): Promise<void> {
    this.#closed = true;
    const run = this.#run;
    if (run) {
      const closed = closedRun(this.name, this.#ledger!.runningTasks());
      const ended = new Promise<unknown>((resolve) => run.onEnded(resolve));
      run.stop(closed, closed);
      queueMicrotask(() => run.drive());
      await ended;
    }
    const recorder = this.#recorder;
    try {
      await recorder?.journal?.flush();
    } finally {
      await recorder?.leave(false);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [inspect.custom](depth: unknown, options: InspectOptions): string {
    return describeEngine(this.#flow ?? this.#source, this.#state, this.#ledger, depth, options);
  }

  get #observed(): boolean {
    return this.listenerCount('task') > 0 || this.listenerCount('progress') > 0;
  }

  #open(asked: Function): Run | Promise<Run> {
    const request: Request = { asked: performance.now(), prepared: 0 };
    Error.captureStackTrace(request, asked);
    this.#checkFree('run');
    this.#checkSignal();
    const recorder = this.#recorder;
    if (recorder && !recorder.journal) return this.#take(recorder).then(() => this.#connect(request));
    return this.#connect(request);
  }

  #connect(request: Request): Run | Promise<Run> {
    this.#checkFree('run');
    this.validate();
    request.prepared = performance.now();
    const connection = this.#setup.connect();
    if (!(connection instanceof Promise)) return this.#begin(connection, request);
    this.#opening = true;
    return connection
      .finally(() => {
        this.#opening = false;
      })
      .then((ready) => {
        this.#checkFree('run');
        this.#checkSignal();
        return this.#begin(ready, request);
      });
  }

  /** Takes the flow where it is recorded, and what is known of it there; or records it. */
  async #take(recorder: Recorder): Promise<void> {
    this.#opening = true;
    try {
      const found = await recorder.take(this.#resets);
      try {
        if (found === 'nothing') await this.#create(recorder);
        else if (found !== 'the same') this.#restore(recorder.journal!, found);
        this.#ledger!.attach(recorder.journal);
        if (this.#resets && found !== 'nothing') {
          // Whoever listens knows.
          this.#ledger!.reset();
          recorder.journal!.flow({ state: 'PENDING' });
          this.#state = 'PENDING';
        }
        this.#resets = false;
        if (this.#closed) throw closedEngine(this.name, 'open');
        if (found !== 'the same') this.#storage?.record(recorder.journal!);
      } catch (error) {
        this.#ledger?.attach(undefined);
        await recorder.leave(false);
        throw error;
      }
    } finally {
      this.#opening = false;
    }
  }

  async #create(recorder: Recorder): Promise<void> {
    this.validate();
    await recorder.create({
      name: this.name,
      factory: isFactory(this.#source) ? this.#source.name : undefined,
      inputs: recorder.encode(this.#setup.inputs, 'The inputs'),
    });
  }

  #restore(journal: Journal, recorded: RecordedFlow): void {
    const { failures } = this.#setup;
    const inputs = decodeStored(recorded.inputs) as Record<string, unknown>;
    const given = { ...(this.#setup.inputs as object), ...inputs };
    this.#build(recorded, given);
    this.prepare();
    const ledger = this.#ledger!;
    ledger.reset();
    this.#storage ??= new FlowStorage(ledger, (what) => this.#checkFree(what));
    this.#storage.restore(given, recorded);
    ledger.attach(journal);
    restore(ledger, recorded, failures.failurePolicy !== 'finish');
    // Whoever ran it has ended, and has not said how.
    const { state } = recorded;
    this.#state = state === 'RUNNING' || state === 'SUSPENDING' ? 'SUSPENDED' : state;
  }

  /** The factory of a recorded flow builds it from what was recorded. */
  #build(recorded: RecordedFlow, given: object): void {
    if (this.#source instanceof Factories) this.#source = this.#source.of(recorded);
    if (!isFactory(this.#source) || isDeepStrictEqual(this.#builtOf, given)) return;
    this.#builtOf = given;
    this.#flow = builtFrom(this.#source, given);
    this.#plan = undefined;
    this.#ledger = undefined;
    this.#storage = undefined;
  }

  /** What happens in a run is recorded. When that is not possible, the run stops where it is. */
  #record(run: Run, journal: Journal): void {
    journal.flow({ state: 'RUNNING' });
    journal.onError = (error) => {
      if (this.#state === 'RUNNING') this.#transition('SUSPENDING');
      run.break(error, isLost(error) ? error : undefined);
      this.#children?.freeze();
    };
  }

  /** A flow that has come to its end is left to whoever wants to have it. What is only suspended stays ours. */
  #leaveEnded(ending: FlowState, { broken }: Run): Promise<void> | undefined {
    const recorder = this.#recorder;
    const lost = broken !== undefined && isLost(broken);
    if (!recorder?.journal || (ending === 'SUSPENDED' && !lost)) return undefined;
    this.#opening = true;
    this.#ledger!.attach(undefined);
    return recorder.leave(!lost).finally(() => {
      this.#opening = false;
    });
  }

  #begin(connection: Connection, request: Request): Run {
    if (this.#state === 'REVERTED') {
      this.#opening = true; // no listener may begin another run meanwhile
      this.#toStart();
      this.#opening = false;
    }
    const { signal, services, failures, releases } = this.#setup;
    if (releases && !this.#recorder) this.#ledger!.release(outputSources(this.#plan!, this.#outputs));
    const { concurrent, abortGrace, taskTimeout } = connection;
    const { journal } = this.#ledger!;
    const events: SchedulerEvents = {
      task: (event) => this.#tell('task', event),
      progress: (event) => this.#tell('progress', event),
      log: (event) => this.#tell('log', event),
    };
    const connect = (scheduler: Scheduler, settled: () => void, nested: boolean): Dispatcher =>
      connection.dispatcher({
        ...{ scheduler, nested, services, abortGrace, settled },
        get callerStack() {
          return request.stack ?? '';
        },
        // The tasks of a region each have the common timeout, and not all together.
        timeoutOf: (task) => task.timeout ?? (task.region === undefined ? taskTimeout : Infinity),
        runChild: (atom, signal) => children.start(scheduler, atom, signal),
      });
    const children = new Children(events, failures, (scheduler, settled) => connect(scheduler, settled, true));
    const scheduler = new Scheduler({
      ...{ plan: this.#plan!, ledger: this.#ledger!, events, failures, concurrent, observed: this.#observed },
      sleep: sleeper(() => run.onSettled()),
    });
    const run: Run = new Run(scheduler, (settled) => connect(scheduler, settled, false), journal);
    run.onEnded((ending) => {
      this.#clock.end();
      // A listener that begins another run, or resets, would take away what this one came to.
      this.#transition(ending);
      this.#run = undefined;
      this.#children = undefined;
    });
    if (signal) {
      const error = () => abortedRun(this.name, signal, this.#ledger!.runningTasks());
      run.onEnded(onAbort(signal, () => run.stop(error(), signal.reason)));
    }
    this.#run = run;
    this.#children = children;
    this.#clock.begin(request.asked, request.prepared);
    if (journal) this.#record(run, journal);
    this.#transition('RUNNING');
    return run;
  }

  /** Leaves a stepped run that has not ended: the running tasks end, and nothing else happens. */
  async #leave(run: Run, ending: FlowState | undefined): Promise<void> {
    if (run.ending !== undefined) return;
    if (run.stopped !== undefined) {
      // What an abort has stopped is reverted, whether or not anyone looks on.
      run.drive();
      await run.toEnd();
      return;
    }
    this.suspend();
    run.step(); // takes back what has not started
    await run.drain();
    if (!run.over) run.end(ending ?? run.scheduler.conclude() ?? 'SUSPENDED');
    await run.toEnd();
  }

  #toStart(): void {
    const before = this.#observed ? [...atomsWithChildren(this.#ledger!)] : [];
    this.#ledger!.reset();
    for (const [name, oldState] of before) {
      if (oldState !== PENDING) this.#tell('task', { name, state: 'PENDING', oldState: TASK_STATES[oldState] });
    }
    this.#ledger!.journal?.flow({ state: 'PENDING' });
    if (this.#state !== 'PENDING') this.#transition('PENDING');
  }

  #outcomeOf(run: Run): Error | undefined {
    if (run.broken) return run.broken;
    if (run.ending === 'SUCCESS' || run.ending === 'SUSPENDED') return undefined;
    return (
      outcome(this.name, this.#ledger!, run.stopped) ??
      new AbortError(`Flow '${this.name}' was aborted in an earlier run`)
    );
  }

  #checkFree(what: string): void {
    if (this.#closed) throw closedEngine(this.name, what);
    if (this.#run || this.#opening) {
      const hint = what === 'run' ? '. To run it several times at once, load() it as often' : '';
      throw new RunError(
        'ERR_MILLRACE_INVALID_STATE',
        `Flow '${this.name}' cannot ${what} while its engine runs${hint}`,
      );
    }
  }

  #checkSignal(): void {
    const { signal } = this.#setup;
    if (signal?.aborted) throw abortedRun(this.name, signal);
  }

  #transition(state: FlowState): void {
    const oldState = this.#state;
    checkFlowTransition(this.name, oldState, state);
    this.#state = state;
    const event: FlowEvent = { name: this.name, state, oldState };
    const tell = () => {
      this.#told = state;
      this.#notify('flow', event);
    };
    const journal = this.#ledger!.journal;
    // That it is about to be suspended is not recorded.
    if (!journal || (state === 'SUSPENDING' && this.#told === oldState)) tell();
    else journal.after(tell);
  }

  /** As `#notify()`, once what has happened is durable. */
  #tell<E extends keyof EngineEvents>(event: E, ...details: EngineEvents[E]): void {
    const { journal } = this.#ledger!;
    if (journal) journal.after(() => this.#notify(event, ...details));
    else this.#notify(event, ...details);
  }

  #notify<E extends keyof EngineEvents>(event: E, ...details: EngineEvents[E]): void {
    emitSafely(this, `flow '${this.name}'`, event, ...details);
  }
}

function checkOutputs({ name, outputNames }: Plan, outputs: ReadonlySet<string> | undefined): void {
  if (outputs === undefined || outputs.size === 0) return;
  const given = new Set(outputNames);
  for (const output of outputs) {
    if (given.has(output)) continue;
    const shown = outputNames.slice(0, 5).join(', ') + (outputNames.length > 5 ? ', ...' : '');
    throw new ArgumentError(
      `option 'outputs' names '${output}', which no task of flow '${name}' provides (${shown || 'nothing'})`,
    );
  }
}

/** Whether nothing can be recorded any more, as somebody else has the flow. */
function isLost(error: Error): boolean {
  return isMillraceError(error) && error.code === 'ERR_MILLRACE_LEASE_LOST';
}
