/** What the deciders of links have to say about an atom whose turn has come. */
import { isThenable } from '../atoms/index.js';
import { RunError } from '../errors.js';
import { DEPTHS } from '../flows/index.js';
import type { Decisions, Plan } from '../plan/index.js';
import type { Ledger } from './ledger.js';
import { IGNORE, PENDING } from './states.js';

/**
 * Asks whether an atom is to run. Returns the atoms that are to be ignored, itself among them; none: it is to run.
 *
 * @throws what a decider throws; {@link RunError} when the atom requires a value that an ignored one would have provided
 */
export function ignoredFrom(plan: Plan, ledger: Ledger, decisions: Decisions, atom: number): number[] {
  const depth = vote(plan, ledger, decisions, atom);
  if (depth >= 0) {
    return reach(plan, decisions, atom, DEPTHS[depth]).filter((reached) => ledger.states[reached] === PENDING);
  }
  checkProviders(plan, ledger, atom);
  return [];
}

/** How far the widest no reaches; -1: nobody says no. */
function vote({ atoms }: Plan, { states, results }: Ledger, { links }: Decisions, atom: number): number {
  // A task that was ignored has nothing to say.
  const asked = links.get(atom)?.filter(({ from }) => from < 0 || states[from] !== IGNORE) ?? [];
  const known = asked.filter(({ from }) => from >= 0);
  const history = Object.fromEntries(known.map(({ from }) => [atoms[from].name, results[from]]));
  let widest = -1;
  for (const { decider, depth } of asked) {
    const answer: unknown = decider(history);
    if (isThenable(answer)) {
      const { name } = atoms[atom];
      const message = `The decider of a link to task '${name}' must return true or false; received a promise`;
      throw new RunError('ERR_MILLRACE_BAD_DECIDER', message, { task: name });
    }
    if (!answer) widest = Math.max(widest, DEPTHS.indexOf(depth));
  }
  return widest;
}

/** The atom, and those after it that a no reaches. */
function reach({ successors, size }: Plan, { homes }: Decisions, atom: number, depth: string): number[] {
  if (depth === 'atom') return [atom];
  const { start, to } = successors;
  const seen = new Set([atom]);
  // A set is walked in the order in which it grows.
  for (const node of seen) {
    for (let e = start[node]; e < start[node + 1]; e++) {
      const next = to[e];
      if (depth === 'all' || (next < size && homes[next] === homes[atom])) seen.add(next);
    }
    if (depth === 'neighbors') break;
  }
  return [...seen].filter((node) => node < size);
}

function checkProviders({ atoms, argStart, picks, size }: Plan, { states, binding }: Ledger, atom: number): void {
  const { name, mapping } = atoms[atom];
  for (let i = 0; i < mapping.optionalFrom; i++) {
    const source = binding.args[argStart[atom] + i];
    if (source < 0) continue;
    const provider = source < size ? source : picks[source - size].atom;
    if (states[provider] !== IGNORE) continue;
    throw new RunError(
      'ERR_MILLRACE_NOT_FOUND',
      `Task '${name}' requires '${mapping.sources[i]}', which '${atoms[provider].name}' would have provided, had it not been ignored`,
      { task: name },
    );
  }
}
