/** The tasks that are measured, and their functions by themselves for the plain loops. Worker threads import this module. */
import { task } from 'millrace';

export const pass = ({ value }: { value: number }): number => value;

export const combine = ({ a, b, c }: { a: number; b: number; c: number }): number => (a + b + c) & 1023;

/** Keeps a core busy with arithmetic for so many iterations. The result is used, so that no compiler can leave them out. */
export function spin({ iterations }: { iterations: number }): number {
  let x = 1;
  for (let i = 0; i < iterations; i++) x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
  return x;
}

export const passTask = task(import.meta.url, {
  name: 'pass',
  requires: ['value'],
  provides: 'value',
  execute: pass,
});

/** As `passTask`, for when nobody needs the result. */
export const sinkTask = task(import.meta.url, { name: 'sink', requires: ['value'], execute: pass });

export const combineTask = task(import.meta.url, {
  name: 'combine',
  requires: ['a', 'b', 'c'],
  provides: 'value',
  execute: combine,
});

export const spinTask = task(import.meta.url, { name: 'spin', requires: ['iterations'], execute: spin });
