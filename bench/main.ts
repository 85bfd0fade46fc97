/**
 * Measures what the library costs beside a plain loop over the same functions, and its task service with one executor beside
 * another; and what worker threads gain.
 *
 *   npm run bench -- --check
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createPool, type Engine, load, type Pool } from 'millrace';
import { executors, flowOf, imageImport } from './executors.js';
import { busy, chain, fanOut, layers, randomDataflow, randomGraph, type Workload, wide } from './flows.js';
import { byTurns, type Contender, type Timing, table, time } from './measure.js';
import { PLACES, READ, recorded, resumed, SQLITE } from './recordings.js';
import { spin } from './tasks.js';

const USAGE = `Usage: npm run bench -- [options]

  --filter TEXT   measures only the suites whose names contain TEXT
  --tasks N       how many tasks a flow of no-op tasks has (100000)
  --check         fails when the library is slower than it must be
  --json          prints JSON rather than a table
  --help          this text`;

/** The parallel engine is measured, and checked, with two workers on every machine. */
const WORKERS = 2;
const ATTEMPTS = 3;

/** Contenders that are timed by turns. */
interface Suite {
  readonly name: string;
  /** How many tasks each contender runs, or compiles. */
  readonly size: number;
  /** Whether it has targets, which a check reports on. */
  readonly targeted?: boolean;
  /** Makes them when their turn has come: the flows of all suites at once would keep the garbage collector busy. */
  readonly contenders: () => readonly Entry[];
}

interface Entry extends Contender {
  /** Which median is divided by which, one of them its own. */
  readonly ratio?: readonly [over: string, under: string];
  /** What is asked of it, in ms a task; reported, and no reason to fail. */
  readonly target?: number;
}

/** A ratio that has to be so much at least, or at most. */
interface Gate {
  readonly suite: string;
  /** Which ratio of that suite. */
  readonly ratio: string;
  readonly least?: number;
  readonly most?: number;
  /** Without so many cores it says nothing. */
  readonly cores: number;
}

const GATES: readonly Gate[] = [
  { suite: 'serial 100 us tasks', ratio: 'serial / loop', most: 1.05, cores: 1 },
  { suite: 'parallel 1 ms tasks', ratio: 'serial / parallel', least: 1.8, cores: 2 },
  { suite: 'record serial 10 ms tasks', ratio: `${SQLITE.name} / no record`, most: 1.02, cores: 1 },
  { suite: 'executors, import', ratio: 'taskflow serial / direct', most: 1.05, cores: 1 },
  { suite: 'executors, import', ratio: 'direct / taskflow parallel', least: 1.7, cores: 2 },
];

interface Measured {
  readonly suite: string;
  readonly tasks: number;
  readonly figures: readonly Figures[];
}

interface Figures extends Timing {
  /** In ms. */
  readonly perTask: number;
  readonly target: number | undefined;
  readonly ratio: { readonly of: string; readonly value: number } | undefined;
}

interface Verdict {
  readonly verdict: 'passed' | 'FAILED' | 'SKIPPED';
  readonly what: string;
  readonly limit: string;
  /** The ratio of each attempt. */
  readonly ratios: readonly number[];
  readonly why?: string;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      tasks: { type: 'string', default: '100000' },
      check: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(USAGE);
  const size = Number(values.tasks);
  if (!Number.isInteger(size) || size < 2) {
    throw new Error(`--tasks must be a whole number above 1; received '${values.tasks}'`);
  }

  await using pool = await createPool({ workers: WORKERS });
  const { size: usableCores } = await createPool({ workers: 'auto' }); // starts no thread
  const iterationsPerMs = calibrate();
  const machine = { node: process.version, processor: cpus()[0]?.model.trim(), usableCores, workers: WORKERS };
  const suites = [
    ...compileSuites(size),
    ...noOpSuites(size, pool),
    ...busySuites(iterationsPerMs, pool),
    ...recordSuites(size / 10, iterationsPerMs, pool),
    ...resumeSuites(size),
    ...executorSuites(),
  ];

  const measured: Measured[] = [];
  const verdicts: Verdict[] = [];
  // A check reports on the targets too, and first: code that has seen many kinds of tasks is compiled for all of them.
  const asked = ({ name, targeted }: Suite) => (values.check ? targeted === true : name.includes(values.filter));
  for (const suite of suites.filter(asked)) measured.push(await measure(suite));
  const gated = values.check ? new Set(GATES.map(({ suite }) => suite)) : [];
  for (const name of gated) verdicts.push(...(await check(name, suites, usableCores, measured)));

  if (values.json) console.log(JSON.stringify({ ...machine, iterationsPerMs, measured, verdicts }, undefined, 2));
  else print(machine, measured, verdicts);
  if (verdicts.some(({ verdict }) => verdict === 'FAILED')) process.exitCode = 1;
}

/** How many iterations of `spin` a millisecond holds: the most that were seen, since others can only slow it down. */
function calibrate(): number {
  const iterations = 200_000;
  let shortest = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 300; performance.now() < end; ) {
    const begun = performance.now();
    spin({ iterations });
    shortest = Math.min(shortest, performance.now() - begun);
  }
  return Math.round(iterations / shortest);
}

