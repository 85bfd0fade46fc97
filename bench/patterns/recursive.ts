/** Patterns that unfold while they run: each region builds what comes next, for as long as there is something. */
import { type Dataflow, dynamic, each, graph, linear, type Task, task } from 'millrace';
import { type Pattern, range } from './pattern.js';

const number = task(import.meta.url, {
  name: 'number',
  requires: ['n'],
  provides: 'n',
  execute: ({ n }: { n: number }) => n,
});

const add = task(import.meta.url, {
  name: 'add',
  requires: ['a', 'b'],
  execute: ({ a, b }: { a: number; b: number }) => a + b,
});

const sum = task(import.meta.url, {
  name: 'sum',
  requires: ['counts'],
  provides: 'count',
  execute: ({ counts }: { counts: number[] }) => counts.reduce((a, b) => a + b, 0),
});

/** As `sum`, of what regions give. */
const total = task(import.meta.url, {
  name: 'total',
  requires: ['counts'],
  provides: 'count',
  execute: ({ counts }: { counts: { count: number }[] }) => counts.reduce((sum, { count }) => sum + count, 0),
});

function fibonacciOf(n: number, name: string): Task<any, any> {
  return dynamic(name, {
    provides: [name],
    build() {
      const own = { name: `${name}-value`, provides: name };
      if (n < 2) return number.with({ ...own, inject: { n } });
      const [a, b] = [`${name}1`, `${name}2`];
      return graph(
        `${name}-flow`,
        fibonacciOf(n - 1, a),
        fibonacciOf(n - 2, b),
        add.with({ ...own, rebind: { a, b } }),
      );
    },
  });
}

export function fibonacci(n: number): Pattern {
  const plain = (n: number): number => (n < 2 ? n : plain(n - 1) + plain(n - 2));
  return {
    name: 'fibonacci',
    about: `the ${n}th number, a region for each of ${2 * plain(n + 1) - 1} calls`,
    flow: () => fibonacciOf(n, 'f'),
    inputs: () => ({}),
    plain: () => plain(n),
    result: ({ f }) => f,
  };
}

/** The boards with one more queen that no other one attacks; a board is the column of the queen in each row. */
function withOneMore(board: readonly number[], size: number): number[][] {
  return range(size)
    .filter((column) =>
      board.every((other, row) => other !== column && Math.abs(other - column) !== board.length - row),
    )
    .map((column) => [...board, column]);
}

const queens: Task<any, any> = dynamic('queens', {
  requires: ['board', 'size'],
  provides: ['count'],
  build({ board, size }: { board: number[]; size: number }, { name }): Dataflow<any, any> {
    if (board.length === size) return number.with({ name: `${name}-one`, inject: { n: 1 }, provides: 'count' });
    const boards = withOneMore(board, size);
    const next = each(queens, { name: `${name}-next`, over: 'boards', as: 'board', collect: 'counts' });
    return linear(`${name}-flow`, next.with({ inject: { boards } }), total.with({ name: `${name}-sum` }));
  },
});

export function nQueens(size: number): Pattern {
  const plain = (board: number[]): number =>
    board.length === size ? 1 : withOneMore(board, size).reduce((sum, next) => sum + plain(next), 0);
  return {
    name: 'n-queens',
    about: `${size} queens, a region for each board that is tried`,
    flow: () => queens,
    inputs: () => ({ board: [], size }),
    plain: () => plain([]),
    result: ({ count }) => count,
  };
}

const skynetTask: Task<any, any> = dynamic('skynet', {
  requires: ['n', 'size'],
  provides: ['count'],
  build({ n, size }: { n: number; size: number }, { name }): Dataflow<any, any> {
    const part = size / 10;
    const inject = { list: range(10).map((i) => n + i * part), size: part };
    const next = (one: Task<any, any>) =>
      each(one, { name: `${name}-next`, over: 'list', as: 'n', collect: 'counts' }).with({ inject });
    const add = (part === 1 ? sum : total).with({ name: `${name}-sum` });
    return linear(`${name}-flow`, next(part === 1 ? number : skynetTask), add);
  },
});

export function skynet(depth: number): Pattern {
  const plain = (n: number, size: number): number =>
    size === 1 ? n : range(10).reduce((sum, i) => sum + plain(n + (i * size) / 10, size / 10), 0);
  return {
    name: 'skynet',
    about: `a tree of ${10 ** depth} leaves, a region for each ten`,
    flow: () => skynetTask,
    inputs: () => ({ n: 0, size: 10 ** depth }),
    plain: () => plain(0, 10 ** depth),
    result: ({ count }) => count,
  };
}
