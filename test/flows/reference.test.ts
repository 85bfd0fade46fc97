/** The interpreter with which random flows are compared, held against sequences that were written down by hand. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Fails } from '../fixtures/atoms/fated.js';
import {
  type Decision,
  type FlowSpec,
  type ItemSpec,
  type LinkSpec,
  type Policy,
  Resolution,
  type RetrySpec,
  type TaskSpec,
} from '../reference/resolution.js';

const policy: Policy = { failurePolicy: 'stop', deferReverts: true, neverResolve: false };

function task(name: string, fails: Fails = [], more: Partial<TaskSpec> = {}): TaskSpec {
  return {
    ...{ kind: 'task', name, requires: [], optional: [], priority: 0, fails, revertFails: [] },
    ...{ mayFail: false, retry: undefined, travels: false, asynchronous: false, ...more },
  };
}

function flow(kind: FlowSpec['kind'], items: ItemSpec[], retry?: RetrySpec, links: LinkSpec[] = []): FlowSpec {
  return { kind, name: `flow with ${retry?.name}`, items, links, retry };
}

function linear(retry: RetrySpec | undefined, ...items: ItemSpec[]): FlowSpec {
  return flow('linear', items, retry);
}

function times(name: string, attempts: number, revertAll = false): RetrySpec {
  return { kind: 'times', name, provides: true, attempts, revertAll, hopeless: false };
}

function custom(name: string, decisions: Decision[], fails: Fails = []): RetrySpec {
  return { kind: 'custom', name, provides: true, decisions, fails, revertFails: [], requires: [] };
}

const SHORT: Record<string, string> = {
  R: 'RUNNING',
  S: 'SUCCESS',
  F: 'FAILURE',
  RG: 'REVERTING',
  RD: 'REVERTED',
  RF: 'REVERT_FAILURE',
  RT: 'RETRYING',
  P: 'PENDING',
  IG: 'IGNORE',
};

/** `'a R,S; b R,F'` as events. */
function sequence(text: string): string[] {
  return text.split(';').flatMap((part) => {
    const [name, states] = part.trim().split(' ');
    return states.split(',').map((state) => `${name} ${SHORT[state] ?? state}`);
  });
}

function check(resolution: Resolution, expected: string, suspendAt?: number): void {
  resolution.run(suspendAt);
  assert.equal(resolution.events.splice(0), sequence(expected));
}

test('a flow without items runs its controller', () => {
  check(new Resolution(linear(times('r1', 3)), policy), 'flow R; r1 R,S; flow S');
});

test('what failed is tried again', () => {
  const resolution = new Resolution(linear(times('r1', 4), task('task1'), task('task2', [1])), policy);
  check(
    resolution,
    `flow R; r1 R,S; task1 R,S; task2 R,F,RG,RD; task1 RG,RD; r1 RT; task1 P; task2 P;
     r1 R,S; task1 R,S; task2 R,S; flow S`,
  );
  assert.equal(resolution.outputs, { r1: 2, task1: 'task1', task2: 'task2' });
  assert.equal(resolution.histories, {
    r1: [
      { value: 1, failures: ['task2'] },
      { value: 2, failures: [] },
    ],
  });
});

test('when there are no attempts left, all is reverted, controllers too', () => {
  const resolution = new Resolution(linear(times('r1', 2), task('task1'), task('task2', 'always')), policy);
  check(
    resolution,
    `flow R; r1 R,S; task1 R,S; task2 R,F,RG,RD; task1 RG,RD; r1 RT; task1 P; task2 P;
     r1 R,S; task1 R,S; task2 R,F,RG,RD; task1 RG,RD; r1 RG,RD; flow REVERTED`,
  );
  assert.equal(resolution.culprits, ['task2']);
});

test('a failed revert ends the flow in the midst of a retry, and the next run goes on with it', () => {
  const items = [task('task1', [], { revertFails: [1] }), task('task2', [1])];
  const resolution = new Resolution(linear(times('r1', 3), ...items), policy);
  check(resolution, 'flow R; r1 R,S; task1 R,S; task2 R,F,RG,RD; task1 RG,RF; flow FAILURE');
  assert.equal(resolution.culprits, ['task1']);
  check(resolution, 'flow R; task1 RG,RD; r1 RT; task1 P; task2 P; r1 R,S; task1 R,S; task2 R,S; flow S');
});

