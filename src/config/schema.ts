import {
  database,
  executorName,
  folder,
  hours,
  type Kind,
  milliseconds,
  modules,
  oneOf,
  type PoolSize,
  poolSize,
  positive,
  whole,
} from './kinds.js';

/** One option: the kind of its value, and what it is when no one says. */
export class Option<T, Default extends T | undefined = T | undefined> {
  readonly kind: Kind<T>;
  readonly fallback: Default;
  constructor(kind: Kind<T>, fallback: Default) {
    this.kind = kind;
    this.fallback = fallback;
  }
}

/** Options by name; a group may hold groups. */
export interface Group {
  readonly [name: string]: Option<any> | Group;
}

function option<T>(kind: Kind<T>): Option<T, undefined>;
function option<T>(kind: Kind<T>, fallback: NoInfer<T>): Option<T, T>;
function option<T>(kind: Kind<T>, fallback?: T): Option<T> {
  return new Option<T>(kind, fallback);
}

/**
 * Every option there is. An entry here is all that an option needs: the types, the checks and the name of its variable
 * follow from it (`resourceLimits.stackSizeMb` is `MILLRACE_RESOURCE_LIMITS_STACK_SIZE_MB`), and a test asks for its row in
 * `docs/configuration.md`.
 */
export const schema = {
  /** Where tasks run: `'parallel'` on worker threads, `'serial'` in place, one after another. Default: `'parallel'`. */
  engine: option(oneOf('parallel', 'serial'), 'parallel'),
  /**
   * How many worker threads the pool may have: a whole number, `'auto'` for what the process may really use (CPU affinity and
   * container quota), or a part of that such as `'50%'`. Bounded by `minWorkers` and `maxWorkers`. Default: `'auto'`.
   */
  workers: option(poolSize, 'auto'),
  /** The least that `workers` resolves to. Default: `1`. */
  minWorkers: option(whole({ from: 1, to: 1024 }), 1),
  /** The most that `workers` resolves to; with many more threads V8 ends the process. Default: `1024`. */
  maxWorkers: option(whole({ from: 1, to: 1024 }), 1024),
  /** How long idle worker threads are kept before they are ended, in milliseconds. Default: `10000`. */
  idleTimeout: option(milliseconds({ from: 0, orInfinity: true }), 10_000),
  /** What each worker thread may use, as in the `resourceLimits` of `node:worker_threads`. Default: what Node.js sets. */
  resourceLimits: {
    /** The most that the main heap of a worker may grow to, in MB: at least 8, as no worker can start with less. */
    maxOldGenerationSizeMb: option(whole({ from: 8 })),
    /** The most that the heap for recent objects of a worker may grow to, in MB. */
    maxYoungGenerationSizeMb: option(positive),
    /** The size of the memory range for generated code, in MB. */
    codeRangeSizeMb: option(positive),
    /** The stack of a worker, in MB. */
    stackSizeMb: option(positive),
  },
  /**
   * How long a task may take to answer an abort before its worker is terminated, in milliseconds. Never `Infinity`, for every
   * run must settle. Default: `1000`.
   */
  abortGrace: option(milliseconds({ from: 0 }), 1000),
  /** How many runs may wait for a free worker of the pool. Default: `Infinity`. */
  maxQueue: option(whole({ from: 0, orInfinity: true }), Number.POSITIVE_INFINITY),
  /** The timeout of a task that declares none, in milliseconds. Default: `Infinity`. */
  taskTimeout: option(milliseconds({ from: 1, orInfinity: true }), Number.POSITIVE_INFINITY),
  /** The task service: where submitted tasks are kept, and who carries them out. */
  task: {
    /**
     * The executor that carries tasks out: `'direct'`, `'taskflow'`, or the name of one that a plug-in registers. Default:
     * `'taskflow'`.
     */
    executor: option(executorName, 'taskflow'),
    /** How long a finished task is kept, in hours; fractions are allowed. Default: `48`. */
    timeToLive: option(hours, 48),
    /** A folder for scratch files. Default: none; what needs one refuses or does without. */
    workDir: option(folder),
    /**
     * Where task records are kept: `'memory:'`, `'sqlite:PATH'`, or the URL of a PostgreSQL database (`'postgres://...'` or
     * `'postgresql://...'`). Errors never show it, for it may hold a password. Default: `'sqlite:millrace.db'`.
     */
    database: option(database, 'sqlite:millrace.db'),
    /** Modules that register more task types and executors: paths or `file:` URLs. Default: none. */
    plugins: option(modules, Object.freeze([])),
    /** How many tasks one service carries out at a time. Default: `16`. */
    concurrency: option(whole({ from: 1, orInfinity: true }), 16),
    /**
     * What becomes of a task whose process has ended before it did: `'fail'`, or `'resume'`, and then its flow is recorded, in the
     * database of the task records, and goes on where it was. Default: `'fail'`.
     */
    recovery: option(oneOf('fail', 'resume'), 'fail'),
    /**
     * What a commit of a recorded flow survives: `'full'` a crash of the system, `'normal'` the end of the process, `'none'` nothing
     * for certain. Default: `'normal'`.
     */
    durability: option(oneOf('full', 'normal', 'none'), 'normal'),
  },
  /** How the `'taskflow'` executor runs the flow of a task. */
  taskflowExecutor: {
    /** Where its tasks run, as in `engine`. Default: `engine`. */
    engineMode: option(oneOf('serial', 'parallel')),
    /** How many worker threads it may use, as in `workers`, bounded likewise. Default: `workers`. */
    maxWorkers: option(poolSize),
  },
} as const satisfies Group;

