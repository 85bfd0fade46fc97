import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { entries } from '../../src/config/schema.js';

/** The rows of the tables of options: the cells of each. */
const rows = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^\| `[^`]+` +\| `MILLRACE_/.test(line))
  .map((line) => line.slice(2, -2).split(/ +\| /));

for (const { path, variable, option } of entries) {
  test(`the documentation names ${path}, its variable and its default`, () => {
    const row = rows.find(([name]) => name === `\`${path}\``);
    assert.ok(row, `expected a row for ${path}`);
    assert.is(row![1], `\`${variable}\``);
    assert.is(row![3], option.fallback === undefined ? 'none' : `\`${inspect(option.fallback)}\``);
    assert.ok(row![4], 'expected its meaning');
  });
}

test('the documentation names no option that does not exist', () => {
  const known = entries.map(({ path }) => `\`${path}\``);
  assert.equal(
    rows.map(([name]) => name!),
    known,
  );
});

test.run();
