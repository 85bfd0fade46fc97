import { test } from 'uvu';
import { testRandom } from './tries.js';

testRandom('serial', 13);

test.run();
