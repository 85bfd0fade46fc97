/**
 * Records a run. What happens is appended at once, and becomes durable at the next commit; what follows from it outside of the engine -
 * the call of a task, an event, the end of a run - waits for that.
 */
import { Failure, FIRST_VERSION, type TaskAtom } from '../atoms/index.js';
import { RunError } from '../errors.js';
import { nameOf } from '../plan/index.js';
import { encodeStored, type Stored } from '../stored/index.js';
import type { ProgressEvent } from './events.js';
import type { Ledger } from './ledger.js';
import type { Recorded } from './record.js';
import type { AtomChange, AtomKind, FlowChange, Lease } from './recording.js';
import {
  FAILURE,
  PENDING,
  RETRYING,
  REVERT_FAILURE,
  REVERTED,
  REVERTING,
  RUNNING,
  SUCCESS,
  TASK_STATES,
} from './states.js';

/** What is to become of a flow in which something has failed. */
export interface Judgement {
  /** The retry whose flow is reverted for good; `null`: all is. Missing: nothing is. */
  readonly verdict?: string | null;
  readonly reverting: boolean;
}

/** What the engine has to know of an atom beside its state. */
export interface AtomNotes {
  /** It rolls back what is in its care, and after so many ms tries again; `null`: it does not. */
  readonly retryAfter?: number | null;
  /** It is not to be asked any more. */
  readonly givenUp?: boolean;
  /** Of the flow that it has built. */
  readonly built?: Judgement;
}

/** What follows from what was recorded. */
interface Effect {
  /** `durable`: whether it is known to be. What does not start something is called only when it is. */
  readonly run: (durable: boolean) => void;
  readonly starts: boolean;
}

/** How far tasks are is recorded with what else is, and by itself after so many ms: a task may say so a thousand times a second. */
const PROGRESS_DELAY = 1000;

export class Journal {
  readonly lease: Lease;
  /** Told when something could not be committed. It stays appended. */
  onError: (error: Error) => void = () => {};
  readonly #limit: number;
  /** What waits to become durable, in order. */
  #effects: Effect[] = [];
  /** How many effects have been carried out, and how many can be. */
  #carried = 0;
  #due = 0;
  #carrying = false;
  #telling = false;
  #appended = false;
  /** Whether somebody knows that something could not be committed. */
  #told = false;
  /** Whether a commit is under way, and whether there is to be another one then. */
  #flying = false;
  #again = false;
  #scheduled = false;
  /** The atoms that are recorded as begun, and have not. */
  readonly #announced = new Map<string, { readonly ledger: Ledger; readonly atom: number }>();
  readonly #progress = new Map<string, ProgressEvent>();
  #timer: NodeJS.Timeout | undefined;
  /** What was noted of atoms, by name. */
  readonly #notes = new Map<string, AtomNotes>();
  /** The result that was checked last. */
  #encoded: { readonly result: unknown; readonly stored: Stored } | undefined;

  constructor(lease: Lease, limit: number) {
    this.lease = lease;
    this.#limit = limit;
    lease.signal.addEventListener('abort', () => this.onError(lease.signal.reason), { once: true });
  }

  /** Whether there is something that is not durable, or whose effects have not been carried out. */
  get open(): boolean {
    return this.#appended || this.#flying || this.#telling || this.#effects.length > 0;
  }

