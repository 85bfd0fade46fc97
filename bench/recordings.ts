/** What it costs to record flows: the same one without a record, and in each kind of store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, type Flow, type LoadOptions, linear, load, task } from 'millrace';
import { openStore, type Store, type StoreOptions } from 'millrace/storage';
import type { Workload } from './flows.js';
import type { Contender } from './measure.js';

/** The URL of a PostgreSQL database in which flows may be recorded. Without it there is none to be measured. */
const { BENCH_POSTGRES: postgres } = process.env;

interface Place {
  readonly name: string;
  /** `folder` is empty, and removed afterwards. */
  url(folder: string): string;
  readonly durability?: StoreOptions['durability'];
}

const sqlite = (durability: StoreOptions['durability']): Place => ({
  name: `sqlite ${durability}`,
  url: (folder) => `sqlite:${join(folder, 'flows.db')}`,
  durability,
});

export const SQLITE = sqlite('normal');

export const PLACES: readonly Place[] = [
  { name: 'memory', url: () => 'memory:' },
  ...[sqlite('none'), SQLITE, sqlite('full')],
  ...(postgres === undefined ? [] : [{ name: 'postgres normal', url: () => postgres }]),
];

/** Those that differ in how they are read. */
export const READ = PLACES.filter(({ durability }) => durability === undefined || durability === SQLITE.durability);

/**
 * Runs a flow, and records it. A turn is what a user waits for: the flow is recorded as a new one, all that happens in it is, and it is
 * left. It is removed before the next turn.
 */
export function recorded(workload: Workload, options: LoadOptions, place: Place): Contender {
  const flow = workload.compose(workload.tasks());
  const { inputs } = workload;
  const stored = new StoredFlow(place);
  let engine: Engine;
  return {
    name: place.name,
    open: () => stored.open(),
    async prepare() {
      await stored.remove();
      engine = load(flow, { ...options, inputs, record: stored.record }).validate();
    },
    run: () => engine.run(),
    close: () => stored.close(),
  };
}

/** Takes a flow that is recorded, and whose first half has run: until its first task could begin. */
export function resumed(workload: Workload, place: Place): Contender {
  const stored = new StoredFlow(place);
  let engine: Engine;
  let flow: Flow;
  const make = () => load(flow, { inputs: workload.inputs, engine: 'serial', record: stored.record });
  return {
    name: place.name,
    async open() {
      await stored.open();
      const tasks = workload.tasks();
      const half = tasks.length >> 1;
      const stop = task({ name: 'stop', execute: () => engine.suspend() });
      const halves = [tasks.slice(0, half), tasks.slice(half)].map((part) => workload.compose(part));
      flow = linear('halves', halves[0].with({ name: 'first' }), stop, halves[1].with({ name: 'second' }));
      engine = make();
      await engine.run();
      await engine.close();
    },
    async prepare() {
      await engine.close();
      engine = make().validate();
    },
    run: () => engine.open(),
    async close() {
      await engine?.close();
      await stored.close();
    },
  };
}

/** A store with one flow. */
class StoredFlow {
  readonly #place: Place;
  readonly #id = `bench-${process.pid}-${performance.now()}`;
  #folder: string | undefined;
  #store: Store | undefined;

  constructor(place: Place) {
    this.#place = place;
  }

  get record() {
    return { store: this.#store!, id: this.#id };
  }

  async open(): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
    this.#store = await openStore(this.#place.url(this.#folder), { durability: this.#place.durability });
  }

  async remove(): Promise<void> {
    await this.#store!.delete(this.#id);
  }

  async close(): Promise<void> {
    await this.#store?.delete(this.#id);
    await this.#store?.close();
    if (this.#folder) rmSync(this.#folder, { recursive: true, force: true });
  }
}
