/**
 * What has become of each atom of a flow, as far as can be told from outside: by what the tasks have written down, and by what was found
 * in the store each time that the process was dead. It knows the rules that both keep, whatever happens.
 */
import type { RecordedFlow } from '../../src/engine/recording.js';
import type { TaskState } from '../../src/engine/states.js';
import type { Deed } from '../fixtures/atoms/fated.js';
import type { Entry } from './witness.js';

/** What has to be known of a flow. */
export interface Shape {
  readonly atoms: readonly AtomShape[];
  /** Whether one atom has to be through before the other may begin. */
  before(first: string, second: string): boolean;
  /** Whether one atom is reverted only when nothing is left of the other. Default: if it comes before it. */
  keeps?(first: string, second: string): boolean;
}

export interface AtomShape {
  readonly name: string;
  readonly controller: boolean;
  /** Whether it writes down what it does. */
  readonly written: boolean;
  /** Whether it may fail before it begins, so that nothing is written. */
  readonly silent: boolean;
  /** Whether others may begin though it has not run, as a decider may say no to it. */
  readonly ignorable: boolean;
  readonly mayFail: boolean;
}

/** `'unknown'`: it was running when its process ended; `'half reverted'`: it was being reverted. */
type Doing = 'nothing' | 'runs' | 'done' | 'failed' | 'unknown' | 'is reverted' | 'half reverted' | 'stuck';

/** What an atom that is recorded in a state may have written last. */
const POSSIBLE: Readonly<Record<TaskState, readonly Doing[]>> = {
  PENDING: ['nothing'],
  RUNNING: ['nothing', 'runs', 'done', 'failed', 'unknown'],
  SUCCESS: ['done'],
  FAILURE: ['failed', 'unknown'],
  REVERTING: ['done', 'failed', 'unknown', 'is reverted', 'nothing', 'half reverted', 'stuck'],
  REVERTED: ['nothing'],
  REVERT_FAILURE: ['stuck'],
  RETRYING: ['nothing'],
  IGNORE: ['nothing'],
};

/** That of controllers which have decided, or could not. */
const ASKED: readonly TaskState[] = ['RETRYING', 'RUNNING', 'FAILURE'];

/** How an atom cannot be recorded any more once somebody was told of its state. */
const OVER: Readonly<Partial<Record<TaskState, readonly TaskState[]>>> = {
  RUNNING: ['PENDING'],
  SUCCESS: ['PENDING', 'RUNNING'],
  FAILURE: ['PENDING', 'RUNNING'],
  REVERTING: ['SUCCESS', 'FAILURE'],
  REVERTED: ['SUCCESS', 'FAILURE', 'REVERTING'],
};

/** What an atom may have written before. */
const BEFORE: Readonly<Record<Deed, readonly Doing[]>> = {
  begins: ['nothing', 'unknown'],
  ends: ['runs'],
  fails: ['runs'],
  reverts: ['done', 'failed', 'unknown', 'half reverted', 'stuck'],
  reverted: ['is reverted'],
  'fails to revert': ['is reverted'],
};

const AFTER: Readonly<Record<Deed, Doing>> = {
  begins: 'runs',
  ends: 'done',
  fails: 'failed',
  reverts: 'is reverted',
  reverted: 'nothing',
  'fails to revert': 'stuck',
};

interface Known extends AtomShape {
  doing: Doing;
  /** That of what it does, or did last. */
  key: string | undefined;
  /** How often that has begun. */
  begun: number;
  /** How many processes have ended meanwhile. */
  ended: number;
  /** Whether its revert has failed before. */
  stuck: boolean;
  /** The state that somebody was told last by the process. */
  told: TaskState | undefined;
}

export class Account {
  /** Each rule that was broken, in words. */
  readonly violations: string[] = [];
  readonly #shape: Shape;
  readonly #atoms: ReadonlyMap<string, Known>;
  /** What each key has stood for. */
  readonly #keys = new Map<string, string>();
  #recorded: RecordedFlow | undefined;

  constructor(shape: Shape) {
    this.#shape = shape;
    const nothing = { doing: 'nothing', key: undefined, begun: 0, ended: 0, stuck: false, told: undefined } as const;
    this.#atoms = new Map(shape.atoms.map((atom) => [atom.name, { ...atom, ...nothing }]));
  }

  /** A process has done this. */
  done({ atom: name, deed, state, key, attempt }: Entry): void {
    const atom = this.#atoms.get(name)!;
    if (deed === 'told') {
      atom.told = state;
      return;
    }
    const again = deed === 'begins' && atom.controller && (atom.doing === 'done' || atom.doing === 'failed');
    const unseen = deed === 'reverts' && atom.silent && atom.doing === 'nothing';
    this.#require(again || unseen || BEFORE[deed].includes(atom.doing), () => `${name} ${deed} when it ${said(atom)}`);
    if (deed === 'begins') this.#checkBegin(atom);
    if (deed === 'reverts') this.#checkRevert(atom);
    if (!atom.controller && (deed === 'begins' || deed === 'reverts')) this.#identify(atom, deed, key, attempt);
    atom.doing = AFTER[deed];
    if (deed === 'begins') atom.stuck = false;
    else if (deed === 'fails to revert') atom.stuck = true;
  }

