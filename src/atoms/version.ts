/** The versions of tasks: `major.minor`. What another major version has done may not be what this one would have. */
import { ArgumentError, received } from '../errors.js';

/**
 * What becomes of a recorded flow in which tasks have run whose code has another major version now: it is refused; these tasks, and
 * all that comes after them, run again; or what is recorded stands.
 */
export type OnVersionChange = 'fail' | 'rerun' | 'keep';

const ANSWERS: readonly unknown[] = ['fail', 'rerun', 'keep'] satisfies OnVersionChange[];

export const FIRST_VERSION = '1.0';

const VERSION = /^(0|[1-9]\d*)(\.(0|[1-9]\d*))?$/;

/** @throws {@link ArgumentError} */
export function checkVersion(label: string, version: unknown): void {
  if (version === undefined || (typeof version === 'string' && VERSION.test(version))) return;
  throw new ArgumentError(`${label}: version must be a string like '2' or '2.1'; received ${received(version)}`);
}

/** @throws {@link ArgumentError} */
export function checkOnVersionChange(label: string, answer: unknown): void {
  if (answer === undefined || ANSWERS.includes(answer)) return;
  throw new ArgumentError(`${label}: onVersionChange must be 'fail', 'rerun' or 'keep'; received ${received(answer)}`);
}

/** `'2'` is `'2.0'`. */
export function versionOf(given: string = FIRST_VERSION): string {
  return given.includes('.') ? given : `${given}.0`;
}

export function isSameMajor(one: string, other: string): boolean {
  return one === other || one.split('.', 1)[0] === other.split('.', 1)[0];
}
