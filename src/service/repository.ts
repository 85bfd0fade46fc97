import type { TaskQuery } from './query.js';
import type { TaskRecord, TaskSummary } from './record.js';

/**
 * Where task records are kept. Each method is atomic. An implementation that talks to a database waits while that is locked, for
 * 30 s at most, and then rejects with a {@link ServiceError} `ERR_MILLRACE_DATABASE`.
 */
export interface TaskRepository extends AsyncDisposable {
  /** What this connection is called as the holder of tasks. */
  readonly holder: string;
  /** @throws {@link ServiceError} `ERR_MILLRACE_DUPLICATE_RECORD` when there is a task with that id */
  add(task: TaskRecord): Promise<void>;
  /** The task with that id; `undefined` when there is none. */
  get(id: string): Promise<TaskRecord | undefined>;
  /** @throws {@link ArgumentError} when no task has the marker's id */
  list(query?: TaskQuery): Promise<TaskSummary[]>;
  /**
   * Puts `next` in the place of `previous`, if what is stored still has the status and the holder of `previous`.
   *
   * @returns whether it has: `false` when the task was changed or removed meanwhile, and then nothing has happened
   */
  save(next: TaskRecord, previous: TaskRecord): Promise<boolean>;
  /** @returns whether there was such a task */
  remove(id: string): Promise<boolean>;
  /** Removes what has expired. @returns how many there were */
  removeExpired(now: Date): Promise<number>;
  /**
   * The tasks that this connection holds, and those whose holder is gone: its process was killed before it could end them. The tasks
   * of other living connections are not among them.
   */
  held(): Promise<TaskRecord[]>;
  /** Waits for what is under way. From then on, every other method rejects with `ERR_MILLRACE_DATABASE`. */
  close(): Promise<void>;
}
