import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { type ConfigOptions, linear, task } from 'millrace';
import {
  createTaskService,
  type FlowRun,
  INTERNAL_ERROR,
  MemoryTaskRepository,
  openRepository,
  type TaskRecord,
  type TaskType,
} from 'millrace/service';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importFlow } from '../../examples/image-import/flow.js';
import { type ImportResult, importType } from '../../examples/image-import/import.type.js';
import { readOptions } from '../../examples/image-import/options.js';

const main = fileURLToPath(new URL('../../examples/image-import/main.js', import.meta.url));
const KIB = 1024;
const MIB = 1024 ** 2;

/** Each way to carry an import out: its options in code, on the command line, and how it is told. */
const WAYS: { name: string; settings: ConfigOptions; flags: string[]; told: string }[] = [
  {
    name: 'direct',
    settings: { task: { executor: 'direct' } },
    flags: ['--executor', 'direct'],
    told: 'direct',
  },
  {
    name: 'taskflow serial',
    settings: { task: { executor: 'taskflow' }, taskflowExecutor: { engineMode: 'serial' } },
    flags: ['--executor', 'taskflow', '--engine', 'serial'],
    told: 'taskflow, serial',
  },
  {
    name: 'taskflow parallel',
    settings: { task: { executor: 'taskflow' }, taskflowExecutor: { engineMode: 'parallel', maxWorkers: 2 } },
    flags: ['--executor', 'taskflow', '--engine', 'parallel', '--workers', '2'],
    told: 'taskflow, parallel, workers: 2',
  },
];

interface Place {
  /** What an import may change. */
  folder: string;
  image: string;
  store: string;
  temporary: string;
  /** Where the example is started, and so where its records are. */
  home: string;
}

const test = suite<Place>('image import');

test.before.each((place) => {
  place.home = mkdtempSync(join(tmpdir(), 'image-import-home-'));
  place.folder = mkdtempSync(join(tmpdir(), 'image-import-test-'));
  place.image = join(place.folder, 'disk.img');
  place.store = join(place.folder, 'new', 'store');
  place.temporary = join(place.folder, 'temporary');
  mkdirSync(place.temporary);
  // Half of it compresses well, half does not.
  writeFileSync(place.image, Buffer.concat([Buffer.alloc(MIB / 2, 'millrace '), randomBytes(MIB / 2 + 7)]));
});
test.after.each(({ folder, home }) => {
  for (const made of [folder, home]) rmSync(made, { recursive: true });
});

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface Circumstances {
  /** Records are in memory unless it says something else: a database takes longer to open than a small import. */
  env?: NodeJS.ProcessEnv | undefined;
  /** What it gets as soon as its first chunk is being compressed. */
  signal?: NodeJS.Signals;
}

/** The records are where they are by default: in `millrace.db` in the current folder. */
const KEPT = { MILLRACE_TASK_DATABASE: '' };

/** Runs the example. */
function importImage({ temporary, home }: Place, args: string[], { env, signal }: Circumstances = {}): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: home,
    env: { ...process.env, MILLRACE_TASK_DATABASE: 'memory:', TMPDIR: temporary, ...env },
  });
  const ended: Ended = { code: null, stdout: '', stderr: '' };
  let isSent = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
    if (signal && !isSent && ended.stdout.includes('compress started')) isSent = child.kill(signal);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...ended, code })));
}

/** The records of the tasks, the oldest first. */
async function recordsOf({ home }: Place): Promise<TaskRecord[]> {
  await using repository = await openRepository(`sqlite:${join(home, 'millrace.db')}`);
  const tasks = await repository.list({ sortDir: 'asc' });
  return Promise.all(tasks.map(async ({ id }) => (await repository.get(id))!));
}

/** The result that the example has printed. */
const resultOf = (stdout: string): ImportResult => JSON.parse(/^result +(\{.*^\})$/ms.exec(stdout)![1]);

/** Imports in this process, and gives the task as it has ended. */
async function importBy(
  settings: ConfigOptions,
  type: TaskType,
  path: string,
  watch: (run: FlowRun) => void = () => {},
): Promise<TaskRecord> {
  const repository = new MemoryTaskRepository();
  const options = { ...settings, types: [type], repository, logger: {}, handleSignals: false };
  await using service = await createTaskService(options);
  service.on('start', (_, run) => watch(run));
  const { id } = await service.submit('import', { path });
  return await service.finished(id);
}

const digestOf = (content: Uint8Array, algorithm = 'sha256') => createHash(algorithm).update(content).digest('hex');

