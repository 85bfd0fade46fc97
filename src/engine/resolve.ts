/** Who has to say what becomes of a failure: the retries around the atom, from the innermost outwards. */
import { type Controller, type Failure, type Verdict, verdict } from '../atoms/index.js';
import { nameOf, type Plan, rangeOf, whole } from '../plan/index.js';
import type { Ledger, Rollback } from './ledger.js';
import { RETRYING } from './states.js';

/** What is to become of a failure. */
export interface Answer extends Rollback {
  /** The retry that tries again; {@link NOBODY}: none does. */
  readonly retry: number;
}

/** In the place of the retry: what is reverted is not tried again. */
export const NOBODY = -1;

const GIVE_UP = { retry: NOBODY, retryAfter: undefined };

/** Tells that the state of an atom has changed. */
export type Tell = (atom: number, oldState: number, ...result: [unknown?]) => void;

export class Resolver {
  readonly #ledger: Ledger;
  readonly #plan: Plan;
  readonly #deferReverts: boolean;
  readonly #tell: Tell;

  constructor(plan: Plan, ledger: Ledger, deferReverts: boolean, tell: Tell) {
    this.#ledger = ledger;
    this.#plan = plan;
    this.#deferReverts = deferReverts;
    this.#tell = tell;
  }

  /** Asks what is to become of a failure; `undefined`: the flow goes on in spite of it. */
  ask(atom: number, failure: Failure): Answer | undefined {
    const { atoms, retries } = this.#plan;
    const { retry, mayFail } = atoms[atom];
    let local: Answer | undefined;
    let cause = failure;
    if (retry) {
      const answer = this.#consult(atom, retry, cause);
      if (answer === undefined) cause = this.#ledger.failures.get(atom)!;
      else if (answer.kind === 'RETRY') return this.#again(atom, answer);
      else if (answer.kind === 'REVERT_ALL') return mayFail ? undefined : this.#forAll(atom);
    }
    if (mayFail) return undefined;
    for (let scope = retries?.scopeOf[atom] ?? -1; scope >= 0; scope = retries!.scopes[scope].parent) {
      const { controller } = retries!.scopes[scope];
      if (this.#ledger.givenUp.has(controller)) continue;
      const answer = this.#consult(controller, atoms[controller].controller!, cause);
      if (answer?.kind === 'RETRY') return this.#again(controller, answer);
      if (answer?.kind === 'REVERT_ALL') return this.#forAll(atom);
      this.#ledger.giveUp(controller);
      if (answer === undefined) cause = this.#ledger.failures.get(controller)!;
      else if (!this.#deferReverts) local ??= { ...GIVE_UP, range: rangeOf(this.#plan, controller) };
    }
    return local ?? this.unresolved(atom);
  }

  /** What becomes of a failure if nobody is asked. */
  unresolved(atom: number): Answer | undefined {
    return this.#plan.atoms[atom].mayFail ? undefined : { ...GIVE_UP, range: whole(this.#plan) };
  }

  /** Asks one retry; `undefined`: it could not decide, and has failed itself. */
  #consult(retry: number, controller: Controller, failure: Failure): Verdict | undefined {
    const ledger = this.#ledger;
    const own = this.#plan.atoms[retry].controller === undefined;
    try {
      // Nobody asks for the value of a task's own retry but the retry itself, and so it has one only for what has failed.
      if (own) ledger.attempt(retry, controller.execute(ledger.historyOf(retry), {}));
      ledger.record(retry, failure);
      const args = own ? {} : ledger.argumentsOf(retry);
      return verdict(controller, nameOf(this.#plan, retry), ledger.historyOf(retry), args);
    } catch (error) {
      const oldState = ledger.states[retry];
      ledger.move(retry, RETRYING);
      this.#tell(retry, oldState);
      this.#tell(retry, RETRYING, ledger.fail(retry, error));
      return undefined;
    }
  }

  /** All is reverted because of an atom: nobody around it tries again. */
  #forAll(atom: number): Answer {
    const { retries } = this.#plan;
    for (let scope = retries!.scopeOf[atom]; scope >= 0; scope = retries!.scopes[scope].parent) {
      this.#ledger.giveUp(retries!.scopes[scope].controller);
    }
    return { ...GIVE_UP, range: whole(this.#plan) };
  }

  #again(retry: number, { after }: Verdict): Answer {
    return { range: rangeOf(this.#plan, retry), retry, retryAfter: after };
  }
}
