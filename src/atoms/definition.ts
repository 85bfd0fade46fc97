import type { Declaration } from './mapping.js';
import type { Region } from './region.js';

/** What all the copies of one task share: its code, and where another thread finds it. */
export interface Definition {
  /** The name under which the task was defined; copies made with `.with()` may bear others. */
  readonly name: string;
  /** URL of the module that defines the task, or `undefined` for a task that stays on the scheduler's thread. */
  readonly module: string | undefined;
  readonly execute: (args: any, context: any) => unknown;
  readonly revert: ((args: any, context: any) => unknown) | undefined;
  /** That of the code: `major.minor`. */
  readonly version: string;
  /** The arguments that `execute` asks for. */
  readonly declared: Declaration;
  /** Those that `revert` asks for, if it declares its own. */
  readonly declaredRevert: Declaration | undefined;
  /** The flow that is its work, instead of `execute`. */
  readonly region: Region | undefined;
  /** Every list of argument names in use, so that equal ones are one object. */
  readonly shapes: Map<string, Shape>;
}

/** A definition and the names of the arguments that it is called with: what a packet names for each of its tasks. */
export interface Shape {
  /** Unique in this thread. */
  readonly id: number;
  readonly definition: Definition;
  readonly params: readonly string[];
  readonly cost: Cost;
}

/** What running a shape in a worker has cost so far. */
export interface Cost {
  /** Running average, in ms; `NaN` until it has run. */
  mean: number;
  /** How many of the shape may travel together: it grows as they turn out to be small. */
  company: number;
  /** Whether one has returned more than a number or the like. */
  bulky: boolean;
}

let count = 0;

export function shapeOf(definition: Definition, params: readonly string[]): Shape {
  const key = params.join('\0');
  let shape = definition.shapes.get(key);
  if (!shape) {
    shape = { id: ++count, definition, params, cost: { mean: Number.NaN, company: 1, bulky: false } };
    definition.shapes.set(key, shape);
  }
  return shape;
}