/** Everything below a folder, so that what is left behind shows. */
const listing = (folder: string) => (readdirSync(folder, { recursive: true }) as string[]).sort();

const placeOf = (store: string, sha256: string) => join(store, 'sha256', sha256.slice(0, 2), sha256);

const hasTool = (name: string) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

const failing = task({
  name: 'failing',
  execute() {
    throw new RangeError('the last step fails');
  },
});

/** The import, whose last step fails. */
function failingType(root: string): TaskType {
  const type = importType({ root, chunkSize: 256 * KIB });
  return { ...type, flow: ({ size }) => linear('import and fail', importFlow(size, 256 * KIB), failing) };
}

for (const { name, flags, told } of WAYS) {
  test(`${name} stores an image under its digest, as a gzip file that the standard tools read back`, async (place) => {
    const { image, store, folder } = place;
    const before = listing(folder);
    const { code, stdout, stderr } = await importImage(place, [image, '--out', store, '--chunk', '256KiB', ...flags], {
      env: KEPT,
    });
    assert.equal([code, stderr], [0, '']);

    const content = readFileSync(image);
    const sha256 = digestOf(content);
    const stored = placeOf(store, sha256);
    const archive = `${stored}.gz`;
    assert.ok(gunzipSync(readFileSync(archive)).equals(content));
    if (hasTool('gunzip') && hasTool('sha256sum')) {
      const unpacked = execFileSync('gunzip', ['-c', archive], { maxBuffer: 16 * MIB });
      const sum = execFileSync('sha256sum', { input: unpacked, encoding: 'utf8' });
      assert.is(sum.split(' ', 1)[0], sha256);
    }

    const about = { format: { name: 'raw' }, size: content.length, sha256, sha512: digestOf(content, 'sha512') };
    const compressedSize = statSync(archive).size;
    const { created, ...manifest } = JSON.parse(readFileSync(`${stored}.json`, 'utf8'));
    assert.equal(manifest, { ...about, name: 'disk.img', compressedSize, chunks: 5 });
    assert.is(new Date(created).toISOString(), created);
    const result = { ...about, path: archive, isNew: true, compressedSize };
    assert.equal(resultOf(stdout), result);

    const [record, ...others] = await recordsOf(place);
    assert.equal(others, []);
    const { type, status, message, input } = record;
    assert.equal([type, status, message, input], ['import', 'success', '', { path: image }]);
    assert.equal(record.result, result);
    assert.match(stdout, `file      ${image}\nexecutor  ${told}\nrecords   sqlite:millrace.db\n`);
    assert.match(stdout, `task      ${record.id} (import)\nstatus    success\n`);
    assert.match(stdout, /^seconds +[\d.]+\nMB\/s +[\d.]+$/m);

    assert.equal(listing(store), [
      'sha256',
      join('sha256', sha256.slice(0, 2)),
      join('sha256', sha256.slice(0, 2), `${sha256}.gz`),
      join('sha256', sha256.slice(0, 2), `${sha256}.json`),
    ]);
    assert.equal(
      listing(folder).filter((path) => !path.startsWith('new')),
      before,
    );
  });

  test(`${name} tells a pipe when a stage starts and when it ends, however many chunks there are`, async (place) => {
    const { stdout } = await importImage(place, [place.image, '--chunk', '64KiB', ...flags]);
    for (const stage of ['inspect', 'sha256', 'sha512', 'compress', 'assemble', 'verify', 'store']) {
      assert.is(stdout.match(new RegExp(`^  ${stage} started$`, 'gm'))?.length, 1, stage);
      assert.is(stdout.match(new RegExp(`^  ${stage} done [\\d.]+ s$`, 'gm'))?.length, 1, stage);
    }
    assert.not.match(stdout, '\x1b');
    assert.ok(stdout.split('\n').length < 50, stdout);
  });
}

test('--compare imports with each executor and engine, and the digests are equal', async (place) => {
  const { image, folder } = place;
  const before = listing(folder);
  const { code, stdout } = await importImage(place, [image, '--compare', '--workers', '2'], { env: KEPT });
  assert.is(code, 0);
  assert.match(stdout, /^executor +seconds +MB\/s +speed-up$/m);
  assert.match(stdout, /^direct +[\d.]+ +[\d.]+ +1\.00x$/m);
  assert.match(stdout, /^taskflow, serial +[\d.]+ +[\d.]+ +[\d.]+x$/m);
  assert.match(stdout, /^taskflow, parallel, workers: 2 +[\d.]+ +[\d.]+ +[\d.]+x$/m);
  assert.match(stdout, `sha256 ${digestOf(readFileSync(image))}`);
  assert.match(stdout, /^digests equal: yes$/m);
  const records = await recordsOf(place);
  assert.equal(
    records.map(({ status, result }) => [status, (result as unknown as ImportResult).isNew]),
    Array(3).fill(['success', true]),
  );
  assert.equal(listing(folder), before);
});

