/**
 * What a worker thread does for the scheduler: it takes packets, one at a time, runs their tasks in order, and sends back
 * what became of them.
 */
import { MessagePort } from 'node:worker_threads';
import { type Definition, Failure, isThenable, revertArguments, type Transferred, thread } from '../src/atoms/index.js';
import { RunError } from '../src/errors.js';
import {
  BULKY,
  BY_VALUE,
  bytesOf,
  type Column,
  decodeError,
  type EncodedError,
  encodeError,
  FLAGS,
  type FromWorker,
  findUncloneable,
  isSimplyCloneable,
  type Packet,
  RUNNING_MEMBER,
  RUNNING_PACKET,
  row,
  STARTED,
  TAKEN_BACK,
  type ToWorker,
  WAITING,
  type WireFailures,
  type WireRevert,
  type WireShape,
} from '../src/wire/index.js';
import { type ContextHost, nameOf, ServiceClient, WorkerContext } from './context.js';
import { CrewHand, type CrewHost } from './crew.js';
import { KeptValues } from './kept.js';
import { load } from './modules.js';

/** One clock read is for so many members at most, */
const STRIDE = 8;
/** as long as they take no longer together, in ms. */
const SMALL = 0.1;

let server: Server | undefined;

/** Serves one session after another; a thread has one at a time. */
export function serve(port: MessagePort, services: MessagePort, words: Int32Array): void {
  if (!server) {
    thread().transfers = [];
    process.on('uncaughtException', (error) => server!.die(error));
    process.on('unhandledRejection', (error) => server!.die(error));
    process.on('exit', () => server!.flush(false));
  }
  server = new Server(port, services, words);
}

class Server implements ContextHost, CrewHost {
  readonly words: Int32Array;
  readonly services: ServiceClient;
  readonly #port: MessagePort;
  readonly #shapes = new Map<number, WireShape & { definition?: Definition }>();
  readonly #kept = new KeptValues();
  readonly #state = thread();
  readonly #waiting: Packet[] = [];
  #packet: Packet | undefined;
  /** Of the member that runs. */
  #context: WorkerContext | undefined;
  /** Whether anything was said of it. */
  #told = false;
  /** What the members of the packet returned, all of them; those before `#sent` have been sent. */
  #results: unknown[] = [];
  #sent = 0;
  #failures: [member: number, error: EncodedError][] = [];
  #costs: number[] = [];
  /** The memory and the ports that these results give away. */
  readonly #transfers = new Set<Transferred>();