/** What it takes to make the tasks and the flow, and what to compile it. */
function compileSuites(size: number): Suite[] {
  return [chain(size), fanOut(size), randomGraph(size), randomDataflow(size)].map((workload) => {
    const contenders = () => {
      const tasks = workload.tasks();
      let flow = workload.compose(tasks);
      const prepare = () => {
        flow = workload.compose(tasks);
      };
      const build = { name: 'build', run: () => workload.compose(workload.tasks()) };
      return [build, { name: 'compile', prepare, run: () => load(flow).compile() }];
    };
    return { name: `compile ${workload.name}`, size, contenders };
  });
}

/**
 * What the engines cost by themselves. Each stands alone: a parallel run leaves garbage behind, that would be collected at the
 * cost of the serial one.
 */
function noOpSuites(size: number, pool: Pool): Suite[] {
  return [chain, fanOut, randomGraph, randomDataflow].flatMap((make): Suite[] => {
    const serially = (): Entry[] => {
      const { loop, serial } = runs(make(size), pool);
      return [loop, { ...serial, ratio: ['serial', 'loop'], target: 150e-6 }];
    };
    const inParallel = (): Entry[] => [{ ...runs(make(size), pool).parallel, target: 3e-3 }];
    const { name } = make(2);
    return [
      { name: `serial no-op ${name}`, size, targeted: true, contenders: serially },
      { name: `parallel no-op ${name}`, size, targeted: true, contenders: inParallel },
    ];
  });
}

/**
 * What the engines make of independent tasks that keep a core busy. Serial against the loop stands by itself: after a parallel
 * run the main thread has slept, and the system would favour the one that comes next.
 */
function busySuites(iterationsPerMs: number, pool: Pool): Suite[] {
  const kinds = [
    { name: '100 us tasks', size: 2000, ms: 0.1 },
    { name: '1 ms tasks', size: 400, ms: 1 },
  ];
  return kinds.flatMap(({ name, size, ms }): Suite[] => {
    const { loop, serial, parallel } = runs(busy(name, size, iterationsPerMs * ms), pool);
    // What the threads can give here and now: the same work in one long task a worker.
    const undivided = runs(busy(name, WORKERS, (iterationsPerMs * ms * size) / WORKERS), pool).parallel;
    return [
      { name: `serial ${name}`, size, contenders: () => [loop, { ...serial, ratio: ['serial', 'loop'] }] },
      {
        name: `parallel ${name}`,
        size,
        contenders: () => [
          serial,
          { ...parallel, ratio: ['serial', 'parallel'] },
          { ...undivided, name: 'undivided', ratio: ['serial', 'undivided'] },
        ],
      },
    ];
  });
}

/** What it costs that all that happens is recorded: for tasks that do nothing, in each kind of store, and for such that take some time. */
function recordSuites(size: number, iterationsPerMs: number, pool: Pool): Suite[] {
  const engines = {
    serial: { engine: 'serial' },
    parallel: { engine: 'parallel', pool },
  } as const;
  return Object.entries(engines).flatMap(([kind, options]): Suite[] => {
    const unrecorded = (workload: Workload): Entry => ({
      ...runs(workload, pool)[kind as keyof typeof engines],
      name: 'no record',
    });
    const noOp = [wide, chain, layers].map((make): Suite => {
      const workload = make(Math.ceil(size));
      return {
        name: `record ${kind} no-op ${workload.name}`,
        size: workload.size,
        contenders: () => [
          unrecorded(workload),
          ...PLACES.map((place) => ({
            ...recorded(workload, options, place),
            ...(place === SQLITE && { target: 25e-3 }),
          })),
        ],
      };
    });
    const workload = busy('10 ms tasks', 100, iterationsPerMs * 10);
    const ratio = [SQLITE.name, 'no record'] as const;
    const contenders = () => [unrecorded(workload), { ...recorded(workload, options, SQLITE), ratio }];
    return [...noOp, { name: `record ${kind} 10 ms tasks`, size: workload.size, contenders }];
  });
}

/** How long it takes to find out where a flow is that is half done. */
function resumeSuites(size: number): Suite[] {
  return [wide, chain].map((make): Suite => {
    const workload = make(size);
    const contenders = () => READ.map((place) => resumed(workload, place));
    return { name: `resume ${workload.name}`, size, contenders };
  });
}

/** What the task service makes of one task, from its record to its end, with one executor and with another. */
function executorSuites(): Suite[] {
  const steps = chain(1000);
  const compared = (make: Parameters<typeof executors>[0]) => (): Entry[] => {
    const [direct, serial, parallel] = executors(make, WORKERS);
    return [
      direct,
      { ...serial, ratio: [serial.name, direct.name] },
      { ...parallel, ratio: [direct.name, parallel.name] },
    ];
  };
  return [
    { name: 'executors, import', size: 1, contenders: compared(imageImport) },
    { name: 'executors, 1,000 tiny steps', size: steps.size, contenders: compared(() => flowOf(steps)) },
  ];
}

