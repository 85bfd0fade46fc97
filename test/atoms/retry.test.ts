/** Retries alone: the history that they are given, and what they decide. */
import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  alwaysRevertAll as alwaysRevertAllOf,
  alwaysRevert as alwaysRevertOf,
  type Controller,
  type Decision,
  Failure,
  forEach as forEachOf,
  History,
  parameterizedForEach as parameterizedForEachOf,
  RetryAtom,
  retry as retryOf,
  task as taskOf,
  times as timesOf,
  verdict,
} from '../../src/atoms/index.js';

type Make = (...args: any[]) => RetryAtom['origin'];

// As JavaScript calls them.
const times = timesOf as unknown as Make;
const forEach = forEachOf as unknown as Make;
const parameterizedForEach = parameterizedForEachOf as unknown as Make;
const alwaysRevert = alwaysRevertOf as unknown as Make;
const alwaysRevertAll = alwaysRevertAllOf as unknown as Make;
const retry = retryOf as unknown as Make;
const task = taskOf as unknown as (options: object) => any;

const execute = () => {};
const failure = (error: Error = new Error('Woot!'), name = 't') => new Failure(name, error);
/** A history of as many attempts as there are values, in each of which a task has failed. */
const historyOf = (values: unknown[], error?: Error) =>
  new History(values.map((value) => ({ value, failures: { t: failure(error) } })));

/** What a controller makes of one failure after the other, as long as it tries again: the values of its attempts. */
function valuesOf({ controller }: { controller: Controller }, args: object = {}): { values: unknown[]; end: string } {
  const values: unknown[] = [];
  for (;;) {
    values.push(controller.execute(historyOf(values), args));
    const { kind } = verdict(controller, 'r', historyOf(values), args);
    if (kind !== 'RETRY') return { values, end: kind };
  }
}

const decisionOf = (one: { controller: Controller }, attempts = 1, error?: Error) =>
  verdict(one.controller, 'r', historyOf(Array(attempts).fill(undefined), error), {});

/** What a call throws, which must be an argument error whose message matches. */
function refuses(call: () => unknown, message: RegExp): void {
  assert.throws(call, (error: any) => {
    assert.is(error.code, 'ERR_MILLRACE_INVALID_ARG');
    assert.instance(error, TypeError);
    assert.match(error.message, message);
    return true;
  });
}

test('times() counts its attempts from 1, and then gives up', () => {
  assert.equal(valuesOf(times(3)), { values: [1, 2, 3], end: 'REVERT' });
  assert.equal(valuesOf(times(3, { revertAll: true })), { values: [1, 2, 3], end: 'REVERT_ALL' });
});

test('times() tries once, if nothing is said, and also if 0 is said', () => {
  for (const one of [times(), times(1), times(0)]) assert.equal(valuesOf(one), { values: [1], end: 'REVERT' });
});

test('times(Infinity) never gives up', () => {
  assert.is(decisionOf(times(Number.POSITIVE_INFINITY), 10_000).kind, 'RETRY');
});

test('forEach() tries each value of a list in order, those that it has twice as well', () => {
  assert.equal(valuesOf(forEach(['a', 'b', 'a'])), { values: ['a', 'b', 'a'], end: 'REVERT' });
  assert.equal(valuesOf(forEach(new Set([3, 2]), { revertAll: true })), { values: [3, 2], end: 'REVERT_ALL' });
  assert.equal(valuesOf(forEach([undefined, null, Number.NaN])).values, [undefined, null, Number.NaN]);
});

test('forEach() takes the values as they are when it is called', () => {
  const values = ['a', 'b'];
  const one = forEach(values);
  values.length = 0;
  assert.equal(valuesOf(one).values, ['a', 'b']);
});

test('forEach() can take what can be walked once, for any number of flows', () => {
  const one = forEach(
    (function* () {
      yield* [1, 2];
    })(),
  );
  for (let i = 0; i < 2; i++) assert.equal(valuesOf(one).values, [1, 2]);
});

test('a list without values has no attempt', () => {
  for (const one of [forEach([]), forEach(new Set())]) {
    assert.throws(
      () => one.controller.execute(new History([]), {}),
      (error: any) => error.code === 'ERR_MILLRACE_NO_ATTEMPT' && /No elements left/.test(error.message),
    );
  }
});

