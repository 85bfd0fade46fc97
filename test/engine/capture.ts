/** What an engine says, as lines that can be compared. */
import type { Engine } from 'millrace';

/** Writes down how the states of a flow and of its tasks change: `'flow f: RUNNING'`, `'a: SUCCESS(5)'`. */
export function capture(engine: Engine<any>): string[] {
  const lines = captureTasks(engine);
  engine.on('flow', ({ name, state }) => lines.push(`flow ${name}: ${state}`));
  return lines;
}

/** The same for the tasks only. */
export function captureTasks(engine: Engine<any>): string[] {
  const lines: string[] = [];
  engine.on('task', (event) => {
    const result = 'result' in event && event.result !== undefined ? `(${String(event.result)})` : '';
    lines.push(`${event.name}: ${event.state}${result}`);
  });
  return lines;
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<any> {
  const nothing = Symbol('nothing');
  const error = await promise.then(
    () => nothing,
    (reason) => reason,
  );
  if (error === nothing) throw new Error('it was expected to fail, and did not');
  return error;
}

/** The code of the error that a promise rejects with; `undefined`: it does not. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    ({ code }) => code ?? 'none',
  );
}

/** A promise and what settles it. */
export function promised<T = void>() {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
