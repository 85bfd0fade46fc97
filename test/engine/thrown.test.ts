import { linear, load, run, task } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { local } from '../fixtures/engine/tasks.js';
import * as throwing from '../fixtures/engine/throws.js';
import { rejection } from './capture.js';
import { overEveryKind } from './kinds.js';

const { thrown, strange, goodResults, badResults } = throwing;

overEveryKind((test, options, tasks) => {
  const kit = tasks === local ? throwing.local : throwing.travelling;

  for (const one of [kit.throws, kit.throwsLater]) {
    for (const [what, make] of Object.entries(thrown)) {
      test(`${what} comes out whole, with a code, and names its task (${one.name})`, async () => {
        const original = make() as any;
        const error = await rejection(run(one, { what }, options));
        assert.instance(error, Error);
        assert.is(error.task, one.name);
        assert.is(error.code, original.code ?? 'ERR_MILLRACE_TASK_FAILED');
        assert.is(error.name, original.name);
        assert.is(error.message, original.message);
        assert.is(error.constructor.name, original.constructor.name);
        assert.is(error.free, original.free);
        assert.is(error.cause?.message, original.cause?.message);
        assert.is(error.cause?.cause, original.cause?.cause);
        assert.equal(error.errors?.map(String), original.errors?.map(String));
        assert.is(error.errors?.[1].code, original.errors?.[1].code);
      });
    }

    for (const what of Object.keys(strange)) {
      test(`${what} instead of an error becomes one that has a code and names its task (${one.name})`, async () => {
        const error = await rejection(run(one, { what }, options));
        assert.is(error.name, 'RunError');
        assert.is(error.code, 'ERR_MILLRACE_NON_ERROR_THROWN');
        assert.is(error.task, one.name);
        assert.ok(error.message.includes(`Task '${one.name}' threw`), error.message);
      });
    }
  }

  for (const [what, value] of Object.entries({ 'a string': 'Woot!', undefined, null: null, 'a number': 0 })) {
    test(`what was thrown instead of an error is the cause: ${what}`, async () => {
      const error = await rejection(run(kit.throws, { what }, options));
      assert.ok('cause' in error);
      assert.is(error.cause, value);
    });
  }

  test('a frozen error comes out, and the storage tells whose it is', async () => {
    const engine = load(kit.freezes, options);
    const error = await rejection(engine.run());
    assert.is(error.message, 'Woot!');
    assert.is(engine.storage.getExecuteFailures().freezes.error, error);
  });

  test('what a revert throws comes out in the same way', async () => {
    for (const what of ['an error', 'a string', 'a DOMException']) {
      const engine = load(linear('f', kit.revertThrows, tasks.woot), { ...options, inputs: { what } });
      const error = await rejection(engine.run());
      assert.is(error.task, 'revertThrows');
      assert.is.not(error.code, undefined);
      assert.match(error.message, 'Woot!');
      assert.is(engine.state, 'FAILURE');
    }
  });

  for (const how of Object.keys(goodResults)) {
    test(`a result is waited for: ${how}`, async () => {
      assert.equal(await run(kit.settles, { how }, options), { five: 5 });
    });
  }

  for (const how of Object.keys(badResults)) {
    test(`a result that cannot be waited for is a failure: ${how}`, async () => {
      const error = await rejection(run(kit.settles, { how }, options));
      assert.is(error.message, 'Woot!');
      assert.is(error.code, 'ERR_MILLRACE_TASK_FAILED');
      assert.is(error.task, 'settles');
    });
  }
});

overEveryEngine((test, options) => {
  for (const [what, make] of Object.entries(thrown)) {
    test(`of a local task the very error comes out that it threw: ${what}`, async () => {
      const error = make();
      assert.is(await rejection(run(throwing.local.rethrows, { error }, options)), error);
    });
  }

  test('of a local task the very error comes out even if it is frozen', async () => {
    const error = Object.freeze(new Error('Woot!'));
    assert.is(await rejection(run(throwing.local.rethrows, { error }, options)), error);
  });

  test('values that throw when they are read are a failure of the task that returned them', async () => {
    for (const result of [
      {
        get a() {
          throw new Error('Woot!');
        },
      },
      new Proxy(
        {},
        {
          get(_, key) {
            if (key === 'a') throw new Error('Woot!');
          },
        },
      ),
    ]) {
      const bad = task({ name: 'bad', provides: new Set(['a']), execute: () => result });
      const later = task({ name: 'later', provides: new Set(['a']), execute: async () => result });
      for (const one of [bad, later]) {
        const error = await rejection(run(one as never, {}, options));
        assert.is(error.message, 'Woot!');
        assert.is(error.task, one.name);
      }
    }
  });
});

once.run();
