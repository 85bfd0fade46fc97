/** How long the event loop of the main thread is kept from anything else while many tasks run. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createPool, load } from 'millrace';
import { chain, elements, type Workload, wide } from '../flows.js';
import type { Figure, Setting, Suite } from '../suite.js';

export function delay(setting: Setting): Suite[] {
  const size = setting.tasks * 10;
  const kinds: [string, (size: number) => Workload][] = [
    ['wide', wide],
    ['chain', chain],
    ['each', elements],
  ];
  return ['serial', 'parallel'].flatMap((engine) =>
    kinds.map(([name, make]) => ({
      name: `event loop, ${engine} ${name}`,
      about: `${size} tasks that do nothing, run only: how late a timer is that is set for each millisecond`,
      async measure() {
        await using pool = await createPool({ workers: setting.workers });
        const workload = make(size);
        const flow = workload.compose(workload.tasks());
        const options = engine === 'parallel' ? { engine, pool } : { engine: 'serial' as const };
        const measureOnce = async () => {
          const ready = load(flow, { ...options, inputs: workload.inputs } as Parameters<typeof load>[1]).validate();
          gc!();
          const histogram = monitorEventLoopDelay({ resolution: 1 });
          histogram.enable();
          await ready.run();
          histogram.disable();
          return histogram;
        };
        await measureOnce(); // starts the threads
        const histogram = await measureOnce();
        // The histogram holds nanoseconds, and the millisecond for which the timer was set with them.
        const late = (ns: number) => Math.max(0, ns / 1e6 - 1);
        const figures: Figure[] = [
          { name: 'p50', value: late(histogram.percentile(50)), unit: 'ms' },
          { name: 'p99', value: late(histogram.percentile(99)), unit: 'ms', asked: { most: 10 } },
          { name: 'longest', value: late(histogram.max), unit: 'ms' },
        ];
        return { figures };
      },
    })),
  );
}
