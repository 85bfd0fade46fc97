/** The first pass over a flow: numbers its atoms and notes who provides what. */
import { isTask, type TaskAtom } from '../atoms/index.js';
import { FlowError } from '../errors.js';
import { type FlowNode, type Item, isItem, receivedItem } from '../flows/index.js';
import { NameSet } from './name-set.js';

/** A flow within the whole, as a range of atoms. */
export interface Span {
  readonly flow: FlowNode;
  readonly start: number;
  end: number;
  /** The number of the first atom of each child. A child ends where the next one starts. */
  readonly children: Int32Array;
  /** For a graph: which child must run before which other, as pairs. */
  readonly before: number[];
  /** The joints in it are those from here on, */
  firstNode: number;
  /** and before here. */
  endNode: number;
}

export interface Outline {
  readonly atoms: readonly TaskAtom[];
  /** The flows, each before those it holds. */
  readonly spans: readonly Span[];
  /** The atoms that provide each name, in ascending order; one alone stands without a list. */
  readonly providers: ReadonlyMap<string, number | readonly number[]>;
}

/** Visits the tasks and flows below `root` in order, to any depth, without recursion. The retry of a flow comes first in it. */
export function traverse(
  root: Item,
  visit: { atom(task: TaskAtom): void; enter(flow: FlowNode): void; leave(flow: FlowNode): void },
): void {
  if (isTask(root)) {
    visit.atom(root);
    return;
  }
  const path: { flow: FlowNode; items: readonly Item[]; next: number }[] = [];
  const enter = (flow: FlowNode) => {
    visit.enter(flow);
    if (flow.retry) visit.atom(flow.retry);
    path.push({ flow, items: flow.items, next: 0 });
  };
  enter(root);
  for (let top = path[0]; top !== undefined; top = path[path.length - 1]) {
    if (top.next === top.items.length) {
      visit.leave(top.flow);
      path.pop();
      continue;
    }
    const item = top.items[top.next++];
    if (isTask(item)) visit.atom(item);
    else enter(item);
  }
}

export function outline(root: unknown): Outline {
  if (!isItem(root)) {
    throw new FlowError(
      'ERR_MILLRACE_NOT_A_FLOW',
      `Expected a flow, made by linear(), unordered() or graph(), or a task; received ${receivedItem(root)}`,
    );
  }
  const atoms: TaskAtom[] = [];
  const spans: Span[] = [];
  const names = new NameSet(atoms);
  const providers = new Map<string, number | number[]>();
  const open: { span: Span; at: number }[] = [];
  const beginChild = () => {
    const parent = open[open.length - 1];
    if (parent) parent.span.children[parent.at++] = atoms.length;
  };
  traverse(root, {
    atom(task) {
      if (!task.controller) beginChild();
      if (!names.add(task.name)) throw duplicate(task, atoms, open[open.length - 1].span.flow);
      for (const name of task.provision.names) {
        const others = providers.get(name);
        if (others === undefined) providers.set(name, atoms.length);
        else if (typeof others === 'number') providers.set(name, [others, atoms.length]);
        else others.push(atoms.length);
      }
      atoms.push(task);
    },
    enter(flow) {
      beginChild();
      const children = new Int32Array(flow.items.length);
      const span: Span = {
        flow,
        start: atoms.length,
        end: atoms.length,
        children,
        before: [],
        firstNode: 0,
        endNode: 0,
      };
      spans.push(span);
      open.push({ span, at: 0 });
    },
    leave() {
      open.pop()!.span.end = atoms.length;
    },
  });
  return { atoms, spans, providers };
}

function duplicate(second: TaskAtom, atoms: readonly TaskAtom[], flow: FlowNode): FlowError {
  const first = atoms.find(({ name }) => name === second.name)!;
  const both = first.controller || second.controller ? 'atoms' : 'tasks';
  const place = second.controller ? `is the retry of flow '${flow.name}'` : `in flow '${flow.name}'`;
  const advice =
    second.controller || first.controller
      ? 'Give the retry a name: times(3, { name })'
      : 'To run one task several times, give it copies with .with({ name })';
  return new FlowError(
    'ERR_MILLRACE_DUPLICATE_NAME',
    `Two ${both} are named '${second.name}' (the second ${place}): names must be unique in the whole flow. ${advice}`,
    { task: second.name },
  );
}
