/** What every contender carries out: some arithmetic. This is also the module that workers of Piscina and of Tinypool run. */

/** What a task is told: how long it is to compute, and what the tasks before it have come to. */
export interface Cell {
  readonly iterations: number;
  readonly values: readonly number[];
}

/** Keeps a core busy for so many iterations. The result is used, so that no compiler can leave them out. */
export function compute(iterations: number, seed: number): number {
  let x = seed | 0;
  for (let i = 0; i < iterations; i++) x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
  return x;
}

export default function cell({ iterations, values }: Cell): number {
  let seed = 1;
  for (const value of values) seed += value;
  return compute(iterations, seed);
}
