import {
  ArgumentError,
  type Engine,
  FlowError,
  type FlowItem,
  graph,
  linear,
  load,
  task,
  times,
  unordered,
} from 'millrace';
import { toDot, toMermaid } from 'millrace/observe';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { overEveryEngine } from '../engines.js';
import fc from '../fast-check.js';
import { fail, none } from '../fixtures/atoms/small.js';
import { list } from '../plan/large-flows.js';
import { readDot, readMermaid } from './read-diagram.js';

const execute = () => {};
const named = (name: string) => task({ name, execute });
const decode = task({ name: 'decode', requires: ['path'], provides: 'pixels', execute: () => '' });
const thumb = task({ name: 'thumb', requires: ['pixels', 'width'], provides: 'small', execute: () => '' });
const count = task({ name: 'count', requires: ['pixels'], provides: 'colours', execute: () => 0 });
const save = task({ name: 'save', requires: ['small', 'colours', 'path'], execute });
const flow = linear('import', decode, unordered('derive', thumb, count), save);

const writers = Object.entries({ toDot, toMermaid });
const readers = { toDot: readDot, toMermaid: readMermaid };
const layer = (name: string, size: number) =>
  unordered(
    name,
    list(size, (i) => named(`${name}${i}`)),
  );

test('a flow in DOT', () => {
  assert.is(
    toDot(flow),
    `digraph {
  rankdir=TB;
  node [shape=box, style="rounded,filled", fillcolor=white];
  subgraph cluster_f0 {
    label="import (linear)";
    t0 [label="decode"];
    subgraph cluster_f1 {
      label="derive (unordered)";
      t1 [label="thumb"];
      t2 [label="count"];
    }
    t3 [label="save"];
  }
  t0 -> t1 [label="pixels"];
  t0 -> t2 [label="pixels"];
  t1 -> t3 [label="small"];
  t2 -> t3 [label="colours"];
}
`,
  );
});

test('a flow in Mermaid', () => {
  assert.is(
    toMermaid(flow, { direction: 'LR' }),
    `flowchart LR
  subgraph f0["import (linear)"]
    t0["decode"]
    subgraph f1["derive (unordered)"]
      t1["thumb"]
      t2["count"]
    end
    t3["save"]
  end
  t0 -->|"pixels"| t1
  t0 -->|"pixels"| t2
  t1 -->|"small"| t3
  t2 -->|"colours"| t3
`,
  );
});

test('an engine is drawn with the states of the flow and its tasks, in colours', async () => {
  const bad = task({ name: 'bad', execute: () => assert.unreachable(), revert: () => assert.unreachable() });
  const engine = load(linear('flow', named('a'), bad, named('b')), { engine: 'serial' });
  await engine.run().catch(() => {});
  assert.match(
    toDot(engine),
    `
    label="flow (linear): FAILURE";
    t0 [label="a\\nSUCCESS", fillcolor="#b2f2bb"];
    t1 [label="bad\\nREVERT_FAILURE", fillcolor="#ff6b6b"];
    t2 [label="b\\nPENDING", fillcolor="#f1f3f5"];
`,
  );
  assert.match(
    toMermaid(engine),
    `  subgraph f0["flow (linear)#58; FAILURE"]
    t0["a<br/>SUCCESS"]:::SUCCESS
    t1["bad<br/>REVERT_FAILURE"]:::REVERT_FAILURE
    t2["b<br/>PENDING"]:::PENDING
  end
  t0 --> t1
  t1 --> t2
  classDef SUCCESS fill:#b2f2bb,color:#000
  classDef REVERT_FAILURE fill:#ff6b6b,color:#000
  classDef PENDING fill:#f1f3f5,color:#000
`,
  );
});

