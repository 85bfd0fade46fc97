import { availableWorkers } from './available-workers.js';
import { findFile, loadFile } from './file.js';
import { type ConfigFile, type Layer, readEnvironment, readFile, readOptions, unknownVariables } from './layers.js';
import { settle } from './resolve.js';
import type { Config, ConfigOptions } from './schema.js';

/** What surrounds a process: its variables, its folder, its machine. */
export interface Surroundings {
  /** Environment variables. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
  /** The folder in which the config file is looked for. Default: the current working directory. */
  readonly cwd?: string;
  /** How many workers the process may really use. Default: {@link availableWorkers}. */
  readonly available?: () => number;
}

/** Resolves a configuration: see {@link configure}. */
export type Configure = (options?: ConfigOptions) => Config | Promise<Config>;

/**
 * Makes a `configure` for the given surroundings. They are read when it is first called, and kept: variables and files that
 * change later are not seen, so that a call costs no more than its own options. After an error they are read again.
 */
export function configureFrom({
  env = process.env,
  cwd = '.',
  available = availableWorkers,
}: Surroundings = {}): Configure {
  let surroundings: readonly Layer[] | Promise<readonly Layer[]> | undefined;
  let plain: Config | undefined;
  let count: number | undefined;
  let warned = false;

  const countOnce = () => {
    count ??= available();
    return count;
  };

  const read = (): readonly Layer[] | Promise<readonly Layer[]> => {
    if (!warned) {
      warned = true;
      for (const message of unknownVariables(env)) process.emitWarning(message, { code: 'MILLRACE_UNKNOWN_VARIABLE' });
    }
    const variables = readEnvironment(env);
    const path = findFile(env, cwd);
    if (path === undefined) return [variables];
    const add = (file: ConfigFile) => [variables, readFile(file)];
    const file = loadFile(path, cwd);
    return file instanceof Promise ? file.then(add).then(keep, forget) : add(file);
  };
  const keep = (layers: readonly Layer[]) => {
    surroundings = layers;
    return layers;
  };
  const forget = (error: unknown) => {
    surroundings = undefined;
    throw error;
  };

  return (options) => {
    const strongest = options === undefined ? undefined : readOptions(options);
    const finish = (layers: readonly Layer[]): Config => {
      if (strongest && strongest.size > 0) return settle([strongest, ...layers], countOnce);
      plain ??= settle(layers, countOnce);
      return plain;
    };
    surroundings ??= read();
    return surroundings instanceof Promise ? surroundings.then(finish) : finish(surroundings);
  };
}

/**
 * Resolves the configuration: options in code, else `MILLRACE_*` variables, else the config file, else defaults.
 *
 * The variables and the file are read once, at the first call. The result is a promise only while a config file that is a
 * module is being imported; it is returned at once when there is no file, when it is JSON, and when it has been imported.
 * @param options Options in code. They win over everything else.
 * @throws {ConfigError} A name is unknown, a value is wrong, or the file cannot be loaded; the promise rejects with it instead
 * when it is the file that is being imported that is wrong.
 */
export const configure: Configure = configureFrom();
