/** How long tasks may hold the event loop, one after the other, in ms. The loop is to turn every 10 ms, whatever else comes between. */
const BUDGET = 8;
/** A clock read costs as much as a small task: there is one for so many tasks at most. */
const STRIDE = 64;

/** The time that tasks may take on this thread before the event loop has to turn, so that timers and signals live. */
export class Budget {
  readonly #turned: () => void;
  #turning = false;
  #stride = 1;
  #since = 0;
  #last = performance.now();
  #end = this.#last + BUDGET;

  /** `turned` is called when the event loop has turned after the time was up. */
  constructor(turned: () => void) {
    this.#turned = turned;
  }

  /** Asks for a task that is about to start. Returns whether it has to wait until the event loop has turned. */
  spend(): boolean {
    if (this.#turning) return true;
    if (this.#since++ < this.#stride) return false;
    this.#since = 1;
    const now = performance.now();
    if (now >= this.#end) {
      this.#turn();
      return true;
    }
    // Tasks that are small so far are asked for the time less often.
    this.#stride = now - this.#last < 1 ? Math.min(STRIDE, this.#stride * 2) : 1;
    this.#last = now;
    return false;
  }

  #turn(): void {
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      this.#stride = 1;
      this.#since = 0;
      this.#last = performance.now();
      this.#end = this.#last + BUDGET;
      this.#turned();
    });
  }
}
