export type * from './dataflow.js';
export {
  DEPTHS,
  type Decider,
  type DeciderDepth,
  type FlowNode,
  type Item,
  isFlow,
  type Link,
  type Pattern,
} from './flow.js';
export { graph, linear, unordered } from './patterns.js';
export { tree } from './tree.js';
