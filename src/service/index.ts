/// <reference types="node" preserve="true" />
/**
 * The task service of Millrace: tasks are submitted, and the executor that the configuration names carries them out.
 *
 * @packageDocumentation
 */

export type { Logger } from '../observe/index.js';
export { createTaskService, type TaskServiceOptions } from './create.js';
export {
  type ExecutorDescription,
  type ExecutorFactory,
  type ExecutorHost,
  type FlowRun,
  type FlowSetup,
  INTERNAL_ERROR,
  TaskExecutor,
} from './executor.js';
export type { Json } from './json.js';
export { MemoryTaskRepository } from './memory.js';
export { openRepository } from './open.js';
export type { SortKey, TaskQuery } from './query.js';
export {
  beginTask,
  failTask,
  type NewTaskOptions,
  newTask,
  succeedTask,
  type TaskRecord,
  type TaskSummary,
} from './record.js';
export type { PreparedTask, Registry, TaskPlugin } from './registry.js';
export type { TaskRepository } from './repository.js';
export type { CloseOptions, OwnerOptions, TaskService, TaskServiceEvents } from './service.js';
export { isFinal, type TaskStatus, TRANSITIONS } from './status.js';
export { type FlowContext, type SubflowFactory, type TaskType, type TaskTypeOptions, taskType } from './task-type.js';
