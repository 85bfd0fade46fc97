/** The ways in which tasks may come to threads, each written by hand and as simply as it goes, over the threads of one Piscina pool. */
import { MessageChannel } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import type { Runner } from '../efficiency.js';
import type { Grid } from '../grids.js';
import type { Cell } from '../peers/cell.js';
import { drive } from '../peers/drive.js';
import { ints, shareGrid } from './shared.js';
import { DONE, FILLED, OVER, PLACES, PUT, ROOM } from './worker.js';

/** The most tasks in a batch, and how many batches a thread holds. */
const BATCH = 64;
const HELD = 2;

/** All Node.js versions have it; the type came later. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(words: Int32Array, index: number, value: number): { readonly value: unknown };
};

/** Runs batches on one of the threads. */
type Send = (tasks: readonly Cell[]) => Promise<number[]>;

export function transports(pool: Piscina, workers: number): Runner[] {
  const runner = (name: string, run: (grid: Grid, iterations: number) => () => PromiseLike<unknown>): Runner => ({
    ...{ name, workers, prepare: run },
  });
  return [
    runner('run() a task', (grid, iterations) => {
      const crew = { run: (cell: Cell) => pool.run(cell, { name: 'one' }), stop: async () => {} };
      return () => drive(grid, iterations, crew, workers);
    }),
    runner('run() a batch', (grid, iterations) => {
      const send: Send = (tasks) => pool.run(tasks, { name: 'batch' });
      const lanes = Array.from({ length: workers }, () => send);
      return () => inBatches(grid, iterations, lanes);
    }),
    runner('session port', (grid, iterations) => () => overPorts(grid, iterations, pool, workers)),
    runner('rings', (grid, iterations) => () => overRings(grid, iterations, pool, workers)),
    runner('self-scheduling', (grid, iterations) => () => bySelf(grid, iterations, pool, workers)),
  ];
}

/** The tasks that are ready, each as soon as what it waits for has ended. */
class Ready {
  readonly #missing: Int32Array;
  readonly #targets: Grid['targets'];
  readonly #list: number[] = [];
  #next = 0;

  constructor({ sources, targets }: Grid) {
    this.#missing = Int32Array.from(sources, ({ length }) => length);
    this.#targets = targets;
    for (const [task, missing] of this.#missing.entries()) if (missing === 0) this.#list.push(task);
  }

  get waiting(): number {
    return this.#list.length - this.#next;
  }

  take(count: number): number[] {
    const taken = this.#list.slice(this.#next, this.#next + count);
    this.#next += taken.length;
    return taken;
  }

  ended(task: number): void {
    for (const target of this.#targets[task]) if (--this.#missing[target] === 0) this.#list.push(target);
  }
}

function inBatches(grid: Grid, iterations: number, lanes: readonly Send[]): Promise<number[]> {
  const results = new Array<number>(grid.size).fill(0);
  const ready = new Ready(grid);
  const held = lanes.map(() => 0);
  let left = grid.size;
  return new Promise((resolve, reject) => {
    const pump = () => {
      for (const [lane, send] of lanes.entries()) {
        while (held[lane] < HELD && ready.waiting > 0) {
          // The last ones are shared out.
          const tasks = ready.take(Math.min(BATCH, Math.ceil(ready.waiting / (HELD * lanes.length))));
          const cells = tasks.map((task) => ({ iterations, values: grid.sources[task].map((one) => results[one]) }));
          held[lane]++;
          send(cells).then((values) => {
            held[lane]--;
            for (const [i, task] of tasks.entries()) {
              results[task] = values[i];
              ready.ended(task);
            }
            left -= tasks.length;
            if (left === 0) resolve(results);
            else pump();
          }, reject);
        }
      }
    };
    pump();
  });
}

/** A task on each thread owns a port, and batches come over that. */
async function overPorts(grid: Grid, iterations: number, pool: Piscina, workers: number): Promise<number[]> {
  const sessions = Array.from({ length: workers }, () => {
    const { port1, port2 } = new MessageChannel();
    const waiting: ((values: number[]) => void)[] = [];
    port1.on('message', (values: number[]) => waiting.shift()!(values));
    const ended = pool.run({ port: port2 }, { name: 'session', transferList: [port2] });
    const send: Send = (tasks) => {
      port1.postMessage(tasks);
      return new Promise((resolve) => waiting.push(resolve));
    };
    return { send, stop: () => port1.postMessage(undefined), ended };
  });
  const results = await inBatches(
    grid,
    iterations,
    sessions.map(({ send }) => send),
  );
  for (const { stop } of sessions) stop();
  await Promise.all(sessions.map(({ ended }) => ended));
  return results;
}

/** The numbers of tasks go through a ring for each thread; arguments and results stay in shared memory. */
async function overRings(grid: Grid, iterations: number, pool: Piscina, workers: number): Promise<Float64Array> {
  const shared = shareGrid(grid, iterations);
  const ready = new Ready(grid);
  let left = grid.size;
  const lanes = Array.from({ length: workers }, () => {
    const words = ints(new Int32Array(PLACES + ROOM));
    return { words, put: 0, seen: 0, ended: pool.run({ grid: shared, words }, { name: 'ring' }) };
  });
  type Lane = (typeof lanes)[number];
  const put = (lane: Lane, task: number) => {
    lane.words[PLACES + (lane.put & (ROOM - 1))] = task;
    Atomics.store(lane.words, PUT, ++lane.put);
  };
  const pump = () => {
    for (const lane of lanes) {
      const room = ROOM - (lane.put - lane.seen);
      const tasks = ready.take(Math.min(room, Math.ceil(ready.waiting / lanes.length)));
      for (const task of tasks) put(lane, task);
      if (tasks.length > 0) Atomics.notify(lane.words, PUT);
    }
  };
  await new Promise<void>((resolve) => {
    const watch = async (lane: Lane) => {
      while (left > 0) {
        const done = Atomics.load(lane.words, DONE);
        if (done === lane.seen) {
          await waitAsync(lane.words, DONE, done).value;
          continue;
        }
        left -= done - lane.seen;
        // What has been put in comes out in the same order.
        for (; lane.seen < done; lane.seen++) ready.ended(lane.words[PLACES + (lane.seen & (ROOM - 1))]);
        pump();
      }
      resolve();
    };
    pump();
    for (const lane of lanes) void watch(lane);
  });
  for (const lane of lanes) {
    put(lane, OVER);
    Atomics.notify(lane.words, PUT);
  }
  await Promise.all(lanes.map(({ ended }) => ended));
  return shared.results;
}

/** The threads take ready tasks by themselves. */
async function bySelf(grid: Grid, iterations: number, pool: Piscina, workers: number): Promise<Float64Array> {
  const shared = shareGrid(grid, iterations);
  const queue = ints(new Int32Array(grid.size));
  const counts = ints(new Int32Array(FILLED + 1));
  for (const [task, { length }] of grid.sources.entries()) {
    if (length === 0) queue[counts[FILLED]++] = task + 1;
  }
  const left = ints(grid.sources.map(({ length }) => length));
  const plan = { grid: shared, left, queue, counts };
  await Promise.all(Array.from({ length: workers }, () => pool.run(plan, { name: 'schedule' })));
  return shared.results;
}
