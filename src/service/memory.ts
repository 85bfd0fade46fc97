import { randomUUID } from 'node:crypto';
import { ServiceError } from '../errors.js';
import { type TaskQuery, unknownMarker } from './query.js';
import { isExpired, summaryOf, type TaskRecord, type TaskSummary } from './record.js';
import type { TaskRepository } from './repository.js';

/** Task records in the memory of this process, gone with it. */
export class MemoryTaskRepository implements TaskRepository {
  readonly holder = randomUUID();
  readonly #records = new Map<string, TaskRecord>();
  #closed = false;

  async add(task: TaskRecord): Promise<void> {
    const tasks = this.#tasks();
    if (tasks.has(task.id)) {
      throw new ServiceError('ERR_MILLRACE_DUPLICATE_RECORD', `There is a task ${task.id} already`, { id: task.id });
    }
    tasks.set(task.id, task);
  }

  async get(id: string): Promise<TaskRecord | undefined> {
    return this.#tasks().get(id);
  }

  async list(query: TaskQuery = {}): Promise<TaskSummary[]> {
    const { type, status, owner, sortKey = 'createdAt', sortDir = 'desc', marker, limit } = query;
    const tasks = this.#tasks();
    const sign = sortDir === 'asc' ? 1 : -1;
    const inOrder = (a: TaskSummary, b: TaskSummary) =>
      sign * (compare(a[sortKey], b[sortKey]) || compare(a.createdAt, b.createdAt) || compare(a.id, b.id));
    let found = [...tasks.values()].filter(
      (task) =>
        (type === undefined || task.type === type) &&
        (status === undefined || task.status === status) &&
        (owner === undefined || task.owner === owner),
    );
    if (marker !== undefined) {
      const last = tasks.get(marker);
      if (!last) throw unknownMarker(marker);
      found = found.filter((task) => inOrder(task, last) > 0);
    }
    return found.sort(inOrder).slice(0, limit).map(summaryOf);
  }

  async save(next: TaskRecord, previous: TaskRecord): Promise<boolean> {
    const tasks = this.#tasks();
    const stored = tasks.get(previous.id);
    if (stored?.status !== previous.status || stored.holder !== previous.holder) return false;
    tasks.set(previous.id, next);
    return true;
  }

  async remove(id: string): Promise<boolean> {
    return this.#tasks().delete(id);
  }

  async removeExpired(now: Date): Promise<number> {
    const tasks = this.#tasks();
    const expired = [...tasks.values()].filter((task) => isExpired(task, now));
    for (const { id } of expired) tasks.delete(id);
    return expired.length;
  }

  async held(): Promise<TaskRecord[]> {
    return [...this.#tasks().values()].filter(({ holder }) => holder === this.holder);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#records.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #tasks(): Map<string, TaskRecord> {
    if (this.#closed) throw new ServiceError('ERR_MILLRACE_DATABASE', 'The task repository is closed');
    return this.#records;
  }
}

/** What is `null` is the least; texts are compared by code points, as databases do. */
function compare(a: string | Date | null, b: string | Date | null): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  if (typeof a === 'string') return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  return a.getTime() - (b as Date).getTime();
}
