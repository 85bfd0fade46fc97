/**
 * A linear flow that reverts: the last of three bookings fails, and those before it are cancelled, the last one first.
 *
 *   node build/examples/revert.js
 */
import { linear, run, task } from 'millrace';

const flight = task({
  name: 'flight',
  requires: ['city'],
  provides: 'flightNumber',
  execute({ city }: { city: string }) {
    console.log(`flight: MR 117 to ${city} is booked`);
    return 'MR 117';
  },
  revert: ({ flightNumber }) => console.log(`flight: ${flightNumber} is cancelled`),
});

const hotel = task({
  name: 'hotel',
  requires: ['city'],
  provides: 'room',
  execute({ city }: { city: string }) {
    console.log(`hotel: room 12 in ${city} is booked`);
    return 12;
  },
  revert: ({ room }) => console.log(`hotel: room ${room} is cancelled`),
});

const concert = task({
  name: 'concert',
  requires: ['city'],
  provides: 'seat',
  execute({ city }: { city: string }): string {
    throw new Error(`all concerts in ${city} are sold out`);
  },
  // The task that has failed is reverted, too: it may have done half of its work. This one has no seat to give back.
  revert: ({ seat }) => console.log(`concert: ${seat ?? 'no seat'} is given back`),
});

const trip = linear('trip', flight, hotel, concert);

try {
  await run(trip, { city: 'Vienna' });
} catch (error) {
  const { task, message } = error as Error & { task: string };
  console.log(`The trip is off, as '${task}' has failed: ${message}.`);
}
