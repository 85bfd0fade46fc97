import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type InspectOptions, inspect } from 'node:util';
import { ArgumentError, received } from '../errors.js';
import type { Controller } from './controller.js';
import { type Definition, type Shape, shapeOf } from './definition.js';
import { describeTask } from './inspect.js';
import {
  declare,
  declareRevert,
  type Mapping,
  mapArguments,
  mapResult,
  type Owner,
  type Provision,
} from './mapping.js';
import type { Region } from './region.js';
import { register } from './registry.js';
import { isRetry, type Retry } from './retry.js';
import type { TaskFunction } from './signature.js';
import { checkOnVersionChange, checkVersion, type OnVersionChange, versionOf } from './version.js';

/** The options of a task as they come from JavaScript. */
interface RawOptions {
  name?: string;
  requires?: unknown;
  optional?: unknown;
  rebind?: unknown;
  revertRequires?: unknown;
  revertOptional?: unknown;
  revertRebind?: unknown;
  inject?: object;
  provides?: unknown;
  priority?: unknown;
  timeout?: unknown;
  retry?: unknown;
  mayFail?: unknown;
  version?: unknown;
  onVersionChange?: unknown;
  execute?: unknown;
  revert?: unknown;
}

const brand = Symbol.for('millrace.task');
const KNOWN = [
  'name',
  'requires',
  'optional',
  'rebind',
  'revertRequires',
  'revertOptional',
  'revertRebind',
  'inject',
  'provides',
  'priority',
  'timeout',
  'retry',
  'mayFail',
  'version',
  'onVersionChange',
  'execute',
  'revert',
];
const OF_THE_CODE = ['requires', 'optional', 'revertRequires', 'revertOptional', 'execute', 'revert'];

const NOT_OF_A_COPY = [...OF_THE_CODE, 'version'];

/** What becomes of a task that fails, or whose code changes. Tasks of which nothing is said share one. */
interface Care {
  readonly retry: Controller | undefined;
  readonly mayFail: boolean;
  readonly onVersionChange: OnVersionChange | undefined;
}

const NO_CARE: Care = { retry: undefined, mayFail: false, onVersionChange: undefined };

/** All that is said of a task but its name. Copies of which nothing else is said share it. */
interface Sayings {
  readonly shape: Shape;
  readonly mapping: Mapping;
  readonly provision: Provision;
  readonly priority: number;
  readonly timeout: number | undefined;
  readonly rebind: unknown;
  readonly inject: object | undefined;
  readonly care: Care;
}

/**
 * A task as the compiler and the engine see it: immutable, everything about it resolved but its place in a flow. A flow may have a million
 * of them, hence they are small.
 */
export class TaskAtom implements Owner {
  readonly name: string;
  readonly #said: Sayings;

  /** `options` is what is said anew; a copy takes all else from `original`. */
  constructor(definition: Definition, options: RawOptions, original?: TaskAtom) {
    this.name = options.name ?? original!.name;
    const before = original === undefined ? undefined : original.#said;
    this.#said = before && !saysMore(options) ? before : sayings(this, definition, options, before);
  }

  get shape(): Shape {
    return this.#said.shape;
  }

  get mapping(): Mapping {
    return this.#said.mapping;
  }

  get provision(): Provision {
    return this.#said.provision;
  }

  get priority(): number {
    return this.#said.priority;
  }

  /** Milliseconds; `undefined`: as configured. */
  get timeout(): number | undefined {
    return this.#said.timeout;
  }

  /** How messages about it begin. */
  get label(): string {
    return `Task '${this.name}'`;
  }

  /** Set for the retry of a flow only. */
  get controller(): Controller | undefined {
    return undefined;
  }

  /** The retry of the task itself. */
  get retry(): Controller | undefined {
    return this.#said.care.retry;
  }

  /** Whether the flow goes on when it fails. */
  get mayFail(): boolean {
    return this.#said.care.mayFail;
  }

  /** What becomes of a recorded flow in which it has run with other code. */
  get onVersionChange(): OnVersionChange | undefined {
    return this.#said.care.onVersionChange;
  }

  /** That of its code. */
  get version(): string {
    return this.#said.shape.definition.version;
  }

  get definition(): Definition {
    return this.#said.shape.definition;
  }

  /** The flow that is its work; `undefined`: its code is. */
  get region(): Region | undefined {
    return this.#said.shape.definition.region;
  }

