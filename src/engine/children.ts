/**
 * Runs the flows of regions. Each has a ledger, a scheduler, a run and a dispatcher of its own, of the same kinds as the flow
 * around it; to that, its region is an atom which ends when the run does.
 */
import { isTask, isThenable, type Region, type TaskAtom } from '../atoms/index.js';
import { AbortError, FlowError, type FlowErrorCode, isMillraceError, RunError, received } from '../errors.js';
import { isFlow } from '../flows/index.js';
import { compile, nameOf, type Plan, rangePlan, sourcesOf } from '../plan/index.js';
import type { Binding } from './bind.js';
import type { Dispatcher } from './dispatcher.js';
import { Ledger } from './ledger.js';
import type { Child } from './nesting.js';
import { outcome } from './outcome.js';
import { restoreChild } from './record.js';
import { Run, sleeper } from './run.js';
import { type FailureOptions, Scheduler, type SchedulerEvents } from './scheduler.js';
import type { FlowState } from './states.js';
import { outputSources } from './uses.js';

/** How deep regions may be in regions: one that builds itself again and again would never end. */
const DEEPEST = 100;
/** How many elements a list may have. */
const LONGEST = 2 ** 24;

/** How a region has ended that did not fail. */
export class Ended {
  /** It is to go on in the next run, and counts as not begun. */
  readonly suspended: boolean;
  readonly value: unknown;

  constructor(suspended: boolean, value: unknown) {
    this.suspended = suspended;
    this.value = value;
  }
}

/** The flows of regions in one run of an engine. */
export class Children {
  readonly #active = new Set<Run>();
  readonly #events: SchedulerEvents;
  readonly #failures: FailureOptions;
  readonly #connect: (scheduler: Scheduler, settled: () => void) => Dispatcher;

  /** `connect` makes what runs the atoms of one flow. */
  constructor(
    events: SchedulerEvents,
    failures: FailureOptions,
    connect: (scheduler: Scheduler, settled: () => void) => Dispatcher,
  ) {
    this.#events = events;
    this.#failures = failures;
    this.#connect = connect;
  }

