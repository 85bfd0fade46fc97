export type { Dispatcher, DispatcherFactory, RunHost } from './dispatcher.js';
export { type Connection, Engine, type EngineEvents, type EngineSetup, type FlowEvent } from './engine.js';
export type { ReadySet } from './frontier.js';
export type { Storage } from './ledger.js';
export type { LogEvent, ProgressEvent, Scheduler, TaskEvent } from './scheduler.js';
export type { EngineState, FlowState, TaskState } from './states.js';
