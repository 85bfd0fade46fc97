import { ServiceError, StoreError, type StoreErrorCode } from '../errors.js';

const FULL = 'ERR_MILLRACE_STORE_FULL';
const CORRUPT = 'ERR_MILLRACE_STORE_CORRUPT';
const READ_ONLY = 'ERR_MILLRACE_STORE_READ_ONLY';

/** The causes that have a code of their own: results of SQLite, states of PostgreSQL, errors of the system. */
const CODES: Readonly<Record<string | number, StoreErrorCode>> = {
  3: READ_ONLY, // SQLITE_PERM
  8: READ_ONLY, // SQLITE_READONLY
  14: READ_ONLY, // SQLITE_CANTOPEN
  11: CORRUPT, // SQLITE_CORRUPT
  26: CORRUPT, // SQLITE_NOTADB
  13: FULL, // SQLITE_FULL
  '25006': READ_ONLY, // read_only_sql_transaction
  '42501': READ_ONLY, // insufficient_privilege
  XX001: CORRUPT,
  XX002: CORRUPT,
  '53100': FULL, // disk_full
  EACCES: READ_ONLY,
  EPERM: READ_ONLY,
  EROFS: READ_ONLY,
  ENOSPC: FULL,
  EDQUOT: FULL,
};

/** What SQLite says, for the calls of which @photostructure/sqlite leaves the result out. */
const MESSAGES: Readonly<Record<string, StoreErrorCode>> = {
  'attempt to write a readonly database': READ_ONLY,
  'database disk image is malformed': CORRUPT,
  'database or disk is full': FULL,
  'file is not a database': CORRUPT,
};

const ADVICE: Partial<Record<StoreErrorCode, string>> = {
  [FULL]: 'nothing of this is recorded; free some space, and resume the flow',
  [CORRUPT]: 'restore it from a backup; nothing is repaired or made anew by itself',
  [READ_ONLY]: 'the file and its folder, or the tables, must be writable for this user',
};

/** An error of a database, or of what Millrace makes of it, with the code that says what to do, if there is one. */
export function storeError(error: unknown, name: string, flow?: string): unknown {
  const cause =
    error instanceof ServiceError && error.code === 'ERR_MILLRACE_DATABASE' ? (error.cause ?? error) : error;
  const { errcode, code, message } = cause as { errcode?: unknown; code?: unknown; message?: unknown };
  // The upper bits of a result of SQLite tell more about it.
  const kind = typeof errcode === 'number' ? CODES[errcode & 0xff] : (CODES[String(code)] ?? MESSAGES[String(message)]);
  if (!kind) return error;
  const what = cause === error ? `${name}: ${message}` : (error as ServiceError).message;
  return new StoreError(kind, `${what}; ${ADVICE[kind]}`, { cause, flow });
}

export function storeClosed(name: string): ServiceError {
  return new ServiceError('ERR_MILLRACE_DATABASE', `${name} has been closed`);
}
