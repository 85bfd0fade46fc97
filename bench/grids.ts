/**
 * The dependence patterns of [Task Bench](https://github.com/StanfordLegion/task-bench), by their names there: rows of tasks, one
 * row a time step, in which each task waits for some of the row before.
 */
import { type FlowItem, graph, task, unordered } from 'millrace';
import { compute } from './peers/cell.js';

/** Tasks by number, each after those that it waits for. */
export interface Grid {
  readonly size: number;
  /** For each task those that it waits for. */
  readonly sources: readonly (readonly number[])[];
  /** For each task those that wait for it. */
  readonly targets: readonly (readonly number[])[];
}

export interface Dependence {
  readonly name: string;
  /** How many tasks a row has at most. */
  readonly width: number;
  /** The first point of a row, and how many points it has. Default: all. */
  readonly row?: (step: number, steps: number) => readonly [first: number, count: number];
  /** The points of the row before that a point waits for, some of which may not be there. */
  readonly before: (point: number, step: number) => readonly number[];
}

const WIDTH = 8;
/** How far the neighbors of `random_nearest` are, how likely each is one, and after how many rows they are the same again. */
const RADIUS = 2;
const CONNECTED = 0.25;
const PERIOD = 3;

export const DEPENDENCES: readonly Dependence[] = [
  { name: 'trivial', width: WIDTH, before: () => [] },
  { name: 'stencil_1d', width: 4, before: (point) => [point - 1, point, point + 1] },
  {
    name: 'dom', // a sweep from one corner to the other
    width: WIDTH,
    row: (step, steps) => [Math.max(0, step + WIDTH - steps), Math.min(WIDTH, step + 1, steps - step)],
    before: (point) => [point - 1, point],
  },
  {
    name: 'tree',
    width: WIDTH,
    row: (step) => [0, Math.min(WIDTH, 2 ** Math.min(step, 30))],
    before: (point) => [point >> 1],
  },
  {
    name: 'fft',
    width: WIDTH,
    before(point, step) {
      const distance = 1 << ((step + Math.log2(WIDTH) - 1) % Math.log2(WIDTH));
      return [point - distance, point, point + distance];
    },
  },
  {
    name: 'random_nearest',
    width: WIDTH,
    before: (point, step) =>
      Array.from({ length: 2 * RADIUS + 1 }, (_, i) => point - RADIUS + i).filter(
        (other) => other === point || chance(step % PERIOD, point, other) < CONNECTED,
      ),
  },
];

/** A grid of at least so many tasks: it ends with a whole row. */
export function gridOf({ width, row, before }: Dependence, atLeast: number): Grid {
  const steps = Math.ceil(atLeast / width) + (row ? width : 0); // such rows are shorter at the ends
  const sources: number[][] = [];
  let last = new Map<number, number>();
  for (let step = 0; step < steps; step++) {
    const [first, count] = row?.(step, steps) ?? [0, width];
    const current = new Map<number, number>();
    for (let point = first; point < first + count; point++) {
      current.set(point, sources.length);
      sources.push(before(point, step).flatMap((other) => last.get(other) ?? []));
    }
    last = current;
  }
  const targets: number[][] = sources.map(() => []);
  for (const [i, list] of sources.entries()) for (const source of list) targets[source].push(i);
  return { size: sources.length, sources, targets };
}

/** The tasks, by how many others each waits for. */
const CELLS = Array.from({ length: 2 * RADIUS + 2 }, (_, count) => {
  const values = Array.from({ length: count }, (_, i) => `value${i}`);
  return task(import.meta.url, {
    name: `cell-${count}`,
    requires: ['iterations', ...values],
    execute(args: Record<string, number>) {
      let seed = 1;
      for (const name of values) seed += args[name];
      return compute(args.iterations, seed);
    },
  });
});

/** The flow needs `iterations`. Each task is given what those came to that it waits for. */
export function flowOf({ sources, targets }: Grid) {
  const free = sources.every((list) => list.length === 0);
  const tasks = sources.map((list, i): FlowItem => {
    const rebind = Object.fromEntries(list.map((source, k) => [`value${k}`, `cell-${source}`]));
    return CELLS[list.length].with({ name: `cell-${i}`, rebind, ...(!free && { provides: `cell-${i}` }) });
  });
  const outputs = free ? [] : targets.flatMap((list, i) => (list.length === 0 ? `cell-${i}` : []));
  return { flow: free ? unordered('grid', tasks) : graph('grid', tasks), outputs };
}

/** A number from 0 to 1 that looks drawn at random, and is always the same. */
function chance(...numbers: number[]): number {
  let x = 0x9e3779b9;
  for (const n of numbers) {
    x = Math.imul(x ^ (n + 0x7f4a7c15), 0x85ebca6b);
    x ^= x >>> 13;
  }
  return ((Math.imul(x, 0xc2b2ae35) ^ (x >>> 16)) >>> 0) / 2 ** 32;
}
