/** The patterns of C++ Taskflow's benchmarks: without tasks, serial, and parallel with one worker and more. */
import { deepStrictEqual } from 'node:assert';
import { createPool, type LoadOptions, load, type Pool } from 'millrace';
import {
  blackScholes,
  embarrassingParallelism,
  mandelbrot,
  matrixMultiplication,
  wavefront,
} from '../patterns/computing.js';
import { binaryTree, graphTraversal, linearChain } from '../patterns/graphs.js';
import type { Pattern } from '../patterns/pattern.js';
import { fibonacci, nQueens, skynet } from '../patterns/recursive.js';
import type { Setting, Suite } from '../suite.js';
import { type Entry, timed } from '../timed.js';

export function patterns(setting: Setting): Suite[] {
  return all(setting.quick).map((pattern) =>
    timed(setting, {
      name: `pattern ${pattern.name}`,
      about: `${pattern.about}; the flow is declared and compiled within the time`,
      size: 1,
      contenders: () => contenders(pattern, setting.cores),
    }),
  );
}

function all(quick: boolean): Pattern[] {
  const part = quick ? 8 : 1;
  return [
    linearChain(65_536 / part),
    binaryTree(quick ? 13 : 16),
    graphTraversal(quick ? 64 : 160),
    wavefront(32, quick ? 16 : 64),
    embarrassingParallelism(65_536 / part),
    mandelbrot(quick ? 200 : 600),
    matrixMultiplication(quick ? 128 : 320),
    blackScholes(100, 1000 / part, 10),
    fibonacci(quick ? 10 : 15),
    nQueens(quick ? 5 : 7),
    skynet(quick ? 3 : 4),
  ];
}

function contenders(pattern: Pattern, cores: number): Entry[] {
  const parallel = Array.from({ length: cores }, (_, i): Entry => {
    const workers = i + 1;
    const name = workers === 1 ? '1 worker' : `${workers} workers`;
    let pool: Pool | undefined;
    const contender = contend(name, pattern, () => ({ engine: 'parallel', pool: pool! }));
    return {
      ...contender,
      async open() {
        pool = await createPool({ workers });
        await contender.open();
      },
      close: async () => pool?.close(),
      ratio: ['plain', name],
    };
  });
  const serial = contend('serial', pattern, () => ({ engine: 'serial' }));
  return [{ name: 'plain', run: () => pattern.plain() }, { ...serial, ratio: ['serial', 'plain'] }, ...parallel];
}

/** Its result is checked before anything is timed. */
function contend(name: string, pattern: Pattern, options: () => LoadOptions) {
  let inputs = pattern.inputs();
  const run = () => load(pattern.flow(), { ...options(), inputs }).run();
  return {
    name,
    async open() {
      const result = pattern.result(await run(), inputs);
      deepStrictEqual(result, pattern.plain(), `${pattern.name}, ${name}: the result is wrong`);
    },
    prepare() {
      inputs = pattern.inputs();
    },
    run,
  };
}
