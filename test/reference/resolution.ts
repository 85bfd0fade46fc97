/**
 * What becomes of a flow whose tasks fail, worked out slowly and in the plainest way, to compare the library with: which atoms run,
 * are reverted and run again, in the order of a serial run. It shares nothing with `src/`.
 */
import { type Fails, resultOf } from '../fixtures/atoms/fated.js';

/** What a controller decides when it is asked; `throw` and `nonsense` are mistakes. */
export type Decision = 'RETRY' | 'LATER' | 'REVERT' | 'REVERT_ALL' | 'throw' | 'nonsense';

export type RetrySpec = { readonly name: string; readonly provides: boolean } & (
  | { readonly kind: 'times'; readonly attempts: number; readonly revertAll: boolean; readonly hopeless: boolean }
  | {
      readonly kind: 'forEach';
      readonly values: readonly number[];
      /** Whether the values are an argument. */
      readonly parameterized: boolean;
      readonly revertAll: boolean;
    }
  | { readonly kind: 'alwaysRevert'; readonly revertAll: boolean }
  | {
      readonly kind: 'custom';
      /** What it decides when it is asked, one after the other; in the end `REVERT`. */
      readonly decisions: readonly Decision[];
      /** Whether it has one for each attempt instead, however often it is asked. */
      readonly byAttempt?: boolean;
      /** An atom of which it requires the value. */
      readonly requires: readonly string[];
      readonly fails: Fails;
      readonly revertFails: Fails;
    }
);

/** A task provides its result under its own name. */
export interface TaskSpec {
  readonly kind: 'task';
  readonly name: string;
  /** The atoms of which it requires the values. */
  readonly requires: readonly string[];
  readonly optional: readonly string[];
  readonly priority: number;
  readonly fails: Fails;
  readonly revertFails: Fails;
  readonly mayFail: boolean;
  readonly retry: RetrySpec | undefined;
  readonly travels: boolean;
  readonly asynchronous: boolean;
}

export type Depth = 'all' | 'flow' | 'neighbors' | 'atom';

/** By position: what runs before what, and perhaps who is asked. */
export interface LinkSpec {
  readonly from: number;
  readonly to: number;
  /** What the decider answers when it is asked, one after the other; the last one for ever. */
  readonly answers: readonly ('yes' | 'no' | 'throw')[];
  readonly depth: Depth;
}

export interface FlowSpec {
  readonly kind: 'linear' | 'unordered' | 'graph';
  readonly name: string;
  readonly items: readonly ItemSpec[];
  readonly links: readonly LinkSpec[];
  readonly retry: RetrySpec | undefined;
}

export type ItemSpec = TaskSpec | FlowSpec;

export interface Policy {
  readonly failurePolicy: 'stop' | 'finish';
  readonly deferReverts: boolean;
  readonly neverResolve: boolean;
}

type State =
  | 'PENDING'
  | 'RUNNING'
  | 'SUCCESS'
  | 'FAILURE'
  | 'REVERTING'
  | 'REVERTED'
  | 'REVERT_FAILURE'
  | 'RETRYING'
  | 'IGNORE';

interface Attempt {
  readonly value: unknown;
  /** The names of the tasks that failed. */
  readonly failures: Set<string>;
}

/** A flow around an atom, and in which of its items the atom is. */
interface Level {
  readonly flow: FlowSpec;
  readonly item: number;
}

/** A task, or the controller of a flow. */
export class Atom {
  readonly name: string;
  readonly task: TaskSpec | undefined;
  /** Of a controller: its flow. */
  readonly flow: FlowSpec | undefined;
  readonly retry: RetrySpec | undefined;
  /** From the outermost flow inwards; a controller stands where its flow stands. */
  readonly levels: readonly Level[];
  state: State = 'PENDING';
  result: unknown;
  /** Whether it has failed, and nothing has made good for it. */
  failed = false;
  tolerated = false;
  /** Of a controller: whether it had ended well and could not decide then. */
  undecided = false;
  /** Whether its flow was told to revert, under the policy that the rest of the flow finishes. */
  resigned = false;
  history: Attempt[] = [];
  executions = 0;
  reverts = 0;
  decisions = 0;

