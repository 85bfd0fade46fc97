/** Strict readers of the DOT and the Mermaid that the package writes: they throw at whatever else a name might have made of it. */

/** What a drawing says. Labels are as a viewer would show them. */
export interface Drawing {
  /** The labels of boxes and frames, by id. */
  readonly labels: Record<string, string>;
  /** `from -> to`, with the label if there is one. */
  readonly arrows: readonly string[];
}

export function readDot(text: string): Drawing {
  const drawing: { labels: Record<string, string>; arrows: string[] } = { labels: {}, arrows: [] };
  const id = '[a-z]+\\d+';
  const quoted = '"((?:[^"\\\\\\n]|\\\\["\\\\n])*)"';
  const open: string[] = [];
  const [first, ...lines] = text.split('\n').map((line) => line.trim());
  if (first !== 'digraph {') throw new Error(`not a digraph: ${first}`);
  for (const line of lines.slice(0, -2)) {
    const match = (pattern: string) => new RegExp(`^${pattern}$`).exec(line)?.slice(1);
    const frame = match(`subgraph cluster_(${id}) \\{`);
    const label = match(`label=${quoted};`);
    const box = match(`(${id}) \\[label=${quoted}(?:, fillcolor="#[0-9a-f]{6}")?\\];`);
    const arrow = match(
      `(${id}) -> (${id})(?: \\[(?:label=${quoted})?(?:(?:, )?style=dashed(?:, constraint=false)?)?\\])?;`,
    );
    if (frame) open.push(frame[0]);
    else if (label) drawing.labels[open.at(-1)!] = shownByGraphviz(label[0]);
    else if (box) drawing.labels[box[0]] = shownByGraphviz(box[1]);
    else if (arrow) drawing.arrows.push(arrowOf(arrow[0], arrow[1], arrow[2] && shownByGraphviz(arrow[2])));
    else if (line === '}') open.pop();
    else if (!match(`rankdir=(?:TB|LR);|node \\[.*\\];|${id} \\[shape=point, fillcolor=black\\];`)) {
      throw new Error(`not a statement: ${line}`);
    }
  }
  if (open.length > 0 || !text.endsWith('\n}\n')) throw new Error('unbalanced');
  return drawing;
}

function shownByGraphviz(text: string): string {
  if (/&(?!amp;)/.test(text)) throw new Error(`an entity: ${text}`);
  return text.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped)).replaceAll('&amp;', '&');
}

export function readMermaid(text: string): Drawing {
  const drawing: { labels: Record<string, string>; arrows: string[] } = { labels: {}, arrows: [] };
  const id = '[a-z]\\d+';
  // Nothing in quotes has a meaning of its own but the numbers of signs and the ends of lines.
  const quoted = '"((?:[\\p{L}\\p{M}\\p{N} ,()…]|(?<=[\\p{L}\\p{N}])[-._](?=[\\p{L}\\p{N}])|#\\d+;|<br/>)*)"';
  let open = 0;
  const [first, ...lines] = text.trimEnd().split('\n');
  if (!/^flowchart (TB|LR)$/.test(first)) throw new Error(`not a flowchart: ${first}`);
  for (const line of lines.map((line) => line.trim())) {
    const match = (pattern: string) => new RegExp(`^${pattern}$`, 'u').exec(line)?.slice(1);
    const frame = match(`subgraph (${id})\\[${quoted}\\]`);
    const box = match(`(${id})\\[${quoted}\\](?::::[A-Z_]+)?`);
    const arrow = match(`(${id}) (?:-->|-\\.->)(?:\\|${quoted}\\|)? (${id})`);
    if (frame) open++;
    if (frame ?? box) drawing.labels[(frame ?? box)![0]] = shownByMermaid((frame ?? box)![1]);
    else if (arrow) drawing.arrows.push(arrowOf(arrow[0], arrow[2], arrow[1] && shownByMermaid(arrow[1])));
    else if (line === 'end') open--;
    else if (!match(`${id}\\(\\(" "\\)\\)|classDef [A-Z_]+ fill:#[0-9a-f]{6},color:#000`)) {
      throw new Error(`not a statement: ${line}`);
    }
  }
  if (open !== 0) throw new Error('unbalanced');
  return drawing;
}

function shownByMermaid(text: string): string {
  return text.replaceAll('<br/>', '\n').replace(/#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
}

function arrowOf(from: string, to: string, label: string | undefined): string {
  return label === undefined ? `${from} -> ${to}` : `${from} -> ${to}: ${label}`;
}