test('what is around a flow that is tried again stays', () => {
  const inner = linear(times('r2', 3), task('task2'), task('task3', [1]));
  const resolution = new Resolution(linear(times('r1', 3), task('task1'), inner, task('task4')), policy);
  check(
    resolution,
    `flow R; r1 R,S; task1 R,S; r2 R,S; task2 R,S; task3 R,F,RG,RD; task2 RG,RD; r2 RT; task2 P; task3 P;
     r2 R,S; task2 R,S; task3 R,S; task4 R,S; flow S`,
  );
});

test('without deferred reverts only the innermost flow that says so is reverted', () => {
  const root = () => linear(undefined, task('task1'), linear(times('r1', 1), task('task2', 'always')));
  check(
    new Resolution(root(), { ...policy, deferReverts: false }),
    'flow R; task1 R,S; r1 R,S; task2 R,F,RG,RD; r1 RG,RD; flow REVERTED',
  );
  check(
    new Resolution(root(), policy),
    'flow R; task1 R,S; r1 R,S; task2 R,F,RG,RD; r1 RG,RD; task1 RG,RD; flow REVERTED',
  );
});

test('a failure outside a nested flow has all of the outer one tried again', () => {
  const inner = linear(times('r2', 3), task('task2'), task('task3'));
  const resolution = new Resolution(linear(times('r1', 3), task('task1'), inner, task('task4', [1])), policy);
  check(
    resolution,
    `flow R; r1 R,S; task1 R,S; r2 R,S; task2 R,S; task3 R,S; task4 R,F,RG,RD; task3 RG,RD; task2 RG,RD; r2 RG,RD;
     task1 RG,RD; r1 RT; task1 P; r2 P; task2 P; task3 P; task4 P;
     r1 R,S; task1 R,S; r2 R,S; task2 R,S; task3 R,S; task4 R,S; flow S`,
  );
  assert.equal(resolution.outputs.r1, 2);
  assert.equal(resolution.outputs.r2, 1);
});

test('a nested flow that gives up leaves it to the one around it', () => {
  const inner = linear(times('r2', 0), task('task2', [1]));
  check(
    new Resolution(linear(times('r1', 3), task('task1'), inner), policy),
    `flow R; r1 R,S; task1 R,S; r2 R,S; task2 R,F,RG,RD; r2 RG,RD; task1 RG,RD; r1 RT; task1 P; r2 P; task2 P;
     r1 R,S; task1 R,S; r2 R,S; task2 R,S; flow S`,
  );
});

test('who says that all is to be reverted is not overruled', () => {
  const inner = linear({ kind: 'alwaysRevert', name: 'r2', provides: false, revertAll: true }, task('task2', [1]));
  check(
    new Resolution(linear(times('r1', 3), task('task1'), inner), { ...policy, deferReverts: false }),
    'flow R; r1 R,S; task1 R,S; r2 R,S; task2 R,F,RG,RD; r2 RG,RD; task1 RG,RD; r1 RG,RD; flow REVERTED',
  );
});

test('each value of a list is tried, those that are there twice as well', () => {
  const values = { name: 'r1', provides: true, values: [3, 2, 3, 5], parameterized: false, revertAll: false };
  const resolution = new Resolution(linear({ kind: 'forEach', ...values }, task('task1', [1, 2, 3])), policy);
  check(
    resolution,
    `flow R; r1 R,S; task1 R,F,RG,RD; r1 RT; task1 P; r1 R,S; task1 R,F,RG,RD; r1 RT; task1 P;
     r1 R,S; task1 R,F,RG,RD; r1 RT; task1 P; r1 R,S; task1 R,S; flow S`,
  );
  assert.is(resolution.outputs.r1, 5);
});

test('a controller that fails asks the one around it', () => {
  const inner = linear(custom('r2', [], [1]), task('task2'));
  check(
    new Resolution(linear(times('r1', 2), inner), policy),
    'flow R; r1 R,S; r2 R,F,RG,RD; r1 RT; r2 P; r1 R,S; r2 R,S; task2 R,S; flow S',
  );
});

