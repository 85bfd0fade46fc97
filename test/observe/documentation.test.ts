/** What docs/introspection.md says is printed is what is printed. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { linear, load, task, unordered } from 'millrace';
import { toMermaid } from 'millrace/observe';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const page = readFileSync(fileURLToPath(new URL('../../../docs/introspection.md', import.meta.url)), 'utf8');

const decode = task({ name: 'decode', requires: ['path'], provides: 'pixels', execute: () => 0 });
const thumb = task({ name: 'thumb', requires: ['pixels', 'width'], provides: 'thumbnail', execute: () => 0 });
const count = task({ name: 'count', requires: ['pixels'], provides: 'colours', execute: () => 0 });
const flow = linear('import', decode, unordered('derive', thumb, count));
const engine = load(flow, { engine: 'serial', inputs: { path: 'a.png', width: 320 } });

function isShown(text: string): void {
  assert.ok(page.includes(text.trimEnd().replace(/^/gm, '// ')), text);
}

test('the page shows what its flow and its engine look like, printed and drawn', async () => {
  isShown(inspect(flow));
  await engine.run();
  isShown(inspect(engine));
  isShown(toMermaid(engine, { depth: 0 }));
});

test.run();
