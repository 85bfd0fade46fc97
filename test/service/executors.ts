/** What the tests of the task service run over: every executor, and every engine of the one that has engines. */
import type { TaskServiceOptions } from 'millrace/service';
import { test } from 'uvu';
import type { Claim } from '../engines.js';

/** The configuration that chooses an executor. */
export interface ExecutorOptions extends Pick<TaskServiceOptions, 'taskflowExecutor'> {
  readonly task: {
    readonly executor: 'direct' | 'taskflow';
    readonly database: string;
    readonly recovery?: 'fail' | 'resume';
  };
}

/** A way to carry tasks out. */
export interface ExecutorUnderTest {
  readonly name: string;
  readonly options: ExecutorOptions;
}

/** @param database where the records are kept when a service is not given a repository */
export function executorsWith(database: string): readonly ExecutorUnderTest[] {
  const taskflow = { executor: 'taskflow', database } as const;
  return [
    { name: 'direct', options: { task: { executor: 'direct', database } } },
    { name: 'taskflow, serial', options: { task: taskflow, taskflowExecutor: { engineMode: 'serial' } } },
    ...[1, 2].map((maxWorkers) => ({
      name: `taskflow, parallel, ${maxWorkers} worker${maxWorkers > 1 ? 's' : ''}`,
      options: { task: taskflow, taskflowExecutor: { engineMode: 'parallel', maxWorkers } } as const,
    })),
  ];
}

export const executors = executorsWith('memory:');

/** Those that can resume tasks, and are configured to. */
export const resuming: readonly ExecutorUnderTest[] = executors
  .filter(({ name }) => /serial|1 worker/.test(name))
  .map(({ name, options: { task, ...others } }) => ({
    name: `${name}, to be resumed`,
    options: { ...others, task: { ...task, recovery: 'resume' } },
  }));

/**
 * Registers each claim once per executor, with the executor's name in the test's name.
 *
 * @param define registers the claims: its `test` is uvu's, its `options` choose the executor when a service is created
 * @param among the executors; by default all, with their records in memory
 */
export function overEveryExecutor(
  define: (test: Claim, options: ExecutorOptions, name: string) => void,
  among: readonly ExecutorUnderTest[] = executors,
): void {
  for (const { name, options } of among) {
    define(
      (claim, body) => {
        test(`${claim} (${name})`, async () => body());
      },
      options,
      name,
    );
  }
}
