/**
 * Suspends a flow, looks at it, and lets it go on: what has been done is not done again.
 *
 *   node build/examples/suspend.js
 */
import { linear, load, task } from 'millrace';

const steps = ['wash', 'rinse', 'spin', 'dry'].map((name) =>
  task({ name, execute: () => console.log(`the machine is to ${name}`) }),
);

const engine = load(linear('laundry', steps));

// Somebody opens the door while it rinses: the task under way ends, and no other starts.
engine.on('task', ({ name, state }) => {
  if (name === 'rinse' && state === 'RUNNING') engine.suspend();
});

await engine.run();
console.log(engine.state, engine.storage.getTaskStates());

await engine.run();
console.log(engine.state, engine.storage.getTaskStates());
