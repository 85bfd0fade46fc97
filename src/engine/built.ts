/** What an engine runs: a flow as it is, or what a factory builds. */
import { isFactory } from '../flows/index.js';
import { checkGiven } from './bind.js';

/**
 * The flow for some inputs: of a factory, what it builds from them; anything else is the flow itself.
 *
 * @throws {@link FlowError} when the inputs are no object, or the factory fails
 */
export function builtFrom(flow: unknown, inputs: unknown): unknown {
  if (!isFactory(flow)) return flow;
  checkGiven(`Factory '${flow.name}'`, inputs);
  return flow.build(inputs as object);
}
