/** What the patterns have in common, which C++ Taskflow's benchmarks define. */
import type { Flow, Task } from 'millrace';

/** A pattern of tasks, and the plain loop or recursion that does the same. */
export interface Pattern {
  readonly name: string;
  readonly about: string;
  /** Declares the flow. */
  flow(): Flow | Task<any, any>;
  /** The inputs of one run: a run may write to what is shared. */
  inputs(): Record<string, unknown>;
  /** Computes the result without tasks. */
  plain(): unknown;
  /** The result of a run, to be compared. */
  result(values: Record<string, any>, inputs: Record<string, any>): unknown;
}

/** An array that all threads see. */
export function sharedFloats(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(length * Float64Array.BYTES_PER_ELEMENT));
}

/** Sums up numbers so that two arrays of the same ones come to the same, and others hardly. */
export function checksum(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum = (sum * 31 + values[i]) % 1_000_003;
  return sum;
}

export function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
