/** Flows that are killed, and what has to come of them all the same. */

import type { RecordedFlow } from '../../src/engine/recording.js';
import { decodeStored } from '../../src/stored/index.js';
import fc from '../fast-check.js';
import { type RandomFailing, randomFailing, sketch, tamed } from '../reference/random-resolution.js';
import {
  type Atom,
  type FlowSpec,
  type ItemSpec,
  type LinkSpec,
  Order,
  Resolution,
  type RetrySpec,
} from '../reference/resolution.js';
import type { Shape } from './account.js';
import type { Death, Errand } from './child.js';
import { type Small, smallShape } from './small.js';

/** How often a flow whose revert fails is run, at most. */
export const PATIENCE = 4;

/** When a process is killed: after so many more lines of the journal, around a call of the store, or after so many ms. */
export type Kill = Death | { readonly delay: number };

export interface Trial extends Pick<Errand, 'flow' | 'policy' | 'options' | 'observed'> {
  readonly kills: readonly Kill[];
  readonly shape: Shape;
  /** What is determined, whatever the order in which the atoms run. */
  readonly expected: Expected | undefined;
  /** What is told of it when it goes wrong. */
  readonly about: string;
}

/** What becomes of a flow that nobody kills. */
export interface Expected {
  readonly state: string;
  /** What it provides, or who is to blame. */
  readonly outcome: unknown;
  /** How what is recorded in the end differs from that. */
  differences(recorded: RecordedFlow): string[];
}

const someKill: fc.Arbitrary<Kill> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ lines: fc.integer({ min: 1, max: 10 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      call: fc.integer({ min: 1, max: 8 }),
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ delay: fc.integer({ min: 40, max: 200 }) }) },
);

export const long = process.env.TEST_RUNS !== undefined;

/** How often a process is killed, in short runs and in long ones. */
const KILLS = long ? { minLength: 4, maxLength: 12 } : { minLength: 3, maxLength: 4 };

/** Flows that run serially; or in parallel, with one failure at a time, so that all is determined, or several. */
export const KINDS = ['serial', 'parallel, one failure at a time', 'parallel'] as const;

export function randomTrial(kind: (typeof KINDS)[number], seed: number): Trial {
  const options: Trial['options'] = kind === 'serial' ? { engine: 'serial' } : { engine: 'parallel', workers: 2 };
  const flows = randomFailing().filter(({ root }) => new Order(root).atoms.length > 4);
  const arbitrary = fc.record({
    random: kind === KINDS[1] ? flows.map(tamed) : flows,
    kills: fc.array(someKill, { ...KILLS, size: 'max' }),
  });
  const { random, kills } = fc.sample(arbitrary, { seed, numRuns: 1 })[0];
  const settled = settle(random);
  const { root: flow, policy } = settled;
  return {
    ...{ flow, policy, options, kills, shape: shapeOf(flow), observed: seed % 2 === 0 },
    expected: kind === 'parallel' ? undefined : resolve(settled, kind === 'serial'),
    about: `${kind}, seed ${seed}\n${sketch({ ...settled, steps: [] })}\n${JSON.stringify(kills)}`,
  };
}

export function smallTrial(flow: Small, options: Trial['options'], kills: readonly Kill[], expected?: Expected): Trial {
  const policy = { failurePolicy: 'stop', deferReverts: true } as const;
  const about = `${flow}, ${options.engine}, killed at ${JSON.stringify(kills)}`;
  return {
    flow,
    policy,
    options,
    kills,
    shape: smallShape(flow, options.engine === 'serial'),
    observed: false,
    expected,
    about,
  };
}

/** The same without what depends on how often something was asked, as it may be asked once more. */
function settle({ root, policy, steps }: RandomFailing): RandomFailing {
  const steady = (retry: RetrySpec | undefined): RetrySpec | undefined => {
    if (retry?.kind !== 'custom') return retry;
    const [fails, revertFails] = [retry.fails, retry.revertFails].map((one) => (one === 'always' ? one : []));
    return { ...retry, fails, revertFails, byAttempt: true };
  };
  const settled = <T extends ItemSpec>(item: T): T => {
    const retry = steady(item.retry);
    if (item.kind === 'task') return { ...item, retry };
    const links = item.links.map((link) => ({ ...link, answers: link.answers.slice(0, 1) }));
    return { ...item, retry, links, items: item.items.map(settled) };
  };
  return { root: settled(root), policy: { ...policy, neverResolve: false }, steps };
}

