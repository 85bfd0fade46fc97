/** Tasks that make a value, and that pass it on. */
import { linear, task, transfer } from 'millrace';
import { makers, type Way } from './makers.js';

const pass = (way: Way, value: unknown) => (way === 'transferred' ? transfer(value as Uint8Array) : value);

const make = task(import.meta.url, {
  name: 'make',
  requires: ['way', 'size'],
  provides: 'value-0',
  execute: ({ way, size }: { way: Way; size: number }) => pass(way, makers[way](size)),
});

const carry = task(import.meta.url, {
  name: 'carry',
  requires: ['way', 'value'],
  execute: ({ way, value }: { way: Way; value: unknown }) => pass(way, value),
});

const drop = task(import.meta.url, {
  name: 'drop',
  requires: ['value'],
  execute: ({ value }: { value: unknown }) => value !== undefined,
});

/** Makes a new array of what it is given. */
export const renewTask = task(import.meta.url, {
  name: 'renew',
  requires: ['value', 'size'],
  execute: ({ value, size }: { value: Uint8Array; size: number }) => transfer(new Uint8Array(size).fill(value[0] + 1)),
});

/** A chain of so many tasks that pass a value on, between one that makes it and one that drops it. */
export function carried(hops: number) {
  const chain = Array.from({ length: hops }, (_, i) =>
    carry.with({ name: `carry-${i}`, rebind: { value: `value-${i}` }, provides: `value-${i + 1}` }),
  );
  return linear('carried', make, chain, drop.with({ rebind: { value: `value-${hops}` } }));
}
