/** Random flows in which much fails, as the library resolves it and as a plain interpreter reads the rules. */

import { type Engine, load, type TaskEvent, WrappedFailure } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type EngineUnderTest, engines } from '../engines.js';
import fc from '../fast-check.js';
import { readChronicle } from '../fixtures/atoms/fated.js';
import { type Built, build } from '../reference/build.js';
import { type RandomFailing, randomFailing, sketch, tamed } from '../reference/random-resolution.js';
import { type Atom, type LinkSpec, Order, Resolution } from '../reference/resolution.js';

const numRuns = Number(process.env.TEST_RUNS || 300);

/** How often a run that ends in a failed revert, or is suspended, is run again. */
const PATIENCE = 4;

/** What a run came to: what it provided, or the atoms that its error blames. */
async function outcomeOf(run: Promise<unknown>): Promise<unknown> {
  try {
    return await run;
  } catch (error) {
    const errors = error instanceof WrappedFailure ? error.errors : [error];
    const culprits = errors.map((one) => (one as { task?: string }).task);
    if (culprits.includes(undefined)) throw error;
    return culprits.sort();
  }
}

/** Writes down every change of state, and suspends the engine at one of them when it is told to. */
class Watch {
  readonly events: string[] = [];
  readonly taskEvents: TaskEvent[] = [];
  /** At which change of state from now on the engine is suspended; 0: at none. */
  suspendAt = 0;

  constructor(engine: Engine<any>) {
    engine.on('flow', ({ state }) => this.events.push(`flow ${state}`));
    engine.on('task', (event) => {
      this.events.push(`${event.name} ${event.state}`);
      this.taskEvents.push(event);
      if (engine.state === 'RUNNING' && this.suspendAt > 0 && --this.suspendAt === 0) engine.suspend();
    });
  }
}

/** What deciders ignore at once has no order. */
function inOrder(events: readonly string[]): string[] {
  const sorted: string[] = [];
  let ignored: string[] = [];
  for (const event of [...events, '']) {
    if (event.endsWith(' IGNORE') || (event === 'flow SUSPENDING' && ignored.length > 0)) {
      ignored.push(event);
      continue;
    }
    sorted.push(...ignored.sort(), event);
    ignored = [];
  }
  return sorted.slice(0, -1);
}

/** Checks each step of a serial run. */
async function checkSerial({ root, policy, steps }: RandomFailing): Promise<void> {
  const { flow, inputs, asked } = build(root);
  const engine = load<any, any>(flow, { engine: 'serial', ...optionsOf(policy), inputs });
  const watch = new Watch(engine);
  const meaning = new Resolution(root, policy);
  const again = Array.from({ length: PATIENCE }, () => ({ suspendAt: 0 }));
  for (const step of [...steps, ...again]) {
    let outcome: unknown;
    if (step === 'reset') {
      engine.reset();
      meaning.reset();
    } else {
      watch.suspendAt = step.suspendAt;
      outcome = await outcomeOf(engine.run());
      meaning.run(step.suspendAt);
    }
    assert.equal(inOrder(watch.events.splice(0)), inOrder(meaning.events.splice(0)), 'the sequence of events');
    assert.equal(asked.splice(0), meaning.asked.splice(0), 'what deciders are asked');
    assert.is(engine.state, meaning.state);
    assert.equal(engine.storage.getTaskStates(), meaning.states);
    if (step === 'reset') continue;
    const isGood = meaning.state === 'SUCCESS' || meaning.state === 'SUSPENDED';
    assert.equal(outcome, isGood ? meaning.outputs : meaning.culprits, 'what the run comes to');
    if (!policy.neverResolve) checkHistories(engine, meaning);
  }
}

function optionsOf({ failurePolicy, deferReverts, neverResolve }: RandomFailing['policy']): object {
  return {
    ...(failurePolicy === 'finish' ? { failurePolicy } : {}),
    ...(deferReverts ? {} : { deferReverts }),
    ...(neverResolve ? { neverResolve } : {}),
  };
}

function checkHistories(engine: Engine<any>, meaning: Resolution): void {
  for (const [name, expected] of Object.entries(meaning.histories)) {
    const history = engine.storage.getRetryHistory(name);
    const seen = [...history].map(({ value, failures }) => ({ value, failures: Object.keys(failures).sort() }));
    assert.equal(seen, expected, `the history of ${name}`);
  }
}

/** Runs a flow until it has neither been suspended nor stuck in a revert, as far as patience goes. */
async function runOn(engine: Engine<any>, watch: Watch, suspensions: number[]): Promise<unknown> {
  let outcome: unknown;
  for (let stuck = 0; stuck < PATIENCE; ) {
    watch.suspendAt = suspensions.shift() ?? 0;
    outcome = await outcomeOf(engine.run());
    if (engine.state === 'FAILURE') stuck++;
    else if (engine.state !== 'SUSPENDED') break;
  }
  return outcome;
}

