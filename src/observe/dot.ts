import type { Engine } from '../engine/index.js';
import type { FlowItem } from '../flows/index.js';
import { COLOURS } from './colours.js';
import { type DiagramOptions, diagram, indent } from './diagram.js';

/**
 * Draws a flow in DOT, the language of Graphviz; the flow of an engine with the states of its tasks.
 *
 * @throws {@link FlowError} when the flow cannot be compiled
 * @throws {@link ArgumentError} when an option is wrong, or the flow has more tasks than `maxTasks`
 * @example
 * writeFileSync('thumbnail.dot', toDot(thumbnail)); // dot -Tsvg thumbnail.dot > thumbnail.svg
 */
export function toDot(subject: FlowItem | Engine<any>, options: DiagramOptions = {}): string {
  const { direction, parts, arrows } = diagram(subject, options);
  const lines = [
    'digraph {',
    `  rankdir=${direction};`,
    '  node [shape=box, style="rounded,filled", fillcolor=white];',
  ];
  let level = 1;
  const write = (line: string) => lines.push(indent(level) + line);
  for (const part of parts) {
    if (part === 'close') {
      level--;
      write('}');
    } else if ('frame' in part) {
      write(`subgraph cluster_${part.frame.id} {`);
      level++;
      write(`label=${quote(part.frame.label)};`);
    } else if ('joint' in part) {
      write(`${part.joint} [shape=point, fillcolor=black];`);
    } else {
      const { id, label, state } = part.box;
      const colour = state ? `, fillcolor="${COLOURS[state]}"` : '';
      write(`${id} [label=${quote(...label)}${colour}];`);
    }
  }
  for (const { from, to, label, order, decided } of arrows) {
    const attributes = label ? [`label=${quote(label)}`] : [];
    if (!order || decided) attributes.push('style=dashed');
    if (!order) attributes.push('constraint=false');
    lines.push(`  ${from} -> ${to}${attributes.length > 0 ? ` [${attributes.join(', ')}]` : ''};`);
  }
  return `${lines.join('\n')}\n}\n`;
}

/** In labels a backslash begins an escape, and entities are replaced, even between quotes. */
function quote(...lines: readonly string[]): string {
  const escaped = lines.map((line) => line.replace(/[\\"]/g, '\\$&').replaceAll('&', '&amp;'));
  return `"${escaped.join('\\n')}"`;
}
