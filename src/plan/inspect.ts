/** What a plan looks like in `util.inspect`: a line a node, with where its arguments come from and what comes after it. */
import type { InspectOptions } from 'node:util';
import { bare, quoted, row } from '../atoms/index.js';
import { nameOf } from './names.js';
import { CONSTANT, type Plan } from './plan.js';

export function inspectPlan(this: Plan, depth: unknown, options: InspectOptions): string {
  const { name, atoms, size, nodes, successors, argStart, args, picks, inputs, outputNames, retries } = this;
  const plain = (name: string) => bare(name, options);
  const scopes = retries?.scopes.length ?? 0;
  const tasks = `${size - scopes} tasks${scopes > 0 ? `, ${scopes} retries` : ''}`;
  const parts = [`${tasks}, ${nodes - size} joints, ${successors.to.length} edges`];
  if (inputs.length > 0) parts.push(`needs ${row(inputs, (input) => plain(input.name))}`);
  if (outputNames.length > 0) parts.push(`gives ${row(outputNames, plain)}`);
  const lines = [`Plan ${quoted(name, options)} (${parts.join('; ')})`];
  if (typeof depth === 'number' && depth < 0) return lines[0];
  const source = (source: number) => {
    if (source < 0) return source === CONSTANT ? 'a constant' : 'an input';
    return `node ${source < size ? source : picks[source - size].atom}`;
  };
  const shown = Math.min(nodes, options.maxArrayLength ?? Number.POSITIVE_INFINITY);
  for (let node = 0; node < shown; node++) {
    let line = `${node === nodes - 1 ? '└─' : '├─'} ${node}: `;
    if (node < size) {
      const given = atoms[node].mapping.params.map((param, i) => ({ param, from: args[argStart[node] + i] }));
      line += `${atoms[node].controller ? 'Retry' : 'Task'} ${quoted(nameOf(this, node), options)}`;
      if (given.length > 0) line += ` (${row(given, ({ param, from }) => `${plain(param)} from ${source(from)}`)})`;
    } else {
      line += 'joint';
    }
    const after = [...successors.to.subarray(successors.start[node], successors.start[node + 1])];
    lines.push(after.length > 0 ? `${line} -> ${row(after, String)}` : line);
  }
  if (shown < nodes) lines.push(`└─ … ${nodes - shown} more`);
  return lines.join('\n');
}
