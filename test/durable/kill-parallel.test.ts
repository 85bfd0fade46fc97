import { test } from 'uvu';
import { testRandom } from './tries.js';

testRandom('parallel', 6);

test.run();
