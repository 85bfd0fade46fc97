/**
 * Measures what the library costs beside a plain loop over the same functions, what worker threads gain, and much else: the suites
 * are in `suites/`. Prints a report, and keeps it in `bench/results` as JSON and as a page with charts.
 *
 *   npm run bench -- --check
 */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Answer } from './child.js';
import { check, GATES } from './gates.js';
import { describe } from './machine.js';
import { page } from './page.js';
import { print, type Report } from './report.js';
import type { Failed, Measured, Result, Setting, Suite } from './suite.js';
import { suitesOf } from './suites/index.js';

const USAGE = `Usage: npm run bench -- [options]

  --filter TEXT   measures only the suites whose names contain TEXT
  --tasks N       how many tasks a flow of no-op tasks has (100000)
  --quick         a rough answer, soon: fewer turns, and a tenth of the tasks
  --check         fails when the library is slower than it must be
  --json          prints JSON rather than tables
  --help          this text`;

const WORKERS = 2;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      tasks: { type: 'string' },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(USAGE);
  // What is checked holds for many tasks.
  const tasks = Number(values.tasks ?? (values.quick && !values.check ? 10_000 : 100_000));
  if (!Number.isInteger(tasks) || tasks < 2) {
    throw new Error(`--tasks must be a whole number above 1; received '${values.tasks}'`);
  }

  const at = new Date().toISOString();
  const machine = await describe();
  const { cores, iterationsPerMs } = machine;
  const setting = { tasks, quick: values.quick, iterationsPerMs, workers: WORKERS, cores };
  const suites = suitesOf(setting);
  const measured: Measured[] = [];
  const failures: Failed[] = [];
  /** What one suite fails with is no reason to lose what the others have found out. */
  const measure = async ({ name, about }: Suite): Promise<Measured | undefined> => {
    console.error(`measuring: ${name} ...`);
    try {
      const found = { suite: name, about, ...(await measureApart(name, setting)) };
      measured.push(found);
      return found;
    } catch (error) {
      failures.push({ suite: name, why: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };
  const ofName = (name: string) => measure(suites.find((one) => one.name === name)!);
  const verdicts = values.check ? await check(GATES, cores, ofName) : [];
  if (!values.check)
    for (const suite of suites.filter(({ name }) => name.includes(values.filter))) await measure(suite);

  const report: Report = { at, machine, measured, failures, verdicts };
  if (values.json) console.log(JSON.stringify(report, undefined, 2));
  else print(report);
  if (measured.length > 0) console.error(`\n${keep(report)}`);
  if (failures.length > 0 || verdicts.some(({ verdict }) => verdict === 'FAILED')) process.exitCode = 1;
}

/**
 * Measures a suite in a process of its own: code that has seen many kinds of tasks is compiled for all of them, and what one suite
 * leaves behind would be collected at the cost of the next.
 */
function measureApart(suite: string, setting: Setting): Promise<Result> {
  const child = fork(fileURLToPath(new URL('child.js', import.meta.url)), [JSON.stringify({ suite, setting })], {
    execArgv: ['--expose-gc'],
    serialization: 'advanced',
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  return new Promise((resolve, reject) => {
    let answer: Answer | undefined;
    child.once('message', (message) => {
      answer = message as Answer;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (answer && 'figures' in answer) resolve(answer);
      else reject(new Error(answer?.why ?? `its process ended with ${signal ?? code}`));
    });
  });
}

/** Writes a report to files, and returns where they are. */
function keep(report: Report): string {
  const folder = fileURLToPath(new URL('../../bench/results', import.meta.url)); // the build is two folders down
  mkdirSync(folder, { recursive: true });
  const file = join(folder, report.at.replaceAll(':', '-').slice(0, 19));
  writeFileSync(`${file}.json`, JSON.stringify(report, undefined, 2));
  writeFileSync(`${file}.html`, page(report));
  return `${file}.json\n${file}.html`;
}

await main();
