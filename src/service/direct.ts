import type { FlowItem } from '../flows/index.js';
import { load } from '../load.js';
import { compile } from '../plan/index.js';
import { DirectRun } from './direct-run.js';
import { type ExecutorDescription, type FlowRun, type FlowSetup, TaskExecutor } from './executor.js';

/** Carries tasks out in place, one function of their flow after another, without an engine unless something may be tried again. */
export class DirectExecutor extends TaskExecutor {
  readonly description: ExecutorDescription = { executor: 'direct' };

  protected load(flow: FlowItem, setup: FlowSetup): FlowRun {
    const { abortGrace, taskTimeout } = this.host.config;
    const options = { ...setup, abortGrace, taskTimeout };
    return isPlain(flow) ? new DirectRun(flow, options) : load(flow, { ...options, engine: 'serial' });
  }
}

/** Whether a flow is carried out by calling its tasks once each. What is wrong with it, if anything, shows when it runs. */
function isPlain(flow: FlowItem): boolean {
  try {
    const { retries, lacking, regions } = compile(flow);
    return retries === undefined && !lacking && !regions;
  } catch {
    return true;
  }
}
