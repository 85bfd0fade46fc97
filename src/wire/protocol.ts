/** What the scheduler's thread and a worker say to each other. Everything here must survive structured clone. */
import type { MessagePort } from 'node:worker_threads';
import type { CrewWork } from './crew.js';
import type { EncodedError } from './errors.js';

/** What the main side hands to a session: both ports are transferred, the words are shared. */
export interface SessionData {
  readonly port: MessagePort;
  readonly services: MessagePort;
  readonly words: Int32Array;
}

// The words of memory that a thread shares with the scheduler.

/** The number of the packet that the thread runs; 0: none. */
export const RUNNING_PACKET = 0;
/** The member of that packet that runs, or ran last, counted from 1; 0: none has started. */
export const RUNNING_MEMBER = 1;
/** The first of the flags, one for each packet that a thread may hold. */
export const FLAGS = 2;

// The values of a flag. Both sides leave `WAITING` by compare-and-exchange, so that a packet either starts or is taken back.

export const WAITING = 0;
/** The worker has begun with the packet: its first member starts in any case. */
export const STARTED = 1;
/** No more members start. */
export const STOP = 2;
/** As `STOP`, and the member that runs is told to end. */
export const CANCEL = 3;
/** The scheduler has taken the packet back: nothing of it starts. */
export const TAKEN_BACK = 4;

/** A task's code and argument names, sent once to each worker and from then on known by number. */
export interface WireShape {
  readonly id: number;
  readonly module: string;
  readonly name: string;
  readonly params: readonly string[];
}

/** Tasks for a worker, which runs one after the other: its members. */
export interface Packet {
  readonly type: 'packet';
  readonly id: number;
  /** Which of the thread's flags belongs to the packet. */
  readonly flag: number;
  readonly run: number;
  readonly flow: string;
  /** Shapes that the worker does not know yet. */
  readonly define: readonly WireShape[] | undefined;
  /** A shape, and how many members in a row are of it, again and again. */
  readonly shapes: readonly number[];
  /** The names of the members, a line each: one string is sent many times faster than many. Or what they are derived from. */
  readonly names: string | WireElements | WireAtoms;
  /** What the keys of the members begin with. */
  readonly key: string;
  /** For each member its attempt and its round, one after the other; `undefined`: for all it is the first time. */
  readonly turns: readonly number[] | Int32Array | undefined;
  /** The arguments of the members: their first ones, their second ones, and so on. */
  readonly columns: readonly Column[];
  /** The members whose results only another member needs: they are not sent back when all have ended well at once. */
  readonly inner: readonly number[] | undefined;
  /** Values that other tasks of the run need too, by number: the worker keeps them until nobody does, or the run is over. */
  readonly keep: ReadonlyMap<number, unknown> | undefined;
  /** Members, and the numbers of their results, one after the other: what is bulky of these stays with the worker until it is asked for. */
  readonly stay: readonly number[] | undefined;
  /** The values that stayed with the worker, by number, that nobody needs after this packet. */
  readonly last: readonly number[] | undefined;
  /** It may take so long that nobody is to wait for what stayed with the worker: all but the `last` is sent before it starts. */
  readonly long: boolean;
  /** After so many ms no more members start. */
  readonly budget: number;
  /** The scheduler wants to know when the member starts, to measure its timeout from there. */
  readonly timed: boolean;
  /** The one member is to be reverted. */
  readonly revert: WireRevert | undefined;
  /** The thread is to join a crew, and `shapes` are those of its plan: members are then the atoms that it takes. */
  readonly crew: CrewWork | undefined;
}

/** Members that are named after elements of a list in a row, from the one at `first` on. */
export interface WireElements {
  readonly list: string;
  readonly first: number;
}

/** Members that are named as atoms of the flow, by number: the worker keeps the names of all under the number `NAMES`, a line each. */
export interface WireAtoms {
  readonly atoms: Row<number>;
}

export const NAMES = -1;

/** What the members are given as one of their arguments. Members with fewer arguments are left out. */
export interface Column {
  /** Whether all of them are given the same: there is one value, or one reference. */
  readonly same: boolean;
  /** The values, one after the other. */
  readonly values: Row;
  /**
   * For each member where its argument is, when some are not among the values: `BY_VALUE`; from 0 on the result of that member; below
   * `BY_VALUE` the value that the worker keeps under that number, counted from `BY_VALUE - 1` downwards.
   */
  readonly refs: Row<number> | undefined;
}

