export { availableWorkers } from './available-workers.js';
export { type Configure, configure, configureFrom, type Surroundings } from './configure.js';
export type { PoolSize } from './kinds.js';
export type { ConfigFile } from './layers.js';
export { optionError, resolve, type Sources } from './resolve.js';
export type { Config, ConfigOptions } from './schema.js';
