/** Puts the parts together: a flow, its options, an engine, and the place where tasks run. */
import type { Dataflow } from './atoms/index.js';
import { type Config, type ConfigOptions, configure } from './config/index.js';
import { InlineDispatcher } from './dispatch/inline.js';
import { Pool, sharedPool } from './dispatch/shared.js';
import {
  type Connection,
  Engine,
  Factories,
  type FailureOptions,
  type RecorderOptions,
  type RecordOptions,
} from './engine/index.js';
import type { FlowStore } from './engine/recording.js';
import { ArgumentError, received } from './errors.js';
import {
  type Factory,
  type FactoryNode,
  type GivenOf,
  type InputsOf,
  isFactory,
  type OutputName,
  type OutputsOption,
  type RunFunction,
} from './flows/index.js';

/** Functions of this thread that tasks may call as `context.services.<name>(...)`, wherever they run. */
export type OfferedServices = Readonly<Record<string, (...args: any[]) => unknown>>;

/** How a flow is to be run. What is not said here comes from the environment, the configuration file or the defaults. */
export interface RunOptions extends ConfigOptions, FailureOptions {
  /** Aborts the run: tasks under way are told to stop, and what was done is reverted. */
  readonly signal?: AbortSignal;
  /** The threads of a parallel run. Default: a pool that all runs of this configuration share. */
  readonly pool?: Pool;
  /** What tasks may call on this thread. */
  readonly services?: OfferedServices;
  /** Where the flow is recorded, so that it can be resumed. Default: it is not. */
  readonly record?: RecordOptions;
}

/** How a flow is to be loaded. */
export interface LoadOptions<Inputs = Record<string, unknown>> extends RunOptions {
  /** What the flow needs, by name. */
  readonly inputs?: Inputs;
}

/** As it is when it was checked. */
interface EngineOptions extends LoadOptions<any>, OutputsOption<string> {
  readonly record?: RecorderOptions;
}

/** How a recorded flow is to be resumed. Its inputs are those that were recorded. */
export interface ResumeOptions extends Omit<RunOptions, 'record'>, Pick<RecordOptions, 'limit'> {
  /** What may have built it. */
  readonly factories: Iterable<Factory>;
}

/**
 * Makes an engine for a flow. Nothing happens yet: the flow is compiled at the first run, or by `engine.compile()`.
 *
 * @throws {@link ArgumentError} and {@link ConfigError} when an option is wrong
 * @example
 * await using engine = load(thumbnail, { inputs: { path: 'a.png', width: 320 } });
 * engine.on('task', ({ name, state }) => console.log(name, state));
 * const { url } = await engine.run();
 */
export function load<Needs, Gives, const Names extends OutputName<Gives> = OutputName<Gives>>(
  flow: Dataflow<Needs, Gives>,
  options: LoadOptions<InputsOf<Needs>> & OutputsOption<Names> = {},
): Engine<GivenOf<Gives, Names>> {
  return engineOf(flow, checkOptions(options));
}

/** `releases`: nobody can ask the engine for values, so that none need be named. */
function engineOf<Gives>(source: unknown, options: EngineOptions, releases = false): Engine<Gives> {
  const { inputs, outputs, record, signal, pool, services, failurePolicy, deferReverts, neverResolve, ...settings } =
    options;
  return new Engine<Gives>(source, {
    inputs: inputs === undefined ? {} : inputs,
    outputs,
    releases: releases || outputs !== undefined,
    signal,
    services: services ?? {},
    failures: { failurePolicy, deferReverts, neverResolve },
    record,
    connect: () => {
      const ready = configure(settings);
      return ready instanceof Promise ? ready.then((late) => connect(late, pool)) : connect(ready, pool);
    },
  });
}

/**
 * Runs a flow, or a lone task, to its end, and gives what its tasks provide.
 *
 * @param inputs what the flow needs, by name
 * @throws what {@link Engine.run} throws
 * @example
 * const { url } = await run(thumbnail, { path: 'a.png', width: 320 });
 * await run(thumbnail, { path: 'a.png', width: 320 }, { engine: 'serial' }); // the same, without threads
 */
export const run = (async (flow: Dataflow<any, any>, inputs: any = {}, options: RunOptions = {}) => {
  const engine = engineOf(flow, checkOptions({ ...options, inputs }), true);
  if (!options.record) return engine.run();
  // Where it is recorded, it is left to whoever wants to go on with it.
  try {
    return await engine.run();
  } finally {
    await engine.close();
  }
}) as RunFunction<RunOptions>;

/**
 * Takes a recorded flow that a factory has built, builds it again from what was recorded, and gives its engine, opened: its state and its
 * storage tell how far it is, and `run()` goes on from there.
 *
 * @param id that of the flow
 * @throws {@link StoreError} `ERR_MILLRACE_FLOW_NOT_FOUND`; `ERR_MILLRACE_UNKNOWN_FACTORY`, when its factory is not among those given, or
 *   it has none; `ERR_MILLRACE_OWNED`
 * @throws {@link RunError} `ERR_MILLRACE_VERSION_CHANGED` when tasks have run that have other code now
 * @throws {@link ArgumentError} when an option is wrong; {@link FlowError} when the factory fails
 * @example
 * await using engine = await resume(store, 'import-42', { factories: [thumbnails] });
 * await engine.run();
 */
