/**
 * What the members of a packet are given, written by columns: most often all first arguments are one value, or numbers, or what the
 * member before returned. It is done once for each task of a run: some 20 ns an argument.
 */
import type { Scheduler } from '../engine/index.js';
import { CONSTANT, INPUT, type Kinds, kindsOf } from '../plan/index.js';
import { type Atoms, BY_VALUE, type Column, numbersOf, row } from '../wire/index.js';
import type { Lane } from './lane.js';
import type { Residents } from './residents.js';

/** What is sent to a lane for the members of a packet. */
export interface Arguments {
  readonly columns: readonly Column[];
  /** What the thread is to keep. */
  readonly keep: Map<number, unknown>;
  /** The members whose results, more than a number or the like, are for other members alone. */
  readonly inner: readonly number[];
  /** The atoms whose results, which stayed with a thread, are among them. */
  readonly borrowed: readonly number[];
}

/** So few elements are as soon looked at one by one. */
const FEW = 4;

export class ArgumentWriter {
  readonly #scheduler: Scheduler;
  readonly #run: number;
  readonly #kinds: Kinds;
  readonly #residents: Residents;
  /** For each atom, its place in the packet, counted from 1. */
  readonly #member: Int32Array;
  /** How many arguments come from each source; made when it is first asked for. */
  #uses: Int32Array | undefined;
  /** In a flow with retries: for each source, when the atom that gave the value had finished, and the number of the value. */
  readonly #values = new Map<number, { readonly finished: number; readonly number: number }>();
  #valueCount: number;

  constructor(scheduler: Scheduler, run: number, residents: Residents) {
    const { plan, ledger } = scheduler;
    this.#scheduler = scheduler;
    this.#run = run;
    this.#residents = residents;
    this.#kinds = kindsOf(plan);
    this.#member = new Int32Array(plan.size);
    this.#valueCount = plan.size + plan.picks.length + ledger.binding.inputs.length;
  }

  /** A number for a value that a thread is to keep. */
  newNumber(): number {
    return this.#valueCount++;
  }

