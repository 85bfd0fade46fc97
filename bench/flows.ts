/** The flows that are measured, each with the plain loop that does the same. */
import { each, type Flow, type FlowItem, graph, linear, unordered } from 'millrace';
import { randomNumbers } from './random.js';
import { combine, combineTask, pass, passTask, sinkTask, spin, spinTask } from './tasks.js';

const LAYER = 16;

export interface Workload {
  readonly name: string;
  /** How many tasks the flow has. */
  readonly size: number;
  /** Makes the tasks. */
  tasks(): FlowItem[];
  /** Puts the tasks into a flow: each time a new one, which has to be compiled anew. */
  compose(tasks: readonly FlowItem[]): Flow;
  readonly inputs: Record<string, number | number[]>;
  /** What is asked of the flow; all that it gives, unless something else is said. */
  readonly outputs?: readonly string[];
  /** Calls the functions of the tasks in order, with their arguments, and keeps the results. */
  loop(): unknown;
}

/** Each task is given what the one before it returned. */
export function chain(size: number): Workload {
  return {
    name: 'chain',
    size,
    // The first takes the input under another name: an input hides what tasks provide under the same name.
    tasks: () =>
      Array.from({ length: size }, (_, i) =>
        passTask.with(i === 0 ? { name: 'pass-0', rebind: { value: 'seed' } } : { name: `pass-${i}` }),
      ),
    compose: (tasks) => linear('chain', tasks),
    inputs: { seed: 1 },
    loop() {
      const results: number[] = new Array(size);
      results[0] = pass({ value: 1 });
      for (let i = 1; i < size; i++) results[i] = pass({ value: results[i - 1] });
      return results;
    },
  };
}

/** All tasks but the first are given what the first returned. */
export function fanOut(size: number): Workload {
  return {
    name: 'fan-out',
    size,
    tasks: () => [
      passTask.with({ name: 'first', rebind: { value: 'seed' } }),
      ...Array.from({ length: size - 1 }, (_, i) => sinkTask.with({ name: `sink-${i}` })),
    ],
    compose: ([first, ...others]) => linear('fan-out', first, unordered('others', others)),
    inputs: { seed: 1 },
    loop() {
      const results: number[] = new Array(size);
      results[0] = pass({ value: 1 });
      for (let i = 1; i < size; i++) results[i] = pass({ value: results[0] });
      return results;
    },
  };
}

/** Each task runs after three earlier ones, drawn at random; the same ones in each process. */
export function randomGraph(size: number): Workload {
  const sources = randomSources(size);
  return {
    name: 'random graph',
    size,
    tasks: () => Array.from({ length: size }, (_, i) => sinkTask.with({ name: `sink-${i}` })),
    compose(tasks) {
      let flow = graph('random graph', tasks);
      for (let i = 3; i < sources.length; i++) flow = flow.link(tasks[sources[i]], tasks[Math.floor(i / 3)]);
      return flow;
    },
    inputs: { value: 1 },
    loop() {
      const results: number[] = new Array(size);
      for (let i = 0; i < size; i++) results[i] = pass({ value: 1 });
      return results;
    },
  };
}

/**
 * Each task is given the results of three earlier ones, drawn at random, and provides one under a name of its own. They are not asked
 * for: an object of so many properties takes longer than all else.
 */
export function randomDataflow(size: number): Workload {
  const sources = randomSources(size);
  return {
    name: 'random dataflow',
    size,
    tasks: () =>
      Array.from({ length: size }, (_, i) => {
        const [a, b, c] = [0, 1, 2].map((k) => (i === 0 ? 'seed' : `value-${sources[i * 3 + k]}`));
        return combineTask.with({ name: `combine-${i}`, rebind: { a, b, c }, provides: `value-${i}` });
      }),
    compose: (tasks) => graph('random graph', tasks),
    inputs: { seed: 1 },
    outputs: [],
    loop() {
      const results: number[] = new Array(size);
      results[0] = combine({ a: 1, b: 1, c: 1 });
      for (let i = 1; i < size; i++) {
        const [a, b, c] = [sources[i * 3], sources[i * 3 + 1], sources[i * 3 + 2]];
        results[i] = combine({ a: results[a], b: results[b], c: results[c] });
      }
      return results;
    },
  };
}

/** Tasks that do not depend on each other. */
export function wide(size: number): Workload {
  return {
    name: 'wide',
    size,
    tasks: () => Array.from({ length: size }, (_, i) => sinkTask.with({ name: `sink-${i}` })),
    compose: (tasks) => unordered('wide', tasks),
    inputs: { value: 1 },
    loop: () => Array.from({ length: size }, () => pass({ value: 1 })),
  };
}

/** As `wide`, but one region with as many elements. */
export function elements(size: number): Workload {
  return {
    ...wide(size),
    name: 'each',
    tasks: () => [each(sinkTask, { over: 'list', as: 'value' })],
    compose: (tasks) => linear('each', tasks),
    inputs: { list: Array.from({ length: size }, () => 1) },
  };
}

/** Sixteen tasks at a time: each of them waits for all of the layer before. */
export function layers(size: number): Workload {
  return { ...coupled(size, LAYER), name: `layers of ${LAYER}` };
}

/** As many layers as there are tasks in each, or nearly. */
export function squareLayers(size: number): Workload {
  return { ...coupled(size, Math.ceil(Math.sqrt(size))), name: 'layers' };
}

function coupled(size: number, width: number): Workload {
  return {
    ...wide(size),
    compose(tasks) {
      const count = Math.ceil(tasks.length / width);
      const layer = (i: number) => unordered(`layer-${i}`, tasks.slice(i * width, (i + 1) * width));
      return linear(
        'layers',
        Array.from({ length: count }, (_, i) => layer(i)),
      );
    },
  };
}

/** Independent tasks that keep a core busy. */
export function busy(name: string, size: number, iterations: number): Workload {
  return {
    name,
    size,
    tasks: () => Array.from({ length: size }, (_, i) => spinTask.with({ name: `spin-${i}` })),
    compose: (tasks) => unordered(name, tasks),
    inputs: { iterations },
    loop() {
      const results: number[] = new Array(size);
      for (let i = 0; i < size; i++) results[i] = spin({ iterations });
      return results;
    },
  };
}

/** For each task three earlier ones. */
function randomSources(size: number): Int32Array {
  const random = randomNumbers(1);
  return Int32Array.from({ length: size * 3 }, (_, i) => random() % Math.max(1, Math.floor(i / 3)));
}
