/** Takes a flow to record it, and puts what was recorded of it into a ledger. */
import { type Attempt, Failure } from '../atoms/index.js';
import { RunError } from '../errors.js';
import { nameOf, numberOf, rangeOf, whole } from '../plan/index.js';
import { decodeStored, encodeStored, type Stored } from '../stored/index.js';
import { Journal, type Notes } from './journal.js';
import { type Ledger, RETRY, REVERT } from './ledger.js';
import type { FlowStore, RecordedAtom, RecordedFlow } from './recording.js';
import { FAILURE, PENDING, REVERTING, RUNNING, SUCCESS, TASK_STATES } from './states.js';

/** Where and how a flow is recorded. */
export interface RecordOptions {
  readonly store: FlowStore;
  /** The id of the flow: of a new one, or, to resume it, of one that is recorded. Default: a new one. */
  readonly id?: string;
  /** The book that a new flow is put into. */
  readonly book?: string;
  /** The most that a value may take, in bytes. Default: 16 MiB. */
  readonly limit?: number;
}

const LIMIT = 16 * 2 ** 20;

export async function openJournal(ledger: Ledger, record: RecordOptions, inputs: unknown): Promise<void> {
  const { store, id, book, limit = LIMIT } = record;
  const { name } = ledger.plan;
  const known = id !== undefined && (await store.acquire(id).catch(unlessMissing));
  const lease =
    known || (await store.create({ id, book, name, inputs: encodeStored(inputs, { limit, what: 'The inputs' }) }));
  if (known) restore(ledger, await known.read());
  ledger.journal = new Journal(lease, limit);
}

function unlessMissing(error: { code?: unknown }): undefined {
  if (error.code !== 'ERR_MILLRACE_FLOW_NOT_FOUND') throw error;
}

const STATES = new Map<string, number>(TASK_STATES.map((name, state) => [name, state]));

function restore(ledger: Ledger, { atoms, histories, notes }: RecordedFlow): void {
  const { plan } = ledger;
  for (const row of atoms.values()) {
    const atom = numberOf(plan, row.name);
    if (atom >= 0) restoreAtom(ledger, atom, row);
  }
  for (const [name, attempts] of histories) {
    const retry = numberOf(plan, name);
    if (retry < 0) continue;
    ledger.remember(
      retry,
      attempts.map(
        ({ value, failures }): Attempt => ({
          value: value && read(value),
          failures: (failures ? read(failures) : {}) as Record<string, Failure>,
        }),
      ),
    );
  }
  if (notes) restoreNotes(ledger, read(notes) as Notes);
  interrupted(ledger);
}

function restoreAtom(ledger: Ledger, atom: number, row: RecordedAtom): void {
  ledger.states[atom] = STATES.get(row.state)!;
  ledger.finished[atom] = row.order;
  ledger.finishedCount = Math.max(ledger.finishedCount, row.order);
  ledger.begun[atom] = row.attempts;
  if (row.result) ledger.results[atom] = read(row.result);
  if (row.failure) ledger.failures.set(atom, read(row.failure) as Failure);
  if (row.revertResult) ledger.revertResults.set(atom, read(row.revertResult));
  if (row.revertFailure) ledger.revertFailures.set(atom, read(row.revertFailure) as Failure);
}

function restoreNotes(ledger: Ledger, { rollbacks, verdict, reverting, givenUp }: Notes): void {
  const { plan } = ledger;
  for (const [name, retryAfter] of rollbacks) {
    const retry = numberOf(plan, name);
    if (retry < 0) continue;
    const range = rangeOf(plan, retry);
    ledger.rollbacks.set(retry, { range, retryAfter: retryAfter ?? undefined });
    ledger.intend(range, REVERT);
    ledger.intentions[retry] = RETRY;
  }
  for (const name of givenUp) if (numberOf(plan, name) >= 0) ledger.givenUp.add(numberOf(plan, name));
  if (verdict === undefined) return;
  const retry = verdict === null ? -1 : numberOf(plan, verdict);
  ledger.verdict = retry < 0 ? whole(plan) : rangeOf(plan, retry);
  ledger.reverting = reverting;
}

/** What ran when the process ended may have done its work, or a part of it. */
function interrupted(ledger: Ledger): void {
  const { plan, states, verdict, intentions } = ledger;
  for (let atom = 0; atom < plan.size; atom++) {
    if (states[atom] === REVERTING) {
      states[atom] = ledger.failures.has(atom) ? FAILURE : SUCCESS;
    } else if (states[atom] === RUNNING) {
      const failing = intentions[atom] !== 0 || (verdict && atom >= verdict.start && atom < verdict.end);
      if (!failing) {
        states[atom] = PENDING;
        continue;
      }
      // It is reverted before what it depends on.
      const name = nameOf(plan, atom);
      const message = `Task '${name}' was interrupted when its process ended, and is reverted, as its flow is`;
      states[atom] = FAILURE;
      ledger.finished[atom] = ++ledger.finishedCount;
      ledger.failures.set(atom, new Failure(name, new RunError('ERR_MILLRACE_INTERRUPTED', message, { task: name })));
    }
  }
}

function read(stored: Stored): unknown {
  return decodeStored(stored);
}
