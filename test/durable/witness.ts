/**
 * Tasks that write into a file what they do: it tells, whatever becomes of their process, what has happened outside of the engine. What
 * they do depends on nothing but which execution it is, as told by the key, so that it is the same however often it is interrupted.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { type TaskContext, type TaskState, task } from 'millrace';
import { type Deed, type Fails, OPTIONAL, REQUIRED, resultOf } from '../fixtures/atoms/fated.js';

/** A line of the file. */
export interface Entry {
  readonly atom: string;
  /** `'told'`: whoever listens was told of its state. */
  readonly deed: Deed | 'told';
  readonly state?: TaskState;
  /** Controllers have none. */
  readonly key?: string | undefined;
  readonly attempt?: number | undefined;
  /** How many times the flow had come to its end before. */
  readonly stage: number;
  /** Whether it is reverted although it has not begun: it was about to, and its process could not tell any more. */
  readonly idle?: boolean;
}

/** What an atom is told. */
export interface Fate {
  readonly task: string;
  /** By number, from 1: rounds of the execution, and of the revert. */
  readonly fails: Fails;
  readonly revertFails: Fails;
  readonly asynchronous: boolean;
  /** The path of the file. */
  readonly journal: string;
  readonly stage: number;
  /** After so many lines the process is killed; 0: it is not. */
  readonly deadline: number;
}

export function readJournal(file: string): Entry[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Entry);
}

/** @param context of a task; controllers have none */
function write(fate: Fate, deed: Deed, context: TaskContext | undefined, idle?: boolean): void {
  const { name: atom = fate.task, idempotencyKey: key, attempt } = context ?? {};
  append(fate, { atom, deed, key, attempt, stage: fate.stage, ...(idle && { idle }) });
}

export function append({ journal, deadline }: Pick<Fate, 'journal' | 'deadline'>, entry: Entry): void {
  appendFileSync(journal, `${JSON.stringify(entry)}\n`);
  if (deadline > 0 && readJournal(journal).length >= deadline) process.kill(process.pid, 'SIGKILL');
}

/** What an atom has written so far. */
function written({ task, journal }: Fate, context: TaskContext | undefined): Entry[] {
  const atom = context?.name ?? task;
  return readJournal(journal).filter((entry) => entry.atom === atom && entry.deed !== 'told');
}

/** In which round of what it does an atom is, by what it has written. */
function roundOf(entries: readonly Entry[], deed: Deed): number {
  const begun = entries.filter((entry) => entry.deed === deed && !entry.idle);
  // A revert that has failed is tried again under the same key, once the flow has come to its end.
  return new Set(begun.map(({ key, stage }) => `${key} ${deed === 'reverts' ? stage : ''}`)).size;
}

/** Whether an atom has begun since it was reverted last. */
function hasBegun(entries: readonly Entry[]): boolean {
  const deeds = entries.map(({ deed }) => deed);
  return deeds.lastIndexOf('begins') > deeds.lastIndexOf('reverted');
}

function isFated(fails: Fails, round: () => number): boolean {
  return fails === 'always' || (fails.length > 0 && fails.includes(round()));
}

export function execute({ fate, ...args }: any, context?: TaskContext, value?: () => unknown): unknown {
  const { task, fails, asynchronous } = fate as Fate;
  write(fate, 'begins', context);
  const end = () => {
    const failed = isFated(fails, () => roundOf(written(fate, context), 'begins'));
    write(fate, failed ? 'fails' : 'ends', context);
    if (failed) throw new Error(`${task} failed`);
    if (value) return value();
    const values = [...REQUIRED, ...OPTIONAL].map((param) => args[param]);
    return resultOf(task, values);
  };
  return asynchronous ? Promise.resolve().then(end) : end();
}

export function revert({ fate, result }: any, context?: TaskContext): unknown {
  const { task, revertFails, asynchronous } = fate as Fate;
  const idle = result?.error?.code === 'ERR_MILLRACE_INTERRUPTED' && !hasBegun(written(fate, context));
  write(fate, 'reverts', context, idle);
  const end = () => {
    const failed = !idle && isFated(revertFails, () => roundOf(written(fate, context), 'reverts'));
    write(fate, failed ? 'fails to revert' : 'reverted', context);
    if (failed) throw new Error(`${task} could not be reverted`);
  };
  return asynchronous ? Promise.resolve().then(end) : end();
}

/** A task for each number of required and of optional arguments. */
function shapes(define: (options: any) => any) {
  return [0, 1, 2].map((required) =>
    [0, 1].map((optional) =>
      define({
        name: `witness of ${required} and ${optional}`,
        requires: REQUIRED.slice(0, required),
        optional: OPTIONAL.slice(0, optional),
        execute: (args: any, context: any) => execute(args, context),
        revert: (args: any, context: any) => revert(args, context),
      }),
    ),
  );
}

const travelling = shapes((options) => task(import.meta.url, options));
const local = shapes((options) => task(options));

/** The task with so many arguments. */
export function witness(travels: boolean, required: number, optional: number): any {
  return (travels ? travelling : local)[required][optional];
}
