/** What the benchmarks ran on. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release } from 'node:os';
import { createPool } from 'millrace';
import { spin } from './tasks.js';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  /** The load average of the last minute, before anything was measured. */
  readonly load: number;
  readonly commit: string;
  readonly iterationsPerMs: number;
}

export async function describe(): Promise<Machine> {
  const { size: cores } = await createPool({ workers: 'auto' }); // starts no thread
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores,
    system: `${process.platform} ${release()}`,
    node: process.version,
    load: loadavg()[0],
    commit: commit(),
    iterationsPerMs: calibrate(),
  };
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' and changes');
  } catch {
    return 'unknown'; // a package that was unpacked has no history
  }
}

/** How many iterations of `spin` a millisecond holds: the most that were seen, since others can only slow it down. */
function calibrate(): number {
  const iterations = 200_000;
  let shortest = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 300; performance.now() < end; ) {
    const begun = performance.now();
    spin({ iterations });
    shortest = Math.min(shortest, performance.now() - begun);
  }
  return Math.round(iterations / shortest);
}
