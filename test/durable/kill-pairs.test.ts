import { test } from 'uvu';
import { smallTrial } from './model.js';
import { ENGINES, points, some, tryAll, undisturbed } from './tries.js';

for (const { options, share } of ENGINES) {
  test(`a flow goes on wherever it is killed, and wherever it is killed again (${options.engine})`, async () => {
    const { expected, calls } = await undisturbed('paired', options);
    const all = points(calls);
    // What comes after the first kill has fewer calls left.
    const pairs = all.flatMap((one, i) => all.slice(0, all.length - i + 8).map((two) => [one, two]));
    await tryAll(some(pairs, 17 * share).map((pair) => smallTrial('paired', options, pair, expected)));
  });
}

test.run();
