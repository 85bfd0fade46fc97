/** What tasks, and the names in them, look like in `util.inspect`. */
import { type InspectOptions, inspect } from 'node:util';
import type { Region } from './region.js';
import type { TaskAtom } from './task.js';
import { FIRST_VERSION } from './version.js';

/** How many names of one list are shown. */
const NAMES = 10;
const LONGEST = 200;

/** A name in quotes, on one line, with what a terminal would take for a command escaped. */
export function quoted(name: string, options: InspectOptions): string {
  return inspect(name, { ...options, breakLength: Number.POSITIVE_INFINITY, maxStringLength: LONGEST });
}

/** A name as it is; in quotes, if it could be taken for something else. */
export function bare(name: string, options: InspectOptions): string {
  return name.length <= LONGEST && /^[\p{L}\p{N}_$.-]+$/u.test(name) ? name : quoted(name, options);
}

/** The first of some entries, and how many more there are. */
export function row<T>(entries: readonly T[], show: (entry: T) => string): string {
  const shown = entries.slice(0, NAMES).map(show);
  if (entries.length > NAMES) shown.push(`… ${entries.length - NAMES} more`);
  return shown.join(', ');
}

function describeRegion(region: Region, plain: (name: string) => string): string {
  return region.kind === 'dynamic' ? 'dynamic' : `${region.kind} ${plain(region.task.name)} over ${plain(region.over)}`;
}

/** A task, or the retry of a flow, on one line: what it takes and gives, by the names that values have in its flow. Injected values may be secret. */
export function describeTask(task: TaskAtom, options: InspectOptions, state = ''): string {
  const { definition, mapping, provision, priority, timeout, controller, retry, mayFail, version } = task;
  const { params, sources, optionalFrom } = mapping;
  const required: number[] = [];
  const optional: number[] = [];
  const injected: number[] = [];
  for (let i = 0; i < params.length; i++) {
    (sources[i] === undefined ? injected : i < optionalFrom ? required : optional).push(i);
  }
  const plain = (name: string) => bare(name, options);
  const argument = (i: number) => {
    const source = sources[i] ?? params[i];
    return source === params[i] ? plain(source) : `${plain(source)} as ${plain(params[i])}`;
  };
  const { region } = task;
  const place = task.travels ? 'travels' : 'local';
  const parts = [controller ? definition.name : region ? describeRegion(region, plain) : place];
  if (required.length > 0) parts.push(`requires ${row(required, argument)}`);
  if (optional.length > 0) parts.push(`optional ${row(optional, argument)}`);
  if (injected.length > 0) parts.push(`injects ${row(injected, argument)}`);
  if (provision.names.length > 0) parts.push(`provides ${row(provision.names, plain)}`);
  if (definition.revert) parts.push('reverts');
  if (priority !== 0) parts.push(`priority ${priority}`);
  if (timeout !== undefined) parts.push(`timeout ${timeout} ms`);
  if (retry) parts.push('retries');
  if (mayFail) parts.push('may fail');
  if (version !== FIRST_VERSION) parts.push(`version ${version}`);
  return `${controller ? 'Retry' : 'Task'} ${quoted(task.name, options)}${state && `: ${state}`} (${parts.join('; ')})`;
}