  /** The process is dead, and this is what it has left; `undefined`: it had not come to record the flow. */
  died(recorded: RecordedFlow | undefined): void {
    const stateOf = (name: string) => recorded?.atoms.get(name)?.state ?? 'PENDING';
    for (const atom of this.#atoms.values()) {
      const state = stateOf(atom.name);
      // A retry may have begun once more before it was told that it would.
      const over = !atom.controller && atom.told && OVER[atom.told]?.includes(state);
      this.#require(!over, () => `${atom.name} is recorded as ${state} when somebody was told that it is ${atom.told}`);
      atom.told = undefined;
      if (!atom.written) continue;
      const asked = atom.controller && ASKED.includes(state) && atom.doing === 'done';
      const unseen = atom.silent && state === 'FAILURE' && atom.doing === 'nothing';
      this.#require(asked || unseen || POSSIBLE[state].includes(atom.doing), () => {
        return `${atom.name} is recorded as ${state} when it ${said(atom)}`;
      });
      if (state === 'RUNNING') interrupt(atom, ['nothing'], 'unknown');
      else if (state === 'REVERTING') interrupt(atom, ['done', 'failed', 'unknown'], 'half reverted');
      else if (state === 'REVERT_FAILURE') forget(atom); // whoever tries that again begins anew
    }
    for (const atom of this.#atoms.values()) {
      if (!atom.written || atom.doing === 'nothing') continue;
      for (const { name, ignorable } of this.#shape.atoms) {
        if (ignorable || !this.#shape.before(name, atom.name)) continue;
        const through = ['SUCCESS', 'FAILURE', 'IGNORE'].includes(stateOf(name));
        this.#require(through, () => `${atom.name} ${said(atom)} after ${name}, which is recorded as ${stateOf(name)}`);
      }
    }
    this.#checkHistories(recorded);
    this.#recorded = recorded;
  }

  /** Nothing is to be left of the flow. */
  reverted(): void {
    for (const atom of this.#atoms.values()) {
      this.#require(atom.doing === 'nothing', () => `${atom.name} ${said(atom)} when the flow is reverted`);
    }
  }

  #checkBegin(atom: Known): void {
    for (const other of this.#atoms.values()) {
      if (!other.written || other.ignorable || !this.#shape.before(other.name, atom.name)) continue;
      const through = other.doing === 'done' || (other.doing === 'failed' && other.mayFail);
      this.#require(through, () => `${atom.name} begins after ${other.name}, which ${said(other)}`);
    }
  }

  #checkRevert(atom: Known): void {
    const shape = this.#shape;
    for (const other of this.#atoms.values()) {
      if (!(shape.keeps ?? shape.before)(atom.name, other.name)) continue;
      this.#require(
        other.doing === 'nothing',
        () => `${atom.name} is reverted before ${other.name}, which ${said(other)}`,
      );
    }
  }

  /** What was interrupted goes on under its key, as another attempt; all else has a key of its own. */
  #identify(atom: Known, deed: 'begins' | 'reverts', key: string | undefined, attempt: number | undefined): void {
    const meaning = `${atom.name} ${deed}`;
    if (atom.doing !== (deed === 'begins' ? 'unknown' : 'half reverted')) forget(atom);
    this.#require(key !== undefined && attempt !== undefined, () => `${meaning} without a key or an attempt`);
    if (key === undefined || attempt === undefined) return;
    if (atom.key !== undefined) {
      this.#require(key === atom.key, () => `${meaning} under ${key}, and under ${atom.key} before`);
    } else {
      const known = this.#keys.get(key);
      const fresh = known === undefined || (atom.stuck && known === meaning);
      this.#require(fresh, () => `${meaning} under ${key}, as ${known} before`);
    }
    const most = atom.ended + 1;
    this.#require(attempt > atom.begun && attempt <= most, () => {
      return `${meaning} as attempt ${attempt}, which is to be from ${atom.begun + 1} to ${most}`;
    });
    this.#keys.set(key, meaning);
    atom.key = key;
    atom.begun++;
  }

  /** A retry adds to what it has tried, until it is put back to its start. */
  #checkHistories(recorded: RecordedFlow | undefined): void {
    for (const [name, before] of this.#recorded?.histories ?? []) {
      const rounds = (flow: RecordedFlow | undefined) => flow?.atoms.get(name)?.rounds;
      const now = recorded?.histories.get(name) ?? [];
      if (rounds(recorded) !== rounds(this.#recorded) || now.length === 0) continue;
      const kept = before.every(({ value }, i) => value?.text === now[i]?.value?.text);
      this.#require(
        kept,
        () => `${name} has tried ${now.length} times, and ${before.length} times before, or something else`,
      );
    }
  }

  #require(holds: boolean, violation: () => string): void {
    if (!holds) this.violations.push(violation());
  }
}

/** The process ended while an atom was about to begin something, which is new unless it was about it already. */
function interrupt(atom: Known, fresh: readonly Doing[], doing: Doing): void {
  if (fresh.includes(atom.doing)) forget(atom);
  atom.doing = doing;
  atom.ended++;
}

function forget(atom: Known): void {
  atom.key = undefined;
  atom.begun = atom.ended = 0;
}

function said({ doing }: Known): string {
  if (doing === 'unknown') return 'may have run';
  return doing === 'half reverted' ? 'may be half reverted' : `is: ${doing}`;
}
