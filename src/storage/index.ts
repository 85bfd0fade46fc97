/// <reference types="node" preserve="true" />
/**
 * Where flows are recorded, so that they outlive their process; and what is recorded there.
 *
 * @packageDocumentation
 */

export type {
  AtomKind,
  Durability,
  FlowSummary,
  Owner,
  RecordedAtom,
  RecordedAttempt,
  RecordedFlow,
} from '../engine/recording.js';
export { decodeStored, type Stored } from '../stored/index.js';
export {
  type AtomTree,
  atomTree,
  type BookSummary,
  type FlowQuery,
  type FlowSortKey,
} from './archive.js';
export { openStore, type Store, type StoreOptions } from './open-store.js';
