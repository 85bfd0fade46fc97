/** Plays scenarios: carries their tasks out, and tells all that there is to tell of them. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  createTaskService,
  type FlowRun,
  newTask,
  openRepository,
  type TaskPlugin,
  type TaskRecord,
  type TaskRepository,
  type TaskService,
  type TaskSummary,
  type TaskTypeOptions,
  taskType,
} from 'millrace/service';
import { openStore } from 'millrace/storage';
import * as assert from 'uvu/assert';

import type { Steps } from '../fixtures/service/steps.js';
import type { ExecutorOptions } from './executors.js';

/** What a scenario may act upon. */
export interface Scene {
  readonly service: TaskService;
  readonly repository: TaskRepository;
  /** Of the task. */
  readonly id: string;
}

/** A task and what becomes of it. */
export interface Scenario {
  /** What happens, as a sentence. */
  readonly claim: string;
  readonly input?: unknown;
  /** How it is carried out; without it the type of the task is not registered. `act` lets {@link act} happen. */
  readonly type?: (steps: Steps, act: () => unknown) => TaskTypeOptions<any, any, any>;
  /** More for its type, which has that name. */
  readonly plugin?: (type: string) => TaskPlugin;
  /** Happens before the task is begun. */
  readonly before?: (scene: Scene) => unknown;
  /** Happens when a task of the flow calls for it, so while it surely runs. */
  readonly act?: (scene: Scene) => unknown;
  /** Whether its service is closed, so that it needs one of its own. */
  readonly closes?: boolean;
  readonly expected: Expected;
}

/** What is to become of a task. */
export interface Expected {
  /** Where the record is in the end; `undefined`: removed. */
  readonly status: TaskRecord['status'] | undefined;
  /** Default: `''`. */
  readonly message?: string;
  /** Default: `null`. */
  readonly result?: unknown;
  /** What is raised to the caller. Default: nothing. */
  readonly raised?: Partial<Told>;
  /** The state in which each task of the flow was last. Default: none ran. */
  readonly states?: Readonly<Record<string, string>>;
  /** Default: what the status implies. */
  readonly notified?: readonly string[];
}

/** An error, as far as it has to be the same wherever it comes from. */
export interface Told {
  readonly class: string;
  readonly name: string;
  readonly message: string;
  readonly code: unknown;
  readonly task: string | undefined;
  readonly cause: Told | undefined;
  readonly errors: readonly Told[] | undefined;
}

/** What has become of a task. */
export interface Outcome {
  readonly record: Record<string, unknown> | undefined;
  readonly raised: Told | undefined;
  readonly states: Readonly<Record<string, string>>;
  readonly notified: readonly string[];
}

/** How long records are kept, in hours. */
const KEPT = 2;
const NOTIFICATIONS = ['create', 'run', 'processing', 'success', 'failure', 'remove'] as const;

/** Where scenarios take place, one after another: a service that knows the types of their tasks. */
export class Stage implements AsyncDisposable {
  readonly #types: ReadonlyMap<Scenario, string>;
  readonly #repository: TaskRepository;
  #service!: TaskService;
  #act: () => unknown = () => {};

  private constructor(types: ReadonlyMap<Scenario, string>, repository: TaskRepository) {
    this.#types = types;
    this.#repository = repository;
  }

  static async open(scenarios: readonly Scenario[], options: ExecutorOptions, steps: Steps): Promise<Stage> {
    const names = new Map(scenarios.map((scenario, i) => [scenario, `work ${i}`]));
    const stage = new Stage(names, await openRepository(options.task.database));
    const act = async () => {
      await stage.#act();
    };
    stage.#service = await createTaskService({
      ...options,
      task: { ...options.task, timeToLive: KEPT },
      abortGrace: 1,
      repository: stage.#repository,
      ...(options.task.recovery === 'resume' && { store: await openStore('memory:') }),
      types: [...names].flatMap(([{ type }, name]) => (type ? [taskType(name, type(steps, act))] : [])),
      plugins: [...names].flatMap(([{ plugin }, name]) => (plugin ? [plugin(name)] : [])),
      services: { act },
      logger: {},
    });
    return stage;
  }

  /** Carries out the task of a scenario, and tells all that there is to tell of it. */
  async carryOut(scenario: Scenario): Promise<Outcome> {
    const [service, repository] = [this.#service, this.#repository];
    const task = newTask(this.#types.get(scenario)!, scenario.input, { owner: 'ann' });
    const { id } = task;
    const scene = { service, repository, id };
    this.#act = () => scenario.act?.(scene);
    const heard = listen(service, id);
    await repository.add(task);
    await scenario.before?.(scene);
    const raised = await service.run(id).then(
      () => undefined,
      (error) => tell(error, task),
    );
    const found = await repository.get(id);
    assert.equal(await repository.list({ status: 'processing' }), []);
    if (found) assert.equal(await service.finished(id), found);
    return { record: found && contentOf(found), raised, ...heard() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service.close();
    await this.#repository.close();
  }
}

/** A record but for what is never the same twice; when it expires is told as hours from its end. */
function contentOf(record: TaskRecord): Record<string, unknown> {
  const { id: _, type, createdAt, updatedAt, expiresAt, recorded: __, message, ...content } = record;
  assert.ok(updatedAt >= createdAt);
  const kept = expiresAt && (expiresAt.getTime() - updatedAt.getTime()) / 3_600_000;
  return { ...content, message: impersonal(message, record), kept };
}

/**
 * Listens to the events of a task and to the channels, which must say the same. Returns what ends that, and tells what was heard.
 */
function listen(service: TaskService, id: string): () => Pick<Outcome, 'states' | 'notified'> {
  const states: Record<string, string> = {};
  const events: string[] = [];
  const messages: string[] = [];
  const about = (lines: string[], name: string) => (message: unknown) => {
    const summary = message as TaskSummary;
    if (summary.id === id) lines.push(`${name}: ${summary.status}`);
  };
  const onStart = (summary: TaskSummary, run: FlowRun) => {
    if (summary.id !== id) return;
    run.on('task', ({ name, state }) => {
      states[name] = state;
    });
  };
  service.on('start', onStart);
  const listeners = NOTIFICATIONS.map((name) => ({ name, on: about(events, name), message: about(messages, name) }));
  for (const { name, on, message } of listeners) {
    service.on(name, on);
    subscribe(`millrace:service:${name}`, message);
  }
  return () => {
    service.off('start', onStart);
    for (const { name, on, message } of listeners) {
      service.off(name, on);
      unsubscribe(`millrace:service:${name}`, message);
    }
    assert.equal(messages, events);
    return { states, notified: events };
  };
}

function tell(error: any, task: TaskRecord): Told {
  assert.instance(error, Error);
  const { name, message, code, task: at, cause, errors } = error;
  return {
    class: error.constructor.name,
    message: impersonal(message, task),
    cause: cause instanceof Error ? tell(cause, task) : cause,
    errors: errors?.map((one: unknown) => tell(one, task)),
    ...{ name, code, task: at },
  };
}

/** A message without what is never the same twice: the id of the task, and the name of its type here. */
function impersonal(message: string, { id, type }: TaskRecord): string {
  return message.replaceAll(id, 'ID').replaceAll(type, 'TYPE');
}
