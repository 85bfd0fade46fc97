/** Databases: what is stored outlives the process. Nothing here is loaded before a database is opened. */
export {
  type Archive,
  type AtomTree,
  atomTree,
  type BookSummary,
  type FlowQuery,
  type FlowSortKey,
} from './archive.js';
export { type Database, type DatabaseOptions, openDatabase } from './database.js';
export { openStore, type Store, type StoreOptions } from './open-store.js';
export type { Tables, TaskRow } from './schema.js';
