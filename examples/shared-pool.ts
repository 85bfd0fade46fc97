/**
 * Two flows at the same time, on the two threads of one pool. They take turns, so neither waits for the other to end.
 *
 *   node build/examples/shared-pool.js
 */
import { createPool, run, unordered } from 'millrace';
import { collatz, findPrimes } from './shared-pool.tasks.js';

const RANGES = [0, 10_000, 20_000, 30_000].map((from) => ({ from, to: from + 10_000 }));
const primes = unordered(
  'primes',
  RANGES.map((range) =>
    findPrimes.with({ name: `range-${range.from}`, inject: range, provides: `from-${range.from}` }),
  ),
);

const STARTS = [6, 7, 27, 97, 871, 6171];
const lengths = unordered(
  'lengths',
  STARTS.map((n) => collatz.with({ name: `start-${n}`, inject: { n }, provides: `from-${n}` })),
);

const pool = await createPool({ workers: 2 });
const [found, steps] = await Promise.all([run(primes, {}, { pool }), run(lengths, {}, { pool })]);
await pool.close(); // idle threads would not keep the process alive, but nobody needs these any more

for (const { from, to } of RANGES) console.log(`${found[`from-${from}`]?.length} primes from ${from} to ${to}`);
for (const n of STARTS) console.log(`${steps[`from-${n}`]} steps from ${n} to 1`);
