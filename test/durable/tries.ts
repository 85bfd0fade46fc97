/** Many trials, in long runs more of them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bundle } from './bundle.js';
import { tryOut } from './killer.js';
import {
  asRecorded,
  type Expected,
  type KINDS,
  type Kill,
  long,
  randomTrial,
  smallTrial,
  type Trial,
} from './model.js';
import type { Small } from './small.js';

let made: Promise<string> | undefined;

/** The program that is killed. */
export function program(): Promise<string> {
  made ??= bundle();
  return made;
}

/** Carries out the trials, two at a time, and asserts that no rule was broken. */
export async function tryAll(trials: readonly Trial[]): Promise<void> {
  let killed = 0;
  await eachOf(trials, async (trial) => {
    const verdict = await tryOut(await program(), trial);
    const { violations } = verdict;
    assert.is(violations.length, 0, `${violations.join('\n')}\n${trial.about}`);
    killed += verdict.killed;
  });
  assert.ok(killed >= trials.length / 2, `of ${trials.length} flows the processes were killed ${killed} times`);
}

/** Waits for what is done with each of them, two at a time. */
export async function eachOf<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  const work = async () => {
    for (const one of left) await act(one);
  };
  await Promise.all([work(), work()]);
}

/** Defines a test of random flows: so many of them, and in long runs twenty times as many. */
export function testRandom(kind: (typeof KINDS)[number], rounds: number): void {
  const { TEST_ROUNDS, TEST_SEED } = process.env;
  const count = Number(TEST_ROUNDS || (long ? 20 * rounds : rounds));
  const first = Number(TEST_SEED || 1);
  test(`a flow that is killed again and again ends as if nobody had killed it (${kind})`, () =>
    tryAll(Array.from({ length: count }, (_, i) => randomTrial(kind, first + i))));
}

/** What comes of a small flow that nobody kills, and how many calls of the store that takes. */
export async function undisturbed(
  flow: Small,
  options: Trial['options'],
): Promise<{ expected: Expected; calls: number }> {
  const { violations, recorded, report } = await tryOut(await program(), smallTrial(flow, options, []));
  assert.equal(violations, []);
  return { expected: asRecorded(recorded!, report!.outcome), calls: report!.calls };
}

/** Before and after each call. */
export function points(calls: number): Kill[] {
  return Array.from({ length: calls }, (_, i) => i + 1).flatMap((call) => [
    { call, when: 'before' },
    { call, when: 'after' },
  ]);
}

/** In short runs, one of so many. */
export function some<T>(all: readonly T[], share: number): T[] {
  return all.filter((_, i) => long || i % share === 0);
}

/** How many of the points of each engine are tried in short runs: one of so many. */
export const ENGINES: readonly { readonly options: Trial['options']; readonly share: number }[] = [
  { options: { engine: 'serial' }, share: 6 },
  { options: { engine: 'parallel', workers: 2 }, share: 13 },
];
