/** A grid in shared memory, for threads that read their arguments from there and write their results to it. */
import type { Grid } from '../grids.js';
import { compute } from '../peers/cell.js';

export interface SharedGrid {
  readonly iterations: number;
  /** The sources of task `i` are `sources[sourceStart[i] .. sourceStart[i + 1]]`; so with its targets. */
  readonly sourceStart: Int32Array;
  readonly sources: Int32Array;
  readonly targetStart: Int32Array;
  readonly targets: Int32Array;
  readonly results: Float64Array;
}

export function shareGrid({ size, sources, targets }: Grid, iterations: number): SharedGrid {
  return {
    iterations,
    ...{ sourceStart: starts(sources), sources: ints(sources.flat()) },
    ...{ targetStart: starts(targets), targets: ints(targets.flat()) },
    results: new Float64Array(new SharedArrayBuffer(8 * size)),
  };
}

/** Runs a task of the grid. */
export function runCell({ iterations, sourceStart, sources, results }: SharedGrid, task: number): void {
  let seed = 1;
  for (let at = sourceStart[task]; at < sourceStart[task + 1]; at++) seed += results[sources[at]];
  results[task] = compute(iterations, seed);
}

export function ints(values: ArrayLike<number>): Int32Array {
  const shared = new Int32Array(new SharedArrayBuffer(4 * values.length));
  shared.set(values);
  return shared;
}

function starts(lists: readonly (readonly number[])[]): Int32Array {
  const start = [0];
  for (const list of lists) start.push(start[start.length - 1] + list.length);
  return ints(start);
}
