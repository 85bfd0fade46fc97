/** What can become of a task, well and badly: the outcomes that every executor must agree on. */
import { ExposedError, type FlowItem, each as forEachOf, graph, linear, times } from 'millrace';
import { beginTask, failTask, INTERNAL_ERROR, succeedTask } from 'millrace/service';
import type { Failing, Value } from '../fixtures/service/steps.js';
import type { Expected, Scenario, Scene } from './stage.js';

const succeeded = (result: unknown, states: Expected['states']): Expected => ({ status: 'success', result, states });

/** It is told to whoever submitted the task, and nobody else. */
const exposed = (message: string, states?: Expected['states']): Expected => ({ status: 'failure', message, states });

/** It is nothing to whoever submitted the task, and is raised to the caller. */
const internal = (raised: Expected['raised'], states?: Expected['states']): Expected => ({
  status: 'failure',
  message: INTERNAL_ERROR,
  raised,
  states,
});

/** It happens before the flow runs, and is neither told nor raised. */
const unprepared: Expected = { status: 'failure', message: INTERNAL_ERROR };

const reverted = { first: 'REVERTED', fails: 'REVERTED' };

const failing = (how: Failing): Pick<Scenario, 'type' | 'input'> => ({
  input: { how },
  type: ({ first, fails }) => ({ flow: () => linear('work', first, fails) }),
});

const giving = (what: Value): Pick<Scenario, 'type' | 'input'> => ({
  input: { what },
  type: ({ first, gives }) => ({ flow: () => linear('work', first, gives) }),
});

/** The record is changed by somebody else while the task runs. */
const change = async ({ repository, id }: Scene, how: (task: any) => any) => {
  const task = await repository.get(id);
  await repository.save(how(task), task!);
};

const endedByOthers = (raised?: Expected['raised']): Expected => ({
  ...{ status: 'failure', message: 'Enough', raised },
  notified: ['run: pending', 'processing: processing'],
});

/** One scenario for each of several things. */
function each<const T>(things: readonly T[], make: (thing: T) => Scenario): Scenario[] {
  return things.map(make);
}

