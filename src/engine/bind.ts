/** A plan bound to the inputs of one run: from here on every argument has a value or a task that will give it. */
import type { Mapping } from '../atoms/index.js';
import { FlowError, received } from '../errors.js';
import { CONSTANT, INPUT, type Plan } from '../plan/index.js';

export interface Binding {
  readonly plan: Plan;
  /** The plan's sources, with inputs in the place of what they hide. */
  readonly args: Int32Array;
  /** The value of each input. */
  readonly inputs: readonly unknown[];
  /** What was given, by name. */
  readonly given: Readonly<Record<string, unknown>>;
  /** Whether some task was given arguments of its own. */
  readonly special: boolean;
}

/** What was given to single tasks: by the number of the atom, and for each by the place of the argument in `args`. */
export type OwnArguments = ReadonlyMap<number, ReadonlyMap<number, unknown>>;

const NONE: OwnArguments = new Map();

/** @throws {@link FlowError} when `given` is not an object */
export function bind(plan: Plan, given: unknown, own: OwnArguments = NONE): Binding {
  const values = checkGiven(`Flow '${plan.name}'`, given);
  const names = plan.inputs.map(({ name }) => name);
  let args = withoutHidden(plan, values, names);
  const inputs = names.map((name) => (Object.hasOwn(values, name) ? values[name] : undefined));
  if (own.size > 0) {
    if (args === plan.args) args = args.slice();
    for (const places of own.values()) {
      for (const [at, value] of places) args[at] = INPUT - (inputs.push(value) - 1);
    }
  }
  return { plan, args, inputs, given: values, special: own.size > 0 };
}

/** @throws {@link FlowError} when `given` is not an object */
export function checkGiven(label: string, given: unknown): Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || given instanceof Map) {
    throw new FlowError(
      'ERR_MILLRACE_INVALID_INPUT',
      `${label}: the inputs must be an object, one property an input; received ${received(given)}`,
    );
  }
  return given as Readonly<Record<string, unknown>>;
}

/** @throws {@link FlowError} when an input that some task requires was not given */
export function checkInputs(binding: Binding): void {
  const { plan } = binding;
  const missing = missingInputs(binding);
  if (missing.length === 0) return;
  const task = plan.atoms[missing[0].atom].name;
  const shown = missing.slice(0, 5).map(({ name, atom }) => `'${name}' (for task '${plan.atoms[atom].name}')`);
  if (missing.length > shown.length) shown.push(`${missing.length - shown.length} more`);
  throw new FlowError(
    'ERR_MILLRACE_MISSING_INPUT',
    `Flow '${plan.name}' requires ${shown.join(', ')}: no input has that name and no task before provides it`,
    { task },
  );
}

/** The names that an atom requires and nobody provides. */
export function unsatisfied(binding: Binding, atom: number): string[] {
  const missing = new Set<string>();
  forEachArgument(binding.plan, atom, (at, name, required) => {
    const number = INPUT - binding.args[at];
    // Behind the inputs of the plan stand values that were given.
    const open = required && number >= 0 && number < binding.plan.inputs.length;
    if (open && name !== undefined && !Object.hasOwn(binding.given, name)) missing.add(name);
  });
  return [...missing];
}

/** The places in `args` of an atom's arguments of this name: the name after `rebind`, or, if there is none, the argument's own. */
export function placesOf(plan: Plan, atom: number, name: string): number[] {
  const bound: number[] = [];
  const called: number[] = [];
  forEachArgument(plan, atom, (at, source, _, param) => {
    if (source === name) bound.push(at);
    if (param === name) called.push(at);
  });
  return bound.length > 0 ? bound : called;
}

/** Visits the arguments of an atom's `execute`, and of its `revert` if they are others. */
function forEachArgument(
  { atoms, argStart }: Plan,
  atom: number,
  visit: (at: number, source: string | undefined, required: boolean, param: string) => void,
): void {
  const { mapping } = atoms[atom];
  const each = ({ params, sources, optionalFrom }: Omit<Mapping, 'revert'>, start: number) => {
    for (let i = 0; i < params.length; i++) visit(start + i, sources[i], i < optionalFrom, params[i]);
  };
  each(mapping, argStart[atom]);
  if (mapping.revert) each(mapping.revert, argStart[atom] + mapping.params.length);
}

function missingInputs(binding: Binding): { readonly name: string; readonly atom: number }[] {
  const { plan, given } = binding;
  const missing = plan.inputs.filter(({ name, required }) => required && !Object.hasOwn(given, name));
  if (missing.length === 0 || !binding.special) return missing;
  // What a task was given itself it does not miss.
  const first = new Map<string, number>();
  for (let atom = 0; atom < plan.size; atom++) {
    for (const name of unsatisfied(binding, atom)) if (!first.has(name)) first.set(name, atom);
  }
  return [...first].map(([name, atom]) => ({ name, atom }));
}

/** As TaskFlow: an input hides what tasks provide under the same name. */
function withoutHidden(plan: Plan, given: Readonly<Record<string, unknown>>, names: string[]): Int32Array {
  const hidden = new Set<string>();
  // Whichever list is shorter is walked, so that a large flow with few inputs does not pay.
  const provided = new Set(plan.outputNames.length > 0 ? Object.keys(given) : []);
  if (provided.size > 0) for (const name of plan.outputNames) if (provided.has(name)) hidden.add(name);
  if (hidden.size === 0) return plan.args;
  const args = plan.args.slice();
  const numbers = new Map(names.map((name, number) => [name, number]));
  for (let atom = 0; atom < plan.size; atom++) {
    forEachArgument(plan, atom, (at, name) => {
      if (name === undefined || !hidden.has(name) || args[at] === CONSTANT) return;
      const number = numbers.get(name) ?? names.push(name) - 1;
      numbers.set(name, number);
      args[at] = INPUT - number;
    });
  }
  return args;
}
