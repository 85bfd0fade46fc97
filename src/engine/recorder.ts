/** Takes a flow in the store where it is recorded, and leaves it. */
import { encodeStored, type Stored } from '../stored/index.js';
import { Journal } from './journal.js';
import type { RecordOptions } from './record.js';
import type { Lease, NewFlow, RecordedFlow } from './recording.js';

const LIMIT = 16 * 2 ** 20;

/** What {@link Recorder.take} finds. */
export type Found =
  /** There is no such flow yet. */
  | 'nothing'
  /** It is as the engine has left it. */
  | 'the same'
  | RecordedFlow;

export interface RecorderOptions extends RecordOptions {
  /** Whether there is such a flow for sure, so that none is to be recorded. */
  readonly isKnown?: boolean;
}

export class Recorder {
  /** That of the flow. */
  readonly id: string;
  /** Where the flow is recorded, as long as it is ours. */
  journal: Journal | undefined;
  readonly #options: RecorderOptions;
  readonly #limit: number;
  /** Of the lease that was released last, while the engine knew all that was recorded. */
  #epoch: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#limit = options.limit ?? LIMIT;
    this.id = options.id ?? crypto.randomUUID();
  }

  /** Takes the flow, if there is one. `anew`: it is to be read even if it is as the engine has left it. */
  async take(anew: boolean): Promise<Found> {
    const lease = await this.#options.store.acquire(this.id).catch(this.#options.isKnown ? undefined : unlessMissing);
    if (!lease) return 'nothing';
    const known = !anew && this.#epoch !== undefined && lease.epoch === this.#epoch + 1;
    this.#hold(lease);
    if (known) return 'the same';
    try {
      return await lease.read();
    } catch (error) {
      await this.leave(false);
      throw error;
    }
  }

  /** Records a new flow, and takes it. */
  async create(flow: Omit<NewFlow, 'id' | 'book'>): Promise<void> {
    this.#hold(await this.#options.store.create({ ...flow, id: this.id, book: this.#options.book }));
  }

  encode(value: unknown, what: string): Stored {
    return encodeStored(value, { limit: this.#limit, what });
  }

  /** Leaves the flow to whoever takes it next. `complete`: the engine knows all that is recorded of it. */
  async leave(complete: boolean): Promise<void> {
    const { journal } = this;
    if (!journal) return;
    this.journal = undefined;
    this.#epoch = complete ? journal.lease.epoch : undefined;
    await journal.release();
  }

  #hold(lease: Lease): void {
    this.journal = new Journal(lease, this.#limit);
  }
}

function unlessMissing(error: { code?: unknown }): undefined {
  if (error.code !== 'ERR_MILLRACE_FLOW_NOT_FOUND') throw error;
}
