import type { TaskAtom } from '../atoms/index.js';
import type { Plan } from './plan.js';

/**
 * The atoms of a plan that differ in name and values only, as numbers. A parallel run visits atoms in any order, and then memory is
 * slow: a number costs it one look, an atom and what hangs on it several, some 100 ns each.
 */
export interface Kinds {
  /** For each atom the number of its kind. */
  readonly of: Int32Array;
  /** Of each kind one atom. Its shape, timeout and priority, and whether it travels and provides several values, are those of all. */
  readonly samples: readonly TaskAtom[];
}

const known = new WeakMap<Plan, Kinds>();

export function kindsOf(plan: Plan): Kinds {
  let kinds = known.get(plan);
  if (!kinds) {
    kinds = sorted(plan);
    known.set(plan, kinds);
  }
  return kinds;
}

function sorted({ atoms, size, range }: Plan): Kinds {
  const of = new Int32Array(size);
  if (range !== undefined) return { of, samples: atoms.slice(0, 1) }; // the same task for each element
  const samples: TaskAtom[] = [];
  const numbers = new Map<string, number>();
  let last = -1;
  for (let atom = 0; atom < size; atom++) {
    const task = atoms[atom];
    if (last < 0 || !alike(task, samples[last])) {
      const { shape, timeout, priority, provision } = task;
      const key = `${shape.id} ${timeout} ${priority} ${provision.keys !== undefined}`;
      last = numbers.get(key) ?? samples.push(task) - 1;
      numbers.set(key, last);
    }
    of[atom] = last;
  }
  return { of, samples };
}

function alike(a: TaskAtom, b: TaskAtom): boolean {
  return (
    a.shape === b.shape &&
    a.timeout === b.timeout &&
    a.priority === b.priority &&
    (a.provision.keys === undefined) === (b.provision.keys === undefined)
  );
}
