import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/**
 * How many worker threads the process may really use: the CPUs it may run on (its affinity), and no more than the CPU quota
 * of its container, rounded down. At least 1. Where there is no quota, or it cannot be read, the CPUs alone count.
 * @param root The folder that holds `proc` and the cgroup mounts. Default: `'/'`.
 */
export function availableWorkers(root = '/'): number {
  return Math.max(1, Math.floor(Math.min(availableParallelism(), cpuQuota(root))));
}

/**
 * The CPU quota of the process, in CPUs: the least of its own cgroup and of the cgroups above it, as far as they can be seen;
 * `Infinity` when none is set. Both versions of cgroups are read, for a machine may have both.
 * @param root The folder that holds `proc` and the cgroup mounts.
 */
export function cpuQuota(root: string): number {
  const mounts = readMounts(read(join(root, 'proc/self/mountinfo')));
  let quota = Number.POSITIVE_INFINITY;
  for (const line of read(join(root, 'proc/self/cgroup')).split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    const unified = controllers === '';
    if (!unified && !controllers!.split(',').includes('cpu')) continue;
    const hierarchy = mounts.filter(({ type, options }) =>
      unified ? type === 'cgroup2' : type === 'cgroup' && options.includes('cpu'),
    );
    for (const folder of visibleFolders(hierarchy, path)) {
      quota = Math.min(quota, unified ? readQuota2(join(root, folder)) : readQuota1(join(root, folder)));
    }
  }
  return quota;
}

/** A line of `mountinfo`: `root` is the folder of the file system that is seen at `point`. */
interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** See proc_pid_mountinfo(5). */
function readMounts(text: string): Mount[] {
  const mounts = new Map<string, Mount>(); // A later mount hides an earlier one at the same point.
  for (const line of text.split('\n')) {
    const [left, right] = line.split(' - ');
    const [, , , root, point] = left!.split(' ').map(unquote);
    const [type, , options] = right?.split(' ') ?? [];
    if (root && point && type && options) mounts.set(point, { root, point, type, options: options.split(',') });
  }
  return [...mounts.values()];
}

/** Spaces and the like are written as octal numbers. */
function unquote(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/**
 * The folders of a cgroup and of the cgroups above it, where mounts show them. In a container, a mount shows only a part of
 * the hierarchy, whose top is the container's own cgroup. A path that is outside of what is mounted is not to be found by its
 * name; the top of each mount is then all that can be known.
 */
function visibleFolders(mounts: readonly Mount[], path: string): string[] {
  const keys = segments(path);
  const holding = mounts.flatMap(({ root, point }) => {
    const above = segments(root);
    const holds = !keys.includes('..') && above.every((key, at) => key === keys[at]);
    return holds ? [{ point, below: keys.slice(above.length) }] : [];
  });
  if (holding.length === 0) return mounts.map(({ point }) => point);
  return holding.flatMap(({ point, below }) =>
    Array.from({ length: below.length + 1 }, (_, depth) => join(point, ...below.slice(0, depth))),
  );
}

function segments(path: string): string[] {
  return path.split('/').filter((key) => key !== '');
}

/** Version 2: one file, `<quota or max> <period>`. */
function readQuota2(folder: string): number {
  const [quota, period] = read(join(folder, 'cpu.max')).trim().split(' ');
  return ratio(quota, period);
}

/** Version 1: a file for each, the quota is -1 when there is none. */
function readQuota1(folder: string): number {
  return ratio(read(join(folder, 'cpu.cfs_quota_us')), read(join(folder, 'cpu.cfs_period_us')));
}

function ratio(quota: string | undefined, period: string | undefined): number {
  const cpus = Number(quota) / Number(period);
  return cpus > 0 ? cpus : Number.POSITIVE_INFINITY;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // Not Linux, not mounted, not allowed: no quota that we could know of.
  }
}
