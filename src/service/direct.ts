import type { FlowItem } from '../flows/index.js';
import { DirectRun } from './direct-run.js';
import { type ExecutorDescription, type FlowRun, type FlowSetup, TaskExecutor } from './executor.js';

/** Carries tasks out in place, one function of their flow after another, without an engine. */
export class DirectExecutor extends TaskExecutor {
  readonly description: ExecutorDescription = { executor: 'direct' };

  protected load(flow: FlowItem, setup: FlowSetup): FlowRun {
    const { abortGrace, taskTimeout } = this.host.config;
    return new DirectRun(flow, { ...setup, abortGrace, taskTimeout });
  }
}
