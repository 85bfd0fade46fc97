/** Has a second pass in a millisecond while some work is done: what waits is not waited for. */
export async function hurry<T>(work: () => Promise<T>): Promise<T> {
  const { setTimeout: slow } = globalThis;
  const fast = (go: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => slow(go, ms / 1000, ...args);
  globalThis.setTimeout = Object.assign(fast, slow) as typeof slow;
  try {
    return await work();
  } finally {
    globalThis.setTimeout = slow;
  }
}
