/** What workers of Piscina do with values: they look at one, and return it. */
import { move } from 'piscina';
import { makers, type Way } from '../makers.js';

export const make = ({ way, size }: { way: Way; size: number }): unknown => passOn(way, makers[way](size));

export const carry = ({ way, value }: { way: Way; value: unknown }): unknown => passOn(way, value);

function passOn(way: Way, value: unknown): unknown {
  return way === 'transferred' ? move(value as Uint8Array<ArrayBuffer>) : value;
}
