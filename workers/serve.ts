/**
 * What a worker thread does for the scheduler: it takes packets, one at a time, runs their tasks in order, and sends back
 * what became of them.
 */
import { MessagePort } from 'node:worker_threads';
import { type Definition, Failure, isThenable, revertArguments, type Transferred, thread } from '../src/atoms/index.js';
import { RunError } from '../src/errors.js';
import {
  BY_VALUE,
  decodeError,
  type EncodedError,
  encodeError,
  FLAGS,
  type FromWorker,
  findUncloneable,
  type Packet,
  RUNNING_MEMBER,
  RUNNING_PACKET,
  STARTED,
  TAKEN_BACK,
  type ToWorker,
  WAITING,
  type WireFailures,
  type WireRevert,
  type WireShape,
} from '../src/wire/index.js';
import { type ContextHost, nameOf, ServiceClient, WorkerContext } from './context.js';
import { KeptValues } from './kept.js';
import { load } from './modules.js';

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

class Server implements ContextHost {
  readonly words: Int32Array;
  readonly services: ServiceClient;
  readonly #port: MessagePort;
  readonly #shapes = new Map<number, WireShape & { definition?: Definition }>();
  readonly #kept = new KeptValues();
  readonly #waiting: Packet[] = [];
  #packet: Packet | undefined;
  /** Of the member that runs. */
  #context: WorkerContext | undefined;
  /** What the members of the packet returned, all of them; those before `#sent` have been sent. */
  #results: unknown[] = [];
  #sent = 0;
  #failures: [member: number, error: EncodedError][] = [];
  #costs: number[] = [];
  /** The memory and the ports that these results give away. */
  #transfers: Transferred[] = [];

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

  /** Sends what has become known of the packet, and with `last` that there is no more. */
  flush(last: boolean): void {
    const packet = this.#packet;
    if (!packet || (!last && this.#results.length === this.#sent)) return;
    const results = this.#sent === 0 ? this.#results : this.#results.slice(this.#sent);
    const failures = this.#failures.length > 0 ? this.#failures : undefined;
    const message: FromWorker = {
      ...{ type: 'done', id: packet.id, from: this.#sent, results, failures, costs: this.#costs, last },
    };
    const ports = this.#transfers.filter((one) => one instanceof MessagePort);
    try {
      // Members to come may read what these have returned, so that memory does not move yet.
      this.#port.postMessage(message, last || packet.refs === undefined ? this.#transfers : ports);
    } catch (cause) {
      this.#port.postMessage({ ...message, ...this.#withoutUncloneable(packet, results, ports, cause) }, ports);
    }
    this.#transfers = [];
    this.#sent = this.#results.length;
    this.#failures = [];
    this.#costs = [];
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
      case 'forget':
        this.#kept.forget(message.run);
        break;
    }
  }

  #next(): void {
    const packet = this.#waiting.shift();
    if (!packet) return;
    this.#packet = packet;
    this.#results = [];
    this.#sent = 0;
    Atomics.store(this.words, RUNNING_MEMBER, 0);
    Atomics.store(this.words, RUNNING_PACKET, packet.id);
    const overdue = packet.shapes.length > 1 ? setTimeout(() => this.#tellStarted(packet), packet.budget) : undefined;
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
    const args = new ArgumentReader(packet, this.#kept, this.#results);
    const { shapes } = packet;
    const flag = FLAGS + packet.flag;
    if (Atomics.compareExchange(this.words, flag, WAITING, STARTED) === TAKEN_BACK) return;
    const begun = performance.now();
    let last = begun;
    for (let member = 0; member < shapes.length; member++) {
      if (member > 0 && (Atomics.load(this.words, flag) !== STARTED || last - begun > packet.budget)) return;
      Atomics.store(this.words, RUNNING_MEMBER, member + 1);
      const shape = this.#shapes.get(shapes[member])!;
      const context = new WorkerContext(this, packet, member);
      this.#context = context;
      try {
        shape.definition ??= await load(shape);
        if (packet.timed) this.#tell({ type: 'started', id: packet.id, member });
        const given = args.next(shape.params);
        const { execute, revert } = shape.definition;
        let result = packet.revert
          ? revert!(revertArguments(given, ...revertExtras(packet.revert, this.#failuresOf(packet))), context)
          : execute(given, context);
        if (isThenable(result)) result = await result;
        this.#results.push(result);
        this.#collectTransfers(packet);
      } catch (error) {
        this.#results.push(undefined);
        this.#failures.push([member, encodeError(error, `Task '${context.name}'`)]);
        thread().transfers = [];
        return;
      }
      const now = performance.now();
      this.#note(shape.id, now - last);
      last = now;
    }
  }

  #failuresOf({ run, revert }: Packet): WireFailures {
    return this.#kept.get(run, revert!.flowFailures) as WireFailures;
  }

  /** A member that others see, or wait for, must not hide what has become of those before it, nor that it runs. */
  #tellStarted({ id }: Packet): void {
    const member = Atomics.load(this.words, RUNNING_MEMBER) - 1;
    if (member > 0) this.#tell({ type: 'started', id, member });
  }

  /** Progress of a later member must not overtake the results of those before it. */
  #tell(message: FromWorker): void {
    this.flush(false);
    this.#port.postMessage(message);
  }

  #note(shape: number, spent: number): void {
    const costs = this.#costs;
    const at = costs.length - 3;
    if (costs[at] === shape) {
      costs[at + 1]++;
      costs[at + 2] += spent;
    } else {
      costs.push(shape, 1, spent);
    }
  }

  /** What other tasks need too is copied, whatever this one wishes. */
  #collectTransfers({ run }: Packet): void {
    const state = thread();
    if (state.transfers!.length === 0) return;
    for (const one of state.transfers!) if (!this.#kept.holds(run, one)) this.#transfers.push(one);
    state.transfers = [];
  }

  /** Some result cannot be sent: its task has failed. */
  #withoutUncloneable(packet: Packet, results: readonly unknown[], ports: readonly unknown[], cause: unknown) {
    const failures = [...this.#failures];
    const cloneable = results.map((result, i) => {
      const bad = findUncloneable(result);
      // A port that is moved is the last thing to be found.
      if (!bad || (bad.type === 'MessagePort' && ports.length > 0)) return result;
      const task = nameOf(packet, this.#sent + i);
      const message = `Task '${task}' returned ${bad.type}${bad.path ? ` at result${bad.path}` : ''}, which cannot be sent to another thread`;
      const error = new RunError('ERR_MILLRACE_UNCLONEABLE_RESULT', message, { task, cause });
      failures.push([this.#sent + i, encodeError(error)]);
      return undefined;
    });
    return { results: cloneable, failures };
  }
}

/** Puts together the arguments of one member after the other. */
class ArgumentReader {
  readonly #packet: Packet;
  readonly #kept: KeptValues;
  readonly #results: readonly unknown[];
  #at = 0;
  #value = 0;

  constructor(packet: Packet, kept: KeptValues, results: readonly unknown[]) {
    this.#packet = packet;
    this.#kept = kept;
    this.#results = results;
  }

  next(params: readonly string[]): Record<string, unknown> {
    const { values, refs } = this.#packet;
    const args: Record<string, unknown> = {};
    for (let i = 0; i < params.length; i++) {
      const ref = refs === undefined ? BY_VALUE : refs[this.#at++];
      if (ref === BY_VALUE) args[params[i]] = values[this.#value++];
      else if (ref > BY_VALUE) args[params[i]] = this.#results[ref];
      else args[params[i]] = this.#kept.get(this.#packet.run, BY_VALUE - 1 - ref);
    }
    return args;
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