  /** Its definition and the names of the arguments of `revert`. */
  get revertShape(): Shape {
    const { revert } = this.mapping;
    return revert ? shapeOf(this.definition, revert.params) : this.shape;
  }

  /** Whether it may run on another thread. */
  get travels(): boolean {
    return this.#said.shape.definition.module !== undefined;
  }

  with(overrides: RawOptions): TaskAtom {
    return new TaskAtom(this.definition, checkOptions(overrides, 'with()', NOT_OF_A_COPY), this);
  }

  [inspect.custom](_depth: unknown, options: InspectOptions): string {
    return describeTask(this, options);
  }
}
Object.defineProperty(TaskAtom.prototype, brand, { value: true });

/** Whether a value is a task, made by any loaded copy of the package. */
export function isTask(value: unknown): value is TaskAtom {
  return typeof value === 'object' && value !== null && brand in value;
}

/**
 * Makes a task: a named piece of work that says what it needs and what it gives.
 *
 * `task(import.meta.url, options)` may run on any thread that can import that module; `task(options)` stays on the scheduler's
 * thread and may be a closure.
 *
 * @throws {@link ArgumentError} when an option is wrong, or when the module has already defined a task of that name
 * @example
 * export const resize = task(import.meta.url, {
 *   name: 'resize',
 *   requires: ['pixels', 'width'],
 *   provides: 'thumb',
 *   execute({ pixels, width }: { pixels: Uint8Array; width: number }) { ... },
 * });
 */
export const task = ((...args: [unknown] | [unknown, unknown]): TaskAtom => {
  const travels = args.length > 1;
  const options = checkOptions(travels ? args[1] : args[0], 'task()', []);
  const name = options.name;
  if (name === undefined) throw new ArgumentError('task(): a task must have a name');
  if (typeof options.execute !== 'function') {
    throw new ArgumentError(`Task '${name}': execute must be a function; received ${received(options.execute)}`, {
      task: name,
    });
  }
  if (options.revert !== undefined && typeof options.revert !== 'function') {
    throw new ArgumentError(`Task '${name}': revert must be a function; received ${received(options.revert)}`, {
      task: name,
    });
  }
  const owner: Owner = { label: `Task '${name}'`, name };
  const declared = declare(owner, options.requires, options.optional);
  const definition: Definition = {
    name,
    module: travels ? moduleUrl(name, args[0]) : undefined,
    execute: options.execute as Definition['execute'],
    revert: options.revert as Definition['revert'],
    version: versionOf(options.version as string | undefined),
    declared,
    declaredRevert: declareRevert(owner, declared, options.revertRequires, options.revertOptional),
    region: undefined,
    shapes: new Map(),
  };
  const made = new TaskAtom(definition, options);
  if (definition.module !== undefined) register(definition.module, definition);
  return made;
}) as unknown as TaskFunction;

/** A task whose work is a flow of its own. `options` are those of a task, without its code. */
export function makeRegion(
  options: unknown,
  declared: { readonly requires: unknown; readonly optional: unknown },
  region: Region,
): TaskAtom {
  const checked = checkOptions(options, `${region.kind}()`, OF_THE_CODE);
  const name = checked.name!;
  return new TaskAtom(
    {
      ...{ name, module: undefined, revert: undefined, declaredRevert: undefined, region, shapes: new Map() },
      declared: declare({ label: `Task '${name}'`, name }, declared.requires, declared.optional),
      // What runs for each element has a version of its own, and there is no other code.
      version: region.kind === 'dynamic' ? versionOf(checked.version as string | undefined) : region.task.version,
      execute: () => undefined, // the engine runs the flow
    },
    checked,
  );
}

function moduleUrl(task: string, module: unknown): string {
  if (module instanceof URL) return module.href;
  if (typeof module === 'string') {
    if (isAbsolute(module)) return pathToFileURL(module).href;
    if (URL.canParse(module)) return module;
  }
  throw new ArgumentError(
    `Task '${task}': the first argument must be the URL of the task's module, as in task(import.meta.url, { ... }); ` +
      `received ${received(module)}`,
    { task },
  );
}

