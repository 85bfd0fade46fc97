import { test } from 'uvu';
import { type Kill, long, smallTrial } from './model.js';
import { ENGINES, points, some, tryAll, undisturbed } from './tries.js';

for (const { options, share } of ENGINES) {
  for (const flow of long ? (['retried', 'reverted'] as const) : (['reverted'] as const)) {
    test(`a flow goes on wherever it is killed (${flow}, ${options.engine})`, async () => {
      const { expected, calls } = await undisturbed(flow, options);
      await tryAll(some(points(calls), share).map((kill) => smallTrial(flow, options, [kill], expected)));
    });
  }
}

test('a process whose flow was taken by somebody else does nothing more, and the other one goes on', async () => {
  const options = { engine: 'serial' } as const;
  const { expected, calls } = await undisturbed('reverted', options);
  // One more process is killed, so that the flow is taken from one that has resumed it, too.
  const kills = Array.from({ length: calls }, (_, i): Kill[] => [
    ...(i % 2 === 0 ? [] : [{ call: 9, when: 'after' } as const]),
    { call: i + 1, when: 'taken' },
    { call: 5, when: 'before' },
  ]);
  await tryAll(some(kills, 9).map((one) => smallTrial('reverted', options, one, expected)));
});

test.run();
