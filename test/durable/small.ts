/** Small flows that are killed at each point. */
import { each, type FlowItem, graph, linear, times, unordered } from 'millrace';
import type { Fails } from '../fixtures/atoms/fated.js';
import type { AtomShape, Shape } from './account.js';
import { type Fate, witness } from './witness.js';

/** `'retried'` has a bit of everything and ends well; `'reverted'` fails in the end; of `'paired'` each pair of points is tried. */
export type Small = 'retried' | 'reverted' | 'paired';

export const INPUTS = { items: ['x', 'y'] };

type Told = Pick<Fate, 'journal' | 'stage' | 'deadline'>;

export function small(which: Small, told: Told): FlowItem {
  const fate = (task: string, fails: Fails) => ({ task, fails, revertFails: [], asynchronous: false, ...told });
  const one = (name: string, fails: Fails = []) =>
    witness(true, 0, 0).with({ name, provides: name, inject: { fate: fate(name, fails) } });
  const element = witness(true, 1, 0).with({ name: 'e', inject: { fate: fate('e', []) } });
  const region = each(element, { over: 'items', as: 'first', collect: 'es' } as any);
  const pair = unordered('pair', one('c'), one('d'));
  if (which === 'paired') return linear('small', [one('a'), pair, region, one('z', 'always')] as any);
  const again = linear('again', [one('b'), pair, one('f', [1])]).with({ retry: times(2) });
  const [g, h] = [one('g'), one('h')];
  const choice = graph('choice', g, h).link(g, h, { decider: () => false, depth: 'atom' });
  return linear('small', [one('a'), again, choice, region, one('z', which === 'reverted' ? 'always' : [])] as any);
}

/** What comes after what: each group after all before it. The region is around its elements, and neither before nor after them. */
const GROUPS: Readonly<Record<Small, readonly (readonly string[])[]>> = {
  paired: [['a'], ['c', 'd'], ['e[0]', 'e[1]'], ['z']],
  retried: [['a'], ['again_retry'], ['b'], ['c', 'd'], ['f'], ['g'], ['h'], ['e[0]', 'e[1]'], ['z']],
  reverted: [['a'], ['again_retry'], ['b'], ['c', 'd'], ['f'], ['g'], ['h'], ['e[0]', 'e[1]'], ['z']],
};

/** @param serial then what has finished last is reverted first */
export function smallShape(which: Small, serial: boolean): Shape {
  const groups = GROUPS[which];
  const groupOf = new Map(groups.flatMap((names, at) => names.map((name) => [name, at])));
  const atoms = groups.flat().map(
    (name): AtomShape => ({
      name,
      controller: name === 'again_retry',
      written: name !== 'again_retry',
      silent: false,
      ignorable: name === 'h',
      mayFail: false,
    }),
  );
  const before = (first: string, second: string) => groupOf.get(first)! < groupOf.get(second)!;
  const placeOf = new Map(atoms.map(({ name }, place) => [name, place]));
  return { atoms, before, ...(serial && { keeps: (one, other) => placeOf.get(one)! < placeOf.get(other)! }) };
}
