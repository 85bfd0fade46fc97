import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RunError } from '../../src/errors.js';
import { decodeError, encodeError, markFailed } from '../../src/wire/index.js';

const property = (object: object, key: string) => Object.getOwnPropertyDescriptor(object, key);

test('an error keeps its identity and names its task, hidden from enumeration', () => {
  const error = new TypeError('boom');
  const { stack } = error;
  assert.is(markFailed(error, 'resize', 'thumbnails'), error);
  assert.is(property(error, 'task')?.value, 'resize');
  assert.is(property(error, 'code')?.value, 'ERR_MILLRACE_TASK_FAILED');
  assert.equal(Object.keys(error), []);
  assert.is(error.stack, `${stack}\n    at task resize (flow thumbnails)`);
});

test('an error from another realm is marked as well', () => {
  const error = runInNewContext('new TypeError("boom")');
  assert.is(markFailed(error, 'a', 'f'), error);
  assert.is(error.task, 'a');
});

test('the code and the task that an error has are kept, its own or those of its class', () => {
  class HttpError extends Error {
    get code() {
      return 404;
    }
  }
  const own = Object.assign(new Error('boom'), { code: undefined, task: 'theirs' });
  markFailed(own, 'a', 'f');
  assert.equal({ ...own }, { code: undefined, task: 'theirs' });
  const inherited = new HttpError('boom');
  markFailed(inherited, 'a', 'f');
  assert.is(inherited.code, 404);
  assert.is((markFailed(new DOMException('boom', 'AbortError'), 'a', 'f') as Error & { code: unknown }).code, 20);
});

test('an error that fails twice is marked once, and keeps the first task', () => {
  const error = markFailed(new Error('boom'), 'inner', 'f');
  const { stack } = error;
  markFailed(error, 'inner', 'f');
  markFailed(error, 'outer', 'g');
  assert.is(error.stack, stack);
  assert.is((error as Error & { task?: string }).task, 'inner');
  const arrived = markFailed(decodeError(encodeError(error), 'Error\n    at main.js:1:1'), 'outer', 'g');
  assert.is(arrived.stack?.match(/at task/g)?.length, 1);
});

test('a stack frame of a function called task does not count as a mark', () => {
  const error = new Error('boom');
  error.stack = 'Error: boom\n    at task (file.js:1:1)';
  markFailed(error, 'a', 'f');
  assert.ok(error.stack.endsWith('\n    at task a (flow f)'));
});

test('a name with line breaks takes one line of the stack', () => {
  const error = markFailed(new Error('boom'), 'a\nb', 'f\n');
  assert.ok(error.stack?.endsWith('\n    at task a b (flow f )'));
  const { stack } = error;
  assert.is(markFailed(error, 'a\nb', 'f\n').stack, stack);
});

test('an error that cannot be extended is returned untouched', () => {
  for (const close of [Object.freeze, Object.seal, Object.preventExtensions]) {
    const error = close(new Error('boom')) as Error;
    const before = Object.getOwnPropertyDescriptors(error);
    assert.is(markFailed(error, 'a', 'f'), error);
    assert.equal(Object.getOwnPropertyDescriptors(error), before);
  }
});

test('anything else that was thrown becomes the cause of a RunError that names the task', () => {
  const cases: [unknown, string][] = [
    ['boom', 'a string ("boom")'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ message: 'boom' }, 'an object'],
    [Symbol('s'), 'a symbol (Symbol(s))'],
  ];
  for (const [thrown, text] of cases) {
    const error = markFailed(thrown, 'x', 'f') as RunError;
    assert.instance(error, RunError);
    assert.is(error.code, 'ERR_MILLRACE_NON_ERROR_THROWN');
    assert.is(error.message, `Task 'x' threw ${text} instead of an Error`);
    assert.is(error.cause, thrown);
    assert.ok('cause' in error);
    assert.is(error.task, 'x');
  }
});

test('marking never throws', () => {
  const refuse = () => {
    throw new RangeError('refused');
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  assert.instance(markFailed(revoked.proxy, 'a', 'f'), RunError);
  for (const trap of ['get', 'has', 'getPrototypeOf', 'isExtensible', 'defineProperty']) {
    const proxy = new Proxy(new Error('boom'), { [trap]: refuse });
    const marked = markFailed(proxy, 'a', 'f');
    assert.ok(marked === proxy || marked.cause === proxy, trap);
  }
  const unreadable = Object.defineProperty(new Error('boom'), 'stack', { get: refuse });
  assert.is(markFailed(unreadable, 'a', 'f'), unreadable);
  const fixed = Object.defineProperty(new Error('boom'), 'stack', {
    value: 'fixed',
    writable: false,
    configurable: false,
  });
  assert.is(markFailed(fixed, 'a', 'f').stack, 'fixed');
});

test.run();
