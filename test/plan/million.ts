/** A million tasks, in each pattern: they compile, and run, in time and memory that grow with their number. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { load, task } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { largeFlows } from './large-flows.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const MILLION = 1_000_000;

/** Memory in use, in bytes. */
function memory(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A local task that calls `call` with the value that it is given, and gives one more. */
function counting(call: (value: number) => void) {
  return task({
    ...{ name: 'counting', requires: 'value' },
    execute({ value }: { value: number }) {
      call(value);
      return value + 1;
    },
  });
}

const serial = { engine: 'serial', inputs: { value: 0 } } as const;

/** Registers the claim for the patterns that are chosen; each file has some, since a million tasks take seconds. */
export function compileAndRunAMillion(choose: (pattern: string) => boolean): void {
  for (const [pattern, make] of Object.entries(largeFlows)) {
    if (!choose(pattern)) continue;
    test(`${pattern} of a million tasks compiles, to a plan of less than 100 bytes a task, and runs serially`, async () => {
      let ran = 0;
      const one = counting(() => ran++);
      const flow = make(MILLION, (name, extra) => one.with({ name, ...extra }));
      const before = memory();
      const engine = load<any, any>(flow, serial).compile();
      const used = (memory() - before) / MILLION;
      assert.ok(used < 100, `${used.toFixed(0)} bytes a task`);
      const result = await engine.run();
      assert.is(ran, MILLION);
      if (pattern.includes('names')) assert.is(result[`n${MILLION - 1}`], MILLION);
    });
  }
}
