/**
 * Draws the Mandelbrot set in many small tasks, once with the serial engine and once with the parallel one.
 *
 *   node build/examples/mandelbrot/main.js --size 1600x1200 --out mandelbrot.png
 */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createPool, load } from 'millrace';
import { readWorkers, usageError } from '../image-import/options.js';
import { Progress, table } from '../progress.js';
import { mandelbrotFlow } from './flow.js';

const USAGE = `Usage: node build/examples/mandelbrot/main.js [options]

  --size WIDTHxHEIGHT             of the picture, in pixels (1600x1200)
  --rows N                        how many rows of it one task computes (8)
  --iterations N                  how long a point is followed (1000)
  --engine serial|parallel|both   which engine runs the flow (both)
  --workers N|auto                how many worker threads the parallel engine uses (auto)
  --out FILE                      where the picture goes (mandelbrot.png)
  --help                          this text`;

type EngineName = 'serial' | 'parallel';

interface Drawing {
  readonly engine: EngineName;
  readonly seconds: number;
  readonly png: Uint8Array;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      size: { type: 'string', default: '1600x1200' },
      rows: { type: 'string', default: '8' },
      iterations: { type: 'string', default: '1000' },
      engine: { type: 'string', default: 'both' },
      workers: { type: 'string', default: 'auto' },
      out: { type: 'string', default: 'mandelbrot.png' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(USAGE);

  const [width, height] = readSize(values.size);
  const rows = readNumber('--rows', values.rows);
  const flow = mandelbrotFlow(width, height, readNumber('--iterations', values.iterations), rows);
  const bands = Math.ceil(height / rows);
  const engines = readEngines(values.engine);
  await using pool = await createPool({ workers: readWorkers(values.workers) });
  console.log(`${width} x ${height} pixels in ${bands} bands; Node.js ${process.version}`);

  const drawings: Drawing[] = [];
  for (const engine of engines) {
    console.log(engine === 'serial' ? '\nserial' : `\nparallel, workers: ${pool.size}`);
    const start = performance.now();
    await using run = load(flow, { engine, pool });
    new Progress({ band: bands, encode: 1 }).watch(run);
    const { png } = await run.run();
    drawings.push({ engine, seconds: (performance.now() - start) / 1000, png });
  }

  const [first] = drawings;
  const isEqual = drawings.every(({ png }) => Buffer.compare(png, first.png) === 0);
  const out = resolve(values.out);
  await writeFile(out, first.png);
  console.log(`\n${compare(drawings, width * height)}`);
  console.log(`\npictures equal: ${isEqual ? 'yes' : 'no'}\n${out}: ${first.png.length} bytes`);
  if (!isEqual) process.exitCode = 1;
}

function compare(drawings: readonly Drawing[], pixels: number): string {
  const rows = drawings.map(({ engine, seconds }) => [
    engine,
    seconds.toFixed(2),
    (pixels / 1e6 / seconds).toFixed(2),
    `${(drawings[0].seconds / seconds).toFixed(2)}x`,
  ]);
  return table([['engine', 'seconds', 'Mpixel/s', 'speed-up'], ...rows]);
}

function readSize(text: string): [width: number, height: number] {
  const [, width, height] = /^([1-9]\d{0,4})x([1-9]\d{0,4})$/.exec(text) ?? [];
  if (width && height) return [Number(width), Number(height)];
  throw usageError(`--size must be WIDTHxHEIGHT in pixels, such as 1600x1200, received '${text}'`);
}

function readEngines(text: string): readonly EngineName[] {
  if (text === 'both') return ['serial', 'parallel'];
  if (text === 'serial' || text === 'parallel') return [text];
  throw usageError(`--engine must be serial, parallel or both, received '${text}'`);
}

function readNumber(option: string, text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usageError(`${option} must be a number from 1, received '${text}'`);
}

try {
  await main();
} catch (error) {
  console.error(`mandelbrot: ${(error as Error).message}; --help tells the options`);
  process.exitCode = 1;
}
