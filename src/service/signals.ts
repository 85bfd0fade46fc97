/** Ends services in order when the process is told to end. */
const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

type Close = () => Promise<unknown>;

const services = new Set<Close>();

/** Has `close` called when the process gets `SIGTERM` or `SIGINT`, before it ends. Returns how to have that forgotten. */
export function closeOnSignal(close: Close): () => void {
  // The first to hear of it, as a listener of the program that hears of it once is forgotten then.
  if (services.size === 0) for (const signal of SIGNALS) process.prependListener(signal, end);
  services.add(close);
  return () => {
    services.delete(close);
    if (services.size === 0) forget();
  };
}

function forget(): void {
  for (const signal of SIGNALS) process.off(signal, end);
}

async function end(signal: NodeJS.Signals): Promise<void> {
  forget(); // a second signal is not asked to wait
  const heeded = process.listenerCount(signal) > 0;
  await Promise.allSettled([...services].map((close) => close()));
  // What the signal would have done, unless the program has something else in mind.
  if (!heeded && process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
