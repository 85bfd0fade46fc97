/** What is printed. */
import { ATTEMPTS, type Verdict } from './gates.js';
import type { Machine } from './machine.js';
import { type Failed, type Figure, keeps, type Measured } from './suite.js';
import { show, showBound } from './units.js';

export interface Report {
  readonly at: string;
  readonly machine: Machine;
  readonly measured: readonly Measured[];
  readonly failures: readonly Failed[];
  readonly verdicts: readonly Verdict[];
}

/** A figure that something is asked of. */
export interface Target extends Figure {
  readonly suite: string;
  readonly reached: boolean;
}

export function targetsOf(measured: readonly Measured[]): Target[] {
  return measured.flatMap(({ suite, figures }) =>
    figures.flatMap((figure) =>
      figure.asked ? [{ ...figure, suite, reached: keeps(figure.asked, figure.value) }] : [],
    ),
  );
}

export function print({ machine, measured, failures, verdicts }: Report): void {
  console.log(`\n${about(machine)}`);
  const figures = measured.flatMap((suite) => suite.figures);
  const [head, rule, ...lines] = table([['what', 'measured', 'spread', 'turns'], ...figures.map(rowOf)], [1, 2, 3]);
  if (measured.length > 0) console.log(`\n${head}\n${rule}`);
  else if (failures.length === 0) console.log('\nNo suite has such a name.');
  for (const { suite, about, figures } of measured) {
    console.log(`\n${[`${suite}: ${about}`, ...lines.splice(0, figures.length)].join('\n')}`);
  }
  const targets = targetsOf(measured);
  if (targets.length > 0) console.log(`\n${tableOf(targets).join('\n')}`);
  if (failures.length > 0) console.log(`\n${failures.map(lineOf).join('\n')}`);
  if (verdicts.length === 0) return;
  console.log(
    `\nThe best of up to ${ATTEMPTS} attempts counts: others on the machine make ratios worse, hardly better.`,
  );
  for (const { verdict, what, limit, values, why } of verdicts) {
    const shown = values.length > 0 ? `; measured ${values.map((value) => value.toFixed(3)).join(', ')}` : '';
    console.log(`${verdict}  ${what} must be ${limit}${shown}${why === undefined ? '' : `; ${why}`}`);
  }
}

/** That a suite has failed, and why, in a line. */
export function lineOf({ suite, why }: Failed): string {
  return `NOT MEASURED  ${suite}: ${why}`;
}

export function about({ processor, cores, system, node, load, commit }: Machine): string {
  return [processor, `${cores} usable cores`, system, `Node.js ${node}`, `load ${load.toFixed(2)}`, commit].join(', ');
}

function rowOf({ name, value, unit, spread, turns }: Figure): string[] {
  return [
    ...[`  ${name}`, show(value, unit)],
    spread === undefined ? '' : `±${(spread * 100).toFixed(0)} %`,
    turns === undefined ? '' : String(turns),
  ];
}

function tableOf(targets: readonly Target[]): string[] {
  const rows = targets.map(({ suite, name, value, unit, asked, reached }) => [
    ...[`${suite}: ${name}`, showBound(asked!, unit), show(value, unit)],
    reached ? '' : 'NOT REACHED',
  ]);
  return table([['target', 'asked', 'measured', ''], ...rows], [2]);
}

/** Columns of text, as lines; those in `right` are set flush right. */
export function table(rows: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd();
  const [head, ...body] = rows;
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...body.map(line)];
}
