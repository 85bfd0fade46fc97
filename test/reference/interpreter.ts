/**
 * What a flow means, worked out slowly and in the plainest way, to compare the library with. It walks trees, makes closures
 * of relations and looks every name up again each time; it shares nothing with `src/`.
 */

export interface TaskSpec {
  readonly kind: 'task';
  readonly name: string;
  readonly requires: readonly string[];
  readonly optional: readonly string[];
  /** The name that feeds each argument, where it is not the argument's own. */
  readonly rebind: Readonly<Record<string, string>>;
  readonly inject: Readonly<Record<string, unknown>>;
  readonly provides: undefined | string | readonly string[] | ReadonlySet<string>;
  readonly priority: number;
}

export interface FlowSpec<Task extends TaskSpec = TaskSpec> {
  readonly kind: 'linear' | 'unordered' | 'graph';
  readonly name: string;
  readonly items: readonly Spec<Task>[];
  /** In a graph: which item runs before which other, by position. */
  readonly links: readonly (readonly [number, number])[];
}

export type Spec<Task extends TaskSpec = TaskSpec> = Task | FlowSpec<Task>;

/** A flow around a task, and which of its items the task is or is in. */
interface Level {
  readonly flow: FlowSpec;
  readonly item: number;
}

/** Where an argument comes from. */
type Source = { readonly constant: unknown } | { readonly task: TaskSpec; readonly name: string } | { input: string };

/** The tasks of a flow, nested ones as well, in the order in which they are written. */
export function tasksOf<Task extends TaskSpec>(item: Spec<Task>): Task[] {
  return item.kind === 'task' ? [item] : item.items.flatMap((child) => tasksOf(child));
}

function namesOf({ provides }: TaskSpec): string[] {
  if (provides === undefined) return [];
  return typeof provides === 'string' ? [provides] : [...provides];
}

function givers(item: Spec, name: string): TaskSpec[] {
  return tasksOf(item).filter((task) => namesOf(task).includes(name));
}

export class Interpreter<Task extends TaskSpec> {
  readonly tasks: readonly Task[];
  /** The codes of all that is wrong with the flow, or with its inputs. */
  readonly errors = new Set<string>();
  /** The inputs that are required and were not given. */
  readonly missing = new Set<string>();
  /** The order in which a serial run takes the tasks. */
  readonly order: Task[] = [];
  readonly #inputs: Readonly<Record<string, unknown>>;
  readonly #levels = new Map<TaskSpec, Level[]>();
  /** For each flow, which item must run before which, all that follows from it included. */
  readonly #precedes = new Map<FlowSpec, boolean[][]>();

  constructor(root: Spec<Task>, inputs: Readonly<Record<string, unknown>>) {
    this.#inputs = inputs;
    this.tasks = tasksOf(root);
    this.#locate(root, []);
    if (new Set(this.tasks.map(({ name }) => name)).size < this.tasks.length) {
      this.errors.add('ERR_MILLRACE_DUPLICATE_NAME');
    }
    this.#relate(root);
    if (this.errors.size > 0) return;
    this.#arrange();
    for (const task of this.tasks) {
      for (const param of task.requires) {
        const source = this.#sourceOf(task, param);
        if ('input' in source && !Object.hasOwn(inputs, source.input)) this.missing.add(source.input);
      }
    }
    if (this.missing.size > 0) this.errors.add('ERR_MILLRACE_MISSING_INPUT');
  }