function shapeOf(root: FlowSpec): Shape {
  const order = new Order(root);
  const atoms = order.atoms.map((atom) => ({
    name: atom.name,
    controller: atom.flow !== undefined,
    written: atom.task !== undefined || atom.retry?.kind === 'custom',
    silent: atom.requires.length > 0 || decidersOf(order, atom).some(({ answers }) => answers.includes('throw')),
    ignorable: decidersOf(order, atom).some(({ answers }) => answers.length > 0),
    mayFail: atom.task?.mayFail === true,
  }));
  return { atoms, before: (first, second) => order.before(order.named(first), order.named(second)) };
}

/** The links whose deciders may have a say in whether an atom runs. */
function decidersOf({ atoms }: Order, atom: Atom): readonly LinkSpec[] {
  const around = atom.levels.flatMap(({ flow }) => flow.links);
  const everywhere = atoms.flatMap(({ levels }) => levels.flatMap(({ flow }) => flow.links));
  return [...around, ...everywhere.filter(({ depth }) => depth === 'all')];
}

/** @param total whether even that is determined which has nothing to do with a failure */
function resolve({ root, policy }: RandomFailing, total: boolean): Expected {
  const meaning = new Resolution(root, policy);
  for (let stage = 0; stage < PATIENCE; stage++) {
    meaning.run();
    if (meaning.state !== 'FAILURE') break;
  }
  const { order, state, histories } = meaning;
  const culprits = meaning.culprits.map((name) => order.named(name));
  const isDetermined = (atom: Atom) => {
    if (total || state === 'SUCCESS') return true;
    if (state === 'FAILURE' && !culprits.includes(atom)) return false;
    return culprits.every((other) => atom === other || order.before(atom, other));
  };
  const differences = (recorded: RecordedFlow) => {
    const found = new Differences();
    for (const atom of order.atoms.filter(isDetermined)) {
      const { name } = atom;
      const row = recorded.atoms.get(name);
      // What was about to run when a process ended may have run, and was reverted.
      const spared = atom.state === 'PENDING' && row?.state === 'REVERTED';
      if (!spared) found.compare(name, row?.state ?? 'PENDING', atom.state);
      if (atom.state === 'SUCCESS') found.compare(`the result of ${name}`, valueIn(row?.result), atom.result);
      if (!histories[name]) continue;
      const attempts = (recorded.histories.get(name) ?? []).map(({ value, failures }) => ({
        value: valueIn(value),
        failures: Object.keys(valueIn(failures) ?? {}).sort(),
      }));
      // That the retry of a task was not asked once more says that the task has succeeded.
      const asked = histories[name].filter(({ failures }) => !atom.task || failures.length > 0);
      found.compare(`the history of ${name}`, attempts, asked);
    }
    return found.all;
  };
  return { state, outcome: state === 'SUCCESS' ? meaning.outputs : meaning.culprits, differences };
}

/** What was recorded of a flow when nobody killed it. */
export function asRecorded(before: RecordedFlow, outcome: unknown): Expected {
  const differences = (recorded: RecordedFlow) => {
    const found = new Differences();
    found.compare('the atoms', [...recorded.atoms.keys()].sort(), [...before.atoms.keys()].sort());
    for (const [name, { state, result, kind, parent }] of before.atoms) {
      const row = recorded.atoms.get(name);
      found.compare(name, row?.state, state);
      found.compare(`the result of ${name}`, valueIn(row?.result), valueIn(result));
      found.compare(`the place of ${name}`, [row?.kind, row?.parent], [kind, parent]);
    }
    for (const [name, history] of before.histories) {
      found.compare(`the history of ${name}`, recorded.histories.get(name)?.length, history.length);
    }
    return found.all;
  };
  return { state: before.state, outcome, differences };
}

class Differences {
  readonly all: string[] = [];

  compare(what: string, actual: unknown, should: unknown): void {
    const [a, b] = [actual, should].map((value) => JSON.stringify(value));
    if (a !== b) this.all.push(`${what}: ${a}, and not ${b}`);
  }
}

function valueIn(stored: Parameters<typeof decodeStored>[0] | undefined): any {
  return stored && decodeStored(stored);
}
