import type { TaskRepository } from './repository.js';

const left = new WeakMap<TaskRepository, Set<string>>();

/**
 * The tasks that a repository connection may hold although nobody in this process carries them out any more: the database did not
 * answer, or their service was closed. To others they look as if they were in good hands, as the connection lives; so the
 * services that use the connection look after them.
 */
export function leftBehind(repository: TaskRepository): Set<string> {
  const ids = left.get(repository) ?? new Set();
  left.set(repository, ids);
  return ids;
}
