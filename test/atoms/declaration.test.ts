import { inspect } from 'node:util';
import { ArgumentError, type FlowItem, run, task } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const execute = () => {};
const define = task as (...args: unknown[]) => any;

/** What a call throws, which must be an argument error whose message matches. */
function refuses(call: () => unknown, message: RegExp, about?: string): void {
  try {
    call();
  } catch (error) {
    assert.instance(error, ArgumentError);
    assert.instance(error, TypeError);
    assert.is((error as ArgumentError).name, 'ArgumentError');
    assert.is((error as ArgumentError).code, 'ERR_MILLRACE_INVALID_ARG');
    assert.match((error as ArgumentError).message, message);
    if (about !== undefined) assert.is((error as ArgumentError).task, about);
    return;
  }
  assert.unreachable(`accepted, where this was expected: ${message}`);
}

test('a task needs options, a name and a function', () => {
  refuses(() => define(), /options must be an object; received undefined/);
  refuses(() => define('t'), /options must be an object; received a string \("t"\)/);
  refuses(() => define([]), /options must be an object; received an array/);
  refuses(() => define({ execute }), /name/);
  refuses(() => define({ name: '', execute }), /name must be a.*string.*; received a string \(""\)/);
  refuses(() => define({ name: 7, execute }), /name must be a.*string.*; received a number \(7\)/);
  refuses(() => define({ name: 't' }), /'t': execute must be a function; received undefined/, 't');
  refuses(() => define({ name: 't', execute: 'run' }), /'t': execute must be a function; received a string/, 't');
  refuses(() => define({ name: 't', execute, revert: {} }), /'t': revert must be a function; received an object/, 't');
});

test('an option that there is not is named, with those that there are', () => {
  refuses(() => define({ name: 't', execute, require: 'x' }), /'t': unknown option 'require'; .*requires/);
});

test('names are strings that are not empty', () => {
  for (const option of ['requires', 'optional', 'provides']) {
    refuses(
      () => define({ name: 't', execute, [option]: 7 }),
      RegExp(`'t': ${option} must be .*; received a number`),
      't',
    );
    refuses(() => define({ name: 't', execute, [option]: '' }), RegExp(`'t': ${option} must be `), 't');
    refuses(() => define({ name: 't', execute, [option]: ['a', null] }), RegExp(`'t': ${option}\\[1\\] must be `), 't');
    refuses(
      () => define({ name: 't', execute, [option]: { a: 'b' } }),
      RegExp(`'t': ${option} must be .*an object`),
      't',
    );
    refuses(() => define({ name: 't', execute, [option]: null }), RegExp(`'t': ${option} must be .*null`), 't');
    refuses(() => define({ name: 't', execute, [option]: '__proto__' }), RegExp(`'t': ${option} must be `), 't');
  }
});