test('parameterizedForEach() tries each value of the list that it is given', () => {
  const one = parameterizedForEach({ values: 'directory', provides: 'number' });
  assert.equal(valuesOf(one, { values: ['a', 'b'] }), { values: ['a', 'b'], end: 'REVERT' });
  assert.equal(valuesOf(one, { values: new Set([1]) }), { values: [1], end: 'REVERT' });
  refuses(
    () => one.controller.execute(new History([]), { values: 'abc' }),
    /'directory' must be an array or another iterable; received a string \("abc"\)/,
  );
});

test('parameterizedForEach() goes on with what is left when the list has changed', () => {
  const { controller } = parameterizedForEach({ values: 'directory' });
  const next = (values: unknown[], tried: unknown[]) => controller.execute(historyOf(tried), { values });
  assert.is(next(['c', 'b', 'a'], ['a', 'b']), 'c');
  assert.is(next(['a', 'a', 'b'], ['b', 'a']), 'a');
  assert.is(next(['b'], ['a', 'c']), 'b');
  assert.equal(next([{ host: 'a' }, { host: 'b' }], [{ host: 'a' }]), { host: 'b' }); // equal, and another object
  assert.is(verdict(controller, 'r', historyOf(['b', 'a']), { values: ['a', 'b'] }).kind, 'REVERT');
});

test('the last of 10,000 values is tried, too', () => {
  const values = Array.from({ length: 10_000 }, (_, i) => i);
  const attempts = values.slice(0, -1).map((value) => ({ value, failures: {} }));
  assert.is(forEach(values).controller.execute(new History(attempts), {}), 9999);
});

test('alwaysRevert() and alwaysRevertAll() never try again', () => {
  assert.equal(valuesOf(alwaysRevert()), { values: [undefined], end: 'REVERT' });
  assert.equal(valuesOf(alwaysRevertAll({ name: 'all' })), { values: [undefined], end: 'REVERT_ALL' });
});

test('the next attempt follows at once, if nothing else is said', () => {
  assert.equal(decisionOf(times(3)), { kind: 'RETRY', after: 0 });
});

test('the delay grows by its factor, up to its maximum', () => {
  const one = times(100, { delay: 100, backoff: 2, maxDelay: 500 });
  assert.equal(
    [1, 2, 3, 4, 50].map((attempts) => decisionOf(one, attempts).after),
    [100, 200, 400, 500, 500],
  );
  const constant = forEach(Array(100).fill('a'), { delay: 50 });
  const after = verdict(constant.controller, 'r', historyOf(['a', 'a']), {}).after;
  assert.is(after, 50);
});

test('a delay is never longer than a timer can wait, nor is it no number', () => {
  const longest = 2 ** 31 - 1;
  assert.is(decisionOf(times(Infinity, { delay: 1, backoff: 10 }), 5000).after, longest);
  assert.is(decisionOf(times(Infinity, { delay: 0, backoff: 10 }), 5000).after, 0);
  assert.is(decisionOf(retry({ onFailure: () => ({ retryAfter: Infinity }) })).after, longest);
});

test('with jitter a delay is between half of it and all of it', () => {
  const one = times(3, { delay: 100, jitter: true });
  const delays = Array.from({ length: 200 }, () => decisionOf(one).after);
  assert.ok(delays.every((delay) => delay >= 50 && delay <= 100));
  assert.ok(new Set(delays).size > 1);
});

test('what retryIf says no to is not tried again', () => {
  const asked: unknown[] = [];
  const retryIf = (error: Error) => {
    asked.push(error.message);
    return !(error instanceof RangeError);
  };
  for (const [options, end] of [
    [{}, 'REVERT'],
    [{ revertAll: true }, 'REVERT_ALL'],
  ] as const) {
    const one = times(3, { retryIf, delay: 5, ...options });
    assert.equal(decisionOf(one, 1, new Error('a')), { kind: 'RETRY', after: 5 });
    assert.equal(decisionOf(one, 1, new RangeError('b')), { kind: end, after: 0 });
  }
  assert.equal(asked, ['a', 'b', 'a', 'b']);
});

test('retryIf is asked about all that failed in the last attempt, and not about earlier ones', () => {
  const one = times(5, { retryIf: (error: Error) => error.message !== 'no' });
  const ask = (...attempts: string[][]) =>
    verdict(
      one.controller,
      'r',
      new History(
        attempts.map((messages) => ({
          value: 1,
          failures: Object.fromEntries(messages.map((message, i) => [`t${i}`, failure(new Error(message), `t${i}`)])),
        })),
      ),
      {},
    ).kind;
  assert.is(ask(['no'], ['yes']), 'RETRY');
  assert.is(ask(['yes', 'no']), 'REVERT');
  assert.is(ask(['yes', 'yes']), 'RETRY');
});

