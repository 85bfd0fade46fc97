/** What the deciders of links have to say about an atom whose turn has come. */
import { isThenable } from '../atoms/index.js';
import { RunError } from '../errors.js';
import { DEPTHS } from '../flows/index.js';
import { type DecidedLink, nameOf, type Plan, rangeOf } from '../plan/index.js';
import type { Ledger } from './ledger.js';
import { FAILURE, IGNORE, PENDING } from './states.js';

/**
 * Asks whether an atom is to run. Returns the atoms that are to be ignored, itself among them; none: it is to run.
 *
 * @throws what a decider throws; {@link RunError} when the atom requires a value that an ignored one would have provided
 */
export function ignoredFrom(plan: Plan, ledger: Ledger, atom: number): number[] {
  // What is tried again was let in before.
  const links = ledger.states[atom] === PENDING ? plan.decisions?.links.get(atom) : undefined;
  const depth = links === undefined ? -1 : vote(plan, ledger, links, atom);
  if (depth >= 0) {
    return reach(plan, atom, DEPTHS[depth]).filter((reached) => ledger.states[reached] === PENDING);
  }
  checkProviders(plan, ledger, atom);
  return [];
}

/** How far the widest no reaches; -1: nobody says no. */
function vote({ atoms }: Plan, { states, results }: Ledger, links: readonly DecidedLink[], atom: number): number {
  // A task that was ignored has nothing to say.
  const asked = links.filter(({ from }) => from < 0 || states[from] !== IGNORE);
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

/** The atom, and those after it that a no reaches. A controller stands for its flow, and so for all that is in it. */
function reach(plan: Plan, atom: number, depth: string): number[] {
  const { atoms, decisions, successors, size } = plan;
  const seen = new Set([atom]);
  if (atoms[atom].controller) {
    const { start, end, firstNode, endNode } = rangeOf(plan, atom);
    for (let inside = start; inside < end; inside++) seen.add(inside);
    for (let inside = firstNode; inside < endNode; inside++) seen.add(inside);
  }
  if (depth === 'atom') return [...seen].filter((node) => node < size);
  const { homes } = decisions!;
  const { start, to } = successors;
  let near = seen.size;
  // A set is walked in the order in which it grows.
  for (const node of seen) {
    if (depth === 'neighbors' && near-- === 0) break;
    for (let e = start[node]; e < start[node + 1]; e++) {
      const next = to[e];
      if (depth === 'all' || (next < size && homes[next] === homes[atom] && !atoms[next].controller)) seen.add(next);
    }
  }
  return [...seen].filter((node) => node < size);
}

function checkProviders(plan: Plan, { states, binding, givenUp }: Ledger, atom: number): void {
  const { atoms, argStart, picks, size } = plan;
  const { mapping, controller } = atoms[atom];
  for (let i = 0; i < mapping.optionalFrom; i++) {
    const source = binding.args[argStart[atom] + i];
    if (source < 0) continue;
    const provider = source < size ? source : picks[source - size].atom;
    // A retry that could not decide has failed, and its value is there.
    const lacks = states[provider] === IGNORE || (states[provider] === FAILURE && !givenUp.has(provider));
    if (!lacks) continue;
    const name = nameOf(plan, atom);
    const who = `${controller ? 'Retry' : 'Task'} '${name}'`;
    const missing = `requires '${mapping.sources[i]}', which '${nameOf(plan, provider)}' would have provided`;
    const reason = states[provider] === IGNORE ? 'had it not been ignored' : 'had it not failed';
    throw new RunError('ERR_MILLRACE_NOT_FOUND', `${who} ${missing}, ${reason}`, { task: name });
  }
}
