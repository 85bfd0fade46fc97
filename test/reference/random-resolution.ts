/** Random flows in which much fails, as plain descriptions. */
import fc from '../fast-check.js';
import { type Fails, REQUIRED } from '../fixtures/atoms/fated.js';
import {
  type Atom,
  type Decision,
  type Depth,
  type FlowSpec,
  type ItemSpec,
  Order,
  type Policy,
  type RetrySpec,
  type TaskSpec,
} from './resolution.js';

/** What is done with a flow: runs, each perhaps suspended when so many atoms have changed their states, and resets. */
export type Step = { readonly suspendAt: number } | 'reset';

export interface RandomFailing {
  readonly root: FlowSpec;
  readonly policy: Policy;
  readonly steps: readonly Step[];
}

function weighted<T>(...choices: [number, T][]): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
}

function sometimes<T>(weight: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 10 - weight, arbitrary: fc.constant(undefined) }, { weight, arbitrary });
}

const rawFails: fc.Arbitrary<Fails> = weighted<Fails>(
  [14, []],
  [4, [1]],
  [2, [1, 2]],
  [2, [2]],
  [1, [1, 3]],
  [1, 'always'],
);
const rawRevertFails: fc.Arbitrary<Fails> = weighted<Fails>([30, []], [2, [1]], [1, [2]], [1, 'always']);

const rawRetry = fc.record({
  kind: weighted<RetrySpec['kind']>([5, 'times'], [3, 'forEach'], [1, 'alwaysRevert'], [3, 'custom']),
  attempts: weighted([1, 0], [1, 1], [3, 2], [3, 3]),
  values: fc.array(fc.integer({ min: 1, max: 2 }), { maxLength: 3 }),
  parameterized: weighted([2, false], [1, true]),
  revertAll: weighted([4, false], [1, true]),
  hopeless: weighted([9, false], [1, true]),
  decisions: fc.array(
    weighted<Decision>([6, 'RETRY'], [1, 'LATER'], [3, 'REVERT'], [1, 'REVERT_ALL'], [1, 'throw'], [1, 'nonsense']),
    { maxLength: 3 },
  ),
  provides: fc.boolean(),
  wants: sometimes(2, fc.nat(30)),
  fails: weighted<Fails>([20, []], [1, [1]], [1, [2]], [1, 'always']),
  revertFails: weighted<Fails>([20, []], [1, [1]], [1, 'always']),
});

type RawRetry = ReturnType<typeof read<typeof rawRetry>>;
declare function read<T extends fc.Arbitrary<unknown>>(arbitrary: T): T extends fc.Arbitrary<infer V> ? V : never;

const rawTask = fc.record({
  kind: fc.constant('task' as const),
  fails: rawFails,
  revertFails: rawRevertFails,
  wants: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 2, arbitrary: fc.array(fc.nat(30), { maxLength: REQUIRED.length }) },
  ),
  likes: sometimes(2, fc.nat(30)),
  priority: weighted([8, 0], [1, 1], [1, -1], [1, 2]),
  mayFail: weighted([5, false], [1, true]),
  retry: sometimes(2, rawRetry),
  travels: weighted([4, true], [1, false]),
  asynchronous: weighted([4, false], [1, true]),
});

type RawTask = ReturnType<typeof read<typeof rawTask>>;

const rawLink = fc.record({
  from: fc.nat(5),
  to: fc.nat(5),
  answers: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    {
      weight: 4,
      arbitrary: fc.array(weighted<'yes' | 'no' | 'throw'>([9, 'yes'], [5, 'no'], [1, 'throw']), {
        minLength: 1,
        maxLength: 3,
      }),
    },
  ),
  depth: fc.constantFrom<Depth>('all', 'flow', 'neighbors', 'atom'),
});

interface RawFlow {
  readonly kind: FlowSpec['kind'];
  readonly items: readonly (RawTask | RawFlow)[];
  readonly links: readonly ReturnType<typeof read<typeof rawLink>>[];
  readonly retry: RawRetry | undefined;
}

const { flow: rawFlow } = fc.letrec<{ flow: RawFlow; item: RawTask | RawFlow }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 3, depthSize: 'medium', withCrossShrink: true },
    { weight: 3, arbitrary: rawTask },
    { weight: 2, arbitrary: tie('flow') },
  ),
  flow: fc.record({
    kind: weighted<FlowSpec['kind']>([3, 'linear'], [2, 'unordered'], [3, 'graph']),
    items: fc.oneof(
      { weight: 1, arbitrary: fc.array(tie('item'), { maxLength: 5 }) },
      { weight: 4, arbitrary: fc.array(tie('item'), { minLength: 2, maxLength: 5 }) },
    ),
    links: fc.array(rawLink, { maxLength: 5 }),
    retry: sometimes(6, rawRetry),
  }),
}));

const rawSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Step>[]>(
    { weight: 3, arbitrary: fc.constant({ suspendAt: 0 }) },
    { weight: 5, arbitrary: fc.record({ suspendAt: fc.integer({ min: 1, max: 20 }) }) },
    { weight: 1, arbitrary: fc.constant('reset') },
  ),
  { maxLength: 4 },
);

const MOST_ATOMS = 14;

export function randomFailing(): fc.Arbitrary<RandomFailing> {
  return fc
    .record({
      raw: rawFlow,
      steps: fc.oneof(fc.constant<Step[]>([]), rawSteps),
      failurePolicy: weighted<Policy['failurePolicy']>([3, 'stop'], [1, 'finish']),
      deferReverts: weighted([4, true], [1, false]),
      neverResolve: weighted([9, false], [1, true]),
    })
    .map(({ raw, steps, ...policy }) => {
      const root = toSpec(raw);
      const { failurePolicy, deferReverts, neverResolve } = policy;
      return {
        root,
        // What `finish` means where only a part of the flow would be reverted, nobody would guess.
        policy: { failurePolicy, deferReverts: deferReverts || failurePolicy === 'finish', neverResolve },
        steps: neverResolve ? steps.map((step) => (step === 'reset' ? step : { suspendAt: 0 })) : steps,
      };
    })
    .filter(({ root }) => new Order(root).atoms.length <= MOST_ATOMS);
}

/** Gives names, and makes of numbers what they can stand for: values that an atom can have, links forwards. */
function toSpec(raw: RawFlow): FlowSpec {
  let tasks = 0;
  let flows = 0;
  const pick = (visible: readonly string[], numbers: readonly number[]) => [
    ...new Set(visible.length === 0 ? [] : numbers.map((number) => visible[number % visible.length])),
  ];

  const retrySpec = (
    name: string,
    options: RawRetry | undefined,
    visible: readonly string[],
  ): RetrySpec | undefined => {
    if (!options) return undefined;
    const { kind, attempts, values, parameterized, revertAll, hopeless, decisions, fails, revertFails, wants } =
      options;
    const provides = options.provides && kind !== 'alwaysRevert';
    const common = { name, provides };
    if (kind === 'times') return { ...common, kind, attempts, revertAll, hopeless };
    if (kind === 'forEach') return { ...common, kind, values, parameterized, revertAll };
    if (kind === 'alwaysRevert') return { ...common, kind, revertAll };
    const requires = wants === undefined ? [] : pick(visible, [wants]);
    return { ...common, kind, decisions, fails, revertFails, requires };
  };

  const taskSpec = (options: RawTask, visible: readonly string[]): TaskSpec => {
    const { wants, likes, mayFail, retry, ...rest } = options;
    const name = `t${tasks++}`;
    const requires = pick(visible, wants);
    // It has no arguments and no revert, and is asked only when the task has failed.
    const values = retry?.values.length === 0 ? [1] : (retry?.values ?? []);
    const own = retry && { ...retry, values, provides: false, fails: [], revertFails: [] };
    return {
      ...rest,
      name,
      requires,
      optional: likes === undefined ? [] : pick(visible, [likes]).filter((one) => !requires.includes(one)),
      mayFail,
      retry: retrySpec(`${name}_retry`, own, []),
    };
  };

  const flowSpec = ({ kind, items, links, retry: raw }: RawFlow, outside: readonly string[]): FlowSpec => {
    const name = `f${flows++}`;
    const retry = retrySpec(`${name}_retry`, raw, outside);
    const visible = retry?.provides ? [...outside, retry.name] : [...outside];
    const specs: ItemSpec[] = [];
    for (const item of items) {
      const spec = item.kind === 'task' ? taskSpec(item, visible) : flowSpec(item, visible);
      specs.push(spec);
      if (kind !== 'unordered') visible.push(...providers(spec));
    }
    const taken = new Set<string>();
    return {
      ...{ kind, name, items: specs, retry },
      links: (kind !== 'graph' || items.length === 0 ? [] : links)
        .map((link) => {
          const [from, to] = [link.from % items.length, link.to % items.length];
          return { ...link, from: Math.min(from, to), to: Math.max(from, to) };
        })
        .filter(({ from, to }) => {
          if (from === to || taken.has(`${from} ${to}`)) return false;
          taken.add(`${from} ${to}`);
          return true;
        })
        .map((link) => decidable(link, specs[link.to])),
    };
  };
  return flowSpec(raw, []);
}

/** A no to a flow without a retry reaches all that comes after; what a decider that throws means to a retry is left out. */
function decidable<T extends { depth: Depth; answers: readonly ('yes' | 'no' | 'throw')[] }>(link: T, to: ItemSpec): T {
  const depth = to.kind === 'task' || to.retry ? link.depth : 'all';
  const calm = to.kind === 'task' && to.retry === undefined;
  return { ...link, depth, answers: calm ? link.answers : link.answers.filter((answer) => answer !== 'throw') };
}

