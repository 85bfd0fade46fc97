/// <reference types="node" preserve="true" />
/**
 * Millrace: task flows for Node.js.
 *
 * @packageDocumentation
 */

export type {
  AlwaysRevertFunction,
  Attempt,
  BuildContext,
  CausedByOptions,
  CustomRetryOptions,
  Dataflow,
  Decision,
  ForEachFunction,
  History,
  OnVersionChange,
  PaceOptions,
  ParameterizedForEachFunction,
  Retry,
  RetryFunction,
  RetryOptions,
  Services,
  Task,
  TaskContext,
  TaskFunction,
  TaskOptions,
  TimesFunction,
} from './atoms/index.js';
export {
  alwaysRevert,
  alwaysRevertAll,
  forEach,
  parameterizedForEach,
  retry,
  share,
  task,
  times,
  transfer,
} from './atoms/index.js';
export type { Config, ConfigOptions } from './config/index.js';
export type { Pool } from './dispatch/shared.js';
export type {
  Engine,
  EngineEvents,
  EngineState,
  EngineStatistics,
  FlowEvent,
  FlowState,
  LogEvent,
  ProgressDetails,
  ProgressEvent,
  RecordOptions,
  Storage,
  TaskEvent,
  TaskIntention,
  TaskState,
} from './engine/index.js';
export type { ErrorKind } from './error-kinds.js';
export {
  AbortError,
  ArgumentError,
  ConfigError,
  ExposedError,
  FlowError,
  type FlowErrorCode,
  isMillraceError,
  RunError,
  type RunErrorCode,
  ServiceError,
  type ServiceErrorCode,
  StoreError,
  type StoreErrorCode,
  WrappedFailure,
} from './errors.js';
export { Failure, type FailureJson } from './failure/index.js';
export {
  type Decider,
  type DeciderDepth,
  type DynamicOptions,
  dynamic,
  type EachOptions,
  each,
  type Factory,
  type FactoryFunction,
  type Flow,
  type FlowItem,
  type FlowOverrides,
  factory,
  type GraphFlow,
  graph,
  type LinkOptions,
  linear,
  type ReduceOptions,
  reduce,
  unordered,
} from './flows/index.js';
export {
  createPool,
  type LoadOptions,
  load,
  type OfferedServices,
  type ResumeOptions,
  type RunOptions,
  resume,
  run,
} from './load.js';
export type { ErrorJson, ValueJson } from './wire/index.js';
