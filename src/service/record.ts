/** A task as it is handed over, carried out and looked up: an immutable value; each transition makes a new one. */
import { randomUUID } from 'node:crypto';
import { ArgumentError, received } from '../errors.js';
import { type Json, toJson } from './json.js';
import { checkTransition, type TaskStatus } from './status.js';

/** A task without its content: what lists and notifications show. */
export interface TaskSummary {
  readonly id: string;
  /** Which kind of task it is, and so which flow carries it out. */
  readonly type: string;
  readonly status: TaskStatus;
  /** Whose it is; `null` when nobody was named. */
  readonly owner: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** From when on it may be forgotten; `null` until it has ended. */
  readonly expiresAt: Date | null;
}

/** A task. */
export interface TaskRecord extends TaskSummary {
  /** What is to be worked on. */
  readonly input: Json;
  /** What came of it; `null` unless it succeeded. */
  readonly result: Json;
  /** Why it failed; empty unless it did. */
  readonly message: string;
  /** The repository connection that answers for it, from when it is submitted or begun until it ends. */
  readonly holder: string | null;
  /** Whether its flow is recorded, from when it is begun, so that it can be resumed. */
  readonly recorded: boolean;
}

/** What may be said of a new task. */
export interface NewTaskOptions {
  /** Whose it is. Default: nobody's. */
  readonly owner?: string | undefined;
}

/** The longest message that is kept, in UTF-16 code units. */
const MAX_MESSAGE = 8 * 1024;
const HOUR = 3_600_000;

/**
 * Makes a pending task. The input is copied as JSON.
 *
 * @throws {@link ArgumentError} when the type or the owner is not a non-empty string
 * @throws {@link ServiceError} `ERR_MILLRACE_NOT_JSON` when the input is no JSON, or too large
 */
export function newTask(type: string, input?: unknown, { owner }: NewTaskOptions = {}): TaskRecord {
  nameOf('The type of a task', type);
  if (owner !== undefined) nameOf('The owner of a task', owner);
  const id = randomUUID();
  const now = new Date();
  return Object.freeze<TaskRecord>({
    ...{ id, type, status: 'pending', owner: owner ?? null },
    ...{ createdAt: now, updatedAt: now, expiresAt: null },
    ...{ input: toJson(input ?? null, `The input of a '${type}' task`, id), result: null, message: '' },
    ...{ holder: null, recorded: false },
  });
}

/**
 * The task as it is being carried out, by `holder`.
 *
 * @param recorded whether its flow is recorded
 * @throws {@link ServiceError} `ERR_MILLRACE_ILLEGAL_TRANSITION`
 */
export function beginTask(task: TaskRecord, holder: string, recorded = false): TaskRecord {
  checkTransition(task.id, task.status, 'processing');
  return Object.freeze<TaskRecord>({ ...task, status: 'processing', updatedAt: new Date(), holder, recorded });
}

/**
 * The task as it has succeeded.
 *
 * @param timeToLive how long it is kept from now on, in hours
 * @throws {@link ServiceError} `ERR_MILLRACE_ILLEGAL_TRANSITION`, or `ERR_MILLRACE_NOT_JSON` when the result is no JSON
 */
export function succeedTask(task: TaskRecord, result: unknown, timeToLive: number): TaskRecord {
  checkTransition(task.id, task.status, 'success');
  return ended(task, 'success', timeToLive, {
    result: toJson(result ?? null, `The result of '${task.type}' task ${task.id}`, task.id),
  });
}

/**
 * The task as it has failed.
 *
 * @param message why; longer ones are cut at 8,192 characters
 * @param timeToLive how long it is kept from now on, in hours
 * @throws {@link ServiceError} `ERR_MILLRACE_ILLEGAL_TRANSITION`
 */
export function failTask(task: TaskRecord, message: string, timeToLive: number): TaskRecord {
  checkTransition(task.id, task.status, 'failure');
  const text = String(message);
  const kept = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE - 1)}…` : text;
  // As a database may take it: without NUL, and without half of a character.
  return ended(task, 'failure', timeToLive, { message: Buffer.from(kept).toString().replaceAll('\0', '\uFFFD') });
}

/** A task without its content. */
export function summaryOf({ id, type, status, owner, createdAt, updatedAt, expiresAt }: TaskSummary): TaskSummary {
  return Object.freeze({ id, type, status, owner, createdAt, updatedAt, expiresAt });
}

/** Whether a task may be forgotten. */
export function isExpired({ expiresAt }: TaskSummary, now: Date): boolean {
  return expiresAt !== null && expiresAt <= now;
}

function ended(
  task: TaskRecord,
  status: TaskStatus,
  timeToLive: number,
  content: { result: Json } | { message: string },
): TaskRecord {
  const now = new Date();
  const end = new Date(now.getTime() + timeToLive * HOUR);
  // A time that no date can express (`Infinity`) is never.
  const expiresAt = Number.isNaN(end.getTime()) ? null : end;
  return Object.freeze<TaskRecord>({ ...task, ...content, status, updatedAt: now, expiresAt, holder: null });
}

/** Whether a database can hold a text as it is: one without NUL, and without half of a character. */
export function isText(text: string): boolean {
  return !text.includes('\0') && Buffer.from(text).toString() === text;
}

function nameOf(what: string, value: unknown): void {
  if (typeof value === 'string' && value !== '' && value.length <= 255 && isText(value)) return;
  throw new ArgumentError(`${what} must be a string of 1 to 255 characters; received ${received(value)}`);
}
