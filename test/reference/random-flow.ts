/** Random flows for property tests: their plain description, and the flow of the library that it describes. */

import { type FlowItem, graph, linear, unordered } from 'millrace';
import fc from '../fast-check.js';
import { OPTIONAL, REQUIRED, recorded, type Script, WORDS } from '../fixtures/atoms/recorded.js';
import { type FlowSpec, type Spec, type TaskSpec, tasksOf } from './interpreter.js';

export interface RandomTask extends TaskSpec {
  readonly travels: boolean;
  readonly reverts: boolean;
  /** Whether `rebind` is given as a list and not as an object. */
  readonly listed: boolean;
  readonly script: Omit<Script, 'record'>;
}

export interface RandomFlow {
  readonly root: FlowSpec<RandomTask>;
  /** Names that are given as inputs, needed or not. */
  readonly given: readonly string[];
  /** Whether the inputs that are missing then are given too. */
  readonly complete: boolean;
}

/** How large a random flow may be. The more names it has, the less often two tasks provide the same one. */
export interface Size {
  /** How many items a flow has at most. */
  readonly items: number;
  /** How many flows stand within each other at most. */
  readonly depth: number;
  readonly names: number;
}

function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) });
}

function rawTask(name: fc.Arbitrary<string>) {
  const listOfNames = fc.uniqueArray(name, { minLength: 1, maxLength: 3 });
  return fc.record({
    kind: fc.constant('task' as const),
    requires: fc.oneof(fc.array(name, { maxLength: 1 }), fc.array(name, { maxLength: REQUIRED.length })),
    optional: fc.oneof(fc.constant([]), fc.array(name, { maxLength: OPTIONAL.length })),
    inject: fc.oneof(
      { weight: 5, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.record({ position: fc.nat(4), byParameter: fc.boolean() }) },
    ),
    provides: fc.oneof(
      { weight: 2, arbitrary: fc.constant(undefined) },
      { weight: 3, arbitrary: name },
      { weight: 1, arbitrary: listOfNames },
      { weight: 1, arbitrary: listOfNames.map((names) => new Set(names)) },
    ),
    priority: mostly(0, -1, 1, 2),
    travels: mostly(true, false),
    reverts: mostly(true, false),
    listed: fc.boolean(),
    objects: fc.boolean(),
    asynchronous: mostly(false, true),
    fails: mostly<Script['fails']>(undefined, 'execute', 'result', 'revert'),
  });
}

type RawTask = ReturnType<typeof rawTask> extends fc.Arbitrary<infer T> ? T : never;

interface RawFlow {
  readonly kind: FlowSpec['kind'];
  readonly items: readonly (RawTask | RawFlow)[];
  readonly links: readonly (readonly [number, number])[];
}

function rawFlow({ items, depth }: Size, name: fc.Arbitrary<string>): fc.Arbitrary<RawFlow> {
  const { flow } = fc.letrec<{ flow: RawFlow; item: RawTask | RawFlow }>((tie) => ({
    item: fc.oneof(
      { maxDepth: depth, depthSize: 'small', withCrossShrink: true },
      { weight: 2, arbitrary: rawTask(name) },
      { weight: 1, arbitrary: tie('flow') },
    ),
    flow: fc.record({
      kind: fc.constantFrom('linear', 'unordered', 'graph'),
      items: fc.array(tie('item'), { maxLength: items }),
      links: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }),
    }),
  }));
  return flow;
}

export function randomFlow(size: Size): fc.Arbitrary<RandomFlow> {
  const name = fc.nat(size.names - 1).map((number) => `n${number}`);
  return fc
    .record({
      raw: rawFlow(size, name),
      given: fc.oneof(fc.constant([]), fc.uniqueArray(name, { maxLength: 3 })),
      complete: mostly(true, false),
      failing: fc.boolean(),
      twins: mostly(false, true),
      cyclic: mostly(false, true),
    })
    .map(({ raw, given, complete, ...manner }) => ({ root: toSpec(raw, manner), given, complete }));
}

/** @param manner whether tasks fail, whether two have one name, and whether links may go backwards */
function toSpec(raw: RawFlow, manner: { failing: boolean; twins: boolean; cyclic: boolean }): FlowSpec<RandomTask> {
  let tasks = 0;
  let flows = 0;
  const taskSpec = (options: RawTask): RandomTask => {
    const index = tasks++;
    const task = manner.twins && index === 3 ? 'task 0' : `task ${index}`;
    const { requires: sources, optional: others, inject, objects, asynchronous, provides, ...rest } = options;
    const requires = REQUIRED.slice(0, sources.length);
    const optional = OPTIONAL.slice(0, others.length);
    const params = [...requires, ...optional];
    const names = [...sources, ...others];
    const rebind = Object.fromEntries(params.map((param, i) => [param, names[i]]));
    const at = inject && inject.position % params.length;
    const key = inject && (inject.byParameter ? params[at!] : names[at!]);
    const fails = manner.failing ? options.fails : undefined;
    const several = provides !== undefined && typeof provides !== 'string';
    return {
      ...{ ...rest, name: task, requires, optional, rebind, provides },
      inject: key === undefined ? {} : { [key]: `injected into ${task}` },
      script: {
        ...{ task, index, provides, objects, asynchronous },
        fails: fails === 'result' && !several ? 'execute' : fails,
      },
    };
  };
  const flowSpec = ({ kind, items, links }: RawFlow): FlowSpec<RandomTask> => ({
    kind,
    name: `flow ${flows++}`,
    items: items.map((item) => (item.kind === 'task' ? taskSpec(item) : flowSpec(item))),
    links:
      kind !== 'graph' || items.length === 0
        ? []
        : links
            .map(([from, to]) => [from % items.length, to % items.length] as const)
            .filter(([from, to]) => from < to || manner.cyclic),
  });
  return flowSpec(raw);
}

/** The value of an input; some are objects, as values from outside often are. */
export function inputs(names: Iterable<string>): Record<string, unknown> {
  return Object.fromEntries([...names].map((name) => [name, name.endsWith('1') ? `input ${name}` : { input: name }]));
}

/** Room for what the tasks of a flow write down. */
export function makeRecord(root: Spec<RandomTask>): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * (1 + WORDS * tasksOf(root).length)));
}

/** Makes the flow that a description describes. */
export function buildFlow(spec: Spec<RandomTask>, record: Int32Array): FlowItem {
  if (spec.kind === 'task') {
    const { requires, optional, rebind, listed, provides, priority, name } = spec;
    const script: Script = { ...spec.script, record };
    return recorded(spec.travels, spec.reverts, requires.length, optional.length).with({
      ...{ name, priority, provides },
      rebind: listed ? Object.values(rebind) : rebind,
      inject: { ...spec.inject, script },
    });
  }
  const items = spec.items.map((item) => buildFlow(item, record));
  if (spec.kind === 'linear') return linear(spec.name, items);
  if (spec.kind === 'unordered') return unordered(spec.name, items);
  return spec.links.reduce((made, [from, to]) => made.link(items[from], items[to]), graph(spec.name, items));
}
