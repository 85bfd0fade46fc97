/** Edges in compressed sparse rows: those that leave `node` are `to[start[node] .. start[node + 1])`. */
export interface Edges {
  readonly start: Int32Array;
  readonly to: Int32Array;
}

/** Collects edges in any order, eight bytes each. */
export class EdgeList {
  #pairs = new Int32Array(64);
  #length = 0;

  add(from: number, to: number): void {
    if (this.#length === this.#pairs.length) {
      const larger = new Int32Array(this.#pairs.length * 2);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[this.#length++] = from;
    this.#pairs[this.#length++] = to;
  }

  /** Rows of `nodes` nodes. Edges that leave one node keep the order in which they were added. */
  rows(nodes: number): Edges {
    return rows(nodes, this.#length, this.#pairs);
  }
}

/** The two nodes by which something is connected: what it waits for goes to `entry`, what waits for it comes from `exit`. */
export interface Ends {
  readonly entry: number;
  readonly exit: number;
}

/** The same edges the other way round. */
export function reversed(edges: Edges, nodes: number): Edges {
  const { start, to } = edges;
  const pairs = new Int32Array(to.length * 2);
  for (let node = 0, at = 0; node < nodes; node++) {
    for (let e = start[node]; e < start[node + 1]; e++) {
      pairs[at++] = to[e];
      pairs[at++] = node;
    }
  }
  return rows(nodes, pairs.length, pairs);
}

/** For each node, how many edges arrive at it. */
export function arrivals(edges: Edges, nodes: number): Int32Array {
  const counts = new Int32Array(nodes);
  for (let e = 0; e < edges.to.length; e++) counts[edges.to[e]]++;
  return counts;
}

function rows(nodes: number, length: number, pairs: Int32Array): Edges {
  const start = new Int32Array(nodes + 1);
  for (let i = 0; i < length; i += 2) start[pairs[i] + 1]++;
  for (let node = 0; node < nodes; node++) start[node + 1] += start[node];
  const to = new Int32Array(length / 2);
  const next = start.slice(0, nodes);
  for (let i = 0; i < length; i += 2) to[next[pairs[i]]++] = pairs[i + 1];
  return { start, to };
}
