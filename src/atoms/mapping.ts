/**
 * Argument mapping: from what a task declares (`requires`, `optional`, `rebind`, the same for `revert`, `inject`, `provides`)
 * to lists that the compiler of flows can walk. It is done once, when a task is made.
 */
import { ArgumentError, received } from '../errors.js';

/** Who declares something, for messages. */
export interface Owner {
  /** How messages begin. */
  readonly label: string;
  readonly name: string | undefined;
}

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
  /** Where the arguments of `revert` come from, if they are not those of `execute`. */
  readonly revert: RevertMapping | undefined;
}

/** The same for `revert`. In a plan its sources follow those of `execute`. */
export interface RevertMapping extends Omit<Mapping, 'revert'> {
  /** What was said as `revertRebind`: a copy of the task takes it over. */
  readonly rebind: unknown;
}

/** What a task gives. `keys` is `undefined` when the one name stands for the whole result. */
export interface Provision {
  readonly names: readonly string[];
  readonly keys: readonly (string | number)[] | undefined;
}

const NOTHING: Provision = { names: [], keys: undefined };
const NO_CONSTANTS: readonly unknown[] = [];
/** What `revert` is given in any case. */
const GIVEN_TO_REVERT = ['result', 'flowFailures'];

export function declare(owner: Owner, requires: unknown, optional: unknown): Declaration {
  return declaration(nameList(owner, 'requires', requires), nameList(owner, 'optional', optional));
}

/** What `revert` asks for; `undefined`: what `execute` does. Each of the two lists is that of `execute` if nothing is said. */
export function declareRevert(
  owner: Owner,
  { params, optionalFrom }: Declaration,
  requires: unknown,
  optional: unknown,
): Declaration | undefined {
  if (requires === undefined && optional === undefined) return undefined;
  const names = (option: string, said: unknown, otherwise: readonly string[]) =>
    (said === undefined ? otherwise : nameList(owner, option, said)).filter((name) => !GIVEN_TO_REVERT.includes(name));
  return declaration(
    names('revertRequires', requires, params.slice(0, optionalFrom)),
    names('revertOptional', optional, params.slice(optionalFrom)),
  );
}

function declaration(required: readonly string[], optional: readonly string[]): Declaration {
  const others = optional.filter((name) => !required.includes(name));
  return { params: [...required, ...others], optionalFrom: required.length };
}

/** What a task says of the values that it is given; `declaredRevert` and `revertRebind` only if `revert` is given others. */
interface Wiring {
  readonly declared: Declaration;
  readonly declaredRevert: Declaration | undefined;
  readonly rebind: unknown;
  readonly revertRebind: unknown;
  readonly inject: object | undefined;
}

export function mapArguments(owner: Owner, wiring: Wiring): Mapping {
  const { declared, rebind, inject } = wiring;
  const sources = rebound(owner, 'rebind', declared.params, declared.params.slice(), rebind);
  const revert = mapRevert(owner, wiring, sources.slice());
  const { params, constants } = injected(declared.params, sources, inject);
  return { params, sources, constants, optionalFrom: declared.optionalFrom, revert };
}

/** An argument for which nothing is said has the source that `execute` has for it. */
function mapRevert(
  owner: Owner,
  { declared, declaredRevert, revertRebind, inject }: Wiring,
  ofExecute: readonly (string | undefined)[],
): RevertMapping | undefined {
  if (declaredRevert === undefined && revertRebind === undefined) return undefined;
  const own = declaredRevert ?? declared;
  const names = own.params.map((param) => ofExecute[declared.params.indexOf(param)] ?? param);
  const sources = rebound(owner, 'revertRebind', own.params, names, revertRebind);
  const { params, constants } = injected(own.params, sources, inject);
  return { params, sources, constants, optionalFrom: own.optionalFrom, rebind: revertRebind };
}

/** Takes constants out of `sources`. Those of them that no argument is for are more arguments. */
function injected(
  declared: readonly string[],
  sources: (string | undefined)[],
  inject: object | undefined,
): { readonly params: readonly string[]; readonly constants: readonly unknown[] } {
  if (inject === undefined) return { params: declared, constants: NO_CONSTANTS };
  const params = [...declared];
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
  return { params, constants };
}

export function mapResult(owner: Owner, provides: unknown): Provision {
  if (provides === undefined) return NOTHING;
  if (typeof provides === 'string') return { names: nameList(owner, 'provides', provides), keys: undefined };
  if (provides instanceof Set) {
    const names = nameList(owner, 'provides', [...provides]);
    return { names, keys: names };
  }
  if (Array.isArray(provides)) {
    const names = nameList(owner, 'provides', provides);
    return { names, keys: names.map((_, index) => index) };
  }
  throw wrong(owner, `provides must be a name, a list of names or a Set of keys; received ${received(provides)}`);
}

/** Puts the names that were said for arguments into `sources`. */
function rebound(
  owner: Owner,
  option: string,
  params: readonly string[],
  sources: (string | undefined)[],
  rebind: unknown,
): (string | undefined)[] {
  if (rebind === undefined) return sources;
  if (Array.isArray(rebind)) {
    if (rebind.length > params.length) {
      throw wrong(
        owner,
        `${option} has ${rebind.length} names for ${params.length} arguments (${params.join(', ') || 'none'})`,
      );
    }
    rebind.forEach((name, i) => {
      sources[i] = nameOf(owner, `${option}[${i}]`, name);
    });
    return sources;
  }
  for (const [param, name] of namesByArgument(owner, option, rebind)) {
    const i = params.indexOf(param);
    if (i < 0) {
      throw wrong(
        owner,
        `${option} names '${param}', which is not among its arguments (${params.join(', ') || 'none'})`,
      );
    }
    sources[i] = nameOf(owner, `${option}.${param}`, name);
  }
  return sources;
}

function nameList(owner: Owner, option: string, value: unknown): string[] {
  if (value === undefined) return [];
  if (typeof value === 'string') return [nameOf(owner, option, value)];
  if (!Array.isArray(value)) {
    throw wrong(owner, `${option} must be a name or a list of names; received ${received(value)}`);
  }
  const names = value.map((name, i) => nameOf(owner, `${option}[${i}]`, name));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw wrong(owner, `${option} names '${twice}' twice`);
  return names;
}

function nameOf(owner: Owner, option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value !== '__proto__') return value;
  throw wrong(owner, `${option} must be a non-empty string; received ${received(value)}`);
}

function namesByArgument(owner: Owner, option: string, rebind: unknown): [string, unknown][] {
  if (typeof rebind === 'object' && rebind !== null) return Object.entries(rebind);
  throw wrong(owner, `${option} must be an object or a list of names; received ${received(rebind)}`);
}

function wrong({ label, name }: Owner, message: string): ArgumentError {
  return new ArgumentError(`${label}: ${message}`, name === undefined ? {} : { task: name });
}
