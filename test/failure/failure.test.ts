import { inspect } from 'node:util';
import { AbortError, Failure, linear, load, RunError, run, task, WrappedFailure } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { rejection } from '../engine/capture.js';
import { overEveryEngine } from '../engines.js';
import { CardError, PaymentError, pays, refunds } from '../fixtures/failure/payments.js';

const failed = (error: Error, name = 't') => new Failure(name, error);
const thrownBy = (action: () => unknown): any => {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
};

overEveryEngine((test, options) => {
  const fail = async () => {
    const engine = load(linear('f', refunds, pays), options);
    const error = await rejection(engine.run());
    return {
      error,
      failure: engine.storage.getExecuteFailures().pays,
      told: engine.storage.getRevertResult('refunds'),
    };
  };

  test('a failure has the name, message and code of its error, and what led to it', async () => {
    const { failure } = await fail();
    assert.is(failure.task, 'pays');
    assert.is(failure.name, 'CardError');
    assert.is(failure.message, 'declined');
    assert.is(failure.code, 'E_CARD');
    assert.equal(
      failure.causes.map(({ message }) => message),
      ['no answer', 'no route'],
    );
  });

  test('a failure is checked by class, by a class above, by name and by code, wherever the task ran', async () => {
    const { failure } = await fail();
    assert.is(failure.check(RangeError, CardError), CardError);
    assert.is(failure.check(PaymentError), PaymentError);
    assert.is(failure.check(TypeError), TypeError);
    assert.is(failure.check('RangeError', 'PaymentError'), 'PaymentError');
    assert.is(failure.check('E_CARD'), 'E_CARD');
    assert.is(failure.check(RangeError, 'E_OTHER', 'Card'), undefined);
    assert.is(failure.check(), undefined);
  });

  test('a revert checks failures in the same way', async () => {
    assert.equal((await fail()).told, { byClass: true, byName: true, byCode: true, other: false, causes: 2 });
  });

  test('the error that a failure raises again is the one that comes out of the run', async () => {
    const { failure, error } = await fail();
    assert.is(
      thrownBy(() => failure.reraise()),
      error,
    );
  });

  test('a failure matches its copy in JSON, and that of another run', async () => {
    const { failure } = await fail();
    assert.ok(failure.matches(Failure.fromJSON(JSON.parse(JSON.stringify(failure)))));
    assert.ok(failure.matches((await fail()).failure));
  });
});

once('a class does not stand for another of the same name, unless the error has lost its own', () => {
  const { CardError: Other } = { CardError: class CardError extends TypeError {} };
  assert.is(failed(new CardError('x')).check(Other), undefined);
  assert.is(failed(new CardError('x')).check('CardError'), 'CardError');
  const rebuilt = Failure.fromJSON(failed(new CardError('x')).toJSON());
  assert.is(rebuilt.check(Other), Other);
});

once('a kind that is neither a class nor a name is refused', () => {
  for (const kind of [undefined, null, 5, {}]) {
    const error = thrownBy(() => failed(new Error('x')).check(kind as never));
    assert.is(error.code, 'ERR_MILLRACE_INVALID_ARG');
    assert.match(error.message, /must be a class, a name or a code/);
  }
});

once('errors that refuse to be looked at are of no kind', () => {
  const refusing = () => {
    throw new Error('no');
  };
  const proxy = new Proxy(new Error('x'), { get: refusing, getPrototypeOf: refusing });
  assert.is(failed(proxy).check(Error, 'Error'), undefined);
  assert.equal(failed(proxy).causes, []);
  assert.not.ok(failed(proxy).matches(failed(new Error('x'))));
});

once('a circle of causes is told once', () => {
  const [a, b] = [new Error('a'), new Error('b')];
  a.cause = b;
  b.cause = a;
  assert.equal(failed(a).causes, [b]);
  assert.ok(failed(a).matches(failed(a)));
  a.cause = a;
  assert.equal(failed(a).causes, []);
});

