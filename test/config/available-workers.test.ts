import { availableParallelism } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { availableWorkers, cpuQuota } from '../../src/config/available-workers.js';
import { folder } from '../fixtures/config/folder.js';

/** A line of mountinfo for version 2 of cgroups. */
const v2 = (root: string, point: string) =>
  `31 24 0:28 ${root} ${point} rw,nosuid shared:9 - cgroup2 cgroup rw,nsdelegate`;
/** A line of mountinfo for version 1 of cgroups. */
const v1 = (root: string, point: string, controllers: string) =>
  `32 31 0:29 ${root} ${point} rw,relatime - cgroup cgroup rw,${controllers}`;

function quota(cgroup: string[], mounts: string[], files: Record<string, string>): number {
  return cpuQuota(
    folder({
      'proc/self/cgroup': `${cgroup.join('\n')}\n`,
      'proc/self/mountinfo': `27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n${mounts.join('\n')}\n`,
      ...files,
    }),
  );
}

test('version 2: the quota of the own cgroup counts', () => {
  const files = { 'sys/fs/cgroup/app/cpu.max': '150000 100000\n' };
  assert.is(quota(['0::/app'], [v2('/', '/sys/fs/cgroup')], files), 1.5);
});

test('version 2: max is no quota', () => {
  const files = { 'sys/fs/cgroup/app/cpu.max': 'max 100000\n' };
  assert.is(quota(['0::/app'], [v2('/', '/sys/fs/cgroup')], files), Infinity);
});

test('version 2: a quota of any cgroup above counts, and the least one wins', () => {
  const mounts = [v2('/', '/sys/fs/cgroup')];
  const files = {
    'sys/fs/cgroup/slice/cpu.max': '300000 100000\n',
    'sys/fs/cgroup/slice/pod/cpu.max': '50000 20000\n',
    'sys/fs/cgroup/slice/pod/app/cpu.max': 'max 100000\n',
    'sys/fs/cgroup/slice/other/cpu.max': '10000 100000\n',
  };
  assert.is(quota(['0::/slice/pod/app'], mounts, files), 2.5);
  assert.is(quota(['0::/slice'], mounts, files), 3);
});

test('version 2: in a container with a namespace of its own, the mount is its cgroup', () => {
  const files = { 'sys/fs/cgroup/cpu.max': '200000 100000\n' };
  assert.is(quota(['0::/'], [v2('/', '/sys/fs/cgroup')], files), 2);
});

test('a container that sees only its part of the hierarchy finds its cgroup there', () => {
  const mounts = [v2('/docker/abc', '/sys/fs/cgroup')];
  const files = { 'sys/fs/cgroup/cpu.max': '400000 100000\n', 'sys/fs/cgroup/init/cpu.max': '200000 100000\n' };
  assert.is(quota(['0::/docker/abc'], mounts, files), 4);
  assert.is(quota(['0::/docker/abc/init'], mounts, files), 2);
});

test('a mount whose name only begins like the cgroup does not hold it', () => {
  const mounts = [v2('/docker/ab', '/other'), v2('/docker/abc', '/sys/fs/cgroup')];
  const files = { 'other/cpu.max': '100000 100000\n', 'sys/fs/cgroup/cpu.max': '400000 100000\n' };
  assert.is(quota(['0::/docker/abc'], mounts, files), 4);
});

test('in nested containers the last mount at a point is the one that is seen', () => {
  const mounts = [v2('/', '/sys/fs/cgroup'), v2('/docker/outer/docker/inner', '/sys/fs/cgroup')];
  const files = {
    'sys/fs/cgroup/cpu.max': '300000 100000\n',
    // What the inner container runs in a container of its own: not above this process.
    'sys/fs/cgroup/docker/outer/cpu.max': '100000 100000\n',
  };
  assert.is(quota(['0::/docker/outer/docker/inner'], mounts, files), 3);
});

test('a cgroup that is outside of what is mounted has the quota of the top of the mount', () => {
  const files = { 'sys/fs/cgroup/cpu.max': '200000 100000\n', 'cpu.max': '100000 100000\n' };
  assert.is(quota(['0::/elsewhere'], [v2('/docker/abc', '/sys/fs/cgroup')], files), 2);
  assert.is(quota(['0::/../../../x'], [v2('/', '/sys/fs/cgroup')], files), 2);
});

test('version 1: quota and period are files of the cpu controller', () => {
  const mounts = [v1('/', '/sys/fs/cgroup/cpu,cpuacct', 'cpu,cpuacct'), v1('/', '/sys/fs/cgroup/cpuset', 'cpuset')];
  const files = {
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us': '250000\n',
    'sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us': '100000\n',
    'sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us': '-1\n',
    'sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us': '100000\n',
    'sys/fs/cgroup/cpuset/a/b/cpu.cfs_quota_us': '100000\n',
    'sys/fs/cgroup/cpuset/a/b/cpu.cfs_period_us': '100000\n',
  };
  assert.is(quota(['5:cpuset:/a/b', '4:cpu,cpuacct:/a/b', '0::/'], mounts, files), 2.5);
  assert.is(quota(['5:cpuset:/a/b', '4:memory:/a/b'], mounts, files), Infinity);
});

test('where both versions are mounted, the least quota wins', () => {
  const files = {
    'cpu/cpu.cfs_quota_us': '300000\n',
    'cpu/cpu.cfs_period_us': '100000\n',
    'unified/cpu.max': '200000 100000\n',
  };
  assert.is(quota(['4:cpu:/', '0::/'], [v1('/', '/cpu', 'cpu'), v2('/', '/unified')], files), 2);
});

test('names with spaces and colons are read', () => {
  const files = { 'my groups/x:y:z/cpu.max': '200000 100000\n' };
  assert.is(quota(['0::/x:y:z'], [v2('/', '/my\\040groups')], files), 2);
});

test('what cannot be read or understood is no quota', () => {
  assert.is(cpuQuota(folder({})), Infinity);
  assert.is(cpuQuota(folder({ 'proc/self/cgroup': 'nonsense', 'proc/self/mountinfo': '\n - \n' })), Infinity);
  for (const text of ['', 'x y', '100000', '0 100000', '100000 0', '-1 100000']) {
    assert.is(quota(['0::/'], [v2('/', '/cgroup')], { 'cgroup/cpu.max': text }), Infinity, text);
  }
});

test('the number of workers is that of the CPUs, or less where there is a quota, and at least 1', () => {
  const limited = (text: string) =>
    availableWorkers(
      folder({
        'proc/self/cgroup': '0::/',
        'proc/self/mountinfo': v2('/', '/cgroup'),
        'cgroup/cpu.max': text,
      }),
    );
  assert.is(limited('10000 100000'), 1);
  assert.is(limited('190000 100000'), 1);
  assert.is(limited('max 100000'), availableParallelism());
  assert.is(limited('100000000 100000'), availableParallelism());
  assert.ok(Number.isSafeInteger(availableWorkers()) && availableWorkers() >= 1);
});

test.run();
