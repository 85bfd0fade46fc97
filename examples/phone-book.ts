/**
 * A retry that goes through a phone book: the flow runs with one number after the other until somebody answers.
 *
 *   node build/examples/phone-book.js
 */
import { forEach, linear, load, task } from 'millrace';

const atHome = new Map([['555-0103', 'Joan']]);

const dial = task({
  name: 'dial',
  requires: ['number'],
  execute: ({ number }: { number: string }) => console.log(`dialling ${number}`),
  revert: ({ number }) => console.log(`hanging up ${number}`), // before the next number is tried
});

const talk = task({
  name: 'talk',
  requires: ['number'],
  provides: 'friend',
  execute({ number }: { number: string }): string {
    const friend = atHome.get(number);
    if (!friend) throw new Error(`nobody answers ${number}`);
    return friend;
  },
});

/** Calls the numbers in turn. Those that are tried come from the retry, under the name `number`. */
async function call(numbers: readonly string[]): Promise<void> {
  const flow = linear('call', dial, talk).with({ retry: forEach(numbers, { provides: 'number' }) });
  const engine = load(flow);
  try {
    const { friend } = await engine.run();
    console.log(`${friend} answers`);
  } catch (error) {
    console.log(`giving up: ${(error as Error).message}`);
  }
  console.log(`the flow is ${engine.state}\n`);
}

await call(['555-0101', '555-0102', '555-0103', '555-0104']);
await call(['555-0101', '555-0102']);
