/** How long it takes until there is a first result, in a new process each time, and how much memory threads take. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { middle } from '../measure.js';
import type { Bound, Figure, Setting, Suite } from '../suite.js';

/** What a process has found out. */
interface Start {
  /** In ms. */
  readonly import: number;
  /** In ms. */
  readonly first: number;
  /** In bytes. */
  readonly rss: number;
  /** All of it, from without, in ms. */
  readonly whole: number;
}

interface Kind {
  readonly name: string;
  readonly args: readonly [kind: string, workers: number];
  readonly of: (start: Start) => number;
  readonly asked?: Bound;
}

/** So many threads more, to see how much memory one takes. */
const MORE = 4;

export function startUp(setting: Setting): Suite[] {
  const { workers } = setting;
  const times: Kind[] = [
    { name: 'a process that does nothing', args: ['bare', workers], of: ({ whole }) => whole },
    { name: 'import', args: ['import', workers], of: (start) => start.import, asked: { most: 25 } },
    { name: 'first result, serial', args: ['serial', workers], of: ({ first }) => first },
    { name: 'first result, parallel', args: ['parallel', workers], of: ({ first }) => first, asked: { most: 80 } },
    { name: 'import, piscina', args: ['piscina', workers], of: (start) => start.import },
    { name: 'first result, piscina', args: ['piscina', workers], of: ({ first }) => first },
  ];
  const sizes: Kind[] = [1, 1 + MORE].map((count) => ({
    name: `${count} threads`,
    args: ['threads', count],
    of: ({ rss }) => rss,
  }));
  const measure = async () => {
    const values = await byTurns([...times, ...sizes], setting.quick ? 5 : 20);
    const figures = times.map(({ name, asked }, i): Figure => {
      const { median, deviation } = middle(values[i]);
      const turns = values[i].length;
      return { name, value: median, unit: 'ms', spread: deviation / median, turns, ...(asked && { asked }) };
    });
    const [one, more] = values.slice(times.length).map((list) => middle(list).median);
    return {
      figures: [...figures, { name: 'memory of a thread', value: (more - one) / MORE, unit: 'bytes' } as const],
    };
  };
  const about = `a new process each time, ${workers} workers; first result: after the import, with making the flow and the threads`;
  return [{ name: 'start-up', about, measure }];
}

async function byTurns(kinds: readonly Kind[], turns: number): Promise<number[][]> {
  const values: number[][] = kinds.map(() => []);
  const order = [...kinds.keys()];
  for (let turn = 0; turn < turns; turn++) {
    for (const i of order) values[i].push(kinds[i].of(start(kinds[i].args)));
    order.reverse();
  }
  return values;
}

function start(args: Kind['args']): Start {
  const file = fileURLToPath(new URL('../start.js', import.meta.url));
  const begun = performance.now();
  const printed = execFileSync(process.execPath, [file, ...args.map(String)], { encoding: 'utf8' });
  return { ...(JSON.parse(printed) as Omit<Start, 'whole'>), whole: performance.now() - begun };
}