test('retryIf has to answer, and what it throws comes out', () => {
  const bad = times(3, { name: 'r', retryIf: async () => true });
  assert.throws(
    () => decisionOf(bad),
    (error: any) =>
      error.code === 'ERR_MILLRACE_BAD_DECISION' &&
      error.message === "Retry 'r': retryIf must return true or false; received a promise",
  );
  const nameless = forEach([1, 2], { retryIf: () => 1 });
  assert.throws(
    () => decisionOf(nameless),
    (error: any) =>
      error.task === undefined && error.message.startsWith('forEach(): retryIf must return true or false'),
  );
  const throwing = times(3, {
    retryIf() {
      throw new RangeError('cannot tell');
    },
  });
  assert.throws(() => decisionOf(throwing), /^cannot tell$/);
});

test('a retry of your own decides by its history and its arguments', () => {
  const { controller } = retry({
    requires: 'limit',
    execute: (history: History) => `attempt ${history.length}`,
    onFailure: (history: History, { limit }: { limit: number }): Decision =>
      history.length < limit ? { retryAfter: history.length * 10 } : 'REVERT_ALL',
  });
  assert.is(controller.execute(historyOf([1]), { limit: 3 }), 'attempt 1');
  assert.equal(verdict(controller, 'r', historyOf([1, 2]), { limit: 3 }), { kind: 'RETRY', after: 20 });
  assert.equal(verdict(controller, 'r', historyOf([1, 2, 3]), { limit: 3 }), { kind: 'REVERT_ALL', after: 0 });
});

test('a retry of your own has no value, if it does not say how to make one', () => {
  const { controller } = retry({ onFailure: () => 'REVERT' });
  assert.is(controller.execute(new History([]), {}), undefined);
  assert.is(controller.revert, undefined);
});

const nonsense: [unknown, string][] = [
  ...([
    [undefined, 'undefined'],
    [true, 'a boolean (true)'],
    ['retry', 'a string ("retry")'],
    [{}, 'an object'],
  ] as [unknown, string][]),
  ...([
    [{ retryAfter: -1 }, 'an object'],
    [{ retryAfter: Number.NaN }, 'an object'],
    [{ retryAfter: '5' }, 'an object'],
    [null, 'null'],
    ['toString', 'a string ("toString")'],
  ] as [unknown, string][]),
];
for (const [answer, shown] of nonsense) {
  test(`an answer that is none is refused: ${inspect(answer)}`, () => {
    assert.throws(
      () => decisionOf(retry({ onFailure: () => answer })),
      (error: any) => {
        assert.is(error.code, 'ERR_MILLRACE_BAD_DECISION');
        assert.is(error.task, 'r');
        assert.ok(error.message.startsWith("Retry 'r': onFailure must return 'RETRY'"), error.message);
        assert.ok(error.message.endsWith(`received ${shown}`), error.message);
        return true;
      },
    );
  });
}

test('a retry cannot wait for its decision; a promise that is rejected does no harm', async () => {
  for (const onFailure of [async () => 'RETRY', () => Promise.reject(new Error('late'))]) {
    assert.throws(() => decisionOf(retry({ onFailure })), /received a promise$/);
  }
  await new Promise((resolve) => setImmediate(resolve)); // an unhandled rejection would end the process here
});

test('what onFailure throws comes out', () => {
  const onFailure = () => {
    throw new RangeError('OMG');
  };
  assert.throws(() => decisionOf(retry({ onFailure })), /^OMG$/);
});

test('a history is a list of attempts', () => {
  const empty = new History([]);
  assert.is(empty.length, 0);
  assert.is(empty.last, undefined);
  assert.is(empty.at(0), undefined);
  const history = historyOf(['a', 'b']);
  assert.is(history.length, 2);
  assert.equal(
    [...history].map(({ value }) => value),
    ['a', 'b'],
  );
  assert.is(history.at(0)?.value, 'a');
  assert.is(history.at(-1)?.value, 'b');
  assert.is(history.last?.value, 'b');
  assert.is(history.last?.failures.t.message, 'Woot!');
  assert.is(history.failure, undefined);
});

test('a history does not change with the list that it was made of', () => {
  const attempts = [{ value: 1, failures: {} }];
  const history = new History(attempts);
  attempts.push({ value: 2, failures: {} });
  assert.is(history.length, 1);
});

