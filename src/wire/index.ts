export { findUncloneable, type Uncloneable } from './cloneable.js';
export { decodeError, type EncodedError, encodeError } from './errors.js';
export { markFailed } from './mark.js';
export * from './protocol.js';