  constructor(of: TaskSpec | FlowSpec, levels: readonly Level[]) {
    this.task = of.kind === 'task' ? of : undefined;
    this.flow = of.kind === 'task' ? undefined : of;
    this.name = of.kind === 'task' ? of.name : of.retry!.name;
    this.retry = of.retry;
    this.levels = levels;
  }

  get requires(): readonly string[] {
    if (this.task) return this.task.requires;
    return this.retry?.kind === 'custom' ? this.retry.requires : [];
  }

  get provides(): boolean {
    return this.task !== undefined || this.retry!.provides;
  }

  forget(): void {
    this.result = undefined;
    this.failed = this.tolerated = this.undecided = this.resigned = false;
  }
}

/** The tasks and controllers of a flow in the order in which they are written, a controller before the items of its flow. */
export function atomsOf(item: ItemSpec, levels: readonly Level[] = []): Atom[] {
  if (item.kind === 'task') return [new Atom(item, levels)];
  const inside = item.items.flatMap((child, i) => atomsOf(child, [...levels, { flow: item, item: i }]));
  return item.retry ? [new Atom(item, levels), ...inside] : inside;
}

/** What has to come before what. */
export class Order {
  readonly atoms: readonly Atom[];
  /** For each atom, those that have to wait for it. */
  readonly #after: ReadonlyMap<Atom, ReadonlySet<Atom>>;
  /** For each flow, which item must run before which, all that follows from it included. */
  readonly #precedes = new Map<FlowSpec, boolean[][]>();
  /** The same, without what follows from it. */
  readonly #directly = new Map<FlowSpec, boolean[][]>();

  constructor(root: FlowSpec) {
    this.atoms = atomsOf(root);
    this.#relate(root);
    this.#after = new Map(
      this.atoms.map((atom) => [atom, new Set(this.atoms.filter((other) => this.#comesBefore(atom, other)))]),
    );
  }

  named(name: string): Atom {
    return this.atoms.find((atom) => atom.name === name)!;
  }

  isInside(atom: Atom, item: ItemSpec): boolean {
    return atom.task === item || atom.flow === item || atom.levels.some(({ flow }) => flow === item);
  }

  /** Whether one atom has to be through before the other may begin. */
  before(first: Atom, second: Atom): boolean {
    return this.#after.get(first)!.has(second);
  }

  #comesBefore(first: Atom, second: Atom): boolean {
    if (first.flow && first !== second && this.isInside(second, first.flow)) return true;
    return first.levels.some(({ flow, item }) => {
      const other = second.levels.find((level) => level.flow === flow);
      return other !== undefined && this.#precedes.get(flow)![item][other.item];
    });
  }

  /** Whether one item of a flow comes directly after another. */
  directly(flow: FlowSpec, first: number, second: number): boolean {
    return this.#directly.get(flow)![first][second];
  }

  /** The atoms with which an item begins. */
  entries(item: ItemSpec): Atom[] {
    const inside = this.atoms.filter((atom) => this.isInside(atom, item));
    return inside.filter((atom) => !inside.some((other) => this.before(other, atom)));
  }

  /** The order of a serial run in which nothing fails: of the atoms that may begin, that of the highest priority, then the first. */
  serial(): Atom[] {
    const left = [...this.atoms];
    const order: Atom[] = [];
    while (left.length > 0) {
      const ready = left.filter((atom) => !left.some((other) => this.before(other, atom)));
      const priority = (atom: Atom) => atom.task?.priority ?? 0;
      const highest = Math.max(...ready.map(priority));
      const next = ready.find((atom) => priority(atom) === highest)!;
      order.push(next);
      left.splice(left.indexOf(next), 1);
    }
    return order;
  }

  #relate(item: ItemSpec): void {
    if (item.kind === 'task') return;
    for (const child of item.items) this.#relate(child);
    const { items } = item;
    const precedes = items.map((_, i) => items.map((_, j) => item.kind === 'linear' && i < j));
    const directly = items.map((_, i) => items.map((_, j) => item.kind === 'linear' && i + 1 === j));
    for (const { from, to } of item.links) precedes[from][to] = directly[from][to] = true;
    if (item.kind === 'graph') {
      for (const atom of this.atoms) {
        const to = atom.levels.find(({ flow }) => flow === item)?.item;
        for (const name of to === undefined ? [] : atom.requires) {
          const from = this.named(name).levels.find(({ flow }) => flow === item)?.item;
          if (from !== undefined && from !== to) precedes[from][to!] = directly[from][to!] = true;
        }
      }
    }
    for (const via of items.keys()) {
      for (const i of items.keys()) {
        for (const j of items.keys()) if (precedes[i][via] && precedes[via][j]) precedes[i][j] = true;
      }
    }
    this.#precedes.set(item, precedes);
    this.#directly.set(item, directly);
  }
}

/** What is being reverted, and whether it is tried again then. */
type Undoing =
  | { readonly kind: 'flow' }
  | { readonly kind: 'scope'; readonly controller: Atom; readonly retry: boolean }
  | { readonly kind: 'task'; readonly atom: Atom };

const DEPTHS: readonly Depth[] = ['atom', 'neighbors', 'flow', 'all'];

/** A serial run of a flow, step by step, and what comes of it. */
export class Resolution {
  readonly order: Order;
  /** Every change of state, as `name STATE`; the flow's own name is `flow`. */
  readonly events: string[] = [];
  /** What deciders were asked, and with which results. */
  readonly asked: string[] = [];
  state = 'PENDING';
  readonly #policy: Policy;
  readonly #serial: readonly Atom[];
  readonly #answered = new Map<LinkSpec, number>();
  /** The atoms that have run and are not reverted, in the order in which they finished. */
  #finished: Atom[] = [];
  #undoing: Undoing | undefined;
  /** Something has failed for which the whole flow is to be reverted in the end. */
  #doomed = false;
  #suspended = false;
  /** How many changes of an atom's state are left until the run is suspended; 0: it is not to be. */
  #suspendAt = 0;

