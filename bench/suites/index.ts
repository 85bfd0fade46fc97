/** All suites, in the order in which they are measured. */
import type { Setting, Suite } from '../suite.js';
import { busyTasks } from './busy.js';
import { delay } from './delay.js';
import { executors } from './executors.js';
import { memory } from './memory.js';
import { metg } from './metg.js';
import { noOp } from './no-op.js';
import { patterns } from './patterns.js';
import { record, resume } from './record.js';
import { scale } from './scale.js';
import { startUp } from './start-up.js';
import { transports } from './transports.js';
import { values } from './values.js';

const FAMILIES: readonly ((setting: Setting) => Suite[])[] = [
  noOp,
  scale,
  delay,
  busyTasks,
  patterns,
  metg,
  transports,
  values,
  memory,
  startUp,
  record,
  resume,
  executors,
];

/** They make what they measure when their turn has come. */
export function suitesOf(setting: Setting): Suite[] {
  return FAMILIES.flatMap((family) => family(setting));
}
