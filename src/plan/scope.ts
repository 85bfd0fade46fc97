/**
 * Who provides a name to an atom. As TaskFlow: what ran earlier in the atom's own flow, nearest first, then what the flows
 * around it can see. Siblings in an unordered flow do not see each other; in a graph one sees what it depends on. The retry of a
 * flow runs before its items, whatever its pattern, and they see it.
 *
 * A name's providers are a sorted list of atom numbers and a flow is a range of them, so that a look-up goes straight to the
 * innermost flow that holds any provider: it costs a few binary searches, whatever the depth of nesting.
 */
import type { TaskAtom } from '../atoms/index.js';
import { FlowError } from '../errors.js';
import { arrivals, EdgeList, type Edges } from './edges.js';
import type { Span } from './outline.js';

/** A flow that is open around the atom in question. */
export interface Frame {
  readonly span: Span;
  /** Which of its children holds the atom. */
  child: number;
}

export interface Question {
  readonly name: string;
  /** The number of the atom that asks. */
  readonly atom: number;
  readonly path: readonly Frame[];
  /** The atoms that provide it, in ascending order. */
  readonly providers: number | readonly number[];
  readonly atoms: readonly TaskAtom[];
  /** Where each atom stands in the order of running; `undefined`: by its number. */
  readonly position: Int32Array | undefined;
  /** An optional input makes no order, and is taken only from what runs before anyway. */
  readonly optional: boolean;
  /** Where the question before was looked up. */
  readonly cursor: Cursor;
  /** Whether the order that follows from the answer is still to be noted. */
  readonly ordering: boolean;
}

/** Finds the atom that provides `name`; -1: it is an input of the flow. In graphs, notes the order that follows. */
export function findProvider(question: Question): number {
  const { providers, path, atom, position } = question;
  const list = typeof providers === 'number' ? [providers] : providers;
  let before = question.cursor.below(list, atom) - 1; // index of the last provider before the atom's own surroundings
  let after = list[before + 1] === atom ? before + 2 : before + 1; // index of the first one behind them
  for (;;) {
    const left = before >= 0 ? deepest(path, (span) => span.start <= list[before]) : -1;
    const right = after < list.length ? deepest(path, (span) => span.end > list[after]) : -1;
    const depth = Math.max(left, right);
    if (depth < 0) return -1;
    const { span, child } = path[depth];
    const { kind } = span.flow;
    if (kind === 'linear' && left === depth) {
      if (position === undefined) return list[before]; // the last one in the last child that has any, or the retry
      const last = childOf(span, list[before]);
      return last < 0 ? span.start : lastIn(question, list, span, last);
    }
    if (kind === 'graph') {
      const chosen = question.optional ? nearest(question, list, span)[child] : only(question, list, span, child);
      if (chosen >= 0) return lastIn(question, list, span, chosen);
    }
    if (span.flow.retry && list[below(list, span.start)] === span.start) return span.start;
    before = below(list, span.start) - 1;
    after = below(list, span.end);
  }
}

/** In a graph a required name has one provider, which runs first; -1: it has none. */
function only(question: Question, list: readonly number[], span: Span, child: number): number {
  const others = providing(list, span).filter((other) => other !== child);
  if (others.length === 0) return -1;
  if (others.length > 1) {
    const asking = question.atoms[question.atom].name;
    const names = others.map((other) => `'${span.flow.items[other].name}'`).join(' and ');
    throw new FlowError(
      'ERR_MILLRACE_AMBIGUOUS_PROVIDER',
      `'${asking}' requires '${question.name}', which ${names} provide in graph '${span.flow.name}'. ` +
        'Let one of them provide it under another name, and say with rebind which one is meant',
      { task: asking },
    );
  }
  if (question.ordering) order(span, others[0], child);
  return others[0];
}

/** The children of a flow that hold providers of a name, given as the sorted list of all its providers. */
function providing(list: readonly number[], span: Span): number[] {
  const found: number[] = [];
  const first = span.flow.retry ? span.start + 1 : span.start;
  for (let i = below(list, first); i < list.length && list[i] < span.end; ) {
    const child = childOf(span, list[i]);
    found.push(child);
    i = below(list, endOf(span, child));
  }
  return found;
}

