/** A process that runs a recorded flow, or goes on with it, until it comes to its end or is killed. */
import { writeSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { load, WrappedFailure } from 'millrace';
import type { FlowStore, Lease } from '../../src/engine/recording.js';
import { openStore } from '../../src/storage/index.js';
import { compose } from '../reference/build.js';
import type { FlowSpec, Policy } from '../reference/resolution.js';
import { INPUTS, type Small, small } from './small.js';
import { append, execute, readJournal, revert, witness } from './witness.js';

/** What the process is to do. */
export interface Errand {
  readonly url: string;
  readonly id: string;
  /** What is described, or one of the small flows. */
  readonly flow: FlowSpec | Small;
  readonly policy: Pick<Policy, 'failurePolicy' | 'deferReverts'>;
  readonly options: { readonly engine: 'serial' | 'parallel'; readonly workers?: number };
  /** Whether somebody listens to what the engine tells of its tasks. */
  readonly observed: boolean;
  /** Where the tasks write what they do. */
  readonly journal: string;
  /** How many times the flow had come to its end before. */
  readonly stage: number;
  /** When it is to be killed. */
  readonly death: Death | undefined;
}

/**
 * After so many lines of the journal; or before or after the n-th call of the store that records something. `'taken'`: it lives, and
 * somebody else has taken the flow.
 */
export type Death = { readonly lines: number } | { readonly call: number; readonly when: 'before' | 'after' | 'taken' };

/** What the process says at its end. */
export interface Report {
  readonly state: string;
  /** What the run has provided, or the names of those that are to blame for its end. */
  readonly outcome: unknown;
  /** How many calls of the store there were. */
  readonly calls: number;
  /** How many lines the journal had when the flow was taken. */
  readonly taken: number | undefined;
}

const {
  url,
  id,
  flow: described,
  policy,
  options,
  observed,
  journal,
  stage,
  death,
} = JSON.parse(process.argv[2]) as Errand;
let calls = 0;
let ours = false;
let taken: number | undefined;

function watched<T>(call: () => T): T {
  const n = ++calls;
  const isTime = (when: string) => death && 'call' in death && death.call === n && death.when === when;
  const dies = (when: string) => {
    if (isTime(when)) process.kill(process.pid, 'SIGKILL');
  };
  dies('before');
  if (isTime('taken')) take();
  const result = call();
  if (result instanceof Promise) {
    return result.then((value) => {
      dies('after');
      return value;
    }) as T;
  }
  dies('after');
  return result;
}

/** Somebody else takes the flow, who needs not know whether it is ours. */
function take(): void {
  other!.exec('update millrace_flows set epoch = epoch + 1');
  if (ours) taken = readJournal(journal).length;
}

/** A store that kills the process when its time has come. */
function mortal(store: FlowStore): FlowStore {
  const watch = (lease: Lease): Lease => {
    ours = true;
    const { commit, release } = lease;
    lease.commit = () => watched(() => commit.call(lease));
    lease.release = () => watched(() => release.call(lease));
    return lease;
  };
  return {
    create: async (flow) => watch(await watched(() => store.create(flow))),
    acquire: async (id) => watch(await watched(() => store.acquire(id))),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** The connection of whoever takes the flow. */
async function connect(): Promise<{ exec(sql: string): void }> {
  const driver = isBuiltin('node:sqlite') ? 'node:sqlite' : '@photostructure/sqlite';
  return new (await import(driver)).DatabaseSync(url.slice('sqlite:'.length));
}

async function outcomeOf(run: Promise<unknown>): Promise<unknown> {
  try {
    return await run;
  } catch (error) {
    const errors: readonly unknown[] = error instanceof WrappedFailure ? error.errors : [error];
    const culprits = errors.map((one) => (one as { task?: string }).task);
    if (!culprits.includes(undefined)) return culprits.sort();
    if (taken === undefined) throw error;
    return (error as { code?: unknown }).code;
  }
}

const { failurePolicy, deferReverts } = policy;
const told = { journal, stage, deadline: death && 'lines' in death ? death.lines : 0 };
const { flow, inputs } =
  typeof described === 'string'
    ? { flow: small(described, told), inputs: INPUTS }
    : compose(described, {
        fated: witness,
        execute: (args, value) => execute(args, undefined, value),
        revert: (args) => revert(args),
        beside: () => told,
      });
await using store = await openStore(url);
const other = death && 'call' in death && death.when === 'taken' ? await connect() : undefined;
await using engine = load<any, any>(flow, {
  ...{ ...options, failurePolicy, deferReverts, inputs },
  record: { store: mortal(store), id },
});
if (observed) engine.on('task', ({ name, state }) => append(told, { atom: name, deed: 'told', state, stage }));
const outcome = await outcomeOf(engine.run());
writeSync(1, JSON.stringify({ state: engine.state, outcome, calls, taken } satisfies Report));
