/** What listeners are attached to: every engine with either kind of tasks, and a run without an engine. */
import { type FlowItem, load, type OfferedServices } from 'millrace';
import type { ObservedRun } from 'millrace/observe';
import { test } from 'uvu';
import { DirectRun } from '../../src/service/direct-run.js';
import { overEveryKind } from '../engine/kinds.js';
import type { Claim } from '../engines.js';
import { type Kit, local } from '../fixtures/engine/tasks.js';

export type AnyRun = ObservedRun & { run(): Promise<any> };

/** Makes a run of a flow. */
export type MakeRun = (flow: FlowItem, inputs?: Record<string, unknown>, services?: OfferedServices) => AnyRun;

const direct: MakeRun = (flow, inputs = {}, services = {}) =>
  new DirectRun<any>(flow as never, {
    ...{ inputs, services, signal: undefined, abortGrace: 60_000, taskTimeout: Number.POSITIVE_INFINITY },
  });

/** Registers each claim once for each kind of run. */
export function overEveryRun(define: (test: Claim, make: MakeRun, tasks: Kit) => void): void {
  overEveryKind((claim, options, tasks) => {
    define(
      claim,
      (flow, inputs, services = {}) => load<any, any>(flow as never, { ...options, inputs, services }),
      tasks,
    );
  });
  define((claim, body) => test(`${claim} (direct)`, async () => body()), direct, local);
}
