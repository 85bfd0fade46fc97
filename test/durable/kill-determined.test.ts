import { test } from 'uvu';
import { testRandom } from './tries.js';

testRandom('parallel, one failure at a time', 6);

test.run();