export const scenarios: readonly Scenario[] = [
  // It ends well.
  {
    claim: 'a task succeeds with what its flow provides',
    ...giving('text'),
    expected: succeeded({ one: 1, value: 'value' }, { first: 'SUCCESS', gives: 'SUCCESS' }),
  },
  {
    claim: 'a task succeeds with what its type makes of that',
    input: { width: 2, height: 3 },
    type: ({ first, resize }) => ({
      requires: ['width', 'height'],
      flow: () => linear('work', first, resize),
      result: async ({ one, area }, { width }, { taskId, owner }) => ({
        one,
        area,
        width,
        own: [typeof taskId, owner],
      }),
    }),
    expected: succeeded({ one: 1, area: 6, width: 2, own: ['string', 'ann'] }, { first: 'SUCCESS', resize: 'SUCCESS' }),
  },
  {
    claim: 'a task succeeds when its flow does at last',
    input: { until: 3 },
    type: ({ first, insists }) => ({
      requires: ['until'],
      flow: () => linear('work', first, insists).with({ retry: times(4, { provides: 'attempt' }) }) as FlowItem,
    }),
    expected: succeeded(
      { attempt: 3, one: 1, tried: 3 },
      { work_retry: 'SUCCESS', first: 'SUCCESS', insists: 'SUCCESS' },
    ),
  },
  {
    claim: 'a task fails when its flow has been tried often enough',
    input: { until: 3 },
    type: ({ first, insists }) => ({
      requires: ['until'],
      flow: () => linear('work', first, insists).with({ retry: times(2, { provides: 'attempt' }) }) as FlowItem,
    }),
    expected: internal(
      { name: 'Error', message: 'Attempt 2' },
      { work_retry: 'REVERTED', first: 'REVERTED', insists: 'REVERTED' },
    ),
  },
  {
    claim: 'a task succeeds in spite of a step that may fail',
    input: { how: 'plain' },
    type: ({ first, fails }) => ({ flow: () => linear('work', first, fails.with({ mayFail: true })) }),
    expected: succeeded({ one: 1 }, { first: 'SUCCESS', fails: 'FAILURE' }),
  },
  {
    claim: 'a task succeeds with a list that its flow makes of another one',
    input: { list: [1, 2, 3] },
    type: ({ doubles }) => ({
      requires: ['list'],
      flow: () => forEachOf(doubles, { over: 'list', as: 'n', collect: 'out' }),
    }),
    expected: succeeded(
      { out: [2, 4, 6] },
      { doubles: 'SUCCESS', 'doubles[0]': 'SUCCESS', 'doubles[1]': 'SUCCESS', 'doubles[2]': 'SUCCESS' },
    ),
  },
  {
    claim: 'a task succeeds with an empty result when its flow provides nothing',
    type: ({ silent }) => ({ flow: () => silent }),
    expected: succeeded({}, { silent: 'SUCCESS' }),
  },
  {
    claim: 'a task succeeds with null when its type makes nothing of what the flow provides',
    type: ({ first }) => ({ flow: () => first, result: () => undefined }),
    expected: succeeded(null, { first: 'SUCCESS' }),
  },
  {
    claim: 'a task succeeds with an empty flow',
    type: () => ({ flow: () => linear('nothing'), result: () => [] }),
    expected: succeeded([], {}),
  },
  {
    claim: 'an input that is checked is what check() has made of it',
    input: { size: '2x3' },
    type: ({ resize }) => ({
      async check({ size }) {
        const [width, height] = size.split('x').map(Number);
        return { width, height };
      },
      flow: async () => linear('work', resize),
    }),
    expected: succeeded({ area: 6 }, { resize: 'SUCCESS' }),
  },
  {
    claim: 'a flow is given the inputs that its type makes',
    input: 4,
    type: ({ resize }) => ({ flow: () => linear('work', resize), inputs: async (width) => ({ width, height: 2 }) }),
    expected: succeeded({ area: 8 }, { resize: 'SUCCESS' }),
  },
  {
    claim: 'an input that no task of the flow needs is passed over',
    input: { width: 2, height: 3, depth: 4 },
    type: ({ resize }) => ({ flow: () => resize }),
    expected: succeeded({ area: 6 }, { resize: 'SUCCESS' }),
  },

  // It fails, and whoever submitted it may know why.
  {
    claim: 'an exposed error is the message of its task, and is not raised',
    ...failing('exposed'),
    expected: exposed('The image is too small', reverted),
  },
  {
    claim: 'an error of any class is exposed when it says so',
    ...failing('http'),
    expected: exposed('Only PNG and PPM are supported', reverted),
  },
  {
    claim: 'an exposed error may come later',
    input: { how: 'exposed' },
    type: ({ first, failsLater }) => ({ flow: () => linear('work', first, failsLater) }),
    expected: exposed('The image is too small', { first: 'REVERTED', failsLater: 'REVERTED' }),
  },
  {
    claim: 'of several errors that are all exposed the first is the message',
    ...failing('several, all exposed'),
    expected: exposed('The image is too small', reverted),
  },
  {
    claim: 'several exposed errors may be wrapped more than once',
    ...failing('several within several'),
    expected: exposed('The image is too small', reverted),
  },
  {
    claim: 'a revert that fails with an exposed error is the message',
    input: { how: 'exposed' },
    type: ({ failsInRevert, failsLater }) => ({ flow: () => linear('work', failsInRevert, failsLater) }),
    expected: exposed('The image is too small', { failsInRevert: 'REVERT_FAILURE', failsLater: 'REVERTED' }),
  },
  {
    claim: 'a result() that throws an exposed error is the message',
    type: ({ first }) => ({
      flow: () => first,
      result() {
        throw new ExposedError('Nothing was found');
      },
    }),
    expected: exposed('Nothing was found', { first: 'SUCCESS' }),
  },

  // It fails, and whoever submitted it is told no more.
  {
    claim: 'any other error is an internal one, and is raised as it was thrown',
    ...failing('disk'),
    expected: internal(
      { class: 'DiskError', name: 'DiskError', message: 'No space on /dev/secret', code: 'E_DISK', task: 'fails' },
      reverted,
    ),
  },
  {
    claim: 'an error without a code is raised with one',
    ...failing('plain'),
    expected: internal(
      { class: 'Error', message: 'The password is swordfish', code: 'ERR_MILLRACE_TASK_FAILED', task: 'fails' },
      reverted,
    ),
  },
  ...each(['hidden', 'almost exposed'], (how) => ({
    claim: `an error with expose that is not true is an internal one (${how})`,
    ...failing(how),
    expected: internal({ message: 'Not for you', task: 'fails' }, reverted),
  })),
  ...each(['a string', 'nothing'], (how) => ({
    claim: `what is no error is an internal one (${how})`,
    ...failing(how),
    expected: internal({ name: 'RunError', code: 'ERR_MILLRACE_NON_ERROR_THROWN', task: 'fails' }, reverted),
  })),
  ...each(['several, not all exposed', 'several, which are none'], (how) => ({
    claim: `several errors of which not all are exposed are an internal one (${how})`,
    ...failing(how),
    expected: internal({ class: 'AggregateError', task: 'fails' }, reverted),
  })),
  {
    claim: 'a revert that fails is an internal error, and what it could not undo is left',
    input: { how: 'disk' },
    type: ({ first, failsInRevert, failsLater }) => ({
      flow: () => linear('work', first, failsInRevert, failsLater),
    }),
    expected: internal(
      { name: 'DiskError', code: 'E_DISK', task: 'failsInRevert' },
      { first: 'SUCCESS', failsInRevert: 'REVERT_FAILURE', failsLater: 'REVERTED' },
    ),
  },
  {
    claim: 'a task of the flow that takes too long is an internal error',
    type: ({ first, sleeps }) => ({ flow: () => linear('work', first, sleeps.with({ timeout: 100 })) }),
    expected: internal(
      { name: 'RunError', code: 'ERR_MILLRACE_TIMEOUT', task: 'sleeps' },
      { first: 'REVERTED', sleeps: 'REVERTED' },
    ),
  },
  {
    claim: 'a result() that rejects is an internal error',
    type: ({ first }) => ({ flow: () => first, result: () => Promise.reject(new RangeError('no result')) }),
    expected: internal({ name: 'RangeError', message: 'no result' }, { first: 'SUCCESS' }),
  },
  ...each(['bigint', 'map', 'NaN', 'circle'], (what) => ({
    claim: `a result that is no JSON is an internal error (${what})`,
    ...giving(what),
    expected: internal({ name: 'ServiceError', code: 'ERR_MILLRACE_NOT_JSON' }, { first: 'SUCCESS', gives: 'SUCCESS' }),
  })),
  {
    claim: 'a task that does not return what it promises is an internal error',
    type: ({ first, gives }) => ({
      flow: () => linear('work', first, gives.with({ provides: ['value', 'other'] })),
    }),
    input: { what: 'text' },
    expected: internal(
      { name: 'RunError', code: 'ERR_MILLRACE_BAD_RESULT', task: 'gives' },
      { first: 'REVERTED', gives: 'REVERTED' },
    ),
  },

  // Its input is bad.
  {
    claim: 'a missing field is named',
    input: { width: 1 },
    type: ({ resize }) => ({ requires: ['width', 'height'], flow: () => resize }),
    expected: exposed("Input does not contain 'height' field"),
  },
  {
    claim: 'of several missing fields the one that is declared first is named',
    input: { depth: 1 },
    type: ({ resize }) => ({ requires: ['height', 'width'], flow: () => resize }),
    expected: exposed("Input does not contain 'height' field"),
  },
  {
    claim: 'a field that all objects have is missing unless the input has it itself',
    input: JSON.parse('{ "__proto__": { "width": 1 } }'),
    type: ({ resize }) => ({ requires: ['constructor', 'width'], flow: () => resize }),
    expected: exposed("Input does not contain 'constructor' field"),
  },
  {
    claim: 'an input that is missing as a whole is empty',
    type: ({ resize }) => ({ requires: ['width'], flow: () => resize }),
    expected: exposed('Input to TYPE task is empty.'),
  },
  ...each(
    [
      [['width'], 'an array'],
      [5, 'a number (5)'],
      ['width', 'a string ("width")'],
      [false, 'a boolean (false)'],
    ],
    ([input, shown]) => ({
      claim: `an input that has to have fields is an object, and not ${shown}`,
      input,
      type: ({ resize }) => ({ requires: ['width'], flow: () => resize }),
      expected: exposed(`Input to TYPE task must be an object; received ${shown}`),
    }),
  ),
  {
    claim: 'what check() throws is the message',
    input: { width: 0 },
    type: ({ resize }) => ({
      check() {
        throw new RangeError('The width must be above 0');
      },
      flow: () => resize,
    }),
    expected: exposed('The width must be above 0'),
  },
  {
    claim: 'what check() rejects with is the message',
    input: { width: 0 },
    type: ({ resize }) => ({ check: () => Promise.reject(new RangeError('No such file')), flow: () => resize }),
    expected: exposed('No such file'),
  },
  {
    claim: 'what check() throws need not be an error',
    type: ({ resize }) => ({ check: () => Promise.reject('no'), flow: () => resize }),
    expected: exposed('a string ("no")'),
  },

  // Its flow cannot be made.
  { claim: 'a task of an unknown type is an internal error, and is not raised', expected: unprepared },
  {
    claim: 'a flow factory that throws is an internal error, and is not raised',
    type: () => ({
      flow() {
        throw new Error('no bucket');
      },
    }),
    expected: unprepared,
  },
  {
    claim: 'a flow factory that rejects is an internal error, and is not raised',
    type: () => ({ flow: () => Promise.reject(undefined) }),
    expected: unprepared,
  },
  {
    claim: 'a flow factory that throws an exposed error gives the message',
    type: () => ({ flow: () => Promise.reject(new ExposedError('There is no such format')) }),
    expected: exposed('There is no such format'),
  },
  ...each([undefined, null, 'a flow', {}, [], () => linear('work')], (flow) => ({
    claim: `a flow factory that makes no flow is an internal error, and is not raised (${String(flow)})`,
    type: () => ({ flow: () => flow as unknown as FlowItem }),
    expected: unprepared,
  })),
  {
    claim: 'inputs() that throws is an internal error, and is not raised',
    type: ({ first }) => ({ flow: () => first, inputs: () => Promise.reject(new Error('no database')) }),
    expected: unprepared,
  },
  {
    claim: 'a factory of a sub-flow that throws is an internal error, and is not raised',
    type: ({ first }) => ({ subflows: ['more'], flow: (_, { subflows }) => linear('work', first, ...subflows) }),
    plugin: (type) => ({ subflows: { [type]: { more: () => Promise.reject(new Error('no plug')) } } }),
    expected: unprepared,
  },
  {
    claim: 'a factory of a sub-flow that makes no flow is an internal error, and is not raised',
    type: ({ first }) => ({ subflows: ['more'], flow: (_, { subflows }) => linear('work', first, ...subflows) }),
    plugin: (type) => ({ subflows: { [type]: { more: () => 'flow' as unknown as FlowItem } } }),
    expected: unprepared,
  },

  // Its flow cannot be run.
  {
    claim: 'a flow with a name twice is an internal error, and is raised',
    type: ({ first }) => ({ flow: () => linear('work', first, first) }),
    expected: internal({ name: 'FlowError', code: 'ERR_MILLRACE_DUPLICATE_NAME' }),
  },
  {
    claim: 'a flow with a circle is an internal error, and is raised',
    type: ({ first, silent }) => ({ flow: () => graph('work', first, silent).link(first, silent).link(silent, first) }),
    expected: internal({ name: 'FlowError', code: 'ERR_MILLRACE_CYCLE' }),
  },
  {
    claim: 'a flow whose inputs are missing is an internal error, and is raised',
    input: { width: 2 },
    type: ({ first, resize }) => ({ flow: () => linear('work', first, resize) }),
    expected: internal({ name: 'FlowError', code: 'ERR_MILLRACE_MISSING_INPUT', task: 'resize' }),
  },
  ...each(['width', 5, [2, 3]], (input) => ({
    claim: `a flow whose inputs are no object is an internal error, and is raised (${JSON.stringify(input)})`,
    input,
    type: ({ first }) => ({ flow: () => first }),
    expected: internal({ name: 'FlowError', code: 'ERR_MILLRACE_INVALID_INPUT' }),
  })),

  // Somebody else is at work.
  {
    claim: 'a task that is removed before it begins is not found',
    type: ({ first }) => ({ flow: () => first }),
    before: ({ service, id }) => service.remove(id),
    expected: {
      status: undefined,
      raised: { name: 'ServiceError', code: 'ERR_MILLRACE_RECORD_NOT_FOUND' },
      notified: ['remove: pending'],
    },
  },
  {
    claim: 'a task that is removed while it runs leaves nothing, and that is no error',
    type: ({ first, acts }) => ({ flow: () => linear('work', acts, first) }),
    act: ({ service, id }) => service.remove(id),
    expected: {
      status: undefined,
      states: { acts: 'SUCCESS', first: 'SUCCESS' },
      notified: ['run: pending', 'processing: processing', 'remove: processing'],
    },
  },
  {
    claim: 'a task that is removed and then fails leaves nothing, and is not created again',
    input: { how: 'exposed' },
    type: ({ acts, fails }) => ({ flow: () => linear('work', acts, fails) }),
    act: ({ service, id }) => service.remove(id),
    expected: {
      status: undefined,
      states: { acts: 'REVERTED', fails: 'REVERTED' },
      notified: ['run: pending', 'processing: processing', 'remove: processing'],
    },
  },
  {
    claim: 'a task that is removed while its flow is made leaves nothing',
    type: (_, act) => ({
      async flow() {
        await act();
        throw new Error('too late');
      },
    }),
    act: ({ service, id }) => service.remove(id),
    expected: {
      status: undefined,
      notified: ['run: pending', 'processing: processing', 'remove: processing'],
    },
  },
  {
    claim: 'a task that somebody else has ended stays as it is when its flow succeeds',
    type: ({ first, acts }) => ({ flow: () => linear('work', first, acts) }),
    act: (scene) => change(scene, (task) => failTask(task, 'Enough', 2)),
    expected: { ...endedByOthers(), states: { first: 'SUCCESS', acts: 'SUCCESS' } },
  },
  {
    claim: 'a task that somebody else has ended stays as it is when its flow fails',
    input: { how: 'disk' },
    type: ({ acts, fails }) => ({ flow: () => linear('work', acts, fails) }),
    act: (scene) => change(scene, (task) => failTask(task, 'Enough', 2)),
    expected: { ...endedByOthers({ code: 'E_DISK' }), states: { acts: 'REVERTED', fails: 'REVERTED' } },
  },
  {
    claim: 'a task that is being carried out cannot begin again, and is unchanged',
    type: ({ first, acts }) => ({ flow: () => linear('work', first, acts) }),
    act: async ({ service, id }) => {
      const error = await service.run(id).catch((reason) => reason);
      if (error?.code !== 'ERR_MILLRACE_ILLEGAL_TRANSITION') throw error;
    },
    expected: succeeded({ one: 1 }, { first: 'SUCCESS', acts: 'SUCCESS' }),
  },
  ...each(['success', 'failure'], (status) => ({
    claim: `a task that has ended in ${status} cannot begin again, and is unchanged`,
    type: ({ first }) => ({ flow: () => first }),
    before: async (scene: Scene) => {
      await change(scene, (task) => beginTask(task, scene.repository.holder));
      await change(scene, (task) =>
        status === 'success' ? succeedTask(task, { old: true }, 2) : failTask(task, 'Old', 2),
      );
    },
    expected: {
      ...(status === 'success' ? { status, result: { old: true } } : { status, message: 'Old' }),
      raised: { name: 'ServiceError', code: 'ERR_MILLRACE_ILLEGAL_TRANSITION' },
      notified: [],
    },
  })),

  // The service is closed.
  {
    claim: 'a task that is aborted as its service closes is reverted and fails',
    type: ({ first, waits }) => ({ flow: () => linear('work', first, waits) }),
    closes: true,
    act: ({ service }) => void service.close({ timeout: 0 }),
    expected: internal(
      { name: 'AbortError', code: 'ABORT_ERR', task: 'waits' },
      { first: 'REVERTED', waits: 'REVERTED' },
    ),
  },
  {
    claim: 'a task whose service closes without hurry ends well',
    type: ({ first, acts }) => ({ flow: () => linear('work', acts, first) }),
    closes: true,
    act: ({ service }) => void service.close(),
    expected: succeeded({ one: 1 }, { acts: 'SUCCESS', first: 'SUCCESS' }),
  },
  {
    claim: 'a task whose flow is still being made, for ever, fails as its service closes',
    type: (_, act) => ({
      flow() {
        act();
        return new Promise<never>(() => {});
      },
    }),
    closes: true,
    act: ({ service }) => void service.close({ timeout: 0 }),
    expected: unprepared,
  },
  {
    claim: 'a task whose result is still being made, for ever, fails as its service closes',
    type: ({ first }, act) => ({
      flow: () => first,
      result() {
        act();
        return new Promise<never>(() => {});
      },
    }),
    closes: true,
    act: ({ service }) => void service.close({ timeout: 0 }),
    expected: internal({ name: 'ServiceError', code: 'ERR_MILLRACE_SERVICE_CLOSED' }, { first: 'SUCCESS' }),
  },
];
