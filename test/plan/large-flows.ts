/** Large flows of each pattern. */
import { type FlowItem, graph, linear, unordered } from 'millrace';

/** Makes a task which requires `value`, and whose result is one more. */
export type Copy = (name: string, extra?: object) => FlowItem;

export const largeFlows: Record<string, (size: number, copy: Copy) => FlowItem> = {
  'a linear flow': (size, copy) =>
    linear(
      'flow',
      list(size, (i) => copy(`t${i}`)),
    ),

  'an unordered flow': (size, copy) =>
    unordered(
      'flow',
      list(size, (i) => copy(`t${i}`)),
    ),

  'a graph of one chain by names': (size, copy) =>
    graph(
      'flow',
      list(size, (i) => copy(`t${i}`, { rebind: [i > 0 ? `n${i - 1}` : 'value'], provides: `n${i}` })),
    ),

  'a graph of one chain by links, written backwards': (size, copy) => {
    const items = list(size, (i) => copy(`t${i}`));
    let flow = graph('flow', items);
    for (let i = 1; i < size; i++) flow = flow.link(items[i], items[i - 1]);
    return flow;
  },

  'layers of a thousand': (size, copy) => {
    const layer = (i: number) =>
      unordered(
        `layer ${i}`,
        list(1000, (j) => copy(`t${i}-${j}`)),
      );
    return linear('flow', list(size / 1000, layer));
  },
};

export function list<T>(length: number, make: (index: number) => T): T[] {
  return Array.from({ length }, (_, index) => make(index));
}
