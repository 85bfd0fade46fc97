import { ArgumentError, received } from '../errors.js';
import { FlowNode, type Item, type Link, readItems } from './flow.js';

/** A graph flow; `link` orders two of its items beyond what their names say. */
export class GraphNode extends FlowNode {
  /** Shared by the graphs that `link` makes from one another: they have the same items. */
  readonly #members: Set<Item>;

  constructor(name: string, items: readonly Item[], members: Set<Item>, links?: Link) {
    super('graph', name, items, links);
    this.#members = members;
  }

  link(from: Item, to: Item): GraphNode {
    for (const [end, item] of [['from', from] as const, ['to', to] as const]) {
      if (!this.#members.has(item)) {
        const what = item?.name === undefined ? received(item) : `'${item.name}'`;
        throw new ArgumentError(
          `graph('${this.name}').link(): cannot link ${end} ${what}, which is not an item of the graph`,
        );
      }
    }
    return new GraphNode(this.name, this.items, this.#members, { from, to, previous: this.links });
  }
}

export function makeGraph(name: unknown, given: readonly unknown[]): GraphNode {
  const items = readItems('graph', name, given);
  return new GraphNode(name as string, items, new Set(items));
}
