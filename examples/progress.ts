/**
 * What the examples show in the terminal: how far a run is, and a table at the end.
 */
import type { FlowRun } from 'millrace/service';

type StageState = 'waiting' | 'running' | 'done' | 'failed' | 'reverted';

interface Stage {
  readonly name: string;
  /** How many tasks it has. */
  readonly tasks: number;
  readonly running: Map<string, number>;
  done: number;
  state: StageState;
  startedAt: number;
  endedAt: number;
}

const BAR = 24;
const REPAINT_EVERY = 80; // milliseconds: a flow may have thousands of events a second, a terminal must not
const UP = (lines: number) => `\x1b[${lines}A`;
const CLEAR_LINE = '\x1b[2K';

/**
 * Follows one run, stage by stage. Tasks that are named `compress-0`, `compress-1`, ... make one stage, `compress`; a task
 * that belongs to no stage is not shown. A terminal is repainted in place; anything else gets one line when a stage starts
 * and one when it ends.
 */
export class Progress {
  readonly #stages: Stage[];
  readonly #output: NodeJS.WriteStream;
  #paintedAt = Number.NEGATIVE_INFINITY;
  #paintedLines = 0;

  /** `stages`: the names in the order in which they are shown, each with its number of tasks. */
  constructor(stages: Readonly<Record<string, number>>, output: NodeJS.WriteStream = process.stdout) {
    this.#output = output;
    this.#stages = Object.entries(stages).map(([name, tasks]) => ({
      name,
      tasks,
      running: new Map(),
      done: 0,
      state: 'waiting',
      startedAt: 0,
      endedAt: 0,
    }));
  }

  /** An engine is such a run, and so is what an executor carries out. */
  watch(run: FlowRun): void {
    run.on('task', ({ name, state }) => this.#taskChanged(name, state));
    run.on('progress', ({ name, progress }) => this.#taskProgressed(name, progress));
  }

  #taskChanged(task: string, state: string): void {
    const stage = this.#stageOf(task);
    if (!stage) return;
    if (state === 'RUNNING') {
      stage.running.set(task, 0);
      if (stage.state === 'waiting') this.#enter(stage, 'running');
    } else {
      stage.running.delete(task);
      if (state === 'SUCCESS' && ++stage.done === stage.tasks) this.#enter(stage, 'done');
      if (state === 'FAILURE' && stage.state !== 'failed') this.#enter(stage, 'failed');
      if (state === 'REVERTED' && stage.state !== 'reverted') this.#enter(stage, 'reverted');
    }
    this.#repaint();
  }

  #taskProgressed(task: string, progress: number): void {
    const stage = this.#stageOf(task);
    if (!stage?.running.has(task)) return;
    stage.running.set(task, progress);
    this.#repaint();
  }

  #stageOf(task: string): Stage | undefined {
    const name = task.replace(/-\d+$/, '');
    return this.#stages.find((stage) => stage.name === name);
  }

  #enter(stage: Stage, state: StageState): void {
    if (state === 'running') stage.startedAt = performance.now();
    else stage.endedAt = performance.now();
    stage.state = state;
    this.#paintedAt = Number.NEGATIVE_INFINITY; // worth a repaint at once
    if (this.#output.isTTY) return;
    if (state === 'running') this.#output.write(`  ${stage.name} started\n`);
    else this.#output.write(`  ${stage.name} ${state} ${secondsOf(stage)}\n`);
  }

  #repaint(): void {
    if (!this.#output.isTTY || performance.now() - this.#paintedAt < REPAINT_EVERY) return;
    this.#paintedAt = performance.now();
    const width = this.#output.columns || 80;
    const lines = this.#stages.map((stage) => `${CLEAR_LINE}${lineOf(stage).slice(0, width - 1)}\n`);
    this.#output.write((this.#paintedLines > 0 ? UP(this.#paintedLines) : '') + lines.join(''));
    this.#paintedLines = lines.length;
  }
}

function lineOf(stage: Stage): string {
  const { name, tasks, running, done, state } = stage;
  const fraction = [...running.values()].reduce((sum, progress) => sum + progress, done) / tasks;
  const filled = Math.round(fraction * BAR);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled);
  const count = tasks > 1 ? `${done}/${tasks}` : `${Math.floor(fraction * 100)}%`;
  return `  ${name.padEnd(10)} ${bar} ${count.padStart(9)}  ${state.padEnd(9)} ${secondsOf(stage)}`;
}

function secondsOf({ state, startedAt, endedAt }: Stage): string {
  if (state === 'waiting') return '';
  return `${(((state === 'running' ? performance.now() : endedAt) - startedAt) / 1000).toFixed(2)} s`;
}

/** Lays out rows as columns; the first row is the heading. Cells that look like numbers are set to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const isNumeric = widths.map((_, column) => rows.slice(1).every((row) => /^[\d.,-]+x?$/.test(row[column])));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}
