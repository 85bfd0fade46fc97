/** How much memory a flow takes whose tasks make large values, each of which one other needs. */
import { createPool, linear, load } from 'millrace';
import { renewTask } from '../carried.js';
import type { Setting, Suite } from '../suite.js';

const SIZE = 10_000_000;

export function memory(setting: Setting): Suite[] {
  const tasks = setting.quick ? 500 : 10_000;
  return (['serial', 'parallel'] as const).map((engine) => ({
    name: `memory ${engine}, 10 MB a task`,
    about: `a chain of ${tasks} tasks that each make 10 MB of what the one before has made`,
    async measure() {
      await using pool = await createPool({ workers: setting.workers });
      const chain = Array.from({ length: tasks }, (_, i) =>
        renewTask.with({ name: `renew-${i}`, rebind: { value: `value-${i}` }, provides: `value-${i + 1}` }),
      );
      const inputs = { 'value-0': new Uint8Array(1), size: SIZE };
      const before = process.memoryUsage.rss();
      const begun = performance.now();
      await load(linear('chain', chain), { engine, pool, inputs, outputs: [] }).run();
      const time = (performance.now() - begun) / tasks;
      // The most that the process has ever had, its threads included.
      const most = process.resourceUsage().maxRSS * 1024;
      return {
        figures: [
          { name: 'memory, at most', value: most, unit: 'bytes' },
          { name: 'of it, before the run', value: before, unit: 'bytes' },
          { name: 'time of a task', value: time, unit: 'ms' },
        ],
      };
    },
  }));
}
