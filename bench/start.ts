/**
 * What `suites/start-up.ts` starts processes for: it prints how long it took to import something, and then until the first task had
 * run, in ms. Nothing is imported before the clock runs.
 */
import type { Cell } from './peers/cell.js';

const [kind, workers] = [process.argv[2], Number(process.argv[3])];

const begun = performance.now();
const first = await importing();
const imported = performance.now();
await first();
const ran = performance.now();
console.log(JSON.stringify({ import: imported - begun, first: ran - imported, rss: process.memoryUsage.rss() }));

/** Imports what is asked for, and returns what runs the first task. */
async function importing(): Promise<() => unknown> {
  if (kind === 'bare') return () => {};
  if (kind === 'piscina') {
    const { Piscina } = await import('piscina');
    const filename = new URL('./peers/cell.js', import.meta.url).href;
    const cell: Cell = { iterations: 1, values: [] };
    return () => new Piscina({ filename, minThreads: workers, maxThreads: workers }).run(cell);
  }
  const { createPool, run } = await import('millrace');
  if (kind === 'import') return () => {};
  if (kind === 'threads') return async () => (await createPool({ workers })).warmUp();
  return async () => {
    const { passTask } = await import('./tasks.js');
    const engine = kind === 'serial' ? 'serial' : 'parallel';
    return run(passTask, { value: 1 }, { engine, workers });
  };
}
