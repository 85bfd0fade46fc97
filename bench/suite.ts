/** What a suite is, and what it finds out. */

/** What all suites of a run are measured with. */
export interface Setting {
  /** How many tasks a flow of no-op tasks has. */
  readonly tasks: number;
  /** Whether a rough answer will do, in a tenth of the time. */
  readonly quick: boolean;
  /** How many iterations of `spin` a millisecond holds. */
  readonly iterationsPerMs: number;
  /** The parallel engine is measured, and checked, with two workers on every machine. */
  readonly workers: number;
  /** What the process may really use. */
  readonly cores: number;
}

/** Each is measured in a process of its own. `timed` makes those whose contenders are timed by turns. */
export interface Suite {
  readonly name: string;
  /** What is measured, and whether declaring and compiling the flow is part of it, in a few words. */
  readonly about: string;
  measure(): Promise<Result>;
}

export interface Result {
  readonly figures: readonly Figure[];
  readonly charts?: readonly Chart[];
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: Unit;
  /** The median distance from the median, as a part of that. */
  readonly spread?: number;
  /** How often it was measured. */
  readonly turns?: number;
  /** What is asked of it; reported, and no reason to fail. */
  readonly asked?: Bound;
}

/** A time in ms, a size in bytes, a part of something (1 is all of it), one median divided by another, or a number of things. */
export type Unit = 'ms' | 'bytes' | 'part' | 'ratio' | 'number';

export type Bound = { readonly least: number } | { readonly most: number };

/** Lines over an axis of numbers. */
export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

export interface Axis {
  readonly label: string;
  readonly unit: Unit;
  /** Whether it is logarithmic. */
  readonly log?: boolean;
}

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A suite that was measured. */
export interface Measured extends Result {
  readonly suite: string;
  readonly about: string;
}

/** A suite that could not be measured. */
export interface Failed {
  readonly suite: string;
  readonly why: string;
}

export function keeps(bound: Bound, value: number): boolean {
  return 'least' in bound ? value >= bound.least : value <= bound.most;
}
