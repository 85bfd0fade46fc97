/** Numbers as people read them. */
import type { Bound, Unit } from './suite.js';

export function show(value: number, unit: Unit): string {
  switch (unit) {
    case 'ms':
      return time(value);
    case 'bytes':
      return bytes(value);
    case 'part':
      return `${(value * 100).toPrecision(3)} %`;
    case 'ratio':
      return value >= 0.1 && value < 100 ? value.toFixed(3) : String(Number(value.toPrecision(3)));
    case 'number':
      return value.toLocaleString('en');
    default:
      return unit satisfies never;
  }
}

export function showBound(bound: Bound, unit: Unit): string {
  return 'least' in bound ? `at least ${show(bound.least, unit)}` : `at most ${show(bound.most, unit)}`;
}

/** With three digits, in the unit that suits it. */
function time(ms: number): string {
  return scaled(ms * 1e6, 1e3, ['ns', 'us', 'ms', 's']);
}

function bytes(size: number): string {
  return scaled(size, 1024, ['B', 'KiB', 'MiB', 'GiB']);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let rest = value;
  let i = 0;
  for (; Math.abs(rest) >= step && i < units.length - 1; i++) rest /= step;
  return `${Number(rest.toPrecision(3))} ${units[i]}`;
}
