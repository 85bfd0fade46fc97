/** Suites whose contenders are timed by turns, and the contenders that most have: a plain loop and both engines. */
import { createPool, type Engine, load, type Pool } from 'millrace';
import type { Workload } from './flows.js';
import { byTurns, type Contender, QUICK, THOROUGH } from './measure.js';
import type { Bound, Figure, Setting, Suite } from './suite.js';

export interface Entry extends Contender {
  /** Which median is divided by which, one of them its own, and what is asked of that. */
  readonly ratio?: readonly [over: string, under: string, asked?: Bound];
  /** What is asked of it, in ms a task. */
  readonly asked?: Bound;
}

interface TimedSuite {
  readonly name: string;
  readonly about: string;
  /** How many tasks each contender runs, or compiles. */
  readonly size: number;
  /** The threads of the pool start when one of them runs in it. */
  contenders(pool: Pool): readonly Entry[] | Promise<readonly Entry[]>;
}

/** The figures are times a task, then ratios: the time until a contender is done, divided by the number of tasks. */
export function timed(setting: Setting, { size, contenders, ...suite }: TimedSuite): Suite {
  const measure = async () => {
    await using pool = await createPool({ workers: setting.workers });
    const entries = await contenders(pool);
    const timings = await byTurns(entries, setting.quick ? QUICK : THOROUGH);
    const medians = new Map(timings.map(({ name, median }) => [name, median]));
    const times = timings.map(({ name, median, deviation, turns }, i): Figure => {
      const { asked } = entries[i];
      return { name, value: median / size, unit: 'ms', spread: deviation / median, turns, ...(asked && { asked }) };
    });
    const ratios = entries.flatMap(({ ratio }): Figure[] => {
      if (!ratio) return [];
      const [over, under, asked] = ratio;
      const value = medians.get(over)! / medians.get(under)!;
      return [{ name: `${over} / ${under}`, value, unit: 'ratio', ...(asked && { asked }) }];
    });
    return { figures: [...times, ...ratios] };
  };
  return { ...suite, about: size === 1 ? suite.about : `${size} tasks, ${suite.about}`, measure };
}

/** A plain loop, and both engines. Each run has a new engine, loaded and validated before; the plan is compiled once. */
export function runs(workload: Workload, pool: Pool) {
  const flow = workload.compose(workload.tasks());
  const { inputs, outputs } = workload;
  const on = (options: Parameters<typeof load>[1]) => {
    let engine: Engine;
    const prepare = () => {
      engine = load(flow, { ...options, inputs, outputs }).validate();
    };
    return { prepare, run: () => engine.run() };
  };
  return {
    loop: { name: 'loop', run: workload.loop },
    serial: { name: 'serial', ...on({ engine: 'serial' }) },
    parallel: { name: 'parallel', ...on({ engine: 'parallel', pool }) },
  };
}
