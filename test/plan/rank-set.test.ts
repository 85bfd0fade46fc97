import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RankSet } from '../../src/plan/index.js';
import fc from '../fast-check.js';

const LIMIT = 70_000;
/** A rank to add, or `undefined` to take the lowest. */
const steps = fc.array(fc.option(fc.oneof(fc.nat(LIMIT - 1), fc.nat(40)), { nil: undefined }), { maxLength: 300 });

test('the lowest rank is taken first, whatever was added and taken before', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const set = new RankSet(LIMIT);
      const model = new Set<number>();
      for (const rank of all) {
        if (rank === undefined) {
          const lowest = model.size === 0 ? -1 : Math.min(...model);
          assert.is(set.take(), lowest);
          model.delete(lowest);
        } else {
          set.add(rank);
          model.add(rank);
        }
        assert.is(set.size, model.size);
      }
    }),
  );
});

test('those that are not kept are taken out', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(LIMIT - 1)), fc.integer({ min: 2, max: 5 }), (all, divisor) => {
      const set = new RankSet(LIMIT);
      for (const rank of all) set.add(rank);
      set.keep((rank) => rank % divisor === 0);
      const kept = all.filter((rank) => rank % divisor === 0).sort((a, b) => a - b);
      assert.is(set.size, kept.length);
      for (const rank of kept) assert.is(set.take(), rank);
      assert.is(set.take(), -1);
    }),
  );
});

test('ranks that follow each other without a gap are taken in one row', () => {
  const runs = fc.array(fc.tuple(fc.nat(2000), fc.nat(200)), { maxLength: 20 });
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 300 }), (all, most) => {
      const set = new RankSet(LIMIT);
      const model = new Set<number>();
      for (const [first, count] of all) {
        for (let rank = first; rank < first + count; rank++) {
          set.add(rank);
          model.add(rank);
        }
      }
      while (model.size > 0) {
        let rank = Math.min(...model);
        assert.is(set.lowest, rank);
        const count = set.takeRow(most);
        for (let i = 0; i < count; i++) assert.ok(model.delete(rank++));
        assert.ok(count === most || !model.has(rank));
        assert.is(set.size, model.size);
      }
      assert.is(set.takeRow(most), 0);
      assert.is(set.take(), -1);
    }),
  );
});

for (const limit of [0, 1, 31, 32, 33, 1024, 1025, 32_769]) {
  test(`a set that is filled with ${limit} ranks gives all of them in order`, () => {
    const set = new RankSet(limit);
    set.fill(limit);
    assert.is(set.size, limit);
    for (let rank = 0; rank < limit; rank++) assert.is(set.take(), rank);
    assert.is(set.take(), -1);
  });
}

for (const limit of [0, 1, 31, 32, 33, 1024, 1025, 32_769]) {
  test(`a set of ${limit} ranks gives all of them in order`, () => {
    const set = new RankSet(limit);
    for (let rank = limit - 1; rank >= 0; rank--) set.add(rank);
    for (let rank = 0; rank < limit; rank++) assert.is(set.take(), rank);
    assert.is(set.take(), -1);
  });
}

test.run();
