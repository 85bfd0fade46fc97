/** Times things by turns, and sets the figures in columns. */
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

/** Turns that are not counted: code is compiled, threads start, the parallel engine learns what tasks cost. */
const WARM_UP = 4;
const FEWEST = 10;
/** At least so many ms, unless that makes more turns than `MOST`. */
const TIME = 3_000;
const MOST = 100;

/**
 * Times contenders by turns, to and fro (A, B, B, A, A, B, ...): on a machine that others use too, what disturbs one then
 * disturbs the other as well, so that the ratio of their medians holds even where the medians do not.
 */
export async function byTurns(contenders: readonly Contender[]): Promise<Timing[]> {
  try {
    for (const contender of contenders) await contender.open?.();
    return await takeTurns(contenders);
  } finally {
    for (const contender of contenders) await contender.close?.();
  }
}

async function takeTurns(contenders: readonly Contender[]): Promise<Timing[]> {
  const bench = new Bench({ iterations: 1, time: 0, warmup: false, throws: true });
  const samples = new Map<string, number[]>();
  for (const { name, prepare, run } of contenders) {
    bench.add(name, run, { async: true, beforeEach: () => prepare?.() });
    samples.set(name, []);
  }
  const order = [...bench.tasks];
  let begun = 0;
  for (let turn = -WARM_UP; turn < MOST && (turn < FEWEST || performance.now() - begun < TIME); turn++) {
    if (turn === 0) begun = performance.now();
    for (const task of order) {
      task.reset(); // one that has a result is not run again
      const { result } = await task.run();
      if (turn >= 0 && result.state === 'completed') samples.get(task.name)!.push(result.latency.mean);
    }
    order.reverse();
  }
  return [...samples].map(([name, times]) => {
    const middle = median(times);
    const deviation = median(times.map((one) => Math.abs(one - middle)));
    return { name, median: middle, deviation, turns: times.length };
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** A time with three digits, in the unit that suits it. */
export function time(ms: number): string {
  if (ms < 1e-3) return `${(ms * 1e6).toPrecision(3)} ns`;
  if (ms < 1) return `${(ms * 1e3).toPrecision(3)} us`;
  if (ms < 1e3) return `${ms.toPrecision(3)} ms`;
  return `${(ms / 1e3).toPrecision(3)} s`;
}

/** Columns of text; those in `right` are set flush right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd();
  const [head, ...body] = rows;
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}
