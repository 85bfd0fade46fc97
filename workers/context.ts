import { createRequire } from 'node:module';
import type { MessagePort } from 'node:worker_threads';
import type { Remote } from 'comlink';
import { Context } from '../src/dispatch/context.js';
import { ArgumentError, RunError } from '../src/errors.js';
import {
  CANCEL,
  decodeError,
  FLAGS,
  findUncloneable,
  type Packet,
  type ServiceAnswer,
  type ServiceHost,
} from '../src/wire/index.js';

const require = createRequire(import.meta.url);

/** The services of the scheduler's thread, over a port that is not touched before the first call. */
export class ServiceClient {
  readonly #port: MessagePort;
  #remote: Remote<ServiceHost> | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  call(run: number, task: string, service: string, args: unknown[]): Promise<ServiceAnswer> {
    this.#remote ??= this.#connect();
    return this.#remote.call(run, task, service, args);
  }

  /** Comlink is loaded here, since few threads need it, and not by `import()`: the call is to be on its way when the task goes on. */
  #connect(): Remote<ServiceHost> {
    const { wrap } = require('comlink') as typeof import('comlink');
    // Comlink's types know the ports of browsers; Node's have all that it uses.
    return wrap<ServiceHost>(this.#port as never);
  }
}

/** What a context needs of the thread that it lives in. */
export interface ContextHost {
  readonly words: Int32Array;
  readonly services: ServiceClient;
  report(context: WorkerContext, member: number, fraction: number, details: unknown): void;
  /** Others will see that the task runs. */
  announce(context: WorkerContext): void;
  say(context: WorkerContext, member: number, message: string, details: unknown): void;
}

/** Names, a line each. They are told apart when the first of them is asked for. */
export class Lines {
  readonly #text: string;
  #all: readonly string[] | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  at(place: number): string {
    this.#all ??= this.#text.split('\n');
    return this.#all[place];
  }
}

/** The names that those of the members are among. */
const linesOf = new WeakMap<Packet, Lines>();

/** Says what the names of all atoms are, for a packet that goes by their numbers. */
export function knowNames(packet: Packet, lines: Lines): void {
  linesOf.set(packet, lines);
}

/** The name of a member. Few tasks ask for it. */
export function nameOf(packet: Packet, member: number): string {
  const { names } = packet;
  if (typeof names === 'string') {
    const lines = linesOf.get(packet) ?? new Lines(names);
    linesOf.set(packet, lines);
    return lines.at(member);
  }
  if ('list' in names) return `${names.list}[${names.first + member}]`;
  return linesOf.get(packet)!.at(names.atoms[member]);
}

/** What a task in a worker is given beside its arguments. */
export class WorkerContext extends Context {
  readonly #host: ContextHost;
  readonly #packet: Packet;
  readonly #member: number;
  /** How to give up the calls under way: made for the first of them. */
  #calls: Set<(reason: unknown) => void> | undefined;

  constructor(host: ContextHost, packet: Packet, member: number) {
    super();
    this.#host = host;
    this.#packet = packet;
    this.#member = member;
    const { turns, revert } = packet;
    if (turns || revert) {
      const [attempt, round] = turns ? [turns[2 * member], turns[2 * member + 1]] : [1, 0];
      this.again({ attempt, round, reverting: revert !== undefined });
    }
  }

  get name(): string {
    return nameOf(this.#packet, this.#member);
  }

  get flow(): string {
    return this.#packet.flow;
  }

  get aborted(): boolean {
    return this.cancelled || Atomics.load(this.#host.words, FLAGS + this.#packet.flag) === CANCEL;
  }

  protected get flowKey(): string {
    return this.#packet.key;
  }

  override cancel(reason: unknown): void {
    super.cancel(reason);
    for (const giveUp of this.#calls ?? []) giveUp(reason);
  }

  protected report(fraction: number, details: unknown): void {
    this.#tell('progress', details, () => this.#host.report(this, this.#member, fraction, details));
  }

  protected say(message: string, details: unknown): void {
    this.#tell('log', details, () => this.#host.say(this, this.#member, message, details));
  }

  #tell(what: string, details: unknown, send: () => void): void {
    try {
      send();
    } catch (cause) {
      const bad = findUncloneable(details);
      if (!bad) throw cause;
      const message = `Task '${this.name}': ${what}() was given ${bad.type} at details${bad.path}, which cannot be sent to another thread`;
      throw new ArgumentError(message, { task: this.name, cause });
    }
  }

  /** A call whose answer does not come before the task is told to stop is given up. */
  protected async call(service: string, args: unknown[]): Promise<unknown> {
    const bad = findUncloneable(args);
    if (bad) {
      const message = `Task '${this.name}' called service '${service}' with ${bad.type} at arguments${bad.path}, which cannot be sent to another thread`;
      throw new RunError('ERR_MILLRACE_SERVICE', message, { task: this.name });
    }
    if (this.cancelled) throw this.signal.reason;
    this.#host.announce(this);
    const calls = this.#calls ?? new Set();
    this.#calls = calls;
    const answer = await new Promise<ServiceAnswer>((resolve, reject) => {
      calls.add(reject);
      this.#host.services
        .call(this.#packet.run, this.name, service, args)
        .then(resolve, (cause) => {
          // Comlink only says that the answer could not be sent.
          const message = `Service '${service}' answered task '${this.name}' with what cannot be sent to another thread`;
          reject(new RunError('ERR_MILLRACE_SERVICE', message, { task: this.name, cause }));
        })
        .finally(() => calls.delete(reject));
    });
    if ('error' in answer) throw decodeError(answer.error);
    return answer.value;
  }
}
