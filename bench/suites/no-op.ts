/** What it takes to make and to compile flows of tasks that do nothing, and what the engines cost by themselves. */
import { load } from 'millrace';
import { chain, elements, fanOut, randomDataflow, randomGraph } from '../flows.js';
import type { Setting, Suite } from '../suite.js';
import { runs, timed } from '../timed.js';

/** What is asked of the engines, in ms a task. */
const WORKLOADS = [
  { make: chain, serially: 60e-6, inParallel: 0.4e-3 },
  { make: fanOut, serially: 60e-6, inParallel: 0.6e-3 },
  { make: randomGraph, serially: 150e-6, inParallel: 3e-3 },
  { make: randomDataflow, serially: 150e-6, inParallel: 3e-3 },
  { make: elements, serially: 100e-6, inParallel: 0.1e-3 },
];

/** Serial and parallel stand alone: a parallel run leaves garbage behind, that would be collected at the cost of the serial one. */
export function noOp(setting: Setting): Suite[] {
  const size = setting.tasks;
  const compile = WORKLOADS.map(({ make }) =>
    timed(setting, {
      name: `compile ${make(2).name}`,
      about: 'making the tasks and the flow; compiling it',
      size,
      contenders() {
        const workload = make(size);
        const tasks = workload.tasks();
        let flow = workload.compose(tasks);
        const prepare = () => {
          flow = workload.compose(tasks);
        };
        const build = { name: 'build', run: () => workload.compose(workload.tasks()) };
        return [build, { name: 'compile', prepare, run: () => load(flow).compile() }];
      },
    }),
  );
  const run = WORKLOADS.flatMap(({ make, serially, inParallel }) => [
    timed(setting, {
      name: `serial no-op ${make(2).name}`,
      about: 'run only',
      size,
      contenders(pool) {
        const { loop, serial } = runs(make(size), pool);
        return [loop, { ...serial, ratio: ['serial', 'loop'], asked: { most: serially } }];
      },
    }),
    timed(setting, {
      name: `parallel no-op ${make(2).name}`,
      about: 'run only',
      size,
      contenders: (pool) => [{ ...runs(make(size), pool).parallel, asked: { most: inParallel } }],
    }),
  ]);
  return [...compile, ...run];
}
