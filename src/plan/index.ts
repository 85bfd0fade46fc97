export { compile } from './compile.js';
export { type Edges, reversed } from './edges.js';
export { IntHeap } from './heap.js';
export { type Ranks, ranks } from './order.js';
export { traverse } from './outline.js';
export { CONSTANT, type DecidedLink, type Decisions, INPUT, type Plan } from './plan.js';