  constructor(root: FlowSpec, policy: Policy) {
    this.order = new Order(root);
    this.#policy = policy;
    this.#serial = this.order.serial();
  }

  get states(): Record<string, State> {
    return Object.fromEntries(this.order.atoms.map(({ name, state }) => [name, state]));
  }

  /** What the flow has provided. */
  get outputs(): Record<string, unknown> {
    const given = this.order.atoms.filter(({ provides, state }) => provides && state === 'SUCCESS');
    return Object.fromEntries(given.map(({ name, result }) => [name, result]));
  }

  /** The atoms for which a run that has ended badly blames its end. */
  get culprits(): string[] {
    const stuck = this.order.atoms.filter(({ state }) => state === 'REVERT_FAILURE');
    const failed = this.order.atoms.filter((atom) => atom.failed && !atom.tolerated);
    return (stuck.length > 0 ? stuck : failed).map(({ name }) => name).sort();
  }

  /** The histories of the controllers and of the tasks with a retry that have run; those of what is reverted are empty. */
  get histories(): Record<string, { value: unknown; failures: string[] }[]> {
    const ended: State[] = ['SUCCESS', 'FAILURE', 'REVERTED'];
    const known = this.order.atoms.filter(({ retry, state }) => retry && ended.includes(state));
    const plain = ({ value, failures }: Attempt) => ({ value, failures: [...failures].sort() });
    return Object.fromEntries(known.map(({ name, history }) => [name, history.map(plain)]));
  }

  reset(): void {
    for (const atom of this.order.atoms) {
      if (atom.state !== 'PENDING') this.#to(atom, 'PENDING');
      atom.forget();
      atom.history = [];
    }
    this.#finished = [];
    this.#undoing = undefined;
    this.#doomed = false;
    if (this.state !== 'PENDING') this.#flow('PENDING');
  }

  /** @param suspendAt at which change of an atom's state the run is suspended; 0: at none */
  run(suspendAt = 0): void {
    this.#suspended = false;
    if (this.state === 'REVERTED') this.reset();
    if (this.#policy.neverResolve) {
      for (const atom of this.#finished.filter((one) => this.#blamed().includes(one))) {
        this.#to(atom, 'PENDING');
        atom.forget();
        this.#finished = this.#finished.filter((other) => other !== atom);
      }
    }
    this.#flow('RUNNING');
    this.#suspendAt = suspendAt;
    let ending: string | undefined;
    while (ending === undefined) ending = this.#undoing ? this.#undo(this.#undoing) : this.#go();
    this.#suspendAt = 0;
    this.#flow(ending);
  }

