/** Random flows, as the library runs them and as a plain interpreter reads them. */

import { type FlowItem, isMillraceError, load, type TaskEvent, WrappedFailure } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type EngineUnderTest, engines } from '../engines.js';
import fc from '../fast-check.js';
import {
  messageOf,
  OPTIONAL,
  REQUIRED,
  readRecord,
  resultOf,
  revertResultOf,
  type Script,
} from '../fixtures/atoms/recorded.js';
import { Interpreter, valuesOf } from '../reference/interpreter.js';
import {
  buildFlow,
  inputs,
  makeRecord,
  type RandomFlow,
  type RandomTask,
  randomFlow,
  type Size,
} from '../reference/random-flow.js';

const numRuns = Number(process.env.TEST_RUNS || 300);

/** A flow, what it means, and what is given to it. */
function prepare({ root, given, complete }: RandomFlow) {
  const record = makeRecord(root);
  let values = inputs(given);
  let meaning = new Interpreter(root, values);
  if (complete && meaning.missing.size > 0) {
    values = inputs([...given, ...meaning.missing]);
    meaning = new Interpreter(root, values);
  }
  return { record, values, meaning, flow: buildFlow(root, record) };
}

/** What each task would be given and return if none failed. */
function foresee(meaning: Interpreter<RandomTask>) {
  const results = new Map<string, unknown>();
  const args = new Map<string, Record<string, unknown>>();
  for (const task of meaning.order) {
    args.set(task.name, meaning.argumentsOf(task, results));
    // A task that fails has a result here as well, as those behind it must be able to ask for it.
    const script = { ...task.script, fails: undefined } as unknown as Script;
    results.set(task.name, resultOf(script, args.get(task.name)!));
  }
  return { results, args };
}

async function runIt(flow: FlowItem, values: Record<string, unknown>, options: EngineUnderTest['options']) {
  const engine = load<any, any>(flow, { ...options, inputs: values });
  const ends = new Map<string, TaskEvent>();
  engine.on('task', (event) => {
    if (event.state !== 'RUNNING' && event.state !== 'REVERTING' && event.state !== 'PENDING') {
      ends.set(`${event.name} ${event.oldState}`, event);
    }
  });
  const outcome = await engine.run().then(
    (result) => ({ result, error: undefined }),
    (error: Error) => ({ result: undefined, error }),
  );
  return { ...outcome, ends, state: engine.state, states: engine.storage.getTaskStates() };
}

/** Checks a flow that compiles: what ran, in which order, with what, and what was reverted. */
async function checkRun(random: RandomFlow, options: EngineUnderTest['options']): Promise<void> {
  const { record, values, meaning, flow } = prepare(random);
  const { tasks } = meaning;
  const { results, args } = foresee(meaning);
  const { result, error, ends, state, states } = await runIt(flow, values, options);

  const recordOf = (task: RandomTask) => readRecord(record, task.script.index);
  const ran = tasks.filter((task) => recordOf(task).runs > 0);
  const mayFail = (task: RandomTask) => task.script.fails === 'execute' || task.script.fails === 'result';
  const failed = ran.filter(mayFail);
  const pairs = ran.flatMap((later) => tasks.filter((other) => meaning.before(other, later)).map((o) => [o, later]));

  // Forwards.
  for (const task of ran) {
    assert.is(recordOf(task).runs, 1, `${task.name} runs once`);
    const end = ends.get(`${task.name} RUNNING`)!;
    if (task.script.fails === 'execute') {
      const failure = end.result as { task: string; error: Error };
      assert.is(failure.task, task.name);
      assert.is(failure.error.message, messageOf({ ...task.script, record }, args.get(task.name)!));
    } else if (task.script.fails === 'result') {
      assert.is((end.result as { error: { code: string } }).error.code, 'ERR_MILLRACE_BAD_RESULT');
    } else {
      assert.is(end.state, 'SUCCESS');
      assert.equal(end.result, results.get(task.name), `${task.name} is given what it should be`);
    }
  }
  for (const [first, second] of pairs) {
    assert.ok(ran.includes(first) && !mayFail(first), `${second.name} runs only if ${first.name} has succeeded`);
    assert.ok(recordOf(first).ended < recordOf(second).began, `${first.name} ends before ${second.name} begins`);
  }
  if (options.engine === 'serial') {
    const firstFailure = meaning.order.findIndex(mayFail);
    const expected = firstFailure < 0 ? meaning.order : meaning.order.slice(0, firstFailure + 1);
    const inOrder = ran.toSorted((a, b) => recordOf(a).began - recordOf(b).began);
    assert.equal(inOrder.map(nameOf), expected.map(nameOf), 'the order of a serial run');
  }
  if (!tasks.some(mayFail)) {
    assert.is(error, undefined);
    assert.is(state, 'SUCCESS');
    assert.is(ran.length, tasks.length);
    assert.equal(result, meaning.outputs(results));
    return;
  }

  // Backwards.
  assert.ok(failed.length > 0, 'a task that fails is reached');
  const reverting = ran.filter((task) => ['REVERTED', 'REVERT_FAILURE'].includes(states[task.name]));
  const stuck = reverting.filter((task) => states[task.name] === 'REVERT_FAILURE');
  assert.is(state, stuck.length > 0 ? 'FAILURE' : 'REVERTED');
  const reasons = stuck.length > 0 ? stuck : failed;
  if (reasons.length > 1) {
    assert.instance(error, WrappedFailure);
    assert.is((error as WrappedFailure).errors.length, reasons.length);
  } else {
    const failure = ends.get(`${reasons[0].name} ${stuck.length > 0 ? 'REVERTING' : 'RUNNING'}`)!.result;
    assert.is(error, (failure as { error: Error }).error);
  }
  const canBeStuck = (task: RandomTask) => task.reverts && task.script.fails === 'revert';
  assert.equal(stuck.map(nameOf), reverting.filter(canBeStuck).map(nameOf));
  if (stuck.length === 0) assert.is(reverting.length, ran.length, 'all that ran is reverted');
  for (const task of tasks) {
    const { reverts } = recordOf(task);
    assert.is(reverts, task.reverts && reverting.includes(task) ? 1 : 0, `${task.name} is reverted`);
    if (!reverting.includes(task) || stuck.includes(task)) continue;
    const failure = failed.includes(task) ? task.name : undefined;
    const own = { ...args.get(task.name)!, ...(failure ? {} : valuesOf(task, results.get(task.name))) };
    const expected = task.reverts
      ? revertResultOf({ ...task.script, record }, own, failure ?? results.get(task.name), failed.map(nameOf))
      : undefined;
    assert.is(ends.get(`${task.name} REVERTING`)!.result, expected, `what ${task.name} is given to revert`);
  }
  for (const [first, second] of pairs) {
    if (!reverting.includes(first)) continue;
    assert.ok(reverting.includes(second) && !stuck.includes(second), `${second.name} is reverted before ${first.name}`);
    if (first.reverts && second.reverts) assert.ok(recordOf(second).revertEnded < recordOf(first).revertBegan);
  }
  if (options.engine === 'serial') {
    const called = ran.filter((task) => recordOf(task).reverts > 0);
    const inOrder = called.toSorted((a, b) => recordOf(a).revertBegan - recordOf(b).revertBegan);
    const expected = ran.toSorted((a, b) => recordOf(b).began - recordOf(a).began);
    const end = expected.findIndex(canBeStuck);
    const until = end < 0 ? expected : expected.slice(0, end + 1);
    assert.equal(inOrder.map(nameOf), until.filter((task) => task.reverts).map(nameOf), 'the order of a serial revert');
  }
}

