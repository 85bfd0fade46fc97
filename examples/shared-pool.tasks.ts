import { task } from 'millrace';

/** The prime numbers of a range, the simplest way. */
export const findPrimes = task(import.meta.url, {
  name: 'findPrimes',
  requires: ['from', 'to'],
  provides: 'primes',
  execute({ from, to }: { from: number; to: number }): number[] {
    const primes: number[] = [];
    for (let n = Math.max(2, from); n < to; n++) if (isPrime(n)) primes.push(n);
    return primes;
  },
});

/** How many steps it takes to come from `n` to 1, if an even number is halved and an odd one is tripled plus one. */
export const collatz = task(import.meta.url, {
  name: 'collatz',
  requires: ['n'],
  provides: 'steps',
  execute({ n }: { n: number }): number {
    let steps = 0;
    for (; n !== 1; steps++) n = n % 2 === 0 ? n / 2 : 3 * n + 1;
    return steps;
  },
});

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}
