/**
 * Map and reduce: the words of each page are counted on worker threads, all pages at once, and the counts are added up.
 * How many pages there are is known when the flow runs, not when it is written.
 *
 *   node build/examples/map-reduce.js
 */
import { each, linear, load, reduce, task } from 'millrace';
import { add, type Counts, count } from './map-reduce.tasks.js';

const PAGES = [
  'Twinkle, twinkle, little star, how I wonder what you are!',
  'Up above the world so high, like a diamond in the sky.',
  'When the blazing sun is gone, when he nothing shines upon,',
  'then you show your little light, twinkle, twinkle, all the night.',
];

const rank = task({
  name: 'rank',
  requires: ['words'],
  provides: 'ranking',
  execute: ({ words }: { words: Counts }) => Object.entries(words).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)),
});

const wordCount = linear(
  'word-count',
  each(count, { over: 'pages', as: 'page', collect: 'counted' }),
  reduce(add, { over: 'counted', as: 'counts', into: 'sum', initial: {}, provides: 'words' }),
  rank,
);

const engine = load(wordCount, { inputs: { pages: PAGES } });
const { ranking } = await engine.run();
for (const [word, times] of ranking.slice(0, 5)) console.log(`${times} ${word}`);

// Each page was a task of its own, and can be asked for.
console.log(`count[2] is ${engine.storage.getTaskState('count[2]')}`);
