import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NameSet } from '../../src/plan/name-set.js';
import fc from '../fast-check.js';

test('a set of names knows each of them, however many there are, and no other', () => {
  const numbered = fc.record({ count: fc.nat(100), from: fc.nat(200) });
  const row = numbered.map(({ count, from }) => Array.from({ length: count }, (_, i) => `task-${from + i}`));
  const name = fc.oneof(fc.string({ minLength: 1 }), fc.nat(300).map(String));
  fc.assert(
    fc.property(row, fc.array(name, { maxLength: 500 }), row, (...lists) => {
      const all: { name: string }[] = [];
      const set = new NameSet(all);
      const known = new Set<string>();
      for (const name of lists.flat()) {
        const fresh = set.add(name);
        assert.is(fresh, !known.has(name));
        if (fresh) all.push({ name });
        known.add(name);
      }
    }),
  );
});

test.run();
