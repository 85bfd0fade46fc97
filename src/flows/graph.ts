import { ArgumentError, received } from '../errors.js';
import { DEPTHS, type FlowCare, FlowNode, type Item, type Link, readItems } from './flow.js';

/** A graph flow; `link` orders two of its items beyond what their names say, `target` leaves out what one of them can do without. */
export class GraphNode extends FlowNode {
  /** The place of each item. Shared by the graphs that are made from one another: they have the same items. */
  readonly #members: Map<Item, number>;

  constructor(
    name: string,
    items: readonly Item[],
    members: Map<Item, number>,
    links?: Link,
    care?: FlowCare,
    goal?: Item,
  ) {
    super('graph', name, items, links, care, goal);
    this.#members = members;
  }

  link(from: Item, to: Item, options: unknown = {}): GraphNode {
    const { decider, depth = 'all' } = checkOptions(this.name, options);
    const link: Link = {
      from: this.#placeOf(from, 'link(): cannot link from'),
      to: this.#placeOf(to, 'link(): cannot link to'),
      decider,
      depth,
      previous: this.declaredLinks,
    };
    return this.copy(this.name, link, this.care);
  }

  target(item: Item): GraphNode {
    this.#placeOf(item, 'target(): cannot target');
    return new GraphNode(this.name, this.declared, this.#members, this.declaredLinks, this.care, item);
  }

  protected override copy(name: string, links: Link | undefined, care: FlowCare): GraphNode {
    return new GraphNode(name, this.declared, this.#members, links, care, this.goal);
  }

  #placeOf(item: Item | undefined, what: string): number {
    const place = this.#members.get(item as Item);
    if (place !== undefined) return place;
    const which = item?.name === undefined ? received(item) : `'${item.name}'`;
    throw new ArgumentError(`graph('${this.name}').${what} ${which}, which is not an item of the graph`);
  }
}

function checkOptions(graph: string, options: unknown): Partial<Pick<Link, 'decider' | 'depth'>> {
  const wrong = (what: string, expected: string, value: unknown) =>
    new ArgumentError(`graph('${graph}').link(): ${what} must be ${expected}; received ${received(value)}`);
  if (typeof options !== 'object' || options === null) throw wrong('the options', 'an object', options);
  const { decider, depth } = options as Partial<Link>;
  if (decider !== undefined && typeof decider !== 'function') throw wrong('decider', 'a function', decider);
  if (depth !== undefined && !DEPTHS.includes(depth)) {
    throw wrong('depth', DEPTHS.map((word) => `'${word}'`).join(' or '), depth);
  }
  if (depth !== undefined && decider === undefined) throw wrong('decider', 'given where there is a depth', decider);
  return options;
}

export function makeGraph(name: unknown, given: readonly unknown[]): GraphNode {
  const items = readItems('graph', name, given);
  return new GraphNode(name as string, items, new Map(items.map((item, place) => [item, place])));
}
