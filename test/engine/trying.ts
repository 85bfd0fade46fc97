/** What the tests of retries have in common: their tasks, what the tasks are told, and the lines that are expected. */
import * as millrace from 'millrace';
import { type Claim, type EngineUnderTest, overEveryEngine } from '../engines.js';
import * as tasks from '../fixtures/engine/tasks.js';
import * as trying from '../fixtures/engine/trying.js';

const kits: Record<string, any> = {
  travelling: { ...tasks.travelling, ...trying.travelling },
  local: { ...tasks.local, ...trying.local },
};

// Without their types, which have tests of their own: what is put together here is too much for the compiler.
type Make = (name: string, ...items: any[]) => any;
export const { linear, unordered, graph }: Record<'linear' | 'unordered' | 'graph', Make> = millrace as any;

export type Kit = Readonly<Record<keyof (tasks.Kit & trying.TryingKit), any>>;

/** Registers claims for each kind of task. `concurrent`: whether two of them can run at the same time. */
export function overEveryKind(
  define: (test: Claim, options: EngineUnderTest['options'], tasks: Kit, concurrent: boolean, kind: string) => void,
): void {
  for (const [kind, kit] of Object.entries(kits)) {
    overEveryEngine((test, options) =>
      define(
        (claim, body) => test(`${claim}: ${kind} tasks`, body),
        options,
        kit,
        options.engine === 'parallel' && (kind === 'local' || Number(options.workers) > 1),
        kind,
      ),
    );
  }
}

/** Memory in which `flaky` counts: at 0 and 1, 2 and 3, and so on, how often a task was executed and how often reverted. */
export const counters = (tasks = 8) => millrace.share(new Int32Array(2 * tasks));

/** Answers `asks`: a task fails the first so many times, and then gives the number of its execution. */
export function trials(failures: Readonly<Record<string, number>> = {}) {
  const executed: Record<string, number> = {};
  const reverted: Record<string, number> = {};
  return {
    executed,
    reverted,
    async ask(name: string): Promise<unknown> {
      executed[name] = (executed[name] ?? 0) + 1;
      if (executed[name] <= (failures[name] ?? 0)) throw new Error(`Woot ${executed[name]} of ${name}!`);
      return executed[name];
    },
    async undo(name: string): Promise<void> {
      reverted[name] = (reverted[name] ?? 0) + 1;
    },
  };
}

// Lines as `capture` writes them.

export const flow = (name: string, state: string) => `flow ${name}: ${state}`;

/** An atom runs and ends well. */
export const ran = (name: string, result?: unknown) => [
  `${name}: RUNNING`,
  `${name}: SUCCESS${result === undefined ? '' : `(${result})`}`,
];

/** An atom runs and fails. */
export const failed = (name: string, message = 'Woot!') => [
  `${name}: RUNNING`,
  `${name}: FAILURE(Failure: Error: ${message})`,
];

/** Atoms are reverted, one after the other. */
export const reverted = (...names: string[]) => names.flatMap((name) => [`${name}: REVERTING`, `${name}: REVERTED`]);

/** A scope is put back to its start. */
export const again = (controller: string, ...names: string[]) => [
  `${controller}: RETRYING`,
  ...names.map((name) => `${name}: PENDING`),
];
