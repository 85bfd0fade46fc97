/** Charts as SVG: lines over two axes, and bars. They take their colours from the page. */
import type { Axis, Chart, Figure } from './suite.js';
import { show } from './units.js';

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 80;
const RIGHT = 36;
const TOP = 12;
const BOTTOM = 44;
/** How many colours the page has for lines: `--line-0` and so on. */
export const COLOURS = 6;

/** From numbers to where they are drawn. */
export interface Scale {
  at(value: number): number;
  /** Round numbers for the marks on the axis. */
  readonly marks: readonly number[];
}

export function linearScale(values: readonly number[], from: number, to: number): Scale {
  const least = Math.min(0, ...values);
  const most = Math.max(...values, least + Number.MIN_VALUE);
  const step = roundStep((most - least) / 5);
  const [first, last] = [Math.floor(least / step), Math.ceil(most / step)];
  const marks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { at: (value) => from + ((value - first * step) / ((last - first) * step)) * (to - from), marks };
}

/** Numbers that are not above 0 have no place on it: they are drawn at its start. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const logs = values.filter((value) => value > 0).map(Math.log10);
  const first = Math.floor(Math.min(...(logs.length > 0 ? logs : [0])));
  const last = Math.max(first + 1, Math.ceil(Math.max(...logs)));
  const marks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  const place = (value: number) => (value > 0 ? (Math.log10(value) - first) / (last - first) : 0);
  return { at: (value) => from + place(value) * (to - from), marks };
}

/** One, two or five times a power of ten: the least that is no smaller. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= step * (1 - 1e-9))!;
}

export function lines({ title, x, y, series }: Chart): string {
  const points = series.flatMap((one) => one.points);
  const scaleOf = ({ log }: Axis) => (log ? logScale : linearScale);
  const across = scaleOf(x)(
    points.map(([value]) => value),
    LEFT,
    WIDTH - RIGHT,
  );
  const up = scaleOf(y)(
    points.map(([, value]) => value),
    HEIGHT - BOTTOM,
    TOP,
  );
  const grid = [
    ...across.marks.map((mark) => {
      const at = round(across.at(mark));
      const line = `<line class="grid" x1="${at}" x2="${at}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`;
      return `${line}<text x="${at}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${show(mark, x.unit)}</text>`;
    }),
    ...up.marks.map((mark) => {
      const at = round(up.at(mark));
      const line = `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"/>`;
      return `${line}<text x="${LEFT - 8}" y="${at + 4}" text-anchor="end">${show(mark, y.unit)}</text>`;
    }),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escaped(x.label)}</text>`,
  ];
  const drawn = series.map(({ name, points }, i) => {
    const at = points.map(([a, b]) => [round(across.at(a)), round(up.at(b))]);
    const dots = at.map(([cx, cy], k) => {
      const [a, b] = points[k];
      const label = `${name}: ${show(a, x.unit)}, ${show(b, y.unit)}`;
      return `<circle cx="${cx}" cy="${cy}" r="3.5"><title>${escaped(label)}</title></circle>`;
    });
    return `<g style="--line: var(--line-${i % COLOURS})"><polyline points="${at.join(' ')}"/>${dots.join('')}</g>`;
  });
  const names = series.map(({ name }, i) => `<li style="--line: var(--line-${i % COLOURS})">${escaped(name)}</li>`);
  return `<figure><figcaption>${escaped(title)}<small>${escaped(y.label)}</small></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">${grid.join('')}${drawn.join('')}</svg>
<ul class="names">${names.join('')}</ul></figure>`;
}

const BAR = 22;
/** Bars that differ by more than this are drawn on a logarithmic axis, which starts a little below the shortest. */
const FAR = 30;

/** A bar for each figure; they share a unit. */
export function bars(figures: readonly Figure[]): string {
  const values = figures.map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const log = least > 0 && most / least > FAR;
  const length = (value: number) =>
    log ? (Math.log(value / least) + 0.5) / (Math.log(most / least) + 0.5) : Math.max(0, value) / most;
  const [start, end] = [190, WIDTH - 150];
  const drawn = figures.map(({ name, value, unit, spread }, i) => {
    const y = i * BAR;
    const width = round(length(value) * (end - start));
    const label = `${show(value, unit)}${spread === undefined ? '' : ` ±${(spread * 100).toFixed(0)} %`}`;
    return `<text x="${start - 8}" y="${y + 15}" text-anchor="end">${escaped(name)}</text>
<rect x="${start}" y="${y + 4}" width="${width}" height="${BAR - 8}" rx="2"/>
<text class="value" x="${start + width + 8}" y="${y + 15}">${label}</text>`;
  });
  const about = log ? '<small>logarithmic</small>' : '';
  const height = figures.length * BAR;
  return `<figure>${about}<svg viewBox="0 0 ${WIDTH} ${height}" role="img">${drawn.join('')}</svg></figure>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
