/** Puts a service together, of its options and its configuration. */
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Config, type ConfigOptions, configure, optionError } from '../config/index.js';
import { ArgumentError, received } from '../errors.js';
import type { OfferedServices } from '../load.js';
import type { Logger } from '../observe/index.js';
import type { Store } from '../storage/index.js';
import { DirectExecutor } from './direct.js';
import type { ExecutorFactory } from './executor.js';
import { TaskFlows } from './flows.js';
import { defaultLogger, harmless } from './logger.js';
import { openRepository } from './open.js';
import { loadPlugins } from './plugins.js';
import { Registry, type TaskPlugin } from './registry.js';
import type { TaskRepository } from './repository.js';
import { type Closable, closeAll, TaskService } from './service.js';
import type { TaskType } from './task-type.js';
import { TaskflowExecutor } from './taskflow.js';

/** What a service is to be. What is not said here comes from the environment, the configuration file or the defaults. */
export interface TaskServiceOptions extends ConfigOptions {
  /** What it can carry out. */
  readonly types?: readonly TaskType[];
  /** More types, executors, and parts of flows; those that `task.plugins` names come after them. */
  readonly plugins?: readonly TaskPlugin[];
  /** Where the records are kept. It is not closed with the service. Default: what `task.database` names. */
  readonly repository?: TaskRepository;
  /**
   * Where the flows of tasks are recorded, for `task.recovery: 'resume'`; of those of one repository only. It is not closed with the
   * service. Default: what `task.database` names.
   */
  readonly store?: Store;
  /** What tasks may call on this thread, as `context.services.<name>(...)`. */
  readonly services?: OfferedServices;
  /** Where the service writes what happens. Default: errors and warnings to the standard error output. */
  readonly logger?: Logger;
  /**
   * Whether `SIGTERM` and `SIGINT` close the service before they end the process: what is under way is aborted and reverted. A second
   * signal ends the process at once. A program that has a handler of its own for the signal ends the process by itself. Where tasks run
   * in place, a signal is heard only when the one under way lets go of the thread; an endless loop there ends by `SIGKILL` alone,
   * while on a worker thread it is ended after `abortGrace`. Default: `true`.
   */
  readonly handleSignals?: boolean;
}

const builtIn: TaskPlugin = {
  executors: { direct: (host) => new DirectExecutor(host), taskflow: (host) => TaskflowExecutor.create(host) },
};

/**
 * Makes a service that takes tasks and has them carried out by the configured executor. Tasks that a killed process has left behind
 * are settled: see {@link TaskService.recover}.
 *
 * @throws {@link ConfigError} when the configuration is wrong, {@link ArgumentError} when another option is
 * @throws {@link ServiceError} `ERR_MILLRACE_DATABASE` when the database cannot be opened
 * @example
 * await using service = await createTaskService({ types: [thumbnailType] });
 * const { id } = await service.submit('thumbnail', { path: 'a.png', width: 320 });
 * const { status, result, message } = await service.finished(id);
 */
export async function createTaskService(options: TaskServiceOptions = {}): Promise<TaskService> {
  const {
    types = [],
    plugins = [],
    repository,
    store,
    services = {},
    logger,
    handleSignals = true,
    ...settings
  } = check(options);
  const config = await configure(settings);
  const added = await loadPlugins(config);
  const registry = new Registry([builtIn, { types }, ...plugins, ...added]);
  const make = executorNamed(config, registry);
  await prepareWorkDir(config);
  const isResumed = config.task.recovery === 'resume';
  if (isResumed && repository && !store) {
    throw new ArgumentError(
      "option 'store' must be given with 'repository': task.recovery is 'resume', and flows are recorded beside the tasks' records",
    );
  }

  const owned: Closable[] = [];
  const own = <T extends Closable>(part: T): T => {
    owned.push(part);
    return part;
  };
  try {
    const records = repository ?? own(await openRepository(config.task.database));
    const parts = {
      config,
      repository: records,
      flows: isResumed ? new TaskFlows(store ?? own(await openFlows(config)), records) : undefined,
      owned,
      registry,
      services,
      logger: harmless(logger ?? defaultLogger),
      handleSignals,
    };
    return await TaskService.open(parts, make);
  } catch (error) {
    await closeAll(owned);
    throw error;
  }
}

/** Where flows are recorded: beside the records of their tasks. */
async function openFlows({ task: { database, durability } }: Config): Promise<Store> {
  const { openStore } = await import('../storage/index.js');
  return await openStore(database, { durability });
}

/** What was chosen, by name. */
function executorNamed(config: Config, { executors }: Registry): ExecutorFactory {
  const { executor: name } = config.task;
  const make = executors.get(name);
  if (!make) {
    const known = [...executors.keys()].map((one) => `'${one}'`).join(', ');
    throw optionError(config, 'task.executor', `expected one of ${known}; received ${received(name)}`);
  }
  return async (host) => {
    const executor = await make(host);
    if (typeof executor?.beginProcessing !== 'function') {
      const problem = `expected '${name}' to make a TaskExecutor; received ${received(executor)}`;
      throw optionError(config, 'task.executor', problem);
    }
    if (config.task.recovery === 'resume' && !executor.resumes) {
      await executor.close();
      const problem = `expected 'fail', as the executor '${name}' cannot resume tasks; received ${received('resume')}`;
      throw optionError(config, 'task.recovery', problem);
    }
    return executor;
  };
}

/** Makes the folder for scratch files, if there is none. */
async function prepareWorkDir(config: Config): Promise<void> {
  const { workDir } = config.task;
  if (workDir === undefined) return;
  try {
    await mkdir(resolve(workDir), { recursive: true });
    await access(workDir, constants.W_OK);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw optionError(config, 'task.workDir', `expected a folder that can be written to: ${reason}`, { cause });
  }
}

function check(options: TaskServiceOptions): TaskServiceOptions {
  const wrong = (name: string, expected: string, value: unknown) =>
    new ArgumentError(`option '${name}' must be ${expected}; received ${received(value)}`);
  const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
  if (!isObject(options)) throw new ArgumentError(`The options must be an object; received ${received(options)}`);
  const { types = [], plugins = [], repository, store, services = {}, logger, handleSignals } = options;
  for (const [name, list] of Object.entries({ types, plugins })) {
    if (!Array.isArray(list)) throw wrong(name, 'a list', list);
  }
  for (const [name, value] of Object.entries({ repository, store, services, logger })) {
    if (value !== undefined && !isObject(value)) throw wrong(name, 'an object', value);
  }
  for (const [name, service] of Object.entries(services)) {
    if (typeof service !== 'function') throw wrong(`services.${name}`, 'a function', service);
  }
  if (handleSignals !== undefined && typeof handleSignals !== 'boolean') {
    throw wrong('handleSignals', 'true or false', handleSignals);
  }
  return options;
}
