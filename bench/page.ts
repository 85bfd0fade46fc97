/** A report as a page that needs nothing else: charts, and the figures below them. */
import { bars, escaped, lines } from './chart.js';
import { about, type Report, targetsOf } from './report.js';
import type { Chart, Measured } from './suite.js';
import { show, showBound } from './units.js';

const STYLE = `
:root { color-scheme: light dark; --text: #1b2733; --faint: #66727f; --back: #fff; --edge: #dde3e9; --bar: #3b7dd8; --bad: #b3261e;
  --line-0: #3b7dd8; --line-1: #d1602b; --line-2: #2f8f5b; --line-3: #8a54c4; --line-4: #b08900; --line-5: #c23a78; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e9ee; --faint: #93a0ad; --back: #14181d; --edge: #2c343d; --bar: #5c9bf0; --bad: #ff8a80;
  --line-0: #6aa5f5; --line-1: #f0915f; --line-2: #5fc48d; --line-3: #b88cf0; --line-4: #e0bd4a; --line-5: #f07fae; } }
body { margin: 2rem auto; max-width: 84rem; padding: 0 1.5rem; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { margin-bottom: 0; } h2 { margin: 2.5rem 0 0.5rem; } h3 { margin: 0; font-size: 1rem; }
p, small { color: var(--faint); } small { font-size: 0.8rem; font-weight: 400; margin-left: 0.6rem; }
.grid-of { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr)); gap: 1.25rem; }
article, .grid-of > figure { border: 1px solid var(--edge); border-radius: 8px; padding: 1rem; margin: 0; min-width: 0; }
article p { margin: 0 0 0.5rem; font-size: 0.85rem; } figure { margin: 0; } figcaption { font-weight: 600; }
svg { width: 100%; height: auto; display: block; font-size: 13px; } svg text { fill: var(--faint); } svg text.value { fill: var(--text); }
rect { fill: var(--bar); } .grid { stroke: var(--edge); } polyline { fill: none; stroke: var(--line); stroke-width: 2; } circle { fill: var(--line); }
.names { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; list-style: none; margin: 0.5rem 0 0; padding: 0; font-size: 0.85rem; }
.names li::before { content: ''; display: inline-block; width: 0.8em; height: 0.8em; border-radius: 2px; margin-right: 0.4em; background: var(--line); }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; } th { text-align: left; }
td, th { padding: 0.2rem 1rem 0.2rem 0; border-bottom: 1px solid var(--edge); } .bad { color: var(--bad); }
article table { width: 100%; } td.number { text-align: right; }`;

export function page(report: Report): string {
  const { at, machine, measured, failures, verdicts } = report;
  const charts = joined(measured);
  const targets = targetsOf(measured).map(({ suite, name, unit, asked, value, reached }) => [
    `${suite}: ${name}`,
    showBound(asked!, unit),
    show(value, unit),
    reached ? '' : BAD,
  ]);
  const checks = verdicts.map(({ verdict, what, limit, values }) => [
    what,
    limit,
    values.map((value) => value.toFixed(3)).join(', '),
    verdict === 'FAILED' ? BAD : verdict,
  ]);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Millrace benchmarks</title>
<style>${STYLE}</style>
<h1>Millrace benchmarks</h1>
<p>${escaped(at)}<br>${escaped(about(machine))}</p>
${section(
  'Not measured',
  failures.length > 0 &&
    table(
      ['', 'why'],
      failures.map(({ suite, why }) => [suite, why]),
    ),
)}
${section('Checks', checks.length > 0 && table(['', 'must be', 'measured', ''], checks))}
${section('Targets', targets.length > 0 && table(['', 'asked', 'measured', ''], targets))}
${section('Charts', charts.length > 0 && `<div class="grid-of">${charts.map(lines).join('\n')}</div>`)}
${section('Suites', `<div class="grid-of">${measured.map(suiteOf).join('\n')}</div>`)}
</html>
`;
}

const BAD = 'not reached';

/** Charts of one title, which may be of several suites, are drawn as one. */
export function joined(measured: readonly Measured[]): Chart[] {
  const charts = new Map<string, Chart>();
  for (const chart of measured.flatMap(({ charts = [] }) => charts)) {
    const { title, series } = chart;
    charts.set(title, { ...chart, series: [...(charts.get(title)?.series ?? []), ...series] });
  }
  return [...charts.values()];
}

/** Times as bars; what has a chart of its own, and all else, as a table. */
function suiteOf({ suite, about, figures, charts }: Measured): string {
  const drawn = charts ? [] : figures.filter(({ unit }) => unit === 'ms');
  const rows = figures.filter((figure) => !drawn.includes(figure));
  return `<article><h3>${escaped(suite)}</h3><p>${escaped(about)}</p>
${drawn.length > 0 ? bars(drawn) : ''}
${
  rows.length > 0
    ? table(
        undefined,
        rows.map(({ name, value, unit }) => [name, show(value, unit)]),
      )
    : ''
}</article>`;
}

function section(title: string, content: string | false): string {
  return content ? `<h2>${title}</h2>\n${content}` : '';
}

function table(head: readonly string[] | undefined, rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => `<td${text === BAD ? ' class="bad"' : ''}>${escaped(text)}</td>`;
  const heads = head ? `<tr>${head.map((text) => `<th>${escaped(text)}</th>`).join('')}</tr>` : '';
  return `<table>${heads}${rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n')}</table>`;
}
