import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bundle, type Mutant } from './bundle.js';
import { tryOut } from './killer.js';
import { KINDS, type Kill, long, randomTrial, smallTrial, type Trial } from './model.js';
import { MUTANTS } from './mutants.js';
import { eachOf } from './tries.js';

/** Trials of all kinds in turn. */
function* trials(): Generator<Trial> {
  for (let seed = 1; seed <= 40; seed++) {
    const kills: Kill[] = [
      { call: 1 + ((seed * 7) % 30), when: 'after' },
      { call: 1 + ((seed * 5) % 12), when: seed % 2 === 0 ? 'before' : 'taken' },
    ];
    yield smallTrial('reverted', { engine: 'serial' }, kills);
    for (const kind of KINDS) yield randomTrial(kind, seed);
  }
}

/** How many trials it takes to notice a mistake; `undefined`: it was not noticed. */
async function notice(mutant: Mutant): Promise<number | undefined> {
  const program = await bundle(mutant);
  let count = 0;
  for (const trial of trials()) {
    count++;
    const { violations, processes } = await tryOut(program, trial);
    if (violations.length > 0) {
      if (process.env.TEST_ALL)
        console.log(
          `${mutant.name}: ${count} ${processes} ${trial.about.split('\n')[0]}: ${violations[0].slice(0, 200)}`,
        );
      return count;
    }
  }
  return undefined;
}

/** In short runs, those that are noticed soon. */
const chosen = MUTANTS.filter(({ soon }) => long || soon);

test('mistakes in how flows are recorded and resumed are noticed', async () => {
  const missed: string[] = [];
  await eachOf(chosen, async (mutant) => {
    if ((await notice(mutant)) === undefined) missed.push(mutant.name);
  });
  assert.equal(missed, []);
});

test.run();