overEveryEngine((test, options) => {
  test('the states drawn are those of the engine', async () => {
    const items = linear('inner', none.with({ name: 'first' }), fail.with({ name: 'second' }));
    const engine = load<any, any>(linear('flow', items, named('third')), options);
    for (const state of ['PENDING', 'REVERTED']) {
      for (const [name, write] of writers) {
        const { labels } = readers[name as keyof typeof readers](write(engine));
        assert.equal(labels, {
          ...{ f0: `flow (linear): ${state}`, f1: 'inner (linear)' },
          ...{ t0: `first\n${state}`, t1: `second\n${state}`, t2: 'third\nPENDING' },
        });
      }
      await engine.run().catch(() => {});
    }
  });
});

for (const [name, write] of writers) {
  const read = readers[name as keyof typeof readers];

  test(`${name}(): a value that comes from further back goes along an arrow of its own`, () => {
    const chain = linear('chain', decode, named('pause'), count);
    assert.match(write(chain), name === 'toDot' ? 'label="pixels", style=dashed, constraint=false' : '-.->|"pixels"|');
    assert.equal(read(write(chain)).arrows, ['t0 -> t1', 't0 -> t2: pixels', 't1 -> t2']);
    assert.equal(read(write(chain, { values: false })).arrows, ['t0 -> t1', 't1 -> t2']);
  });

  test(`${name}(): a link with a decider is dashed, and bears the name of the decider and its depth`, () => {
    const isTall = ({ decode }: Record<string, string>) => decode.length > 9;
    const decided = graph('flow', decode, thumb, count, save)
      .link(decode, thumb, { decider: isTall, depth: 'flow' })
      .link(decode, count, { decider: () => true });
    const text = write(decided, { values: false });
    assert.equal(read(text).arrows, [
      't0 -> t1: if isTall [flow]',
      't0 -> t2: if decider [all]',
      't1 -> t3',
      't2 -> t3',
    ]);
    assert.equal(text.match(name === 'toDot' ? /style=dashed\]/g : /-\.->/g)?.length, 2);
    assert.is(read(write(decided)).arrows[0], 't0 -> t1: pixels; if isTall [flow]');
  });

  test(`${name}(): a link between flows with a decider leads from what ends the one to what begins the other`, () => {
    const [a, b, c] = ['a', 'b', 'c'].map(named);
    const [before, after, empty] = [unordered('before', a, b), linear('after', c), graph('empty')];
    const isRight = () => true;
    const isWrong = () => false;
    const flow = graph('flow', before, after, empty)
      .link(before, after, { decider: isRight })
      .link(before, after, { decider: isWrong, depth: 'atom' });
    const conditions = 'if isRight [all], if isWrong [atom]';
    assert.equal(read(write(flow)).arrows, [`t0 -> t2: ${conditions}`, `t1 -> t2: ${conditions}`]);
    assert.equal(read(write(flow, { depth: 0 })).arrows.length, 1);
    const through = graph('flow', a, empty, b).link(a, empty, { decider: isRight }).link(empty, b);
    assert.equal(read(write(through)).arrows, ['t0 -> t1'], 'a link to an empty flow decides on nothing');
    const [x, y] = [layer('x', 5), layer('y', 5)];
    const { arrows } = read(write(graph('flow', x, y).link(x, y, { decider: isRight })));
    assert.equal(
      arrows.filter((arrow) => arrow.endsWith('if isRight [all]')),
      list(5, (i) => `t${i} -> j2: if isRight [all]`),
      'as far as the point where they meet',
    );
  });

  test(`${name}(): the name of a decider can be anything`, () => {
    const decider = Object.defineProperty(() => true, 'name', { value: 'a"\\]-->|\n' });
    const odd = Object.defineProperty(() => true, 'name', { value: 7 });
    const [a, b, c] = ['a', 'b', 'c'].map(named);
    const flow = graph('flow', a, b, c).link(a, b, { decider }).link(b, c, { decider: odd });
    assert.equal(read(write(flow)).arrows, ['t0 -> t1: if a"\\]-->|␊ [all]', 't1 -> t2: if decider [all]']);
  });

  test(`${name}(): of a graph with a target only that is drawn, and what it depends on`, () => {
    const { labels, arrows } = read(write(graph('flow', decode, thumb, count).target(count)));
    assert.equal(labels, { f0: 'flow (graph)', t0: 'decode', t1: 'count' });
    assert.equal(arrows, ['t0 -> t1: pixels']);
  });

  test(`${name}(): an arrow names values as they are called in the flow, and one of several that a task gives`, () => {
    const pair = task({ name: 'pair', provides: ['left', 'right'], execute: () => [1, 2] });
    const use = task({ name: 'use', requires: ['x', 'y', 'z'], rebind: ['left', 'right'], inject: { z: 1 }, execute });
    assert.equal(read(write(graph('flow', use, pair))).arrows, ['t1 -> t0: left, right']);
  });

  test(`${name}(): a hundred tasks before a hundred others meet in a point, and two before two do not`, () => {
    const large = write(linear('flow', layer('a', 100), layer('b', 100)), { maxTasks: 200 });
    assert.is(read(large).arrows.length, 200);
    const small = write(linear('flow', layer('a', 2), layer('b', 2)));
    assert.equal(read(small).arrows, ['t0 -> t2', 't0 -> t3', 't1 -> t2', 't1 -> t3']);
  });

  test(`${name}(): empty flows do not break the order of what is around them`, () => {
    const text = write(linear('flow', named('a'), graph('x'), unordered('y', linear('z')), named('b')));
    assert.equal(read(text).arrows, ['t0 -> t1']);
  });

  test(`${name}(): flows below the depth that is asked for are one box each, with counts`, async () => {
    const deep = linear('flow', decode, linear('a', unordered('b', thumb, count), named('c')), save);
    assert.equal(read(write(deep, { depth: 0 })), {
      labels: { f0: 'flow (linear)', t0: 'decode', f1: 'a\nlinear, 3 tasks', t4: 'save' },
      arrows: ['t0 -> f1: pixels', 'f1 -> t4: small, colours'],
    });
    assert.equal(read(write(deep, { depth: 1 })).arrows, [
      't0 -> f2: pixels',
      'f2 -> t3',
      'f2 -> t4: small, colours',
      't3 -> t4',
    ]);
    const stuck = task({ name: 'stuck', execute: (): void => engine.suspend() });
    const engine: Engine<any> = load(linear('outer', linear('inner', named('p'), stuck, named('q'))), {
      engine: 'serial',
    });
    await engine.run();
    assert.is(read(write(engine, { depth: 0 })).labels.f1, 'inner\nlinear, 3 tasks\n2 SUCCESS, 1 PENDING');
  });

  test(`${name}(): the retry of a flow is the first box in it, and no task`, () => {
    const use = task({ name: 'use', requires: ['attempt'], execute: () => {} });
    const inner = unordered('inner', use, named('b')).with({ retry: times(3, { provides: 'attempt' }) });
    const retried = linear('flow', named('a'), inner, named('c'));
    assert.equal(read(write(retried)), {
      labels: {
        ...{ f0: 'flow (linear)', t0: 'a', f1: 'inner (unordered)' },
        ...{ t1: 'inner_retry\ntimes(3)', t2: 'use', t3: 'b', t4: 'c' },
      },
      arrows: ['t0 -> t1', 't1 -> t2: attempt', 't1 -> t3', 't2 -> t4', 't3 -> t4'],
    });
    assert.equal(read(write(retried, { depth: 0 })).labels, {
      ...{ f0: 'flow (linear)', t0: 'a', f1: 'inner\nunordered, 2 tasks', t4: 'c' },
    });
    const alone = write(linear('flow').with({ retry: times(3, { name: 'again' }) }));
    assert.equal(read(alone).labels, { f0: 'flow (linear)', t0: 'again\ntimes(3)' });
  });

  test(`${name}(): a task alone, and a flow without tasks, can be drawn`, () => {
    assert.equal(read(write(named('a'))), { labels: { t0: 'a' }, arrows: [] });
    assert.equal(read(write(unordered('u'))), { labels: { f0: 'u (unordered)' }, arrows: [] });
  });

  test(`${name}(): the same flow is always drawn in the same way`, () => {
    const make = () => linear('flow', layer('a', 3), graph('g', count, decode), layer('b', 3));
    assert.is(write(make()), write(make()));
  });

  test(`${name}(): no name can be taken for anything else`, () => {
    const names = [
      '"',
      '\\',
      'a\\',
      '\\"',
      '\\N',
      'a --> b',
      '|x|',
      'end',
      'subgraph',
      '<b>bold</b>',
      '&lt;',
      '#35;',
      'a;b',
    ];
    names.push(
      '%%{init: {}}%%',
      '`md`',
      '**b**',
      '_i_',
      '1. one',
      '- item',
      ':::x',
      ']',
      '}',
      '@{',
      '"]',
      '😀',
      'a-b.c_d',
      '//',
    );
    const tasks = names.map((name) => task({ name, provides: name, execute: () => 0 }));
    const readBy = names.map((name, i) => task({ name: `reads ${i}`, requires: [name], execute }));
    const { labels, arrows } = read(write(graph('flow', tasks, readBy) as FlowItem));
    names.forEach((name, i) => {
      assert.is(labels[`t${i}`], name);
      assert.is(arrows[i], `t${i} -> t${i + names.length}: ${name}`);
    });
  });

  test(`${name}(): whatever a flow is called, the drawing is well formed`, () => {
    const names = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 });
    const property = fc.property(names, (name) => {
      const { labels } = read(write(linear('outer', linear(name, named('t')))));
      assert.equal(Object.keys(labels), ['f0', 'f1', 't0']);
      if (/^[^\p{C}\u2028\u2029]{1,40}$/u.test(name)) assert.is(labels.f1, `${name} (linear)`);
    });
    fc.assert(property, { numRuns: 300 });
  });

  test(`${name}(): what cannot be drawn is replaced, and what is very long is cut`, () => {
    const { labels } = read(write(linear('a\nb\u001b\u0085\ud800', linear('x'.repeat(1e6)))));
    assert.equal(labels, { f0: 'a␊b␛�� (linear)', f1: `${'x'.repeat(80)}… (linear)` });
  });

  test(`${name}(): flows nested 10,000 deep can be drawn, in a text that grows with their number`, () => {
    let deep: FlowItem = named('t');
    for (let i = 0; i < 10_000; i++) deep = linear(`${i}`, deep);
    assert.ok(write(deep).length < 2_000_000);
  });

  test(`${name}(): more boxes than maxTasks allows are refused`, () => {
    const large = linear('flow', layer('a', 501));
    const expected =
      "Flow 'flow' would be drawn with 501 boxes, and option 'maxTasks' allows 500. Raise it, draw a part of the flow, or draw " +
      "nested flows as one box each with option 'depth'";
    assert.throws(
      () => write(large),
      (error: Error) => error instanceof ArgumentError && error.message === expected,
    );
    assert.is(Object.keys(read(write(large, { maxTasks: 501 })).labels).length, 503);
    assert.is(Object.keys(read(write(large, { depth: 0 })).labels).length, 2);
  });

  test(`${name}(): wrong options and wrong flows are refused`, () => {
    const refused = (options: any, message: string) =>
      assert.throws(
        () => write(flow, options),
        (error: Error) => error instanceof ArgumentError && error.message === message,
      );
    refused(null, 'The options must be an object; received null');
    refused({ depth: -1 }, "option 'depth' must be a number, 0 or above; received a number (-1)");
    refused({ depth: 'all' }, `option 'depth' must be a number, 0 or above; received a string ("all")`);
    refused({ direction: 'up' }, `option 'direction' must be 'TB' or 'LR'; received a string ("up")`);
    refused({ maxTasks: 0 }, "option 'maxTasks' must be a number above 0; received a number (0)");
    refused({ values: 1 }, "option 'values' must be a boolean; received a number (1)");
    const wrong = (error: any) => error instanceof FlowError && error.code === 'ERR_MILLRACE_NOT_A_FLOW';
    assert.throws(() => write('flow' as any), wrong);
    assert.throws(() => write(load(12 as any)), wrong);
  });
}

test.run();
