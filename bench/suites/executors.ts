/** What the task service makes of one task, from its record to its end, with one executor and with another. */
import { chain } from '../flows.js';
import { executors as contenders, flowOf, imageImport } from '../services.js';
import type { Setting, Suite } from '../suite.js';
import { type Entry, timed } from '../timed.js';

export function executors(setting: Setting): Suite[] {
  const compared = (make: Parameters<typeof contenders>[0]) => (): Entry[] => {
    const [direct, serial, parallel] = contenders(make, setting.workers);
    return [
      direct,
      { ...serial, ratio: [serial.name, direct.name] },
      { ...parallel, ratio: [direct.name, parallel.name] },
    ];
  };
  const steps = chain(1000);
  return [
    timed(setting, {
      name: 'executors, import',
      about: 'a whole import; its flow is made and compiled within the time',
      size: 1,
      contenders: compared(imageImport),
    }),
    timed(setting, {
      name: 'executors, 1,000 tiny steps',
      about: 'the flow is made and compiled within the time',
      size: steps.size,
      contenders: compared(() => flowOf(steps)),
    }),
  ];
}
