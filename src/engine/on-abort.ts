const listening = new WeakMap<AbortSignal, Listening>();

interface Listening {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Calls back when a signal aborts. Returns what ends that. All who listen share one listener a signal: a service may pass one
 * signal to any number of runs, and Node warns of a leak when a signal has more than ten.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const known = listening.get(signal) ?? listen(signal);
  known.callbacks.add(callback);
  return () => {
    known.callbacks.delete(callback);
    if (known.callbacks.size > 0 || listening.get(signal) !== known) return;
    listening.delete(signal);
    signal.removeEventListener('abort', known.listener);
  };
}

function listen(signal: AbortSignal): Listening {
  const callbacks = new Set<() => void>();
  const listener = () => {
    listening.delete(signal);
    for (const callback of [...callbacks]) callback();
  };
  signal.addEventListener('abort', listener, { once: true });
  const made = { callbacks, listener };
  listening.set(signal, made);
  return made;
}
