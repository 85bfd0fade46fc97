/** Takes a flow to record it, and puts what was recorded of it into a ledger. */
import { type Attempt, Failure } from '../atoms/index.js';
import { nameOf, numberOf, type Plan, rangeOf, whole } from '../plan/index.js';
import { decodeStored } from '../stored/index.js';
import type { AtomNotes, Judgement } from './journal.js';
import { EXECUTE, type Ledger, RETRY, REVERT } from './ledger.js';
import type { FlowStore, RecordedAtom, RecordedAttempt, RecordedFlow } from './recording.js';
import { FAILURE, PENDING, REVERTING, RUNNING, SUCCESS, TASK_STATES } from './states.js';
import { interruption, Turns } from './turns.js';
import { upgrade } from './upgrade.js';

/** Where and how a flow is recorded. */
export interface RecordOptions {
  /** Made by `openStore()`. */
  readonly store: FlowStore;
  /** The id of the flow. If a flow of this id is recorded, it is resumed. Default: a new one. */
  readonly id?: string | undefined;
  /** The book that a new flow is put into. Default: none. */
  readonly book?: string | undefined;
  /** The most that a value may take, in bytes. Default: 16 MiB. */
  readonly limit?: number | undefined;
}

/** What has been recorded of a flow, by what it is part of: a region, by name, or the flow itself. */
export interface Recorded {
  readonly atoms: ReadonlyMap<string | undefined, readonly RecordedAtom[]>;
  readonly histories: ReadonlyMap<string, readonly RecordedAttempt[]>;
}

/** What a region had built in an earlier process. */
export interface Left {
  readonly recorded: Recorded;
  readonly judgement: Judgement | undefined;
}

const STATES = new Map<string, number>(TASK_STATES.map((name, state) => [name, state]));

/** Puts what was recorded of a flow into an empty ledger. `stops`: whether nothing else starts in a flow that has failed. */
export function restore(ledger: Ledger, flow: RecordedFlow, stops: boolean): void {
  ledger.turns = undefined; // those that were recorded count
  const atoms = new Map<string | undefined, RecordedAtom[]>();
  for (const row of flow.atoms.values()) {
    const siblings = atoms.get(row.parent);
    if (siblings) siblings.push(row);
    else atoms.set(row.parent, [row]);
  }
  const judgement = flow.notes && (decodeStored(flow.notes) as Judgement);
  restoreLedger(ledger, { atoms, histories: flow.histories }, judgement, stops);
  const isOver = flow.state === 'REVERTED' || (flow.state === 'SUCCESS' && ledger.complete);
  if (!isOver) upgrade(ledger, atoms.get(undefined) ?? []);
}

/** Puts what was recorded of the flow of a region into its empty ledger. */
export function restoreChild(ledger: Ledger, { recorded, judgement }: Left, stops: boolean): void {
  restoreLedger(ledger, recorded, judgement, stops);
  upgrade(ledger, recorded.atoms.get(ledger.region) ?? []);
}

function restoreLedger(ledger: Ledger, recorded: Recorded, judgement: Judgement | undefined, stops: boolean): void {
  const { plan } = ledger;
  const rows = recorded.atoms.get(ledger.region) ?? [];
  for (const row of rows) {
    const atom = numberOf(plan, row.name);
    if (atom >= 0) restoreAtom(ledger, atom, row, recorded);
  }
  if (judgement) restoreJudgement(ledger, judgement);
  restoreRollbacks(ledger, rows);
  if (ledger.verdict) restoreGone(ledger, rows);
  endInterrupted(ledger, stops);
}

function restoreAtom(ledger: Ledger, atom: number, row: RecordedAtom, recorded: Recorded): void {
  ledger.states[atom] = STATES.get(row.state)!;
  ledger.finished[atom] = row.order;
  ledger.finishedCount = Math.max(ledger.finishedCount, row.order);
  const before = row.state === 'RUNNING' || row.state === 'REVERTING' ? row.attempts : 0;
  if (before > 0 || row.rounds > 0) {
    ledger.turns ??= new Turns(ledger.plan.size);
    ledger.turns.restore(atom, row.rounds, before);
  }
  if (row.result) ledger.results[atom] = decodeStored(row.result);
  if (row.failure) ledger.failures.set(atom, decodeStored(row.failure) as Failure);
  if (row.revertResult) ledger.revertResults.set(atom, decodeStored(row.revertResult));
  if (row.revertFailure) ledger.revertFailures.set(atom, decodeStored(row.revertFailure) as Failure);
  const history = recorded.histories.get(row.name);
  if (history) ledger.remember(atom, history.map(attemptOf));
  if (ledger.plan.atoms[atom].region !== undefined && recorded.atoms.has(row.name)) {
    ledger.left.set(atom, { recorded, judgement: notesOf(row)?.built });
  }
  if (!row.progress) return;
  const { progress, details } = decodeStored(row.progress) as { progress: number; details?: unknown };
  ledger.note({ name: row.name, progress, details });
  if (row.state === 'SUCCESS') ledger.progress.delete(row.name);
}

