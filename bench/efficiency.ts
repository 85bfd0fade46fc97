/** How much of the time goes into the work itself, by the length of tasks: for the engines, and for whatever else runs grids of tasks. */
import { load, type Pool } from 'millrace';
import { type Dependence, flowOf, type Grid, gridOf } from './grids.js';
import { compute } from './peers/cell.js';
import type { Chart, Setting } from './suite.js';

/** How many tasks there are at most. */
const MOST = { quick: 1000, thorough: 4000 };
/** How many at least, and how long they are at most, in ms: few tasks that depend on each other would leave workers without any. */
const INDEPENDENT = { fewest: 8, longest: 100 };
const DEPENDENT = { fewest: 64, longest: 10 };

/** Something that runs grids of tasks. */
export interface Runner {
  readonly name: string;
  /** How many tasks it runs at the same time. */
  readonly workers: number;
  /** Makes ready what is not timed. */
  prepare(grid: Grid, iterations: number): () => PromiseLike<unknown>;
}

/** What was found out of a runner: points of a chart. */
export type Efficiencies = Map<string, [length: number, efficiency: number][]>;

/** The efficiency of each runner by length, once their code is compiled and their threads have started. */
export async function efficiencies(
  dependence: Dependence,
  setting: Setting,
  lengths: readonly number[],
  runners: readonly Runner[],
  pool: Pool,
): Promise<Efficiencies> {
  const series: Efficiencies = new Map(runners.map(({ name }) => [name, []]));
  await measured(dependence, setting, [lengths[0], lengths[0]], runners, pool);
  for (const { length, of } of await measured(dependence, setting, lengths, runners, pool)) {
    for (const [name, efficiency] of of) series.get(name)!.push([length, efficiency]);
  }
  return series;
}

/**
 * The efficiency of each runner, for each length. The best of several turns counts, of what the cores can give as well: others on
 * the machine only take away from it.
 */
async function measured(
  dependence: Dependence,
  { workers, quick, iterationsPerMs }: Setting,
  lengths: readonly number[],
  runners: readonly Runner[],
  pool: Pool,
): Promise<{ length: number; of: [name: string, efficiency: number][] }[]> {
  const { fewest } = limitsOf(dependence);
  const turns = quick ? 2 : 4;
  const work = quick ? 10 : 40; // ms for each worker
  const whole = Math.round(iterationsPerMs * work);
  const speeds = [alone(whole), together(whole, workers, pool)];
  const rates = [0, 0]; // iterations a ms and core
  const order = [...runners];
  const times: { length: number; total: number; best: Map<string, number> }[] = [];
  for (const length of lengths) {
    const grid = gridOf(
      dependence,
      Math.max(fewest, Math.min(quick ? MOST.quick : MOST.thorough, Math.round((work * workers) / length))),
    );
    const iterations = Math.round(iterationsPerMs * length);
    const best = new Map<string, number>();
    for (let turn = 0; turn < turns; turn++) {
      for (const [i, speed] of speeds.entries()) rates[i] = Math.max(rates[i], whole / (await timeOf(speed)));
      for (const { name, prepare } of order) {
        const time = await timeOf(prepare(grid, iterations));
        best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, time));
      }
      order.reverse();
    }
    times.push({ length, total: grid.size * iterations, best });
  }
  return times.map(({ length, total, best }) => ({
    length,
    of: runners.map(({ name, workers: own }) => [name, total / rates[own === 1 ? 0 : 1] / own / best.get(name)!]),
  }));
}

export function limitsOf({ name }: Dependence) {
  return name === 'trivial' ? INDEPENDENT : DEPENDENT;
}

type Speed = () => PromiseLike<unknown>;

async function timeOf(run: () => PromiseLike<unknown>): Promise<number> {
  const begun = performance.now();
  await run();
  return performance.now() - begun;
}

function alone(iterations: number): Speed {
  return async () => compute(iterations, 1);
}

/** One long task on each worker, all at the same time. */
function together(iterations: number, workers: number, pool: Pool): Speed {
  const { flow } = flowOf(gridOf({ name: 'whole', width: workers, before: () => [] }, workers));
  return () => load(flow, { pool, engine: 'parallel', inputs: { iterations } }).run();
}

export function engine(kind: 'serial' | 'parallel', workers: number, pool?: Pool): Runner {
  const flows = new WeakMap<Grid, ReturnType<typeof flowOf>>();
  return {
    name: kind,
    workers,
    prepare(grid, iterations) {
      const made = flows.get(grid) ?? flowOf(grid);
      flows.set(grid, made);
      const { flow, outputs } = made;
      const loaded = load(flow, { engine: kind, pool, inputs: { iterations }, outputs }).validate();
      return () => loaded.run();
    },
  };
}

/** The length from which on the efficiency is at least so much, between two that were measured; `undefined`: it never is. */
export function shortest(
  points: readonly (readonly [length: number, efficiency: number])[],
  wanted: number,
): number | undefined {
  const below = points.findLastIndex(([, efficiency]) => efficiency < wanted);
  if (below === points.length - 1) return undefined;
  const [length, efficiency] = points[below + 1];
  if (below < 0) return length;
  const [shorter, less] = points[below];
  return shorter * (length / shorter) ** ((wanted - less) / (efficiency - less));
}

export function chartOf(title: string, series: Efficiencies): Chart {
  return {
    title,
    x: { label: 'length of a task', unit: 'ms', log: true },
    y: { label: 'efficiency', unit: 'part' },
    series: Array.from(series, ([name, points]) => ({ name, points })),
  };
}