function checkOptions(options: unknown, where: string, refused: readonly string[]): RawOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ArgumentError(`${where}: options must be an object; received ${received(options)}`);
  }
  const given = options as RawOptions;
  const label = () => (typeof given.name === 'string' ? `Task '${given.name}'` : where);
  for (const key of Object.keys(options)) {
    if (refused.includes(key)) {
      throw new ArgumentError(
        `${label()}: ${key} belongs to the task's code; a copy cannot change it. Define another task`,
      );
    }
    if (!KNOWN.includes(key)) {
      throw new ArgumentError(`${label()}: unknown option '${key}'; the options are ${KNOWN.join(', ')}`);
    }
  }
  if (given.name !== undefined && !(typeof given.name === 'string' && /^.+$/.test(given.name))) {
    throw new ArgumentError(`${where}: name must be a string of one line, not empty; received ${received(given.name)}`);
  }
  if (
    given.inject !== undefined &&
    (typeof given.inject !== 'object' || given.inject === null || Array.isArray(given.inject))
  ) {
    throw new ArgumentError(
      `${label()}: inject must be an object, one property a constant; received ${received(given.inject)}`,
    );
  }
  if (given.priority !== undefined && !Number.isFinite(given.priority)) {
    throw new ArgumentError(`${label()}: priority must be a finite number; received ${received(given.priority)}`);
  }
  if (given.timeout !== undefined && !(typeof given.timeout === 'number' && given.timeout > 0)) {
    throw new ArgumentError(
      `${label()}: timeout must be a number of milliseconds above 0; received ${received(given.timeout)}`,
    );
  }
  if (given.retry !== undefined) checkRetry(label(), given.retry);
  if (given.mayFail !== undefined && typeof given.mayFail !== 'boolean') {
    throw new ArgumentError(`${label()}: mayFail must be a boolean; received ${received(given.mayFail)}`);
  }
  if (given.version !== undefined) checkVersion(label(), given.version);
  if (given.onVersionChange !== undefined) checkOnVersionChange(label(), given.onVersionChange);
  return given;
}

/** Whether more is said of a copy than its name. */
function saysMore(options: RawOptions): boolean {
  const { rebind, revertRebind, inject, provides, priority, timeout, retry, mayFail, onVersionChange } = options;
  return !(
    rebind === undefined &&
    revertRebind === undefined &&
    inject === undefined &&
    provides === undefined &&
    priority === undefined &&
    timeout === undefined &&
    retry === undefined &&
    mayFail === undefined &&
    onVersionChange === undefined
  );
}

/** What is said of a task; of a copy what is said anew, beside what was said before. */
function sayings(owner: Owner, definition: Definition, options: RawOptions, before: Sayings | undefined): Sayings {
  const { revertRebind, provides, priority, timeout } = options;
  const rebind = options.rebind === undefined ? before?.rebind : options.rebind;
  const inject = options.inject === undefined ? before?.inject : { ...before?.inject, ...options.inject };
  const rewired = !before || options.rebind !== undefined || revertRebind !== undefined || options.inject !== undefined;
  const mapping = rewired
    ? mapArguments(owner, {
        declared: definition.declared,
        declaredRevert: definition.declaredRevert,
        rebind,
        revertRebind: revertRebind === undefined ? before?.mapping.revert?.rebind : revertRebind,
        inject,
      })
    : before.mapping;
  return {
    mapping,
    shape: before?.mapping.params === mapping.params ? before.shape : shapeOf(definition, mapping.params),
    provision: before && provides === undefined ? before.provision : mapResult(owner, provides),
    priority: (priority as number | undefined) ?? before?.priority ?? 0,
    timeout: (timeout as number | undefined) ?? before?.timeout,
    rebind,
    inject,
    care: careOf(options, before?.care ?? NO_CARE),
  };
}

/** What is said anew, beside what was said before. */
function careOf({ retry, mayFail, onVersionChange }: RawOptions, before: Care): Care {
  if (retry === undefined && mayFail === undefined && onVersionChange === undefined) return before;
  return {
    retry: (retry as Retry | undefined)?.controller ?? before.retry,
    mayFail: (mayFail as boolean | undefined) ?? before.mayFail,
    onVersionChange: (onVersionChange as OnVersionChange | undefined) ?? before.onVersionChange,
  };
}

/** A task has no place in which something could be given to its retry, or by it. */
function checkRetry(label: string, retry: unknown): void {
  if (!isRetry(retry)) {
    throw new ArgumentError(
      `${label}: retry must be made by times(), forEach(), retry() or the like; received ${received(retry)}`,
    );
  }
  if (!retry.isBare) {
    throw new ArgumentError(
      `${label}: the retry of a task can neither require nor provide anything: put the task into a flow with that retry`,
    );
  }
}
