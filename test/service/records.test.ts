import { inspect } from 'node:util';
import { ArgumentError, isMillraceError, ServiceError } from 'millrace';
import {
  beginTask,
  failTask,
  isFinal,
  newTask,
  succeedTask,
  type TaskRecord,
  type TaskStatus,
  TRANSITIONS,
} from 'millrace/service';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const HOUR = 3_600_000;

/** A task in each status. */
function tasks(): Record<TaskStatus, TaskRecord> {
  const pending = newTask('resize', { path: 'a.png' }, { owner: 'ann' });
  const processing = beginTask(pending, 'here');
  return {
    pending,
    processing,
    success: succeedTask(processing, { url: '/a' }, 1),
    failure: failTask(processing, 'No such file', 1),
  };
}

/** How a task gets into each status, except the one that it starts with. */
const ways: Partial<Record<TaskStatus, (task: TaskRecord) => TaskRecord>> = {
  processing: (task) => beginTask(task, 'there'),
  success: (task) => succeedTask(task, { url: '/b' }, 2),
  failure: (task) => failTask(task, 'Broken', 2),
};

function thrownBy(body: () => unknown): any {
  try {
    body();
  } catch (error) {
    return error;
  }
  return assert.unreachable('it was expected to throw');
}

const refusal = (value: unknown): ServiceError => {
  const error = thrownBy(() => newTask('resize', value));
  assert.instance(error, ServiceError);
  assert.is(error.code, 'ERR_MILLRACE_NOT_JSON');
  assert.type(error.id, 'string');
  return error;
};

