/** What an engine runs: a flow as it is, or what a factory builds. */
import { StoreError } from '../errors.js';
import { type FactoryNode, isFactory } from '../flows/index.js';
import { checkGiven } from './bind.js';
import type { FlowSummary } from './recording.js';

/** The factories among which is that of a recorded flow, by their names. */
export class Factories {
  readonly #known: ReadonlyMap<string, FactoryNode>;

  constructor(known: ReadonlyMap<string, FactoryNode>) {
    this.#known = known;
  }

  /** @throws {@link StoreError} `ERR_MILLRACE_UNKNOWN_FACTORY` */
  of({ id, name, factory }: Pick<FlowSummary, 'id' | 'name' | 'factory'>): FactoryNode {
    const found = factory === undefined ? undefined : this.#known.get(factory);
    if (found) return found;
    const known = [...this.#known.keys()].map((one) => `'${one}'`).join(', ') || 'none';
    const message =
      factory === undefined
        ? `Flow ${id} was recorded without a factory: resume it with its flow '${name}', load(flow, { record: { store, id } })`
        : `Flow ${id} was built by factory '${factory}', which is not among those that were given: ${known}`;
    throw new StoreError('ERR_MILLRACE_UNKNOWN_FACTORY', message, { flow: id });
  }
}

/**
 * The flow for some inputs: of a factory, what it builds from them; anything else is the flow itself.
 *
 * @throws {@link FlowError} when the inputs are no object, or the factory fails
 */
export function builtFrom(source: unknown, inputs: unknown): unknown {
  return isFactory(source) ? source.build(checkGiven(`Factory '${source.name}'`, inputs)) : source;
}
