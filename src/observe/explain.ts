import type { Attempt, Provision } from '../atoms/index.js';
import type { Engine, FlowStorage } from '../engine/index.js';
import { ArgumentError, received } from '../errors.js';
import { Failure } from '../failure/index.js';
import { compile, nameOf, type Plan } from '../plan/index.js';
import { type Ancestor, ancestry } from './ancestry.js';
import { errorText } from './error-text.js';
import { escapeControls } from './escape.js';
import { valueText } from './value-text.js';

/** What `explainFailure()` shows. */
export interface ExplainOptions {
  /**
   * Keys whose values are shown as `***`: names of inputs, arguments and results, and of properties at any depth of them. Upper
   * and lower case are the same.
   */
  readonly mask?: readonly string[];
  /** The names of tasks of which neither inputs nor results are shown. */
  readonly hide?: readonly string[];
  /** How many of the tasks that led to the failure are shown, the nearest first, and of the attempts of a retry, the last. **Default:** `20`. */
  readonly limit?: number;
  /** How many characters of the inputs, and of the results, of a task are shown. **Default:** `200`. */
  readonly maxLength?: number;
}

/**
 * Tells of a failure, in several lines: what failed and how, in which state it is and what it was given, and the tree of what led to
 * it: the tasks that ran before, with their states, inputs and results. If there are retries that are asked about it, it tells what
 * they have tried so far. It tells most in a listener, when the task has just failed: what was reverted has no results any more, and
 * retries have no history.
 *
 * @throws {@link ArgumentError} when the engine's flow has no such task, or an option is wrong
 * @example
 * engine.on('task', ({ state, result }) => {
 *   if (state === 'FAILURE') console.error(explainFailure(engine, result as Failure, { mask: ['password'] }));
 * });
 */
export function explainFailure(
  engine: Pick<Engine<any>, 'flow' | 'storage'>,
  failure: Failure,
  options: ExplainOptions = {},
): string {
  const { mask = [], hide = [], limit = 20, maxLength = 200 } = options;
  if (!(failure instanceof Failure)) {
    throw new ArgumentError(`explainFailure(): expected a Failure; received ${received(failure)}`);
  }
  const { plan, atom } = placeOf(engine, failure.task);
  const teller = new Teller(engine.storage, plan, {
    ...{ mask: namesOf('mask', mask).map((key) => key.toLowerCase()), hide: namesOf('hide', hide) },
    ...{ limit: countOf('limit', limit), maxLength: countOf('maxLength', maxLength) },
  });
  return teller.tell(atom, failure);
}

/** Where a task is: in the flow itself, or in one that a region has built. */
function placeOf({ flow, storage }: Pick<Engine<any>, 'flow' | 'storage'>, task: string): { plan: Plan; atom: number } {
  const own = storage as Partial<FlowStorage>;
  if (own.placeOf) return own.placeOf(task);
  const plan = compile(flow);
  const atom = plan.atoms.findIndex(({ name }) => name === task);
  if (atom < 0) throw new ArgumentError(`Flow '${plan.name}' has no task named '${task}'`);
  return { plan, atom };
}

class Teller {
  readonly #storage: Engine['storage'];
  readonly #plan: Plan;
  readonly #options: Required<ExplainOptions>;
  readonly #failures: Readonly<Record<string, Failure>>;
  readonly #lines: string[] = [];

  constructor(storage: Engine['storage'], plan: Plan, options: Required<ExplainOptions>) {
    this.#storage = storage;
    this.#failures = storage.getExecuteFailures();
    this.#plan = plan;
    this.#options = options;
  }

