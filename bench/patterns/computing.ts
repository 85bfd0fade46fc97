/** Patterns whose tasks compute something; matrices are shared by the threads. */
import { each, graph, linear, type Task, task, transfer } from 'millrace';
import { checksum, type Pattern, range, sharedFloats } from './pattern.js';

/** Some arithmetic that no compiler can leave out. */
function mix({ i }: { i: number }): number {
  let x = (Math.imul(i, 1_315_423_911) ^ (i >> 3)) + 1;
  let sum = 0;
  for (let k = 0; k < 32; k++) {
    x = Math.sin(x) * 1.000_000_1 + Math.cos(x);
    sum += x;
  }
  return sum;
}

const mixTask = task(import.meta.url, { name: 'mix', requires: ['i'], execute: mix });

export function embarrassingParallelism(size: number): Pattern {
  return {
    name: 'embarrassing parallelism',
    about: `${size} elements of each(), 64 sines and cosines for each`,
    flow: () => each(mixTask, { over: 'list', as: 'i', collect: 'sums' }),
    inputs: () => ({ list: range(size) }),
    plain: () => checksum(range(size).map((i) => mix({ i }))),
    result: ({ sums }) => checksum(sums),
  };
}

interface Block {
  readonly cells: Float64Array;
  /** How many cells a side of the matrix has, and how many a side of the block. */
  readonly side: number;
  readonly block: number;
  readonly row: number;
  readonly column: number;
}

/** Makes each cell of a block the mean of its neighbours: those above and on the left are done. */
function smooth({ cells, side, block, row, column }: Block): void {
  for (let i = row * block; i < (row + 1) * block; i++) {
    for (let j = column * block; j < (column + 1) * block; j++) {
      const at = i * side + j;
      const above = i === 0 ? 0 : cells[at - side];
      const below = i === side - 1 ? 0 : cells[at + side];
      const left = j === 0 ? 0 : cells[at - 1];
      const right = j === side - 1 ? 0 : cells[at + 1];
      cells[at] = (cells[at] + above + below + left + right) * 0.25;
    }
  }
}

const smoothTask = task(import.meta.url, {
  name: 'smooth',
  requires: ['cells', 'side', 'block', 'row', 'column'],
  execute: smooth,
});

/** Each block of a matrix waits for that above and for that on the left. */
export function wavefront(blocks: number, block: number): Pattern {
  const side = blocks * block;
  const inputs = () => {
    const cells = sharedFloats(side * side);
    for (let i = 0; i < cells.length; i++) cells[i] = i;
    return { cells, side, block };
  };
  const rows = range(blocks);
  return {
    name: 'wavefront',
    about: `${blocks} x ${blocks} blocks of ${block} x ${block} cells`,
    flow() {
      const tasks = rows.map((row) =>
        rows.map((column) => smoothTask.with({ name: `smooth-${row}-${column}`, inject: { row, column } })),
      );
      let flow = graph('wavefront', tasks.flat());
      for (const row of rows) {
        for (const column of rows) {
          if (row > 0) flow = flow.link(tasks[row - 1][column], tasks[row][column]);
          if (column > 0) flow = flow.link(tasks[row][column - 1], tasks[row][column]);
        }
      }
      return flow;
    },
    inputs,
    plain() {
      const all = inputs();
      for (const row of rows) for (const column of rows) smooth({ ...all, row, column });
      return checksum(all.cells);
    },
    result: (_, { cells }) => checksum(cells),
  };
}

interface Image {
  readonly width: number;
  readonly height: number;
}

const ITERATIONS = 200;

/** A row of the Mandelbrot set: after how many steps each point escapes. */
function drawRow({ width, height, row }: Image & { row: number }): Uint8Array {
  const steps = new Uint8Array(width);
  const im = -1 + (2 * row) / height;
  for (let column = 0; column < width; column++) steps[column] = escapeTime(-2.5 + (3.5 * column) / width, im);
  return steps;
}

function escapeTime(re: number, im: number): number {
  let [x, y] = [re, im];
  let steps = 0;
  for (; x * x + y * y <= 4 && steps < ITERATIONS; steps++) {
    const real = x * x - y * y + re;
    y = 2 * x * y + im;
    x = real;
  }
  return steps;
}

const drawTask = task(import.meta.url, {
  name: 'draw',
  requires: ['width', 'height', 'row'],
  execute: (part: Image & { row: number }) => transfer(drawRow(part)),
});

export function mandelbrot(side: number): Pattern {
  const image = { width: side, height: side };
  return {
    name: 'mandelbrot',
    about: `${side} rows of ${side} points, ${ITERATIONS} steps at most`,
    flow: () => each(drawTask, { over: 'list', as: 'row', collect: 'rows' }),
    inputs: () => ({ ...image, list: range(side) }),
    plain: () => checksum(range(side).map((row) => checksum(drawRow({ ...image, row })))),
    result: ({ rows }) => checksum(rows.map(checksum)),
  };
}

