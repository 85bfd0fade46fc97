import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** What each of the small examples prints, on any engine. */
const OUTPUTS = {
  revert: `
flight: MR 117 to Vienna is booked
hotel: room 12 in Vienna is booked
concert: no seat is given back
hotel: room 12 is cancelled
flight: MR 117 is cancelled
The trip is off, as 'concert' has failed: all concerts in Vienna are sold out.
`,
  'phone-book': `
dialling 555-0101
hanging up 555-0101
dialling 555-0102
hanging up 555-0102
dialling 555-0103
Joan answers
the flow is SUCCESS

dialling 555-0101
hanging up 555-0101
dialling 555-0102
hanging up 555-0102
giving up: nobody answers 555-0102
the flow is REVERTED

`,
  switch: `
2 kg goes by a courier on a bike; ignored: van, ship
40 kg goes by a van; ignored: bike, ship
20000 kg goes by a container ship; ignored: bike, van
`,
  'map-reduce': `
4 the
4 twinkle
2 little
2 when
2 you
count[2] is SUCCESS
`,
  car: `
gearbox: RUNNING
gearbox: FAILURE
gearbox: REVERTING
gearbox: the gearbox is scrapped
gearbox: REVERTED
gearbox: PENDING
gearbox: RUNNING
gearbox: SUCCESS
assemble: RUNNING
assemble: SUCCESS
A car of 10 parts: frame #1, engine #1, gearbox #2, wheels #1, brakes #1, doors #1, windows #1, seats #1, lights #1, wiring #1
`,
  suspend: `
the machine is to wash
the machine is to rinse
SUSPENDED { wash: 'SUCCESS', rinse: 'SUCCESS', spin: 'PENDING', dry: 'PENDING' }
the machine is to spin
the machine is to dry
SUCCESS { wash: 'SUCCESS', rinse: 'SUCCESS', spin: 'SUCCESS', dry: 'SUCCESS' }
`,
  'shared-pool': `
1229 primes from 0 to 10000
1033 primes from 10000 to 20000
983 primes from 20000 to 30000
958 primes from 30000 to 40000
8 steps from 6 to 1
16 steps from 7 to 1
111 steps from 27 to 1
118 steps from 97 to 1
178 steps from 871 to 1
261 steps from 6171 to 1
`,
};

const ENGINES = {
  serial: { MILLRACE_ENGINE: 'serial' },
  'parallel, 1 worker': { MILLRACE_ENGINE: 'parallel', MILLRACE_WORKERS: '1' },
  'parallel, 4 workers': { MILLRACE_ENGINE: 'parallel', MILLRACE_WORKERS: '4' },
};

for (const [name, expected] of Object.entries(OUTPUTS)) {
  const file = fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url));
  for (const [engine, variables] of Object.entries(ENGINES)) {
    test(`the example ${name} prints what it should (${engine})`, () => {
      const env = { ...process.env, ...variables };
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], { env, encoding: 'utf8' });
      assert.is(stderr, '');
      assert.is(stdout, expected.slice(1));
      assert.is(status, 0);
    });
  }
}

test.run();