  /** Whether one task has to have ended before the other may begin. */
  before(first: TaskSpec, second: TaskSpec): boolean {
    const around = this.#levels.get(second)!;
    return this.#levels.get(first)!.some(({ flow, item }) => {
      const other = around.find((level) => level.flow === flow);
      return other !== undefined && this.#precedes.get(flow)![item][other.item];
    });
  }

  /** What a task is given, when the tasks before it have returned `results`. */
  argumentsOf(task: TaskSpec, results: ReadonlyMap<string, unknown>): Record<string, unknown> {
    const args: Record<string, unknown> = {};
    for (const param of [...task.requires, ...task.optional]) {
      const source = this.#sourceOf(task, param);
      if ('constant' in source) args[param] = source.constant;
      else if ('input' in source) args[param] = this.#inputs[source.input];
      else args[param] = valuesOf(source.task, results.get(source.task.name))[source.name];
    }
    const fed = [...Object.keys(args), ...Object.values(task.rebind)];
    for (const [name, value] of Object.entries(task.inject)) if (!fed.includes(name)) args[name] = value;
    return args;
  }

  /** What the flow provides, when its tasks have returned `results`. */
  outputs(results: ReadonlyMap<string, unknown>): Record<string, unknown> {
    return Object.assign({}, ...this.order.map((task) => valuesOf(task, results.get(task.name))));
  }

  #locate(item: Spec<Task>, levels: Level[]): void {
    if (item.kind === 'task') this.#levels.set(item, levels);
    else for (const [i, child] of item.items.entries()) this.#locate(child, [...levels, { flow: item, item: i }]);
  }

  /** Finds out what precedes what, in each flow. */
  #relate(item: Spec<Task>): void {
    if (item.kind === 'task') return;
    for (const child of item.items) this.#relate(child);
    const { items } = item;
    const precedes = items.map((_, i) => items.map((_, j) => item.kind === 'linear' && i < j));
    for (const [from, to] of item.links) precedes[from][to] = true;
    if (item.kind === 'graph') {
      items.forEach((child, i) => {
        for (const task of tasksOf(child)) {
          for (const param of task.requires) {
            const name = this.#lookedUp(task, param);
            if (name === undefined || this.#isGivenWithin(task, name, item)) continue;
            const others = items.filter((other) => other !== child && givers(other, name).length > 0);
            if (others.length > 1) this.errors.add('ERR_MILLRACE_AMBIGUOUS_PROVIDER');
            for (const other of others) precedes[items.indexOf(other)][i] = true;
          }
        }
      });
    }
    for (const via of items.keys()) {
      for (const i of items.keys()) {
        for (const j of items.keys()) if (precedes[i][via] && precedes[via][j]) precedes[i][j] = true;
      }
    }
    if (items.some((_, i) => precedes[i][i])) this.errors.add('ERR_MILLRACE_CYCLE');
    this.#precedes.set(item, precedes);
  }

  /** Whether a required name is found before the search comes to `flow`, in a flow that is nested in it. */
  #isGivenWithin(task: TaskSpec, name: string, flow: FlowSpec): boolean {
    const levels = this.#levels.get(task)!;
    const inner = levels.slice(levels.findIndex((level) => level.flow === flow) + 1);
    return inner.some((level) => this.#candidates(level, name).length > 0);
  }

  /** The items of a flow among which a required name is looked for. */
  #candidates({ flow, item }: Level, name: string): Spec[] {
    const visible = flow.items.filter(
      (_, i) => (flow.kind === 'linear' && i < item) || (flow.kind === 'graph' && i !== item),
    );
    return visible.filter((other) => givers(other, name).length > 0);
  }

  /** The order of a serial run: of the tasks that may begin, the one of the highest priority, then the first one written. */
  #arrange(): void {
    while (this.order.length < this.tasks.length) {
      const left = this.tasks.filter((task) => !this.order.includes(task));
      const ready = left.filter((task) => !left.some((other) => this.before(other, task)));
      const highest = Math.max(...ready.map(({ priority }) => priority));
      this.order.push(ready.find(({ priority }) => priority === highest)!);
    }
  }

  /** The name under which an argument is looked up; `undefined` when it is injected. */
  #lookedUp(task: TaskSpec, param: string): string | undefined {
    const name = task.rebind[param] ?? param;
    return Object.hasOwn(task.inject, name) || Object.hasOwn(task.inject, param) ? undefined : name;
  }

  #sourceOf(task: TaskSpec, param: string): Source {
    const name = this.#lookedUp(task, param);
    if (name === undefined) return { constant: task.inject[task.rebind[param] ?? param] ?? task.inject[param] };
    if (Object.hasOwn(this.#inputs, name)) return { input: name };
    for (const level of this.#levels.get(task)!.toReversed()) {
      // Only what runs before in any case counts, and of that what runs last.
      const precedes = this.#precedes.get(level.flow)!;
      const earlier = level.flow.items.filter((_, i) => precedes[i][level.item]);
      const found = earlier.flatMap((item) => givers(item, name));
      const last = this.order.findLast((other) => found.includes(other));
      if (last) return { task: last, name };
    }
    return { input: name };
  }
}

/** The values that a task provides, by name, when it has returned `result`. */
export function valuesOf({ provides }: TaskSpec, result: unknown): Record<string, unknown> {
  if (provides === undefined) return {};
  if (typeof provides === 'string') return { [provides]: result };
  const names = [...provides];
  return Array.isArray(provides)
    ? Object.fromEntries(names.map((name, i) => [name, (result as unknown[])[i]]))
    : Object.fromEntries(names.map((name) => [name, (result as Record<string, unknown>)[name]]));
}