export async function resume(store: FlowStore, id: string, options: ResumeOptions): Promise<Engine> {
  const { factories, limit, ...others } = options ?? {};
  if (typeof id !== 'string' || id === '') {
    throw new ArgumentError(`resume(): the id of the flow must be a string, not empty; received ${received(id)}`);
  }
  const known = new Factories(byName(factories));
  const record: RecorderOptions = { store, id, limit, isKnown: true };
  return engineOf<Record<string, unknown>>(known, { ...checkOptions({ ...others, record }), record }).open();
}

/**
 * Makes a pool of worker threads, for runs that are not to share the common one: `run(flow, inputs, { pool })`.
 *
 * @throws {@link ConfigError} when an option is wrong
 */
export async function createPool(options: ConfigOptions = {}): Promise<Pool> {
  return new Pool(await configure(options));
}

function connect(config: Config, given: Pool | undefined): Connection | Promise<Connection> {
  const { abortGrace, taskTimeout } = config;
  const common = { abortGrace, taskTimeout };
  if (config.engine === 'serial') {
    return { ...common, concurrent: false, dispatcher: (host) => new InlineDispatcher(host) };
  }
  return import('./dispatch/parallel.js').then(async ({ ParallelDispatcher }) => {
    const threads = await (given ?? sharedPool(config)).threads();
    return { ...common, concurrent: true, dispatcher: (host) => new ParallelDispatcher(host, threads) };
  });
}

function byName(factories: Iterable<Factory>): Map<string, FactoryNode> {
  if (typeof factories !== 'object' || factories === null || !(Symbol.iterator in factories)) {
    throw new ArgumentError(`resume(): factories must be a list of factories; received ${received(factories)}`);
  }
  const found = new Map<string, FactoryNode>();
  for (const one of factories as Iterable<unknown>) {
    if (!isFactory(one)) {
      throw new ArgumentError(`resume(): factories must hold what factory() has made; received ${received(one)}`);
    }
    if (found.has(one.name)) throw new ArgumentError(`resume(): two factories are named '${one.name}'`);
    found.set(one.name, one);
  }
  return found;
}

function checkRecord(record: unknown): void {
  const wrong = (name: string, expected: string, value: unknown) =>
    new ArgumentError(`option 'record${name}' must be ${expected}; received ${received(value)}`);
  if (typeof record !== 'object' || record === null) throw wrong('', 'an object like { store, id }', record);
  const { store, id, book, limit } = record as { readonly [K in keyof RecordOptions]: unknown };
  const { create, acquire } = (store ?? {}) as Partial<FlowStore>;
  if (typeof create !== 'function' || typeof acquire !== 'function') {
    throw wrong('.store', 'a store, made by openStore()', store);
  }
  for (const [name, value] of Object.entries({ id, book })) {
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw wrong(`.${name}`, 'a string, not empty', value);
    }
  }
  if (limit !== undefined && !(typeof limit === 'number' && limit > 0)) {
    throw wrong('.limit', 'a number of bytes above 0', limit);
  }
}

function checkOptions(options: LoadOptions<any> & OutputsOption<any>): EngineOptions {
  const wrong = (name: string, expected: string, value: unknown) =>
    new ArgumentError(`option '${name}' must be ${expected}; received ${received(value)}`);
  if (typeof options !== 'object' || options === null) {
    throw new ArgumentError(`The options must be an object; received ${received(options)}`);
  }
  const { signal, pool, services, failurePolicy, deferReverts, neverResolve, record, outputs } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrong('signal', 'an AbortSignal', signal);
  if (pool !== undefined && !(pool instanceof Pool)) throw wrong('pool', 'a pool made by createPool()', pool);
  if (services !== undefined && (typeof services !== 'object' || services === null)) {
    throw wrong('services', 'an object of functions', services);
  }
  if (failurePolicy !== undefined && failurePolicy !== 'stop' && failurePolicy !== 'finish') {
    throw wrong('failurePolicy', "'stop' or 'finish'", failurePolicy);
  }
  if (outputs !== undefined && !(Array.isArray(outputs) && outputs.every((name) => typeof name === 'string'))) {
    throw wrong('outputs', 'a list of names', outputs);
  }
  if (record !== undefined) checkRecord(record);
  for (const [name, value] of Object.entries({ deferReverts, neverResolve })) {
    if (value !== undefined && typeof value !== 'boolean') throw wrong(name, 'true or false', value);
  }
  for (const [name, service] of Object.entries(services ?? {})) {
    if (typeof service !== 'function') throw wrong(`services.${name}`, 'a function', service);
  }
  return options;
}
