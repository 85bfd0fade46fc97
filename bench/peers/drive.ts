/** Runs a grid of dependent tasks over a pool that knows of no dependences, as one would write it by hand. */
import { PGraph } from 'p-graph';
import type { Grid } from '../grids.js';
import { type Crew, IN_FLIGHT } from './peers.js';

/** A counter for each task of how many others it waits for; when none is left, the task is sent as soon as a worker can take it. */
export function drive(grid: Grid, iterations: number, crew: Crew, workers: number): Promise<number[]> {
  const { size, sources, targets } = grid;
  const results: number[] = new Array(size).fill(0);
  const missing = Int32Array.from(sources, (list) => list.length);
  const ready: number[] = [];
  for (let i = 0; i < size; i++) if (missing[i] === 0) ready.push(i);
  const most = workers * IN_FLIGHT;
  let [next, flying, ended] = [0, 0, 0];

  return new Promise((resolve, reject) => {
    const pump = () => {
      for (; flying < most && next < ready.length; flying++) send(ready[next++]);
    };
    const send = (task: number) => {
      const values = sources[task].map((source) => results[source]);
      crew.run({ iterations, values }).then((result) => {
        results[task] = result;
        flying--;
        for (const target of targets[task]) if (--missing[target] === 0) ready.push(target);
        if (++ended === size) resolve(results);
        else pump();
      }, reject);
    };
    pump();
  });
}

/** The same with p-graph, which makes a promise of each task. The graph can be run once. */
export function graphOf(grid: Grid, iterations: number, crew: Crew, workers: number): () => Promise<unknown> {
  const { sources } = grid;
  const results: number[] = [];
  const nodes = sources.map((list, task) => {
    const run = async () => {
      results[task] = await crew.run({ iterations, values: list.map((source) => results[source]) });
    };
    return [String(task), { run }] as const;
  });
  const edges = sources.flatMap((list, task) => list.map((source): [string, string] => [String(source), String(task)]));
  const graph = new PGraph(new Map(nodes), edges);
  return () => graph.run({ concurrency: workers * IN_FLIGHT });
}
