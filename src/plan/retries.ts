/** Which flow is tried again when an atom fails. */
import type { Outline } from './outline.js';
import type { Plan, Range, Retries, Scope } from './plan.js';

/** The flows with a retry; once the joints are known. */
export function retriesOf({ atoms, spans }: Outline): Retries | undefined {
  if (!atoms.some(({ controller, retry }) => controller ?? retry)) return undefined;
  const retried = spans.filter(({ flow }) => flow.retry);
  const scopes: Scope[] = [];
  const scopeOf = new Int32Array(atoms.length);
  const open: number[] = [];
  for (let atom = 0; atom < atoms.length; atom++) {
    while (open.length > 0 && scopes[open[open.length - 1]].end <= atom) open.pop();
    const parent = open.length > 0 ? open[open.length - 1] : -1;
    scopeOf[atom] = parent;
    if (atoms[atom].controller) {
      // Flows and their retries come in the same order.
      const { start, end, firstNode, endNode } = retried[scopes.length];
      open.push(scopes.push({ controller: atom, start, end, firstNode, endNode, parent }) - 1);
    }
  }
  return { scopes, scopeOf };
}

/** All of a plan. */
export function whole({ size, nodes }: Plan): Range {
  return { start: 0, end: size, firstNode: size, endNode: nodes };
}

/** What a retry has in its care: a controller its flow, a task with a retry of its own itself. */
export function rangeOf({ retries, atoms }: Plan, retry: number): Range {
  if (atoms[retry].controller) return scopeOf(retries!, retry);
  return { start: retry, end: retry + 1, firstNode: 0, endNode: 0 };
}

/** The scope of a controller. */
function scopeOf({ scopes }: Retries, controller: number): Scope {
  let low = 0;
  let high = scopes.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (scopes[middle].controller < controller) low = middle + 1;
    else high = middle;
  }
  return scopes[low];
}
