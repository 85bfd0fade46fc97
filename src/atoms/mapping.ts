/**
 * Argument mapping: from what a task declares (`requires`, `optional`, `rebind`, `inject`, `provides`) to lists that the
 * compiler of flows can walk. It is done once, when a task is made.
 */
import { ArgumentError, received } from '../errors.js';

/** What the code of a task asks for. */
export interface Declaration {
  /** The names of the arguments, as `execute` sees them: the required ones, then the optional ones. */
  readonly params: readonly string[];
  /** The arguments from this index on may be missing. */
  readonly optionalFrom: number;
}

/** Where each argument of a task comes from. The three lists run in step, one entry an argument. */
export interface Mapping {
  /** As declared, then those that are only injected. */
  readonly params: readonly string[];
  /** The name under which each is looked up among inputs and results; `undefined`: it is a constant. */
  readonly sources: readonly (string | undefined)[];
  /** The injected constants. */
  readonly constants: readonly unknown[];
  /** The arguments from this index on may be missing, unless they are constants. */
  readonly optionalFrom: number;
}

/** What a task gives. `keys` is `undefined` when the one name stands for the whole result. */
export interface Provision {
  readonly names: readonly string[];
  readonly keys: readonly (string | number)[] | undefined;
}

const NOTHING: Provision = { names: [], keys: undefined };
const NO_CONSTANTS: readonly unknown[] = [];

export function declare(task: string, requires: unknown, optional: unknown): Declaration {
  const required = nameList(task, 'requires', requires);
  const others = nameList(task, 'optional', optional).filter((name) => !required.includes(name));
  return { params: [...required, ...others], optionalFrom: required.length };
}

export function mapArguments(
  task: string,
  declared: Declaration,
  rebind: unknown,
  inject: object | undefined,
): Mapping {
  const { optionalFrom } = declared;
  const sources = rebound(task, declared.params, rebind);
  if (inject === undefined) return { params: declared.params, sources, constants: NO_CONSTANTS, optionalFrom };
  const params = [...declared.params];
  const constants: unknown[] = [];
  for (const [name, value] of Object.entries(inject)) {
    // As in TaskFlow a constant is known by the name after rebind; if there is none of that name, by the argument's own.
    const own = sources.includes(name) ? -1 : params.indexOf(name);
    let used = false;
    for (let i = 0; i < params.length; i++) {
      if (sources[i] === name || i === own) {
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
  return { params, sources, constants, optionalFrom };
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

function rebound(task: string, params: readonly string[], rebind: unknown): (string | undefined)[] {
  const sources = params.slice();
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
  for (const [param, name] of namesByArgument(task, rebind)) {
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

function namesByArgument(task: string, rebind: unknown): [string, unknown][] {
  if (typeof rebind === 'object' && rebind !== null) return Object.entries(rebind);
  throw new ArgumentError(`Task '${task}': rebind must be an object or a list of names; received ${received(rebind)}`, {
    task,
  });
}
