/** Databases: what is stored outlives the process. Nothing here is loaded before a database is opened. */
export { type Database, type DatabaseOptions, openDatabase } from './database.js';
export type { Tables, TaskRow } from './schema.js';
