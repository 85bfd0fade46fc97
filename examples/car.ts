/**
 * A car of ten parts. The parts are built at the same time, on worker threads; one of them fails, is scrapped and built again
 * while the others go on; then the car is assembled.
 *
 *   node build/examples/car.js
 */
import { linear, load, task, times, unordered } from 'millrace';
import { build } from './car.tasks.js';

const PARTS = ['frame', 'engine', 'gearbox', 'wheels', 'brakes', 'doors', 'windows', 'seats', 'lights', 'wiring'];

/** A line that builds one part and has three attempts. The retry tells the task which one it is. */
function lineFor(part: string) {
  return linear(`${part} line`, build.with({ name: part, inject: { part }, provides: part })).with({
    retry: times(3, { provides: 'attempt' }),
  });
}

const assemble = task({
  name: 'assemble',
  requires: PARTS,
  provides: 'car',
  execute: (parts: Record<string, string>) => PARTS.map((part) => parts[part]),
});

const factory = linear('factory', unordered('parts', PARTS.map(lineFor)), assemble);

const engine = load(factory);
// The parts are built in any order: only of the gearbox do we hear what happens, step by step.
engine.on('task', ({ name, state }) => {
  if (name === 'gearbox' || name === 'assemble') console.log(`${name}: ${state}`);
});
engine.on('log', ({ name, message }) => console.log(`${name}: ${message}`));

const { car } = await engine.run();
console.log(`A car of ${car.length} parts: ${car.join(', ')}`);
