/**
 * Runs the built tests, each file in a process of its own. The last line is `N passed, M failed`.
 *
 *   node test/run.mjs              all of them
 *   node test/run.mjs plan wire    those whose path contains `plan` or `wire`
 *   node test/run.mjs --long       with many more runs of each property, and no hurry
 *
 * Some of the behavioural suites run a second time, with every run recorded in memory (`RECORDED`). To have the runs of all suites recorded
 * instead, and where, set `TEST_STORE`: TEST_STORE=sqlite:/tmp/flows.db node test/run.mjs engine/ taskflow/ flows/
 *
 * The processes run under the Node.js that runs this file. Environment: `TEST_JOBS` is how many run at a time (2),
 * `TEST_TIMEOUT` how long a file may take, in seconds (120). `TEST_POSTGRES` is the URL of a PostgreSQL database in which the tests
 * may make schemas of their own, such as postgres://me@localhost/postgres; without it, PostgreSQL is left out. `TEST_SEED`, a whole
 * number, settles what properties draw.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = join(root, 'build/test');

const args = process.argv.slice(2);
const long = args.includes('--long');
const filters = args.filter((arg) => arg !== '--long');
const jobs = Number(process.env.TEST_JOBS || 2);
const timeout = Number(process.env.TEST_TIMEOUT || (long ? 3600 : 120));
// Where Node.js has an SQLite of its own, some lines of it warn that it is experimental, in the midst of what tests read.
const quiet = isBuiltin('node:sqlite') && { NODE_OPTIONS: '--disable-warning=ExperimentalWarning' };
const env = { ...(long && { TEST_RUNS: '10000' }), ...quiet, ...process.env };

const files = readdirSync(built, { recursive: true })
  .filter((file) => file.endsWith('.test.js'))
  .map((file) => file.replace(/\.js$/, '').replaceAll(sep, '/'))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort();

/** What runs a second time, recorded: what an engine does in each state, and in a few seconds. */
const RECORDED = [
  ...['abort', 'events', 'failures', 'iterate', 'keys', 'retries', 'retry-delay', 'suspend', 'transitions'].map(
    (one) => `engine/${one}.test`,
  ),
  ...['engines', 'retries', 'retry-flows', 'storage'].map((one) => `taskflow/${one}.test`),
];
const recorded = process.env.TEST_STORE ? [] : files.filter((file) => RECORDED.includes(file));
const runs = [...files.map((file) => ({ file })), ...recorded.map((file) => ({ file, store: 'memory:' }))];

/** Processes under way, each the leader of a group, so that what a test starts and forgets can be ended with it. */
const running = new Set();

function endGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    for (const child of running) endGroup(child);
    process.exit(1);
  });
}

/** Runs one file, recorded in a store or not, and tells what became of it. */
function runFile({ file, store }) {
  return new Promise((resolve) => {
    const path = join(built, `${file}.js`);
    const stdio = ['ignore', 'pipe', 'pipe'];
    const begun = performance.now();
    const child = spawn(process.execPath, [path], {
      ...{ cwd: root, stdio, detached: true },
      env: store ? { ...env, TEST_STORE: store } : env,
    });
    running.add(child);
    let output = '';
    let problem;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    const timer = setTimeout(() => {
      problem = `did not end within ${timeout} s`;
      endGroup(child);
    }, timeout * 1000);
    child.on('error', (error) => {
      problem = `could not be started: ${error.message}`;
    });
    // A process that the test forgot may hold the pipes open: it is ended when the test is.
    child.on('exit', () => endGroup(child));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const seconds = (performance.now() - begun) / 1000;
      resolve({ file: store ? `${file}, recorded` : file, seconds, output, ...judge(output, code, signal, problem) });
    });
  });
}

/** Counts by what uvu wrote at the end. Whatever is wrong with the file as a whole is one more failure. */
function judge(output, code, signal, problem) {
  const text = stripVTControlCharacters(output);
  const number = (label) => Number(text.match(new RegExp(`^ {2}${label}: +(\\d+)$`, 'm'))?.[1] ?? Number.NaN);
  const [total, passed, skipped] = [number('Total'), number('Passed'), number('Skipped')];
  // When the event loop runs empty in the middle of a test, the process ends, with or without a code that says so.
  const ended = !Number.isNaN(total + passed + skipped);
  const failed = ended ? total - passed : 0;
  if (!problem) {
    if (signal) problem = `was ended by ${signal}`;
    else if (!ended) problem = `ended with code ${code} before its tests did`;
    else if (total === 0) problem = 'has no tests';
    else if (code !== 0 && failed === 0) problem = `ended with code ${code} although its tests passed`;
  }
  return {
    passed: ended ? passed : 0,
    failed: failed + (problem ? 1 : 0),
    skipped: ended ? skipped : 0,
    problem,
  };
}

const sum = { passed: 0, failed: 0, skipped: 0 };

function report({ file, seconds, output, passed, failed, skipped, problem }) {
  sum.passed += passed;
  sum.failed += failed;
  sum.skipped += skipped;
  const tests = `${passed + failed} test${passed + failed === 1 ? '' : 's'}${skipped ? `, ${skipped} skipped` : ''}`;
  if (failed === 0) {
    console.log(`ok    ${file} (${tests}, ${seconds.toFixed(1)} s)`);
  } else {
    console.log(`FAIL  ${file} (${tests}, ${failed} failed, ${seconds.toFixed(1)} s)\n${output.trimEnd()}`);
    if (problem) console.log(`  ${file} ${problem}`);
    console.log();
  }
}

if (files.length === 0) {
  console.log(filters.length > 0 ? `No test file matches ${filters.join(', ')}` : 'There are no tests');
  sum.failed = 1;
}
const queue = runs.values();
await Promise.all(
  Array.from({ length: jobs }, async () => {
    for (const run of queue) report(await runFile(run));
  }),
);
if (!process.env.TEST_POSTGRES) console.log('PostgreSQL was left out, as TEST_POSTGRES is not set');
if (sum.skipped > 0) console.log(`${sum.skipped} skipped`);
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed > 0 ? 1 : 0;
