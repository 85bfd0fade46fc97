/** 100,000 travelling tasks in each pattern. */
import { load } from 'millrace';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { count } from '../fixtures/atoms/count.js';
import { largeFlows } from './large-flows.js';

for (const [pattern, make] of Object.entries(largeFlows)) {
  test(`${pattern} of 100,000 travelling tasks runs in parallel`, async () => {
    const size = 100_000;
    const counter = new Int32Array(new SharedArrayBuffer(4));
    const one = count.with({ inject: { counter } });
    const flow = make(size, (name, extra) => one.with({ name, ...extra }));
    const result = await load<any, any>(flow, { engine: 'parallel', workers: 2, inputs: { value: 0 } }).run();
    assert.is(counter[0], size);
    if (pattern.includes('names')) assert.is(result[`n${size - 1}`], size);
  });
}

test.run();