test('without --out the store is temporary, and is removed', async (place) => {
  const before = listing(place.folder);
  assert.is((await importImage(place, [place.image])).code, 0);
  assert.equal(listing(place.folder), before);
});

test('the environment chooses what the command line leaves open', async (place) => {
  const env = { MILLRACE_TASK_EXECUTOR: 'direct' };
  const { stdout } = await importImage(place, [place.image], { env });
  assert.match(stdout, '\nexecutor  direct\nrecords   memory:\n');
  const other = { MILLRACE_TASKFLOW_EXECUTOR_ENGINE_MODE: 'serial', ...env };
  assert.match(
    (await importImage(place, [place.image, '--executor', 'taskflow'], { env: other })).stdout,
    WAYS[1].told,
  );
  assert.equal(listing(place.home), []);
});

test('the config file chooses what the environment leaves open', async (place) => {
  const settings = { task: { executor: 'direct' }, taskflowExecutor: { engineMode: 'parallel', maxWorkers: 2 } };
  writeFileSync(join(place.home, 'millrace.config.json'), JSON.stringify(settings));
  assert.match((await importImage(place, [place.image])).stdout, WAYS[0].told);
  const env = { MILLRACE_TASK_EXECUTOR: 'taskflow' };
  assert.match((await importImage(place, [place.image], { env })).stdout, WAYS[2].told);
  assert.match((await importImage(place, [place.image, '--engine', 'serial'], { env })).stdout, WAYS[1].told);
});

test('an image that is in the store already is left as it is', async (place) => {
  const { image, store, folder } = place;
  await importImage(place, [image, '--out', store, '--executor', 'direct']);
  const before = listing(folder);
  const archive = `${placeOf(store, digestOf(readFileSync(image)))}.gz`;
  const { ino, mtimeMs } = statSync(archive);
  const { code, stdout } = await importImage(place, [image, '--out', store, '--engine', 'parallel']);
  assert.is(code, 0);
  assert.is(resultOf(stdout).isNew, false);
  assert.equal([statSync(archive).ino, statSync(archive).mtimeMs], [ino, mtimeMs]);
  assert.equal(listing(folder), before);
});

for (const size of [0, 1, 64 * KIB, 64 * KIB + 1]) {
  test(`a file of ${size} bytes is imported in chunks of 64 KiB`, async ({ image, store }) => {
    const content = randomBytes(size);
    writeFileSync(image, content);
    const { status } = await importBy({}, importType({ root: store, chunkSize: 64 * KIB }), image);
    assert.is(status, 'success');
    const stored = placeOf(store, digestOf(content));
    assert.ok(gunzipSync(readFileSync(`${stored}.gz`)).equals(content));
    assert.is(JSON.parse(readFileSync(`${stored}.json`, 'utf8')).chunks, size > 64 * KIB ? 2 : 1);
  });
}

