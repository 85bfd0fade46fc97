/**
 * A switch: deciders choose which of three tasks is to carry a parcel. The others are ignored, and the run ends well.
 *
 *   node build/examples/switch.js
 */
import { graph, load, task } from 'millrace';

const weigh = task({
  name: 'weigh',
  requires: ['parcel'],
  provides: 'kilos',
  execute: ({ parcel }: { parcel: { kilos: number } }) => parcel.kilos,
});

const bike = task({ name: 'bike', provides: 'byBike', execute: () => 'a courier on a bike' });
const van = task({ name: 'van', provides: 'byVan', execute: () => 'a van' });
const ship = task({ name: 'ship', provides: 'byShip', execute: () => 'a container ship' });

// What a task that was ignored would have provided is missing: it has to be optional.
const label = task({
  name: 'label',
  optional: ['byBike', 'byVan', 'byShip'],
  provides: 'text',
  execute: ({ byBike, byVan, byShip }: { byBike?: string; byVan?: string; byShip?: string }) =>
    `goes by ${byBike ?? byVan ?? byShip}`,
});

// A decider is given the results of the tasks that it stands behind, by their names. `atom`: a no is for the one task, and
// `label` runs whatever has been ignored before it.
const send = graph('send', weigh, bike, van, ship, label)
  .link(weigh, bike, { decider: ({ weigh }) => weigh < 5, depth: 'atom' })
  .link(weigh, van, { decider: ({ weigh }) => weigh >= 5 && weigh < 1000, depth: 'atom' })
  .link(weigh, ship, { decider: ({ weigh }) => weigh >= 1000, depth: 'atom' })
  .link(bike, label)
  .link(van, label)
  .link(ship, label);

for (const parcel of [{ kilos: 2 }, { kilos: 40 }, { kilos: 20_000 }]) {
  const engine = load(send, { inputs: { parcel } });
  const { text } = await engine.run();
  const states = Object.entries(engine.storage.getTaskStates());
  const ignored = states.filter(([, state]) => state === 'IGNORE').map(([name]) => name);
  console.log(`${parcel.kilos} kg ${text}; ignored: ${ignored.join(', ')}`);
}
