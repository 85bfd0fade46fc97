/** The table in README.md beside this file names tests that there are, and leaves out no row. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const tests = fileURLToPath(new URL('../../../test/', import.meta.url));
const table = readFileSync(join(tests, 'taskflow/README.md'), 'utf8');
const rows = [...table.matchAll(/^\| (\d+) \|(.*)\|(.*)\|$/gm)].map(([, number, , ours]) => ({ number, ours }));

test('every row of the list of TaskFlow tests stands in the table, once', () => {
  assert.equal(
    rows.map(({ number }) => Number(number)),
    Array.from({ length: 150 }, (_, i) => i + 1),
  );
});

test('every row names a test, or says what it waits for or why it does not apply', () => {
  const silent = rows.filter(({ ours }) => !/`\S+`: "|not yet: \w+|does not apply: \w+/.test(ours));
  assert.equal(silent, []);
});

test('every test that the table names is there', () => {
  const sources = new Map<string, string>();
  const missing: string[] = [];
  let count = 0;
  for (const { number, ours } of rows) {
    for (const [, file, claims] of ours.matchAll(/`([\w/-]+)`: ((?:"[^"]+"(?:, )?)+)/g)) {
      if (!sources.has(file)) sources.set(file, readFileSync(join(tests, `${file}.test.ts`), 'utf8'));
      for (const [, claim] of claims.matchAll(/"([^"]+)"/g)) {
        count++;
        if (!sources.get(file)!.includes(claim)) missing.push(`row ${number}: ${file}: ${claim}`);
      }
    }
  }
  assert.equal(missing, []);
  assert.ok(count > 100);
});

test.run();
