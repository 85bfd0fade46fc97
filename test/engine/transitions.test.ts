/** Whatever happens to a flow, its states and those of its tasks change only as the tables say. */

import { type Engine, type FlowItem, type FlowState, graph, linear, load, type TaskState, unordered } from 'millrace';
import { test as once } from 'uvu';
import * as assert from 'uvu/assert';
import { checkFlowTransition, TASK_TRANSITIONS } from '../../src/engine/states.js';
import { overEveryEngine } from '../engines.js';
import fc from '../fast-check.js';
import { local, travelling } from '../fixtures/engine/tasks.js';

interface Leaf {
  readonly does: 'five' | 'fiveLater' | 'woot' | 'gotcha';
  readonly travels: boolean;
}

interface Branch {
  readonly pattern: 'linear' | 'unordered' | 'graph';
  readonly items: readonly Tree[];
}

type Tree = Leaf | Branch;

/** What is done to the engine: by itself, or step by step up to some step; and what a listener does at which event. */
interface Attempt {
  readonly steps: number | undefined;
  readonly suspendAt: number;
}

const leaf: fc.Arbitrary<Leaf> = fc.record({
  does: fc.oneof(
    { weight: 6, arbitrary: fc.constant('five' as const) },
    { weight: 3, arbitrary: fc.constant('fiveLater' as const) },
    { weight: 1, arbitrary: fc.constant('woot' as const) },
    { weight: 1, arbitrary: fc.constant('gotcha' as const) },
  ),
  travels: fc.boolean(),
});
const { tree } = fc.letrec<{ tree: Tree; branch: Branch }>((tie) => ({
  tree: fc.oneof({ maxDepth: 3 }, leaf, tie('branch')),
  branch: fc.record({
    pattern: fc.constantFrom('linear', 'unordered', 'graph'),
    items: fc.array(tie('tree'), { maxLength: 5 }),
  }),
}));
const attempt: fc.Arbitrary<Attempt> = fc.record({
  steps: fc.option(fc.nat(20), { nil: undefined }),
  suspendAt: fc.nat(40),
});

const patterns = { linear, unordered, graph } as unknown as Record<
  Branch['pattern'],
  (name: string, items: FlowItem[]) => FlowItem
>;

function build(root: Tree): FlowItem {
  let count = 0;
  const make = (node: Tree): FlowItem => {
    const name = `n${++count}`;
    if ('does' in node) return (node.travels ? travelling : local)[node.does].with({ name, provides: name });
    return patterns[node.pattern](name, node.items.map(make));
  };
  return make(root);
}

/** Looks at all that an engine says, and collects what it should not have said. */
class Watch {
  readonly wrong: string[] = [];
  /** How many events there were in this run. */
  events = 0;
  suspendAt = Number.POSITIVE_INFINITY;
  abortAt = Number.POSITIVE_INFINITY;
  #flow: FlowState = 'PENDING';
  readonly #tasks = new Map<string, TaskState>();

  constructor(engine: Engine<any>, controller: AbortController) {
    let all = 0;
    const act = () => {
      if (++this.events === this.suspendAt) engine.suspend();
      if (++all === this.abortAt) controller.abort();
    };
    engine.on('flow', ({ name, state, oldState }) => {
      if (oldState !== this.#flow) this.wrong.push(`flow: was ${this.#flow}, not ${oldState}`);
      try {
        checkFlowTransition(name, oldState, state);
      } catch (error) {
        this.wrong.push(String(error));
      }
      this.#flow = state;
      act();
    });
    engine.on('task', ({ name, state, oldState }) => {
      const known = this.#tasks.get(name) ?? 'PENDING';
      if (oldState !== known) this.wrong.push(`${name}: was ${known}, not ${oldState}`);
      // No worker dies here, so that nothing that has begun is taken back.
      const back = (oldState === 'RUNNING' && state === 'PENDING') || (oldState === 'REVERTING' && !/^REV/.test(state));
      if (back || !TASK_TRANSITIONS[oldState].includes(state)) this.wrong.push(`${name}: ${oldState} -> ${state}`);
      this.#tasks.set(name, state);
      act();
    });
  }
}

/** What the states of the tasks may be when the flow has come to its end. */
const AT_THE_END: Readonly<Partial<Record<FlowState, readonly TaskState[]>>> = {
  PENDING: ['PENDING'], // aborted before it began
  SUCCESS: ['SUCCESS'],
  REVERTED: ['PENDING', 'REVERTED'],
  SUSPENDED: ['PENDING', 'SUCCESS', 'FAILURE', 'REVERTED', 'REVERT_FAILURE'],
  FAILURE: ['PENDING', 'SUCCESS', 'FAILURE', 'REVERTED', 'REVERT_FAILURE'],
};

async function perform(engine: Engine<any>, { steps }: Attempt): Promise<void> {
  if (steps === undefined) {
    await engine.run();
    return;
  }
  let taken = 0;
  for await (const _ of engine.runIter()) if (++taken > steps) break;
}

overEveryEngine((test, options) => {
  test('states change only as the tables say, whatever fails and whenever it is suspended or aborted', async () => {
    const numRuns = Number(process.env.TEST_RUNS || 150);
    const attempts = fc.array(attempt, { minLength: 1, maxLength: 4 });
    const abortAt = fc.option(fc.nat(60), { nil: Number.POSITIVE_INFINITY, freq: 3 });
    const property = fc.asyncProperty(tree, attempts, abortAt, async (root, attempts, abortAt) => {
      const controller = new AbortController();
      const engine = load(build(root), { ...options, signal: controller.signal });
      const watch = new Watch(engine, controller);
      watch.abortAt = abortAt;
      for (const one of attempts) {
        watch.events = 0;
        watch.suspendAt = one.suspendAt;
        await perform(engine, one).catch(() => {});
        const { state } = engine;
        const states = engine.storage.getTaskStates();
        const strange = Object.entries(states).filter(([, task]) => !AT_THE_END[state]?.includes(task));
        assert.equal(strange, [], `the flow is ${state}`);
        if (state === 'FAILURE') assert.ok(Object.values(states).includes('REVERT_FAILURE'));
      }
      assert.equal(watch.wrong, []);
    });
    await fc.assert(property, { numRuns });
  });
});

once.run();