test('what is said for revert is checked as it is for execute', () => {
  const revert = () => {};
  const wrong = (options: object, message: RegExp) =>
    refuses(() => define({ name: 't', requires: 'a', execute, revert, ...options }), message, 't');
  wrong({ revertRequires: 7 }, /'t': revertRequires must be .*; received a number/);
  wrong({ revertOptional: ['b', 'b'] }, /'t': revertOptional names 'b' twice/);
  wrong({ revertRebind: { b: 'c' } }, /'t': revertRebind names 'b', which is not among its arguments \(a\)/);
  wrong({ revertRequires: 'b', revertRebind: { a: 'c' } }, /'t': revertRebind names 'a', .* \(b\)/);
  wrong({ revertRebind: ['x', 'y'] }, /'t': revertRebind has 2 names for 1 arguments \(a\)/);
  wrong({ revertRebind: 7 }, /'t': revertRebind must be an object or a list of names; received a number/);
  const one = define({ name: 't', execute, revert });
  refuses(() => one.with({ revertRequires: 'a' }), /revertRequires belongs to the task's code/);
  refuses(() => one.with({ revertOptional: 'a' }), /revertOptional belongs to the task's code/);
});

test('a list names nothing twice', () => {
  for (const option of ['requires', 'optional', 'provides']) {
    refuses(() => define({ name: 't', execute, [option]: ['a', 'b', 'a'] }), RegExp(`${option} names 'a' twice`), 't');
  }
});

test('a name that is both required and optional is required', async () => {
  const both = task({
    name: 'both',
    requires: 'a',
    optional: ['a', 'b'],
    execute: (args: object) => Object.keys(args),
  });
  const error = await run(both as any, {}, { engine: 'serial' }).catch((error) => error);
  assert.is(error.code, 'ERR_MILLRACE_MISSING_INPUT');
});

test('rebind is an object or a list, of arguments that there are', () => {
  const options = { name: 't', execute, requires: ['a', 'b'] };
  refuses(() => define({ ...options, rebind: 'x' }), /rebind must be an object or a list of names; received a string/);
  refuses(() => define({ ...options, rebind: 7 }), /rebind must be an object or a list of names; received a number/);
  refuses(() => define({ ...options, rebind: null }), /rebind must be an object or a list of names; received null/);
  refuses(() => define({ ...options, rebind: ['x', 'y', 'z'] }), /rebind has 3 names for 2 arguments \(a, b\)/, 't');
  refuses(
    () => define({ ...options, rebind: { c: 'x' } }),
    /rebind names 'c', which is not among its arguments \(a, b\)/,
  );
  refuses(() => define({ ...options, rebind: { a: 1 } }), /rebind\.a must be a non-empty string; received a number/);
  refuses(() => define({ ...options, rebind: ['x', ''] }), /rebind\[1\] must be a non-empty string/);
  refuses(() => define({ name: 't', execute, rebind: ['x'] }), /rebind has 1 names for 0 arguments \(none\)/);
});

test('inject is an object', () => {
  refuses(() => define({ name: 't', execute, inject: 'x' }), /inject must be an object.*; received a string/);
  refuses(() => define({ name: 't', execute, inject: ['x'] }), /inject must be an object.*; received an array/);
  refuses(() => define({ name: 't', execute, inject: null }), /inject must be an object.*; received null/);
});

test('a priority is a finite number', () => {
  for (const priority of ['1', Number.NaN, Number.POSITIVE_INFINITY, null, 1n]) {
    refuses(() => define({ name: 't', execute, priority }), /'t': priority must be a finite number/);
  }
});

test('a timeout is a number above zero', () => {
  for (const timeout of ['1', Number.NaN, 0, -1, null]) {
    refuses(() => define({ name: 't', execute, timeout }), /'t': timeout must be a number of milliseconds above 0/);
  }
});

test('the module of a travelling task is a URL or an absolute path', () => {
  for (const module of [undefined, 7, 'tasks.js', './tasks.js', {}]) {
    refuses(
      () => define(module, { name: 't', execute }),
      /'t': the first argument must be the URL of the task's module/,
      't',
    );
  }
});

test('a module defines a task of one name once', () => {
  const module = 'file:///twice.js';
  const first = define(module, { name: 'twice', execute });
  refuses(
    () => define(module, { name: 'twice', execute }),
    /'twice' is defined twice in file:\/\/\/twice\.js/,
    'twice',
  );
  refuses(() => define(new URL(module), { name: 'twice', execute }), /'twice' is defined twice/);
  refuses(() => define('/twice.js', { name: 'twice', execute }), /'twice' is defined twice/);
  define('file:///other.js', { name: 'twice', execute });
  define({ name: 'twice', execute });
  assert.is(first.with({ name: 'copy' }).name, 'copy');
});

test('a task that is refused is not defined', () => {
  const module = 'file:///refused.js';
  refuses(() => define(module, { name: 't', execute, provides: 7 }), /provides/);
  assert.is(define(module, { name: 't', execute }).name, 't');
});

test('a copy cannot change the code of a task, nor what the code asks for', () => {
  const original = define({ name: 't', execute, requires: 'a' });
  for (const option of ['requires', 'optional', 'execute', 'revert']) {
    refuses(() => original.with({ [option]: 'b' }), RegExp(`${option} belongs to the task's code`));
  }
});

test('the options of a copy are checked like those of a task', () => {
  const original = define({ name: 't', execute, requires: 'a' });
  refuses(() => original.with(), /with\(\): options must be an object; received undefined/);
  refuses(() => original.with({ names: 'x' }), /unknown option 'names'/);
  refuses(() => original.with({ name: '' }), /name must be a.*string/);
  refuses(() => original.with({ name: 'copy', rebind: { b: 'x' } }), /'copy': rebind names 'b'/, 'copy');
  refuses(() => original.with({ name: 'copy', provides: 7 }), /'copy': provides must be/, 'copy');
  refuses(() => original.with({ name: 'copy', inject: 7 }), /'copy': inject must be an object/);
  refuses(() => original.with({ priority: Number.NaN }), /priority must be a finite number/);
  refuses(() => original.with({ timeout: 0 }), /timeout must be a number of milliseconds/);
});

test('a copy leaves the original as it was', async () => {
  const original = task({
    ...{ name: 'original', requires: 'a', provides: 'out' },
    execute: ({ a }: { a: string }, { name }) => `${name}: ${a}`,
  });
  const copy = original.with({ name: 'copy', rebind: { a: 'b' }, provides: 'other' });
  const copyOfCopy: FlowItem = copy.with({ name: 'second copy', inject: { a: 'injected' } });
  const inputs = { a: 'A', b: 'B' };
  assert.equal(await run(original, inputs, { engine: 'serial' }), { out: 'original: A' });
  assert.equal(await run(copy, inputs, { engine: 'serial' }), { other: 'copy: B' });
  assert.equal(await run(copyOfCopy, {}, { engine: 'serial' }), { other: 'second copy: injected' });
});

test('changing what was passed does not change the task', async () => {
  const requires = ['a'];
  const inject: Record<string, unknown> = { b: 1 };
  const provides = ['x'];
  const options = { name: 't', requires, inject, provides, execute: (args: object) => [JSON.stringify(args)] };
  const made = define(options);
  requires.push('c');
  inject.b = 2;
  provides[0] = 'y';
  options.name = 'other';
  assert.is(made.name, 't');
  assert.equal(await run(made, { a: 0 }, { engine: 'serial' }), { x: '{"a":0,"b":1}' });
  assert.equal(await run(made.with({ name: 'copy' }), { a: 0 }, { engine: 'serial' }), { x: '{"a":0,"b":1}' });
});

test('a task shows its name, where it runs, and its names', () => {
  const options = { name: 't', requires: ['a', 'b'], optional: 'c', provides: new Set(['d', 'e']), execute };
  assert.is(inspect(define(options)), "Task 't' (local; requires a, b; optional c; provides d, e)");
  assert.is(inspect(define('file:///shown.js', { name: 't', execute })), "Task 't' (travels)");
});

test.run();
