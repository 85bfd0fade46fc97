import type { Database } from '../database/index.js';
import type { Durability, FlowStore } from '../engine/recording.js';
import { ArgumentError, received } from '../errors.js';
import type { Archive } from './archive.js';
import { MemoryStore } from './memory-store.js';
import { storeError } from './store-errors.js';

/** Where flows are recorded, and what has been recorded there. */
export interface Store extends FlowStore, Archive {}

export interface StoreOptions {
  /** What a commit survives. Default: `'normal'`. */
  readonly durability?: Durability | undefined;
  /** How long to wait while the database is locked or cannot be reached, in ms. Default: 30,000. */
  readonly patience?: number | undefined;
  /**
   * PostgreSQL: after how long somebody else may take a flow whose owner is connected but says nothing, in ms. Default: 30,000.
   */
  readonly silence?: number | undefined;
}

/** The longest time that a timer can be set to. */
const LONGEST = 2 ** 31 - 1;

const LEVELS: readonly unknown[] = ['full', 'normal', 'none'] satisfies Durability[];

/**
 * Opens a place where flows are recorded. Only what it needs is loaded: nothing of a database for `memory:`.
 *
 * @param url `memory:`, `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
 * @throws {@link ArgumentError} when the URL or an option is malformed
 * @throws {@link StoreError} or {@link ServiceError} when the database cannot be opened
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  const { durability = 'normal', patience = 30_000, silence = 30_000 } = options;
  if (!LEVELS.includes(durability)) {
    throw new ArgumentError(`durability must be one of ${LEVELS.join(', ')}; received ${received(durability)}`);
  }
  for (const [option, ms] of Object.entries({ patience, silence })) {
    if (typeof ms === 'number' && ms >= 1 && ms <= LONGEST) continue;
    throw new ArgumentError(`${option} must be a number of ms from 1 to ${LONGEST}; received ${received(ms)}`);
  }
  if (url === 'memory:') return new MemoryStore();
  // Not the URL itself, as it may have a password.
  const scheme = typeof url === 'string' ? /^[a-z][a-z0-9+.-]*(?=:)/i.exec(url)?.[0] : undefined;
  if (scheme !== 'sqlite' && scheme !== 'postgres' && scheme !== 'postgresql') {
    const came = typeof url !== 'string' ? received(url) : scheme ? `'${scheme}:...'` : 'a string without a scheme';
    throw new ArgumentError(
      `The URL of a store must be 'memory:', 'sqlite:PATH' or 'postgres://USER:PASSWORD@HOST:PORT/DATABASE'; received ${came}`,
    );
  }
  const [{ openDatabase }, { SqlStore }] = await Promise.all([
    import('../database/index.js'),
    import('./sql-store.js'),
  ]);
  let database: Database | undefined;
  try {
    database = await openDatabase(url, { durability, patience });
    return new SqlStore(database, { silence });
  } catch (error) {
    await database?.close();
    throw storeError(error, 'The database of flows');
  }
}
