/**
 * How often each result of a run is still going to be needed. A result that nobody needs any more is released at once, so that a run
 * holds only what lies between the tasks that have run and those that have not.
 */
import type { Plan } from '../plan/index.js';
import type { Binding } from './bind.js';

/** A result with this bit is needed until the run is over. Counts stay far below it. */
export const HELD = 2 ** 30;

/** What is known of a plan before anything is bound to it. */
const known = new WeakMap<Plan, Int32Array>();

/** The sources of what a flow gives: of these names, or of all. Where a task may be left out, the one before it gives the value. */
export function* outputSources(plan: Plan, names: ReadonlySet<string> | undefined): Generator<number> {
  if (names?.size === 0) return;
  const { outputNames, outputs, atoms } = plan;
  for (let i = 0; i < outputNames.length; i++) if (names === undefined || names.has(outputNames[i])) yield outputs[i];
  if (plan.decisions === undefined && !plan.lacking) return;
  for (let atom = 0; atom < plan.size; atom++) {
    const given = atoms[atom].provision.names;
    if (names === undefined ? given.length > 0 : given.some((name) => names.has(name))) yield atom;
  }
}

/**
 * For each atom, how many arguments its result is still to be; 0: it need not be kept. Those of the sources in `kept` never come to 0, nor
 * does what a revert or a decider may ask for, or all of them where a flow with a retry may begin again.
 */
export function usesOf({ plan, args }: Binding, kept: Iterable<number>): Int32Array | undefined {
  if (plan.retries !== undefined && plan.retries.scopes.length > 0) return undefined;
  let uses = known.get(plan);
  if (uses === undefined) {
    uses = count(plan, plan.args);
    known.set(plan, uses);
  }
  uses = args === plan.args ? uses.slice() : count(plan, args);
  for (const source of kept) uses[providerOf(plan, source)] |= HELD;
  return uses;
}

/** The atom whose result a source is, or is part of. */
export function providerOf({ size, picks }: Plan, source: number): number {
  return source < size ? source : picks[source - size].atom;
}

function count(plan: Plan, args: Int32Array): Int32Array {
  const { atoms, argStart, size, decisions } = plan;
  const uses = new Int32Array(size);
  for (let atom = 0; atom < size; atom++) {
    const reverts = atoms[atom].definition.revert !== undefined;
    // It is given its own result, and its arguments once more.
    if (reverts) uses[atom] |= HELD;
    for (let at = argStart[atom]; at < argStart[atom + 1]; at++) {
      if (args[at] < 0) continue;
      const provider = providerOf(plan, args[at]);
      if (reverts) uses[provider] |= HELD;
      else uses[provider]++;
    }
  }
  if (decisions)
    for (const links of decisions.links.values()) for (const { from } of links) if (from >= 0) uses[from] |= HELD;
  return uses;
}
