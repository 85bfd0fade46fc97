/** Kills the process that runs a flow again and again, and looks at what it leaves. */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordedFlow } from '../../src/engine/recording.js';
import { openStore } from '../../src/storage/index.js';
import { folder } from '../fixtures/config/folder.js';
import { plainSqlite } from '../fixtures/service/places.js';
import { Account } from './account.js';
import type { Errand, Report } from './child.js';
import { type Kill, PATIENCE, type Trial } from './model.js';
import { readJournal } from './witness.js';

/** What came of a trial. */
export interface Verdict {
  /** The rules that were broken, in words. */
  readonly violations: readonly string[];
  /** How many processes it took, and how many of them were killed. */
  readonly processes: number;
  readonly killed: number;
  readonly recorded: RecordedFlow | undefined;
  /** Of the last process, unless it was killed. */
  readonly report: Report | undefined;
}

/** Lets a program run a flow to its end, and kills it as often as the trial says. */
export async function tryOut(program: string, trial: Trial): Promise<Verdict> {
  const run = new Trying(program, trial);
  await run.toEnd();
  return run;
}

class Trying implements Verdict {
  readonly #program: string;
  readonly #trial: Trial;
  readonly #kills: Kill[];
  readonly #account: Account;
  readonly #problems: string[] = [];
  readonly #file: string;
  readonly #journal: string;
  /** How many times the flow has come to its end. */
  #stage = 0;
  /** How many lines of the journal are accounted for. */
  #seen = 0;
  processes = 0;
  killed = 0;
  recorded: RecordedFlow | undefined;
  report: Report | undefined;

  constructor(program: string, trial: Trial) {
    this.#program = program;
    this.#trial = trial;
    this.#kills = [...trial.kills];
    this.#account = new Account(trial.shape);
    const place = folder({});
    this.#file = join(place, 'flows.db');
    this.#journal = join(place, 'journal');
    writeFileSync(this.#journal, '');
  }

  get violations(): readonly string[] {
    return [...this.#problems, ...this.#account.violations];
  }

  get #over(): boolean {
    const state = this.recorded?.state;
    return state === 'SUCCESS' || state === 'REVERTED' || this.#stage === PATIENCE;
  }

  async toEnd(): Promise<void> {
    while (!this.#over && this.violations.length === 0) {
      const kill = this.#kills.shift();
      await this.#process(kill);
      const state = this.recorded?.state;
      if (state === 'FAILURE') this.#stage++;
      else if (!kill && !this.#over) this.#problems.push(`the flow is ${state} when its process has ended`);
    }
    if (this.violations.length === 0) await this.#checkEnd(this.recorded!);
    await this.#checkFile();
  }

  async #process(kill: Kill | undefined): Promise<void> {
    const { flow, policy, options, observed } = this.#trial;
    const death = kill && 'lines' in kill ? { lines: this.#seen + kill.lines } : kill;
    const errand: Errand = {
      ...{ url: `sqlite:${this.#file}`, id: 'flow', flow, policy, options, observed },
      ...{ journal: this.#journal, stage: this.#stage },
      death: death && 'delay' in death ? undefined : death,
    };
    this.processes++;
    const { report, problem } = await carryOut(
      this.#program,
      errand,
      death && 'delay' in death ? death.delay : undefined,
    );
    this.report = report;
    if (!report) this.killed++;
    if (problem) this.#problems.push(problem);
    const entries = readJournal(this.#journal);
    for (const entry of entries.slice(this.#seen)) this.#account.done(entry);
    this.#seen = entries.length;
    const late = report?.taken === undefined ? [] : entries.slice(report.taken);
    for (const { atom, deed } of late) {
      if (deed === 'begins' || deed === 'reverts')
        this.#problems.push(`${atom} ${deed} after somebody else has taken the flow`);
    }
    this.recorded = await this.#look();
    this.#account.died(this.recorded);
  }

  async #look(): Promise<RecordedFlow | undefined> {
    if (!existsSync(this.#file)) return undefined;
    await using store = await openStore(`sqlite:${this.#file}`);
    try {
      return await store.read('flow');
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_MILLRACE_FLOW_NOT_FOUND') throw error;
      return undefined;
    }
  }

  async #checkFile(): Promise<void> {
    const connection = await plainSqlite(this.#file);
    const { integrity_check: integrity } = connection.prepare('pragma integrity_check').get();
    connection.close();
    if (integrity !== 'ok') this.#problems.push(`the database: ${integrity}`);
  }

  async #checkEnd(recorded: RecordedFlow): Promise<void> {
    const { policy, expected } = this.#trial;
    if (recorded.state === 'REVERTED' && policy.deferReverts) this.#account.reverted();
    if (!expected) return;
    if (recorded.state !== expected.state)
      this.#problems.push(`the flow is ${recorded.state}, and not ${expected.state}`);
    this.#problems.push(...expected.differences(recorded));
    if (this.violations.length > 0) return;
    const seen = this.#seen;
    // What has succeeded does nothing more, and gives what it gave.
    if (!this.report && recorded.state === 'SUCCESS') await this.#process(undefined);
    if (this.#seen !== seen) this.#problems.push('something runs in a flow that has succeeded');
    if (!this.report) return;
    const [outcome, should] = [this.report.outcome, expected.outcome].map((value) => JSON.stringify(sorted(value)));
    if (outcome !== should) this.#problems.push(`the run comes to ${outcome}, and not to ${should}`);
  }
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** How a process has ended: with a report, or killed, unless there is a problem. */
interface End {
  readonly report?: Report;
  readonly problem?: string;
}

/** A process that takes longer than this, in ms, hangs. */
const LONGEST = 100_000;

/** @param delay after how many ms the process is killed, if it is still there */
function carryOut(program: string, errand: Errand, delay: number | undefined): Promise<End> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, JSON.stringify(errand)], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [output, errors] = [child.stdout, child.stderr].map((stream) => {
      const chunks: string[] = [];
      stream.setEncoding('utf8').on('data', (chunk) => chunks.push(chunk));
      return chunks;
    });
    let late = false;
    const timers = [
      delay !== undefined && setTimeout(() => child.kill('SIGKILL'), delay),
      setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, LONGEST),
    ];
    child.once('error', reject);
    child.once('close', (code, signal) => {
      for (const timer of timers) if (timer) clearTimeout(timer);
      if (late) resolve({ problem: `a process hangs: ${errors.join('')}` });
      else if (signal === 'SIGKILL' && (delay !== undefined || errand.death)) resolve({});
      else if (code === 0) resolve({ report: JSON.parse(output.join('')) });
      else resolve({ problem: `a process ends with ${code ?? signal}: ${errors.join('').slice(-2_000)}` });
    });
  });
}