interface Matrices {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly c: Float64Array;
  readonly size: number;
  readonly row: number;
}

function fill({ a, b, c, size, row }: Matrices): void {
  for (let j = 0; j < size; j++) {
    a[row * size + j] = row + j;
    b[row * size + j] = row * j;
    c[row * size + j] = 0;
  }
}

function multiply({ a, b, c, size, row }: Matrices): void {
  for (let j = 0; j < size; j++) {
    for (let k = 0; k < size; k++) c[row * size + j] += a[row * size + k] * b[k * size + j];
  }
}

const REQUIRES = ['a', 'b', 'c', 'size', 'row'] as const;
const fillTask = task(import.meta.url, { name: 'fill', requires: REQUIRES, execute: fill });
const multiplyTask = task(import.meta.url, { name: 'multiply', requires: REQUIRES, execute: multiply });

export function matrixMultiplication(size: number): Pattern {
  const inputs = () => ({
    ...{ a: sharedFloats(size * size), b: sharedFloats(size * size), c: sharedFloats(size * size) },
    ...{ size, list: range(size) },
  });
  const rows = (one: Task<any, any>) => each(one, { over: 'list', as: 'row' });
  return {
    name: 'matrix multiplication',
    about: `${size} x ${size}: all rows are filled, then multiplied`,
    flow: () => linear('matrix multiplication', rows(fillTask), rows(multiplyTask)),
    inputs,
    plain() {
      const all = inputs();
      for (const row of all.list) fill({ ...all, row });
      for (const row of all.list) multiply({ ...all, row });
      return checksum(all.c);
    },
    result: (_, { c }) => checksum(c),
  };
}

/** Options whose prices are computed, by columns. */
interface Options {
  readonly spot: Float64Array;
  readonly strike: Float64Array;
  readonly years: Float64Array;
  readonly prices: Float64Array;
  /** How many make a task, and which of these it is. */
  readonly length: number;
  readonly part: number;
}

const RATE = 0.02;
const VOLATILITY = 0.3;

function price({ spot, strike, years, prices, length, part }: Options): void {
  for (let i = part * length; i < (part + 1) * length; i++) {
    const deviation = VOLATILITY * Math.sqrt(years[i]);
    const d1 = (Math.log(spot[i] / strike[i]) + (RATE + VOLATILITY ** 2 / 2) * years[i]) / deviation;
    const later = strike[i] * Math.exp(-RATE * years[i]);
    const call = spot[i] * normal(d1) - later * normal(d1 - deviation);
    prices[i] = i % 2 === 0 ? call : call - spot[i] + later; // every second one is a put
  }
}

/** The cumulative normal distribution, by the polynomial that is usual here (Abramowitz and Stegun, 26.2.17). */
function normal(x: number): number {
  const k = 1 / (1 + 0.231_641_9 * Math.abs(x));
  const sum =
    k * (0.319_381_53 + k * (-0.356_563_782 + k * (1.781_477_937 + k * (-1.821_255_978 + k * 1.330_274_429))));
  const above = (Math.exp(-(x * x) / 2) / Math.sqrt(2 * Math.PI)) * sum;
  return x < 0 ? above : 1 - above;
}

const priceTask = task(import.meta.url, {
  name: 'price',
  requires: ['spot', 'strike', 'years', 'prices', 'length', 'part'],
  execute: price,
});

/** The prices are computed several times over, each time when all are done. */
export function blackScholes(parts: number, length: number, rounds: number): Pattern {
  const inputs = () => {
    const column = (value: (i: number) => number) => {
      const values = sharedFloats(parts * length);
      for (let i = 0; i < values.length; i++) values[i] = value(i);
      return values;
    };
    return {
      spot: column((i) => 20 + (i % 90)),
      strike: column((i) => 25 + (i % 70)),
      years: column((i) => 0.1 + (i % 20) / 10),
      prices: column(() => 0),
      ...{ length, list: range(parts) },
    };
  };
  const round = each(priceTask, { over: 'list', as: 'part' });
  return {
    name: 'black-scholes',
    about: `${parts} x ${length} options, ${rounds} times`,
    flow: () =>
      linear(
        'black-scholes',
        range(rounds).map((i) => round.with({ name: `round-${i}` })),
      ),
    inputs,
    plain() {
      const all = inputs();
      for (let i = 0; i < rounds; i++) for (const part of all.list) price({ ...all, part });
      return checksum(all.prices);
    },
    result: (_, { prices }) => checksum(prices),
  };
}