function suspensionsOf({ steps }: RandomFailing): number[] {
  return steps.flatMap((step) => (step === 'reset' ? [] : [step.suspendAt]));
}

/** Checks what is determined in whatever order the atoms run. */
async function checkTamed(random: RandomFailing, options: EngineUnderTest['options']): Promise<void> {
  const { root, policy } = random;
  const built = build(root);
  const engine = load<any, any>(built.flow, { ...options, ...optionsOf(policy), inputs: built.inputs });
  const watch = new Watch(engine);
  const outcome = await runOn(engine, watch, suspensionsOf(random));
  const meaning = new Resolution(root, policy);
  for (let stuck = 0; stuck < PATIENCE; stuck++) {
    meaning.run();
    if (meaning.state !== 'FAILURE') break;
  }
  checkInvariants(random, engine, watch, built);
  assert.is(engine.state, meaning.state);
  const states = engine.storage.getTaskStates();
  if (meaning.state === 'SUCCESS') {
    assert.equal(states, meaning.states);
    assert.equal(outcome, meaning.outputs);
    if (!policy.neverResolve) checkHistories(engine, meaning);
    return;
  }
  assert.equal(outcome, meaning.culprits, 'whom the error blames');
  // What has nothing to do with the failure may have run or not when it happened.
  const { order } = meaning;
  const culprits = meaning.culprits.map((name) => order.named(name));
  for (const atom of order.atoms) {
    if (!culprits.every((other) => atom === other || order.before(atom, other))) continue;
    if (meaning.state === 'FAILURE' && !culprits.includes(atom)) continue;
    assert.is(states[atom.name], atom.state, `the state of ${atom.name}`);
  }
}

/** Checks what holds of any flow, in whatever order its atoms run. */
async function checkAny(random: RandomFailing, options: EngineUnderTest['options']): Promise<void> {
  const built = build(random.root);
  const engine = load<any, any>(built.flow, { ...options, ...optionsOf(random.policy), inputs: built.inputs });
  const watch = new Watch(engine);
  await runOn(engine, watch, suspensionsOf(random));
  checkInvariants(random, engine, watch, built);
}

/** From which states to which an atom goes without a reset. */
const TRANSITIONS: Record<string, readonly string[]> = {
  PENDING: ['RUNNING', 'IGNORE'],
  RUNNING: ['SUCCESS', 'FAILURE', 'PENDING', 'RETRYING'],
  SUCCESS: ['REVERTING', 'RETRYING'],
  FAILURE: ['REVERTING', 'RETRYING', 'PENDING'],
  REVERTING: ['REVERTED', 'REVERT_FAILURE', 'SUCCESS', 'FAILURE'],
  REVERTED: ['PENDING', 'RETRYING'],
  REVERT_FAILURE: ['REVERTING'],
  RETRYING: ['RUNNING', 'FAILURE', 'PENDING', 'REVERTING', 'REVERTED'],
  IGNORE: ['PENDING'],
};

function checkInvariants({ root, policy }: RandomFailing, engine: Engine<any>, watch: Watch, built: Built): void {
  const order = new Order(root);
  checkTransitions(order, engine, watch);
  checkDeeds(order, built, policy.neverResolve);
  checkEnd(order, engine, built, policy);
}

function checkTransitions({ atoms }: Order, engine: Engine<any>, { taskEvents }: Watch): void {
  const states = new Map<string, string>(atoms.map(({ name }) => [name, 'PENDING']));
  const attempts = new Map<string, number>();
  for (const { name, state, oldState } of taskEvents) {
    assert.is(oldState, states.get(name), `what ${name} was before`);
    assert.ok(TRANSITIONS[oldState].includes(state), `${name} goes from ${oldState} to ${state}`);
    states.set(name, state);
    if (oldState === 'RUNNING' && state === 'SUCCESS') attempts.set(name, (attempts.get(name) ?? 0) + 1);
    if (state === 'PENDING' || state === 'REVERTED') attempts.delete(name);
  }
  assert.equal(engine.storage.getTaskStates(), Object.fromEntries(states));
  for (const { name, flow } of atoms) {
    if (!flow || states.get(name) !== 'SUCCESS') continue;
    const history = engine.storage.getRetryHistory(name);
    assert.is(history.length, attempts.get(name), `${name} has an attempt for each time it has run`);
  }
}