/** Notes that one child of a graph runs before another. */
export function order(span: Span, first: number, second: number): void {
  const { before } = span;
  const length = before.length;
  if (length > 0 && before[length - 2] === first && before[length - 1] === second) return;
  before.push(first, second);
}

/** How many names of one graph are kept in mind: enough for those that many tasks ask for, and bounded. */
const KEPT_NAMES = 16;
const nearestOf = new WeakMap<Span, Map<string, Int32Array>>();

/**
 * For each child of a graph: of the others that provide an optional name and run before it in any case, the last one; -1:
 * there is none. It is found out for all children in one walk, since many may ask for the same name.
 */
function nearest(question: Question, list: readonly number[], span: Span): Int32Array {
  const known = nearestOf.get(span) ?? new Map<string, Int32Array>();
  nearestOf.set(span, known);
  let found = known.get(question.name);
  if (!found) {
    if (known.size === KEPT_NAMES) known.clear();
    found = walk(question, list, span);
    known.set(question.name, found);
  }
  return found;
}

function walk(question: Question, list: readonly number[], span: Span): Int32Array {
  const size = span.children.length;
  const edges = edgesOf(span);
  const left = arrivals(edges, size);
  const last = new Int32Array(size).fill(-1);
  for (const child of providing(list, span)) last[child] = lastIn(question, list, span, child);
  const place = (child: number) => (child < 0 ? -1 : (question.position?.[last[child]] ?? last[child]));
  const found = new Int32Array(size).fill(-1);
  const open: number[] = [];
  for (let child = 0; child < size; child++) if (left[child] === 0) open.push(child);
  for (let child = open.pop(); child !== undefined; child = open.pop()) {
    const candidate = last[child] < 0 ? found[child] : child;
    for (let e = edges.start[child]; e < edges.start[child + 1]; e++) {
      const next = edges.to[e];
      if (place(candidate) > place(found[next])) found[next] = candidate;
      if (--left[next] === 0) open.push(next);
    }
  }
  return found;
}

const edgesOfSpan = new WeakMap<Span, Edges>();

/** Which child runs before which other, once all of that is known. */
function edgesOf(span: Span): Edges {
  const known = edgesOfSpan.get(span);
  if (known) return known;
  const list = new EdgeList();
  for (let i = 0; i < span.before.length; i += 2) list.add(span.before[i], span.before[i + 1]);
  const edges = list.rows(span.children.length);
  edgesOfSpan.set(span, edges);
  return edges;
}

/** The last answer for each name, since tasks that ask for it one after the other mostly mean the same provider. */
const lastOf = new WeakMap<
  readonly number[],
  { readonly start: number; readonly stop: number; readonly last: number }
>();

/** The provider within one child that runs last. */
function lastIn({ position }: Question, list: readonly number[], span: Span, child: number): number {
  const start = below(list, span.children[child]);
  const stop = below(list, endOf(span, child));
  let last = list[stop - 1];
  if (position === undefined || stop - start === 1) return last;
  const known = lastOf.get(list);
  if (known?.start === start && known.stop === stop) return known.last;
  for (let i = start; i < stop; i++) if (position[list[i]] > position[last]) last = list[i];
  lastOf.set(list, { start, stop, last });
  return last;
}

function endOf(span: Span, child: number): number {
  return child + 1 < span.children.length ? span.children[child + 1] : span.end;
}

/** The child that holds an atom: the last one that does not start behind it; -1: it is the retry of the flow. */
function childOf(span: Span, atom: number): number {
  return below(span.children, atom + 1) - 1;
}

/** Looks up atoms that ask one after the other, mostly for the same: the place is the one of before, or the next. */
export class Cursor {
  #list: readonly number[] | undefined;
  #place = 0;

  /** How many entries of a sorted list are below a value. */
  below(list: readonly number[], value: number): number {
    const place = this.#place;
    const after = list === this.#list && (place === 0 || list[place - 1] < value);
    if (after && !(list[place] < value)) return place;
    this.#place = after && !(list[place + 1] < value) ? place + 1 : below(list, value);
    this.#list = list;
    return this.#place;
  }
}

/** How many entries of a sorted list are below a value. */
function below(list: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The innermost flow on the path for which a condition holds that, once false, is false for all flows within. */
function deepest(path: readonly Frame[], holds: (span: Span) => boolean): number {
  let low = 0;
  let high = path.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(path[middle].span)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
