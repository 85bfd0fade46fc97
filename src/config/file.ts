import { existsSync, readFileSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, received } from '../errors.js';
import type { ConfigFile } from './layers.js';

const kinds = ['.json', '.js', '.mjs', '.ts'];

/**
 * Finds the config file: the one that `MILLRACE_CONFIG` names, else `millrace.config.{json,js,mjs,ts}` in the folder.
 * @returns Its path, relative to the folder as a rule; `undefined` when there is none.
 * @throws {ConfigError} The named file does not exist or is of another kind, or the folder has two.
 */
export function findFile(env: NodeJS.ProcessEnv, cwd: string): string | undefined {
  const named = env.MILLRACE_CONFIG;
  if (named) {
    const wrong = (expected: string) =>
      new ConfigError('MILLRACE_CONFIG', `MILLRACE_CONFIG: expected ${expected}; received ${received(named)}`);
    if (!kinds.includes(extname(named))) throw wrong(`the path of a file that ends in ${kinds.join(', ')}`);
    if (!existsSync(resolve(cwd, named))) throw wrong(`the path of a file; there is none at ${resolve(cwd, named)}`);
    return named;
  }
  const found = kinds.map((kind) => `millrace.config${kind}`).filter((name) => existsSync(join(cwd, name)));
  if (found.length > 1) {
    throw new ConfigError(
      found[0]!,
      `${found[0]}: expected one config file in a folder; there is ${found.slice(1).join(', ')} too. Keep one of them, or name it in MILLRACE_CONFIG`,
    );
  }
  return found[0];
}

/**
 * Loads a config file: JSON at once, a module with a promise.
 * @param source The path of the file, absolute or relative to `cwd`.
 * @throws {ConfigError} It cannot be read or imported, or has no default export; `cause` is the error that was met.
 */
export function loadFile(source: string, cwd: string): ConfigFile | Promise<ConfigFile> {
  const path = resolve(cwd, source);
  return extname(path) === '.json' ? readJson(source, path) : importModule(source, path);
}

function readJson(source: string, path: string): ConfigFile {
  try {
    // JSON has no Infinity, and options have.
    const values: unknown = JSON.parse(readFileSync(path, 'utf8'), (_, value) =>
      value === 'Infinity' ? Number.POSITIVE_INFINITY : value,
    );
    return { source, values };
  } catch (cause) {
    throw new ConfigError(source, `${source}: expected a file of JSON; ${reason(cause)}`, { cause });
  }
}

async function importModule(source: string, path: string): Promise<ConfigFile> {
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(path).href);
  } catch (cause) {
    const advice = cannotStripTypes(path, cause)
      ? `this Node.js (${process.version}) does not import TypeScript. Use Node.js 22.18, 24 or later, or start it with: node --import tsx`
      : `importing it failed: ${reason(cause)}`;
    throw new ConfigError(source, `${source}: ${advice}`, { cause });
  }
  if (!('default' in module)) {
    const names = Object.keys(module);
    throw new ConfigError(
      source,
      `${source}: expected a default export with the options (export default { ... }); received ${names.length ? `a module that exports ${names.join(', ')}` : 'a module without exports'}`,
    );
  }
  return { source, values: module.default };
}

/** The same code is raised for whatever else the file imports that Node does not know, such as a stylesheet. */
function cannotStripTypes(path: string, error: unknown): boolean {
  return (
    extname(path) === '.ts' &&
    error instanceof TypeError &&
    (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION' &&
    error.message.includes('".ts"')
  );
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : `it threw ${received(error)}`;
}
