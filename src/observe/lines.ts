/** What is said of an event, in words: by `logging()` to a log, by `printing()` to a stream. */
import { Failure } from '../atoms/index.js';
import type { FlowEvent, FlowState, LogEvent, TaskEvent, TaskState } from '../engine/index.js';
import { ArgumentError, received } from '../errors.js';
import type { ObservedRun } from './attach.js';
import { errorText } from './error-text.js';
import { escapeControls } from './escape.js';
import { valueText } from './value-text.js';

/** What of the values of a run is shown. By default nothing is, as they may be secret. */
export interface ShowOptions {
  /** Show what tasks are given, when they start and when they fail. **Default:** `false`. */
  readonly inputs?: boolean;
  /** Show what tasks return, and the details of what they log. **Default:** `false`. */
  readonly results?: boolean;
  /** Keys whose values are shown as `***`, at any depth of the inputs; upper and lower case are the same. */
  readonly maskInputs?: readonly string[];
  /** The same for results and details. A value that a task provides is masked by the name under which it does. */
  readonly maskOutputs?: readonly string[];
  /** The names of tasks of which neither inputs nor results are shown. */
  readonly hide?: readonly string[];
  /** How many characters of a value are shown. **Default:** `1000`. */
  readonly maxLength?: number;
}

const BAD: ReadonlySet<FlowState | TaskState> = new Set(['FAILURE', 'REVERTED', 'REVERT_FAILURE', 'RETRYING']);

/** Whether something has gone wrong that an operator should know. */
export function isBad({ state }: FlowEvent | TaskEvent): boolean {
  return BAD.has(state);
}

/** When the inputs of a task tell something. */
const WITH_INPUTS: ReadonlySet<TaskState> = new Set(['RUNNING', 'FAILURE', 'REVERT_FAILURE']);

export class Lines {
  readonly #inputs: boolean;
  readonly #results: boolean;
  readonly #maskInputs: ReadonlySet<string>;
  readonly #maskOutputs: ReadonlySet<string>;
  readonly #hidden: ReadonlySet<string>;
  readonly #maxLength: number;

  /** @throws {@link ArgumentError} when an option is wrong */
  constructor({ inputs = false, results = false, maskInputs, maskOutputs, hide, maxLength = 1000 }: ShowOptions) {
    this.#inputs = inputs;
    this.#results = results;
    this.#maskInputs = keySet(namesOf('maskInputs', maskInputs));
    this.#maskOutputs = keySet(namesOf('maskOutputs', maskOutputs));
    this.#hidden = new Set(namesOf('hide', hide));
    if (typeof maxLength !== 'number' || !(maxLength >= 1)) {
      throw new ArgumentError(`option 'maxLength' must be a number, at least 1; received ${received(maxLength)}`);
    }
    this.#maxLength = maxLength;
  }

  flow({ name, state, oldState }: FlowEvent): string {
    return escapeControls(`flow '${name}' has moved from ${oldState} to ${state}`);
  }

  task(event: TaskEvent, run: ObservedRun): string {
    const { name, state, oldState, result } = event;
    const line = escapeControls(`task '${name}' has moved from ${oldState} to ${state}`);
    const values = this.#hidden.has(name) ? '' : this.#inputsOf(event, run) + this.#resultOf(event, run);
    return result instanceof Failure ? `${line}${values}: ${errorText(result.error)}` : line + values;
  }

  log({ name, message, details }: LogEvent): string {
    const line = escapeControls(`task '${name}': ${message}`);
    if (!this.#results || details === undefined || this.#hidden.has(name)) return line;
    return `${line} ${valueText(details, this.#maskOutputs, this.#maxLength)}`;
  }

  #inputsOf({ name, state }: TaskEvent, { storage }: ObservedRun): string {
    if (!this.#inputs || !storage?.fetchMappedArgs || !WITH_INPUTS.has(state)) return '';
    try {
      return `, given ${valueText(storage.fetchMappedArgs(name), this.#maskInputs, this.#maxLength)}`;
    } catch {
      return ''; // a value is not there any more; that is no reason to lose the line
    }
  }

  #resultOf(event: TaskEvent, run: ObservedRun): string {
    if (!this.#results || event.result === undefined || event.result instanceof Failure) return '';
    if (event.state !== 'SUCCESS') return `, returned ${this.#output(event.result)}`;
    // Under the names by which others know the values: it is those that are masked.
    const provided = run.storage?.getProvided?.(event.name);
    if (provided && Object.keys(provided).length > 0) return `, provided ${this.#output(provided)}`;
    // Nobody tells which names the values have, and one of them may be secret.
    const isNameless = typeof event.result !== 'object' || Array.isArray(event.result);
    if (!provided && isNameless && this.#maskOutputs.size > 0) return ', returned ***';
    return `, returned ${this.#output(event.result)}`;
  }

  #output(value: unknown): string {
    return valueText(value, this.#maskOutputs, this.#maxLength);
  }
}

/** A string instead of a list would mask its letters, and show what was meant to be masked. */
function namesOf(option: string, names: readonly string[] = []): readonly string[] {
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw new ArgumentError(`option '${option}' must be a list of names; received ${received(names)}`);
}

function keySet(keys: readonly string[]): ReadonlySet<string> {
  return new Set(keys.map((key) => key.toLowerCase()));
}
