/** Which flows the regions of a flow have built, and where their atoms are found by name. */
import { FlowError } from '../errors.js';
import { elementOf, nameOf, numberOf } from '../plan/index.js';
import type { Ledger } from './ledger.js';

/** The flow of a region, once it was built. */
export interface Child {
  readonly ledger: Ledger;
  /** What the region gives when its flow has ended well. */
  readonly value: () => unknown;
  /** Its run was suspended: the next one goes on with it. */
  suspended: boolean;
}

/** An atom of some flow in a tree of flows. */
export interface Place {
  readonly ledger: Ledger;
  readonly atom: number;
}

/**
 * Finds atoms by name, in a flow and in all that its regions have built. The elements of lists are not entered: their names tell
 * where they are.
 */
export class Directory {
  readonly #root: Ledger;
  /** The lists, by what their elements are named after. */
  readonly #ranges = new Map<string, Ledger>();
  /** The atoms of flows that were built. */
  readonly #built = new Map<string, Place>();
  /** Names that only look like those of elements, by what they seem to be elements of; made for the first list. */
  #lookAlikes: Map<string, Set<string>> | undefined;

  constructor(root: Ledger) {
    this.#root = root;
  }

  find(name: string): Place | undefined {
    const atom = numberOf(this.#root.plan, name);
    if (atom >= 0) return { ledger: this.#root, atom };
    const built = this.#built.get(name);
    if (built) return built;
    const element = elementOf(name);
    const ledger = element && this.#ranges.get(element.range);
    if (!ledger) return undefined;
    const found = numberOf(ledger.plan, name);
    return found < 0 ? undefined : { ledger, atom: found };
  }

  /**
   * Enters what a region has built.
   *
   * @throws {@link FlowError} when a name is taken
   */
  add(ledger: Ledger, region: string): void {
    const { plan } = ledger;
    if (plan.range !== undefined) {
      for (const name of this.#looks().get(plan.range.name) ?? []) {
        if (numberOf(plan, name) >= 0) throw taken(name, region);
      }
      this.#ranges.set(plan.range.name, ledger);
      return;
    }
    const taught = plan.atoms.find(({ name }) => this.find(name) !== undefined);
    if (taught) throw taken(taught.name, region);
    plan.atoms.forEach(({ name }, atom) => {
      this.#built.set(name, { ledger, atom });
      if (this.#lookAlikes) note(this.#lookAlikes, name);
    });
  }

  /** Strikes out what a region has built, and what was built in it. */
  remove(ledger: Ledger): void {
    for (const child of ledger.children.values()) this.remove(child.ledger);
    const { range, atoms } = ledger.plan;
    if (range !== undefined) {
      this.#ranges.delete(range.name);
      return;
    }
    for (const { name } of atoms) {
      this.#built.delete(name);
      const element = this.#lookAlikes && elementOf(name);
      if (element) this.#lookAlikes!.get(element.range)?.delete(name);
    }
  }

  clear(): void {
    this.#ranges.clear();
    this.#built.clear();
    this.#lookAlikes = undefined;
  }

  #looks(): Map<string, Set<string>> {
    if (!this.#lookAlikes) {
      this.#lookAlikes = new Map();
      for (const { name } of this.#root.plan.atoms) note(this.#lookAlikes, name);
      for (const name of this.#built.keys()) note(this.#lookAlikes, name);
    }
    return this.#lookAlikes;
  }
}

/** Visits a flow and all that regions have built in it, each before those in it. */
export function* withChildren(ledger: Ledger): Generator<Ledger> {
  const open = [ledger];
  for (let next = open.pop(); next; next = open.pop()) {
    yield next;
    for (const { ledger: child } of next.children.values()) open.push(child);
  }
}

/** Visits all atoms of a flow in the order of declaration, and behind each region those of what it has built. */
export function* atomsWithChildren(ledger: Ledger): Generator<readonly [name: string, state: number]> {
  const { plan, states, children } = ledger;
  for (let atom = 0; atom < plan.size; atom++) {
    yield [nameOf(plan, atom), states[atom]];
    const child = children.size > 0 ? children.get(atom) : undefined;
    if (child) yield* atomsWithChildren(child.ledger);
  }
}

function note(lookAlikes: Map<string, Set<string>>, name: string): void {
  const element = elementOf(name);
  if (!element) return;
  const names = lookAlikes.get(element.range) ?? new Set();
  lookAlikes.set(element.range, names.add(name));
}

function taken(name: string, region: string): FlowError {
  return new FlowError(
    'ERR_MILLRACE_DUPLICATE_NAME',
    `Task '${region}' has built a flow with a task named '${name}', and there is one of that name already: names must be unique in ` +
      'the whole flow. What a region builds can be named after the region: build() is told its name',
    { task: region },
  );
}