for (const { name, settings, flags } of WAYS) {
  for (const [what, size, reason] of [
    ['shrinks', 4 * MIB, /disk\.img changed while it was imported \(.+\); import it again/],
    ['grows', 512 * KIB, /expected 524288 bytes, found more/],
  ] as const) {
    test(`${name} refuses a file that ${what} before it is read, and leaves nothing`, async ({
      folder,
      image,
      store,
    }) => {
      const before = listing(folder);
      const type = importType({ root: store, chunkSize: 256 * KIB });
      const early = { ...type, check: ({ path }: { path: string }) => ({ path, size }) };
      const { status, message, result } = await importBy(settings, early, image);
      assert.equal([status, result], ['failure', null]);
      assert.match(message, reason);
      assert.equal(listing(folder), before);
    });
  }

  test(`${name} takes an image out of the store again when a later step fails`, async ({ folder, image, store }) => {
    const before = listing(folder);
    const { status, message } = await importBy(settings, failingType(store), image);
    assert.equal([status, message], ['failure', INTERNAL_ERROR]);
    assert.equal(listing(folder), before);
  });

  test(`${name} never removes an image that was stored before`, async ({ folder, image, store }) => {
    const { status } = await importBy(settings, importType({ root: store, chunkSize: 256 * KIB }), image);
    assert.is(status, 'success');
    const before = listing(folder);
    assert.is((await importBy(settings, failingType(store), image)).status, 'failure');
    assert.equal(listing(folder), before);
  });

  test(`${name} cannot import into a store that lies inside a file, and says so in one line`, async (place) => {
    const { folder, image } = place;
    const before = listing(folder);
    const { code, stdout, stderr } = await importImage(place, [image, '--out', join(image, 'in'), ...flags], {
      env: KEPT,
    });
    assert.is(code, 1);
    assert.match(stderr, /^image-import: no store can be made at .+: ENOTDIR: .+\n$/);
    const [{ id, status, message }] = await recordsOf(place);
    assert.equal([status, `image-import: ${message}\n`], ['failure', stderr]);
    assert.match(stdout, `task      ${id} (import)\nstatus    failure\n`);
    assert.equal(listing(folder), before);
  });

  test(`${name} keeps the reason of a failure that is none of the submitter's business in its log`, async (place) => {
    const { folder, image, store } = place;
    mkdirSync(store, { recursive: true });
    writeFileSync(join(store, 'sha256'), 'in the way');
    const before = listing(folder);
    const { code, stderr } = await importImage(place, [image, '--out', store, ...flags], { env: KEPT });
    assert.is(code, 1);
    const [{ id, message }] = await recordsOf(place);
    assert.is(message, INTERNAL_ERROR);
    const [logged, last] = stderr.split('\n');
    assert.match(logged, new RegExp(`^image-import: Task ${id} \\(import\\) failed: .*(EEXIST|ENOTDIR)`));
    assert.is(last, `image-import: ${INTERNAL_ERROR}`);
    assert.equal(listing(folder), before);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal} while ${name} imports fails the task, and nothing is left`, async (place) => {
      const { folder, image, store } = place;
      writeFileSync(image, randomBytes(8 * MIB));
      const before = listing(folder);
      const args = [image, '--chunk', '512KiB', ...flags, ...(signal === 'SIGINT' ? ['--out', store] : [])];
      const { code, stdout, stderr } = await importImage(place, args, { env: KEPT, signal });
      assert.is(code, 128 + constants.signals[signal], stderr);
      assert.is(stderr, 'image-import: interrupted; nothing half-done is left behind\n');
      assert.not.match(stdout, 'status');
      assert.equal(
        (await recordsOf(place)).map(({ status }) => status),
        ['failure'],
      );
      assert.equal(listing(folder), before);
    });
  }

  test(`a task whose process is killed while ${name} imports has failed at the next start`, async (place) => {
    const { image } = place;
    writeFileSync(image, randomBytes(8 * MIB));
    const killed = await importImage(place, [image, '--chunk', '512KiB', ...flags], { env: KEPT, signal: 'SIGKILL' });
    assert.is(killed.code, null);

    writeFileSync(image, 'small');
    const { code, stderr } = await importImage(place, [image, ...flags], { env: KEPT });
    const [first, second] = await recordsOf(place);
    assert.is(code, 0);
    assert.is(stderr.trimEnd().split('\n').length, 1, stderr);
    assert.match(stderr, `image-import: Task ${first.id} (import) has failed: the process that carried it out is gone`);
    assert.equal([first.status, first.message, first.result], ['failure', INTERNAL_ERROR, null]);
    assert.is(second.status, 'success');
  });
}

test('SIGHUP ends an import with 129, and nothing is left', async (place) => {
  writeFileSync(place.image, randomBytes(8 * MIB));
  const before = listing(place.folder);
  assert.is((await importImage(place, [place.image, '--chunk', '512KiB'], { signal: 'SIGHUP' })).code, 129);
  assert.equal(listing(place.folder), before);
});

test('an import whose output nobody reads any longer ends, and nothing is left', async (place) => {
  const before = listing(place.folder);
  const child = spawn(process.execPath, [main, place.image, '--chunk', '64KiB'], {
    cwd: place.home,
    env: { ...process.env, MILLRACE_TASK_DATABASE: 'memory:', TMPDIR: place.temporary },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.is(code, 128 + constants.signals.SIGPIPE);
  assert.equal(listing(place.folder), before);
});

for (const { name, settings } of WAYS.filter(({ name }) => name !== 'taskflow parallel')) {
  test(`${name} refuses a file that is rewritten between digest and compression, and leaves nothing`, async (place) => {
    const { image, store, folder } = place;
    const before = listing(folder);
    const { size } = statSync(image);
    const type = importType({ root: store, chunkSize: 64 * KIB });
    const { message } = await importBy(settings, type, image, (run) => {
      run.on('task', ({ name, state }) => {
        if (name === 'sha512' && state === 'SUCCESS') writeFileSync(image, randomBytes(size));
      });
    });
    assert.match(message, 'what was compressed is not what was digested');
    assert.equal(listing(folder), before);
  });
}

const mistakes: [title: string, path: (place: Place) => string, message: RegExp][] = [
  ['a file that is missing', ({ folder }) => join(folder, 'none'), /^image-import: ENOENT: .+'.+none'\n$/],
  ['a folder', ({ folder }) => folder, /^image-import: .+ is not a regular file\n$/],
  ['a pipe', pipeIn, /^image-import: .+ is not a regular file\n$/],
];
for (const [title, path, message] of mistakes) {
  test(`${title} fails the task: an error in one line, with exit code 1, and nothing is left`, async (place) => {
    const args = [path(place)];
    const before = listing(place.folder);
    const { code, stderr } = await importImage(place, args, { env: KEPT });
    assert.is(code, 1);
    assert.match(stderr, message);
    const [record] = await recordsOf(place);
    assert.equal([record.status, `image-import: ${record.message}\n`], ['failure', stderr]);
    assert.equal(listing(place.folder), before);
  });
}

function pipeIn({ folder }: Place): string {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  return pipe;
}

for (const input of [null, 'disk.img', {}, { path: 7 }]) {
  test(`the input ${JSON.stringify(input)} fails the task with a message that names what is wrong`, async (place) => {
    await using service = await createTaskService({
      ...{ task: { executor: 'direct', database: 'memory:' }, types: [importType({ root: place.store })], logger: {} },
      handleSignals: false,
    });
    const { id } = await service.submit('import', input);
    const { status, message } = await service.finished(id);
    assert.is(status, 'failure');
    assert.match(message, /Input to import task|'path'/);
  });
}

for (const [args, expected] of [
  [['--engine', 'fast'], /--engine must be serial or parallel, received 'fast'/],
  [['--workers', '0'], /--workers must be auto or a number from 1 to 256/],
  [['--workers', '257'], /--workers must be auto or a number from 1 to 256/],
  [['--chunk', '1'], /--chunk must be a size from 64KiB to 256MiB/],
  [['--chunk', '1GiB'], /--chunk must be a size from 64KiB to 256MiB/],
  [['--chunk', 'all'], /--chunk must be a size from 64KiB to 256MiB/],
  [['--compare', '--engine', 'serial'], /--compare has every executor and engine/],
  [['a', 'b'], /expected one FILE, received 2/],
] as [string[], RegExp][]) {
  test(`'${args.join(' ')}' is refused, and the message says what is allowed`, () => {
    assert.throws(() => readOptions(args), expected);
  });
}

const refused: [args: string[], expected: RegExp, env?: NodeJS.ProcessEnv][] = [
  [['--nonsense'], /Unknown option '--nonsense'; --help tells the options/],
  [['--executor', 'fast'], /'direct', 'taskflow'; received .*fast/],
  [[], /MILLRACE_TASK_EXECUTOR.+'direct', 'taskflow'.+fast/, { MILLRACE_TASK_EXECUTOR: 'fast' }],
  [[], /MILLRACE_TASKFLOW_EXECUTOR_MAX_WORKERS.+'auto'/, { MILLRACE_TASKFLOW_EXECUTOR_MAX_WORKERS: 'all' }],
  [[], /MILLRACE_TASK_DATABASE.+'sqlite:PATH'/, { MILLRACE_TASK_DATABASE: 'oracle:' }],
];
for (const [args, expected, env] of refused) {
  test(`'${[...Object.entries(env ?? {}).flat(), ...args].join(' ')}' is refused at start, in one line`, async (place) => {
    const { code, stdout, stderr } = await importImage(place, args, { env: { ...KEPT, ...env } });
    assert.equal([code, stdout], [1, '']);
    assert.match(stderr, /^image-import: .+\n$/);
    assert.match(stderr, expected);
    assert.equal([listing(place.home), listing(place.temporary)], [[], []]);
  });
}

test('--help prints the usage and succeeds', async (place) => {
  const { code, stdout, stderr } = await importImage(place, ['--help']);
  assert.equal([code, stderr], [0, '']);
  assert.match(stdout, /^Usage: npm start /);
  assert.not.ok(existsSync(place.store));
});

test.run();
