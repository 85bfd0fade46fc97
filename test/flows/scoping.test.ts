/** Whose value a task is given when several provide it, or when some cannot be seen. */
import { type FlowItem, graph, linear, load, run, unordered } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import { look, pass } from '../fixtures/atoms/small.js';

/** Provides `x`, with its own name as the value. */
const gives = (name: string) => pass.with({ name, inject: { value: name }, provides: 'x' });
/** Requires `x` and provides it, under its own name. */
const needs = (name: string) => pass.with({ name, rebind: { value: 'x' }, provides: name });
/** As `needs`, but does without when there is none: `nothing`. */
const likes = (name: string) => look.with({ name, rebind: { seen: 'x' }, provides: name });

overEveryEngine((test, options) => {
  /** Checks which `x` some tasks were given, by their names. */
  async function sees(flow: FlowItem, expected: Record<string, string>, inputs: object = {}): Promise<void> {
    const result: Record<string, unknown> = await run(flow as any, inputs, options);
    assert.equal(Object.fromEntries(Object.keys(expected).map((name) => [name, result[name]])), expected);
  }

  test('in a linear flow the nearest earlier provider counts', async () => {
    const flow = linear('flow', needs('s'), gives('a'), needs('t'), gives('b'), needs('u'), likes('v'));
    await sees(flow, { s: 'input', t: 'input', u: 'input', v: 'input' }, { x: 'input' });
    await sees(linear('flow', gives('a'), needs('t'), gives('b'), needs('u'), likes('v')), { t: 'a', u: 'b', v: 'b' });
  });

  test('a task that provides what it requires hands on another value than it was given', async () => {
    const step = (name: string) => pass.with({ name, rebind: { value: 'x' }, provides: 'x' });
    const first = pass.with({ name: 'first', rebind: { value: 'source' }, provides: 'x' });
    await sees(linear('flow', first, step('a'), step('b'), needs('t')), { t: 'S' }, { source: 'S' });
  });

  test('an input hides what tasks provide, for all of them', async () => {
    const flow = linear('flow', gives('a'), needs('t'), gives('b'), likes('u'));
    await sees(flow, { t: 'input', u: 'input' }, { x: 'input' });
  });

  test('an input that is undefined hides as well', async () => {
    await sees(linear('flow', gives('a'), likes('t')), { t: 'nothing' }, { x: undefined });
  });

  test('an input hides what a task provides, yet the flow provides it', async () => {
    const engine = load(linear('flow', gives('a'), needs('t')), { ...options, inputs: { x: 'input' } });
    assert.equal(await engine.run(), { x: 'a', t: 'input' });
    assert.is(engine.storage.fetch('x'), 'input');
    assert.equal(engine.storage.fetchAll(), { x: ['input', 'a'], t: 'input' });
  });

  test('a flow provides what runs last', async () => {
    const flow = linear('flow', gives('a'), linear('inner', gives('b')), gives('c'));
    assert.equal(await run(flow, {}, options), { x: 'c' });
  });

  test('a provider in the own flow shadows one of the flow around', async () => {
    const flow = linear('flow', gives('a'), linear('inner', needs('s'), gives('b'), needs('t')), needs('u'));
    await sees(flow, { s: 'a', t: 'b', u: 'b' });
  });

  test('what a nested flow provides is seen after it', async () => {
    const flow = linear('flow', linear('inner', linear('innermost', gives('a'))), needs('t'));
    await sees(flow, { t: 'a' });
  });

  test('of a nested flow the provider that runs last counts', async () => {
    await sees(linear('flow', linear('inner', gives('a'), gives('b')), needs('t')), { t: 'b' });
    await sees(linear('flow', unordered('inner', gives('a'), gives('b')), needs('t')), { t: 'b' });
  });

  test('of an unordered flow the provider of the lowest priority runs last, wherever it runs', async () => {
    const [a, b] = [gives('a').with({ priority: -1 }), gives('b')];
    await sees(linear('flow', unordered('inner', a, b), needs('t')), { t: 'a' });
    assert.is((await run(unordered('flow', a, b), {}, options)).x, 'a');
  });

  test('a nested flow sees the flows around it, the nearest first', async () => {
    const inner = linear('inner', linear('innermost', needs('t')));
    await sees(linear('flow', gives('a'), linear('outer', gives('b'), inner)), { t: 'b' });
    await sees(linear('flow', gives('a'), linear('outer', gives('b')), linear('other', inner)), { t: 'b' });
  });

  test('siblings in an unordered flow do not see each other', async () => {
    const flow = linear('flow', gives('a'), unordered('inner', gives('b'), needs('t'), likes('u'), gives('c')));
    await sees(flow, { t: 'a', u: 'a' });
    await sees(unordered('flow', gives('b'), likes('u')), { u: 'nothing' });
  });

  test('flows in an unordered flow do not see each other', async () => {
    const flow = unordered('flow', linear('left', gives('a'), needs('t')), linear('right', likes('u'), gives('b')));
    await sees(flow, { t: 'a', u: 'nothing' });
  });

  test('in a graph what is required is seen, in whichever order it is written', async () => {
    await sees(graph('flow', needs('t'), gives('a')), { t: 'a' });
    await sees(graph('flow', linear('inner', needs('t')), unordered('other', gives('a'))), { t: 'a' });
  });

  test('in a graph a sibling that is not linked is invisible to an optional argument', async () => {
    await sees(graph('flow', gives('a'), likes('t')), { t: 'nothing' });
    await sees(linear('flow', gives('a'), graph('inner', gives('b'), likes('t'))), { t: 'a' });
  });

  test('in a graph an optional argument is taken from what is linked before', async () => {
    const [a, b, t] = [gives('a'), gives('b'), likes('t')];
    await sees(graph('flow', a, b, t).link(a, t), { t: 'a' });
    await sees(graph('flow', t, a, b).link(b, t), { t: 'b' });
    await sees(graph('flow', a, b, t).link(t, a), { t: 'nothing' });
  });

  test('in a graph an optional argument is taken from the last of what is linked before', async () => {
    const [a, b, t] = [gives('a'), gives('b'), likes('t')];
    await sees(graph('flow', a, b, t).link(a, b).link(b, t), { t: 'b' });
    await sees(graph('flow', a, b, t).link(b, a).link(a, t), { t: 'a' });
    await sees(graph('flow', a, b, t).link(a, t).link(b, t).link(b, a), { t: 'a' });
  });

  test('in a graph an optional argument is taken from what is before for another reason', async () => {
    const between = pass.with({ name: 'between', inject: { value: 'y' }, provides: 'y' });
    const a = gives('a');
    const t = look.with({ name: 't', rebind: { seen: 'x' }, provides: 't' });
    await sees(graph('flow', t, between, a).link(a, between).link(between, t), { t: 'a' });
  });

  test('an optional argument makes no order', async () => {
    await sees(graph('flow', likes('t'), gives('a')), { t: 'nothing' });
    const [left, right] = [
      look.with({ name: 'left', rebind: { seen: 'right' }, provides: 'left' }),
      look.with({ name: 'right', rebind: { seen: 'left' }, provides: 'right' }),
    ];
    await sees(graph('flow', left, right), { left: 'nothing', right: 'nothing' });
  });

  test('an optional argument is taken from nothing that comes after', async () => {
    await sees(linear('flow', likes('t'), gives('a')), { t: 'nothing' });
    await sees(linear('flow', gives('a'), likes('t'), gives('b')), { t: 'a' });
  });

  test('in a graph a provider in the own nested flow goes before siblings', async () => {
    const flow = graph('flow', gives('a'), linear('inner', gives('b'), needs('t')));
    await sees(flow, { t: 'b' });
  });

  test('graph, linear and unordered flows may stand in each other', async () => {
    const flow = linear(
      'flow',
      gives('a'),
      graph(
        'graph',
        linear('second', needs('t'), unordered('inner', gives('c'), needs('u'), likes('v')), needs('w')),
        gives('b'),
      ),
      needs('z'),
    );
    await sees(flow, { t: 'b', u: 'b', v: 'b', w: 'c', z: 'c' });
  });

  test('the order in which items of a graph are written does not matter', async () => {
    const add = (name: string, from: [string, string], to: string) =>
      pass.with({ name, rebind: { value: from[0] }, inject: { also: from[1] } as object, provides: to });
    const items = [
      add('1', ['a', ''], 'b'),
      add('2', ['b', ''], 'c'),
      add('3', ['c', ''], 'd'),
      add('4', ['d', ''], 'e'),
    ];
    for (const order of [items, items.toReversed(), [items[2], items[0], items[3], items[1]]]) {
      assert.equal(await run(graph('flow', order as FlowItem[]) as any, { a: 'A' }, options), {
        ...{ b: 'A', c: 'A', d: 'A', e: 'A' },
      });
    }
  });
});

test.run();
