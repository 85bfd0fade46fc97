import { ConfigError, received } from '../errors.js';
import type { Kind } from './kinds.js';
import { nearest } from './nearest.js';
import { entries, type Group, Option, prefix, schema } from './schema.js';

/** A value, and where it was set: the name of a variable, the path of a file, `option 'workers'`. It never changes. */
export interface Setting {
  readonly value: unknown;
  readonly source: string;
  /** How messages begin that are about it: as `source`, and with its name where that does not tell. */
  readonly label: string;
}

/** What one place sets. Its values have been checked. */
export type Layer = ReadonlyMap<Option<any>, Setting>;

/** What a config file says. */
export interface ConfigFile {
  /** The path of the file, as messages show it. */
  readonly source: string;
  /** Its content: what a module exports by default, or what JSON holds. */
  readonly values: unknown;
}

/** A place where options are set by name: how errors call it as a whole, and how they call one of its names. */
interface Place {
  source(path: string): string;
  label(path: string): string;
}

const code: Place = {
  source: (path) => (path === '' ? 'options' : `option '${path}'`),
  label: (path) => code.source(path),
};

/** The names that may be meant by a misspelt one: options and groups. */
const names = new Set(
  entries.flatMap(({ path }) => path.split('.').map((_, at, keys) => keys.slice(0, at + 1).join('.'))),
);

/**
 * What options in code set.
 * @throws {ConfigError} An option is unknown, or its value is wrong.
 */
export function readOptions(options: unknown): Layer {
  return readGroup(schema, options, '', code, new Map());
}

/**
 * What a config file sets.
 * @throws {ConfigError} An option is unknown, or its value is wrong.
 */
export function readFile({ source, values }: ConfigFile): Layer {
  const file: Place = { source: () => source, label: (path) => (path === '' ? source : `${source}: ${path}`) };
  return readGroup(schema, values, '', file, new Map());
}

/**
 * What environment variables set. An empty variable sets nothing, and one that is unknown is passed over.
 * @throws {ConfigError} The value of a variable is wrong.
 */
export function readEnvironment(env: NodeJS.ProcessEnv): Layer {
  const layer = new Map<Option<any>, Setting>();
  for (const { variable, option } of entries) {
    const text = env[variable];
    if (text === undefined || text === '') continue;
    const value = option.kind.fromText(text);
    if (!option.kind.accepts(value)) throw refuse(variable, variable, option.kind, text);
    layer.set(option, setting(value, variable, variable));
  }
  return layer;
}

/** A warning for each variable that has the prefix and is not known. Not errors: other programs may share the prefix. */
export function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = new Set(['MILLRACE_CONFIG', ...entries.map(({ variable }) => variable)]);
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !known.has(name))
    .map((name) => {
      const meant = nearest(name, known);
      return `${name}: Millrace has no such variable${meant ? `; did you mean ${meant}?` : ' and does not read it'}`;
    });
}

function readGroup(
  group: Group,
  values: unknown,
  parent: string,
  place: Place,
  layer: Map<Option<any>, Setting>,
): Map<Option<any>, Setting> {
  if (!isPlainObject(values)) {
    throw refuse(place.source(parent), place.label(parent), { expected: 'an object with options' }, values);
  }
  for (const [name, value] of Object.entries(values)) {
    const path = parent === '' ? name : `${parent}.${name}`;
    if (!Object.hasOwn(group, name)) throw unknown(group, name, path, place);
    const child = group[name]!;
    if (value === undefined) continue;
    if (!(child instanceof Option)) {
      readGroup(child, value, path, place, layer);
    } else if (child.kind.accepts(value)) {
      layer.set(child, setting(value, place.source(path), place.label(path)));
    } else {
      throw refuse(place.source(path), place.label(path), child.kind, value);
    }
  }
  return layer;
}

/** An instance of a class (a promise, a map) has no entries, and would pass for options that set nothing. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null; // an object of another realm has another prototype
}

/** A list is copied, for its owner could change it after it has been checked. */
function setting(value: unknown, source: string, label: string): Setting {
  return { value: Array.isArray(value) ? Object.freeze([...value]) : value, source, label };
}

function refuse(
  source: string,
  label: string,
  { expected, shows = received }: Pick<Kind<unknown>, 'expected' | 'shows'>,
  value: unknown,
): ConfigError {
  return new ConfigError(source, `${label}: expected ${expected}; received ${shows(value)}`);
}

function unknown(group: Group, name: string, path: string, place: Place): ConfigError {
  const others = [...names].filter((known) => !path.startsWith(`${known}.`));
  // An option of that very name elsewhere is meant more often than one that resembles it.
  const meant = others.find((known) => known.split('.').at(-1) === name) ?? nearest(path, others);
  const advice = names.has(path)
    ? `write it as ${path.split('.').reduceRight((inner, key) => `{ ${key}: ${inner} }`, '...')}`
    : meant
      ? `did you mean '${meant}'?`
      : `the options here are ${Object.keys(group).join(', ')}`;
  return new ConfigError(place.source(path), `${place.label(path)}: there is no such option; ${advice}`);
}
