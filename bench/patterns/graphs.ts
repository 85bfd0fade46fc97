/** Graphs of tasks that only count, so that the graph is what is measured. */
import { graph, linear, task } from 'millrace';
import { randomNumbers } from '../random.js';
import { type Pattern, range } from './pattern.js';

const count = ({ count }: { count: number }): number => count + 1;
const visit = ({ visits }: { visits: Int32Array }): void => {
  Atomics.add(visits, 0, 1);
};

const countTask = task(import.meta.url, { name: 'count', requires: ['count'], provides: 'count', execute: count });
const visitTask = task(import.meta.url, { name: 'visit', requires: ['visits'], execute: visit });

export function linearChain(length: number): Pattern {
  return {
    name: 'linear chain',
    about: `${length} tasks, each of which counts on`,
    flow: () =>
      linear(
        'linear chain',
        range(length).map((i) =>
          countTask.with(i === 0 ? { name: 'count-0', rebind: { count: 'from' } } : { name: `count-${i}` }),
        ),
      ),
    inputs: () => ({ from: 0 }),
    plain() {
      let sum = 0;
      for (let i = 0; i < length; i++) sum = count({ count: sum });
      return sum;
    },
    result: (values) => values.count,
  };
}

/** Each task but those of the last layer is followed by two. */
export function binaryTree(layers: number): Pattern {
  const edges = range(2 ** (layers - 1) - 1).flatMap((i): Edge[] => [
    [i, 2 * i + 1],
    [i, 2 * i + 2],
  ]);
  return visits('binary tree', 2 ** layers - 1, edges, `${layers} layers`);
}

/** Levels of as many nodes; each node points to one to four of the next level. */
export function graphTraversal(length: number): Pattern {
  const random = randomNumbers(1);
  const edges = range(length * (length - 1)).flatMap((node) => {
    const next = (Math.floor(node / length) + 1) * length;
    const targets = new Set(Array.from({ length: 1 + (random() % 4) }, () => next + (random() % length)));
    return Array.from(targets, (target): Edge => [node, target]);
  });
  return visits('graph traversal', length * length, edges, `${length} levels of ${length} nodes`);
}

type Edge = readonly [from: number, to: number];

function visits(name: string, size: number, edges: readonly Edge[], about: string): Pattern {
  return {
    name,
    about: `${about}, ${size} tasks that count their visits`,
    flow() {
      const tasks = range(size).map((i) => visitTask.with({ name: `visit-${i}` }));
      let flow = graph(name, tasks);
      for (const [from, to] of edges) flow = flow.link(tasks[from], tasks[to]);
      return flow;
    },
    inputs: () => ({ visits: new Int32Array(new SharedArrayBuffer(4)) }),
    plain() {
      const visits = new Int32Array(new SharedArrayBuffer(4));
      for (let i = 0; i < size; i++) visit({ visits });
      return visits[0];
    },
    result: (_, { visits }) => visits[0],
  };
}
