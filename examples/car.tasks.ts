import { task } from 'millrace';

/** Builds one part. The first gearbox that is made cracks. */
export const build = task(import.meta.url, {
  name: 'build',
  requires: ['part', 'attempt'],
  provides: 'built',
  execute({ part, attempt }: { part: string; attempt: number }) {
    if (part === 'gearbox' && attempt === 1) throw new Error('the gearbox has cracked');
    return `${part} #${attempt}`;
  },
  revert: ({ part }, context) => context.log(`the ${part} is scrapped`),
});
