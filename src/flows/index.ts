export type * from './dataflow.js';
export { type DynamicOptions, dynamic } from './dynamic.js';
export { type EachOptions, each } from './each.js';
export { FactoryNode, factory, isFactory } from './factory.js';
export {
  DEPTHS,
  type Decider,
  type DeciderDepth,
  type FlowNode,
  type Item,
  isFlow,
  isItem,
  type Link,
  type Pattern,
  receivedItem,
} from './flow.js';
export { graph, linear, unordered } from './patterns.js';
export { type ReduceOptions, reduce } from './reduce.js';
export { condition, tree } from './tree.js';
