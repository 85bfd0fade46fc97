/** Tasks whose work is a flow of its own, which is built when their turn comes. To the flow around it such a region is one task. */
import type { TaskAtom } from './task.js';

/** What a region is made of. The names are those of its arguments, and of the values that `task` looks up. */
export type Region = EachRegion | ReduceRegion | DynamicRegion;

/** One task for each element of a list. */
export interface EachRegion {
  readonly kind: 'each';
  readonly task: TaskAtom;
  /** The list. */
  readonly over: string;
  /** What the task knows the element by. */
  readonly as: string;
}

/** One task for each element of a list, one after the other, and each is given what the one before it made. */
export interface ReduceRegion {
  readonly kind: 'reduce';
  readonly task: TaskAtom;
  readonly over: string;
  readonly as: string;
  /** What the task knows by what was made so far. */
  readonly into: string;
  /** What the first one is given, as the only element; without one, it is the first element of the list. */
  readonly initial: readonly [unknown] | undefined;
}

/** A flow that a function builds. */
export interface DynamicRegion {
  readonly kind: 'dynamic';
  readonly build: (args: any, context: BuildContext) => unknown;
}

/** What the function that builds a flow is told beside the values. */
export interface BuildContext {
  /** The name of the region in the running flow: unique, so that names made from it are unique too. */
  readonly name: string;
}
