/** The tables of docs/states.md are those that the engine goes by. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FlowState } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkFlowTransition, TASK_TRANSITIONS } from '../../src/engine/states.js';

const page = readFileSync(fileURLToPath(new URL('../../../docs/states.md', import.meta.url)), 'utf8');

/** The first table under a heading: each state, with those that may come next. */
function tableUnder(heading: string): Record<string, string[]> {
  const section = page.slice(page.indexOf(`## \`${heading}\``));
  const table = section.match(/(?:^\|.*\n)+/m)![0];
  const rows = [...table.matchAll(/^\| `(\w+)` .*\|([^|]*)\|$/gm)];
  return Object.fromEntries(rows.map(([, state, next]) => [state, [...next!.matchAll(/\w+/g)].map(([name]) => name)]));
}

const sorted = (table: Readonly<Record<string, readonly string[]>>) =>
  Object.entries(table)
    .map(([state, next]) => [state, [...next].sort()] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));

test('the page tells which state of a task may follow which', () => {
  assert.equal(sorted(tableUnder('TaskState')), sorted(TASK_TRANSITIONS));
});

test('the page tells which state of a flow may follow which', () => {
  const told = tableUnder('FlowState');
  const states = Object.keys(told) as FlowState[];
  const isAllowed = (from: FlowState, to: FlowState) => {
    try {
      checkFlowTransition('flow', from, to);
      return true;
    } catch {
      return false;
    }
  };
  const actual = states.map((from) => [from, states.filter((to) => isAllowed(from, to))] as const);
  assert.equal(sorted(told), sorted(Object.fromEntries(actual)));
});

test.run();
