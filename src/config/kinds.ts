import { isAbsolute } from 'node:path';
import { received } from '../errors.js';

/** The kinds of value that an option may take: how each is checked, and how it is read from the text of a variable. */
export interface Kind<T> {
  /** What is expected, as messages say it: `a whole number from 1`. */
  readonly expected: string;
  /** Whether a value is of this kind. */
  accepts(value: unknown): value is T;
  /** Reads the text of an environment variable. What cannot be read is returned as it is, for `accepts` to refuse. */
  fromText(text: string): unknown;
  /** How a message shows what came instead. Default: {@link received}. */
  shows?(value: unknown): string;
}

/** The longest time that a timer can wait, in milliseconds; Node fires a longer one at once. */
const longestTimer = 2 ** 31 - 1;

/** A word of a list. */
export function oneOf<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    expected: words.map((word) => `'${word}'`).join(' or '),
    accepts: (value): value is T => (words as readonly unknown[]).includes(value),
    fromText: asItIs,
  };
}

/** A whole number of at least `from`, and at most `to`. */
export function whole(range: { from: number; to?: number; orInfinity?: boolean }): Kind<number> {
  const { from, to = Number.MAX_SAFE_INTEGER, orInfinity = false } = range;
  return {
    expected: `a whole number from ${from}${range.to === undefined ? '' : ` to ${to}`}${orInfinity ? ', or Infinity' : ''}`,
    accepts: (value): value is number =>
      (Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to) ||
      (orInfinity && value === Number.POSITIVE_INFINITY),
    fromText: readNumber,
  };
}

/** A time of at least `from` milliseconds, that a timer can wait for. */
export function milliseconds(range: { from: number; orInfinity?: boolean }): Kind<number> {
  const { accepts } = whole(range);
  return {
    expected: `a whole number of milliseconds from ${range.from} to ${longestTimer}${range.orInfinity ? ', or Infinity' : ''}`,
    accepts: (value): value is number =>
      accepts(value) && (value <= longestTimer || value === Number.POSITIVE_INFINITY),
    fromText: readNumber,
  };
}

/** A time of at least 0 hours, not necessarily whole. */
export const hours: Kind<number> = {
  expected: 'a number of hours from 0, or Infinity',
  accepts: (value): value is number => typeof value === 'number' && value >= 0,
  fromText: readNumber,
};

/** A number above 0, not necessarily whole. */
export const positive: Kind<number> = {
  expected: 'a number above 0',
  accepts: (value): value is number => Number.isFinite(value) && (value as number) > 0,
  fromText: readNumber,
};

/** How many workers there are: a number, or a part of what the process may use. */
export type PoolSize = 'auto' | number | `${number}%`;

const percentage = /^(?=.*[1-9])\d{1,4}(\.\d+)?%$/;

/** The size of a pool of workers. */
export const poolSize: Kind<PoolSize> = {
  expected: "'auto', a whole number from 1, or a percentage such as '50%'",
  accepts: (value): value is PoolSize =>
    value === 'auto' ||
    (Number.isSafeInteger(value) && (value as number) >= 1) ||
    (typeof value === 'string' && percentage.test(value)),
  fromText: readNumber,
};

/** The name of a task executor. Which ones are registered is not known here. */
export const executorName: Kind<string> = {
  expected: "'direct', 'taskflow', or the name of a registered executor",
  accepts: (value): value is string => typeof value === 'string' && /^[A-Za-z][\w.-]*$/.test(value),
  fromText: asItIs,
};

/** The path of a folder. */
export const folder: Kind<string> = {
  expected: 'the path of a folder',
  accepts: (value): value is string => typeof value === 'string' && value !== '',
  fromText: asItIs,
};

/** Where a database is. */
export const database: Kind<string> = {
  expected: "'memory:', 'sqlite:PATH', or 'postgres://...'",
  accepts: (value): value is string =>
    typeof value === 'string' && /^(memory:$|sqlite:.|postgres(ql)?:\/\/)/s.test(value),
  fromText: asItIs,
  shows(value) {
    // It may hold a password, which no message may show.
    if (typeof value !== 'string' || !/[^\w./-]/.test(value)) return received(value);
    const scheme = /^[a-z][a-z\d+.-]*:(\/\/)?/i.exec(value)?.[0] ?? '';
    return received(scheme === value ? value : `${scheme}…`);
  },
};

/** A list of modules to import. */
export const modules: Kind<readonly string[]> = {
  expected: "a list of modules, each './PATH', '../PATH', an absolute path or 'file:///PATH'",
  accepts: (value): value is string[] => Array.isArray(value) && [...value].every(isModule),
  fromText: (text) => text.split(',').map((part) => part.trim()),
  shows(value) {
    return Array.isArray(value) ? `one with ${received([...value].find((part) => !isModule(part)))}` : received(value);
  },
};

/** A name such as `x.js` is refused: it could be a package's as well as a file's. */
function isModule(value: unknown): boolean {
  return typeof value === 'string' && (isAbsolute(value) || /^(\.\.?\/|file:\/\/\/)./.test(value));
}

function asItIs(text: string): string {
  return text;
}

/** Only plain decimals are read, so that a variable never means something that its text does not show. */
function readNumber(text: string): unknown {
  if (text === 'Infinity') return Number.POSITIVE_INFINITY;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
