/** What an engine looks like in `util.inspect`: its flow, with the states of the tasks once there are any. */
import { type InspectOptions, inspect } from 'node:util';
import { isTask } from '../atoms/index.js';
import { isFlow, tree } from '../flows/index.js';
import { type FlowState, TASK_STATES } from './states.js';

export function describeEngine(
  flow: unknown,
  state: FlowState,
  states: Uint8Array | undefined,
  depth: unknown,
  options: InspectOptions,
): string {
  const prefix = `Engine (${state}) of `;
  // Whether the flow is one is checked when it is compiled.
  if (!isFlow(flow) && !isTask(flow)) return prefix + inspect(flow, options);
  return prefix + tree(flow, depth, states ? { ...options, states: (from, to) => summary(states, from, to) } : options);
}

/** `3 SUCCESS, 1 RUNNING`; of one atom, its state. */
function summary(states: Uint8Array, from: number, to: number): string {
  if (to - from === 1) return TASK_STATES[states[from]];
  const counts = new Array<number>(TASK_STATES.length).fill(0);
  for (let atom = from; atom < to; atom++) counts[states[atom]]++;
  return TASK_STATES.flatMap((state, number) => (counts[number] > 0 ? `${counts[number]} ${state}` : [])).join(', ');
}