test('a history tells whether something was caused by a kind of error', () => {
  const own = failure(new SyntaxError('own'), 'r');
  const attempts = [new RangeError('a'), Object.assign(new Error('b'), { code: 'ECONNRESET' })].map((error) => ({
    value: undefined,
    failures: { t: failure(error) },
  }));
  const history = new History(attempts, own);
  assert.is(history.causedBy(RangeError), true);
  assert.is(history.causedBy('RangeError'), true);
  assert.is(history.causedBy('ECONNRESET'), true);
  assert.is(history.causedBy(TypeError), false);
  assert.is(history.causedBy(RangeError, { attempt: 0 }), true);
  assert.is(history.causedBy(RangeError, { attempt: -1 }), false);
  assert.is(history.causedBy(Error, { attempt: 7 }), false);
  assert.is(history.causedBy(SyntaxError), false);
  assert.is(history.causedBy(SyntaxError, { includeRetry: true }), true);
  refuses(() => new History([]).causedBy(7 as any), /a kind of error must be a class, a name or a code/);
});

test('a history prints with its attempts', () => {
  assert.match(inspect(historyOf([1])), /^History \(1 attempt\) \[/);
  assert.match(inspect(new History([], failure())), /^History \(0 attempts, Failure: Error: Woot!\) \[\]$/);
});

const makers: [string, (options: unknown) => unknown][] = [
  ['times()', (options) => times(3, options)],
  ['forEach()', (options) => forEach([1], options)],
  ['parameterizedForEach()', (options) => parameterizedForEach(options)],
  ['alwaysRevert()', (options) => alwaysRevert(options)],
  ['alwaysRevertAll()', (options) => alwaysRevertAll(options)],
  ['retry()', (options) => retry(options)],
];
for (const [name, make] of makers) {
  const start = name.replace(/[()]/g, '\\$&');

  test(`${name} takes an object with options that there are`, () => {
    refuses(() => make(null), RegExp(`^${start}: options must be an object; received null`));
    refuses(() => make([]), RegExp(`^${start}: options must be an object; received an array`));
    refuses(() => make({ naem: 'r' }), RegExp(`^${start}: unknown option 'naem'; the options are `));
  });

  test(`the name of ${name} is a line that is not empty`, () => {
    for (const wrong of ['', 7, null, 'a\nb']) {
      refuses(
        () => make({ name: wrong }),
        RegExp(`^${start}: name must be a string of one line, not empty; received `),
      );
    }
  });
}

test('how often is an integer, 0 or above', () => {
  for (const wrong of [-1, 1.5, Number.NaN, '3', null, {}]) {
    refuses(() => times(wrong), /^times\(\): the number of attempts must be an integer, at least 0; received /);
  }
});

test('values are an array or another iterable', () => {
  for (const wrong of [undefined, null, 7, 'abc', {}]) {
    refuses(() => forEach(wrong), /^forEach\(\): the values must be an array or another iterable; received /);
  }
  for (const wrong of [undefined, '', ['a']]) {
    refuses(() => parameterizedForEach({ values: wrong }), /: values must be the name of a list; received /);
  }
});

test('the pace is made of numbers', () => {
  const wrong: [string, unknown[]][] = [
    ['delay', [-1, Infinity, Number.NaN, '5', null]],
    ['backoff', [0, -1, Infinity, '2']],
    ['maxDelay', [-1, Number.NaN, '5']],
    ['jitter', [1, 'yes']],
    ['retryIf', [true, 'Error']],
    ['revertAll', [1, null]],
  ];
  for (const [option, values] of wrong) {
    for (const value of values) {
      for (const make of [(options: object) => times(3, options), (options: object) => forEach([1], options)]) {
        refuses(() => make({ [option]: value }), RegExp(`: ${option} must be .*; received `));
        refuses(() => make({ name: 'r', [option]: value }), RegExp(`^Retry 'r': ${option} must be .*; received `));
      }
    }
  }
});

test('a retry of your own is made of functions', () => {
  refuses(() => retry({}), /^retry\(\): onFailure must be a function; received undefined$/);
  const onFailure = () => 'REVERT';
  refuses(
    () => retry({ name: 'r', onFailure, execute: 1 }),
    /^Retry 'r': execute must be a function; received a number/,
  );
  refuses(() => retry({ onFailure, revert: {} }), /: revert must be a function; received an object/);
  refuses(
    () => retry({ onFailure, inject: [1] }),
    /: inject must be an object, one property a constant; received an array/,
  );
});

test('what a retry requires and provides is checked where it is made', () => {
  const onFailure = () => 'REVERT';
  refuses(() => retry({ onFailure, requires: 7 }), /^retry\(\): requires must be a name or a list of names; received/);
  refuses(
    () => retry({ name: 'r', onFailure, rebind: { a: 'b' } }),
    /^Retry 'r': rebind names 'a', which is not among/,
  );
  refuses(() => times(3, { provides: 7 }), /^times\(3\): provides must be a name/);
  refuses(() => forEach([1], { provides: '' }), /^forEach\(\): provides must be a non-empty string/);
});

test('a task can have a retry, and may fail, and so can its copies', () => {
  const plain = task({ name: 't', execute });
  assert.equal([plain.retry, plain.mayFail, plain.controller], [undefined, false, undefined]);
  const [three, two] = [times(3), times(2)];
  const one = task({ name: 't', retry: three, mayFail: true, execute });
  assert.is(one.retry, three.controller);
  assert.is(one.mayFail, true);
  const copy = one.with({ name: 'copy' });
  assert.is(copy.retry, three.controller);
  assert.is(copy.mayFail, true);
  assert.is(one.with({ retry: two }).retry, two.controller);
  assert.is(one.with({ retry: two }).mayFail, true);
  assert.is(one.with({ mayFail: false }).mayFail, false);
  assert.is(one.with({ mayFail: false }).retry, three.controller);
  assert.is(plain.with({ retry: two }).retry, two.controller);
  assert.is(plain.retry, undefined);
});

test('a task takes no other retry, and mayFail is a boolean', () => {
  for (const wrong of [null, 3, {}, () => {}, 'times']) {
    const message = /^Task 't': retry must be made by times\(\), forEach\(\), retry\(\) or the like; received /;
    refuses(() => task({ name: 't', execute, retry: wrong }), message);
    refuses(() => task({ name: 't', execute }).with({ name: 't', retry: wrong }), message);
  }
  for (const wrong of [null, 1, 'yes']) {
    refuses(() => task({ name: 't', execute, mayFail: wrong }), /^Task 't': mayFail must be a boolean; received /);
  }
});

test('the retry of a task can neither require nor provide anything', () => {
  const onFailure = () => 'REVERT';
  const wrong = [
    times(3, { provides: 'n' }),
    forEach([1], { provides: ['a'] }),
    parameterizedForEach({ values: 'directory' }),
    ...[{ requires: 'a' }, { optional: 'a' }, { inject: { a: 1 } }, { provides: new Set(['a']) }].map((wiring) =>
      retry({ onFailure, ...wiring }),
    ),
  ];
  for (const one of wrong) {
    refuses(() => task({ name: 't', execute, retry: one }), /^Task 't': .*put the task into a flow with that retry$/);
  }
  for (const one of [times(3), forEach([1, 2]), alwaysRevert(), alwaysRevertAll(), retry({ onFailure, name: 'r' })]) {
    assert.is(task({ name: 't', execute, retry: one }).retry, one.controller);
  }
});

test('one retry can be given to any number of flows, and is called after each', () => {
  const one = parameterizedForEach({ values: 'directory', provides: 'number' });
  const [a, b] = [new RetryAtom(one, 'a'), new RetryAtom(one, 'b')];
  assert.equal([a.name, b.name], ['a_retry', 'b_retry']);
  assert.is(a.controller, b.controller);
  assert.equal([a.travels, a.mapping.sources, a.provision.names], [false, ['directory'], ['number']]);
  assert.is(new RetryAtom(times(3, { name: 'own' }), 'a').name, 'own');
});

test('a task with a retry, and a retry, say so when they are printed', () => {
  assert.is(
    inspect(task({ name: 't', execute, retry: times(3), mayFail: true })),
    "Task 't' (local; retries; may fail)",
  );
  const one = new RetryAtom(parameterizedForEach({ values: 'list', provides: 'n' }), 'f');
  assert.is(inspect(one), "Retry 'f_retry' (parameterizedForEach(); requires list as values; provides n)");
  const own = retry({ onFailure: () => 'REVERT', revert() {}, inject: { secret: 'hidden' } });
  assert.is(inspect(new RetryAtom(own, 'f')), "Retry 'f_retry' (retry(); injects secret; reverts)");
});

test.run();
