/**
 * Records a run. What happens is appended at once, and becomes durable at the next commit; what follows from it outside of the engine -
 * the call of a task, an event, the end of a run - waits for that.
 */
import { nameOf } from '../plan/index.js';
import { encodeStored, type Stored } from '../stored/index.js';
import type { Ledger } from './ledger.js';
import type { AtomChange, AtomKind, Lease } from './recording.js';
import {
  FAILURE,
  type FlowState,
  PENDING,
  REVERT_FAILURE,
  REVERTED,
  REVERTING,
  RUNNING,
  SUCCESS,
  TASK_STATES,
} from './states.js';

/** What the engine has to know of a flow beside its atoms, by names. */
export interface Notes {
  /** The retries that roll back what is in their care, and after how many ms they try again; `null`: they do not. */
  readonly rollbacks: readonly (readonly [retry: string, retryAfter: number | null])[];
  /** The retry whose flow is reverted for good; `null`: all is. Missing: nothing is. */
  readonly verdict?: string | null;
  readonly reverting: boolean;
  readonly givenUp: readonly string[];
}

export class Journal {
  readonly #lease: Lease;
  readonly #limit: number;
  /** What waits for the next commit. */
  #effects: (() => void)[] = [];
  #appended = false;
  /** The atoms that were sent away and have not begun. */
  readonly #announced = new Set<string>();
  /** The result that was checked last. */
  #encoded: { readonly result: unknown; readonly stored: Stored } | undefined;
  /** The commits that are under way. */
  #flying: Promise<void> | undefined;

  constructor(lease: Lease, limit: number) {
    this.#lease = lease;
    this.#limit = limit;
  }

  /** Whether there is something that is not durable. */
  get open(): boolean {
    return this.#appended || this.#flying !== undefined;
  }

  /** An atom has come to another state. */
  moved(ledger: Ledger, atom: number): void {
    const name = nameOf(ledger.plan, atom);
    if (this.#announced.delete(name)) return; // that it begins is known
    this.#append(name, this.#change(ledger, atom, ledger.states[atom]));
  }

  /** An atom is about to be sent away: it may begin at any moment from then on. */
  announce(ledger: Ledger, atom: number): void {
    const name = nameOf(ledger.plan, atom);
    this.#append(name, this.#change(ledger, atom, ledger.reverts(atom) ? REVERTING : RUNNING));
    this.#announced.add(name);
  }

  /** It has come back, and has not begun. */
  retract(ledger: Ledger, atom: number): void {
    const name = nameOf(ledger.plan, atom);
    if (this.#announced.delete(name)) this.#append(name, { state: TASK_STATES[ledger.states[atom]] });
  }

  flow(state: FlowState): void {
    this.#lease.flow({ state });
    this.#appended = true;
  }

  /** Calls `effect` once all that was appended is durable. */
  after(effect: () => void): void {
    if (this.open) this.#effects.push(effect);
    else effect();
  }

  /** Makes all durable that was appended: on return, or when the promise resolves. */
  commit(): void | Promise<void> {
    if (!this.#appended) return this.#flying;
    const effects = this.#effects;
    this.#effects = [];
    this.#appended = false;
    const committed = this.#lease.commit();
    if (committed === undefined) {
      for (const effect of effects) effect();
      return undefined;
    }
    const flying = committed.then(() => {
      if (this.#flying === flying) this.#flying = undefined;
      for (const effect of effects) effect();
    });
    this.#flying = flying;
    return flying;
  }

  /** What is rolled back has changed, or what is to become of the flow. */
  noted(ledger: Ledger): void {
    const name = (atom: number) => nameOf(ledger.plan, atom);
    const { verdict } = ledger;
    const notes: Notes = {
      rollbacks: [...ledger.rollbacks].map(([retry, { retryAfter }]) => [name(retry), retryAfter ?? null] as const),
      ...(verdict && { verdict: verdict.end - verdict.start === ledger.plan.size ? null : name(verdict.start) }),
      reverting: ledger.reverting,
      givenUp: [...ledger.givenUp].map(name),
    };
    const stored = this.#encode(notes, 'What is to become of the flow', undefined);
    if (ledger.region === undefined) this.#lease.flow({ notes: stored });
    else this.#lease.atom(ledger.region, { notes: stored });
    this.#appended = true;
  }

  /** A retry begins an attempt, or hears of a failure in it. */
  attempted(ledger: Ledger, retry: number): void {
    const history = ledger.historyOf(retry);
    const name = nameOf(ledger.plan, retry);
    const { value, failures } = history.last!;
    this.#lease.attempt(name, history.length - 1, {
      value: this.#encode(value, `The value of retry '${name}'`, name),
      failures: this.#encode(failures, `The failures that retry '${name}' has heard of`, name),
    });
    this.#appended = true;
  }

  /** What a retry has tried is forgotten. */
  forgot(ledger: Ledger, retry: number): void {
    this.#lease.forget(nameOf(ledger.plan, retry));
    this.#appended = true;
  }

  /** @throws when a result cannot be stored: the task has not ended well */
  check(ledger: Ledger, atom: number, result: unknown): void {
    const name = nameOf(ledger.plan, atom);
    this.#encoded = { result, stored: this.#encode(result, `The result of task '${name}'`, name) };
  }

  #change(ledger: Ledger, atom: number, state: number): AtomChange {
    const change = { state: TASK_STATES[state] };
    switch (state) {
      case RUNNING:
        return { ...change, ...this.#identity(ledger, atom), intention: 'EXECUTE', attempts: ++ledger.begun[atom] };
      case SUCCESS:
        return { ...change, order: ledger.finished[atom], result: this.#stored(ledger, atom, ledger.results[atom]) };
      case FAILURE: {
        const failure = this.#encode(ledger.failures.get(atom), 'The failure', nameOf(ledger.plan, atom));
        return { ...change, order: ledger.finished[atom], failure };
      }
      case REVERTED: {
        const revertResult = this.#stored(ledger, atom, ledger.revertResults.get(atom));
        return { ...change, result: null, revertResult };
      }
      case REVERT_FAILURE: {
        const revertFailure = this.#encode(ledger.revertFailures.get(atom), 'The failure', nameOf(ledger.plan, atom));
        return { ...change, revertFailure };
      }
      case PENDING:
        return { ...change, ...NOTHING };
      default:
        return { ...change, ...this.#identity(ledger, atom) };
    }
  }

  #identity({ plan, region }: Ledger, atom: number): AtomChange {
    const { controller, region: builds } = plan.atoms[atom];
    const kind: AtomKind = controller ? 'retry' : builds ? 'region' : 'task';
    return { kind, parent: region ?? null };
  }

  /** Of a result that was checked, what came of that. */
  #stored(ledger: Ledger, atom: number, result: unknown): Stored {
    const known = this.#encoded;
    this.#encoded = undefined;
    if (known !== undefined && known.result === result) return known.stored;
    const name = nameOf(ledger.plan, atom);
    return this.#encode(result, `The result of task '${name}'`, name);
  }

  #encode(value: unknown, what: string, task: string | undefined): Stored {
    return encodeStored(value, { limit: this.#limit, what, task });
  }

  #append(name: string, change: AtomChange): void {
    this.#lease.atom(name, change);
    this.#appended = true;
  }
}

const NOTHING: AtomChange = {
  intention: 'EXECUTE',
  order: 0,
  ...{ result: null, failure: null, revertResult: null, revertFailure: null, notes: null },
};
