/** Whatever happens to a task, it ends, and the same is told of it whoever carries it out. */
import { inspect } from 'node:util';
import { ExposedError, linear, task, unordered } from 'millrace';
import {
  createTaskService,
  INTERNAL_ERROR,
  type Logger,
  MemoryTaskRepository,
  newTask,
  type TaskServiceOptions,
  type TaskTypeOptions,
  taskType,
} from 'millrace/service';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { promised, rejection } from '../engine/capture.js';
import { folder } from '../fixtures/config/folder.js';
import { exits, local, type Steps, travelling } from '../fixtures/service/steps.js';
import { type ExecutorUnderTest, executors, executorsWith, overEveryExecutor, resuming } from './executors.js';
import { scenarios } from './scenarios.js';
import { type Outcome, type Scenario, Stage } from './stage.js';

/** Compares what has become of a task with what was to become of it. */
function check({ input = null, expected }: Scenario, { record, raised, states, notified }: Outcome): void {
  const { status, message = '', result = null } = expected;
  assert.equal(record, status && { ...about(input), status, message, result });
  assert.equal(notified, expected.notified ?? ['run: pending', 'processing: processing', `${status}: ${status}`]);
  assert.equal(states, expected.states ?? {});
  if (!expected.raised) assert.is(raised, undefined);
  else for (const [key, value] of Object.entries(expected.raised)) assert.equal((raised as any)?.[key], value, key);
}

const about = (input: unknown) => ({ owner: 'ann', input, holder: null, kept: 2 });

const stages: Stage[] = [];

/** Plays each scenario over some executors, on one stage where that can be. */
function play(
  among: readonly ExecutorUnderTest[],
  kind: string,
  steps: Steps,
  seen: (s: Scenario, o: Outcome) => void,
  played: readonly Scenario[] = scenarios,
) {
  overEveryExecutor((test, options) => {
    let shared: Stage | undefined;
    for (const scenario of played) {
      test(`${scenario.claim}: ${kind}`, async () => {
        if (scenario.closes) {
          await using stage = await Stage.open([scenario], options, steps);
          seen(scenario, await stage.carryOut(scenario));
          return;
        }
        if (!shared) {
          shared = await Stage.open(scenarios, options, steps);
          stages.push(shared);
        }
        seen(scenario, await shared.carryOut(scenario));
      });
    }
  }, among);
}

const outcomes = new Map<Scenario, Outcome[]>(scenarios.map((scenario) => [scenario, []]));

for (const [kind, steps] of Object.entries({ local, travelling })) {
  play(executors, `${kind} steps`, steps, (scenario, outcome) => {
    outcomes.get(scenario)!.push(outcome);
    check(scenario, outcome);
  });
}

for (const [{ claim }, told] of outcomes) {
  once(`nobody can tell the executors apart: ${claim}`, () => {
    const [first, ...others] = told;
    assert.is(others.length, 2 * executors.length - 1);
    for (const outcome of others) assert.equal(outcome, first);
  });
}

// A task whose service is closed is not reverted then.
const ended = scenarios.filter(({ closes }) => !closes);
for (const [kind, steps] of Object.entries({ local, travelling })) {
  const same = (scenario: Scenario, outcome: Outcome) => assert.equal(outcome, outcomes.get(scenario)![0]);
  play(resuming, `${kind} steps`, steps, same, ended);
}

play(executorsWith(`sqlite:${folder({})}/tasks.db`).slice(0, 1), 'recorded by SQLite', local, check);

once.after(async () => {
  for (const stage of stages) await stage[Symbol.asyncDispose]();
});

const open = (options: TaskServiceOptions, type: TaskTypeOptions<any, any, any>, logger: Logger = {}) =>
  createTaskService({ ...options, types: [taskType('work', type)], logger });

/** Errors that bite whoever looks at them. */
const biting: Readonly<Record<string, () => Error>> = {
  'whose expose cannot be read': () =>
    Object.defineProperty(new Error('x'), 'expose', {
      get() {
        throw new Error('expose bites');
      },
    }),
  'whose message is no text': () => Object.assign(new Error(), { expose: true, message: Object.create(null) }),
  'which cannot be inspected': () =>
    Object.assign(new Error('x'), {
      [inspect.custom]() {
        throw new Error('inspect bites');
      },
    }),
  'which holds itself': () => {
    const circle = new AggregateError([], 'x');
    circle.errors.push(circle);
    return circle;
  },
};

