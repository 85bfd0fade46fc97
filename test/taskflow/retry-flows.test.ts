/** TaskFlow's claims about flows with a retry: what they need and give, and where the retry stands. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { alwaysRevert, retry, task, times } from '../../src/atoms/index.js';
import { graph, linear, unordered } from '../../src/flows/index.js';
import { compile } from '../../src/plan/index.js';

/** The functions that make flows; as one list their types are too much for the compiler. */
const patterns: ((name: string, ...items: any[]) => any)[] = [linear as any, unordered as any, graph as any];

const controller = (options: object = {}): any => retry({ ...options, onFailure: () => 'REVERT' } as any);

const work = (options: object = {}): any => task({ name: 'work', execute() {}, ...options } as any);

/** What a flow needs and gives, by name. */
function names(flow: any) {
  const { inputs, outputNames } = compile(flow);
  const needs = inputs.filter(({ required }) => required).map(({ name }) => name);
  return { needs: needs.toSorted(), gives: outputNames.toSorted() };
}

const atoms = (flow: any) => compile(flow).atoms.map(({ name }) => name);

for (const make of patterns) {
  const { kind } = make('f');

  for (const [requires, provides] of [
    [[], []],
    [['x', 'y'], []],
    [[], ['x', 'y']],
    [
      ['x', 'y'],
      ['a', 'b'],
    ],
    [
      ['x', 'y'],
      ['x', 'y'],
    ],
  ]) {
    test(`a ${kind} flow needs what its retry requires, and gives what it provides: '${requires}', '${provides}'`, () => {
      const flow = make('f').with({ retry: controller({ requires, ...(provides.length > 0 && { provides }) }) });
      assert.equal(names(flow), { needs: requires, gives: provides });
    });
  }

  test(`a ${kind} flow does not need what its retry provides, and gives all that there is in it`, () => {
    const item = work({ requires: ['a', 'x', 'c'], provides: 'z' });
    const flow = make('f', item).with({ retry: controller({ requires: ['x', 'y'], provides: ['a', 'b'] }) });
    assert.equal(names(flow), { needs: ['c', 'x', 'y'], gives: ['a', 'b', 'z'] });
  });

  test(`the retry of a ${kind} flow is not given what the flow provides`, () => {
    const flow = make('f', work({ provides: 'x' })).with({ retry: controller({ requires: 'x' }) });
    assert.equal(names(flow), { needs: ['x'], gives: ['x'] });
  });

  test(`the retry of a ${kind} flow and a task may provide the same name`, () => {
    const flow = make('f', work({ provides: 'x' })).with({ retry: controller({ provides: 'x' }) });
    assert.equal(names(flow), { needs: [], gives: ['x'] });
  });

  test(`a retry that provides all that its tasks require leaves a ${kind} flow without needs`, () => {
    const flow = make('test', work({ requires: 'a' })).with({ retry: controller({ provides: ['b', 'a'] }) });
    assert.equal(names(flow), { needs: [], gives: ['a', 'b'] });
  });

  test(`the retry of a ${kind} flow is called after the flow, and is its first atom`, () => {
    const flow = make('test', work({ name: 'a' }), work({ name: 'b' })).with({ retry: alwaysRevert() });
    assert.equal(atoms(flow), ['test_retry', 'a', 'b']);
    const { waits, successors, nodes } = compile(flow);
    assert.equal([...waits.slice(0, 2)], [0, 1]);
    assert.ok(nodes >= 3);
    assert.ok([...successors.to.slice(successors.start[0], successors.start[1])].includes(1));
  });

  test(`a ${kind} flow that has nothing but a retry is one atom without edges`, () => {
    const { size, successors } = compile(make('test').with({ retry: alwaysRevert({ name: 'c' }) }));
    assert.is(size, 1);
    assert.is(successors.to.length, 0);
  });
}

test('in an unordered flow two tasks may provide the same name beside the retry', () => {
  const two = ['t1', 't2'].map((name) => work({ name, provides: 'x' }));
  assert.equal(names((unordered as any)('f', two).with({ retry: controller({ provides: 'y' }) })), {
    ...{ needs: [], gives: ['x', 'y'] },
  });
});

test('the history that a retry is given is no need of its flow', () => {
  const full = retry({
    requires: 'a',
    execute: (_history: any, _args: any) => {},
    onFailure: () => 'REVERT',
    revert: (_history: any, _args: any) => {},
  } as any);
  assert.equal(names(linear('lf').with({ retry: full } as any)), { needs: ['a'], gives: [] });
});

test('a retry runs before the retries of the flows within', () => {
  const flow = linear('test', linear('test2').with({ retry: alwaysRevert({ name: 'c2' }) })).with({
    retry: alwaysRevert({ name: 'c1' }),
  });
  assert.equal(atoms(flow), ['c1', 'c2']);
  const { successors } = compile(flow);
  assert.equal([...successors.to], [1]);
});

test('failures are resolved by the nearest retry around, and those of a retry by the next one', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => work({ name }));
  const inner = linear('test2', b, c).with({ retry: alwaysRevert({ name: 'c2' }) });
  const flow = linear('test', a, inner, d).with({ retry: alwaysRevert({ name: 'c1' }) });
  assert.equal(atoms(flow), ['c1', 'a', 'c2', 'b', 'c', 'd']);
  const { scopes, scopeOf } = compile(flow).retries!;
  assert.equal(
    scopes.map(({ start, end, parent }) => [start, end, parent]),
    [
      [0, 6, -1],
      [2, 5, 0],
    ],
  );
  assert.equal([...scopeOf], [-1, 0, 0, 1, 1, 0]);
});

test('the tasks of a flow without a retry are resolved by that of the flow around', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => work({ name }));
  const flow = linear('test', a, linear('test2', b, c), d).with({ retry: alwaysRevert({ name: 'c1' }) });
  assert.equal(atoms(flow), ['c1', 'a', 'b', 'c', 'd']);
  assert.equal([...compile(flow).retries!.scopeOf], [-1, 0, 0, 0, 0]);
});

test('a retry and a task of the same name are refused', () => {
  for (const make of patterns) {
    const flow = make('f', work({ name: 'f_retry' })).with({ retry: times(2) });
    assert.throws(
      () => compile(flow),
      ({ code }: any) => code === 'ERR_MILLRACE_DUPLICATE_NAME',
    );
  }
});

test.run();
