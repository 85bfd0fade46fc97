export type { Definition, Shape } from './definition.js';
export { Failure } from './failure.js';
export type { Mapping, Provision } from './mapping.js';
export { registered, registeredNames, type Transferred, thread } from './registry.js';
export { type RevertExtras, revertArguments } from './revert.js';
export type * from './signature.js';
export { isTask, TaskAtom, task } from './task.js';
export { isThenable } from './thenable.js';
export { share, transfer } from './transfer.js';
