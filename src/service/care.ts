import type { TaskRepository } from './repository.js';

/** The tasks of a repository connection that somebody in this process looks after. */
export class Care {
  /** Those that were submitted, and have not begun. */
  readonly queued = new Set<string>();
  /** Those that are being carried out. */
  readonly underWay = new Set<string>();

  has(id: string): boolean {
    return this.queued.has(id) || this.underWay.has(id);
  }
}

const cares = new WeakMap<TaskRepository, Care>();

/**
 * Services that share a repository are one holder to the world: what is held by it and in the care of none of them was left behind,
 * as when the database did not answer, or a service was closed.
 */
export function careOf(repository: TaskRepository): Care {
  const care = cares.get(repository) ?? new Care();
  cares.set(repository, care);
  return care;
}