test('a new task is pending, belongs to nobody, and has come to nothing yet', () => {
  const before = Date.now();
  const { id, createdAt, updatedAt, ...rest } = newTask('resize');
  assert.match(id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  assert.equal(createdAt, updatedAt);
  assert.ok(createdAt.getTime() >= before && createdAt.getTime() <= Date.now());
  assert.equal(rest, {
    ...{ type: 'resize', status: 'pending', owner: null, expiresAt: null },
    ...{ input: null, result: null, message: '', holder: null, recorded: false },
  });
});

test('a new task has an id of its own, its input and its owner', () => {
  const [one, two] = [newTask('resize', { path: 'a' }, { owner: 'ann' }), newTask('resize', [1], { owner: 'bob' })];
  assert.is.not(one.id, two.id);
  assert.equal([one.input, one.owner, two.input, two.owner], [{ path: 'a' }, 'ann', [1], 'bob']);
});

test('the type and the owner of a task are strings of 1 to 255 characters', () => {
  for (const wrong of ['', 'x'.repeat(256), 'a\0b', 5, null, {}, ['resize'], Symbol('resize')]) {
    const type = thrownBy(() => newTask(wrong as string));
    assert.instance(type, ArgumentError);
    assert.match(type.message, /^The type of a task must be a string of 1 to 255 characters; received /);
    const owner = thrownBy(() => newTask('resize', null, { owner: wrong as string }));
    assert.instance(owner, ArgumentError);
    assert.match(owner.message, /^The owner of a task must be a string of 1 to 255 characters; received /);
  }
  assert.throws(() => newTask(undefined as never), 'received undefined');
  assert.is(newTask('x'.repeat(255), null, { owner: 'y'.repeat(255) }).owner?.length, 255);
  assert.is(newTask('größer 😀').type, 'größer 😀');
});

for (const from of ['pending', 'processing', 'success', 'failure'] as const) {
  for (const [to, move] of Object.entries(ways) as [TaskStatus, (task: TaskRecord) => TaskRecord][]) {
    if (TRANSITIONS[from].includes(to)) {
      test(`a task may go from ${from} to ${to}`, () => {
        assert.is(move(tasks()[from]).status, to);
      });
    } else {
      test(`a task may not go from ${from} to ${to}, and stays as it was`, () => {
        const task = tasks()[from];
        const before = inspect(task, { depth: 9 });
        const error = thrownBy(() => move(task));
        assert.instance(error, ServiceError);
        assert.ok(isMillraceError(error));
        assert.is(error.code, 'ERR_MILLRACE_ILLEGAL_TRANSITION');
        assert.is((error as ServiceError).id, task.id);
        assert.match(error.message, `status cannot change from '${from}' to '${to}'; what may follow is `);
        assert.is(inspect(task, { depth: 9 }), before);
      });
    }
  }
}

test('the transitions are those of the contract, and a pending task may fail without being processed', () => {
  assert.equal(TRANSITIONS, {
    pending: ['processing', 'failure'],
    processing: ['success', 'failure'],
    success: [],
    failure: [],
  });
  assert.equal(
    Object.keys(TRANSITIONS).map((status) => isFinal(status as TaskStatus)),
    [false, false, true, true],
  );
});

test('an illegal transition is reported before its result is looked at', () => {
  const error = thrownBy(() => succeedTask(tasks().failure, 1n, 1));
  assert.is(error.code, 'ERR_MILLRACE_ILLEGAL_TRANSITION');
  assert.match(error.message, 'what may follow is nothing, as it has ended');
});

test('each transition makes a new value, and leaves the old one as it was', () => {
  const { pending, processing, success, failure } = tasks();
  assert.equal([pending.status, pending.holder, pending.expiresAt], ['pending', null, null]);
  assert.equal([processing.status, processing.holder, processing.result], ['processing', 'here', null]);
  assert.equal([success.result, success.message, success.holder], [{ url: '/a' }, '', null]);
  assert.equal([failure.result, failure.message, failure.holder], [null, 'No such file', null]);
  for (const task of [processing, success, failure]) {
    assert.equal([task.id, task.type, task.owner], [pending.id, 'resize', 'ann']);
    assert.equal([task.input, task.createdAt], [{ path: 'a.png' }, pending.createdAt]);
    assert.ok(task.updatedAt >= pending.updatedAt);
  }
});

test('a task cannot be changed', () => {
  for (const task of Object.values(tasks())) {
    assert.ok(Object.isFrozen(task));
    assert.throws(() => Object.assign(task, { status: 'success' }), TypeError);
  }
});

test('what a task has as its input or result does not change with what it was made of', () => {
  const input = { list: [1] };
  const task = newTask('resize', input);
  input.list.push(2);
  assert.equal(task.input, { list: [1] });
  const result = { list: [1] };
  const ended = succeedTask(beginTask(task, 'here'), result, 1);
  result.list.push(2);
  assert.equal(ended.result, { list: [1] });
});

test('a task expires so many hours after it has ended, well or not', () => {
  for (const [hours, ms] of [
    [48, 48 * HOUR],
    [1, HOUR],
    [0.5, HOUR / 2],
    [0, 0],
    [1e6, 1e6 * HOUR],
  ]) {
    const { processing } = tasks();
    for (const task of [succeedTask(processing, null, hours), failTask(processing, 'x', hours)]) {
      assert.is(task.expiresAt!.getTime() - task.updatedAt.getTime(), ms);
    }
  }
});

test('a task that is kept for longer than any date can say never expires', () => {
  const { processing } = tasks();
  for (const hours of [Number.POSITIVE_INFINITY, Number.MAX_VALUE, 1e12]) {
    assert.is(succeedTask(processing, null, hours).expiresAt, null);
    assert.is(failTask(processing, 'x', hours).expiresAt, null);
  }
});

test('a task that has not ended has no time at which it expires', () => {
  const { pending, processing } = tasks();
  assert.equal([pending.expiresAt, processing.expiresAt], [null, null]);
});

test('a message is kept up to 8,192 characters', () => {
  const { processing } = tasks();
  const fitting = 'é'.repeat(8192);
  assert.is(failTask(processing, fitting, 1).message, fitting);
  const { message } = failTask(processing, `${fitting}!`, 1);
  assert.is(message.length, 8192);
  assert.is(message.at(-1), '…');
});

test('a message has nothing that a database does not take: no NUL, and no half characters', () => {
  const { processing } = tasks();
  assert.is(failTask(processing, 'a\0b\ud800c 😀', 1).message, 'a\uFFFDb\uFFFDc 😀');
  const { message } = failTask(processing, 'a'.repeat(8190) + '😀'.repeat(9), 1);
  assert.ok(message.length <= 8192);
  assert.ok(Buffer.from(message).toString() === message);
});

test('a message is text, whatever it is made of', () => {
  const { processing } = tasks();
  assert.is(failTask(processing, undefined as never, 1).message, 'undefined');
  assert.is(failTask(processing, '', 1).message, '');
});

test('what JSON can say is kept as it is', () => {
  for (const value of [
    null,
    true,
    0,
    -1.5,
    '',
    'a\0\ud800😀',
    [],
    {},
    [[], {}],
    { 'a key': { __proto__: null, list: [1, 'two', null, false] } },
    Object.create(null),
  ]) {
    assert.equal(newTask('resize', value).input, JSON.parse(JSON.stringify(value)));
  }
});

test('a key of __proto__ is a key like others, and changes nothing else', () => {
  const { input } = newTask('resize', JSON.parse('{ "__proto__": { "admin": true } }')) as any;
  assert.ok(Object.hasOwn(input, '__proto__'));
  assert.is(input.admin, undefined);
  assert.is(Object.getPrototypeOf(input), Object.prototype);
});

test('nothing at all is null', () => {
  assert.is(newTask('resize', undefined).input, null);
  assert.is(succeedTask(tasks().processing, undefined, 1).result, null);
});

test('an undefined property is left out, and toJSON() is heeded', () => {
  const when = new Date(0);
  const money = { toJSON: () => ({ cents: 5 }) };
  assert.equal(newTask('resize', { gone: undefined, when, url: new URL('file:///a'), money }).input, {
    when: when.toISOString(),
    url: 'file:///a',
    money: { cents: 5 },
  });
});

class Pixels {}

for (const [value, problem] of [
  [() => 1, 'a function'],
  [Symbol('s'), 'a symbol'],
  [1n, 'a bigint'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
  [new Map([[1, 2]]), 'an instance of Map'],
  [new Set(), 'an instance of Set'],
  [new Uint8Array(2), 'an instance of Uint8Array'],
  [new Error('x'), 'an instance of Error'],
  [new Pixels(), 'an instance of Pixels'],
  [Promise.resolve(), 'an instance of Promise'],
  [Object.create(Object.create(Object.create(null))), 'an instance of a class'],
] as const) {
  test(`${problem} is no JSON, and the refusal says where it is`, () => {
    assert.is(refusal(value).message, `The input of a 'resize' task must be JSON: ${problem} at its top`);
    assert.match(refusal({ a: [{ here: value }] }).message, `${problem} at property 'here'`);
    assert.match(refusal([value]).message, `${problem} at property '0'`);
  });
}

test('a long key is shortened in the refusal', () => {
  const { message } = refusal({ ['k'.repeat(5000)]: 1n });
  assert.ok(message.length < 300);
  assert.match(message, "kkk…'");
});

test('a circle is no JSON', () => {
  const circle: Record<string, unknown> = {};
  circle.self = { circle };
  assert.match(refusal(circle).message, /must be JSON: Converting circular structure to JSON$/);
  const cell: unknown[] = [];
  cell.push(cell);
  refusal(cell);
});

test('what is nested too deeply is refused', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 200_000; i++) deep = [deep];
  assert.match(refusal(deep).message, 'it is nested too deeply');
});

