import { ArgumentError, received } from '../errors.js';
import { DEPTHS, type FlowCare, FlowNode, type Item, type Link, readItems } from './flow.js';

/** A graph flow; `link` orders two of its items beyond what their names say, `target` leaves out what one of them can do without. */
export class GraphNode extends FlowNode {
  /** Shared by the graphs that are made from one another: they have the same items. */
  readonly #members: Set<Item>;

  constructor(name: string, items: readonly Item[], members: Set<Item>, links?: Link, care?: FlowCare, goal?: Item) {
    super('graph', name, items, links, care, goal);
    this.#members = members;
  }

  link(from: Item, to: Item, options: unknown = {}): GraphNode {
    for (const [end, item] of [['from', from] as const, ['to', to] as const]) {
      if (!this.#members.has(item)) throw this.#unknown(`link(): cannot link ${end}`, item);
    }
    const link = { from, to, ...checkOptions(this.name, options), previous: this.declaredLinks };
    return this.copy(this.name, link, this.care);
  }

  target(item: Item): GraphNode {
    if (!this.#members.has(item)) throw this.#unknown('target(): cannot target', item);
    return new GraphNode(this.name, this.declared, this.#members, this.declaredLinks, this.care, item);
  }

  protected override copy(name: string, links: Link | undefined, care: FlowCare): GraphNode {
    return new GraphNode(name, this.declared, this.#members, links, care, this.goal);
  }

  #unknown(what: string, item: Item | undefined): ArgumentError {
    const which = item?.name === undefined ? received(item) : `'${item.name}'`;
    return new ArgumentError(`graph('${this.name}').${what} ${which}, which is not an item of the graph`);
  }
}

function checkOptions(graph: string, options: unknown): Pick<Link, 'decider' | 'depth'> {
  const wrong = (what: string, expected: string, value: unknown) =>
    new ArgumentError(`graph('${graph}').link(): ${what} must be ${expected}; received ${received(value)}`);
  if (typeof options !== 'object' || options === null) throw wrong('the options', 'an object', options);
  const { decider, depth } = options as Partial<Link>;
  if (decider !== undefined && typeof decider !== 'function') throw wrong('decider', 'a function', decider);
  if (depth !== undefined && !DEPTHS.includes(depth)) {
    throw wrong('depth', DEPTHS.map((word) => `'${word}'`).join(' or '), depth);
  }
  if (depth !== undefined && decider === undefined) throw wrong('decider', 'given where there is a depth', decider);
  return { decider, depth: depth ?? 'all' };
}

export function makeGraph(name: unknown, given: readonly unknown[]): GraphNode {
  const items = readItems('graph', name, given);
  return new GraphNode(name as string, items, new Set(items));
}