test('a controller that cannot decide has failed itself', () => {
  const resolution = new Resolution(linear(custom('r1', ['throw']), task('task1', [1])), policy);
  check(resolution, 'flow R; r1 R,S; task1 R,F; r1 RT,F; task1 RG,RD; r1 RG,RD; flow REVERTED');
});

test('a task with a retry is reverted and runs again by itself', () => {
  const again = task('task2', [1], { retry: times('task2_retry', 2) });
  check(
    new Resolution(linear(undefined, task('task1'), again, task('task3')), policy),
    'flow R; task1 R,S; task2 R,F,RG,RD,RT,R,S; task3 R,S; flow S',
  );
});

test('a task that may fail stays failed, and is reverted with the others', () => {
  const root = (fails: Fails) => linear(undefined, task('task1', 'always', { mayFail: true }), task('task2', fails));
  const resolution = new Resolution(root([]), policy);
  check(resolution, 'flow R; task1 R,F; task2 R,S; flow S');
  assert.equal(resolution.culprits, []);
  assert.equal(resolution.outputs, { task2: 'task2' });
  check(new Resolution(root([1]), policy), 'flow R; task1 R,F; task2 R,F,RG,RD; task1 RG,RD; flow REVERTED');
});

test('a task fails if a value is missing that it requires', () => {
  const needy = task('task2', [], { requires: ['task1'] });
  const resolution = new Resolution(linear(undefined, task('task1', 'always', { mayFail: true }), needy), policy);
  check(resolution, 'flow R; task1 R,F; task2 R,F,RG,RD; task1 RG,RD; flow REVERTED');
  assert.equal(resolution.culprits, ['task2']);
});

test('what does not depend on a failure finishes, if that is the policy', () => {
  const items = [linear(undefined, task('a', [1]), task('b')), linear(undefined, task('c'), task('d'))];
  check(
    new Resolution(flow('unordered', items), { ...policy, failurePolicy: 'finish' }),
    'flow R; a R,F; c R,S; d R,S,RG,RD; c RG,RD; a RG,RD; flow REVERTED',
  );
});

test('where nothing is resolved, failed tasks run again in the next run', () => {
  const resolution = new Resolution(linear(times('r1', 5), task('task1'), task('task2', [1])), {
    ...policy,
    neverResolve: true,
  });
  check(resolution, 'flow R; r1 R,S; task1 R,S; task2 R,F; flow FAILURE');
  check(resolution, 'task2 P; flow R; task2 R,S; flow S');
});

test('a run that is suspended while it reverts goes on with it', () => {
  const resolution = new Resolution(linear(times('r1', 2), task('task1'), task('task2', [1])), policy);
  check(resolution, 'flow R; r1 R,S; task1 R,S; task2 R,F,RG,RD; flow SUSPENDING,SUSPENDED', 8);
  check(resolution, 'flow R; task1 RG,RD; r1 RT; task1 P; task2 P; r1 R,S; task1 R,S; task2 R,S; flow S');
});

test('a no to a flow with a retry ignores all of it, and what comes after as far as it reaches', () => {
  const inner = linear(times('r1', 2), task('b'), task('c'));
  const root = (depth: LinkSpec['depth']) =>
    flow('graph', [task('a'), inner, task('d'), task('e')], undefined, [
      { from: 0, to: 1, answers: ['no'], depth },
      { from: 1, to: 2, answers: [], depth: 'all' },
      { from: 2, to: 3, answers: [], depth: 'all' },
    ]);
  check(new Resolution(root('atom'), policy), 'flow R; a R,S; r1 IG; b IG; c IG; d R,S; e R,S; flow S');
  check(new Resolution(root('neighbors'), policy), 'flow R; a R,S; r1 IG; b IG; c IG; d IG; e R,S; flow S');
  check(new Resolution(root('flow'), policy), 'flow R; a R,S; r1 IG; b IG; c IG; d IG; e IG; flow S');
  check(new Resolution(root('all'), policy), 'flow R; a R,S; r1 IG; b IG; c IG; d IG; e IG; flow S');
});

test.run();
