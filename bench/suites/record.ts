/** What it costs that all that happens is recorded: for tasks that do nothing, in each kind of store, and for such that take some time. */
import type { Pool } from 'millrace';
import { busy, chain, layers, type Workload, wide } from '../flows.js';
import { PLACES, READ, recorded, resumed, SQLITE } from '../recordings.js';
import type { Setting, Suite } from '../suite.js';
import { type Entry, runs, timed } from '../timed.js';

const KINDS = ['serial', 'parallel'] as const;

export function record(setting: Setting): Suite[] {
  const size = Math.ceil(setting.tasks / 10);
  return KINDS.flatMap((kind): Suite[] => {
    const unrecorded = (workload: Workload, pool: Pool): Entry => ({
      ...runs(workload, pool)[kind],
      name: 'no record',
    });
    const noOp = [wide, chain, layers].map((make) =>
      timed(setting, {
        name: `record ${kind} no-op ${make(2).name}`,
        about: 'run only, from the record of the flow to its end',
        size,
        contenders(pool) {
          const workload = make(size);
          const at = PLACES.map((place) => ({
            ...recorded(workload, { engine: kind, ...(kind === 'parallel' && { pool }) }, place),
            ...(place === SQLITE && { asked: { most: 25e-3 } }),
          }));
          return [unrecorded(workload, pool), ...at];
        },
      }),
    );
    const workload = busy('10 ms tasks', 100, setting.iterationsPerMs * 10);
    const long = timed(setting, {
      name: `record ${kind} 10 ms tasks`,
      about: 'run only, from the record of the flow to its end',
      size: workload.size,
      contenders: (pool) => [
        unrecorded(workload, pool),
        {
          ...recorded(workload, { engine: kind, ...(kind === 'parallel' && { pool }) }, SQLITE),
          ratio: [SQLITE.name, 'no record', { most: 1.02 }],
        },
      ],
    });
    return [...noOp, long];
  });
}

/** How long it takes to find out where a flow is that is half done. */
export function resume(setting: Setting): Suite[] {
  return [wide, chain].map((make) =>
    timed(setting, {
      name: `resume ${make(2).name}`,
      about: 'until the first task could begin',
      size: setting.tasks,
      contenders: () => READ.map((place) => resumed(make(setting.tasks), place)),
    }),
  );
}
