/** A plan bound to the inputs of one run: from here on every argument has a value or a task that will give it. */
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
}

/** @throws {@link FlowError} when `given` is not an object */
export function bind(plan: Plan, given: unknown): Binding {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || given instanceof Map) {
    throw new FlowError(
      'ERR_MILLRACE_INVALID_INPUT',
      `Flow '${plan.name}': the inputs must be an object, one property an input; received ${received(given)}`,
    );
  }
  const values = given as Readonly<Record<string, unknown>>;
  const names = plan.inputs.map(({ name }) => name);
  const args = withoutHidden(plan, values, names);
  return {
    plan,
    args,
    inputs: names.map((name) => (Object.hasOwn(values, name) ? values[name] : undefined)),
    given: values,
  };
}

/** @throws {@link FlowError} when an input that some task requires was not given */
export function checkInputs({ plan, given }: Binding): void {
  const missing = plan.inputs.filter(({ name, required }) => required && !Object.hasOwn(given, name));
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
    const { sources } = plan.atoms[atom].mapping;
    for (let i = 0; i < sources.length; i++) {
      const name = sources[i];
      const at = plan.argStart[atom] + i;
      if (name === undefined || !hidden.has(name) || args[at] === CONSTANT) continue;
      const number = numbers.get(name) ?? names.push(name) - 1;
      numbers.set(name, number);
      args[at] = INPUT - number;
    }
  }
  return args;
}