  /** An atom has come to another state. */
  moved(ledger: Ledger, atom: number): void {
    const name = nameOf(ledger.plan, atom);
    if (this.#announced.delete(name)) return; // that it begins is known
    this.#append(name, this.#change(ledger, atom, ledger.states[atom]));
  }

  /** Whether an atom is recorded as begun. */
  isAnnounced(ledger: Ledger, atom: number): boolean {
    return this.#announced.size > 0 && this.#announced.has(nameOf(ledger.plan, atom));
  }

  /** An atom is about to begin: from the next commit on it may, at any moment. */
  announce(ledger: Ledger, atom: number): void {
    const name = nameOf(ledger.plan, atom);
    this.#append(name, this.#change(ledger, atom, ledger.reverts(atom) ? REVERTING : RUNNING));
    this.#announced.set(name, { ledger, atom });
  }

  /** It will not, or not now. */
  retract(ledger: Ledger, atom: number): void {
    if (this.#announced.delete(nameOf(ledger.plan, atom))) this.unbegun(ledger, atom);
  }

  /** An atom that was said to begin has not. If it had in an earlier process, that still counts: it may have had effects. */
  unbegun(ledger: Ledger, atom: number): void {
    const attempts = ledger.attemptOf(atom) - 1;
    const begun = ledger.reverts(atom) ? REVERTING : RUNNING;
    const state = TASK_STATES[attempts > 0 ? begun : ledger.states[atom]];
    this.#append(nameOf(ledger.plan, atom), { state, attempts });
  }

  /** None of the atoms of a flow that are recorded as begun will, now. Returns how many there were. */
  retractAll(ledger: Ledger): number {
    const announced = [...this.#announced.values()].filter((one) => one.ledger === ledger);
    for (const { atom } of announced) this.retract(ledger, atom);
    return announced.length;
  }

  /** Values were injected: all of them so far. */
  injected(values: object): void {
    this.flow({ injected: this.#encode(values, 'The injected values', undefined) });
    this.soon();
  }

  /** Something was noted about the flow: all of it so far. */
  described(metadata: object): void {
    this.flow({ metadata: this.#encode(metadata, 'The metadata of the flow', undefined) });
    this.soon();
  }

  /** Something was noted about a task: all of it so far. */
  describedTask(task: string, metadata: object): void {
    this.#append(task, { metadata: this.#encode(metadata, `The metadata of task '${task}'`, task) });
    this.soon();
  }

  /** An atom that was interrupted is going to run with the code of another version. */
  renewed(ledger: Ledger, atom: number): void {
    this.#append(nameOf(ledger.plan, atom), { version: versionOf(ledger, atom) ?? null });
  }

  flow(change: FlowChange): void {
    this.lease.flow(change);
    this.#appended = true;
  }

  /** Calls `effect` once all that was appended is durable. */
  after(effect: () => void): void {
    if (this.open) this.#effects.push({ run: effect, starts: false });
    else effect();
  }

  /**
   * Calls `start` once all that was appended is durable, or as soon as it is known that it could not be committed: something is to begin, or
   * not.
   */
  start(start: (durable: boolean) => void): void {
    this.#effects.push({ run: start, starts: true });
  }

  /** Commits once the event loop turns: all that comes until then goes along. */
  soon(): void {
    if (this.#scheduled || !this.open) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.commit();
    });
  }

  /** Makes all durable that was appended: on return, where the store can, or later. */
  commit(): void {
    if (this.#flying) {
      this.#again = true;
      return;
    }
    const end = this.#carried + this.#effects.length;
    if (this.#appended) {
      this.#noteProgress();
      this.#appended = false;
      try {
        const committed = this.lease.commit();
        if (committed !== undefined) {
          this.#flying = true;
          committed.then(
            () => this.#landed(end),
            (error) => this.#landed(end, error),
          );
          return;
        }
      } catch (error) {
        this.#failed(error as Error);
        return;
      }
    }
    this.#carryOut(end);
  }

  /** It is decided what is to become of a flow. */
  judged({ plan, verdict, reverting, region }: Ledger): void {
    const all = verdict && verdict.end - verdict.start === plan.size;
    const judgement = { ...(verdict && { verdict: all ? null : nameOf(plan, verdict.start) }), reverting };
    if (region === undefined) this.flow({ notes: own(judgement) });
    else this.note(region, { built: judgement });
  }

  /** Something else is to be known of an atom; `undefined` takes it away. */
  note(name: string, change: AtomNotes): void {
    const entries = Object.entries({ ...this.#notes.get(name), ...change }).filter(([, value]) => value !== undefined);
    const notes = Object.fromEntries(entries);
    if (entries.length > 0) this.#notes.set(name, notes);
    else if (!this.#notes.delete(name)) return;
    this.#append(name, { notes: entries.length > 0 ? own(notes) : null });
  }

  forgetNotes(name: string): void {
    if (this.#notes.delete(name)) this.#append(name, { notes: null });
  }

  /** What was noted of an atom in an earlier process. */
  remember(name: string, notes: AtomNotes): void {
    this.#notes.set(name, notes);
  }

  /** A retry begins an attempt, or hears of a failure in it. */
  attempted(ledger: Ledger, retry: number): void {
    const history = ledger.historyOf(retry);
    const name = nameOf(ledger.plan, retry);
    const { value, failures } = history.last!;
    this.lease.attempt(name, history.length - 1, {
      value: this.#encode(value, `The value of retry '${name}'`, name),
      failures: this.#storedFailures(failures, name),
    });
    this.#appended = true;
  }

  /** What a retry has tried is forgotten. */
  forgot(ledger: Ledger, retry: number): void {
    this.lease.forget(nameOf(ledger.plan, retry));
    this.#appended = true;
  }

  /** An atom goes back to its start, with all that is known of it. */
  reset(ledger: Ledger, atom: number): void {
    const { controller, retry } = ledger.plan.atoms[atom];
    const name = nameOf(ledger.plan, atom);
    this.#append(name, this.#change(ledger, atom, PENDING));
    this.forgetNotes(name);
    if (controller ?? retry) this.lease.forget(name);
  }

  /** What a region had built is no more. */
  removed(ledger: Ledger): void {
    for (let atom = 0; atom < ledger.plan.size; atom++) this.#remove(nameOf(ledger.plan, atom));
    for (const child of ledger.children.values()) this.removed(child.ledger);
    for (const [atom, { recorded }] of ledger.left) this.removedLeft(nameOf(ledger.plan, atom), recorded);
  }

  /** What a region had built in an earlier process is no more. */
  removedLeft(region: string, recorded: Recorded): void {
    for (const { name } of recorded.atoms.get(region) ?? []) {
      this.#remove(name);
      this.removedLeft(name, recorded);
    }
  }

  /** A task says how far it is. */
  progressed(event: ProgressEvent): void {
    this.#progress.set(event.name, event);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.#progress.size === 0) return;
      this.#appended = true;
      this.commit();
    }, PROGRESS_DELAY).unref();
  }

  /** @throws when a result cannot be stored: the task has not ended well */
  check(ledger: Ledger, atom: number, result: unknown): void {
    if (result === undefined) return;
    const name = nameOf(ledger.plan, atom);
    this.#encoded = { result, stored: this.#encode(result, `The result of task '${name}'`, name) };
  }

  /** Makes all durable that was appended, before the flow is left. Who has been told that this is not possible is not told again. */
  async flush(): Promise<void> {
    if (!this.#appended || this.lease.signal.aborted) return;
    this.#noteProgress();
    try {
      await this.lease.commit();
    } catch (error) {
      if (!this.#told) throw error;
    }
  }

  /** Nothing more is recorded, and the flow is free for whoever takes it next. */
  async release(): Promise<void> {
    clearTimeout(this.#timer);
    this.onError = () => {};
    await this.lease.release();
  }

  #landed(end: number, error?: Error): void {
    const again = this.#again;
    this.#flying = false;
    this.#again = false;
    if (error) {
      this.#failed(error);
      return;
    }
    this.#carryOut(end);
    if (again) this.commit();
  }

  /** What could not be committed stays appended, and what should have begun is told that it has not. */
  #failed(error: Error): void {
    this.#appended = true;
    this.#told = true;
    this.onError(error);
    const waiting = this.#effects;
    this.#effects = waiting.filter(({ starts }) => !starts);
    for (const { starts, run } of waiting) if (starts) run(false);
  }

  /** Carries out what is durable: what is told, in order, and then what starts. What comes up meanwhile has its turn behind it. */
  #carryOut(end: number): void {
    this.#due = Math.max(this.#due, end);
    if (this.#carrying) return;
    this.#carrying = true;
    try {
      while (this.#carried < this.#due) {
        const effects = this.#effects.splice(0, this.#due - this.#carried);
        this.#carried += effects.length;
        this.#telling = true;
        for (const { starts, run } of effects) if (!starts) run(true);
        this.#telling = false;
        for (const { starts, run } of effects) if (starts) run(true);
        // What has come up and was not recorded need not wait.
        if (!this.#appended && !this.#flying) this.#due = this.#carried + this.#effects.length;
      }
    } finally {
      this.#carrying = false;
      this.#telling = false;
    }
  }

  #noteProgress(): void {
    for (const [name, { progress, details }] of this.#progress) {
      let stored: Stored;
      try {
        stored = this.#encode({ progress, details }, 'Progress', name);
      } catch {
        stored = own({ progress }); // the task need not fail for it
      }
      this.lease.atom(name, { progress: stored });
    }
    this.#progress.clear();
  }

  #remove(name: string): void {
    this.#announced.delete(name);
    this.#progress.delete(name);
    this.#notes.delete(name);
    this.lease.remove(name);
    this.#appended = true;
  }

  #change(ledger: Ledger, atom: number, state: number): AtomChange {
    // Property by property: to spread objects takes several times as long, twice a task.
    const change: Change = { state: TASK_STATES[state] };
    switch (state) {
      case RUNNING: {
        const version = versionOf(ledger, atom);
        change.attempts = ledger.attemptOf(atom);
        if (version !== undefined) change.version = version;
        if (ledger.roundOf(atom) > 0) change.intention = 'EXECUTE';
        identify(change, ledger, atom);
        break;
      }
      case REVERTING:
        change.attempts = ledger.attemptOf(atom);
        change.intention = 'REVERT';
        identify(change, ledger, atom);
        break;
      case SUCCESS: {
        const result = ledger.results[atom];
        change.order = ledger.finished[atom];
        if (result !== undefined) change.result = this.#stored(ledger, atom, result);
        break;
      }
      case FAILURE:
        change.order = ledger.finished[atom];
        change.failure = this.#storedFailure(ledger.failures.get(atom)!);
        break;
      case REVERTED: {
        const revertResult = ledger.revertResults.get(atom);
        change.result = null;
        change.revertFailure = null;
        if (revertResult !== undefined) change.revertResult = this.#stored(ledger, atom, revertResult);
        break;
      }
      case REVERT_FAILURE:
        change.revertFailure = this.#storedFailure(ledger.revertFailures.get(atom)!);
        break;
      case PENDING:
        Object.assign(change, NOTHING);
        change.rounds = ledger.roundOf(atom);
        break;
      case RETRYING:
        change.intention = 'RETRY';
        change.rounds = ledger.roundOf(atom);
        change.result = null;
        change.failure = null;
        break;
      default:
        identify(change, ledger, atom);
    }
    return change;
  }

  /** Of a result that was checked, what came of that. */
  #stored(ledger: Ledger, atom: number, result: unknown): Stored {
    const known = this.#encoded;
    this.#encoded = undefined;
    if (known !== undefined && known.result === result) return known.stored;
    const name = nameOf(ledger.plan, atom);
    return this.#encode(result, `The result of task '${name}'`, name);
  }

  #storedFailure(failure: Failure): Stored {
    const { task } = failure;
    try {
      return this.#encode(failure, 'The failure', task);
    } catch (error) {
      return own(substitute(failure, error));
    }
  }

  #storedFailures(failures: Readonly<Record<string, Failure>>, retry: string): Stored {
    try {
      return this.#encode(failures, 'The failures', retry);
    } catch (error) {
      const told = Object.entries(failures).map(([task, failure]) => [task, substitute(failure, error)]);
      return own(Object.fromEntries(told));
    }
  }

  #encode(value: unknown, what: string, task: string | undefined): Stored {
    return encodeStored(value, { limit: this.#limit, what, task });
  }

  #append(name: string, change: AtomChange): void {
    this.lease.atom(name, change);
    this.#appended = true;
  }
}

/** An {@link AtomChange} that is being put together. */
type Change = { -readonly [Property in keyof AtomChange]: AtomChange[Property] };

/** Adds what tells an atom from a task of the flow itself. */
function identify(change: Change, { plan, region }: Ledger, atom: number): void {
  const kind = kindOf(plan.atoms[atom]);
  if (kind === 'task' && region === undefined) return;
  change.kind = kind;
  change.parent = region ?? null;
}

/** That of an atom's code, unless it is the one that goes without saying. */
function versionOf({ plan }: Ledger, atom: number): string | undefined {
  const { version } = plan.atoms[atom];
  return version === FIRST_VERSION ? undefined : version;
}

const NOTHING: AtomChange = {
  intention: 'EXECUTE',
  order: 0,
  ...{
    result: null,
    failure: null,
    revertResult: null,
    revertFailure: null,
    notes: null,
    progress: null,
    version: null,
  },
};

export function kindOf({ controller, region }: TaskAtom): AtomKind {
  return controller ? 'retry' : region ? 'region' : 'task';
}

/** Encodes what is of the engine's own making: it can be stored, and is small. */
function own(value: unknown): Stored {
  return encodeStored(value, { limit: Infinity, what: 'This' });
}

/** Tells as much of a failure as can be stored. */
function substitute({ task, error }: Failure, reason: unknown): Failure {
  const clip = (text: unknown) => String(text).slice(0, 1000);
  const told = `${clip(error.name)}: ${clip(error.message)} (more of it could not be stored: ${clip((reason as Error).message)})`;
  return new Failure(task, new RunError('ERR_MILLRACE_UNSTORABLE', told, { task }));
}
