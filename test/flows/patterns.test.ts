import { ArgumentError, FlowError, graph, linear, load, run, task, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const noop = task({ name: 'noop', execute: () => {} });
const [a, b, c] = ['a', 'b', 'c'].map((name) => noop.with({ name }));
const patterns: [string, (...args: any[]) => any][] = Object.entries({ linear, unordered, graph });

for (const [kind, make] of patterns) {
  test(`${kind}() keeps its name, its kind and its items in order`, () => {
    const flow = make('flow', a, b, c);
    assert.is(flow.name, 'flow');
    assert.is(flow.kind, kind);
    assert.is(flow.length, 3);
    assert.ok([...flow].every((item, i) => item === [a, b, c][i]));
  });

  test(`${kind}() takes items one by one, in lists, or both`, () => {
    assert.equal(
      [...make('flow', a, [b, c])].map(({ name }) => name),
      ['a', 'b', 'c'],
    );
    assert.is(make('flow', [a, b, c]).length, 3);
    assert.is(make('flow', []).length, 0);
    assert.is(make('flow').length, 0);
  });

  test(`${kind}() counts a nested flow as one item`, () => {
    assert.is(make('flow', a, linear('inner', b, c)).length, 2);
  });

  test(`${kind}() is not changed by changes of a list that it was given`, () => {
    const list = [a, b];
    const flow = make('flow', list);
    list.push(c);
    assert.is(flow.length, 2);
  });

  test(`${kind}() must have a name`, () => {
    for (const name of [undefined, '', 7, a]) {
      assert.throws(
        () => make(name, a),
        (error: Error) =>
          error instanceof ArgumentError &&
          error.message.startsWith(`${kind}(): the first argument must be the flow's name; received `),
      );
    }
  });

  test(`${kind}() says which item is neither a task nor a flow`, () => {
    const wrong: [unknown, string][] = [
      ...[
        [undefined, 'undefined'],
        [null, 'null'],
        ['b', 'a string ("b")'],
        [{}, 'an object'],
      ],
      ...[
        [() => {}, 'a function'],
        [Promise.resolve(), 'an instance of Promise'],
        [7, 'a number (7)'],
      ],
    ] as [unknown, string][];
    for (const [value, shown] of wrong) {
      assert.throws(
        () => make('flow', a, value),
        (error: Error) =>
          error instanceof FlowError &&
          error.code === 'ERR_MILLRACE_NOT_A_FLOW' &&
          error.message === `${kind}('flow'): item 1 must be a task or a flow; received ${shown}`,
      );
      assert.throws(() => make('flow', [a, b, value]), /item 2 must be a task or a flow/);
    }
  });
}

test('lists of items are not nested', () => {
  assert.throws(() => linear('flow', [[a]] as any), /item 0 must be a task or a flow; received an array/);
});

test('what is run must be a flow or a task', async () => {
  for (const wrong of ['flow', undefined, null, 7, {}, [a], () => a, Promise.resolve(a)]) {
    const error = await run(wrong as any, {}, { engine: 'serial' }).catch((error) => error);
    assert.instance(error, FlowError);
    assert.is(error.code, 'ERR_MILLRACE_NOT_A_FLOW');
    assert.match(
      error.message,
      /Expected a flow, made by linear\(\), unordered\(\) or graph\(\), or a task; received /,
    );
    assert.throws(
      () => load(wrong as any).compile(),
      (error: any) => error.code === 'ERR_MILLRACE_NOT_A_FLOW',
    );
  }
});

test('a lone task is a flow', async () => {
  assert.equal(await run(noop.with({ provides: 'x' }), {}, { engine: 'serial' }), { x: undefined });
});

test('link() makes another graph and leaves the first as it was', async () => {
  const order: string[] = [];
  const note = task({ name: 'note', execute: (_, { name }) => order.push(name) });
  const [x, y] = [note.with({ name: 'x' }), note.with({ name: 'y' })];
  const plain = graph('flow', x, y);
  const linked = plain.link(y, x);
  const otherwise = plain.link(x, y);
  assert.is.not(linked, plain);
  for (const flow of [plain, linked, otherwise]) await run(flow, {}, { engine: 'serial' });
  assert.is(order.join(), 'x,y,y,x,x,y');
});

test('link() refuses what is not an item of the graph, and says which end it is', () => {
  const inner = graph('inner', c);
  const flow = graph('flow', a, b, inner);
  const refused = (from: any, to: any, message: string) =>
    assert.throws(
      () => flow.link(from, to),
      (error: Error) => error instanceof ArgumentError && error.message === `graph('flow').link(): ${message}`,
    );
  refused(c, a, "cannot link from 'c', which is not an item of the graph");
  refused(a, c, "cannot link to 'c', which is not an item of the graph");
  refused(a, flow, "cannot link to 'flow', which is not an item of the graph");
  refused(a.with({ name: 'a' }), b, "cannot link from 'a', which is not an item of the graph");
  refused(undefined, a, 'cannot link from undefined, which is not an item of the graph');
  refused(a, null, 'cannot link to null, which is not an item of the graph');
  refused('a', b, 'cannot link from a string ("a"), which is not an item of the graph');
  flow.link(a, inner);
});

test('a link may be made twice', async () => {
  const flow = graph('flow', a, b).link(b, a).link(b, a);
  assert.equal(await run(flow, {}, { engine: 'serial' }), {});
});

test.run();
