import { ConfigError, type ErrorDetails, received } from '../errors.js';
import { availableWorkers } from './available-workers.js';
import { type PoolSize, poolSize } from './kinds.js';
import { type ConfigFile, type Layer, readEnvironment, readFile, readOptions, type Setting } from './layers.js';
import { type Config, type ConfigOptions, entries, type Group, Option, type OptionName, schema } from './schema.js';

/** Where a configuration comes from; what is absent sets nothing. */
export interface Sources {
  /** Options in code. */
  readonly options?: ConfigOptions | undefined;
  /** Environment variables. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The config file. */
  readonly file?: ConfigFile | undefined;
  /** How many workers the process may really use. Default: {@link availableWorkers}. */
  readonly available?: (() => number) | undefined;
}

/**
 * Resolves each option: what is set in code, else in the environment, else in the file, else its default. It reads nothing but
 * its argument (and, for numbers of workers, what the machine offers).
 * @throws {ConfigError} A name is unknown, a value is wrong, or `minWorkers` is more than `maxWorkers`.
 */
export function resolve({ options = {}, env = {}, file, available = availableWorkers }: Sources): Config {
  const layers = [readOptions(options), readEnvironment(env)];
  if (file) layers.push(readFile(file));
  return settle(layers, available);
}

/** What each configuration was resolved from. */
const origins = new WeakMap<Config, readonly Layer[]>();

/** An error about an option whose value turns out to be wrong when it is used. It says where the option was set. */
export function optionError(config: Config, name: OptionName, problem: string, details?: ErrorDetails): ConfigError {
  const { option } = entries.find(({ path }) => path === name)!;
  const named = `option '${name}'`; // when it has its default
  const { source, label } = find(origins.get(config) ?? [], option) ?? { source: named, label: named };
  return new ConfigError(source, `${label}: ${problem}`, details);
}

/** Resolves each option from layers, the strongest first. */
export function settle(layers: readonly Layer[], available: () => number): Config {
  const pick = <T>(option: Option<T, T>): T => (find(layers, option)?.value as T) ?? option.fallback;

  const min = pick(schema.minWorkers);
  const max = pick(schema.maxWorkers);
  if (min > max) {
    const source = find(layers, schema.minWorkers)!.source; // The defaults are the limits: both of them are set.
    const other = find(layers, schema.maxWorkers)!.source;
    throw new ConfigError(
      source,
      `${source}: expected minWorkers to be at most maxWorkers, which is ${max} (${other}); received ${received(min)}`,
    );
  }

  const outcome = (option: Option<any>): unknown => {
    const value = pick(option);
    if (option.kind !== poolSize || value === undefined) return value;
    return Math.min(Math.max(countWorkers(value, available), min), max);
  };
  const build = (group: Group): object => {
    const values: Record<string, unknown> = {};
    for (const [name, child] of Object.entries(group)) {
      const value = child instanceof Option ? outcome(child) : build(child);
      if (value !== undefined) values[name] = value;
    }
    return Object.freeze(values);
  };
  const config = build(schema) as Config;
  origins.set(config, layers);
  return config;
}

function find(layers: readonly Layer[], option: Option<any>): Setting | undefined {
  for (const layer of layers) {
    const setting = layer.get(option);
    if (setting) return setting;
  }
  return undefined;
}

function countWorkers(size: PoolSize, available: () => number): number {
  if (typeof size === 'number') return size;
  const share = size === 'auto' ? 100 : Number.parseFloat(size);
  return Math.max(1, Math.floor((available() * share) / 100));
}
