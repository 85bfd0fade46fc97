/** How a run that goes wrong settles, and whether its pool can still be used. */
import { inspect } from 'node:util';
import { type Engine, type LoadOptions, linear, load, type Pool, run, share, unordered } from 'millrace';
import * as assert from 'uvu/assert';
import { after, before, meet } from '../fixtures/dispatch/steps.js';

export interface Settled {
  readonly error: Error & { readonly code: unknown; readonly task?: string };
  readonly engine: Engine;
}

/** Runs a task between two others; it must fail, those before it be reverted, and those behind it never run. */
export async function settle(culprit: any, options: LoadOptions, act?: (engine: Engine) => void): Promise<Settled> {
  const engine = load(linear('failing', before, culprit, after), options as LoadOptions<any>) as Engine;
  act?.(engine);
  const error = await errorOf(engine.run());
  assert.is(error.task, culprit.name);
  assert.match(inspect(error), culprit.name);
  assert.ok(error.code !== undefined, 'the error must have a code');
  assert.equal(engine.storage.getTaskStates(), { before: 'REVERTED', [culprit.name]: 'REVERTED', after: 'PENDING' });
  return { error, engine };
}

/** What a promise rejects with, which must be an error. */
export async function errorOf(promise: Promise<unknown>): Promise<Settled['error']> {
  const outcome = await promise.then(
    () => 'it was fulfilled',
    (error) => error,
  );
  assert.instance(outcome, Error);
  return outcome;
}

/** All threads of a pool take part in a run at once. Returns their ids. */
export async function useAll(pool: Pool): Promise<number[]> {
  const tasks = Array.from({ length: pool.size }, (_, i) => meet.with({ name: `meet-${i}`, provides: `thread-${i}` }));
  const met = share(new Int32Array(1));
  const threads = Object.values(await run(unordered('all', ...tasks), { met, expected: pool.size }, { pool }));
  assert.is(new Set(threads).size, pool.size);
  return threads.sort((a, b) => a - b);
}