  /** Writes the arguments of atoms for a lane. */
  write(atoms: Atoms, lane: Lane, reverting: boolean): Arguments {
    const { plan, ledger } = this.#scheduler;
    const { binding } = ledger;
    const { of, samples } = this.#kinds;
    const elements = reverting || atoms.length < FEW ? undefined : this.#writeElements(atoms, lane);
    if (elements) return elements;
    const writers: ColumnWriter[] = [];
    const keep = new Map<number, unknown>();
    const inner: number[] = [];
    const borrowed = new Set<number>();
    const some = this.#residents.some;
    for (let i = 0; i < atoms.length; i++) {
      const atom = atoms[i];
      this.#member[atom] = i + 1;
      const { mapping } = samples[of[atom]];
      const own = reverting ? plan.atoms[atom].mapping.revert : undefined;
      const width = (own ?? mapping).params.length;
      const start = plan.argStart[atom] + (own ? mapping.params.length : 0);
      for (let p = 0; p < width; p++) {
        const source = binding.args[start + p];
        writers[p] ??= new ColumnWriter();
        const column = writers[p];
        if (source === CONSTANT) {
          const { constants } = own ?? plan.atoms[atom].mapping;
          column.add(source, constants[p], BY_VALUE);
          continue;
        }
        if (source === column.source) {
          column.repeat();
          continue;
        }
        // What provides several values has nothing of its packet behind it, so that a pick is never of a member.
        const member = source < 0 || source >= plan.size ? 0 : this.#member[source];
        if (member > 0) {
          column.add(source, undefined, member - 1);
          if (samples[of[source]].shape.cost.bulky && this.#scheduler.isForOnly(source, atom)) inner.push(member - 1);
          continue;
        }
        if (some && this.#residents.has(source)) {
          borrowed.add(source);
          if (lane.keeps(this.#run, source)) {
            column.add(source, undefined, BY_VALUE - 1 - source);
            continue;
          }
        }
        const value = source >= 0 ? ledger.value(source) : binding.inputs[INPUT - source];
        if (isObject(value) && this.#usesOf(source) > 1) {
          const number = this.#valueNumber(source);
          if (!lane.keeps(this.#run, number)) keep.set(number, value);
          column.add(source, undefined, BY_VALUE - 1 - number);
        } else {
          column.add(source, value, BY_VALUE);
        }
      }
    }
    for (const atom of atoms) this.#member[atom] = 0;
    return { columns: writers.map((one) => one.end()), keep, inner, borrowed: [...borrowed] };
  }

  /**
   * As `write()`, of elements of a list that follow each other, of which each argument is the element or the same for all: a column
   * is then part of the list. `undefined`: it is not so, and they are to be looked at one by one.
   */
  #writeElements(atoms: Atoms, lane: Lane): Arguments | undefined {
    const { plan, ledger } = this.#scheduler;
    const { args, inputs } = ledger.binding;
    if (plan.range === undefined || plan.successors.to.length > 0 || !areInRow(atoms)) return undefined;
    const [first] = atoms;
    const { constants, params } = plan.atoms[first].mapping;
    const width = plan.argStart[first + 1] - plan.argStart[first];
    const columns: Column[] = [];
    const keep = new Map<number, unknown>();
    for (let p = 0; p < params.length; p++) {
      const start = plan.argStart[first] + p;
      const source = args[start];
      const step = args[start + width] - source;
      if (step !== 0 && (step !== -1 || source > INPUT)) return undefined;
      for (let i = 2; i < atoms.length; i++) if (args[start + i * width] !== source + i * step) return undefined;
      const at = INPUT - source;
      if (step !== 0) {
        const values =
          numbersOf(inputs, at, at + atoms.length) ?? this.#each(inputs.slice(at, at + atoms.length), source);
        if (values === undefined) return undefined;
        columns.push({ same: false, values, refs: undefined });
      } else if (source !== CONSTANT && isObject(inputs[at])) {
        const number = this.#valueNumber(source);
        if (!lane.keeps(this.#run, number)) keep.set(number, inputs[at]);
        columns.push({ same: true, values: [], refs: [BY_VALUE - 1 - number] });
      } else {
        columns.push({ same: true, values: [source === CONSTANT ? constants[p] : inputs[at]], refs: undefined });
      }
    }
    return { columns, keep, inner: [], borrowed: [] };
  }

  /** Elements that are worth no look at each of them; `undefined`: what is there twice is to be sent once. */
  #each(values: readonly unknown[], source: number): readonly unknown[] | undefined {
    if (Object.is(values[0], values[1])) return undefined;
    for (let i = 0; i < values.length; i++) if (isObject(values[i]) && this.#usesOf(source - i) > 1) return undefined;
    return values;
  }

  /** Numbers all sources that are not constants from 0. */
  #number(source: number): number {
    const { size, picks } = this.#scheduler.plan;
    return source >= 0 ? source : size + picks.length + INPUT - source;
  }

  /** Numbers values: what is tried again gives another one under the same source. */
  #valueNumber(source: number): number {
    const { plan, ledger } = this.#scheduler;
    if (plan.retries === undefined || source < 0) return this.#number(source);
    const finished = ledger.finished[source < plan.size ? source : plan.picks[source - plan.size].atom];
    let value = this.#values.get(source);
    if (value?.finished !== finished) {
      value = { finished, number: value === undefined ? source : this.#valueCount++ };
      this.#values.set(source, value);
    }
    return value.number;
  }

  #usesOf(source: number): number {
    if (!this.#uses) {
      const { plan, ledger } = this.#scheduler;
      const { binding } = ledger;
      this.#uses = new Int32Array(plan.size + plan.picks.length + binding.inputs.length);
      for (const used of binding.args) if (used !== CONSTANT) this.#uses[this.#number(used)]++;
    }
    return this.#uses[this.#number(source)];
  }
}

/** Whether each atom is the one behind the one before it. */
export function areInRow(atoms: Atoms): boolean {
  for (let i = 1; i < atoms.length; i++) if (atoms[i] !== atoms[0] + i) return false;
  return true;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** One column: no more than its first place is kept while all are the same. */
class ColumnWriter {
  /** Where the last member has it from. */
  source = Number.NaN;
  #value: unknown;
  #ref = BY_VALUE;
  #count = 0;
  #same = true;
  readonly #values: unknown[] = [];
  #refs: number[] | undefined;

  /** The next member is given a value, or what a reference leads to. */
  add(source: number, value: unknown, ref: number): void {
    if (this.#same && this.#count > 0 && (ref !== this.#ref || !Object.is(value, this.#value))) this.#unfold();
    this.source = source;
    this.#value = value;
    this.#ref = ref;
    this.repeat();
  }

  /** The next member is given the same. */
  repeat(): void {
    if (!this.#same) this.#push();
    this.#count++;
  }

  end(): Column {
    if (this.#same) this.#push();
    return { same: this.#same, values: row(this.#values), refs: this.#refs && row(this.#refs) };
  }

  #unfold(): void {
    const count = this.#count;
    this.#same = false;
    for (this.#count = 0; this.#count < count; ) this.repeat();
  }

  #push(): void {
    if (this.#ref === BY_VALUE) this.#values.push(this.#value);
    else if (this.#refs === undefined) this.#refs = new Array(this.#same ? 0 : this.#count).fill(BY_VALUE);
    this.#refs?.push(this.#ref);
  }
}
