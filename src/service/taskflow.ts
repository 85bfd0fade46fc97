import type { Pool } from '../dispatch/shared.js';
import type { FlowItem } from '../flows/index.js';
import { createPool, load } from '../load.js';
import { type ExecutorDescription, type ExecutorHost, type FlowRun, type FlowSetup, TaskExecutor } from './executor.js';

/** Carries tasks out by engines: serially, or in parallel on a pool of worker threads that its tasks share. */
export class TaskflowExecutor extends TaskExecutor {
  readonly description: ExecutorDescription;
  override readonly resumes = true;
  readonly #engine: 'serial' | 'parallel';
  readonly #pool: Pool | undefined;

  /** @internal */
  constructor(host: ExecutorHost, pool: Pool | undefined) {
    super(host);
    this.#engine = engineOf(host);
    this.#pool = pool;
    this.description = { executor: 'taskflow', engine: this.#engine, ...(pool && { workers: pool.size }) };
  }

  /** Its threads start when a task first needs them. */
  static async create(host: ExecutorHost): Promise<TaskflowExecutor> {
    if (engineOf(host) === 'serial') return new TaskflowExecutor(host, undefined);
    const { minWorkers, maxWorkers, idleTimeout, resourceLimits, maxQueue, workers, taskflowExecutor } = host.config;
    const size = taskflowExecutor.maxWorkers ?? workers;
    const pool = await createPool({ minWorkers, maxWorkers, idleTimeout, resourceLimits, maxQueue, workers: size });
    return new TaskflowExecutor(host, pool);
  }

  override async close(): Promise<void> {
    await this.#pool?.close();
  }

  protected load(flow: FlowItem, setup: FlowSetup): FlowRun {
    const { abortGrace, taskTimeout } = this.host.config;
    return load(flow, {
      ...setup,
      abortGrace,
      taskTimeout,
      engine: this.#engine,
      ...(this.#pool && { pool: this.#pool }),
    });
  }
}

function engineOf({ config }: ExecutorHost): 'serial' | 'parallel' {
  return config.taskflowExecutor.engineMode ?? config.engine;
}
