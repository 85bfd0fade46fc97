/** What a task costs in flows of a thousand tasks, and of a million: in time, and in memory. */
import { setImmediate } from 'node:timers/promises';
import { createPool, type Engine, load, type Pool } from 'millrace';
import { chain, elements, fanOut, randomGraph, squareLayers, type Workload } from '../flows.js';
import { middle } from '../measure.js';
import type { Bound, Figure, Series, Setting, Suite } from '../suite.js';

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
/** `asked`: of a million tasks in a serial run, in ms a task. */
const KINDS: readonly { make: (size: number) => Workload; largest?: number; asked?: Bound }[] = [
  { make: chain, asked: { most: 800e-6 } },
  { make: fanOut, asked: { most: 800e-6 } },
  { make: squareLayers, largest: 90_000 },
  { make: randomGraph },
  { make: elements, asked: { most: 100e-6 } },
];
/** A flow is run for so many ms, all in all, and no more often than `MOST`. */
const TIME = 1_000;
const MOST = 50;

export function scale(setting: Setting): Suite[] {
  const largest = setting.quick ? 100_000 : 1_000_000;
  return ['serial', 'parallel'].flatMap((engine) =>
    KINDS.map(({ make, largest: most = largest, asked }) => ({
      name: `scale ${engine} ${make(2).name}`,
      about:
        'a task of flows with so many; first declared, compiled and run, then only run, and what is kept in memory',
      async measure() {
        await using pool = engine === 'parallel' ? await createPool({ workers: setting.workers }) : undefined;
        const sizes = SIZES.map((size) => Math.min(size, most, largest)).filter((size, i, all) => size !== all[i - 1]);
        const costs: Cost[] = [];
        for (const size of sizes) costs.push(await costOf(make(size), pool));
        const series = (of: (cost: Cost) => number, shown = costs): Series[] => [
          { name: make(2).name, points: shown.map((cost) => [cost.size, of(cost)]) },
        ];
        const x = { label: 'tasks', unit: 'number', log: true } as const;
        const y = { label: 'a task', unit: 'ms', log: true } as const;
        return {
          figures: [
            ...costs.flatMap((cost) =>
              figuresOf(cost, pool === undefined && cost.size === 1_000_000 ? asked : undefined),
            ),
            {
              name: 'largest / smallest',
              value: costs.at(-1)!.all / costs[0].all,
              unit: 'ratio',
            },
          ],
          charts: [
            { title: `${engine}: declare, compile and run`, x, y, series: series((cost) => cost.all) },
            { title: `${engine}: run only`, x, y, series: series((cost) => cost.run) },
            {
              title: `${engine}: memory kept`,
              ...{
                x,
                y: { label: 'a task', unit: 'bytes' } as const,
                series: series((cost) => cost.bytes, costs.slice(1)),
              },
            },
          ],
        };
      },
    })),
  );
}

interface Cost {
  readonly size: number;
  /** In ms a task, the median; to declare, compile and run, and to run only. */
  readonly all: number;
  readonly run: number;
  readonly spread: number;
  readonly turns: number;
  /** What a task takes while the flow, its plan and the engine are held, in bytes. */
  readonly bytes: number;
}

async function costOf(workload: Workload, pool: Pool | undefined): Promise<Cost> {
  const { size } = workload;
  const all: number[] = [];
  const run: number[] = [];
  // The first turn is for the memory; code is compiled in it, and the parallel engine learns what tasks cost. To collect the
  // garbage between the others would throw compiled code away.
  const bytes = (await heldBy(() => runOnce(workload, pool))) / size;
  for (let turn = 0, time = 0; turn < 1 || (time < TIME && turn < MOST); turn++) {
    const { total, running } = await runOnce(workload, pool);
    all.push(total / size);
    run.push(running / size);
    time += total;
  }
  const { median, deviation } = middle(all);
  return { size, all: median, run: middle(run).median, spread: deviation / median, turns: all.length, bytes };
}

/** Declares, compiles and runs the flow. */
async function runOnce({ compose, tasks, inputs }: Workload, pool: Pool | undefined) {
  const begun = performance.now();
  const engine = load(compose(tasks()), { inputs, ...(pool ? { engine: 'parallel', pool } : { engine: 'serial' }) });
  engine.compile();
  const compiled = performance.now();
  await engine.run();
  const end = performance.now();
  return { engine, total: end - begun, running: end - compiled };
}

/** The memory that is taken by what something returns, in bytes. */
async function heldBy(make: () => Promise<{ readonly engine: Engine }>): Promise<number> {
  const before = await held();
  const { engine } = await make();
  const after = await held();
  if (engine.state !== 'SUCCESS') throw new Error('the flow failed'); // and the engine is held until here
  return after - before;
}

async function held(): Promise<number> {
  // What an await still holds, and what is weakly held, goes only with the next turn of the event loop.
  for (let i = 0; i < 3; i++) {
    await setImmediate();
    gc!();
  }
  const { heapUsed, external } = process.memoryUsage(); // what is external holds the array buffers, too
  return heapUsed + external;
}

function figuresOf({ size, all, run, spread, turns, bytes }: Cost, asked: Bound | undefined): Figure[] {
  return [
    { name: `${name(size)}, all`, value: all, unit: 'ms', spread, turns, ...(asked && { asked }) },
    { name: `${name(size)}, run`, value: run, unit: 'ms' },
    // A thousand tasks are lost beside what comes and goes in the meantime.
    ...(size > 1_000 ? [{ name: `${name(size)}, memory`, value: bytes, unit: 'bytes' } as const] : []),
  ];
}

function name(size: number): string {
  return size.toLocaleString('en');
}
