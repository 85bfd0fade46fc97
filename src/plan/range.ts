/**
 * Plans of lists: the same task for each element, without an object an element. They are made as quickly as their arrays can be
 * filled, a million in some 10 ms, and so that nothing else has to know that a plan is one of them, but for the names.
 */
import { inspect } from 'node:util';
import type { Mapping, TaskAtom } from '../atoms/index.js';
import type { Edges } from './edges.js';
import { inspectPlan } from './inspect.js';
import type { Elements } from './names.js';
import { CONSTANT, INPUT, type Plan, type PlanInput } from './plan.js';

export interface RangeOptions {
  readonly task: TaskAtom;
  readonly range: Elements;
  /** How many elements there are. */
  readonly size: number;
  /** The names of the values that all of them are given, where the task asks for them. In a binding, these are the first inputs. */
  readonly shared: readonly string[];
  /** What the task knows the element by. Those of the atoms are the inputs that follow. */
  readonly as: string;
  /** What it knows by the result of the one before; that of the first is the last input of all. `undefined`: they run at once. */
  readonly into: string | undefined;
}

export function rangePlan({ task, range, size, shared, as, into }: RangeOptions): Plan {
  const { mapping, provision } = task;
  const sources = sourcesOf(mapping);
  const width = sources.length;
  const args = new Int32Array(size * width);
  const inputs: PlanInput[] = shared.map((name) => ({ name, atom: 0, required: false }));
  for (let place = 0; place < width; place++) {
    const source = sources[place];
    if (source === as)
      for (let atom = 0; atom < size; atom++) args[atom * width + place] = INPUT - shared.length - atom;
    else if (source !== undefined && source === into) {
      for (let atom = 0; atom < size; atom++) {
        args[atom * width + place] = atom === 0 ? INPUT - shared.length - size : atom - 1;
      }
    } else {
      const same = source === undefined ? CONSTANT : INPUT - shared.indexOf(source);
      for (let atom = 0; atom < size; atom++) args[atom * width + place] = same;
    }
  }
  const argStart = new Int32Array(size + 1);
  for (let atom = 0; atom <= size; atom++) argStart[atom] = atom * width;
  const waits = new Int32Array(size);
  if (into !== undefined) waits.fill(1, 1);
  return {
    name: range.name,
    atoms: new Array<TaskAtom>(size).fill(task),
    size,
    nodes: size,
    successors: into === undefined ? apart(size) : chained(size),
    waits,
    argStart,
    args,
    // Nobody asks for a part of a result; that there are some says that a result is to have them.
    picks: (provision.keys ?? []).map((key) => ({ atom: 0, key })),
    inputs,
    outputNames: [],
    outputs: new Int32Array(0),
    decisions: undefined,
    order: undefined,
    retries: task.retry && { scopes: [], scopeOf: new Int32Array(size).fill(-1) },
    versionRules: [],
    lacking: task.mayFail,
    timed: task.timeout !== undefined,
    range,
    regions: task.region !== undefined,
    [inspect.custom]: inspectPlan,
  };
}

/** Where the arguments of a task come from, those of its `revert` behind those of `execute`. */
export function sourcesOf({ sources, revert }: Mapping): readonly (string | undefined)[] {
  return revert ? [...sources, ...revert.sources] : sources;
}

function apart(size: number): Edges {
  return { start: new Int32Array(size + 1), to: new Int32Array(0) };
}

function chained(size: number): Edges {
  const edges = Math.max(0, size - 1);
  const start = new Int32Array(size + 1).fill(edges);
  const to = new Int32Array(edges);
  for (let atom = 0; atom < edges; atom++) {
    start[atom] = atom;
    to[atom] = atom + 1;
  }
  return { start, to };
}
