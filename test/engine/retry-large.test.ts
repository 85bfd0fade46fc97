/** Retries over many tasks, in many flows, deep down, and many times. */
import { load, run, times } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { counters, graph, linear, overEveryKind, unordered } from './trying.js';

overEveryKind((test, options, { five, flaky, woot }, _concurrent, kind) => {
  if (kind === 'travelling' && options.engine === 'serial') return; // in a serial run all tasks are local
  // Reverts and failures travel one by one.
  const [size, attempts] = kind === 'local' ? [10_000, 1000] : [1000, 100];

  const many = Array.from({ length: size }, (_, i) => five.with({ name: `t${i}`, provides: `t${i}` }));

  for (const make of [linear, unordered, graph]) {
    test(`a ${make('f').kind} flow of thousands of tasks is tried again`, async () => {
      const counts = counters();
      const last = flaky.with({ name: 'last', provides: 'n', inject: { counts, at: 0, failures: 1 } });
      const item = linear('f', make('many', many), last).with({ retry: times(2) });
      const engine = load(item, options);
      const result: any = await engine.run();
      assert.is(result.n, 2);
      assert.is(Object.keys(result).length, size + 1);
      assert.equal([...counts.slice(0, 2)], [2, 1]);
      assert.equal([...new Set(Object.values(engine.storage.getTaskStates()))], ['SUCCESS']);
    });
  }

  test('thousands of tasks that fail once are all tried again, each by itself', async () => {
    const counts = counters(size);
    const retry = times(2);
    const item = unordered(
      'u',
      Array.from({ length: size }, (_, i) =>
        flaky.with({ name: `t${i}`, inject: { counts, at: 2 * i, failures: 1 }, retry }),
      ),
    );
    const engine = load(item, options);
    await engine.run();
    assert.is(engine.state, 'SUCCESS');
    assert.ok(counts.every((count, i) => count === (i % 2 === 0 ? 2 : 1)));
  });

  test('hundreds of flows side by side are all tried again, each by itself', async () => {
    const flows = size / 10;
    const counts = counters(flows);
    const retry = times(2);
    const item = unordered(
      'u',
      Array.from({ length: flows }, (_, i) =>
        linear(`f${i}`, flaky.with({ name: `t${i}`, inject: { counts, at: 2 * i, failures: 1 } })).with({ retry }),
      ),
    );
    await run(item, {}, options);
    assert.ok(counts.every((count, i) => count === (i % 2 === 0 ? 2 : 1)));
  });

  test('1,000 flows within each other are asked one after the other, and the outermost tries again', async () => {
    const counts = counters();
    let item = flaky.with({ inject: { counts, at: 0, failures: 1 } });
    for (let i = 0; i < 1000; i++) item = linear(`f${i}`, item).with({ retry: times(1) });
    const engine = load(linear('outer', item).with({ retry: times(2) }), options);
    await engine.run();
    assert.equal([...counts.slice(0, 2)], [2, 1]);
    assert.is(engine.storage.getRetryHistory('outer_retry').length, 2);
    assert.is(engine.storage.getRetryHistory('f500_retry').length, 1);
  });

  test('hundreds of attempts of one flow are made one after the other', async () => {
    const counts = counters();
    const item = linear('f', five, flaky.with({ provides: 'n', inject: { counts, at: 0, failures: attempts - 1 } }));
    const engine = load(item.with({ retry: times(attempts) }), options);
    assert.equal(await engine.run(), { five: 5, n: attempts });
    assert.is(engine.storage.getRetryHistory('f_retry').length, attempts);
  });

  test('hundreds of attempts of one task are made one after the other', async () => {
    const counts = counters();
    const tried = flaky.with({
      provides: 'n',
      inject: { counts, at: 0, failures: attempts - 1 },
      retry: times(attempts),
    });
    assert.equal(await run(linear('f', tried), {}, options), { n: attempts });
  });

  test('thousands of tasks that may fail, and do, stop nothing', async () => {
    const item = linear(
      'f',
      unordered(
        'u',
        Array.from({ length: size }, (_, i) => woot.with({ name: `t${i}`, mayFail: true })),
      ),
      five,
    );
    const engine = load(item, options);
    assert.equal(await engine.run(), { five: 5 });
    assert.is(Object.keys(engine.storage.getExecuteFailures()).length, size);
  });
});

once.run();
