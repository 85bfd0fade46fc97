/**
 * Argument mapping: from what a task declares (`requires`, `optional`, `rebind`, `inject`, `provides`) to lists that the
 * compiler of flows can walk. It is done once, when a task is made.
 */
import { ArgumentError, received } from '../errors.js';

/** Where each argument of a task comes from. The four lists run in step, one entry an argument. */
export interface Mapping {
  /** The names of the arguments, as `execute` sees them: the required ones, the optional ones, then those only injected. */
  readonly params: readonly string[];
  /** The name under which each is looked up among inputs and results; `undefined`: it is a constant. */
  readonly sources: readonly (string | undefined)[];
  /** The injected constants. */
  readonly constants: readonly unknown[];
  /** The arguments from this index on may be missing. */
  readonly optionalFrom: number;
}

/** What a task gives. `keys` is `undefined` when the one name stands for the whole result. */
export interface Provision {
  readonly names: readonly string[];
  readonly keys: readonly (string | number)[] | undefined;
}

export interface MappingOptions {
  readonly requires?: unknown;
  readonly optional?: unknown;
  readonly rebind?: unknown;
  readonly inject?: unknown;
}

const NOTHING: Provision = { names: [], keys: undefined };

export function mapArguments(task: string, options: MappingOptions): Mapping {
  const required = nameList(task, 'requires', options.requires);
  const optional = nameList(task, 'optional', options.optional).filter((name) => !required.includes(name));
  const params = [...required, ...optional];
  const sources: (string | undefined)[] = rebound(task, params, options.rebind);
  const constants: unknown[] = [];
  for (const [name, value] of entriesOf(task, 'inject', options.inject)) {
    // As in TaskFlow a constant is known by the name after rebind; by the argument's own name it means the same.
    let used = false;
    for (let i = 0; i < params.length; i++) {
      if (sources[i] === name || (params[i] === name && !used)) {
        sources[i] = undefined;
        constants[i] = value;
        used = true;
      }
    }
    if (!used) {
      constants[params.push(name) - 1] = value;
      sources.push(undefined);
    }
  }
  return { params, sources, constants, optionalFrom: required.length };
}

export function mapResult(task: string, provides: unknown): Provision {
  if (provides === undefined) return NOTHING;
  if (typeof provides === 'string') return { names: nameList(task, 'provides', provides), keys: undefined };
  if (provides instanceof Set) {
    const names = nameList(task, 'provides', [...provides]);
    return { names, keys: names };
  }
  if (Array.isArray(provides)) {
    const names = nameList(task, 'provides', provides);
    return { names, keys: names.map((_, index) => index) };
  }
  throw new ArgumentError(
    `Task '${task}': provides must be a name, a list of names or a Set of keys; received ${received(provides)}`,
    { task },
  );
}

function rebound(task: string, params: readonly string[], rebind: unknown): string[] {
  const sources = [...params];
  if (rebind === undefined) return sources;
  if (Array.isArray(rebind)) {
    if (rebind.length > params.length) {
      throw new ArgumentError(
        `Task '${task}': rebind has ${rebind.length} names for ${params.length} arguments (${params.join(', ') || 'none'})`,
        { task },
      );
    }
    rebind.forEach((name, i) => {
      sources[i] = nameOf(task, `rebind[${i}]`, name);
    });
    return sources;
  }
  for (const [param, name] of entriesOf(task, 'rebind', rebind)) {
    const i = params.indexOf(param);
    if (i < 0) {
      throw new ArgumentError(
        `Task '${task}': rebind names '${param}', which is not among its arguments (${params.join(', ') || 'none'})`,
        { task },
      );
    }
    sources[i] = nameOf(task, `rebind.${param}`, name);
  }
  return sources;
}

function nameList(task: string, option: string, value: unknown): string[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [nameOf(task, option, value)];
  if (!Array.isArray(value)) {
    throw new ArgumentError(
      `Task '${task}': ${option} must be a name or a list of names; received ${received(value)}`,
      {
        task,
      },
    );
  }
  const names = value.map((name, i) => nameOf(task, `${option}[${i}]`, name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ArgumentError(`Task '${task}': ${option} names '${twice}' twice`, { task });
  return names;
}

function nameOf(task: string, option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value !== '__proto__') return value;
  throw new ArgumentError(`Task '${task}': ${option} must be a non-empty string; received ${received(value)}`, {
    task,
  });
}

function entriesOf(task: string, option: string, value: unknown): [string, unknown][] {
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const list = option === 'rebind' ? ' or a list of names' : '';
    throw new ArgumentError(`Task '${task}': ${option} must be an object${list}; received ${received(value)}`, {
      task,
    });
  }
  return Object.entries(value);
}