test('what throws when it is read is refused, with the reason', () => {
  const getter = {
    get path() {
      throw new RangeError('no path');
    },
  };
  const method = {
    toJSON() {
      throw new TypeError('not today\nsecond line');
    },
  };
  refusal(getter);
  const error = refusal({ method });
  assert.match(error.message, /must be JSON: not today$/);
  assert.instance(error.cause, TypeError);
  for (const thrown of [undefined, 'text', null]) {
    const odd = {
      toJSON() {
        throw thrown;
      },
    };
    refusal(odd);
  }
});

test('what is larger than 16 Mi characters is refused, with what to do instead', () => {
  const size = 16 * 1024 ** 2;
  assert.is((newTask('resize', 'x'.repeat(size - 2)).input as string).length, size - 2);
  const { message } = refusal('x'.repeat(size - 1));
  assert.match(
    message,
    `it has ${size + 1} characters, and ${size} are allowed; put it into a file and name that here`,
  );
});

test('a result is checked as an input is, and the task can still fail', () => {
  const { processing } = tasks();
  const error = thrownBy(() => succeedTask(processing, { at: new Map() }, 1));
  assert.is(error.code, 'ERR_MILLRACE_NOT_JSON');
  assert.is(error.id, processing.id);
  assert.is(
    error.message,
    `The result of 'resize' task ${processing.id} must be JSON: an instance of Map at property 'at'`,
  );
  assert.is(failTask(processing, 'x', 1).status, 'failure');
});

test.run();
