/** Databases: what is stored outlives the process. Nothing of a driver is loaded before a database is opened. */
export type { Backend, Connection, Statement } from './backend.js';
export { type Database, type DatabaseOptions, openDatabase } from './database.js';
export { PREPARED } from './postgres.js';
export type { AtomRow, AttemptRow, FlowRow, Tables, TaskRow, ValueRow } from './schema.js';
