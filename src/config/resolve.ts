import { ConfigError, received } from '../errors.js';
import { availableWorkers } from './available-workers.js';
import type { PoolSize } from './kinds.js';
import { type ConfigFile, type Layer, readEnvironment, readFile, readOptions, type Setting } from './layers.js';
import { type Config, type ConfigOptions, type Group, Option, schema } from './schema.js';

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
 * its argument (and, for `workers`, what the machine offers).
 * @throws {ConfigError} A name is unknown, a value is wrong, or `minWorkers` is more than `maxWorkers`.
 */
export function resolve({ options = {}, env = {}, file, available = availableWorkers }: Sources): Config {
  const layers = [readOptions(options), readEnvironment(env)];
  if (file) layers.push(readFile(file));
  return settle(layers, available);
}

/** Resolves each option from layers, the strongest first. */
export function settle(layers: readonly Layer[], available: () => number): Config {
  const find = (option: Option<any>): Setting | undefined => {
    for (const layer of layers) {
      const setting = layer.get(option);
      if (setting) return setting;
    }
    return undefined;
  };
  const pick = <T>(option: Option<T, T>): T => (find(option)?.value as T) ?? option.fallback;

  const min = pick(schema.minWorkers);
  const max = pick(schema.maxWorkers);
  if (min > max) {
    const source = find(schema.minWorkers)!.source; // The defaults are 1 and Infinity: both of them are set.
    const other = find(schema.maxWorkers)!.source;
    throw new ConfigError(
      source,
      `${source}: expected minWorkers to be at most maxWorkers, which is ${max} (${other}); received ${received(min)}`,
    );
  }
  const size = countWorkers(pick(schema.workers), available);
  const workers = Math.min(Math.max(size, min), max);

  const build = (group: Group): object => {
    const values: Record<string, unknown> = {};
    for (const [name, child] of Object.entries(group)) {
      const value = child === schema.workers ? workers : child instanceof Option ? pick(child) : build(child);
      if (value !== undefined) values[name] = value;
    }
    return Object.freeze(values);
  };
  return build(schema) as Config;
}

function countWorkers(size: PoolSize, available: () => number): number {
  if (typeof size === 'number') return size;
  const share = size === 'auto' ? 100 : Number.parseFloat(size);
  return Math.max(1, Math.floor((available() * share) / 100));
}