type Input<G> = {
  readonly [K in keyof G]?: (G[K] extends Option<infer T, any> ? T : Input<G[K]>) | undefined;
};

type Optional<G> = { [K in keyof G]: G[K] extends Option<any, undefined> ? K : never }[keyof G];

type Output<G> = {
  readonly [K in keyof G as Exclude<K, Optional<G>>]: G[K] extends Option<infer T, any> ? Resolved<T> : Output<G[K]>;
} & {
  readonly [K in keyof G as Extract<K, Optional<G>>]?: G[K] extends Option<infer T, any> ? Resolved<T> : never;
};

/** The size of a pool resolves to a number of threads; everything else is what was set. */
type Resolved<T> = [PoolSize] extends [T] ? number : T;

type Path<G> = {
  [K in keyof G & string]: G[K] extends Option<any> ? K : `${K}.${Path<G[K]>}`;
}[keyof G & string];

/** The name of an option: `'workers'`, `'task.executor'`. */
export type OptionName = Path<typeof schema>;

/** What may be set, in code or in a config file. An option that is `undefined` is not set. */
export interface ConfigOptions extends Input<typeof schema> {}

/**
 * The configuration in force. It is frozen; an option that has neither a value nor a default is absent. Numbers of workers are
 * whole numbers from 1.
 */
export interface Config extends Output<typeof schema> {}

/** An option and its names. */
export interface Entry {
  /** Its name in code and in a file: `resourceLimits.stackSizeMb`. */
  readonly path: string;
  /** Its name in the environment: `MILLRACE_RESOURCE_LIMITS_STACK_SIZE_MB`. */
  readonly variable: string;
  readonly option: Option<any>;
}

/** The start of the name of every variable. */
export const prefix = 'MILLRACE_';

function* list(group: Group, parent: string): Generator<Entry> {
  for (const [name, child] of Object.entries(group)) {
    const path = parent + name;
    if (child instanceof Option) {
      const variable = prefix + path.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase();
      yield { path, variable, option: child };
    } else {
      yield* list(child, `${path}.`);
    }
  }
}

/** Every option of the schema, those of groups included, in order. */
export const entries: readonly Entry[] = [...list(schema, '')];
