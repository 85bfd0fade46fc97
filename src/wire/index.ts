export { BULKY, bytesOf, findUncloneable, isSimplyCloneable, type Uncloneable } from './cloneable.js';
export * from './crew.js';
export { decodeError, type EncodedError, encodeError, isError } from './errors.js';
export { type ErrorJson, errorFromJson, errorToJson, type ValueJson } from './json.js';
export { markFailed } from './mark.js';
export * from './protocol.js';
