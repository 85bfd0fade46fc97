/** The names of the atoms of a plan. */
import type { Plan } from './plan.js';

/** The atoms of a plan that stand for the elements of a list, by the name of what they are elements of. */
export interface Elements {
  readonly name: string;
  /** The place in the list of the first atom's element. */
  readonly first: number;
}

/** What an atom is called in its plan. */
export function nameOf(plan: Plan, atom: number): string {
  const { range } = plan;
  return range === undefined ? plan.atoms[atom].name : `${range.name}[${range.first + atom}]`;
}

const lines = new WeakMap<Plan, string>();

/** The names of all atoms, a line each. */
export function namesOf(plan: Plan): string {
  let all = lines.get(plan);
  if (all === undefined) {
    all = linesOf(plan, 0, plan.size);
    lines.set(plan, all);
  }
  return all;
}

/** The names of atoms, from one to before another, a line each. */
export function linesOf(plan: Plan, from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => nameOf(plan, from + i)).join('\n');
}

/** Something that has a name. */
export interface Named {
  readonly name: string;
}

/** An atom as something that has a name. That of an element is made when someone asks: few do, and there may be a million. */
export function named(plan: Plan, atom: number): Named {
  return plan.range === undefined ? plan.atoms[atom] : new ElementName(plan, atom);
}

class ElementName implements Named {
  readonly #plan: Plan;
  readonly #atom: number;

  constructor(plan: Plan, atom: number) {
    this.#plan = plan;
    this.#atom = atom;
  }

  get name(): string {
    return nameOf(this.#plan, this.#atom);
  }
}

const numbers = new WeakMap<Plan, ReadonlyMap<string, number>>();

/** The number of the atom of that name; -1: there is none. */
export function numberOf(plan: Plan, name: string): number {
  const { range, atoms, size } = plan;
  if (range !== undefined) {
    const element = elementOf(name);
    if (element === undefined || element.range !== range.name) return -1;
    const atom = element.index - range.first;
    return atom >= 0 && atom < size ? atom : -1;
  }
  let known = numbers.get(plan);
  if (!known) {
    known = new Map(atoms.map((task, atom) => [task.name, atom]));
    numbers.set(plan, known);
  }
  return known.get(name) ?? -1;
}

const ELEMENT = /^(.+)\[(0|[1-9]\d{0,9})\]$/;

/** What a name like `resize[3]` consists of. */
export function elementOf(name: string): { readonly range: string; readonly index: number } | undefined {
  if (!name.endsWith(']')) return undefined;
  const found = ELEMENT.exec(name);
  return found ? { range: found[1], index: Number(found[2]) } : undefined;
}