/** What has failed still counts, although it is no more: because of it all is reverted. */
function restoreGone(ledger: Ledger, rows: readonly RecordedAtom[]): void {
  for (const { name, failure } of rows) {
    if (failure && numberOf(ledger.plan, name) < 0) ledger.gone.push(decodeStored(failure) as Failure);
  }
}

function attemptOf({ value, failures }: RecordedAttempt): Attempt {
  return {
    value: value && decodeStored(value),
    failures: (failures ? decodeStored(failures) : {}) as Record<string, Failure>,
  };
}

function restoreJudgement(ledger: Ledger, { verdict, reverting }: Judgement): void {
  const { plan } = ledger;
  if (verdict === undefined) return;
  const retry = verdict === null ? -1 : retryOf(plan, verdict);
  ledger.verdict = retry < 0 ? whole(plan) : rangeOf(plan, retry);
  ledger.reverting = reverting;
}

/** What retries were about to do. */
function restoreRollbacks(ledger: Ledger, rows: readonly RecordedAtom[]): void {
  const { plan } = ledger;
  for (const row of rows) {
    const notes = notesOf(row);
    if (notes === undefined) continue;
    const { retryAfter, givenUp } = notes;
    const retry = retryOf(plan, row.name);
    if (retry >= 0 || numberOf(plan, row.name) >= 0) ledger.journal?.remember(row.name, notes);
    if (givenUp && retry >= 0) ledger.givenUp.add(retry);
    if (retryAfter === undefined || ledger.reverting) continue;
    if (retry < 0) {
      ledger.verdict = whole(plan); // there is nobody any more who would try again
      continue;
    }
    const range = rangeOf(plan, retry);
    ledger.rollbacks.set(retry, { range, retryAfter: retryAfter ?? undefined });
    ledger.intend(range, REVERT);
    ledger.intentions[retry] = RETRY;
  }
}

function notesOf({ notes }: RecordedAtom): AtomNotes | undefined {
  return notes && (decodeStored(notes) as AtomNotes);
}

/** The number of a retry; -1: there is none of that name any more. */
function retryOf(plan: Plan, name: string): number {
  const atom = numberOf(plan, name);
  return atom >= 0 && (plan.atoms[atom].controller ?? plan.atoms[atom].retry) ? atom : -1;
}

/** What ran when the process ended may have done its work, or a part of it, or nothing. */
function endInterrupted(ledger: Ledger, stops: boolean): void {
  const { plan, states, verdict, reverting, intentions } = ledger;
  const failing = (atom: number) =>
    intentions[atom] !== EXECUTE ||
    (verdict !== undefined && (stops || reverting) && atom >= verdict.start && atom < verdict.end);
  for (let place = 0; place < plan.size; place++) {
    const atom = plan.order ? plan.order[place] : place;
    if (states[atom] === REVERTING) {
      states[atom] = ledger.failures.has(atom) ? FAILURE : SUCCESS;
    } else if (states[atom] === RUNNING) {
      if (failing(atom)) interrupt(ledger, atom);
      else states[atom] = PENDING;
    }
  }
}

/** An atom that has begun and not ended, as far as is known, is to be reverted, and that before what it depends on. */
function interrupt(ledger: Ledger, atom: number): void {
  const task = nameOf(ledger.plan, atom);
  ledger.turns?.end(atom);
  ledger.states[atom] = FAILURE;
  ledger.finished[atom] = ++ledger.finishedCount;
  ledger.failures.set(atom, new Failure(task, interruption(task)));
  // Where it stands in the order must be known when this process ends as the other one did.
  ledger.journal?.moved(ledger, atom);
}
