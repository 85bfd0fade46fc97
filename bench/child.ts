/** Measures one suite, in the process that `main.ts` has started for it, and sends what it found out, or why it could not. */
import type { Result, Setting } from './suite.js';
import { suitesOf } from './suites/index.js';

export type Answer = Result | { readonly why: string };

const { suite, setting } = JSON.parse(process.argv[2]) as { suite: string; setting: Setting };
const answer = await suitesOf(setting)
  .find(({ name }) => name === suite)!
  .measure()
  .catch((error): Answer => {
    console.error(error);
    process.exitCode = 1;
    return { why: String(error) };
  });
process.send!(answer, () => process.exit()); // a suite that has failed may have left threads behind