function providers(item: ItemSpec): string[] {
  if (item.kind === 'task') return [item.name];
  return [...(item.retry?.provides ? [item.retry.name] : []), ...item.items.flatMap(providers)];
}

/** The same with what fails taken away where two failures might happen at once, so that all is determined whatever the order. */
export function tamed({ root, policy, steps }: RandomFailing): RandomFailing {
  const order = new Order(root);
  const kept: Atom[] = [];
  const isBesideOthers = (atom: Atom) => kept.some((other) => !order.before(other, atom) && !order.before(atom, other));
  /** Whether this atom may fail: only if it comes before or after each other that does. */
  const mayKeep = (name: string) => {
    const atom = order.named(name);
    if (kept.includes(atom)) return true;
    if (isBesideOthers(atom)) return false;
    kept.push(atom);
    return true;
  };
  const calm = <T extends { name: string; fails: Fails; revertFails: Fails }>(spec: T): T => {
    const wild = spec.fails.length > 0 || spec.revertFails.length > 0;
    return wild && !mayKeep(spec.name) ? { ...spec, fails: [], revertFails: [] } : spec;
  };
  const calmItem = (item: ItemSpec): ItemSpec => {
    if (item.kind === 'task') return calm(item);
    const { retry } = item;
    return {
      ...item,
      retry: retry?.kind === 'custom' ? calm(retry) : retry && filled(retry),
      items: item.items.map(calmItem),
      links: item.links.map((link) => ({
        ...link,
        answers: link.answers.slice(0, 1).map((answer) => (answer === 'throw' ? 'no' : answer)),
      })),
    };
  };
  const calmed = calmItem(root) as FlowSpec;
  // What lacks a value that it requires fails as well.
  const needy = order.atoms.filter(({ requires }) => requires.length > 0);
  const determined = needy.every(({ name }) => mayKeep(name));
  return { root: determined ? calmed : complete(calmed), policy, steps: steps.filter((step) => step !== 'reset') };
}

/** The same without what makes that values are missing. */
function complete<T extends ItemSpec>(item: T): T {
  if (item.kind === 'task') return { ...item, mayFail: false };
  const links = item.links.map((link) => ({ ...link, answers: link.answers.map(() => 'yes') }));
  return { ...item, items: item.items.map(complete), links };
}

/** Controllers that have nothing to try fail. */
function filled<T extends RetrySpec>(retry: T): T {
  return 'values' in retry && retry.values.length === 0 ? { ...retry, values: [1] } : retry;
}

/** A flow in few words, for a report. */
export function sketch({ root, policy, steps }: RandomFailing): string {
  const differing = (values: Readonly<Record<string, unknown>>, usual: Readonly<Record<string, unknown>>) =>
    Object.entries(values).flatMap(([key, value]) => {
      const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
      const plain =
        typeof usual[key] === 'object' && usual[key] !== null ? JSON.stringify(usual[key]) : String(usual[key]);
      return text === plain ? [] : [`${key}: ${text}`];
    });
  const retry = (spec: RetrySpec | undefined) => {
    if (!spec) return [];
    const { kind, name, ...rest } = spec;
    const usual = { ...NOTHING, attempts: 'always shown', values: 'always shown', decisions: 'always shown' };
    return [`retry: ${kind}(${differing(rest, usual).join(', ')})`];
  };
  const lines = (item: ItemSpec, indent: string): string[] => {
    const { kind, name, retry: own, ...rest } = item;
    if (item.kind === 'task') {
      const { travels, ...about } = rest as Omit<TaskSpec, 'kind' | 'name' | 'retry'>;
      return [
        `${indent}${[name, ...differing(about, NOTHING), ...(travels ? [] : ['local']), ...retry(own)].join(', ')}`,
      ];
    }
    const links = item.links.map(({ from, to, answers, depth }) => {
      const decided = answers.length > 0 ? ` (${answers.join(', ')}; ${depth})` : '';
      return `${item.items[from].name} -> ${item.items[to].name}${decided}`;
    });
    return [
      `${indent}${kind} ${[name, ...retry(own), ...links].join(', ')}`,
      ...item.items.flatMap((child) => lines(child, `${indent}  `)),
    ];
  };
  const usual = { failurePolicy: 'stop', deferReverts: true, neverResolve: false };
  const done = steps.map((step) =>
    step === 'reset' ? 'reset' : step.suspendAt > 0 ? `run until ${step.suspendAt}` : 'run',
  );
  return [...lines(root, ''), ...differing({ ...policy }, usual), ...(done.length > 0 ? [done.join(', ')] : [])].join(
    '\n',
  );
}

const NOTHING: Readonly<Record<string, unknown>> = {
  ...{ fails: [], revertFails: [], requires: [], optional: [], priority: 0, mayFail: false, asynchronous: false },
  ...{ provides: false, revertAll: false, hopeless: false, parameterized: false },
};
