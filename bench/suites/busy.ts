/** What the engines make of independent tasks that keep a core busy. */
import { busy } from '../flows.js';
import type { Setting, Suite } from '../suite.js';
import { runs, timed } from '../timed.js';

/**
 * Serial against the loop stands by itself: after a parallel run the main thread has slept, and the system would favour the one
 * that comes next.
 */
export function busyTasks(setting: Setting): Suite[] {
  const { iterationsPerMs, workers } = setting;
  const kinds = [
    { name: '100 us tasks', size: 2000, ms: 0.1, serially: { most: 1.01 } },
    { name: '1 ms tasks', size: 400, ms: 1, inParallel: { least: 0.96 } },
  ];
  return kinds.flatMap(({ name, size, ms, serially, inParallel }): Suite[] => {
    const workload = busy(name, size, iterationsPerMs * ms);
    // What the threads can give here and now: the same work in one long task a worker.
    const whole = busy(name, workers, (iterationsPerMs * ms * size) / workers);
    return [
      timed(setting, {
        name: `serial ${name}`,
        about: 'run only',
        size,
        contenders(pool) {
          const { loop, serial } = runs(workload, pool);
          return [loop, { ...serial, ratio: ['serial', 'loop', serially] }];
        },
      }),
      timed(setting, {
        name: `parallel ${name}`,
        about: 'run only',
        size,
        contenders(pool) {
          const { serial, parallel } = runs(workload, pool);
          const undivided = runs(whole, pool).parallel;
          return [
            serial,
            { ...parallel, ratio: ['serial', 'parallel'] },
            { ...undivided, name: 'undivided', ratio: ['undivided', 'parallel', inParallel] },
          ];
        },
      }),
    ];
  });
}
