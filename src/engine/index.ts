export { Ahead } from './ahead.js';
export { bind, checkInputs } from './bind.js';
export { Factories } from './built.js';
export { Ended } from './children.js';
export { ignoredFrom } from './decide.js';
export type { Dispatcher, DispatcherFactory, RunHost } from './dispatcher.js';
export { emitSafely } from './emit.js';
export { type Connection, Engine, type EngineSetup } from './engine.js';
export {
  type EngineEvents,
  type FlowEvent,
  type LogEvent,
  logEvent,
  type ProgressEvent,
  progressEvent,
  type TaskEvent,
  taskEvent,
} from './events.js';
export type { ReadySet } from './frontier.js';
export type { Journal } from './journal.js';
export { EXECUTE, Ledger } from './ledger.js';
export { onAbort } from './on-abort.js';
export { abortedRun, closedEngine, closedRun, outcome } from './outcome.js';
export type { RecordOptions } from './record.js';
export type { RecorderOptions } from './recorder.js';
export type { FailureOptions, Scheduler } from './scheduler.js';
export { type EngineState, type FlowState, IGNORE, PENDING, SUCCESS, type TaskState } from './states.js';
export type { EngineStatistics } from './statistics.js';
export { FlowStorage, type ProgressDetails, type Storage, type TaskIntention } from './storage.js';
