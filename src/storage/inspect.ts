/** What a recorded flow looks like in `util.inspect`: the tree of its atoms, with what is known of each but for its values. */
import { type InspectOptions, inspect } from 'node:util';
import { bare, quoted } from '../atoms/index.js';
import type { RecordedAtom, RecordedAttempt, RecordedFlow, Stored } from '../engine/recording.js';
import { Failure } from '../failure/index.js';
import { decodeStored } from '../stored/index.js';
import { type AtomTree, atomTree } from './archive.js';

/** Once the tree has as many lines as this many lists at their longest, only the outermost list goes on. */
const LISTS = 10;
/** How many of the last attempts of a retry are shown. */
const ATTEMPTS = 10;

/** A flow that prints as a tree. */
export function printable(flow: RecordedFlow): RecordedFlow {
  const show = (depth: unknown, options: InspectOptions) => describeFlow(flow, depth, options);
  return Object.defineProperty(flow, inspect.custom, { value: show });
}

/** @param depth how many levels of regions are opened; below zero, not even the flow; any but a number: all */
function describeFlow(flow: RecordedFlow, depth: unknown, options: InspectOptions): string {
  const deepest = typeof depth === 'number' && !Number.isNaN(depth) ? depth : Number.POSITIVE_INFINITY;
  const longest = options.maxArrayLength ?? Number.POSITIVE_INFINITY;
  const lines = [heading(flow, options)];
  const write = (trees: readonly AtomTree[], indent: string, level: number) => {
    if (level > deepest || (level > 0 && lines.length >= LISTS * longest)) return;
    for (const [i, { atom, children }] of trees.slice(0, longest).entries()) {
      const last = i === trees.length - 1;
      const below = `${indent}${last ? '   ' : '│  '}`;
      lines.push(`${indent}${last ? '└─ ' : '├─ '}${describeAtom(atom, options)}`);
      const bar = children.length > 0 && level < deepest ? '│ ' : '  ';
      for (const line of attemptsOf(flow.histories.get(atom.name) ?? [], options)) lines.push(`${below}${bar}${line}`);
      write(children, below, level + 1);
    }
    if (trees.length > longest) lines.push(`${indent}└─ … ${trees.length - longest} more`);
  };
  write(atomTree(flow), '', 0);
  return lines.join('\n');
}

function heading(
  { id, book, name, state, owner, createdAt, finishedAt }: RecordedFlow,
  options: InspectOptions,
): string {
  const parts = [`id ${quoted(id, options)}`];
  if (book !== undefined) parts.push(`book ${quoted(book, options)}`);
  parts.push(`recorded ${createdAt.toISOString()}`);
  if (finishedAt) parts.push(`ended ${finishedAt.toISOString()}`);
  if (owner) parts.push(`process ${owner.pid} on ${quoted(owner.host, options)}`);
  return `Recorded flow ${quoted(name, options)}: ${state} (${parts.join('; ')})`;
}

const KINDS = { task: 'Task', retry: 'Retry', region: 'Region' } as const;

function describeAtom(atom: RecordedAtom, options: InspectOptions): string {
  const { kind, name, state, intention, attempts, rounds, version, startedAt, finishedAt, failure, revertFailure } =
    atom;
  const parts: string[] = [];
  if (startedAt && finishedAt) parts.push(`${((finishedAt.getTime() - startedAt.getTime()) / 1000).toFixed(2)} s`);
  else if (startedAt) parts.push(`since ${startedAt.toISOString()}`);
  if (attempts > 1) parts.push(`begun ${attempts} times`);
  if (rounds > 0) parts.push(rounds === 1 ? 'tried again once' : `tried again ${rounds} times`);
  if (intention !== 'EXECUTE') parts.push(`to ${intention}`);
  if (version !== undefined) parts.push(`version ${version}`);
  const how = [failure, revertFailure].flatMap((one) => (one ? `: ${failureText(one, options)}` : []));
  return `${KINDS[kind]} ${quoted(name, options)}: ${state}${parts.length > 0 ? ` (${parts.join('; ')})` : ''}${how.join('')}`;
}

/** What failed in each of the last attempts of a retry, a line for each. */
function attemptsOf(attempts: readonly RecordedAttempt[], options: InspectOptions): string[] {
  const first = Math.max(0, attempts.length - ATTEMPTS);
  const lines = attempts.slice(first).flatMap(({ failures }, i) => {
    const told = failures ? failuresText(failures, options) : '';
    return told === '' ? [] : [`attempt ${first + i + 1}: ${told}`];
  });
  return first > 0 ? ['…', ...lines] : lines;
}

/** A stored failure on one line. */
function failureText(stored: Stored, options: InspectOptions): string {
  const value = decoded(stored);
  return value instanceof Failure ? errorText(value, options) : 'a failure that cannot be read';
}

/** The stored failures of an attempt, by the names of the tasks, on one line. */
function failuresText(stored: Stored, options: InspectOptions): string {
  const value = decoded(stored);
  if (typeof value !== 'object' || value === null) return 'failures that cannot be read';
  const entries = Object.entries(value).filter(([, failure]) => failure instanceof Failure);
  return entries.map(([task, failure]) => `${quoted(task, options)}: ${errorText(failure, options)}`).join('; ');
}

/** Whatever is in a failure, it stays on its line. */
function errorText({ name, message, code }: Failure, options: InspectOptions): string {
  const shown = typeof code === 'string' || typeof code === 'number' ? ` [${bare(String(code), options)}]` : '';
  return `${bare(String(name), options)} ${quoted(String(message), options)}${shown}`;
}

/** What cannot be read must not keep the rest from being shown. */
function decoded(stored: Stored): unknown {
  try {
    return decodeStored(stored);
  } catch {
    return undefined;
  }
}
