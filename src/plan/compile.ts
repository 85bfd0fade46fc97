import { inspect } from 'node:util';
import type { Mapping } from '../atoms/index.js';
import type { Item } from '../flows/index.js';
import { addDecided, type DecidedEnds, decisionsOf } from './decisions.js';
import { arrivals, EdgeList, type Ends } from './edges.js';
import { addLinks, checkOrder } from './graph.js';
import { inspectPlan } from './inspect.js';
import { serialOrder } from './order.js';
import { type Outline, outline, type Span, traverse } from './outline.js';
import { CONSTANT, INPUT, type Pick, type Plan, type PlanInput } from './plan.js';
import { retriesOf } from './retries.js';
import { Cursor, type Frame, findProvider } from './scope.js';
import { versionRulesOf } from './versions.js';

const compiled = new WeakMap<object, Plan>();

/**
 * Compiles a flow, or a lone task. The result is kept with the flow, so that running it again costs nothing. Time and memory
 * grow linearly with the flow; nothing here recurses.
 *
 * @throws {@link FlowError} when the flow is wrong: not a flow, a name twice, an ambiguous provider, a cycle
 */
export function compile(root: unknown): Plan {
  const known = compiled.get(root as object);
  if (known) return known;
  const whole = outline(root);
  const sources = new Sources(whole);
  resolve(root as Item, whole, sources, { ordering: true, optional: false, position: undefined });
  const { successors, nodes, backward, decided } = connect(root as Item, whole);
  const waits = arrivals(successors, nodes);
  const sorted = backward || whole.atoms.some((atom) => atom.priority !== 0);
  const serial = sorted ? serialOrder(whole.atoms, successors, waits) : undefined;
  const position = serial && inverse(serial);
  // Once the order is known: optional inputs, and which of several providers within one flow runs last.
  if (sources.optional || position)
    resolve(root as Item, whole, sources, { ordering: false, optional: true, position });
  const plan: Plan = {
    name: (root as Item).name,
    atoms: whole.atoms,
    size: whole.atoms.length,
    nodes,
    successors,
    waits,
    argStart: sources.start,
    args: sources.args,
    picks: sources.picks,
    inputs: sources.inputs,
    ...sources.outputs(position),
    decisions: decided.length > 0 ? decisionsOf(decided, whole, successors, waits) : undefined,
    retries: retriesOf(whole),
    versionRules: versionRulesOf(whole),
    lacking: whole.atoms.some((atom) => atom.mayFail),
    timed: whole.atoms.some((atom) => atom.timeout !== undefined),
    order: serial,
    range: undefined,
    regions: whole.atoms.some(({ region }) => region !== undefined),
    [inspect.custom]: inspectPlan,
  };
  compiled.set(root as object, plan);
  return plan;
}

/** The sources of all arguments, as they become known. */
class Sources {
  readonly start: Int32Array;
  readonly args: Int32Array;
  readonly picks: Pick[] = [];
  readonly inputs: PlanInput[] = [];
  readonly optional: boolean;
  readonly #whole: Outline;
  readonly #inputNumbers = new Map<string, number>();
  /** For an atom that provides several values: where its picks begin. */
  readonly #firstPick = new Map<number, number>();

  constructor(whole: Outline) {
    const { atoms } = whole;
    this.#whole = whole;
    this.start = new Int32Array(atoms.length + 1);
    let optional = false;
    for (let atom = 0; atom < atoms.length; atom++) {
      const { mapping, provision } = atoms[atom];
      const { revert } = mapping;
      this.start[atom + 1] = this.start[atom] + mapping.params.length + (revert?.params.length ?? 0);
      optional ||= hasOptional(mapping) || (revert !== undefined && hasOptional(revert));
      if (provision.keys) {
        this.#firstPick.set(atom, this.picks.length);
        for (const key of provision.keys) this.picks.push({ atom, key });
      }
    }
    this.optional = optional;
    this.args = new Int32Array(this.start[atoms.length]);
  }

  /** The source of `name` as `provider` gives it. */
  of(provider: number, name: string): number {
    const { keys, names } = this.#whole.atoms[provider].provision;
    if (!keys) return provider;
    return this.#whole.atoms.length + this.#firstPick.get(provider)! + names.indexOf(name);
  }

  input(name: string, atom: number, required: boolean): number {
    let number = this.#inputNumbers.get(name);
    if (number === undefined) {
      number = this.inputs.push({ name, atom, required }) - 1;
      this.#inputNumbers.set(name, number);
    } else if (required && !this.inputs[number].required) {
      this.inputs[number] = { name, atom, required };
    }
    return INPUT - number;
  }

  /** What the flow provides: for each name, the provider that runs last. */
  outputs(position: Int32Array | undefined): { outputNames: string[]; outputs: Int32Array } {
    const { providers } = this.#whole;
    const outputNames: string[] = [];
    const outputs = new Int32Array(providers.size);
    for (const [name, found] of providers) {
      let last = typeof found === 'number' ? found : found[found.length - 1];
      if (position && typeof found !== 'number')
        for (const one of found) if (position[one] > position[last]) last = one;
      outputs[outputNames.push(name) - 1] = this.of(last, name);
    }
    return { outputNames, outputs };
  }
}