function nameOf({ name }: RandomTask): string {
  return name;
}

/** Checks a flow that is wrong. */
async function checkError(random: RandomFlow, options: EngineUnderTest['options']): Promise<void> {
  const { values, meaning, flow, record } = prepare(random);
  const { error } = await runIt(flow, values, options).catch((error: Error) => ({ error }));
  assert.ok(isMillraceError(error), `an error of Millrace, not ${error}`);
  assert.ok(meaning.errors.has((error as { code: string }).code), `${error} is one of ${[...meaning.errors]}`);
  assert.is(record[0], 0, 'nothing has run');
}

/** Tasks that are known to be small travel together: runs some of each shape until they are. */
async function warmUp(options: EngineUnderTest['options']): Promise<void> {
  const spec = (index: number): RandomTask => {
    const requires = REQUIRED.slice(0, index % 4);
    const optional = OPTIONAL.slice(0, index % 3);
    const name = `task ${index}`;
    return {
      ...{ kind: 'task', name, requires, optional, provides: undefined, priority: 0, travels: true, listed: false },
      ...{ reverts: index % 24 < 12, rebind: {}, inject: Object.fromEntries(requires.map((param) => [param, 0])) },
      script: { ...{ task: name, index, provides: undefined, objects: false, asynchronous: false }, fails: undefined },
    };
  };
  const items = Array.from({ length: 480 }, (_, index) => spec(index));
  const root = { kind: 'unordered' as const, name: 'warm-up', items, links: [] };
  for (let run = 0; run < 5; run++) await load(buildFlow(root, makeRecord(root)), options).run();
}

const sizes: Record<string, Size> = {
  nested: { items: 4, depth: 4, names: 8 },
  wide: { items: 20, depth: 1, names: 60 },
};

for (const { name, options } of engines) {
  for (const [kind, size] of Object.entries(sizes)) {
    test(`random ${kind} flows run as the interpreter says (${name})`, async () => {
      if (options.engine === 'parallel') await warmUp(options);
      const seen = { compiled: 0, wrong: 0 };
      await fc.assert(
        fc.asyncProperty(randomFlow(size), async (random) => {
          if (prepare(random).meaning.errors.size === 0) {
            seen.compiled++;
            await checkRun(random, options);
          } else {
            seen.wrong++;
            await checkError(random, options);
          }
        }),
        { numRuns },
      );
      if (process.env.SHOW) console.log(seen);
    });
  }
}

test.run();
