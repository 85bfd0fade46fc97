/** Times things by turns. */
import { Bench } from 'tinybench';

/** Something to be timed. */
export interface Contender {
  readonly name: string;
  /** Comes before the first turn of all contenders. */
  open?(): Promise<void>;
  /** Comes before each turn, and is not timed. */
  prepare?(): void | Promise<void>;
  run(): unknown;
  /** Comes after the last turn of all contenders, whether it was opened or not. */
  close?(): Promise<void>;
}

export interface Timing {
  readonly name: string;
  /** The median, in ms. */
  readonly median: number;
  /** The median distance from the median, in ms. */
  readonly deviation: number;
  readonly turns: number;
}

/** How many turns are taken. */
export interface Turns {
  /** Turns that are not counted: code is compiled, threads start, the parallel engine learns what tasks cost. */
  readonly warmUp: number;
  readonly fewest: number;
  readonly most: number;
  /** For at least so many ms, unless that makes more turns than `most`. */
  readonly time: number;
}

export const THOROUGH: Turns = { warmUp: 4, fewest: 10, most: 100, time: 3_000 };
export const QUICK: Turns = { warmUp: 2, fewest: 3, most: 20, time: 300 };

/**
 * Times contenders by turns, to and fro (A, B, B, A, A, B, ...): on a machine that others use too, what disturbs one then
 * disturbs the other as well, so that the ratio of their medians holds even where the medians do not.
 */
export async function byTurns(contenders: readonly Contender[], turns: Turns): Promise<Timing[]> {
  try {
    for (const contender of contenders) await contender.open?.();
    return await takeTurns(contenders, turns);
  } finally {
    for (const contender of contenders) await contender.close?.();
  }
}

async function takeTurns(contenders: readonly Contender[], { warmUp, fewest, most, time }: Turns): Promise<Timing[]> {
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
  const samples = new Map<string, number[]>();
  for (const { name, prepare, run } of contenders) {
    bench.add(name, run, { async: true, beforeEach: () => prepare?.() });
    samples.set(name, []);
  }
  const order = [...bench.tasks];
  let begun = 0;
  for (let turn = -warmUp; turn < most && (turn < fewest || performance.now() - begun < time); turn++) {
    if (turn === 0) begun = performance.now();
    for (const task of order) {
      task.reset(); // one that has a result is not run again
      const { result } = await task.run();
      if (turn >= 0 && result.state === 'completed') samples.get(task.name)!.push(result.latency.mean);
    }
    order.reverse();
  }
  return [...samples].map(([name, times]) => ({ name, ...middle(times), turns: times.length }));
}

/** The median, and the median distance from it. */
export function middle(values: readonly number[]): { median: number; deviation: number } {
  const center = median(values);
  return { median: center, deviation: median(values.map((one) => Math.abs(one - center))) };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
