import type { AtomChange, AttemptChange, FlowChange, Lease, RecordedFlow } from '../engine/recording.js';
import { StoreError } from '../errors.js';
import { Changes } from './changes.js';

/** What a store does for a lease. */
export interface Keeper {
  read(id: string): Promise<RecordedFlow>;
  /**
   * Carries a commit out. The same one may be asked for again after a failure, and then it is not carried out twice.
   *
   * @throws {@link StoreError} `ERR_MILLRACE_LEASE_LOST` when somebody else has the flow
   */
  write(lease: FlowLease, changes: Changes): void | Promise<void>;
  release(lease: FlowLease): Promise<void>;
}

/** A lease of a flow in any store. Commits are carried out one after another. */
export class FlowLease implements Lease {
  readonly id: string;
  readonly epoch: number;
  /** What the store calls the flow. */
  readonly key: number;
  /** The number of the last commit that was carried out. */
  seq: number;
  /** When its flow was last said to have been updated, in ms. */
  updatedAt = 0;
  /** The values that are in a table of their own, each as the name of its column, a line feed, and the name of its atom. */
  readonly large: Set<string>;
  readonly #keeper: Keeper;
  readonly #lost = new AbortController();
  #open = new Changes();
  /** What has been sent, and is not known to have arrived. It goes first. */
  #sent: Changes | undefined;
  #sending: Promise<void> | undefined;
  /** The commit after the one that is under way. */
  #next: Promise<void> | undefined;
  /** Why nothing can be committed any more. */
  #over: StoreError | undefined;
  #released: Promise<void> | undefined;

  constructor(
    keeper: Keeper,
    id: string,
    { epoch, key = 0, seq = 0, large = [] }: { epoch: number; key?: number; seq?: number; large?: Iterable<string> },
  ) {
    this.#keeper = keeper;
    this.id = id;
    this.epoch = epoch;
    this.key = key;
    this.seq = seq;
    this.large = new Set(large);
  }

  /** Whether nothing can be committed any more. */
  get over(): boolean {
    return this.#over !== undefined;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  read(): Promise<RecordedFlow> {
    return this.#keeper.read(this.id);
  }

  flow(change: FlowChange): void {
    this.#open.changeFlow(change);
  }

  atom(name: string, change: AtomChange): void {
    this.#open.changeAtom(name, change);
  }

  remove(atom: string): void {
    this.#open.removeAtom(atom);
  }

  attempt(retry: string, n: number, change: AttemptChange): void {
    this.#open.changeAttempt(retry, n, change);
  }

  forget(retry: string): void {
    this.#open.forget(retry);
  }

  commit(): void | Promise<void> {
    if (!this.#sending) return this.#send();
    const next = () => {
      this.#next = undefined;
      return this.commit();
    };
    // One commit takes all that is appended before it begins.
    this.#next ??= this.#sending.then(next, next);
    return this.#next;
  }

  release(): Promise<void> {
    this.#released ??= this.#release();
    return this.#released;
  }

  /** Somebody else has the flow, or may have it. Returns what to throw. */
  lose(why = 'somebody else has taken it, as its owner was taken for gone'): StoreError {
    if (!this.#over) {
      this.#over = this.#lostBecause(why);
      this.#lost.abort(this.#over);
    }
    return this.#over;
  }

  #send(): void | Promise<void> {
    if (this.#over) throw this.#over;
    const again = this.#sent !== undefined;
    if (!again) {
      if (this.#open.empty) return;
      this.#sent = this.#open;
      this.#sent.seq = this.seq + 1;
      this.#open = new Changes();
    }
    const writing = this.#keeper.write(this, this.#sent!);
    if (writing) return this.#wait(writing, again);
    this.#arrived();
    if (again) return this.#send();
  }

  #wait(writing: Promise<void>, again: boolean): Promise<void> {
    const sending = writing
      .then(() => {
        this.#arrived();
        if (again) return this.#send();
      })
      .finally(() => {
        if (this.#sending === sending) this.#sending = undefined;
      });
    this.#sending = sending;
    return sending;
  }

  #arrived(): void {
    this.seq = this.#sent!.seq;
    this.#sent = undefined;
  }

  async #release(): Promise<void> {
    await Promise.allSettled([this.#sending, this.#next]);
    if (this.#over) return;
    this.#over = this.#lostBecause('its lease has been released');
    await this.#keeper.release(this);
  }

  #lostBecause(why: string): StoreError {
    return new StoreError('ERR_MILLRACE_LEASE_LOST', `Flow ${this.id}: ${why}; nothing is recorded any more`, {
      flow: this.id,
    });
  }
}
