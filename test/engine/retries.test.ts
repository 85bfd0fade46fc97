/** What a retry is told and what it may answer; whose failures it resolves; what its flow sees of it. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { alwaysRevert, Failure, forEach, load, parameterizedForEach, retry, run, task, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine, recorded } from '../engines.js';
import * as trying from '../fixtures/engine/trying.js';
import { capture, captureTasks, promised, rejection } from './capture.js';
import {
  again,
  counters,
  failed,
  flow,
  graph,
  linear,
  overEveryKind,
  ran,
  reverted,
  trials,
  unordered,
} from './trying.js';

/** A history as plain data. */
const shown = (history: any) =>
  [...history].map(({ value, failures }) => ({
    value,
    failures: Object.fromEntries(Object.entries(failures).map(([name, failure]) => [name, String(failure)])),
  }));

/** A retry that goes by a list of decisions, and writes down what it is told. */
function scripted(decisions: unknown[], options: object = {}) {
  const told: unknown[] = [];
  const rest = [...decisions];
  const controller: any = retry({
    ...options,
    execute(history: any, args: any) {
      told.push(['execute', shown(history), args]);
      return history.length + 1;
    },
    onFailure(history: any, args: any): any {
      told.push(['onFailure', shown(history), args]);
      return rest.shift();
    },
    revert(history: any, { a, b, c }: any) {
      told.push(['revert', shown(history), { a, b, c }]);
    },
  } as any);
  return { controller, told };
}

