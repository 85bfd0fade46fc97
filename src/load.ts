/** Puts the parts together: a flow, its options, an engine, and the place where tasks run. */
import type { Dataflow, Simplify } from './atoms/index.js';
import { type Config, type ConfigOptions, configure } from './config/index.js';
import { InlineDispatcher } from './dispatch/inline.js';
import { Pool, sharedPool } from './dispatch/shared.js';
import { type Connection, Engine, type FailureOptions, type RecordOptions } from './engine/index.js';
import { ArgumentError, received } from './errors.js';
import type { InputsOf, RunFunction } from './flows/index.js';

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

/**
 * Makes an engine for a flow. Nothing happens yet: the flow is compiled at the first run, or by `engine.compile()`.
 *
 * @throws {@link ArgumentError} and {@link ConfigError} when an option is wrong
 * @example
 * await using engine = load(thumbnail, { inputs: { path: 'a.png', width: 320 } });
 * engine.on('task', ({ name, state }) => console.log(name, state));
 * const { url } = await engine.run();
 */
export function load<Needs, Gives>(
  flow: Dataflow<Needs, Gives>,
  options: LoadOptions<InputsOf<Needs>> = {},
): Engine<Simplify<Gives>> {
  const { inputs, record, signal, pool, services, failurePolicy, deferReverts, neverResolve, ...settings } =
    checkOptions(options);
  return new Engine<Simplify<Gives>>(flow, {
    inputs: inputs === undefined ? {} : inputs,
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
  const engine = load(flow, { ...options, inputs });
  if (!options.record) return engine.run();
  // Where it is recorded, it is left to whoever wants to go on with it.
  try {
    return await engine.run();
  } finally {
    await engine.close();
  }
}) as RunFunction<RunOptions>;

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

function checkOptions<I>(options: LoadOptions<I>): LoadOptions<I> {
  const wrong = (name: string, expected: string, value: unknown) =>
    new ArgumentError(`option '${name}' must be ${expected}; received ${received(value)}`);
  if (typeof options !== 'object' || options === null) {
    throw new ArgumentError(`The options must be an object; received ${received(options)}`);
  }
  const { signal, pool, services, failurePolicy, deferReverts, neverResolve } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrong('signal', 'an AbortSignal', signal);
  if (pool !== undefined && !(pool instanceof Pool)) throw wrong('pool', 'a pool made by createPool()', pool);
  if (services !== undefined && (typeof services !== 'object' || services === null)) {
    throw wrong('services', 'an object of functions', services);
  }
  if (failurePolicy !== undefined && failurePolicy !== 'stop' && failurePolicy !== 'finish') {
    throw wrong('failurePolicy', "'stop' or 'finish'", failurePolicy);
  }
  for (const [name, value] of Object.entries({ deferReverts, neverResolve })) {
    if (value !== undefined && typeof value !== 'boolean') throw wrong(name, 'true or false', value);
  }
  for (const [name, service] of Object.entries(services ?? {})) {
    if (typeof service !== 'function') throw wrong(`services.${name}`, 'a function', service);
  }
  return options;
}