  /**
   * Runs or reverts the flow of a region. What can run at once runs within this call; the rest is promised.
   *
   * @param outer the scheduler of the flow that holds the region
   * @param signal stops it; what it has done is reverted with the region, not before
   * @throws what the flow fails with; so does the promise
   */
  start(outer: Scheduler, atom: number, signal: AbortSignal): Ended | Promise<Ended> {
    const reverting = outer.ledger.isReverting(atom);
    const stops = this.#failures.failurePolicy !== 'finish';
    let child: Child | undefined;
    try {
      child = reverting ? made(outer.ledger, atom, stops) : opened(outer.ledger, atom, stops);
    } catch (error) {
      if (!isRefused(error)) throw error;
      // What the region has done is not undone for that: the run stops where it is.
      outer.ledger.journal!.onError(error);
      return new Ended(true, undefined);
    }
    if (child === undefined) return new Ended(false, undefined); // it had failed before there was a flow
    child.suspended = false;
    const { ledger } = child;
    const { size, name } = ledger.plan;
    if (!reverting) outer.progress(nameOf(outer.plan, atom), 0, { tasks: size });
    if (size === 0) return new Ended(false, reverting ? undefined : child.value());
    const scheduler = new Scheduler({
      ...{ plan: ledger.plan, ledger, events: this.#events, failures: this.#failures },
      ...{ concurrent: outer.concurrent, observed: outer.observed, nested: true, reverting },
      sleep: sleeper(() => run.onSettled()),
    });
    const run: Run = new Run(scheduler, (settled) => this.#connect(scheduler, settled));
    this.#active.add(run);
    let ending: FlowState | undefined;
    run.onEnded((state) => {
      ending = state;
      this.#active.delete(run);
    });
    if (outer.suspended) scheduler.suspend();
    const stop = () => run.stop(new AbortError(`Flow '${name}' was aborted`), signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    run.drive();
    if (ending !== undefined) return endOf(child, ending, run.stopped);
    return new Promise((resolve, reject) => {
      run.onEnded((state) => {
        try {
          resolve(endOf(child, state, run.stopped));
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Lets what runs end, and starts nothing else. */
  suspend(): void {
    for (const run of [...this.#active]) {
      run.scheduler.suspend();
      run.halt();
    }
  }

  /** As `suspend()`, and nothing changes that. */
  freeze(): void {
    for (const run of [...this.#active]) {
      run.scheduler.freeze();
      run.halt();
    }
  }

  /** Someone listens from now on. */
  observe(): void {
    for (const { scheduler } of this.#active) scheduler.observed = true;
  }
}

/** Whether what was recorded of a region is not to go on with the code that there is now. */
function isRefused(error: unknown): error is RunError {
  return isMillraceError(error) && error.code === 'ERR_MILLRACE_VERSION_CHANGED';
}

/** What has become of a region. */
function endOf(child: Child, ending: FlowState, stopped: Error | undefined): Ended {
  const { ledger } = child;
  if (ending === 'SUCCESS') return new Ended(false, child.value());
  if (ending === 'REVERTED') return new Ended(false, undefined);
  child.suspended = ending === 'SUSPENDED';
  if (child.suspended) return new Ended(true, undefined);
  throw outcome(ledger.plan.name, ledger, stopped) ?? new AbortError(`Flow '${ledger.plan.name}' was aborted`);
}

/** The flow of a region: the one that was suspended, or a new one. */
function opened(ledger: Ledger, atom: number, stops: boolean): Child {
  const known = ledger.children.get(atom);
  if (known?.suspended) return known;
  if (known) ledger.forget(atom);
  return made(ledger, atom, stops) ?? build(ledger, atom);
}

/** The flow that a region has made, if it has; that of an earlier process is made again, and is where it was. */
function made(ledger: Ledger, atom: number, stops: boolean): Child | undefined {
  const left = ledger.left.get(atom);
  return left ? build(ledger, atom, (own) => restoreChild(own, left, stops)) : ledger.children.get(atom);
}

function build(ledger: Ledger, atom: number, restored = (_: Ledger) => {}): Child {
  const name = nameOf(ledger.plan, atom);
  if (ledger.depth === DEEPEST) {
    const message = `Task '${name}' is within ${DEEPEST} flows that were built one within the other, and cannot build one more`;
    throw new RunError('ERR_MILLRACE_TOO_DEEP', message, { task: name });
  }
  const task = ledger.plan.atoms[atom];
  const { binding, resultOf, kept } = built(task.region!, task, name, argumentsOf(ledger, atom, task));
  const own = new Ledger(binding, { ledger, atom });
  if (ledger.releases && kept) own.release(kept);
  restored(own);
  const child: Child = { ledger: own, value: () => resultOf(own), suspended: false };
  ledger.adopt(atom, child, name);
  return child;
}

/** The arguments of a region, without the optional ones that have no value. */
function argumentsOf(ledger: Ledger, atom: number, { mapping }: TaskAtom): Record<string, unknown> {
  const args = ledger.argumentsOf(atom);
  const { params, optionalFrom } = mapping;
  for (let i = optionalFrom; i < params.length; i++) if (args[params[i]] === undefined) delete args[params[i]];
  return args;
}

/** A flow with its values, and what it comes to. */
interface Built {
  readonly binding: Binding;
  /** The sources that this is made of; `undefined`: all there are. */
  readonly kept: Iterable<number> | undefined;
  readonly resultOf: (ledger: Ledger) => unknown;
}

function built(region: Region, task: TaskAtom, name: string, args: Record<string, unknown>): Built {
  if (region.kind === 'dynamic') return builtFlow(region.build(args, { name }), task, name, args);
  const { task: element, as, over } = region;
  const into = region.kind === 'reduce' ? region.into : undefined;
  const shared = [...new Set(sourcesOf(element.mapping))].filter(
    (source): source is string => source !== undefined && source !== as && source !== into,
  );
  const inputs = withElements(
    shared.map((source) => args[source]),
    args[over],
    name,
    over,
  );
  const initial = region.kind === 'reduce' ? startOf(region.initial, inputs, shared.length, name, over) : [];
  const size = inputs.length - shared.length;
  const first = region.kind === 'reduce' && region.initial === undefined ? 1 : 0;
  const plan = rangePlan({ task: element, range: { name, first }, size, shared, as, into });
  inputs.push(...initial);
  const present = shared.filter((source) => Object.hasOwn(args, source));
  const given = Object.fromEntries(present.map((source) => [source, args[source]]));
  const binding = { plan, args: plan.args, inputs, given, special: false };
  if (region.kind === 'each') return { binding, kept: undefined, resultOf: collected };
  const kept = size === 0 ? [] : [size - 1];
  return { binding, kept, resultOf: ({ results }) => (size === 0 ? initial[0] : results[size - 1]) };
}

/** What the first task of a reduction is given, in a list. Without an initial value it is the first element, which is taken out. */
function startOf(
  initial: readonly [unknown] | undefined,
  inputs: unknown[],
  at: number,
  name: string,
  over: string,
): readonly unknown[] {
  if (initial) return initial;
  if (inputs.length > at) return inputs.splice(at, 1);
  const message = `Task '${name}' must have an initial value, or a list with an element at least: '${over}' is empty`;
  throw new RunError('ERR_MILLRACE_BAD_LIST', message, { task: name });
}

/** What the elements came to, in order; `undefined` where there is nothing. */
function collected({ results, failures }: Ledger): unknown[] {
  return failures.size === 0 ? results.slice() : Array.from(results);
}

/** The elements of a list, behind other values. */
function withElements(inputs: unknown[], list: unknown, name: string, over: string): unknown[] {
  const wrong = (what: string) =>
    new RunError('ERR_MILLRACE_BAD_LIST', `Task '${name}' goes over '${over}', which ${what}`, { task: name });
  const iterable = list !== null && list !== undefined && typeof (list as Iterable<unknown>)[Symbol.iterator];
  if (iterable !== 'function')
    throw wrong(`must be a list, or anything else that can be iterated; received ${received(list)}`);
  // An array is copied as a whole, which costs a tenth.
  if (Array.isArray(list) && list.length <= LONGEST) return inputs.concat([...list]);
  let left = LONGEST;
  for (const element of list as Iterable<unknown>) {
    if (left-- === 0) throw wrong(`has more than ${LONGEST} elements`);
    inputs.push(element);
  }
  return inputs;
}

function builtFlow(flow: unknown, { provision }: TaskAtom, name: string, args: Record<string, unknown>): Built {
  if (!isFlow(flow) && !isTask(flow)) {
    if (isThenable(flow)) Promise.resolve(flow).catch(() => {}); // what it rejects with is not worth a crash
    throw new FlowError(
      'ERR_MILLRACE_NOT_A_FLOW',
      `Task '${name}': build() must return a flow or a task; received ${isThenable(flow) ? 'a promise' : received(flow)}`,
      { task: name },
    );
  }
  const plan = compiled(flow, name);
  const missing = plan.inputs.find((input) => input.required && !Object.hasOwn(args, input.name));
  if (missing) {
    throw new FlowError(
      'ERR_MILLRACE_MISSING_INPUT',
      `Task '${name}' has built flow '${plan.name}', which requires '${missing.name}' (for task '${nameOf(plan, missing.atom)}'); ` +
        `it was given ${Object.keys(args).join(', ') || 'nothing'}`,
      { task: name },
    );
  }
  const promised = provision.keys?.find((key) => typeof key === 'string' && !plan.outputNames.includes(key));
  if (promised !== undefined) {
    const message = `Task '${name}' provides '${promised}', which flow '${plan.name}' that it has built does not give`;
    throw new RunError('ERR_MILLRACE_BAD_RESULT', message, { task: name });
  }
  // What the flow is given stands around it: what its own tasks provide is nearer.
  const inputs = plan.inputs.map((input) => args[input.name]);
  const present = plan.inputs.filter((input) => Object.hasOwn(args, input.name));
  const given = Object.fromEntries(present.map((input) => [input.name, args[input.name]]));
  return {
    binding: { plan, args: plan.args, inputs, given, special: false },
    kept: outputSources(plan, undefined),
    resultOf: (ledger) => ledger.provided(),
  };
}

function compiled(flow: unknown, name: string): Plan {
  try {
    return compile(flow);
  } catch (error) {
    if (!isMillraceError(error)) throw error;
    const message = `Task '${name}' has built a flow that is wrong: ${error.message}`;
    throw new FlowError(error.code as FlowErrorCode, message, { task: name, cause: error });
  }
}
