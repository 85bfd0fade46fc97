export type * from './dataflow.js';
export { type FlowNode, type Item, isFlow, type Link, type Pattern } from './flow.js';
export { graph, linear, unordered } from './patterns.js';
