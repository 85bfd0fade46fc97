/** What it costs to hand a value from one task to the next, by its size and by the way it goes. */
import { fileURLToPath } from 'node:url';
import { createPool, load, type Pool } from 'millrace';
import { Piscina } from 'piscina';
import { carried } from '../carried.js';
import type { Way } from '../makers.js';
import type { Chart, Figure, Result, Setting, Suite } from '../suite.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Up to which size each way is measured: the others would take seconds. */
const LARGEST: Readonly<Record<Way, number>> = {
  cloned: 64 * MIB,
  transferred: 64 * MIB,
  shared: 64 * MIB,
  objects: 4 * MIB,
  string: 16 * MIB,
};
const SIZES = [KIB, 16 * KIB, 256 * KIB, 4 * MIB, 16 * MIB, 64 * MIB];

/** How long the chain is. */
const HOPS = 8;
/** What is asked for 16 MiB that are moved, in ms. */
const ASKED = 0.1;

/** Hands values on from task to task. */
interface Carrier {
  readonly name: string;
  /** How long a chain took, in ms, and how long what is not part of the hops. */
  carry(way: Way, size: number): Promise<readonly [all: number, rest: number]>;
}

export function values(setting: Setting): Suite[] {
  return (Object.keys(LARGEST) as Way[]).map((way) => ({
    name: `values, ${way}`,
    about: 'from one task to the next in a chain, by size',
    measure: () => measure(way, setting),
  }));
}

async function measure(way: Way, setting: Setting): Promise<Result> {
  const turns = setting.quick ? 3 : 10;
  const piscina = new Piscina({
    filename: fileURLToPath(new URL('../peers/carry.js', import.meta.url)),
    ...{ minThreads: setting.workers, maxThreads: setting.workers, recordTiming: false },
  });
  await using pool = await createPool({ workers: setting.workers });
  const carriers: Carrier[] = [ours(pool), byHand(piscina)];
  try {
    const series = carriers.map(({ name }) => ({ name, points: [] as [number, number][] }));
    for (const size of SIZES.filter((one) => one <= LARGEST[way])) {
      // The best of all turns counts.
      const best = carriers.map((): [number, number] => [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
      for (let turn = -2; turn < turns; turn++) {
        for (const [i, carrier] of carriers.entries()) {
          const times = await carrier.carry(way, size);
          if (turn >= 0) best[i] = [Math.min(best[i][0], times[0]), Math.min(best[i][1], times[1])];
        }
      }
      for (const [i, [all, rest]] of best.entries()) series[i].points.push([size, Math.max(0, all - rest) / HOPS]);
    }
    return resultOf(way, series);
  } finally {
    await piscina.destroy();
  }
}

/** A chain beside one that has no hop: the value is made and dropped in both. Nothing of it is asked for. */
function ours(pool: Pool): Carrier {
  const [long, short] = [carried(HOPS), carried(0)];
  const timeOf = async (flow: typeof long, way: Way, size: number) => {
    const engine = load(flow, { engine: 'parallel', pool, inputs: { way, size }, outputs: [] }).validate();
    const begun = performance.now();
    await engine.run();
    return performance.now() - begun;
  };
  return {
    name: 'parallel',
    async carry(way, size) {
      const rest = await timeOf(short, way, size);
      return [await timeOf(long, way, size), rest];
    },
  };
}

/** One `run()` after the other; what one returns is given to the next, and moved if that is the way. */
function byHand(pool: Piscina): Carrier {
  return {
    name: 'piscina',
    async carry(way, size) {
      let value: unknown = await pool.run({ way, size }, { name: 'make' });
      const begun = performance.now();
      for (let i = 0; i < HOPS; i++) {
        const transferList = way === 'transferred' ? [(value as Uint8Array<ArrayBuffer>).buffer] : [];
        value = await pool.run({ way, value }, { name: 'carry', transferList });
      }
      return [performance.now() - begun, 0];
    },
  };
}

function resultOf(way: Way, series: { name: string; points: [size: number, time: number][] }[]): Result {
  const figures = series.flatMap(({ name, points }) =>
    points.map(([size, value]): Figure => {
      const asked = name === 'parallel' && way === 'transferred' && size === 16 * MIB && { asked: { most: ASKED } };
      return { name: `${name}, ${size / KIB} KiB`, value, unit: 'ms', ...asked };
    }),
  );
  const [ours, theirs] = series.map(({ points }) => points.find(([size]) => size === 16 * MIB)?.[1]);
  if (ours !== undefined && theirs !== undefined)
    figures.push({ name: '16 MiB, parallel / piscina', value: ours / theirs, unit: 'ratio' });
  const chart: Chart = {
    title: `One hop, ${way}`,
    x: { label: 'size', unit: 'bytes', log: true },
    y: { label: 'time', unit: 'ms', log: true },
    series,
  };
  return { figures, charts: [chart] };
}