overEveryExecutor((test, options, name) => {
  test('the error that is raised is the very one that a task has thrown', async () => {
    const error = new RangeError('very');
    const fails = task({
      name: 'fails',
      execute() {
        throw error;
      },
    });
    await using service = await open(options, { flow: () => fails });
    const { id } = await service.create('work');
    assert.is(await rejection(service.run(id)), error);
    assert.equal([(error as any).code, (error as any).task], ['ERR_MILLRACE_TASK_FAILED', 'fails']);
  });

  for (const [which, make] of Object.entries(biting)) {
    test(`an error ${which} ends its task like any other`, async () => {
      const fails = task({ name: 'fails', execute: () => Promise.reject(make()) });
      const lines: string[] = [];
      const log = (line: string) => void lines.push(line);
      await using service = await open(
        options,
        { flow: () => fails },
        { debug: log, info: log, warn: log, error: log },
      );
      const { id } = await service.create('work');
      assert.instance(await rejection(service.run(id)), Error);
      const { status, message } = await service.get(id);
      assert.equal([status, message], ['failure', INTERNAL_ERROR]);
      assert.ok(lines.length > 0);
    });

    test(`an error ${which} ends its task also before there is a flow`, async () => {
      await using service = await open(options, { flow: () => Promise.reject(make()) }, { error() {} });
      const { id } = await service.create('work');
      await service.run(id);
      const { status, message } = await service.get(id);
      assert.equal([status, message], ['failure', INTERNAL_ERROR]);
    });
  }

  test('a logger that throws harms no task', async () => {
    const bite = () => {
      throw new Error('no log');
    };
    const warnings: string[] = [];
    const onWarning = ({ message }: Error) => warnings.push(message);
    process.on('warning', onWarning);
    await using service = await open(
      options,
      { flow: ({ how }) => (how ? linear('work', local.first, local.fails) : local.first) },
      { debug: bite, info: bite, warn: bite, error: bite },
    );
    const [good, bad] = [await service.create('work', {}), await service.create('work', { how: 'disk' })];
    await service.run(good.id);
    assert.is((await rejection(service.run(bad.id))).code, 'E_DISK');
    assert.equal([(await service.get(good.id)).status, (await service.get(bad.id)).status], ['success', 'failure']);
    await new Promise(setImmediate);
    process.off('warning', onWarning);
    assert.ok(warnings.some((line) => line.includes('no log')));
  });

  test('of two who begin a task at once one carries it out, and the other is refused', async () => {
    let times = 0;
    const counts = task({ name: 'counts', execute: () => void times++ });
    await using service = await open(options, { flow: () => counts });
    for (let round = 1; round <= 20; round++) {
      const { id } = await service.create('work');
      const settled = await Promise.allSettled([service.run(id), service.run(id), service.run(id)]);
      const refused = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []));
      assert.equal(refused, Array(2).fill('ERR_MILLRACE_ILLEGAL_TRANSITION'));
      assert.is(times, round);
      assert.is((await service.get(id)).status, 'success');
    }
  });

  test('of two services on one repository one carries a task out, and the other is refused', async () => {
    let times = 0;
    const counts = task({ name: 'counts', execute: () => void times++ });
    await using repository = new MemoryTaskRepository();
    const types = [taskType('work', { flow: () => counts })];
    await using one = await createTaskService({ ...options, repository, types, logger: {} });
    await using two = await createTaskService({ ...options, repository, types, logger: {} });
    for (let round = 1; round <= 20; round++) {
      const { id } = await one.create('work');
      const settled = await Promise.allSettled([two.run(id), one.run(id)]);
      assert.equal(settled.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      assert.is(times, round);
    }
  });

  test('an error that goes on for ever is cut, and not lost', async () => {
    const fails = task({ name: 'fails', execute: () => Promise.reject(new ExposedError('x'.repeat(1e6))) });
    await using service = await open(options, { flow: () => fails });
    const { id } = await service.create('work');
    await service.run(id);
    assert.is((await service.get(id)).message.length, 8192);
  });

  test('a task that was put into the repository by hand is carried out like others', async () => {
    await using repository = new MemoryTaskRepository();
    await using service = await createTaskService({
      ...{ ...options, repository, logger: {} },
      types: [taskType('work', { flow: () => local.first })],
    });
    const record = newTask('work');
    await repository.add(record);
    await service.run(record.id);
    assert.equal((await service.get(record.id)).result, { one: 1 });
  });

  if (!name.includes('parallel')) return;

  test('a worker that is lost is an internal error, and the next task has another one', async () => {
    await using service = await open(options, {
      flow: ({ dies }) => (dies ? linear('work', travelling.first, exits) : travelling.first),
    });
    const lost = await service.create('work', { dies: true });
    const error = await rejection(service.run(lost.id));
    assert.equal([error.code, error.task], ['ERR_MILLRACE_WORKER_EXIT', 'exits']);
    const { status, message, result } = await service.get(lost.id);
    assert.equal([status, message, result], ['failure', INTERNAL_ERROR, null]);
    const { id } = await service.create('work', { dies: false });
    await service.run(id);
    assert.is((await service.get(id)).status, 'success');
  });

  for (const [second, expected] of [
    [() => new ExposedError('Too late'), 'Too early'],
    [() => new RangeError('Too late'), INTERNAL_ERROR],
  ] as const) {
    test(`two tasks that fail at once make the message ${expected}`, async () => {
      const [begun, failing] = [promised(), promised()];
      const early = task({
        name: 'early',
        async execute() {
          await begun.promise;
          failing.resolve();
          throw new ExposedError('Too early');
        },
      });
      const late = task({
        name: 'late',
        async execute() {
          begun.resolve();
          await failing.promise;
          throw second();
        },
      });
      await using service = await open(options, { flow: () => unordered('work', early, late) });
      const { id } = await service.create('work');
      const raised = await service.run(id).catch((error) => error);
      assert.is(raised?.code, expected === INTERNAL_ERROR ? 'ERR_MILLRACE_WRAPPED_FAILURE' : undefined);
      assert.is((await service.get(id)).message, expected);
    });
  }
});

once.run();
