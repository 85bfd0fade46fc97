/** That a task failed, and how. It stands where the task's result would be: in `revert`'s `result` and `flowFailures`. */
export class Failure {
  /** The name of the task that failed. */
  readonly task: string;
  /** What it threw. */
  readonly error: Error;

  constructor(task: string, error: Error) {
    this.task = task;
    this.error = error;
  }

  /** The error's message. */
  get message(): string {
    return this.error.message;
  }

  toString(): string {
    return `Failure: ${this.error.name}: ${this.error.message}`;
  }

  /** Whether a value is a failure, also one that came from another thread or another copy of the package. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

const brand = Symbol.for('millrace.failure');
Object.defineProperty(Failure.prototype, brand, { value: true });
