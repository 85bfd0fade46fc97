import { test } from 'uvu';
import { compileAndRunAMillion } from './million.js';

compileAndRunAMillion((pattern) => !pattern.includes('graph'));

test.run();
