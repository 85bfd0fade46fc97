/**
 * What an engine needs of a place where it records a flow, so that it can be resumed. Only types: `storage` implements them.
 *
 * An engine takes a flow by a lease, appends to it what changes, and commits that: one commit for all that has been appended since the
 * last one. What follows from a change waits for its commit.
 */
import type { FlowState, TaskState } from './states.js';
import type { TaskIntention } from './storage.js';

/** A value as it is stored: a text, and binary parts that the text refers to. It is never changed once it is made. */
export interface Stored {
  readonly text: string;
  readonly parts: readonly Uint8Array[];
}

/**
 * What a commit survives. `'full'`: a crash of the system, or of the database server. `'normal'`: the end of the process, however it
 * comes. `'none'`: nothing is promised.
 */
export type Durability = 'full' | 'normal' | 'none';

/** Where flows are recorded. */
export interface FlowStore extends AsyncDisposable {
  /**
   * Records a new flow, and takes it, in one commit.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_DUPLICATE_FLOW` when there is a flow of that id
   */
  create(flow: NewFlow): Promise<Lease>;
  /**
   * Takes a recorded flow, once it has no owner, or an owner that is gone. Read it after that, not before.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_OWNED`, `ERR_MILLRACE_FLOW_NOT_FOUND`
   */
  acquire(id: string): Promise<Lease>;
  /** Waits for the commits that are under way, releases all leases, and closes the database. What is not committed is gone. */
  close(): Promise<void>;
}

export interface NewFlow {
  /** Default: a random UUID. */
  readonly id?: string | undefined;
  /** The book that the flow is part of, which is made if need be. Default: none. */
  readonly book?: string | undefined;
  readonly name: string;
  /** The name of what builds the flow again. */
  readonly factory?: string | undefined;
  readonly inputs: Stored;
  readonly metadata?: Stored | undefined;
}

/**
 * The right to go on with a flow, and to record that. At most one lease of a flow is good at a time: each has a higher epoch than all
 * before it, and what is committed under an older one is refused.
 */
export interface Lease {
  /** Of the flow. */
  readonly id: string;
  readonly epoch: number;
  /** Is aborted when it becomes known that the lease is lost. The reason is a {@link StoreError} `ERR_MILLRACE_LEASE_LOST`. */
  readonly signal: AbortSignal;
  /** All that is committed of the flow. */
  read(): Promise<RecordedFlow>;
  /** Appends a change of the flow itself. What a change does not mention stays as it is; `null` takes a value away. */
  flow(change: FlowChange): void;
  /** Appends a change of an atom; of several in one commit, the last of each property counts. What is never mentioned is `PENDING`. */
  atom(name: string, change: AtomChange): void;
  /** Appends that an atom is no more, as the region that built it begins anew. Its attempts go with it. */
  remove(atom: string): void;
  /** Appends a change of the n-th attempt of a retry, from 0. */
  attempt(retry: string, n: number, change: AttemptChange): void;
  /** Appends that a retry has tried nothing. */
  forget(retry: string): void;
  /**
   * Commits all that has been appended, or nothing of it. Where the database allows, that is done on return; else when the promise
   * resolves. It may be called again at once: commits are carried out in order, and what is appended meanwhile becomes one.
   *
   * When it fails, what was appended stays, and comes first at the next `commit()`. Whether it was written all the same is looked
   * up then.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_LEASE_LOST`, and then nothing is or will be written; `ERR_MILLRACE_STORE_FULL`, ...
   */
  commit(): void | Promise<void>;
  /** Waits for what is under way, and leaves the flow to whoever takes it next. What is not committed is gone. */
  release(): Promise<void>;
}

export interface FlowChange {
  readonly state?: FlowState;
  /** The values that were injected, and are not transient. */
  readonly injected?: Stored | null;
  readonly metadata?: Stored | null;
  /** What else the engine has to know when it resumes the flow. */
  readonly notes?: Stored | null;
}

/** `'region'`: a task whose work is a flow that it builds. */
export type AtomKind = 'task' | 'retry' | 'region';

export interface AtomChange {
  /** Default: `'task'`. */
  readonly kind?: AtomKind;
  /** The region that built the flow that the atom is in. Default: none. */
  readonly parent?: string | null;
  readonly state?: TaskState;
  readonly intention?: TaskIntention;
  /** How many times what it does now, or did last, has begun: more than once when a process ended meanwhile. */
  readonly attempts?: number;
  /** How many times it was put back to its start, to be tried again. */
  readonly rounds?: number;
  /** That of its code. */
  readonly version?: string | null;
  /** The number that it was given when it finished; 0: it has not. */
  readonly order?: number;
  /** How far it is, with details. */
  readonly progress?: Stored | null;
  readonly result?: Stored | null;
  readonly failure?: Stored | null;
  readonly revertResult?: Stored | null;
  readonly revertFailure?: Stored | null;
  readonly metadata?: Stored | null;
  /** What else the engine has to know when it resumes the flow. */
  readonly notes?: Stored | null;
}

export interface AttemptChange {
  readonly value?: Stored | null;
  readonly failures?: Stored | null;
}

/** Who goes on with a flow. */
export interface Owner {
  readonly host: string;
  readonly pid: number;
  readonly since: Date;
}

/** What is read of a flow without what is in it. */
export interface FlowSummary {
  readonly id: string;
  readonly book: string | undefined;
  readonly name: string;
  readonly factory: string | undefined;
  readonly state: FlowState;
  /** Who had it last and has not released it; it may be gone. */
  readonly owner: Owner | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** When it came to its end. */
  readonly finishedAt: Date | undefined;
}

export interface RecordedFlow extends FlowSummary {
  readonly inputs: Stored;
  readonly injected: Stored | undefined;
  readonly metadata: Stored | undefined;
  readonly notes: Stored | undefined;
  /** By name. Those that are not here are `PENDING`. */
  readonly atoms: ReadonlyMap<string, RecordedAtom>;
  /** The attempts of each retry that has tried something. */
  readonly histories: ReadonlyMap<string, readonly RecordedAttempt[]>;
}

export interface RecordedAtom {
  readonly name: string;
  readonly kind: AtomKind;
  readonly parent: string | undefined;
  readonly state: TaskState;
  readonly intention: TaskIntention;
  readonly attempts: number;
  readonly rounds: number;
  readonly version: string | undefined;
  readonly order: number;
  /** When it last began to run or to be reverted, by the clock of the owner. */
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly progress: Stored | undefined;
  readonly result: Stored | undefined;
  readonly failure: Stored | undefined;
  readonly revertResult: Stored | undefined;
  readonly revertFailure: Stored | undefined;
  readonly metadata: Stored | undefined;
  readonly notes: Stored | undefined;
}

export interface RecordedAttempt {
  readonly value: Stored | undefined;
  readonly failures: Stored | undefined;
}
