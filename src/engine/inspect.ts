/** What an engine looks like in `util.inspect`: its flow, with the states of the tasks once there are any. */
import { type InspectOptions, inspect } from 'node:util';
import { isTask } from '../atoms/index.js';
import { isFlow, tree } from '../flows/index.js';
import type { Ledger } from './ledger.js';
import { type FlowState, TASK_STATES } from './states.js';

export function describeEngine(
  flow: unknown,
  state: FlowState,
  ledger: Ledger | undefined,
  depth: unknown,
  options: InspectOptions,
): string {
  const prefix = `Engine (${state}) of `;
  // Whether the flow is one is checked when it is compiled.
  if (!isFlow(flow) && !isTask(flow)) return prefix + inspect(flow, options);
  return prefix + tree(flow, depth, ledger ? { ...options, states: (from, to) => summary(ledger, from, to) } : options);
}

/** `3 SUCCESS, 1 RUNNING`; of one atom, its state, and of a region what its flow has come to. */
function summary({ states, children }: Ledger, from: number, to: number): string {
  if (to - from === 1) {
    const child = children.get(from)?.ledger;
    const within = child && child.states.length > 0 ? `, within it ${summary(child, 0, child.states.length)}` : '';
    return TASK_STATES[states[from]] + within;
  }
  const counts = new Array<number>(TASK_STATES.length).fill(0);
  for (let atom = from; atom < to; atom++) counts[states[atom]]++;
  return TASK_STATES.flatMap((state, number) => (counts[number] > 0 ? `${counts[number]} ${state}` : [])).join(', ');
}
