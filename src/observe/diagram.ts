/** A flow as boxes and arrows: what the writers of DOT and Mermaid have in common. */
import { row } from '../atoms/index.js';
import { Engine, type TaskState } from '../engine/index.js';
import { ArgumentError, received } from '../errors.js';
import type { FlowItem, FlowNode } from '../flows/index.js';
import { compile, type Plan, traverse } from '../plan/index.js';
import { arrows } from './arrows.js';

/** How a flow is to be drawn. */
export interface DiagramOptions {
  /** How many levels of nested flows are opened; each flow below that is drawn as one box. Default: `Infinity` */
  readonly depth?: number;
  /** Whether it goes from top to bottom or from left to right. Default: `'TB'` */
  readonly direction?: 'TB' | 'LR';
  /** How many boxes there may be. Default: 500 */
  readonly maxTasks?: number;
  /** Whether arrows tell which values go from task to task. Default: `true` */
  readonly values?: boolean;
}

export interface Diagram {
  readonly direction: 'TB' | 'LR';
  readonly parts: readonly Part[];
  readonly arrows: readonly Arrow[];
}

/**
 * Boxes and frames as they follow each other; a frame holds what comes until it is closed. A joint is a point through which
 * many boxes lead to many others.
 */
export type Part =
  | { readonly box: Box }
  | { readonly joint: string }
  | { readonly frame: { readonly id: string; readonly label: string } }
  | 'close';

/** A task, the retry of a flow, or a flow that is not opened. */
export interface Box {
  readonly id: string;
  /** The lines of its label. */
  readonly label: readonly string[];
  /** The state, when it is the same for all that is in the box. */
  readonly state: TaskState | undefined;
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
  /** The names of the values that go along it, and the deciders that it depends on; it may be empty. */
  readonly label: string;
  /** Whether a decider says if what it leads to is to run. */
  readonly decided: boolean;
  /** Whether it says what runs before what; otherwise that follows from other arrows, and this one is for its values. */
  readonly order: boolean;
}

/**
 * @throws {@link FlowError} when the flow cannot be compiled
 * @throws {@link ArgumentError} when an option is wrong, or there is too much to draw
 */
export function diagram(subject: FlowItem | Engine<any>, options: DiagramOptions): Diagram {
  const { depth = Number.POSITIVE_INFINITY, direction = 'TB', maxTasks = 500, values = true } = checkOptions(options);
  const engine = subject instanceof Engine ? subject : undefined;
  const root = engine ? engine.flow : subject;
  const plan = compile(root);
  const states = engine?.storage.getTaskStates();
  const parts: Part[] = [];
  const boxes: string[] = [];
  /** Which box holds each atom. */
  const boxOf = new Int32Array(plan.size);
  let flows = 0;
  let atom = 0;
  let tasks = 0;
  let level = 0;
  let closed:
    | { readonly id: string; readonly level: number; readonly first: number; readonly tasksBefore: number }
    | undefined;
  const draw = (id: string, label: readonly string[], first: number) => {
    boxes.push(id);
    if (boxes.length > maxTasks) return;
    const { state, text } = stateOf(plan, states, first, atom);
    parts.push({ box: { id, label: text ? [...label, text] : label, state } });
  };
  traverse(root as unknown as FlowNode, {
    atom({ name, controller, definition }) {
      boxOf[atom++] = boxes.length;
      if (!controller) tasks++;
      if (!closed) draw(`t${atom - 1}`, controller ? [printable(name), definition.name] : [printable(name)], atom - 1);
    },
    enter({ kind, name }) {
      const id = `f${flows++}`;
      if (!closed && level <= depth) {
        const state = level === 0 && engine ? `: ${engine.state}` : '';
        parts.push({ frame: { id, label: `${printable(name)} (${kind})${state}` } });
      } else {
        closed ??= { id, level, first: atom, tasksBefore: tasks };
      }
      level++;
    },
    leave({ kind, name }) {
      level--;
      if (!closed) {
        parts.push('close');
      } else if (closed.level === level) {
        draw(closed.id, [printable(name), `${kind}, ${tasks - closed.tasksBefore} tasks`], closed.first);
        closed = undefined;
      }
    },
  });
  if (boxes.length > maxTasks) {
    throw new ArgumentError(
      `Flow '${plan.name}' would be drawn with ${boxes.length} boxes, and option 'maxTasks' allows ${maxTasks}. Raise it, ` +
        "draw a part of the flow, or draw nested flows as one box each with option 'depth'",
    );
  }
  const found = arrows(plan, boxOf, boxes.length, { values, show: printable });
  const idOf = (node: number) => (node < boxes.length ? boxes[node] : `j${node - boxes.length}`);
  const end = parts.pop()!; // joints belong within the outermost frame
  for (const node of found.joints) parts.push({ joint: idOf(node) });
  parts.push(end);
  return {
    ...{ direction, parts },
    arrows: found.arrows.map(({ from, to, names, order, conditions }) => ({
      ...{ from: idOf(from), to: idOf(to), order, decided: conditions.size > 0 },
      label: [row([...names], printable), row([...conditions], String)].filter((text) => text !== '').join('; '),
    })),
  };
}

function stateOf(plan: Plan, states: Readonly<Record<string, TaskState>> | undefined, from: number, to: number) {
  if (!states) return { state: undefined, text: '' };
  const counts = new Map<TaskState, number>();
  for (let atom = from; atom < to; atom++) {
    const state = states[plan.atoms[atom].name];
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const [first] = counts.keys();
  return counts.size <= 1
    ? { state: first, text: first ?? '' }
    : { state: undefined, text: [...counts].map(([state, count]) => `${count} ${state}`).join(', ') };
}

/** The beginning of a line. Frames may be nested to any depth, lines are not indented to any width. */
export function indent(level: number): string {
  return '  '.repeat(Math.min(level, 20));
}

const LONGEST = 80;

/** A name, cut when it is very long, and with pictures in the place of characters that cannot be drawn. */
function printable(name: string): string {
  const short = name.length > LONGEST ? `${name.slice(0, LONGEST)}…` : name;
  return short.replace(/[\p{Cc}\p{Cs}\u2028\u2029\uFFFE\uFFFF]/gu, (character) =>
    character < ' ' ? String.fromCharCode(0x2400 + character.charCodeAt(0)) : '\uFFFD',
  );
}

function checkOptions(options: DiagramOptions): DiagramOptions {
  const wrong = (name: string, expected: string, value: unknown) =>
    new ArgumentError(`option '${name}' must be ${expected}; received ${received(value)}`);
  if (typeof options !== 'object' || options === null) {
    throw new ArgumentError(`The options must be an object; received ${received(options)}`);
  }
  const { depth, direction, maxTasks, values } = options;
  if (depth !== undefined && !(depth >= 0)) throw wrong('depth', 'a number, 0 or above', depth);
  if (direction !== undefined && direction !== 'TB' && direction !== 'LR') {
    throw wrong('direction', "'TB' or 'LR'", direction);
  }
  if (maxTasks !== undefined && !(maxTasks > 0)) throw wrong('maxTasks', 'a number above 0', maxTasks);
  if (values !== undefined && typeof values !== 'boolean') throw wrong('values', 'a boolean', values);
  return options;
}
