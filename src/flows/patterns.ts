/** What makes flows of each pattern. Each takes a name, then items: tasks and flows, one by one or in lists. */
import type { GraphFunction, LinearFunction, UnorderedFunction } from './dataflow.js';
import { FlowNode, readItems } from './flow.js';
import { makeGraph } from './graph.js';

/**
 * A flow whose items run one after the other. Each sees what the ones before it provide, the nearest first.
 *
 * @throws {@link FlowError} `ERR_MILLRACE_NOT_A_FLOW` when an item is neither a task nor a flow
 * @example
 * const thumbnail = linear('thumbnail', decode, resize, save);
 */
export const linear = ((name: unknown, ...items: unknown[]) =>
  new FlowNode('linear', name as string, readItems('linear', name, items))) as unknown as LinearFunction;

/**
 * A flow whose items may run in any order, or at once. They do not see what the others provide.
 *
 * @throws {@link FlowError} `ERR_MILLRACE_NOT_A_FLOW` when an item is neither a task nor a flow
 */
export const unordered = ((name: unknown, ...items: unknown[]) =>
  new FlowNode('unordered', name as string, readItems('unordered', name, items))) as unknown as UnorderedFunction;

/**
 * A flow whose items run when what they require has been provided by others, and what is linked before them has run. The
 * order in which they are given does not matter.
 *
 * @throws {@link FlowError} `ERR_MILLRACE_NOT_A_FLOW` when an item is neither a task nor a flow; that two provide what a third
 *   requires, or that there is a cycle, is found when the flow is compiled
 * @example
 * const build = graph('build', compile, test, lint, pack).link(lint, pack);
 */
export const graph = ((name: unknown, ...items: unknown[]) => makeGraph(name, items)) as unknown as GraphFunction;
