/** Copies of flows, with other names and with retries. */
import { inspect } from 'node:util';
import { ArgumentError, type FlowItem, graph, linear, load, retry, run, task, times, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const [a, b] = ['a', 'b'].map((name) => task({ name, execute: () => {} }));
const patterns: ((name: string, ...items: any[]) => any)[] = [linear as any, unordered as any, graph as any];
const shown = (flow: unknown) => inspect(flow).split('\n');

for (const make of patterns) {
  const { kind } = make('flow');

  test(`a copy has another name or a retry, and the flow stays as it is (${kind})`, () => {
    const flow = make('flow', a, b);
    const copy = flow.with({ name: 'copy', retry: times(3) });
    assert.equal([copy.name, copy.kind, copy.length, [...copy]], ['copy', kind, 2, [a, b]]);
    assert.is(shown(copy)[1], "├─ Retry 'copy_retry' (times(3))");
    assert.equal([flow.name, shown(flow).length], ['flow', 3]);
  });

  test(`what is not said anew stays (${kind})`, () => {
    const flow = make('flow', a, b).with({ retry: times(3) });
    assert.equal(shown(flow.with({})), shown(flow));
    assert.equal(shown(flow.with({ name: undefined, retry: undefined })), shown(flow));
    assert.is(shown(flow.with({ retry: times(4) }))[1], "├─ Retry 'flow_retry' (times(4))");
    assert.is(flow.with({ retry: times(4) }).name, 'flow');
  });

  test(`a retry is called after its flow, unless it has a name of its own (${kind})`, () => {
    const flow = make('flow', a).with({ retry: times(3) });
    assert.is(shown(flow.with({ name: 'copy' }))[1], "├─ Retry 'copy_retry' (times(3))");
    const own = flow.with({ retry: times(3, { name: 'own' }) });
    assert.is(shown(own.with({ name: 'copy' }))[1], "├─ Retry 'own' (times(3))");
  });

  test(`an empty flow shows its retry (${kind})`, () => {
    assert.equal(shown(make('flow').with({ retry: times(2, { provides: 'n' }) })), [
      `Flow 'flow' (${kind}, empty)`,
      "└─ Retry 'flow_retry' (times(2); provides n)",
    ]);
  });

  test(`wrong options of a copy are refused (${kind})`, () => {
    const refuses = (overrides: unknown, message: RegExp) =>
      assert.throws(
        () => make('flow').with(overrides),
        (error: unknown) => error instanceof ArgumentError && message.test(error.message),
      );
    refuses(undefined, /^\w+\('flow'\)\.with\(\): the options must be an object; received undefined$/);
    refuses([], /the options must be an object; received an array/);
    refuses({ nmae: 'a' }, /: unknown option 'nmae'; the options are name, retry, onVersionChange$/);
    refuses({ name: '' }, /: name must be a string, not empty; received a string \(""\)/);
    refuses({ retry: null }, /: retry must be made by times\(\), forEach\(\), retry\(\) or the like; received null/);
    refuses({ retry: a }, /: retry must be made by/);
    refuses({ retry: 3 }, /: retry must be made by/);
  });
}

test('a graph keeps its links in a copy, and its retry when it is linked', () => {
  const flow = graph('flow', a, b)
    .link(b, a)
    .with({ retry: times(3) });
  assert.match(shown(flow)[0], /links b -> a/);
  const again = graph('flow', a, b)
    .with({ name: 'copy', retry: times(3) })
    .link(b, a);
  assert.match(shown(again)[0], /^Flow 'copy' \(graph, 2 items; links b -> a\)$/);
  assert.is(shown(again)[1], "├─ Retry 'copy_retry' (times(3))");
});

test('a retry is neither a task nor a flow', async () => {
  const refuses = async (call: () => unknown, message: RegExp) => {
    const error: any = await (async () => call())().then(
      () => assert.unreachable(),
      (error) => error,
    );
    assert.is(error.code, 'ERR_MILLRACE_NOT_A_FLOW');
    assert.match(error.message, message);
  };
  const own = retry({ onFailure: () => 'REVERT' });
  for (const make of patterns) {
    for (const one of [times(3), own, make('inner').with({ retry: own }).retry]) {
      await refuses(() => make('flow', a, one), /item 1 must be a task or a flow; received a retry, .*flow\.with\(/);
      await refuses(() => make('flow', [one]), /item 0 must be a task or a flow; received a retry/);
    }
  }
  const asFlow = times(3) as unknown as FlowItem;
  await refuses(() => run(asFlow as any), /^Expected a flow, .*; received a retry, .*flow\.with\(/);
  await refuses(() => load(asFlow).compile(), /received a retry/);
});

test('the retry of a flow may require what the flow is given', () => {
  const needy = retry({ requires: 'limit', onFailure: () => 'REVERT' });
  const flow = linear('flow', a).with({ retry: needy });
  load(flow, { inputs: { limit: 1 } }).validate();
  assert.throws(
    () => load(flow as any).validate(),
    (error: any) =>
      error.code === 'ERR_MILLRACE_MISSING_INPUT' && /requires 'limit' \(for task 'flow_retry'\)/.test(error.message),
  );
});

test.run();
