/** Makes a flow of the library of its plain description. */
import * as millrace from 'millrace';
import { execute, fated, makeChronicle, OPTIONAL, REQUIRED, revert } from '../fixtures/atoms/fated.js';
import { attemptValue, type FlowSpec, type ItemSpec, Order, question, type RetrySpec } from './resolution.js';

/** A flow as it can be loaded. */
export interface Composed {
  readonly flow: millrace.FlowItem;
  readonly inputs: Record<string, unknown>;
  /** What deciders were asked, and with which results. */
  readonly asked: string[];
}

/** A flow, and what it writes down. */
export interface Built extends Composed {
  readonly chronicle: Int32Array;
}

/** Who carries out what the atoms do. */
export interface Cast {
  /** The task with so many arguments. */
  readonly fated: (travels: boolean, required: number, optional: number) => any;
  /** The same for controllers, which bring a value of their own. */
  readonly execute: (args: any, value: () => unknown) => unknown;
  readonly revert: (args: any) => unknown;
  /** What an atom is told beside its fate. */
  readonly beside: (atom: string) => object;
}

/** A flow whose atoms write down in shared memory what they do. */
export function build(root: FlowSpec): Built {
  const { atoms } = new Order(root);
  const index = new Map(atoms.map(({ name }, at) => [name, at]));
  const chronicle = makeChronicle(atoms.length);
  const beside = (atom: string) => ({ index: index.get(atom)!, chronicle });
  return { ...compose(root, { fated, execute, revert, beside }), chronicle };
}

export function compose(root: FlowSpec, cast: Cast): Composed {
  const asked: string[] = [];
  const inputs: Record<string, unknown> = {};

  /** @param attached whether it stands for itself, as an atom with a name */
  const retryOf = (spec: RetrySpec, attached: boolean): any => {
    const { times, forEach, parameterizedForEach, alwaysRevert, alwaysRevertAll, retry } = millrace as any;
    const named = attached && spec.provides ? { provides: spec.name } : {};
    if (spec.kind === 'alwaysRevert') return spec.revertAll ? alwaysRevertAll() : alwaysRevert();
    if (spec.kind === 'times') {
      const { attempts, revertAll, hopeless } = spec;
      return times(attempts, { ...named, revertAll, ...(hopeless ? { retryIf: () => false } : {}) });
    }
    if (spec.kind === 'forEach') {
      const { values, revertAll } = spec;
      if (!attached || !spec.parameterized) return forEach(values, { ...named, revertAll });
      inputs[`values of ${spec.name}`] = values;
      return parameterizedForEach({ ...named, values: `values of ${spec.name}`, revertAll });
    }
    let decided = 0;
    const onFailure = (history: { length: number }) => {
      const decision = spec.decisions[spec.byAttempt ? history.length - 1 : decided++] ?? 'REVERT';
      if (decision === 'throw') throw new Error(`${spec.name} cannot decide`);
      if (decision === 'nonsense') return 'PERHAPS';
      return decision === 'LATER' ? { retryAfter: 0 } : decision;
    };
    const execute = (history: { length: number }) => attemptValue(spec, history.length + 1);
    if (!attached) return retry({ execute, onFailure });
    const { name, fails, revertFails } = spec;
    const fate = { task: name, fails, revertFails, asynchronous: false, ...cast.beside(name) };
    return retry({
      ...named,
      requires: spec.requires,
      execute: (history: { length: number }) => cast.execute({ fate }, () => execute(history)),
      revert: () => cast.revert({ fate }),
      onFailure,
    });
  };

  const buildItem = (spec: ItemSpec): any => {
    if (spec.kind === 'task') {
      const { name, requires, optional, priority, mayFail, retry, fails, revertFails, asynchronous } = spec;
      const params = [...REQUIRED.slice(0, requires.length), ...OPTIONAL.slice(0, optional.length)];
      const names = [...requires, ...optional];
      return cast.fated(spec.travels, requires.length, optional.length).with({
        ...{ name, priority, provides: name },
        ...(mayFail ? { mayFail } : {}),
        ...(retry ? { retry: retryOf(retry, false) } : {}),
        rebind: Object.fromEntries(params.map((param, i) => [param, names[i]])),
        inject: { fate: { task: name, fails, revertFails, asynchronous, ...cast.beside(name) } },
      });
    }
    const items = spec.items.map(buildItem);
    const flow = () => {
      if (spec.kind === 'linear') return millrace.linear(spec.name, items);
      if (spec.kind === 'unordered') return millrace.unordered(spec.name, items);
      return spec.links.reduce(
        (made: any, link) => {
          let count = 0;
          const decider = (history: Record<string, unknown>) => {
            const answer = link.answers[Math.min(count++, link.answers.length - 1)];
            asked.push(question(spec, link, history));
            if (answer === 'throw') throw new Error(`${spec.name} cannot decide`);
            return answer === 'yes';
          };
          const options = link.answers.length > 0 ? [{ decider, depth: link.depth }] : [];
          return made.link(items[link.from], items[link.to], ...options);
        },
        millrace.graph(spec.name, items),
      );
    };
    return spec.retry ? (flow() as any).with({ retry: retryOf(spec.retry, true) }) : flow();
  };
  return { flow: buildItem(root), inputs, asked };
}