once('causes that are made up as one goes come to an end', () => {
  class Endless extends Error {
    override get cause() {
      return new Endless();
    }
  }
  assert.is(failed(new Endless()).causes.length, 100);
});

for (const [what, other] of Object.entries({
  'another task': new Failure('u', new TypeError('x')),
  'another message': failed(new TypeError('y')),
  'another class': failed(new Error('x')),
  'another code': failed(Object.assign(new TypeError('x'), { code: 'E' })),
  'another cause': failed(new TypeError('x', { cause: new Error('y') })),
  'an error': new TypeError('x'),
  nothing: undefined,
})) {
  once(`a failure does not match ${what}`, () => assert.not.ok(failed(new TypeError('x')).matches(other)));
}

once('failures of several errors match when each of these does', () => {
  const of = (...messages: string[]) =>
    failed(
      new AggregateError(
        messages.map((message) => new Error(message)),
        'x',
      ),
    );
  assert.ok(of('a', 'b').matches(of('a', 'b')));
  assert.not.ok(of('a', 'b').matches(of('a', 'c')));
  assert.not.ok(of('a', 'b').matches(of('a')));
});

once('no failure raises nothing, one raises its error, several raise a WrappedFailure', () => {
  const failures = ['a', 'b', 'c', 'd'].map((name) => failed(new Error(`Woot of ${name}!`), name));
  assert.is(Failure.reraiseIfAny([]), undefined);
  assert.is(
    thrownBy(() => Failure.reraiseIfAny(failures.slice(0, 1))),
    failures[0]!.error,
  );
  const error = thrownBy(() => Failure.reraiseIfAny(new Set(failures)));
  assert.instance(error, WrappedFailure);
  assert.equal(
    error.errors,
    failures.map((failure) => failure.error),
  );
  assert.match(error.message, /^4 tasks failed: 'a' \(Error: Woot of a!\), .*'c' \(.*\), 1 more$/);
});

once('a WrappedFailure tells the first kind that one of its errors is of', () => {
  const wrapped = new WrappedFailure([new RangeError('a'), new CardError('b')], 'x');
  assert.is(wrapped.check('E_NONE', TypeError, RangeError), RangeError);
  assert.is(wrapped.check(PaymentError), PaymentError);
  assert.is(wrapped.check(SyntaxError), undefined);
  assert.is(failed(wrapped).check(PaymentError), PaymentError);
  assert.is(failed(wrapped).check('WrappedFailure'), 'WrappedFailure');
});

once('a WrappedFailure gives its errors one by one, and those of one within in its place', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((message) => new Error(message));
  const inner = new WrappedFailure([b], 'inner');
  const wrapped = new WrappedFailure([a, inner, c], 'outer');
  assert.equal([...wrapped], [a, b, c]);
  assert.is(wrapped.errors[1], inner);
  inner.errors.push(wrapped);
  assert.equal([...wrapped], [a, b, c]);
});

once('a failure prints its task, and its error with stack and causes', () => {
  const text = inspect(failed(new CardError('declined', { cause: new RangeError('below') }), 'pays'));
  assert.match(text, /^Failure of task 'pays': CardError: declined\n {4}at /);
  assert.match(text, /\[cause\]: RangeError: below\n/);
  assert.is(inspect([failed(new Error('x'))], { depth: 0 }), "[ [Failure of task 't'] ]");
});

once('a failure of a flow that a task ran keeps all that failed in it', async () => {
  const outer = task({
    name: 'outer',
    execute: () =>
      Failure.reraiseIfAny([failed(new AbortError('a')), failed(new RunError('ERR_MILLRACE_CLOSED', 'b'))]),
  });
  const error = await rejection(run(outer, {}, { engine: 'serial' }));
  assert.is(error.check('ERR_MILLRACE_CLOSED'), 'ERR_MILLRACE_CLOSED');
});

once.run();