function hasOptional({ params, sources, optionalFrom }: Omit<Mapping, 'revert'>): boolean {
  for (let i = optionalFrom; i < params.length; i++) if (sources[i] !== undefined) return true;
  return false;
}

/** Where each atom stands in an order. */
function inverse(order: Int32Array): Int32Array {
  const position = new Int32Array(order.length);
  for (let at = 0; at < order.length; at++) position[order[at]] = at;
  return position;
}

interface Round {
  /** Whether this round finds out what must run before what. */
  readonly ordering: boolean;
  readonly optional: boolean;
  readonly position: Int32Array | undefined;
}

/** Finds the source of every argument. */
function resolve(root: Item, { atoms, spans, providers }: Outline, sources: Sources, round: Round): void {
  const path: Frame[] = [];
  const cursor = new Cursor();
  const down = () => {
    const parent = path[path.length - 1];
    if (parent) parent.child++;
  };
  let flow = 0;
  let atom = 0;
  const find = (mapping: Omit<Mapping, 'revert'>, at: number) => {
    for (let i = 0; i < mapping.params.length; i++) {
      const name = mapping.sources[i];
      const optional = i >= mapping.optionalFrom;
      if (name === undefined) {
        sources.args[at + i] = CONSTANT;
      } else if (!optional || round.optional) {
        const known = providers.get(name);
        const { ordering, position } = round;
        const provider =
          known === undefined
            ? -1
            : findProvider({ name, atom, path, providers: known, atoms, position, optional, cursor, ordering });
        sources.args[at + i] = provider < 0 ? sources.input(name, atom, !optional) : sources.of(provider, name);
      }
    }
  };
  traverse(root, {
    enter() {
      down();
      path.push({ span: spans[flow++], child: -1 });
    },
    leave() {
      path.pop();
    },
    atom(task) {
      // A retry is given what can be seen where its flow stands.
      const own = task.controller && path.pop()!;
      if (!own) down();
      const { mapping } = task;
      const at = sources.start[atom];
      find(mapping, at);
      if (mapping.revert) find(mapping.revert, at + mapping.params.length);
      atom++;
      if (own) path.push(own);
    },
  });
}

/** A flow whose items are being connected. */
interface Level {
  readonly span: Span;
  /** The items, unless the flow is linear. */
  readonly ends: Ends[];
  /** What has come so far, one after the other: the retry, and the items of a linear flow. */
  chain: Ends | undefined;
}

/** Draws the edges: between the items of linear flows, between those of graphs as their names and links say, and around. */
function connect(root: Item, { atoms, spans }: Outline) {
  const edges = new EdgeList();
  let nodes = atoms.length;
  let backward = false;
  let flow = 0;
  let atom = 0;
  const decided: DecidedEnds[] = [];
  const path: Level[] = [];
  const follow = (first: Ends | undefined, then: Ends): Ends => {
    if (!first) return then;
    edges.add(first.exit, then.entry);
    return { entry: first.entry, exit: then.exit };
  };
  const deliver = (ends: Ends) => {
    const parent = path[path.length - 1];
    if (!parent) return;
    if (parent.span.flow.kind === 'linear') parent.chain = follow(parent.chain, ends);
    else parent.ends.push(ends);
  };
  /** The items of a flow that is not linear, as one, after its retry if it has one. */
  const joined = ({ span, ends, chain }: Level): Ends => {
    if (ends.length === 0) return chain ?? { entry: nodes, exit: nodes++ };
    if (ends.length === 1) return follow(chain, ends[0]);
    const joint = { entry: chain ? chain.exit : nodes++, exit: nodes++ };
    const hasBefore = new Uint8Array(ends.length);
    const hasAfter = new Uint8Array(ends.length);
    for (let i = 0; i < span.before.length; i += 2) hasAfter[span.before[i]] = hasBefore[span.before[i + 1]] = 1;
    for (let i = 0; i < ends.length; i++) {
      if (!hasBefore[i]) edges.add(joint.entry, ends[i].entry);
      if (!hasAfter[i]) edges.add(ends[i].exit, joint.exit);
    }
    return joint;
  };
  traverse(root, {
    atom: ({ controller }) => {
      const ends = { entry: atom, exit: atom };
      if (controller) path[path.length - 1].chain = ends;
      else deliver(ends);
      atom++;
    },
    enter: () => {
      const span = spans[flow++];
      span.firstNode = nodes;
      path.push({ span, ends: [], chain: undefined });
    },
    leave: () => {
      const level = path.pop()!;
      const { span, ends, chain } = level;
      if (span.flow.kind === 'graph') {
        addLinks(span);
        if (!checkOrder(span)) backward = true;
        addDecided(span, ends, decided);
        for (let i = 0; i < span.before.length; i += 2)
          edges.add(ends[span.before[i]].exit, ends[span.before[i + 1]].entry);
      }
      // Around the whole there is nothing to connect it with.
      if (path.length > 0 || span.flow.retry) {
        deliver(span.flow.kind === 'linear' && chain ? chain : joined(level));
      }
      span.endNode = nodes;
    },
  });
  return { successors: edges.rows(nodes), nodes, backward, decided };
}
