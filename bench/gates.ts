/** What must hold, and whether it does: ratios within one run, which a busy machine disturbs least. */
import { type Bound, keeps, type Measured } from './suite.js';

/** A figure that has to be so much at least, or at most. */
export interface Gate {
  readonly suite: string;
  readonly figure: string;
  readonly bound: Bound;
  /** Without so many cores it says nothing. */
  readonly cores: number;
}

export const GATES: readonly Gate[] = [
  { suite: 'serial no-op chain', figure: 'serial / loop', bound: { most: 25 }, cores: 1 },
  { suite: 'serial no-op random graph', figure: 'serial / loop', bound: { most: 25 }, cores: 1 },
  { suite: 'scale serial chain', figure: 'largest / smallest', bound: { most: 2.5 }, cores: 1 },
  { suite: 'values, transferred', figure: '16 MiB, parallel / piscina', bound: { most: 2 }, cores: 2 },
  { suite: 'serial 100 us tasks', figure: 'serial / loop', bound: { most: 1.05 }, cores: 1 },
  { suite: 'parallel 1 ms tasks', figure: 'serial / parallel', bound: { least: 1.8 }, cores: 2 },
  { suite: 'record serial 10 ms tasks', figure: 'sqlite normal / no record', bound: { most: 1.06 }, cores: 1 },
  { suite: 'executors, import', figure: 'taskflow serial / direct', bound: { most: 1.05 }, cores: 1 },
  { suite: 'executors, import', figure: 'direct / taskflow parallel', bound: { least: 1.7 }, cores: 2 },
];

export const ATTEMPTS = 3;

export interface Verdict {
  readonly verdict: 'passed' | 'FAILED' | 'SKIPPED';
  readonly what: string;
  readonly limit: string;
  /** The figure of each attempt. */
  readonly values: readonly number[];
  readonly why?: string;
}

/**
 * Checks the gates of each suite, each time on the same measurement. The best of several attempts counts: others on the machine
 * can make a ratio worse, and hardly better.
 */
export async function check(
  gates: readonly Gate[],
  usableCores: number,
  measure: (suite: string) => Promise<Measured | undefined>,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const suite of new Set(gates.map((gate) => gate.suite))) {
    const checks = gates.filter((gate) => gate.suite === suite).map((gate) => ({ gate, values: [] as number[] }));
    const open = () =>
      checks.filter(({ gate, values }) => usableCores >= gate.cores && !values.some((one) => keeps(gate.bound, one)));
    for (let attempt = 0; attempt < ATTEMPTS && open().length > 0; attempt++) {
      const figures = (await measure(suite))?.figures;
      if (!figures) continue;
      for (const { gate, values } of open()) values.push(figures.find(({ name }) => name === gate.figure)!.value);
    }
    verdicts.push(...checks.map(({ gate, values }) => verdictOf(gate, values, usableCores)));
  }
  return verdicts;
}

function verdictOf({ suite, figure, bound, cores }: Gate, values: readonly number[], usableCores: number): Verdict {
  const limit = 'most' in bound ? `at most ${bound.most}` : `at least ${bound.least}`;
  const about = { what: `${suite}: ${figure}`, limit, values };
  if (usableCores < cores) {
    const why = `this takes ${cores} cores, and the process may use ${usableCores}: nothing was checked`;
    return { verdict: 'SKIPPED', ...about, why };
  }
  if (values.length === 0) return { verdict: 'FAILED', ...about, why: 'it could not be measured' };
  if (values.some((one) => keeps(bound, one))) return { verdict: 'passed', ...about };
  const off = 'most' in bound ? Math.min(...values) / bound.most - 1 : 1 - Math.max(...values) / bound.least;
  return { verdict: 'FAILED', ...about, why: `the best is off by ${(off * 100).toFixed(1)} %` };
}
