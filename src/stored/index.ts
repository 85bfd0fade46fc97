export { type DecodeOptions, decodeStored } from './decode.js';
export { type EncodeOptions, encodeStored } from './encode.js';
export type { Stored } from './format.js';
