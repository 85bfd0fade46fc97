export { compile } from './compile.js';
export { type Edges, reversed } from './edges.js';
export { IntHeap } from './heap.js';
export { type Ranks, ranks } from './order.js';
export { CONSTANT, INPUT, type Plan } from './plan.js';
