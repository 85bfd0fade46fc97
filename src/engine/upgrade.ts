/**
 * What becomes of a recorded flow whose code has changed meanwhile. Atoms are known by their names: those that are new have not run,
 * and those that are gone do not matter, but that what has failed stays so. Whether what the others have done stands is up to their versions.
 */
import { FIRST_VERSION, isSameMajor, type OnVersionChange } from '../atoms/index.js';
import { RunError } from '../errors.js';
import { nameOf, numberOf, onVersionChangeOf } from '../plan/index.js';
import { kindOf } from './journal.js';
import { type Ledger, lackedBy } from './ledger.js';
import type { RecordedAtom } from './recording.js';
import { PENDING, SUCCESS, TO_RUN } from './states.js';

/** What does not stand as it was recorded. */
export interface Upgrade {
  /** The atoms because of which the flow cannot go on. */
  readonly refused: readonly { readonly name: string; readonly why: string }[];
  /** The atoms whose results are not to count. */
  readonly outdated: readonly number[];
  /** The atoms that had begun, and are to go on with other code. */
  readonly renewed: readonly number[];
}

/** Compares what was recorded of a flow, which is in the ledger, with the flow as it is now. */
export function upgradeOf(ledger: Ledger, recorded: Iterable<RecordedAtom>): Upgrade {
  const { plan, states, results } = ledger;
  const refused: { name: string; why: string }[] = [];
  const outdated: number[] = [];
  const renewed: number[] = [];
  const healthy = isHealthy(ledger);
  for (const row of recorded) {
    const atom = numberOf(plan, row.name);
    if (atom < 0) continue;
    const begun = stands(row) ? row : changedElement(ledger, atom);
    if (begun === undefined) continue;
    const { name, version = FIRST_VERSION } = begun;
    const task = plan.atoms[atom];
    const kind = kindOf(task);
    if (begun === row && kind !== row.kind) {
      refused.push({ name, why: `has run as a ${row.kind}, and is a ${kind} now` });
      continue;
    }
    const isChanged = !isSameMajor(version, task.version);
    const lacked = healthy && states[atom] === SUCCESS ? lackedBy(task, results[atom]) : undefined;
    if (!isChanged && lacked === undefined) continue;
    const answer = answerFor(ledger, atom);
    if (isChanged && answer === 'fail') {
      refused.push({ name, why: `has run as version ${version}, and is version ${task.version} now` });
    } else if (TO_RUN[states[atom]] === 1) {
      renewed.push(atom);
    } else if (answer === 'rerun' && healthy) {
      outdated.push(atom);
    } else if (lacked !== undefined) {
      refused.push({ name, why: `provides ${lacked} now, which its recorded result does not have` });
    }
  }
  return { refused, outdated, renewed };
}

/**
 * Lets a flow that was recorded go on with the code that there is now.
 *
 * @throws {@link RunError} `ERR_MILLRACE_VERSION_CHANGED` when it cannot; then nothing has been changed
 */
export function upgrade(ledger: Ledger, recorded: Iterable<RecordedAtom>): void {
  const { refused, outdated, renewed } = upgradeOf(ledger, recorded);
  if (refused.length > 0) {
    const shown = refused.slice(0, 5).map(({ name, why }) => `'${name}' ${why}`);
    if (refused.length > shown.length) shown.push(`${refused.length - shown.length} more`);
    throw new RunError(
      'ERR_MILLRACE_VERSION_CHANGED',
      `Flow '${ledger.plan.name}' cannot go on, as its code has changed: ${shown.join('; ')}. ` +
        'Resume it with the code that it was recorded with, or say with onVersionChange what is to become of it',
      { task: refused[0].name },
    );
  }
  for (const atom of renewed) ledger.journal?.renewed(ledger, atom);
  for (const atom of withDependents(ledger, outdated)) ledger.restart(atom);
}

/** Whether something stands that the code of an atom has done. */
function stands({ state }: RecordedAtom): boolean {
  return state !== 'PENDING' && state !== 'IGNORE' && state !== 'REVERTED';
}

/** Of a list that a region was going through when it was suspended: an element that has run with another version. */
function changedElement({ plan, left }: Ledger, atom: number): RecordedAtom | undefined {
  const { region, version } = plan.atoms[atom];
  if (region === undefined || region.kind === 'dynamic') return undefined;
  const rows = left.get(atom)?.recorded.atoms.get(nameOf(plan, atom));
  return rows?.find((row) => stands(row) && !isSameMajor(row.version ?? FIRST_VERSION, version));
}

/** Whether nothing is being reverted, here or around. */
function isHealthy(ledger: Ledger): boolean {
  const { verdict, rollbacks, outer } = ledger;
  return verdict === undefined && rollbacks.size === 0 && (outer === undefined || isHealthy(outer));
}

/** What the atom says, or what is nearest around it. */
function answerFor({ plan, region, outer }: Ledger, atom: number): OnVersionChange {
  const said = onVersionChangeOf(plan, atom);
  if (said !== undefined) return said;
  return outer === undefined ? 'fail' : answerFor(outer, numberOf(outer.plan, region!));
}

/** Some atoms, and all that come after them and have run, or have begun to: that was with values which do not count any more. */
function withDependents(ledger: Ledger, atoms: readonly number[]): number[] {
  const { plan, states, left } = ledger;
  const { start, to } = plan.successors;
  const hasBegun = (atom: number) => states[atom] !== PENDING || left.has(atom) || ledger.attemptOf(atom) > 1;
  const found: number[] = [];
  const seen = new Uint8Array(plan.nodes);
  const open = [...atoms];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen[node] === 1) continue;
    seen[node] = 1;
    if (node < plan.size && hasBegun(node)) found.push(node);
    for (let e = start[node]; e < start[node + 1]; e++) open.push(to[e]);
  }
  return found;
}