  tell(atom: number, { error }: Failure): string {
    const title = escapeControls(`${this.#label(atom)} of flow '${this.#plan.name}' has failed`);
    this.#lines.push(`${title}: ${errorText(error)}`, `It is ${this.#told(atom)}`);
    for (const retry of retriesOf(this.#plan, atom)) this.#tellRetry(retry, atom);
    const tree = ancestry(this.#plan, atom, this.#options.limit);
    if (tree.before.length > 0 || tree.more) this.#lines.push('What ran before it:');
    this.#tellTree(tree);
    return this.#lines.join('\n');
  }

  /** What a retry has tried, with what failed each time; of the attempt under way only what is in its history already. */
  #tellRetry(retry: number, failed: number): void {
    const { controller } = this.#plan.atoms[retry];
    const name = nameOf(this.#plan, retry);
    const history = this.#storage.getRetryHistory(name);
    const tried: string[] = [];
    let i = history.length - 1;
    for (; i >= 0 && tried.length < this.#options.limit; i--) {
      const told = this.#attempt(retry, history.at(i)!);
      if (told !== '') tried.unshift(`  ${i + 1}: ${told}`);
    }
    if (i >= 0) tried.unshift('  …');
    if (tried.length > 0) {
      const whose = controller ? this.#label(retry) : `The retry of task '${name}'`;
      this.#lines.push(escapeControls(`${whose} has tried:`), ...tried);
    }
    if (history.failure && retry !== failed) {
      this.#lines.push(escapeControls(`${this.#label(retry)} has failed: ${history.failure}`));
    }
  }

  #attempt(retry: number, { value, failures }: Attempt): string {
    const { controller, provision } = this.#plan.atoms[retry];
    const all = Object.entries(failures);
    const told = all.slice(0, this.#options.limit).map(([task, failure]) => escapeControls(`${task}: ${failure}`));
    if (told.length < all.length) told.push(`… ${all.length - told.length} more`);
    // The retry of one task provides nothing.
    if (controller && provision.names.length > 0 && !this.#options.hide.includes(nameOf(this.#plan, retry)))
      told.unshift(this.#given(provision, value));
    return told.join('; ');
  }

  /** What a retry provided in one attempt. */
  #given({ names, keys }: Provision, value: unknown): string {
    const values = keys
      ? names.map((_, i) => (value as Record<string | number, unknown> | undefined)?.[keys[i]])
      : [value];
    const provided = Object.fromEntries(names.map((name, i) => [name, values[i]]));
    return `provided ${valueText(provided, new Set(this.#options.mask), this.#options.maxLength)}`;
  }

  /** Without recursion, for the tree of a linear flow is as deep as the flow is long. */
  #tellTree(root: Ancestor): void {
    const open: { readonly line: string; readonly node?: Ancestor; readonly indent: string }[] = [];
    const enter = ({ before, repeated, more }: Ancestor, indent: string) => {
      const items: { readonly text: string; readonly node?: Ancestor }[] = [
        ...before.map((node) => ({ node, text: this.#ancestor(node.atom) })),
        ...repeated.map((atom) => ({ text: `${this.#name(atom)} (shown elsewhere)` })),
        ...(more ? [{ text: '…' }] : []),
      ];
      for (let i = items.length - 1; i >= 0; i--) {
        const isLast = i === items.length - 1;
        const { text, node } = items[i];
        const line = `${indent}${isLast ? '└─ ' : '├─ '}${text}`;
        open.push({ line, indent: `${indent}${isLast ? '   ' : '│  '}`, ...(node && { node }) });
      }
    };
    enter(root, '');
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      this.#lines.push(next.line);
      if (next.node) enter(next.node, next.indent);
    }
  }

  #ancestor(atom: number): string {
    const name = nameOf(this.#plan, atom);
    const how = Object.hasOwn(this.#failures, name) ? `. ${String(this.#failures[name])}` : '';
    return `${this.#name(atom)}: ${this.#told(atom)}${escapeControls(how)}`;
  }

  /** The state of an atom, what it was given, and what came of it. */
  #told(atom: number): string {
    const name = nameOf(this.#plan, atom);
    const state = this.#storage.getTaskState(name);
    if (this.#options.hide.includes(name)) return state;
    return state + this.#inputs(atom) + this.#provided(name);
  }

  #inputs(atom: number): string {
    const { mapping } = this.#plan.atoms[atom];
    const { mask, maxLength } = this.#options;
    if (mapping.params.length === 0) return '';
    // An argument is also known by the name from which it was rebound.
    const rebound = mapping.params.filter((_, i) => mask.includes(mapping.sources[i]?.toLowerCase() ?? ''));
    const masked = new Set([...mask, ...rebound.map((param) => param.toLowerCase())]);
    try {
      return `, given ${valueText(this.#storage.fetchMappedArgs(nameOf(this.#plan, atom)), masked, maxLength)}`;
    } catch {
      return ', given what is not there any more';
    }
  }

  #provided(name: string): string {
    try {
      const values = this.#storage.getProvided(name);
      if (Object.keys(values).length === 0) return '';
      return `, provided ${valueText(values, new Set(this.#options.mask), this.#options.maxLength)}`;
    } catch {
      return ', provided what is not there any more';
    }
  }

  #label(atom: number): string {
    return `${this.#plan.atoms[atom].controller ? 'Retry' : 'Task'} '${nameOf(this.#plan, atom)}'`;
  }

  #name(atom: number): string {
    return escapeControls(nameOf(this.#plan, atom));
  }
}

/** The retries that are asked about the failure of an atom, and itself if it is one: the innermost first. */
function retriesOf({ atoms, retries }: Plan, atom: number): number[] {
  const { retry, controller } = atoms[atom];
  const found = (retry ?? controller) ? [atom] : [];
  for (let scope = retries?.scopeOf[atom] ?? -1; scope >= 0; scope = retries!.scopes[scope].parent) {
    found.push(retries!.scopes[scope].controller);
  }
  return found;
}

/** A string instead of a list would mask its letters, and show what was meant to be masked. */
function namesOf(option: string, names: readonly string[]): readonly string[] {
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new ArgumentError(`option '${option}' must be a list of names; received ${received(names)}`);
}

function countOf(option: string, count: number): number {
  if (typeof count === 'number' && count >= 0) return count;
  throw new ArgumentError(`option '${option}' must be a number, at least 0; received ${received(count)}`);
}