/** Checks the order of what the atoms have done by what they have written down. */
function checkDeeds(order: Order, { chronicle }: Built, neverResolve: boolean): void {
  type Doing = 'nothing' | 'runs' | 'done' | 'failed' | 'is reverted' | 'stuck';
  const { atoms } = order;
  const doing: Doing[] = atoms.map(() => 'nothing');
  // What some atoms do is not written down: the controllers that come with the library, and those that lack a value.
  const isWritten = ({ task, retry, requires }: Atom) =>
    (task !== undefined || retry?.kind === 'custom') && requires.length === 0;
  const mayBeIgnored = atoms.map((atom) => isDecided(order, atom));
  for (const { atom: at, deed } of readChronicle(chronicle)) {
    const atom = atoms[at];
    const { name } = atom;
    if (deed === 'begins') {
      const isFree = doing[at] === 'nothing' || (neverResolve && doing[at] === 'failed');
      const isAgain = atom.flow !== undefined && (doing[at] === 'done' || doing[at] === 'failed');
      assert.ok(isFree || isAgain, `${name} runs when nothing of it is left`);
      atoms.forEach((other, i) => {
        if (!order.before(other, atom) || !isWritten(other) || mayBeIgnored[i]) return;
        const isThrough = doing[i] === 'done' || (doing[i] === 'failed' && other.task?.mayFail);
        assert.ok(isThrough, `${name} runs after ${other.name}, which ${doing[i]}`);
      });
      doing[at] = 'runs';
    } else if (deed === 'reverts') {
      atoms.forEach((other, i) => {
        if (!order.before(atom, other)) return;
        assert.is(doing[i], 'nothing', `${name} is reverted after ${other.name}`);
      });
      doing[at] = 'is reverted';
    } else {
      doing[at] = deed === 'ends' ? 'done' : deed === 'fails' ? 'failed' : deed === 'reverted' ? 'nothing' : 'stuck';
    }
  }
}

/** Whether a decider may keep an atom from running. */
function isDecided(order: Order, atom: Atom): boolean {
  const keepsFrom = ({ answers }: LinkSpec) => answers.includes('no') || answers.includes('throw');
  const denied = atom.levels.flatMap(({ flow }) => flow.links.filter(keepsFrom));
  const everywhere = order.atoms.flatMap(({ levels }) => levels.flatMap(({ flow }) => flow.links));
  return denied.length > 0 || everywhere.some((link) => link.depth === 'all' && keepsFrom(link));
}

function checkEnd(order: Order, engine: Engine<any>, { chronicle }: Built, policy: RandomFailing['policy']): void {
  const states = engine.storage.getTaskStates() as Record<string, string>;
  const all = order.atoms.map(({ name }) => states[name]);
  if (engine.state === 'FAILURE') {
    assert.ok(policy.neverResolve || all.includes('REVERT_FAILURE'), 'a flow fails if a revert does');
  } else if (engine.state === 'SUCCESS') {
    for (const { name, task } of order.atoms) {
      const isWell = ['SUCCESS', 'IGNORE'].includes(states[name]) || (task?.mayFail && states[name] === 'FAILURE');
      assert.ok(isWell, `${name} is ${states[name]} at the end of a flow that has succeeded`);
    }
  } else {
    assert.is(engine.state, 'REVERTED', 'the flow comes to an end');
    if (!policy.deferReverts) return;
    for (const [name, state] of Object.entries(states)) {
      assert.ok(
        ['REVERTED', 'PENDING', 'IGNORE', 'RETRYING'].includes(state),
        `${name} is ${state} in a flow that is reverted`,
      );
    }
    const left = new Set<number>();
    for (const { atom, deed } of readChronicle(chronicle)) {
      if (deed === 'begins') left.add(atom);
      else if (deed === 'reverted') left.delete(atom);
    }
    assert.equal(left.size, 0, 'whatever ran is reverted');
  }
}

/** Checks random flows. What is reported is the smallest of them that fails, and why. */
async function runs(
  flows: fc.Arbitrary<RandomFailing>,
  check: (random: RandomFailing) => Promise<void>,
  share = 1,
): Promise<void> {
  const details = await fc.check(fc.asyncProperty(flows, check), { numRuns: Math.ceil(numRuns * share) });
  if (!details.failed) return;
  const { counterexample, errorInstance, seed, counterexamplePath } = details;
  const error = errorInstance as Error & { details?: string };
  const flow = counterexample ? sketch(counterexample[0]) : '';
  const found = `seed ${seed}, path '${counterexamplePath}'`;
  throw new Error([error?.message, error?.details, flow, found].filter(Boolean).join('\n'), { cause: error });
}

test('failures in random flows are resolved as the interpreter says, event for event (serial)', async () => {
  await runs(randomFailing(), checkSerial);
});

for (const { name, options } of engines) {
  test(`random flows in which one thing fails at a time end as the interpreter says (${name})`, async () => {
    await runs(randomFailing().map(tamed), (random) => checkTamed(random, options), 1 / 3);
  });

  test(`whatever fails, each atom runs and is reverted in its turn (${name})`, async () => {
    await runs(randomFailing(), (random) => checkAny(random, options), 1 / 3);
  });
}

test.run();
