import { classNamesOf } from '../error-kinds.js';
import { isError } from '../wire/index.js';

/** The longest chain of causes that is followed. A getter may make them up as one goes. */
const MAX_CAUSES = 100;

/** The cause of an error, the cause of that, and so on, as long as they are errors. */
export function causesOf(error: Error): Error[] {
  const causes = new Set<Error>();
  for (let cause = read(error, 'cause'); isError(cause); cause = read(cause, 'cause')) {
    if (cause === error || causes.has(cause) || causes.size === MAX_CAUSES) break;
    causes.add(cause);
  }
  return [...causes];
}

/** Whether two errors say the same, with all that led to them. */
export function matchingErrors(one: Error, other: Error): boolean {
  const seen = new Set<Error>();
  const open: [unknown, unknown][] = [[one, other]];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [a, b] = pair;
    if (!isError(a) || !isError(b)) {
      if (isError(a) || isError(b)) return false; // other values may have changed on their way
      continue;
    }
    if (a === b || seen.has(a)) continue;
    seen.add(a);
    if (!sameOnTheFace(a, b)) return false;
    const [ofA, ofB] = [errorsOf(a), errorsOf(b)];
    if (ofA.length !== ofB.length) return false;
    for (let i = 0; i < ofA.length; i++) open.push([ofA[i], ofB[i]]);
    open.push([read(a, 'cause'), read(b, 'cause')]);
  }
  return true;
}

function sameOnTheFace(a: Error, b: Error): boolean {
  if (!['name', 'message', 'code'].every((key) => Object.is(read(a, key), read(b, key)))) return false;
  return classNamesOf(a).join('\n') === classNamesOf(b).join('\n');
}

function errorsOf(error: Error): readonly unknown[] {
  const errors = read(error, 'errors');
  return Array.isArray(errors) ? errors : [];
}

function read(error: Error, key: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}
