/** What every behavioural suite runs over: serial, and parallel with 1, 2 and 4 workers. */
import type { LoadOptions } from 'millrace';
import { test } from 'uvu';
import { openStore } from '../src/storage/index.js';

/** A way to run a flow. The pools of the parallel ones are shared by all runs of a test file. */
export interface EngineUnderTest {
  readonly name: string;
  readonly options: Omit<LoadOptions, 'inputs'> & { readonly engine: 'serial' | 'parallel' };
}

/** Where all runs are recorded; without the variable they are not. */
const { TEST_STORE: url } = process.env;
const record = url === undefined ? undefined : { store: await openStore(url) };

/**
 * Whether all runs are recorded. Then no value goes in or out that cannot be stored; and events come when what they tell is durable, so
 * that of small tasks some more may have run by then, even all.
 */
export const recorded = url !== undefined;

const kinds: readonly EngineUnderTest[] = [
  { name: 'serial', options: { engine: 'serial' } },
  { name: 'parallel, 1 worker', options: { engine: 'parallel', workers: 1 } },
  { name: 'parallel, 2 workers', options: { engine: 'parallel', workers: 2 } },
  { name: 'parallel, 4 workers', options: { engine: 'parallel', workers: 4 } },
];

export const engines = kinds.map(({ name, options }) => ({ name, options: { ...options, ...(record && { record }) } }));

/** Registers a claim with uvu. */
export type Claim = (name: string, body: () => void | Promise<void>) => void;

/**
 * Registers each claim once per engine, with the engine's name in the test's name.
 *
 * @param define registers the claims: its `test` is uvu's, its `options` say how to run or load a flow
 */
export function overEveryEngine(define: (test: Claim, options: EngineUnderTest['options']) => void): void {
  for (const { name, options } of engines) {
    define((claim, body) => {
      test(`${claim} (${name})`, async () => {
        // Nothing is kept in memory of the claims before.
        if (record && url === 'memory:') record.store = await openStore(url);
        await body();
      });
    }, options);
  }
}
