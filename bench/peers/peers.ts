/** Other pools of worker threads, each behind the same three functions. */
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { FixedThreadPool } from 'poolifier';
import { Tinypool } from 'tinypool';
import workerpool from 'workerpool';
import type { Cell } from './cell.js';

export interface Peer {
  readonly name: string;
  /** Starts so many threads. */
  start(workers: number): Crew;
}

/** Threads that run. */
export interface Crew {
  run(cell: Cell): PromiseLike<number>;
  stop(): Promise<unknown>;
}

/** So many tasks are given to each worker at a time: with one, it would wait for the next each time. */
export const IN_FLIGHT = 4;

const fileOf = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

export const PEERS: readonly Peer[] = [
  {
    name: 'piscina',
    start(workers) {
      const pool = new Piscina({
        ...{ filename: fileOf('cell'), minThreads: workers, maxThreads: workers },
        ...{ concurrentTasksPerWorker: IN_FLIGHT, recordTiming: false },
      });
      return { run: (cell) => pool.run(cell), stop: () => pool.destroy() };
    },
  },
  {
    name: 'tinypool',
    start(workers) {
      const pool = new Tinypool({
        ...{ filename: fileOf('cell'), minThreads: workers, maxThreads: workers },
        concurrentTasksPerWorker: IN_FLIGHT,
      });
      return { run: (cell) => pool.run(cell), stop: () => pool.destroy() };
    },
  },
  {
    name: 'workerpool',
    start(workers) {
      const file = fileOf('workerpool.worker');
      const pool = workerpool.pool(file, { minWorkers: workers, maxWorkers: workers, workerType: 'thread' });
      return {
        run: (cell) => pool.exec('cell', [cell]) as unknown as PromiseLike<number>,
        stop: async () => pool.terminate(true),
      };
    },
  },
  {
    name: 'poolifier',
    start(workers) {
      const pool = new FixedThreadPool<Cell, number>(workers, fileOf('poolifier.worker'), {
        enableTasksQueue: true,
        tasksQueueOptions: { concurrency: IN_FLIGHT },
      });
      return { run: (cell) => pool.execute(cell), stop: () => pool.destroy() };
    },
  },
];