overEveryKind(
  (test, options, { five, woot, asks, flaky, same, needs, likes, large, reads, gate, tells }, concurrent) => {
    test('what is reverted is told what has failed in its attempt, and nothing of earlier ones', async () => {
      const told: string[][] = [];
      const fails = (name: string) => flaky.with({ name, inject: { counts: counters(), at: 0, failures: 1 } } as any);
      const flow = linear('f', tells, fails('first'), fails('second')).with({ retry: times(3) });
      await run(flow, {}, { ...options, services: { failed: (names: string[]) => void told.push(names) } });
      assert.equal(told, [['first'], ['second']]);
    });

    test('a retry is told of all attempts, and is given what it requires', async () => {
      const { controller, told } = scripted(['RETRY', 'REVERT'], {
        requires: 'a',
        optional: ['b', 'c'],
        provides: 'n',
      });
      const item = linear('f', woot).with({ retry: controller });
      const engine = load(item, { ...options, inputs: { a: 1, c: 3 } });
      assert.is((await rejection(engine.run())).message, 'Woot!');
      const args = { a: 1, b: undefined, c: 3 };
      const failures = { woot: 'Failure: Error: Woot!' };
      const [first, both] = [[{ value: 1, failures }], [1, 2].map((value) => ({ value, failures }))];
      assert.equal(told, [
        ...[
          ['execute', [], args],
          ['onFailure', first, args],
        ],
        ...[
          ['execute', first, args],
          ['onFailure', both, args],
          ['revert', both, args],
        ],
      ]);
    });

    test('a history tells of its attempts by number, the last one, and what they failed of', async () => {
      const seen: unknown[] = [];
      const counts = counters();
      const controller = retry({
        execute: (history) => history.length + 1,
        onFailure(history: any) {
          seen.push([history.length, history.at(0).value, history.at(-1).value, history.last.value]);
          seen.push([history.at(7), history.failure]);
          seen.push([history.causedBy('Error'), history.causedBy(Error), history.causedBy(TypeError)]);
          seen.push([history.causedBy(Error, { attempt: 0 }), history.causedBy(RangeError, { attempt: 0 })]);
          return 'RETRY';
        },
      });
      const item = linear('f', flaky.with({ inject: { counts, at: 0, failures: 2 } })).with({ retry: controller });
      await run(item, {}, options);
      const rest = [
        [undefined, undefined],
        [true, true, false],
        [true, false],
      ];
      assert.equal(seen, [[1, 1, 1, 1], ...rest, [2, 1, 2, 2], ...rest]);
    });

    test('a history does not change any more once it was given', async () => {
      const given: any[] = [];
      const counts = counters();
      const controller = retry({
        execute(history) {
          given.push(history);
        },
        onFailure: () => 'RETRY',
      });
      const item = linear('f', flaky.with({ inject: { counts, at: 0, failures: 2 } })).with({ retry: controller });
      await run(item, {}, options);
      assert.equal(
        given.map((history) => history.length),
        [0, 1, 2],
      );
    });

    for (const [what, answer] of Object.entries<() => any>({
      nothing: () => undefined,
      'a word in lower case': () => 'retry',
      'a number': () => 7,
      'an empty object': () => ({}),
      'a delay below zero': () => ({ retryAfter: -1 }),
      'a delay that is a string': () => ({ retryAfter: '1' }),
      'a delay that is no number': () => ({ retryAfter: Number.NaN }),
      'a promise': async () => 'RETRY',
      'a promise that fails': () => Promise.reject(new Error('late')),
    })) {
      test(`an answer that is no decision is a failure of the retry: ${what}`, async () => {
        const controller = retry({ execute() {}, onFailure: answer });
        const engine = load(linear('f', five, woot).with({ retry: controller }), options);
        const lines = capture(engine);
        const error = await rejection(engine.run());
        assert.is(new Failure('f', error).check('ERR_MILLRACE_BAD_DECISION'), 'ERR_MILLRACE_BAD_DECISION');
        assert.is(engine.storage.getExecuteFailures().f_retry.code, 'ERR_MILLRACE_BAD_DECISION');
        assert.match(engine.storage.getExecuteFailures().f_retry.message, /f_retry/);
        assert.equal(lines.slice(6, 8), ['woot: FAILURE(Failure: Error: Woot!)', 'f_retry: RETRYING']);
        assert.match(lines[8], /^f_retry: FAILURE\(Failure: RunError/);
        assert.is(engine.state, 'REVERTED');
        assert.equal(engine.storage.getTaskStates(), { f_retry: 'REVERTED', five: 'REVERTED', woot: 'REVERTED' });
      });
    }

    test('an error in the decision of a retry is a failure that the retry of the flow around is asked about', async () => {
      let inner = 0;
      const bad = retry({
        execute() {},
        onFailure() {
          if (inner++ === 0) throw new RangeError('I cannot decide');
          return 'REVERT';
        },
      });
      const { controller, told } = scripted(['RETRY', 'REVERT']);
      const item = linear('f', five, linear('inner', woot).with({ retry: bad })).with({ retry: controller });
      const engine = load(item, options);
      const lines = captureTasks(engine);
      assert.is((await rejection(engine.run())).message, 'Woot!');
      const failures = (told as any[]).filter(([what]) => what === 'onFailure').map(([, history]) => history.at(-1));
      assert.equal(Object.keys(failures[0].failures).includes('inner_retry'), true);
      assert.is(failures[0].failures.inner_retry, 'Failure: RangeError: I cannot decide');
      assert.equal(failures[1], { value: 2, failures: { woot: 'Failure: Error: Woot!' } });
      assert.equal(lines.slice(6, 10), [
        ...failed('woot'),
        ...['inner_retry: RETRYING', 'inner_retry: FAILURE(Failure: RangeError: I cannot decide)'],
      ]);
    });

    test('the answer REVERT_ALL goes before what the retries around would say', async () => {
      const inner = scripted(['REVERT_ALL']);
      const outer = scripted(['RETRY']);
      const item = linear('f', five, linear('inner', woot).with({ retry: inner.controller })).with({
        retry: outer.controller,
      });
      const engine = load(item, options);
      assert.is((await rejection(engine.run())).message, 'Woot!');
      assert.equal(
        outer.told.map((line: any) => line[0]),
        ['execute', 'revert'],
      );
    });

    test('a retry may answer with a delay, and the flow is tried again after it', async () => {
      const { controller } = scripted([{ retryAfter: 0 }, { retryAfter: 1 }]);
      const counts = counters();
      const item = linear('f', flaky.with({ provides: 'n', inject: { counts, at: 0, failures: 2 } }));
      assert.equal(await run(item.with({ retry: controller }), {}, options), { n: 3 });
      assert.equal([...counts.slice(0, 2)], [3, 2]);
    });

    test('what the retry of a flow provides is seen by all of the flow and after it, unless something is nearer', async () => {
      const give = same.with({ name: 'give', inject: { x: 'near', y: 'near' }, provides: 'v' });
      const inner = unordered('inner', needs.with({ name: 'a', provides: 'a' })).with({ retry: times(1) });
      const first = linear('first', inner, give, needs.with({ name: 'b', provides: 'b' }));
      const item = linear(
        'f',
        first.with({ retry: forEach(['far'], { provides: 'v' }) }),
        needs.with({ provides: 'c' }),
      );
      const value: any = await run(item, {}, options);
      assert.is(value.a, 'far');
      assert.is(value.b, 'near');
      assert.is(value.c, 'near');
    });

    test('what a retry provides is seen after its flow', async () => {
      const item = linear('f', linear('inner', five).with({ retry: times(2, { provides: 'v' }) }), needs);
      assert.equal(await run(item, {}, options), { five: 5, v: 1, got: 1 });
    });

    test('an attempt begins with the values of what was before it, and without those of the one before', async () => {
      const seen: unknown[] = [];
      const { ask, undo } = trials({ last: 2 });
      const services = { ask, undo };
      const before = five.with({ name: 'before', provides: 'kept' });
      const again = linear('again', likes, asks.with({ name: 'v', provides: 'v' }), asks.with({ name: 'last' }));
      const engine = load(linear('f', before, again.with({ retry: times(3) })), { ...options, services });
      engine.on('task', ({ name, state }) => {
        if (name === 'likes' && state === 'RUNNING') seen.push(engine.storage.fetchAll());
      });
      assert.equal(await engine.run(), { kept: 5, got: 'nothing', v: 3 });
      // When likes begins in a worker, the retry has just ended: nothing of an earlier attempt is there.
      assert.equal(seen, [{ kept: 5 }, { kept: 5 }, { kept: 5 }]);
    });

    test('when an attempt has succeeded, nothing is left of the failures before it', async () => {
      const counts = counters();
      const item = linear('f', five, flaky.with({ inject: { counts, at: 0, failures: 2 } }));
      const engine = load(item.with({ retry: times(3) }), options);
      await engine.run();
      const { storage } = engine;
      assert.equal(storage.getExecuteFailures(), {});
      assert.equal(storage.getRevertFailures(), {});
      assert.equal(shown(storage.getRetryHistory('f_retry')), [
        { value: 1, failures: { flaky: 'Failure: Error: Woot 1!' } },
        { value: 2, failures: { flaky: 'Failure: Error: Woot 2!' } },
        { value: 3, failures: {} },
      ]);
      assert.equal(await engine.run(), { five: 5 }, 'a second run does nothing');
      assert.equal([...counts.slice(0, 2)], [3, 2]);
      engine.reset();
      assert.equal(shown(storage.getRetryHistory('f_retry')), []);
      counts.fill(0);
      await engine.run();
      assert.equal([...counts.slice(0, 2)], [3, 2]);
    });

    test('a failure after a flow that was tried again is the only one that its reverts are told of', async () => {
      const told: unknown[] = [];
      const counts = counters();
      const services = { reverted: (result: string, failed: string[]) => told.push([result, failed]) && undefined };
      const { tellsRevert } = trying.local;
      const item = linear(
        'f',
        linear('inner', flaky.with({ inject: { counts, at: 0, failures: 1 } })).with({ retry: times(2) }),
        tellsRevert,
      );
      const error = await rejection(run(item, {}, { ...options, services }));
      assert.is(error.message, 'Woot!');
      assert.equal(told, [['Failure: Error: Woot!', ['tellsRevert']]]);
    });

    test('the retry of a flow around begins with the next attempt of its own, those within with their first', async () => {
      const { executed, reverted, ask, undo } = trials({ deep: 5 });
      const inner = linear('inner', asks.with({ name: 'deep' })).with({ retry: times(2, { provides: 'inner' }) });
      const item = linear('f', asks.with({ name: 'before' }), inner).with({ retry: times(3, { provides: 'outer' }) });
      const engine = load(item, { ...options, services: { ask, undo } });
      const lines = captureTasks(engine);
      assert.equal(await engine.run(), { inner: 2, outer: 3 });
      assert.equal(executed, { before: 3, deep: 6 });
      assert.equal(reverted, { before: 2, deep: 5 });
      assert.equal(
        lines.filter((line) => /retry: SUCCESS/.test(line)),
        [1, 2, 3].flatMap((n) => [`f_retry: SUCCESS(${n})`, 'inner_retry: SUCCESS(1)', 'inner_retry: SUCCESS(2)']),
      );
      assert.is(engine.storage.getRetryHistory('inner_retry').length, 2);
      assert.is(engine.storage.getRetryHistory('f_retry').length, 3);
    });

    for (const make of [unordered, graph]) {
      test(`two flows side by side are tried again each by itself, ${make('f').kind}`, async () => {
        const counts = counters();
        const scope = (name: string, at: number, failures: number) =>
          linear(
            name,
            five.with({ name: `${name}1`, provides: name }),
            flaky.with({ name: `${name}2`, inject: { counts, at, failures } }),
          ).with({ retry: times(4, { provides: `${name}-attempt` }) });
        const result = await run(make('f', scope('a', 0, 3), scope('b', 2, 1), scope('c', 4, 0)), {}, options);
        assert.equal(result, { ...{ a: 5, b: 5, c: 5 }, ...{ 'a-attempt': 4, 'b-attempt': 2, 'c-attempt': 1 } });
        assert.equal([...counts.slice(0, 6)], [4, 3, 2, 1, 1, 0]);
      });
    }

    test('what comes after a flow waits until an attempt has succeeded', async () => {
      const counts = counters();
      const item = linear(
        'f',
        unordered('u', five, flaky.with({ inject: { counts, at: 0, failures: 2 } })).with({ retry: times(3) }),
        five.with({ name: 'after' }),
      );
      const engine = load(item, options);
      const lines = captureTasks(engine);
      await engine.run();
      assert.equal(lines.slice(-2), ran('after', 5));
      assert.is(lines.filter((line) => line === 'after: RUNNING').length, 1);
    });

    test('a task around that failed is reverted after a nested flow that was tried again', async () => {
      const counts = counters();
      const inner = linear('inner', flaky.with({ inject: { counts, at: 0, failures: 1 } })).with({ retry: times(2) });
      const engine = load(linear('f', five, inner, woot), options);
      const lines = capture(engine);
      await rejection(engine.run());
      assert.equal(lines, [
        ...[flow('f', 'RUNNING'), ...ran('five', 5), ...ran('inner_retry', 1), ...failed('flaky', 'Woot 1!')],
        ...[...reverted('flaky'), ...again('inner_retry', 'flaky'), ...ran('inner_retry', 2), ...ran('flaky', 2)],
        ...[...failed('woot'), ...reverted('woot', 'flaky', 'inner_retry', 'five'), flow('f', 'REVERTED')],
      ]);
    });

    test('a decider is asked again in each attempt, and what it had said no to may run then', async () => {
      const counts = counters();
      const asked: unknown[] = [];
      const first = five.with({ name: 'first' });
      const maybe = five.with({ name: 'maybe' });
      const last = flaky.with({ name: 'last', inject: { counts, at: 0, failures: 1 } });
      const decider = (history: object) => {
        asked.push(history);
        return asked.length > 1;
      };
      const item = graph('g', first, maybe, last).link(first, maybe, { decider, depth: 'atom' }).link(maybe, last);
      const engine = load(item.with({ retry: times(2) }), options);
      const lines = captureTasks(engine);
      await engine.run();
      assert.equal(asked, [{ first: 5 }, { first: 5 }]);
      assert.equal(lines, [
        ...[...ran('g_retry', 1), ...ran('first', 5), 'maybe: IGNORE', ...failed('last', 'Woot 1!')],
        ...[...reverted('last', 'first'), ...again('g_retry', 'first', 'maybe', 'last')],
        ...[...ran('g_retry', 2), ...ran('first', 5), ...ran('maybe', 5), ...ran('last', 2)],
      ]);
    });

    for (const [depth, after] of [
      ['all', 'IGNORE'],
      ['flow', 'IGNORE'],
      ['neighbors', 'IGNORE'],
      ['atom', 'SUCCESS'],
    ] as const) {
      test(`a no to a flow with a retry ignores all of it, and beyond it what its depth says: ${depth}`, async () => {
        const first = five.with({ name: 'first' });
        const inner = linear('inner', five.with({ name: 'a' }), five.with({ name: 'b' })).with({ retry: times(2) });
        const after1 = five.with({ name: 'after' });
        const item = graph('g', first, inner, after1)
          .link(first, inner, { decider: () => false, depth })
          .link(inner, after1);
        const engine = load(item, options);
        await engine.run();
        assert.equal(engine.storage.getTaskStates(), {
          ...{ first: 'SUCCESS', inner_retry: 'IGNORE', a: 'IGNORE', b: 'IGNORE', after: after },
        });
      });
    }

    test('an error in a decider is a failure that the retry of its flow is asked about', async () => {
      let asked = 0;
      const [a, b] = ['a', 'b'].map((name) => five.with({ name }));
      const decider = () => {
        if (asked++ === 0) throw new RangeError('I cannot decide');
        return true;
      };
      const item = graph('g', a, b)
        .link(a, b, { decider })
        .with({ retry: times(2) });
      const engine = load(item, options);
      await engine.run();
      assert.is(asked, 2);
      assert.equal(engine.storage.getTaskStates(), { g_retry: 'SUCCESS', a: 'SUCCESS', b: 'SUCCESS' });
    });

    test('a result that lacks what was promised is tried again as any failure', async () => {
      const { ask, undo } = trials();
      const services = { ask: async (name: string) => ((await ask(name)) === 1 ? [1] : [1, 2]), undo };
      const item = linear('f', asks.with({ provides: ['one', 'two'] })).with({ retry: times(2) });
      assert.equal(await run(item, {}, { ...options, services }), { one: 1, two: 2 });
    });

    test('when a flow is to be tried again, nothing more of it starts before', async () => {
      const failed = promised();
      const { executed, ask, undo } = trials();
      const services = {
        ask: (name: string) => failed.promise.then(() => ask(name)),
        undo: (name: string) => new Promise(setImmediate).then(() => undo(name)),
      };
      const alone = { timeout: 60_000 }; // with a timeout a task travels alone
      const first = flaky.with({ priority: 1, inject: { counts: counters(), at: 0, failures: 1 }, ...alone });
      const rest = Array.from({ length: 30 }, (_, i) => asks.with({ name: `t${i}`, ...alone }));
      const engine = load(unordered('u', rest, first).with({ retry: times(2) }), { ...options, services });
      let begun = 0;
      let undoing = false;
      let early = 0;
      engine.on('task', ({ name, state }) => {
        if (state === 'FAILURE') failed.resolve();
        if (state === 'REVERTING') undoing = true;
        if (state === 'RETRYING') undoing = false;
        if (undoing && state === 'RUNNING') early++;
        if (state === 'RUNNING' && name.startsWith('t') && engine.storage.getRetryHistory('u_retry').length === 1)
          begun++;
      });
      await engine.run();
      // What was with a thread by then may have begun: of each thread, what runs and what is next.
      assert.ok(begun <= (concurrent && first.travels ? 2 * Number(options.workers) : 2), `${begun} have begun`);
      assert.is(early, 0, 'nothing starts beside a revert');
      assert.is(Object.keys(executed).length, 30);
    });

    test('tasks are given the values of their own attempt, however large and shared', async () => {
      const counts = counters();
      const readers = Array.from({ length: 8 }, (_, i) => reads.with({ name: `r${i}`, provides: `r${i}` }));
      const last = flaky.with({ inject: { counts, at: 0, failures: 2 } });
      const item = linear(
        'f',
        large,
        unordered('u', readers),
        last,
        readers[0].with({ name: 'after', provides: 'after' }),
      );
      const result = await run(item.with({ retry: times(3, { provides: 'n' }) }), {}, options);
      const { large: _, ...numbers } = result as any;
      assert.equal(
        numbers,
        Object.fromEntries(['n', 'after', ...readers.map(({ name }) => name)].map((name) => [name, 3])),
      );
    });

    test('a flow that is tried again can be stepped through', async () => {
      const counts = counters();
      const item = linear('f', five, flaky.with({ provides: 'n', inject: { counts, at: 0, failures: 2 } }));
      const engine = load(item.with({ retry: times(3) }), options);
      const states: string[] = [];
      for await (const state of engine.runIter()) states.push(state);
      assert.is(states.at(-1), 'SUCCESS');
      assert.equal(engine.storage.fetchAll(), { five: 5, n: 3 });
    });

    if (concurrent) {
      test('several failures in one round are all told to the retry, which decides once for all', async () => {
        let arrived = 0;
        const both = promised();
        const services = {
          async ask(name: string) {
            if (++arrived === 2) both.resolve();
            await both.promise;
            if (arrived <= 2) throw new Error(`Woot of ${name}!`);
          },
          async undo() {},
        };
        const item = unordered('u', asks.with({ name: 'a' }), asks.with({ name: 'b' }));
        const engine = load(item.with({ retry: times(2) }), { ...options, services });
        await engine.run();
        const [first, second] = shown(engine.storage.getRetryHistory('u_retry'));
        // They may come one after the other: then the second finds that the flow is to be tried again already.
        assert.is(first.failures.a, 'Failure: Error: Woot of a!');
        assert.is(first.failures.b, 'Failure: Error: Woot of b!');
        assert.equal(second, { value: 2, failures: {} });
        assert.is(arrived, 4);
      });

      test('what runs in another branch goes on while a flow is tried again', async () => {
        const entered = promised();
        const opened = promised();
        const counts = counters();
        const services = {
          gate() {
            entered.resolve();
            return opened.promise;
          },
          async ask() {
            await entered.promise;
          },
          async undo() {},
        };
        const scope = linear('scope', asks, flaky.with({ inject: { counts, at: 0, failures: 2 } }));
        const item = unordered('u', gate, scope.with({ retry: times(3) }));
        const engine = load(item, { ...options, services });
        const lines = captureTasks(engine);
        engine.on('task', ({ name, state }) => {
          if (name === 'flaky' && state === 'SUCCESS') opened.resolve();
        });
        await engine.run();
        assert.is(lines.filter((line) => line.startsWith('gate')).length, 2);
      });
    }
  },
);

overEveryEngine((test, options) => {
  const { flaky } = trying.local;

  test('a retry may wait for a promise before an attempt', async () => {
    const counts = counters();
    const controller = retry({
      provides: 'n',
      async execute(history) {
        await new Promise(setImmediate);
        return history.length + 1;
      },
      onFailure: () => 'RETRY',
    });
    const item = linear('f', flaky.with({ inject: { counts, at: 0, failures: 2 } })).with({ retry: controller });
    const engine = load(item, options);
    assert.equal(await engine.run(), { n: 3 });
    assert.equal(
      shown(engine.storage.getRetryHistory('f_retry')).map(({ value }) => value),
      [1, 2, 3],
    );
  });

  test('while a retry waits for a promise, what is beside it runs', async () => {
    const opened = promised();
    const controller = retry({ execute: () => opened.promise, onFailure: () => 'REVERT' });
    const opens = task({ name: 'opens', execute: () => opened.resolve() });
    const waiting = linear('waiting').with({ retry: controller });
    // A serial run does one thing at a time.
    const item = options.engine === 'serial' ? unordered('u', opens, waiting) : unordered('u', waiting, opens);
    const engine = load(item, options);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
  });

  test('an attempt whose retry fails is no attempt, and the retry around is asked', async () => {
    let calls = 0;
    const inner = retry({
      execute() {
        calls++;
        if (calls === 1) throw new Error('not yet');
      },
      onFailure: () => 'REVERT',
    });
    const outer = scripted(['RETRY']);
    const item = linear('f', linear('inner', trying.local.likes).with({ retry: inner })).with({
      retry: outer.controller,
    });
    const engine = load(item, options);
    const lines = captureTasks(engine);
    await engine.run();
    assert.equal(shown(engine.storage.getRetryHistory('f_retry')), [
      { value: 1, failures: { inner_retry: 'Failure: Error: not yet' } },
      { value: 2, failures: {} },
    ]);
    assert.equal(lines, [
      ...[...ran('f_retry', 1), ...failed('inner_retry', 'not yet'), ...reverted('inner_retry')],
      ...[...again('f_retry', 'inner_retry'), ...ran('f_retry', 2), ...ran('inner_retry'), ...ran('likes', 'nothing')],
    ]);
  });

  test('what a retry requires may come from a task before its flow, and is looked up again in each attempt', async () => {
    const seen: unknown[] = [];
    const counts = counters();
    const controller = retry({
      requires: 'limit',
      execute: (_: any, args: any) => void seen.push(args.limit),
      onFailure: (history: any, args: any) => (history.length < args.limit ? 'RETRY' : 'REVERT'),
    } as any);
    const limit = flaky.with({ name: 'limit', provides: 'limit', inject: { counts, at: 0, failures: 0 } });
    const inner = linear('inner', flaky.with({ inject: { counts, at: 2, failures: 3 } })).with({ retry: controller });
    const item = linear('f', limit, inner).with({ retry: times(3) });
    await run(item, {}, options);
    // The first time one attempt, the second two, and the third time what had failed three times goes well.
    assert.equal(seen, [1, 2, 2, 3]);
  });

  for (const [what, values, expected] of [
    ['a list with what is not equal to itself', [Number.NaN, Number.NaN, 1], [Number.NaN, Number.NaN, 1]],
    ['a list of undefined and null', [undefined, null, undefined], [undefined, null, undefined]],
    ['a list of equal objects', [{ n: 1 }, { n: 1 }], [{ n: 1 }, { n: 1 }]],
    ['the pairs of a map', new Map([['a', 1]]), [['a', 1]]],
  ] as [string, Iterable<unknown>, unknown[]][]) {
    for (const way of ['forEach', 'parameterizedForEach']) {
      test(`${way} tries ${what}`, async () => {
        const controller: any =
          way === 'forEach'
            ? forEach(values as Iterable<unknown>, { provides: 'v' })
            : parameterizedForEach({ values: 'all', provides: 'v' });
        const tried: unknown[] = [];
        const item = linear(
          'f',
          task({
            ...{ name: 'a', requires: 'v' },
            execute({ v }) {
              tried.push(v);
              throw new Error('Woot!');
            },
          }),
        ).with({ retry: controller });
        assert.is((await rejection(run(item, { all: values }, options))).message, 'Woot!');
        assert.equal(tried, expected);
      });
    }
  }

  const storable = [undefined, null, 7, {}, true, 'abc'];
  for (const bad of recorded ? storable : [...storable, Symbol('s'), () => [1]]) {
    test(`a list for parameterizedForEach that is ${typeof bad} ${String(bad)} is a failure of the retry`, async () => {
      const item = linear('f', trying.local.likes).with({
        retry: parameterizedForEach({ values: 'all', provides: 'v' }),
      });
      const engine = load(item, { ...options, inputs: { all: bad } });
      const error = await rejection(engine.run());
      assert.is(error.task, 'f_retry');
      assert.is(engine.state, 'REVERTED');
      assert.equal(engine.storage.getTaskStates(), { f_retry: 'REVERTED', likes: 'PENDING' });
      assert.match(error.message, /f_retry|iterable/);
    });
  }

  test('a list for parameterizedForEach that throws when it is read is a failure of the retry', async () => {
    const all = {
      *[Symbol.iterator]() {
        yield 1;
        throw new RangeError('no more');
      },
    };
    const item = linear('f', trying.local.likes).with({
      retry: parameterizedForEach({ values: 'all', provides: 'v' }),
    });
    const engine = load(item, { ...options, inputs: { all } });
    const error = await rejection(engine.run());
    assert.is(error.message, 'no more');
    assert.equal(engine.storage.getTaskStates(), { f_retry: 'REVERTED', likes: 'PENDING' });
  });

  test('a list for parameterizedForEach may be long', async () => {
    const all = Array.from({ length: 100_000 }, (_, i) => i);
    const counts = counters();
    const item = linear('f', flaky.with({ inject: { counts, at: 0, failures: 20 } })).with({
      retry: parameterizedForEach({ values: 'all', provides: 'v' }),
    });
    assert.equal(await run(item, { all }, options), { v: 20 });
  });

  test('one retry may be attached to any number of flows', async () => {
    const counts = counters();
    const shared = times(3, { provides: 'n' });
    const scope = (name: string, at: number, failures: number) =>
      linear(name, flaky.with({ name: `${name}-flaky`, inject: { counts, at, failures } })).with({ retry: shared });
    const engine = load(linear('f', scope('a', 0, 1), scope('b', 2, 2)), options);
    await engine.run();
    assert.is(engine.storage.getRetryHistory('a_retry').length, 2);
    assert.is(engine.storage.getRetryHistory('b_retry').length, 3);
    assert.equal(engine.storage.fetchAll(), { n: [2, 3] });
  });

  test('one flow with a retry may run in several engines at once, each with a history of its own', async () => {
    const item = linear('f', trying.local.same).with({ retry: times(5, { provides: 'x' }) });
    const results = await Promise.all([1, 2, 3, 4, 5].map((y) => run(item, { y }, options)));
    assert.equal(
      results,
      [1, 2, 3, 4, 5].map((x) => ({ x })),
    );
  });

  test('a flow with alwaysRevert() runs once', async () => {
    const item = linear('f', trying.local.same).with({ retry: alwaysRevert() });
    const engine = load(item, { ...options, inputs: { x: 1, y: 2 } });
    assert.is((await rejection(engine.run())).message, '1 is not 2');
    assert.equal(engine.storage.getTaskStates(), { f_retry: 'REVERTED', same: 'REVERTED' });
  });

  for (const [what, make] of Object.entries<(failing: any) => any>({
    'a flow': (failing) => linear('f', failing).with({ retry: times(Number.POSITIVE_INFINITY) }),
    'a task': (failing) => linear('f', failing.with({ retry: times(Number.POSITIVE_INFINITY) })),
  })) {
    test(`while ${what} is tried again without end, the event loop turns, and an abort ends it`, async () => {
      const controller = new AbortController();
      let attempts = 0;
      const failing = task({
        name: 'failing',
        execute() {
          if (++attempts === 10) setTimeout(() => controller.abort(), 1);
          throw new Error('Woot!');
        },
      });
      const engine = load(make(failing), { ...options, signal: controller.signal });
      assert.is((await rejection(engine.run())).code, 'ABORT_ERR');
      assert.ok(attempts >= 10);
      assert.is(engine.state, 'REVERTED');
    });
  }

  test('each attempt is made in the context of whoever has called run()', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const failing = task({
      name: 'failing',
      execute() {
        seen.push(storage.getStore());
        throw new Error('Woot!');
      },
      revert: () => void seen.push(storage.getStore()),
    });
    const delayed = retry({
      execute: () => void seen.push(storage.getStore()),
      onFailure(history) {
        seen.push(storage.getStore());
        return history.length < 3 ? { retryAfter: history.length - 1 } : 'REVERT';
      },
    });
    await storage.run('mine', () => rejection(run(linear('f', failing).with({ retry: delayed }), {}, options)));
    assert.equal(seen, new Array(12).fill('mine'));
  });
});

once.run();