  constructor(port: MessagePort, services: MessagePort, words: Int32Array) {
    this.#port = port;
    this.services = new ServiceClient(services);
    this.words = words;
    port.on('message', (message: ToWorker) => this.#receive(message));
    port.on('messageerror', (error) => this.die(error));
  }

  report(context: WorkerContext, member: number, fraction: number, details: unknown): void {
    if (context === this.#context) this.#tell({ type: 'progress', id: this.#packet!.id, member, fraction, details });
  }

  say(context: WorkerContext, member: number, message: string, details: unknown): void {
    if (context === this.#context) this.#tell({ type: 'log', id: this.#packet!.id, member, message, details });
  }

  announce(context: WorkerContext): void {
    if (context === this.#context) this.#tellStarted(this.#packet!);
  }

  get hasTold(): boolean {
    return this.#told;
  }

  enter(context: WorkerContext): void {
    this.#context = context;
    this.#told = false;
  }

  tellRunning(): void {
    this.#tellStarted(this.#packet!);
  }

  tellLogged(costs: readonly number[]): void {
    this.#port.postMessage({ type: 'crew', id: this.#packet!.id, costs } satisfies FromWorker);
  }

  postResult(atom: number, value: unknown): EncodedError | undefined {
    const packet = this.#packet!;
    this.#collectTransfers(packet);
    const transfers = this.#takeTransfers();
    try {
      this.#port.postMessage({ type: 'crew', id: packet.id, costs: [], posted: { atom, value } }, transfers);
      return undefined;
    } catch (cause) {
      const ports = transfers.filter((one) => one instanceof MessagePort);
      return encodeError(uncloneable(this.#context!.name, value, ports, cause) ?? cause);
    }
  }

  postFailure(atom: number, error: EncodedError): void {
    const message: FromWorker = { type: 'crew', id: this.#packet!.id, costs: [], posted: { atom, error } };
    this.#port.postMessage(message);
  }

  /** Sends what has become known of the packet, and with `last` that there is no more. */
  flush(last: boolean): void {
    const packet = this.#packet;
    if (!packet || (!last && this.#results.length === this.#sent)) return;
    const results = this.#sent === 0 ? this.#results : this.#results.slice(this.#sent);
    // As all have ended, nobody is left to need them. What cannot be sent is found out all the same.
    if (packet.inner && this.#failures.length === 0 && results.length === countOf(packet)) {
      for (const member of packet.inner) if (isSimplyCloneable(results[member])) results[member] = undefined;
    }
    const stayed = last && packet.stay && this.#failures.length === 0 ? this.#stay(packet, results) : undefined;
    const failures = this.#failures.length > 0 ? this.#failures : undefined;
    const message: FromWorker = {
      ...{ type: 'done', id: packet.id, from: this.#sent, results: row(results), failures, costs: this.#costs },
      ...{ stayed, last },
    };
    const transfers = this.#takeTransfers();
    const ports = transfers.filter((one) => one instanceof MessagePort);
    try {
      // Members to come may read what these have returned, so that memory does not move yet.
      const needed = !last && packet.columns.some(({ refs }) => refs !== undefined);
      this.#port.postMessage(message, needed ? ports : transfers);
    } catch (cause) {
      this.#port.postMessage({ ...message, ...this.#withoutUncloneable(packet, results, ports, cause) }, ports);
    }
    this.#sent = this.#results.length;
    this.#failures = [];
    this.#costs = [];
  }

  /** Keeps bulky results for the tasks that are to come. What is given away goes at once, as that costs next to nothing. */
  #stay({ run, stay }: Packet, results: unknown[]): readonly number[] | undefined {
    const stayed: number[] = [];
    if (this.#transfers.size > 0) return undefined;
    for (let i = 0; i < stay!.length; i += 2) {
      const at = stay![i] - this.#sent;
      const value = results[at];
      if (at < 0 || !isSimplyCloneable(value)) continue;
      const bytes = bytesOf(value);
      if (bytes < BULKY) continue;
      this.#kept.stay(run, stay![i + 1], value);
      results[at] = undefined;
      stayed.push(stay![i], bytes);
    }
    return stayed.length > 0 ? stayed : undefined;
  }

  /** Sends a value that has stayed here, unless it was sent before. */
  #sendKept(run: number, number: number): void {
    if (!this.#kept.takeOnly(run, number)) return;
    const message = { type: 'value', run, number } as const;
    try {
      this.#port.postMessage({ ...message, value: this.#kept.get(run, number) } satisfies FromWorker);
    } catch (error) {
      this.#port.postMessage({ ...message, error: encodeError(error) } satisfies FromWorker);
    }
  }

  /** Something was thrown that nobody caught: the thread cannot be trusted any more, and is replaced. */
  die(error: unknown): never {
    // The member that ran last may be the culprit, even if it has returned.
    this.#results.length = Math.min(this.#results.length, Math.max(0, Atomics.load(this.words, RUNNING_MEMBER) - 1));
    this.flush(false);
    this.#port.postMessage({
      type: 'fatal',
      id: this.#packet?.id ?? 0,
      error: encodeError(error),
    } satisfies FromWorker);
    process.exit(1);
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case 'packet':
        for (const shape of message.define ?? []) this.#shapes.set(shape.id, shape);
        this.#kept.put(message);
        this.#waiting.push(message);
        if (!this.#packet) this.#next();
        break;
      case 'cancel':
        if (this.#packet?.id === message.id) this.#context?.cancel(decodeError(message.reason));
        break;
      case 'fetch':
        for (const number of message.values) this.#sendKept(message.run, number);
        break;
      case 'drop':
        this.#kept.drop(message.run, message.values);
        break;
      case 'forget':
        this.#kept.forget(message.run);
        break;
    }
  }

  #next(): void {
    const packet = this.#waiting.shift();
    if (!packet) return;
    for (const [run, number] of this.#kept.endangered(packet)) this.#sendKept(run, number);
    this.#packet = packet;
    this.#results = [];
    this.#sent = 0;
    Atomics.store(this.words, RUNNING_MEMBER, 0);
    Atomics.store(this.words, RUNNING_PACKET, packet.id);
    const overdue =
      countOf(packet) > 1 && !packet.crew ? setTimeout(() => this.#tellStarted(packet), packet.budget) : undefined;
    this.#run(packet).then(() => {
      clearTimeout(overdue);
      this.#context = undefined;
      // Node tells of unhandled rejections only after this turn, and they belong to the packet.
      setImmediate(() => {
        this.flush(true);
        Atomics.store(this.words, RUNNING_PACKET, 0);
        this.#packet = undefined;
        this.#next();
      });
    });
  }

  async #run(packet: Packet): Promise<void> {
    const { words } = this;
    const { shapes, budget } = packet;
    const flag = FLAGS + packet.flag;
    if (Atomics.compareExchange(words, flag, WAITING, STARTED) === TAKEN_BACK) return;
    if (packet.crew) return this.#joinCrew(packet, flag);
    const args = new ArgumentReader(packet, this.#kept, this.#results);
    const watch = new Stopwatch();
    let member = 0;
    for (let run = 0; run < shapes.length; run += 2) {
      const shape = this.#shapes.get(shapes[run])!;
      for (const end = member + shapes[run + 1]; member < end; member++) {
        if (member > 0 && (Atomics.load(words, flag) !== STARTED || watch.total > budget)) return;
        Atomics.store(words, RUNNING_MEMBER, member + 1);
        const context = new WorkerContext(this, packet, member);
        this.#context = context;
        try {
          shape.definition ??= await load(shape);
          if (packet.timed) this.#tell({ type: 'started', id: packet.id, member });
          const given = args.next(shape.params);
          let result = packet.revert
            ? this.#revert(shape.definition, given, packet, context)
            : shape.definition.execute(given, context);
          if (isThenable(result)) {
            result = await result;
            watch.hurry();
          }
          this.#results.push(result);
          if (this.#state.transfers!.length > 0) this.#collectTransfers(packet);
        } catch (error) {
          this.#results.push(undefined);
          this.#failures.push([member, encodeError(error, `Task '${context.name}'`)]);
          this.#state.transfers = [];
          return;
        }
        if (watch.tick(member + 1 === end)) this.#note(shape.id, watch);
      }
    }
  }

  #revert({ revert }: Definition, given: Record<string, unknown>, packet: Packet, context: WorkerContext): unknown {
    return revert!(revertArguments(given, ...revertExtras(packet.revert!, this.#failuresOf(packet))), context);
  }

  #joinCrew(packet: Packet, flag: number): Promise<void> {
    const shapes = packet.shapes.filter((_, i) => i % 2 === 0).map((id) => this.#shapes.get(id)!);
    return new CrewHand(packet, shapes, flag, this).run();
  }

  #failuresOf({ run, revert }: Packet): WireFailures {
    return this.#kept.get(run, revert!.flowFailures) as WireFailures;
  }

  /** A member that others see, or wait for, must not hide what has become of those before it, nor that it runs. */
  #tellStarted({ id, crew }: Packet): void {
    const member = Atomics.load(this.words, RUNNING_MEMBER) - 1;
    if (member > 0 || (crew && member === 0)) this.#tell({ type: 'started', id, member });
  }

  /** Progress of a later member must not overtake the results of those before it. */
  #tell(message: FromWorker): void {
    this.flush(false);
    this.#port.postMessage(message);
    this.#told = true;
  }

  #note(shape: number, { count, spent }: Stopwatch): void {
    const costs = this.#costs;
    const at = costs.length - 3;
    if (costs[at] === shape) {
      costs[at + 1] += count;
      costs[at + 2] += spent;
    } else {
      costs.push(shape, count, spent);
    }
  }

  #takeTransfers(): Transferred[] {
    const transfers = [...this.#transfers];
    this.#transfers.clear();
    return transfers;
  }

  /** What other tasks need too is copied, whatever this one wishes. */
  #collectTransfers({ run }: Packet): void {
    for (const one of this.#state.transfers!) if (!this.#kept.holds(run, one)) this.#transfers.add(one);
    this.#state.transfers = [];
  }

  /** Some result cannot be sent: its task has failed. */
  #withoutUncloneable(packet: Packet, results: readonly unknown[], ports: readonly unknown[], cause: unknown) {
    const failures = [...this.#failures];
    const cloneable = results.map((result, i) => {
      const error = uncloneable(nameOf(packet, this.#sent + i), result, ports, cause);
      if (!error) return result;
      failures.push([this.#sent + i, encodeError(error)]);
      return undefined;
    });
    return { results: cloneable, failures };
  }
}

function countOf({ shapes }: Packet): number {
  let count = 0;
  for (let run = 0; run < shapes.length; run += 2) count += shapes[run + 1];
  return count;
}

/** What is wrong with a result that may be why some could not be sent. */
function uncloneable(task: string, result: unknown, ports: readonly unknown[], cause: unknown): RunError | undefined {
  const bad = findUncloneable(result);
  // A port that is moved is the last thing to be found.
  if (!bad || (bad.type === 'MessagePort' && ports.length > 0)) return undefined;
  const message = `Task '${task}' returned ${bad.type}${bad.path ? ` at result${bad.path}` : ''}, which cannot be sent to another thread`;
  return new RunError('ERR_MILLRACE_UNCLONEABLE_RESULT', message, { task, cause });
}

/** Puts together the arguments of one member after the other. */
class ArgumentReader {
  readonly #run: number;
  readonly #kept: KeptValues;
  readonly #results: readonly unknown[];
  readonly #columns: readonly OpenColumn[];

  constructor({ run, columns }: Packet, kept: KeptValues, results: readonly unknown[]) {
    this.#run = run;
    this.#kept = kept;
    this.#results = results;
    this.#columns = columns.map((column) => ({ ...column, at: 0, next: 0 }));
  }

  next(params: readonly string[]): Record<string, unknown> {
    const args: Record<string, unknown> = {};
    for (let i = 0; i < params.length; i++) args[params[i]] = this.#read(this.#columns[i]);
    return args;
  }

  #read(column: OpenColumn): unknown {
    const { same, values, refs } = column;
    const ref = refs === undefined ? BY_VALUE : refs[same ? 0 : column.at++];
    if (ref === BY_VALUE) return values[same ? 0 : column.next++];
    return ref > BY_VALUE ? this.#results[ref] : this.#kept.get(this.#run, BY_VALUE - 1 - ref);
  }
}

/** A column that is being read: the next member, and the next value. */
interface OpenColumn extends Column {
  at: number;
  next: number;
}

/**
 * Measures what members take. A clock read costs as much as a small one, so that there is one for several, as long as they
 * are small.
 */
class Stopwatch {
  /** How many members were measured last, and how many ms they took together. */
  count = 0;
  spent = 0;
  /** How many ms all of them have taken. */
  total = 0;
  #last = performance.now();
  #since = 0;
  #stride = 1;

  /** A member has ended. Returns whether it was measured, with those before it; `now`: it has to be. */
  tick(now: boolean): boolean {
    if (++this.#since < this.#stride && !now) return false;
    const time = performance.now();
    this.count = this.#since;
    this.spent = time - this.#last;
    this.total += this.spent;
    this.#last = time;
    this.#since = 0;
    this.#stride = this.spent < SMALL ? Math.min(STRIDE, this.#stride * 2) : 1;
    return true;
  }

  /** The member that is about to end was waited for: it is measured by itself. */
  hurry(): void {
    this.#stride = 1;
  }
}

function revertExtras({ names, keys, result, failure }: WireRevert, failures: WireFailures) {
  return [
    { names, keys },
    { result: failure ? decoded(failure.task, failure.error) : result, flowFailures: flowFailuresOf(failures) },
  ] as const;
}

/** What all that is reverted because of the same failures is told of them. */
const toldOf = new WeakMap<WireFailures, Readonly<Record<string, Failure>>>();

function flowFailuresOf(failures: WireFailures): Readonly<Record<string, Failure>> {
  let told = toldOf.get(failures);
  if (!told) {
    told = Object.freeze(Object.fromEntries(failures.map(([task, error]) => [task, decoded(task, error)])));
    toldOf.set(failures, told);
  }
  return told;
}

function decoded(task: string, error: EncodedError): Failure {
  return new Failure(task, decodeError(error) as Error);
}
