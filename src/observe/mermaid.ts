import type { Engine, TaskState } from '../engine/index.js';
import type { FlowItem } from '../flows/index.js';
import { COLOURS } from './colours.js';
import { type DiagramOptions, diagram, indent } from './diagram.js';

/**
 * Draws a flow as a Mermaid flowchart, which GitHub and others show in Markdown; the flow of an engine with the states of its
 * tasks.
 *
 * @throws {@link FlowError} when the flow cannot be compiled
 * @throws {@link ArgumentError} when an option is wrong, or the flow has more tasks than `maxTasks`
 * @example
 * writeFileSync('thumbnail.md', `\`\`\`mermaid\n${toMermaid(thumbnail)}\`\`\`\n`);
 */
export function toMermaid(subject: FlowItem | Engine<any>, options: DiagramOptions = {}): string {
  const { direction, parts, arrows } = diagram(subject, options);
  const lines = [`flowchart ${direction}`];
  const states = new Set<TaskState>();
  let level = 1;
  const write = (line: string) => lines.push(indent(level) + line);
  for (const part of parts) {
    if (part === 'close') {
      level--;
      write('end');
    } else if ('frame' in part) {
      write(`subgraph ${part.frame.id}[${quote(part.frame.label)}]`);
      level++;
    } else if ('joint' in part) {
      write(`${part.joint}((" "))`);
    } else {
      const { id, label, state } = part.box;
      if (state) states.add(state);
      write(`${id}[${quote(...label)}]${state ? `:::${state}` : ''}`);
    }
  }
  for (const { from, to, label, order, decided } of arrows) {
    lines.push(`  ${from} ${order && !decided ? '-->' : '-.->'}${label ? `|${quote(label)}|` : ''} ${to}`);
  }
  for (const state of states) lines.push(`  classDef ${state} fill:${COLOURS[state]},color:#000`);
  return `${lines.join('\n')}\n`;
}

/**
 * All that could mean something to Mermaid, HTML or Markdown is written by its number: any sign but these, and `-`, `.` and `_`
 * between letters or digits.
 */
const SIGN = /(?!(?<=[\p{L}\p{N}])[-._](?=[\p{L}\p{N}]))[^\p{L}\p{M}\p{N} ,()…]/gu;

function quote(...lines: readonly string[]): string {
  const escaped = lines.map((line) => line.replace(SIGN, (sign) => `#${sign.codePointAt(0)};`));
  return `"${escaped.join('<br/>')}"`;
}
