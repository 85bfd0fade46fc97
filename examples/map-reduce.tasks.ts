import { task } from 'millrace';

export type Counts = Record<string, number>;

/** Counts the words of one page. */
export const count = task(import.meta.url, {
  name: 'count',
  requires: ['page'],
  provides: 'counts',
  execute({ page }: { page: string }): Counts {
    const counts: Counts = {};
    for (const word of page.toLowerCase().match(/\w+/g) ?? []) counts[word] = (counts[word] ?? 0) + 1;
    return counts;
  },
});

/** Adds the counts of one page to the sum of those before it. */
export const add = task(import.meta.url, {
  name: 'add',
  requires: ['sum', 'counts'],
  provides: 'sum',
  execute({ sum, counts }: { sum: Counts; counts: Counts }): Counts {
    const next = { ...sum }; // inputs are not changed in place
    for (const [word, times] of Object.entries(counts)) next[word] = (next[word] ?? 0) + times;
    return next;
  },
});
