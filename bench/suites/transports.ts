/** How tasks may come to threads: what each way costs, beside the parallel engine, which takes packets by message and a crew in shared memory. */
import { deepStrictEqual } from 'node:assert';
import { fileURLToPath } from 'node:url';
import { createPool } from 'millrace';
import { Piscina } from 'piscina';
import { chartOf, efficiencies, engine, shortest } from '../efficiency.js';
import { DEPENDENCES, type Dependence, gridOf } from '../grids.js';
import type { Figure, Result, Setting, Suite } from '../suite.js';
import { transports as byHand } from '../transports/transports.js';

/** In ms. */
const LENGTHS = [1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2];
const QUICK_LENGTHS = [1e-3, 1e-2, 0.1];
/** The length of which the efficiency is told. */
const SHOWN = 1e-2;

export function transports(setting: Setting): Suite[] {
  return DEPENDENCES.filter(({ name }) => name === 'trivial' || name === 'stencil_1d').map((dependence) => ({
    name: `transports ${dependence.name}`,
    about: `efficiency by length of tasks and by the way they come to a thread, ${setting.workers} workers; run only`,
    measure: () => measure(dependence, setting),
  }));
}

async function measure(dependence: Dependence, setting: Setting): Promise<Result> {
  const { workers, quick } = setting;
  await using pool = await createPool({ workers });
  const threads = new Piscina({
    filename: fileURLToPath(new URL('../transports/worker.js', import.meta.url)),
    ...{ minThreads: workers, maxThreads: workers, concurrentTasksPerWorker: 1, recordTiming: false },
  });
  try {
    const ways = byHand(threads, workers);
    const small = gridOf(dependence, 100);
    const results = [];
    for (const { prepare } of ways) results.push(Array.from((await prepare(small, 10)()) as ArrayLike<number>));
    for (const [i, { name }] of ways.entries()) deepStrictEqual(results[i], results[0], `${name}: the result is wrong`);
    const runners = [engine('parallel', workers, pool), ...ways];
    const series = await efficiencies(dependence, setting, quick ? QUICK_LENGTHS : LENGTHS, runners, pool);
    const figures = [...series].flatMap(([name, points]): Figure[] => {
      const value = shortest(points, 0.5);
      const [, part] = points.find(([length]) => length === SHOWN)!;
      return [
        ...(value === undefined ? [] : [{ name: `METG(50 %), ${name}`, value, unit: 'ms' } as const]),
        { name: `efficiency of 10 us tasks, ${name}`, value: part, unit: 'part' },
      ];
    });
    return { figures, charts: [chartOf(`Transports, ${dependence.name}`, series)] };
  } finally {
    await threads.destroy();
  }
}
