/**
 * How long tasks must be so that half of the time goes into them: the minimum effective task granularity, METG(50 %), of the
 * engines, and of other pools of worker threads that are driven by hand.
 */
import { createPool } from 'millrace';
import { chartOf, type Efficiencies, efficiencies, engine, limitsOf, type Runner, shortest } from '../efficiency.js';
import { DEPENDENCES, type Dependence, type Grid } from '../grids.js';
import { drive, graphOf } from '../peers/drive.js';
import { type Crew, PEERS } from '../peers/peers.js';
import type { Bound, Figure, Result, Setting, Suite } from '../suite.js';

/** In ms. */
const LENGTHS = [1e-3, 1e-2, 0.1, 1, 10].flatMap((unit) => [unit, 2 * unit, 5 * unit]).concat(100);
const QUICK_LENGTHS = [1e-3, 1e-2, 0.1, 1];
/** What is asked of the parallel engine, in ms. */
const ASKED: Readonly<Record<string, number>> = { trivial: 3e-3, stencil_1d: 8e-3 };
const ASKED_AT_1_MS: Bound = { least: 0.96 };

export function metg(setting: Setting): Suite[] {
  return DEPENDENCES.map((dependence) => ({
    name: `metg ${dependence.name}`,
    about: `efficiency by length of tasks, ${setting.workers} workers; run only`,
    measure: () => measure(dependence, setting),
  }));
}

async function measure(dependence: Dependence, setting: Setting): Promise<Result> {
  const { workers, quick } = setting;
  const lengths = quick ? QUICK_LENGTHS : LENGTHS.filter((length) => length <= limitsOf(dependence).longest);
  await using pool = await createPool({ workers });
  const crews = PEERS.map(({ name, start }) => ({ name, crew: start(workers) }));
  try {
    const runners = [engine('serial', 1), engine('parallel', workers, pool), ...crews.flatMap(driven(workers))];
    const series = await efficiencies(dependence, setting, lengths, runners, pool);
    return resultOf(dependence, series);
  } finally {
    for (const { crew } of crews) await within(2000, crew.stop());
  }
}

/** Some pools wait for ever for threads that keep nothing alive. */
async function within(ms: number, stopped: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([stopped, late]);
  clearTimeout(timer);
}

/** Pools by themselves, and p-graph over the first of them. */
function driven(workers: number) {
  return ({ name, crew }: { name: string; crew: Crew }, i: number): Runner[] => {
    const byHand: Runner = {
      name,
      workers,
      prepare: (grid, iterations) => () => drive(grid, iterations, crew, workers),
    };
    if (i > 0) return [byHand];
    const prepare = (grid: Grid, iterations: number) => graphOf(grid, iterations, crew, workers);
    return [byHand, { name: `p-graph, ${name}`, workers, prepare }];
  };
}

function resultOf({ name: pattern }: Dependence, series: Efficiencies): Result {
  const figures = [...series].flatMap(([name, points]): Figure[] => {
    const value = shortest(points, 0.5);
    const most = name === 'parallel' ? ASKED[pattern] : undefined;
    return value === undefined
      ? []
      : [{ name: `METG(50 %), ${name}`, value, unit: 'ms', ...(most && { asked: { most } }) }];
  });
  const at1ms = series.get('parallel')!.find(([length]) => length === 1)![1];
  const asked = pattern === 'trivial' && { asked: ASKED_AT_1_MS };
  figures.push({ name: 'efficiency of 1 ms tasks, parallel', value: at1ms, unit: 'part', ...asked });
  return { figures, charts: [chartOf(`Efficiency, ${pattern}`, series)] };
}
