import { type InspectOptions, inspect } from 'node:util';
import { isThenable, quoted } from '../atoms/index.js';
import { ArgumentError, FlowError, received } from '../errors.js';
import type { Factory, FactoryFunction } from './dataflow.js';
import { type Item, isItem, receivedItem } from './flow.js';

const brand = Symbol.for('millrace.factory');

/** What builds a flow from its inputs. */
export class FactoryNode {
  readonly kind = 'factory';
  readonly name: string;
  readonly #build: (inputs: any) => unknown;

  constructor(name: string, build: (inputs: any) => unknown) {
    this.name = name;
    this.#build = build;
  }

  /**
   * The flow for some inputs.
   *
   * @throws {@link FlowError} when there is none, or it is none
   */
  build(inputs: object): Item {
    let built: unknown;
    try {
      built = this.#build(inputs);
    } catch (error) {
      const why = error instanceof Error ? error.message : received(error);
      throw new FlowError('ERR_MILLRACE_FACTORY_FAILED', `Factory '${this.name}' could not build its flow: ${why}`, {
        cause: error,
      });
    }
    if (isItem(built)) return built;
    if (isThenable(built)) Promise.resolve(built).catch(() => {}); // what it rejects with is not worth a crash
    throw new FlowError(
      'ERR_MILLRACE_NOT_A_FLOW',
      `Factory '${this.name}': build must return a flow or a task; received ${isThenable(built) ? 'a promise' : receivedItem(built)}`,
    );
  }

  [inspect.custom](_depth: unknown, options: InspectOptions): string {
    return `Factory ${quoted(this.name, options)}`;
  }
}
Object.defineProperty(FactoryNode.prototype, brand, { value: true });

/** Whether a value is a factory, made by any loaded copy of the package. */
export function isFactory(value: unknown): value is FactoryNode & Factory {
  return typeof value === 'object' && value !== null && brand in value;
}

/**
 * Makes what builds a flow from its inputs, for flows that are not the same in every run. It can be run and loaded like a flow.
 *
 * The name is recorded with the flow, so that `resume()` finds what builds it again. What is built must depend on the inputs alone.
 *
 * @throws {@link ArgumentError} when an argument is wrong
 * @example
 * const thumbnails = factory('thumbnails', ({ widths }: { widths: number[] }) =>
 *   unordered('thumbnails', widths.map((width) => resize.with({ name: `resize to ${width}`, inject: { width }, provides: `at ${width}` }))),
 * );
 * await run(thumbnails, { path: 'a.png', widths: [320, 640] });
 */
export const factory = ((name: unknown, build: unknown): FactoryNode => {
  if (typeof name !== 'string' || name === '') {
    throw new ArgumentError(`factory(): the first argument must be the factory's name; received ${received(name)}`);
  }
  if (typeof build !== 'function') {
    throw new ArgumentError(`factory('${name}'): build must be a function; received ${received(build)}`);
  }
  return new FactoryNode(name, build as (inputs: any) => unknown);
}) as unknown as FactoryFunction;