export const BY_VALUE = -1;

/** Atoms, as numbers. */
export type Atoms = readonly number[] | Int32Array;

/** Values in a row. Numbers travel as memory, which is many times faster than one by one. */
export type Row<T = unknown> = readonly T[] | Float64Array;

/** Fewer numbers are sent as fast one by one. */
const FEW = 32;

/** Values as they are sent. */
export function row<T>(values: readonly T[]): Row<T> {
  return (values.length < FEW ? undefined : numbersOf(values, 0, values.length)) ?? values;
}

/** The values from one place to before another as numbers; `undefined` if they are not all numbers. */
export function numbersOf(values: readonly unknown[], from: number, to: number): Float64Array | undefined {
  const numbers = new Float64Array(to - from);
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (typeof value !== 'number') return undefined;
    numbers[i - from] = value;
  }
  return numbers;
}

/** Whether values cost next to nothing to send, each of them. */
export function isPlain(values: Row): boolean {
  return !Array.isArray(values) || values.every((value) => value === undefined || typeof value === 'number');
}

export interface WireRevert {
  readonly names: readonly string[];
  readonly keys: readonly (string | number)[] | undefined;
  readonly result: unknown;
  readonly failure: { readonly task: string; readonly error: EncodedError } | undefined;
  /** The number of the {@link WireFailures} among the values that the thread keeps. */
  readonly flowFailures: number;
}

/** All that has failed in a flow. */
export type WireFailures = readonly (readonly [task: string, error: EncodedError])[];

export type ToWorker =
  | Packet
  /** The flag of this packet is up: the task that waits for an event shall know. */
  | { readonly type: 'cancel'; readonly id: number; readonly reason: EncodedError }
  /** These values that stayed with the worker are needed elsewhere. */
  | { readonly type: 'fetch'; readonly run: number; readonly values: readonly number[] }
  /** Nobody needs these values any more that were kept for a run. */
  | { readonly type: 'drop'; readonly run: number; readonly values: readonly number[] }
  /** A run is over: the values that were kept for it can go. */
  | { readonly type: 'forget'; readonly run: number }
  | { readonly type: 'stop' };

export type FromWorker =
  | Done
  /** The member runs: said of one with a timeout, and of the one at which the packet turns out to take too long. */
  | { readonly type: 'started'; readonly id: number; readonly member: number }
  | {
      readonly type: 'progress';
      readonly id: number;
      readonly member: number;
      readonly fraction: number;
      readonly details: unknown;
    }
  | {
      readonly type: 'log';
      readonly id: number;
      readonly member: number;
      readonly message: string;
      readonly details: unknown;
    }
  /** The crew has logged more. Of one atom, `posted`, the value or the error comes here, before it is in the log. */
  | {
      readonly type: 'crew';
      readonly id: number;
      readonly costs: readonly number[];
      readonly posted?: { readonly atom: number; readonly value?: unknown; readonly error?: EncodedError };
    }
  /** What stayed with the worker so far, or why it cannot be sent. */
  | {
      readonly type: 'value';
      readonly run: number;
      readonly number: number;
      readonly value?: unknown;
      readonly error?: EncodedError;
    }
  /** Something was thrown that nobody caught; the worker is about to end. */
  | { readonly type: 'fatal'; readonly id: number; readonly error: EncodedError };

/** What became of some members, from `from` on: what each returned. The members behind them, if it is `last`, were not started. */
export interface Done {
  readonly type: 'done';
  readonly id: number;
  readonly from: number;
  readonly results: Row;
  /** Those of them that failed. */
  readonly failures: readonly (readonly [member: number, error: EncodedError])[] | undefined;
  /** How long they took: a shape, how many of it, and ms in all, one after the other. */
  readonly costs: readonly number[];
  /** Members whose results have stayed with the worker, and how many bytes each, one after the other. */
  readonly stayed: readonly number[] | undefined;
  readonly last: boolean;
}

/** What the scheduler's thread offers to the contexts in its workers, over comlink: one object for each thread. */
export interface ServiceHost {
  call(run: number, task: string, service: string, args: unknown[]): Promise<ServiceAnswer>;
}

/** Errors are encoded here: comlink's own way loses their class, code and properties. */
export type ServiceAnswer = { readonly value: unknown } | { readonly error: EncodedError };
