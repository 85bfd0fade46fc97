/** TaskFlow's claims about what the storage knows: values, states, intentions, results, failures, progress, metadata. */
import { Failure, linear, load, retry, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { promised, rejection } from '../engine/capture.js';
import { overEveryKind } from './kinds.js';

const notFound = (text: RegExp) => (error: any) => error.code === 'ERR_MILLRACE_NOT_FOUND' && text.test(error.message);

overEveryKind((test, options, { one, addOne, giveBack, nasty, failing, conditional, chunks }) => {
  test('a task that has not run is pending, and is to be executed', () => {
    const { storage } = load(one, options);
    assert.equal(storage.getTaskStates(), { one: 'PENDING' });
    assert.is(storage.getTaskIntention('one'), 'EXECUTE');
    assert.throws(() => storage.getExecuteResult('one'), notFound(/'one' has no result: it is PENDING/));
    assert.throws(() => storage.getRevertResult('one'), notFound(/'one' was not reverted: it is PENDING/));
  });

  test('what a task returned can be asked for, whether or not it has a name', async () => {
    const engine = load(linear('f', one, failing.with({ name: 'never' })), options);
    const results: unknown[] = [];
    engine.on('task', ({ name, state }) => {
      if (name === 'one' && state === 'SUCCESS') results.push(engine.storage.getExecuteResult('one'));
    });
    await rejection(engine.run());
    assert.equal(results, [1]);
  });

  test('the results of execute and of revert are kept apart', async () => {
    const engine = load(linear('f', giveBack, failing), { ...options, inputs: { value: 0 } });
    await rejection(engine.run());
    const { storage } = engine;
    assert.is(storage.getRevertResult('giver'), 2);
    assert.throws(() => storage.getExecuteResult('giver'), notFound(/it is REVERTED/));
    assert.is(storage.getRevertResult('fail'), undefined);
    assert.equal(storage.fetchAll(), { value: 0 });
  });

  test('the failure of a reverted task can still be asked for', async () => {
    const engine = load(failing, options);
    await rejection(engine.run());
    assert.is(engine.storage.getTaskState('fail'), 'REVERTED');
    const failure = engine.storage.getExecuteResult('fail') as Failure;
    assert.instance(failure, Failure);
    assert.is(failure, engine.storage.getExecuteFailures().fail);
  });

  test('a failed revert is the result of the revert', async () => {
    const engine = load(linear('f', nasty, failing), options);
    assert.is((await rejection(engine.run())).message, 'Gotcha!');
    const { storage } = engine;
    assert.instance(storage.getRevertResult('nasty'), Failure);
    assert.equal(Object.keys(storage.getExecuteFailures()), ['fail']);
    assert.equal(Object.keys(storage.getRevertFailures()), ['nasty']);
    assert.is(storage.getExecuteResult('nasty'), undefined);
  });

  test('tasks of a failed flow are to be reverted, but for those that never ran', async () => {
    const engine = load(linear('f', one, nasty, failing, one.with({ name: 'never' })), options);
    await rejection(engine.run());
    const intentions = ['one', 'nasty', 'fail', 'never'].map((name) => engine.storage.getTaskIntention(name));
    assert.equal(intentions, ['REVERT', 'REVERT', 'REVERT', 'EXECUTE']);
    engine.reset();
    assert.is(engine.storage.getTaskIntention('one'), 'EXECUTE');
  });

  test('a stored value goes before what a task provides, and both are there', async () => {
    const engine = load(one, { ...options, inputs: { x: 0 } });
    await engine.run();
    assert.is(engine.storage.fetch('x'), 0);
    assert.equal(engine.storage.fetchAll(), { x: [0, 1] });
  });

  test('after a reset there are no results, and what was given is still there', async () => {
    const engine = load(linear('f', one, addOne), options);
    engine.storage.inject({ source: 1 });
    await engine.run();
    engine.reset();
    assert.equal(engine.storage.fetchAll(), { source: 1 });
    assert.is(engine.storage.getTaskState('one'), 'PENDING');
    assert.throws(() => engine.storage.getExecuteResult('one'), notFound(/PENDING/));
    assert.equal(await engine.run(), { x: 1, result: 2 });
  });

  test('a task that does not exist is an error, whatever is asked of it', () => {
    const { storage } = load(one, options);
    const asked = [
      'getTaskState',
      'getTaskIntention',
      'getExecuteResult',
      'getRevertResult',
      'fetchMappedArgs',
    ] as const;
    const more = ['getTaskProgress', 'getTaskProgressDetails', 'getTaskMetadata', 'fetchUnsatisfiedArgs'] as const;
    for (const name of [...asked, ...more]) assert.throws(() => storage[name]('nobody'), /no task named 'nobody'/);
    assert.throws(() => storage.updateTaskMetadata('nobody', {}), /no task named 'nobody'/);
  });

  test('progress is 0 before a task, 1 after it, and between them what it said last', async () => {
    const opened = promised();
    const inside = promised();
    const services = {
      gate: () => {
        inside.resolve();
        return opened.promise;
      },
    };
    const said = [[0.2], [0.5, { at: 'half' }], [0.7]];
    const engine = load(chunks, { ...options, services, inputs: { chunks: said } });
    const { storage } = engine;
    assert.is(storage.getTaskProgress('chunks'), 0);
    assert.is(storage.getTaskProgressDetails('chunks'), undefined);
    const running = engine.run();
    await inside.promise;
    assert.is(storage.getTaskProgress('chunks'), 0.7);
    assert.equal(storage.getTaskProgressDetails('chunks'), { atProgress: 0.5, details: { at: 'half' } });
    opened.resolve();
    await running;
    assert.is(storage.getTaskProgress('chunks'), 1);
    assert.equal(storage.getTaskProgressDetails('chunks'), { atProgress: 0.5, details: { at: 'half' } });
    engine.reset();
    assert.is(storage.getTaskProgress('chunks'), 0);
    assert.is(storage.getTaskProgressDetails('chunks'), undefined);
  });

  test('empty details erase those that were given before', async () => {
    const said = [
      [0.5, { at: 'half' }],
      [0.6, {}],
    ];
    const engine = load(chunks, { ...options, services: { gate() {} }, inputs: { chunks: said } });
    await engine.run();
    assert.is(engine.storage.getTaskProgressDetails('chunks'), undefined);
  });

  test('a task that failed keeps how far it had come', async () => {
    const services = { gate: () => Promise.reject(new Error('Woot!')) };
    const engine = load(chunks, { ...options, services, inputs: { chunks: [[0.4]] } });
    const seen: number[] = [];
    engine.on('task', ({ state }) => state === 'FAILURE' && seen.push(engine.storage.getTaskProgress('chunks')));
    await rejection(engine.run());
    assert.equal(seen, [0.4]);
  });

  test('a task that had ended well is at 0 again when it is to be reverted', async () => {
    const inputs = { chunks: [[0.4]] };
    const engine = load(linear('f', chunks, failing), { ...options, services: { gate() {} }, inputs });
    const seen: unknown[] = [];
    engine.on('task', ({ name, state }) => {
      if (name === 'chunks') seen.push([state, engine.storage.getTaskProgress('chunks')]);
    });
    await rejection(engine.run());
    assert.equal(seen, [
      ['RUNNING', 0],
      ['SUCCESS', 1],
      ['REVERTING', 0],
      ['REVERTED', 1],
    ]);
  });

  test('progress is stored and told', async () => {
    const engine = load(chunks, { ...options, services: { gate() {} }, inputs: { chunks: [[0.2], [0.5], [0.8]] } });
    const told: number[] = [];
    const stored: number[] = [];
    engine.on('progress', ({ progress }) => {
      told.push(progress);
      stored.push(engine.storage.getTaskProgress('chunks'));
    });
    await engine.run();
    assert.equal(told, [0, 0.2, 0.5, 0.8, 1]);
    assert.equal(stored, told);
  });

  test('what is noted about a flow or a task is joined to what is noted already', async () => {
    const engine = load(one, options);
    const { storage } = engine;
    assert.equal([storage.getFlowMetadata(), storage.getTaskMetadata('one')], [{}, {}]);
    storage.updateFlowMetadata({ a: 1, b: 2 });
    storage.updateFlowMetadata({ b: undefined, c: 3 });
    storage.updateTaskMetadata('one', { seconds: 1 });
    await engine.run();
    engine.reset();
    assert.equal(storage.getFlowMetadata(), { a: 1, b: undefined, c: 3 });
    assert.equal(storage.getTaskMetadata('one'), { seconds: 1 });
    storage.getFlowMetadata().a = 'changed';
    assert.is(storage.getFlowMetadata().a, 1);
    assert.throws(() => storage.updateFlowMetadata(null as any), /updateFlowMetadata\(\).*received null/);
  });

  test('a retry that has not run has no history, and is to be executed', () => {
    const { storage } = load(linear('f', one).with({ retry: times(2, { name: 'my retry' }) }), options);
    assert.equal([...storage.getRetryHistory('my retry')], []);
    assert.equal(Object.keys(storage.getRetryHistories()), ['my retry']);
    assert.equal(storage.getTaskStates(), { 'my retry': 'PENDING', one: 'PENDING' });
    assert.is(storage.getTaskIntention('my retry'), 'EXECUTE');
    assert.throws(() => storage.getRetryHistory('one'));
    assert.throws(() => storage.getRetryHistory('no such retry'));
  });

  test('the history of a retry has the values of all attempts, and the last one counts', async () => {
    const letters = retry({
      provides: 'x',
      execute: (history) => ['a', 'b'][history.length],
      onFailure: () => 'RETRY',
    });
    const flow = linear('f', conditional.with({ name: 'task' })).with({ retry: letters });
    const engine = load(flow as any, { ...options, inputs: { y: 'b' } });
    const { storage } = engine;
    const during: unknown[] = [];
    engine.on('task', ({ name, state }) => {
      if (name === 'f_retry' && state === 'RETRYING') during.push(storage.getTaskIntention(name));
    });
    await engine.run();
    const history = storage.getRetryHistory('f_retry');
    assert.is(history.length, 2);
    assert.equal(
      [...history].map(({ value }) => value),
      ['a', 'b'],
    );
    const [{ failures }, last] = [...history];
    assert.equal(Object.keys(failures), ['task']);
    assert.is(String(failures.task), 'Failure: Error: Woot!');
    assert.equal(last.failures, {});
    assert.is(storage.fetch('x'), 'b');
    assert.equal(storage.fetchAll(), { y: 'b', x: 'b' });
    assert.equal(during, ['RETRY']);
    assert.equal(storage.getExecuteFailures(), {}, 'those of earlier attempts are forgotten');
  });

  test('the history of a retry is cleared when it has been reverted, and when the flow is reset', async () => {
    const flow = linear('f', failing).with({ retry: times(2, { provides: 'x' }) });
    const engine = load(flow, options);
    await rejection(engine.run());
    assert.equal([...engine.storage.getRetryHistory('f_retry')], []);
    assert.is(engine.storage.getTaskIntention('f_retry'), 'REVERT');
    assert.equal(engine.storage.fetchAll(), {});

    const good = load(linear('f', one).with({ retry: times(2) }), options);
    await good.run();
    assert.is(good.storage.getRetryHistory('f_retry').length, 1);
    good.reset();
    assert.is(good.storage.getRetryHistory('f_retry').length, 0);
    assert.is(good.storage.getTaskIntention('f_retry'), 'EXECUTE');
  });

  test('a retry that fails in its second attempt has one attempt behind it, and its failure', async () => {
    let seen: any;
    const onlyOnce = retry({
      execute(history) {
        if (history.length > 0) throw new RangeError('Woot again!');
        return 'a';
      },
      onFailure: () => 'RETRY',
      revert: (history) => {
        seen = history;
      },
    });
    const engine = load(linear('f', failing).with({ retry: onlyOnce }), options);
    const error = await rejection(engine.run());
    assert.is(error.message, 'Woot again!');
    assert.equal(Object.keys(engine.storage.getExecuteFailures()), ['f_retry']);
    assert.equal(
      [...seen].map(({ value }) => value),
      ['a'],
    );
    assert.is(seen.failure.error, error);
    assert.ok(seen.causedBy(RangeError, { includeRetry: true }));
    assert.not.ok(seen.causedBy(RangeError));
    assert.ok(seen.causedBy('Error'));
  });
});

once.run();