  #flow(state: string): void {
    this.state = state;
    this.events.push(`flow ${state}`);
  }

  #to(atom: Atom, state: State): void {
    atom.state = state;
    this.events.push(`${atom.name} ${state}`);
    if (this.#suspendAt > 0 && --this.#suspendAt === 0) {
      this.#suspended = true;
      this.#flow('SUSPENDING');
    }
  }

  #blamed(): Atom[] {
    return this.order.atoms.filter((atom) => atom.failed && !atom.tolerated);
  }

  /** Lets the next atom run. Returns the state in which the flow ends if there is none. */
  #go(): string | undefined {
    const stopped = this.#policy.neverResolve && this.#policy.failurePolicy === 'stop' && this.#blamed().length > 0;
    const next = stopped ? undefined : this.#serial.find((atom) => this.#mayBegin(atom));
    if (next && !this.#suspended) {
      this.#begin(next);
      return undefined;
    }
    if (this.#suspended && (next || this.#doomed)) return 'SUSPENDED';
    if (this.#doomed) this.#undoing = { kind: 'flow' };
    else return this.#blamed().length > 0 ? 'FAILURE' : 'SUCCESS';
    return undefined;
  }

  #mayBegin(atom: Atom): boolean {
    if (atom.state !== 'PENDING' && atom.state !== 'RETRYING') return false;
    return this.order.atoms.every((other) => !this.order.before(other, atom) || this.#isThrough(other));
  }

  #isThrough({ state, tolerated, undecided }: Atom): boolean {
    return state === 'SUCCESS' || state === 'IGNORE' || (state === 'FAILURE' && (tolerated || undecided));
  }

  #begin(atom: Atom): void {
    if (atom.state === 'PENDING') {
      const decision = this.#decide(atom);
      if (decision === 'ignored') return;
      this.#to(atom, 'RUNNING');
      if (decision === 'throw') {
        this.#fail(atom);
        return;
      }
    } else {
      this.#to(atom, 'RUNNING');
    }
    const values = new Map(atom.requires.map((name) => [name, this.#valueOf(name)]));
    const attempt = atom.history.length + 1;
    if ([...values.values()].includes(undefined)) {
      this.#fail(atom);
      return;
    }
    if (atom.flow && isEmpty(atom.retry!)) {
      this.#fail(atom);
      return;
    }
    const fails = atom.task?.fails ?? (atom.retry?.kind === 'custom' ? atom.retry.fails : []);
    atom.executions++;
    if (fails === 'always' || fails.includes(atom.executions)) this.#fail(atom);
    else this.#succeed(atom, atom.task ? this.#resultOf(atom.task) : attemptValue(atom.retry!, attempt));
  }

  #succeed(atom: Atom, result: unknown): void {
    atom.result = result;
    if (atom.retry) {
      const value = attemptValue(atom.retry, atom.history.length + 1);
      atom.history.push({ value, failures: new Set() });
    }
    this.#finished.push(atom);
    this.#to(atom, 'SUCCESS');
  }

  #valueOf(name: string): unknown {
    const atom = this.order.named(name);
    return atom.state === 'SUCCESS' || atom.undecided ? atom.result : undefined;
  }

  #resultOf(task: TaskSpec): string {
    const atom = this.order.named(task.name);
    const known = task.optional.filter((name) => this.order.before(this.order.named(name), atom));
    return resultOf(
      task.name,
      [...task.requires, ...known].map((name) => this.#valueOf(name)),
    );
  }

  #fail(atom: Atom): void {
    atom.failed = true;
    this.#finished.push(atom);
    this.#to(atom, 'FAILURE');
    this.#resolve(atom);
  }

  /** An atom has failed: what now? */
  #resolve(atom: Atom): void {
    const { failurePolicy, deferReverts, neverResolve } = this.#policy;
    const { task } = atom;
    let all = false;
    if (task?.retry && !neverResolve) {
      const value = attemptValue(task.retry, atom.history.length + 1);
      atom.history.push({ value, failures: new Set([atom.name]) });
      const decision = this.#ask(atom);
      if (decision === 'RETRY') {
        this.#undoing = { kind: 'task', atom };
        return;
      }
      if (decision === 'throw') {
        this.#to(atom, 'RETRYING');
        this.#to(atom, 'FAILURE');
      }
      all = decision === 'REVERT_ALL';
    }
    if (task?.mayFail) {
      atom.tolerated = true;
      return;
    }
    if (neverResolve) return;
    let culprit = atom;
    let reverting: Atom | undefined;
    for (const controller of all ? [] : this.#controllersAround(atom)) {
      if (controller.resigned) continue;
      controller.history.at(-1)!.failures.add(culprit.name);
      const decision = this.#ask(controller);
      if (decision === 'RETRY') {
        this.#undoing = { kind: 'scope', controller, retry: true };
        return;
      }
      if (decision === 'REVERT_ALL') {
        reverting = undefined;
        all = true;
        break;
      }
      if (decision === 'throw') {
        this.#to(controller, 'RETRYING');
        controller.failed = controller.undecided = true;
        this.#to(controller, 'FAILURE');
        culprit = controller;
      } else {
        controller.resigned = failurePolicy === 'finish';
        if (!deferReverts) reverting ??= controller;
      }
    }
    // Nobody around a failure for which all is reverted is going to try again.
    if (all) for (const controller of this.#controllersAround(atom)) controller.resigned = true;
    if (failurePolicy === 'finish') this.#doomed = true;
    else this.#undoing = reverting ? { kind: 'scope', controller: reverting, retry: false } : { kind: 'flow' };
  }

  /** From the innermost outwards; only those that are there to be asked. */
  #controllersAround(atom: Atom): Atom[] {
    const around = this.order.atoms.filter(({ flow }) => flow && flow !== atom.flow && this.order.isInside(atom, flow));
    return around.reverse().filter(({ state }) => state === 'SUCCESS');
  }

  #ask(atom: Atom): 'RETRY' | 'REVERT' | 'REVERT_ALL' | 'throw' {
    const retry = atom.retry!;
    atom.decisions++;
    if (retry.kind === 'alwaysRevert') return retry.revertAll ? 'REVERT_ALL' : 'REVERT';
    if (retry.kind === 'custom') {
      const decision = retry.decisions[(retry.byAttempt ? atom.history.length : atom.decisions) - 1] ?? 'REVERT';
      return decision === 'LATER' ? 'RETRY' : decision === 'nonsense' ? 'throw' : decision;
    }
    const most = retry.kind === 'times' ? retry.attempts : retry.values.length;
    const again = atom.history.length < most && !(retry.kind === 'times' && retry.hopeless);
    return again ? 'RETRY' : retry.revertAll ? 'REVERT_ALL' : 'REVERT';
  }

  /** Reverts one atom of what is to be reverted. Returns the state in which the flow ends, if it does. */
  #undo(undoing: Undoing): string | undefined {
    const next = this.#finished.findLast((atom) => this.#isUndone(atom, undoing));
    if (next && this.#suspended) return 'SUSPENDED';
    if (next) return this.#revert(next);
    if (undoing.kind === 'task') {
      undoing.atom.forget();
      this.#undoing = undefined;
      this.#to(undoing.atom, 'RETRYING');
    } else if (undoing.kind === 'scope' && undoing.retry) {
      this.#undoing = undefined;
      this.#again(undoing.controller);
    } else {
      return 'REVERTED';
    }
    return undefined;
  }

  #isUndone(atom: Atom, undoing: Undoing): boolean {
    if (undoing.kind === 'flow') return true;
    if (undoing.kind === 'task') return atom === undoing.atom;
    return this.order.isInside(atom, undoing.controller.flow!) && !(undoing.retry && atom === undoing.controller);
  }

  #revert(atom: Atom): string | undefined {
    this.#to(atom, 'REVERTING');
    const revertFails = atom.task?.revertFails ?? (atom.retry?.kind === 'custom' ? atom.retry.revertFails : []);
    atom.reverts++;
    if (revertFails === 'always' || revertFails.includes(atom.reverts)) {
      this.#to(atom, 'REVERT_FAILURE');
      return 'FAILURE';
    }
    atom.result = undefined;
    if (this.#undoing?.kind !== 'task') atom.history = [];
    this.#finished = this.#finished.filter((other) => other !== atom);
    this.#to(atom, 'REVERTED');
    return undefined;
  }

  /** All in a controller's flow is as it was: from the beginning. */
  #again(controller: Atom): void {
    controller.forget();
    this.#finished = this.#finished.filter((other) => other !== controller);
    this.#to(controller, 'RETRYING');
    for (const atom of this.order.atoms) {
      if (atom === controller || !this.order.isInside(atom, controller.flow!)) continue;
      if (atom.state !== 'PENDING') this.#to(atom, 'PENDING');
      atom.forget();
      atom.history = [];
    }
  }

  /** Asks the deciders of the links that lead to an atom. */
  #decide(atom: Atom): 'yes' | 'ignored' | 'throw' {
    let widest = -1;
    let denied: { flow: FlowSpec; link: LinkSpec } | undefined;
    const links = this.#linksTo(atom).filter(({ flow, link }) => {
      const from = flow.items[link.from];
      return from.kind !== 'task' || this.order.named(from.name).state !== 'IGNORE';
    });
    const known = links.map(({ flow, link }) => flow.items[link.from]).filter(({ kind }) => kind === 'task');
    const history = Object.fromEntries(known.map(({ name }) => [name, this.#valueOf(name)]));
    for (const { flow, link } of links) {
      const count = this.#answered.get(link) ?? 0;
      this.#answered.set(link, count + 1);
      this.asked.push(question(flow, link, history));
      const answer = link.answers[Math.min(count, link.answers.length - 1)];
      if (answer === 'throw') return 'throw';
      if (answer === 'no' && DEPTHS.indexOf(link.depth) > widest) {
        widest = DEPTHS.indexOf(link.depth);
        denied = { flow, link };
      }
    }
    if (!denied) return 'yes';
    for (const other of this.#reach(atom, denied.flow, denied.link)) {
      if (other.state === 'PENDING') this.#to(other, 'IGNORE');
    }
    return 'ignored';
  }

  /** The links with deciders that lead to an atom, or to a flow that begins with it; those of inner flows first. */
  #linksTo(atom: Atom): { flow: FlowSpec; link: LinkSpec }[] {
    return atom.levels.toReversed().flatMap(({ flow, item }) => {
      const links = flow.links.filter(({ to, answers }) => to === item && answers.length > 0);
      const begins = links.length > 0 && this.order.entries(flow.items[item]).includes(atom);
      return begins ? links.map((link) => ({ flow, link })) : [];
    });
  }

  /** What a no reaches, in the order of declaration. A controller stands for all of its flow. */
  #reach(atom: Atom, flow: FlowSpec, { to, depth }: LinkSpec): Atom[] {
    const { atoms } = this.order;
    const whole = atoms.filter((other) => other === atom || (atom.flow && this.order.isInside(other, atom.flow)));
    if (depth === 'atom') return whole;
    if (depth === 'all') return atoms.filter((other) => whole.includes(other) || this.order.before(atom, other));
    const reached = [to];
    for (const item of reached) {
      flow.items.forEach(({ kind }, next) => {
        if (kind === 'task' && this.order.directly(flow, item, next) && !reached.includes(next)) reached.push(next);
      });
      if (depth === 'neighbors') break;
    }
    return atoms.filter((other) => whole.includes(other) || reached.some((i) => other.task === flow.items[i]));
  }
}

/** What a decider is asked, as text. */
export function question(flow: FlowSpec, { from, to }: LinkSpec, history: Record<string, unknown>): string {
  const known = Object.entries(history).map(([name, result]) => `${name}: ${result}`);
  return `${flow.items[from].name} -> ${flow.items[to].name} given ${known.sort().join(', ') || 'nothing'}`;
}

/** The value of a retry in an attempt. */
export function attemptValue(retry: RetrySpec, attempt: number): unknown {
  if (retry.kind === 'times') return attempt;
  if (retry.kind === 'forEach') return retry.values[attempt - 1];
  return retry.kind === 'custom' ? `${retry.name} ${attempt}` : undefined;
}

function isEmpty(retry: RetrySpec): boolean {
  return retry.kind === 'forEach' && retry.values.length === 0;
}
