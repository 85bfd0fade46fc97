/** What `each()`, `reduce()` and `dynamic()` have in common: their options, and the task that comes of them. */
import { isTask, makeRegion, type OnVersionChange, type Region, type TaskAtom } from '../atoms/index.js';
import type { Retry } from '../atoms/retry-signature.js';
import { ArgumentError, received } from '../errors.js';
import { isFlow } from './flow.js';

/** What may be said of a region as of any task. */
export interface RegionOptions<R> {
  /** Which names feed the arguments, where they are not the arguments' own. */
  readonly rebind?: R;
  /** Among ready tasks a higher one starts first. Default: 0. */
  readonly priority?: number;
  /** Milliseconds after which the region is aborted and has failed. Default: as long as its tasks take. */
  readonly timeout?: number;
  /** Tries the region again, as a whole, when it has failed; what it has done is reverted before. A retry of the task tries single elements again. */
  readonly retry?: Retry<{}, {}, never>;
  /** What becomes of a recorded flow in which the region, or a task in it, has run with another major version. */
  readonly onVersionChange?: OnVersionChange;
}

/** Options as they come from JavaScript. */
type Raw = Readonly<Record<string, unknown>>;

/** What belongs to the code of a task, and what a region says in its own words. */
const REFUSED = [
  ...['requires', 'optional', 'revertRequires', 'revertOptional', 'revertRebind', 'execute', 'revert', 'version'],
];

export function checkRegionOptions(where: string, options: unknown, refused: readonly string[] = REFUSED): Raw {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ArgumentError(`${where}: options must be an object; received ${received(options)}`);
  }
  const found = refused.find((key) => key in options);
  if (found !== undefined) throw new ArgumentError(`${where}: there is no option '${found}'`);
  return options as Raw;
}

export function checkElementTask(where: string, task: unknown): TaskAtom {
  if (isTask(task)) return task;
  const came = isFlow(task) ? 'a flow. A flow for each element is built by a dynamic() task' : received(task);
  throw new ArgumentError(`${where}: the first argument must be a task; received ${came}`);
}

/** An option that is a name. */
export function nameIn(where: string, option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value !== '__proto__') return value;
  throw new ArgumentError(`${where}: ${option} must be a non-empty string; received ${received(value)}`);
}

/** An option that names a value which the task of a region asks for. */
export function argumentIn(where: string, option: string, value: unknown, { name, mapping }: TaskAtom): string {
  const source = nameIn(where, option, value);
  if (mapping.sources.includes(source)) return source;
  const known = mapping.sources.filter((one) => one !== undefined).join(', ');
  throw new ArgumentError(
    `${where}: ${option} names '${source}', which task '${name}' does not require (${known || 'none'})`,
  );
}

/** Makes the task of a region that runs a task of the user's for each element: it needs what that does, but for the names in `own`. */
export function elementsRegion(
  task: TaskAtom,
  region: Extract<Region, { over: string }>,
  own: readonly (string | undefined)[],
  options: Raw,
): TaskAtom {
  const required: string[] = [region.over];
  const optional: string[] = [];
  const { revert, ...mapping } = task.mapping;
  for (const { sources, optionalFrom } of revert ? [mapping, revert] : [mapping]) {
    sources.forEach((source, i) => {
      if (source === undefined || own.includes(source)) return;
      const names = i < optionalFrom ? required : optional;
      if (!names.includes(source)) names.push(source);
    });
  }
  return makeRegion(
    { name: task.name, onVersionChange: task.onVersionChange, ...options },
    { requires: required, optional },
    region,
  );
}
