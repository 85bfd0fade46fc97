/** What a thread does for each way of handing tasks to it. */
import type { MessagePort } from 'node:worker_threads';
import cell, { type Cell } from '../peers/cell.js';
import { runCell, type SharedGrid } from './shared.js';

export function one(task: Cell): number {
  return cell(task);
}

export function batch(tasks: readonly Cell[]): number[] {
  return tasks.map(cell);
}

/** A task that lasts as long as the run: it is sent batches over a port of its own. */
export function session({ port }: { port: MessagePort }): Promise<void> {
  return new Promise((resolve) => {
    port.on('message', (tasks: readonly Cell[] | undefined) => {
      if (tasks) return port.postMessage(batch(tasks));
      port.close();
      resolve();
    });
  });
}

/** The words of a ring: how many tasks have been put in, how many are done, and the tasks themselves. */
export const PUT = 0;
export const DONE = 16;
export const PLACES = 32;
/** So many tasks fit into it; as a mask, and so a power of two. */
export const ROOM = 64;
export const OVER = -1;

/** The same with a ring in shared memory: task numbers come through it, and how many are done goes back. */
export function ring({ grid, words }: { grid: SharedGrid; words: Int32Array }): void {
  for (let done = 0; ; ) {
    while (Atomics.load(words, PUT) === done) Atomics.wait(words, PUT, done);
    const task = words[PLACES + (done & (ROOM - 1))];
    if (task === OVER) return;
    runCell(grid, task);
    Atomics.store(words, DONE, ++done);
    Atomics.notify(words, DONE);
  }
}

/** What threads share that schedule themselves. */
export interface Plan {
  readonly grid: SharedGrid;
  /** What each task still waits for. */
  readonly left: Int32Array;
  /** The ready tasks, counted from 1; 0: it is not known yet. */
  readonly queue: Int32Array;
  /** How many places of the queue have been given out, and how many are filled. */
  readonly counts: Int32Array;
}

export const TAKEN = 0;
export const FILLED = 16;

/** Takes one place of the queue after the other, and waits until there is a task in it. */
export function schedule({ grid, left, queue, counts }: Plan): void {
  const { targetStart, targets } = grid;
  for (;;) {
    const place = Atomics.add(counts, TAKEN, 1);
    if (place >= queue.length) return;
    Atomics.wait(queue, place, 0);
    const task = Atomics.load(queue, place) - 1;
    runCell(grid, task);
    for (let at = targetStart[task]; at < targetStart[task + 1]; at++) {
      if (Atomics.sub(left, targets[at], 1) > 1) continue;
      const filled = Atomics.add(counts, FILLED, 1);
      Atomics.store(queue, filled, targets[at] + 1);
      Atomics.notify(queue, filled);
    }
  }
}
