export { Failure, type FailureJson } from './failure.js';
export { wrapFailures } from './wrap.js';
