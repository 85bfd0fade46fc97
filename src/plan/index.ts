export { compile } from './compile.js';
export type { Edges } from './edges.js';
export { IntHeap } from './heap.js';
export { elementOf, type Named, named, nameOf, numberOf } from './names.js';
export { predecessors, type Ranks, ranks, serialRanks } from './order.js';
export { traverse } from './outline.js';
export { CONSTANT, type DecidedLink, type Decisions, INPUT, type Plan, type Range, type Scope } from './plan.js';
export { rangePlan, sourcesOf } from './range.js';
export { rangeOf, whole } from './retries.js';