/** A plain loop, and both engines. Each run has a new engine, loaded and validated before; the plan is compiled once. */
function runs(workload: Workload, pool: Pool) {
  const flow = workload.compose(workload.tasks());
  const { inputs } = workload;
  const on = (options: Parameters<typeof load>[1]) => {
    let engine: Engine;
    const prepare = () => {
      engine = load(flow, { ...options, inputs }).validate();
    };
    return { prepare, run: () => engine.run() };
  };
  return {
    loop: { name: 'loop', run: workload.loop },
    serial: { name: 'serial', ...on({ engine: 'serial' }) },
    parallel: { name: 'parallel', ...on({ engine: 'parallel', pool }) },
  };
}

async function measure({ name, size, contenders: make }: Suite): Promise<Measured> {
  console.error(`measuring: ${name} ...`);
  const contenders = make();
  const timings = await byTurns(contenders);
  const medianOf = (wanted: string) => timings.find((timing) => timing.name === wanted)!.median;
  const figures = timings.map((timing, i): Figures => {
    const { target, ratio } = contenders[i];
    const value = ratio && medianOf(ratio[0]) / medianOf(ratio[1]);
    return {
      ...timing,
      perTask: timing.median / size,
      target,
      ratio: ratio && { of: ratio.join(' / '), value: value! },
    };
  });
  return { suite: name, tasks: size, figures };
}

/**
 * Checks the gates of a suite, each time on the same measurement. The best of several attempts counts: others on the machine can
 * make a ratio worse, and hardly better.
 */
async function check(name: string, suites: Suite[], usableCores: number, measured: Measured[]): Promise<Verdict[]> {
  const suite = suites.find((one) => one.name === name)!;
  const checks = GATES.filter((gate) => gate.suite === name).map((gate) => ({ gate, ratios: [] as number[] }));
  const isOpen = ({ gate, ratios }: (typeof checks)[number]) =>
    usableCores >= gate.cores && !ratios.some((ratio) => passes(gate, ratio));
  for (let attempt = 0; attempt < ATTEMPTS && checks.some(isOpen); attempt++) {
    const result = await measure(suite);
    measured.push(result);
    for (const { gate, ratios } of checks.filter(isOpen)) {
      ratios.push(result.figures.find(({ ratio }) => ratio?.of === gate.ratio)!.ratio!.value);
    }
  }
  return checks.map(({ gate, ratios }) => verdictOf(gate, ratios, usableCores));
}

function passes({ least = 0, most = Number.POSITIVE_INFINITY }: Gate, ratio: number): boolean {
  return ratio >= least && ratio <= most;
}

function verdictOf(gate: Gate, ratios: readonly number[], usableCores: number): Verdict {
  const { suite, ratio, least = 0, most = Number.POSITIVE_INFINITY, cores } = gate;
  const what = `${suite}: ${ratio}`;
  const limit = gate.least === undefined ? `at most ${most}` : `at least ${least}`;
  if (usableCores < cores) {
    const why = `this takes ${cores} cores, and the process may use ${usableCores}: nothing was checked`;
    return { verdict: 'SKIPPED', what, limit, ratios, why };
  }
  if (ratios.some((one) => passes(gate, one))) return { verdict: 'passed', what, limit, ratios };
  const off = gate.least === undefined ? Math.min(...ratios) / most - 1 : 1 - Math.max(...ratios) / least;
  return { verdict: 'FAILED', what, limit, ratios, why: `the best is off by ${(off * 100).toFixed(1)} %` };
}

function print(machine: object, measured: readonly Measured[], verdicts: readonly Verdict[]): void {
  const about = Object.entries(machine).map(([name, value]) => `${name}: ${value}`);
  console.log(`\n${about.join('   ')}\n`);
  const rows = measured.flatMap(({ suite, tasks, figures }) =>
    figures.map(({ name, perTask, median, deviation, turns, target, ratio }, i) => [
      ...(i === 0 ? [suite, String(tasks)] : ['', '']),
      ...[name, time(perTask), `±${((deviation / median) * 100).toFixed(0)} %`, String(turns)],
      target === undefined ? '' : `${perTask < target ? 'below' : 'ABOVE'} ${time(target)}`,
      ratio === undefined ? '' : `${ratio.of} = ${ratio.value.toFixed(3)}`,
    ]),
  );
  const head = ['suite', 'tasks', 'what', 'a task', 'spread', 'turns', 'target', 'ratio of medians'];
  console.log(rows.length > 0 ? table([head, ...rows], [1, 3, 4, 5]) : 'No suite has such a name.');
  if (verdicts.length === 0) return;
  console.log(
    `\nThe best of up to ${ATTEMPTS} attempts counts: others on the machine make ratios worse, hardly better.`,
  );
  for (const { verdict, what, limit, ratios, why } of verdicts) {
    const shown = ratios.length > 0 ? `; measured ${ratios.map((ratio) => ratio.toFixed(3)).join(', ')}` : '';
    console.log(`${verdict}  ${what} must be ${limit}${shown}${why === undefined ? '' : `; ${why}`}`);
  }
}

await main();
