import { ArgumentError, received } from '../errors.js';
import { MemoryTaskRepository } from './memory.js';
import type { TaskRepository } from './repository.js';

/**
 * Opens the repository at a URL. Only what it needs is loaded: nothing of a database for `memory:`.
 *
 * @param url `memory:`, or `sqlite:PATH` with a path that may be relative to the working directory, or
 *   `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
 * @throws {@link ArgumentError} when it is something else
 * @throws {@link ServiceError} `ERR_MILLRACE_DATABASE` when the database cannot be opened, or its driver is not installed
 */
export async function openRepository(url: string): Promise<TaskRepository> {
  if (url === 'memory:') return new MemoryTaskRepository();
  const scheme = schemeOf(url);
  if (scheme === 'sqlite' || scheme === 'postgres' || scheme === 'postgresql') {
    const [{ openDatabase }, { SqlTaskRepository }] = await Promise.all([
      import('../database/index.js'),
      import('./sql.js'),
    ]);
    return new SqlTaskRepository(await openDatabase(url));
  }
  // Not the URL itself, as it may have a password.
  throw new ArgumentError(
    `The URL of a task repository must be 'memory:', 'sqlite:PATH' or 'postgres://...'; received ${
      typeof url !== 'string' ? received(url) : scheme === undefined ? 'a string without a scheme' : `'${scheme}:...'`
    }`,
  );
}

function schemeOf(url: unknown): string | undefined {
  return typeof url === 'string' ? /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1] : undefined;
}
