import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Thread, Threads, type ThreadsOptions, WORDS } from '../../src/dispatch/threads.js';
import type { Command } from '../fixtures/threads/worker.js';

const fixture = (name: string) => new URL(`../fixtures/threads/${name}.js`, import.meta.url);

type Event =
  | { type: 'ready'; thread: Thread }
  | { type: 'message'; thread: Thread; message: unknown }
  | { type: 'lost'; thread: Thread; error: { name: string; message: string; code?: string } }
  | { type: 'broken'; error: Error & { code: string } };
type Of<Type> = Extract<Event, { type: Type }>;

/** Threads, and all that is told about them, to be taken one by one. */
class Watched {
  readonly threads: Threads;
  readonly log: string[] = [];
  /** Those that were ready and are not lost. */
  readonly alive = new Set<Thread>();
  readonly #events: Event[] = [];
  #wake = () => {};

  constructor(options: Partial<ThreadsOptions> = {}) {
    const tell = (event: Event) => {
      if (event.type === 'ready') this.alive.add(event.thread);
      if (event.type === 'lost') this.alive.delete(event.thread);
      this.log.push(event.type === 'message' ? `message ${event.message}` : event.type);
      this.#events.push(event);
      this.#wake();
    };
    this.threads = new Threads(
      { size: 1, idleTimeout: Number.POSITIVE_INFINITY, entry: fixture('worker'), ...options },
      {
        ready: (thread) => tell({ type: 'ready', thread }),
        message: (thread, message) => tell({ type: 'message', thread, message }),
        lost: (thread, error) => tell({ type: 'lost', thread, error: error as Of<'lost'>['error'] }),
        broken: (error) => tell({ type: 'broken', error: error as Of<'broken'>['error'] }),
      },
    );
  }

  async next<Type extends Event['type']>(type: Type): Promise<Of<Type>> {
    for (;;) {
      const index = this.#events.findIndex((event) => event.type === type);
      if (index >= 0) return this.#events.splice(index, 1)[0] as Of<Type>;
      await new Promise<void>((resolve, reject) => {
        const hung = setTimeout(() => reject(new Error(`it was never told '${type}', only: ${this.log}`)), 20_000);
        this.#wake = () => {
          clearTimeout(hung);
          resolve();
        };
      });
    }
  }

  async up(): Promise<Thread> {
    return (await this.next('ready')).thread;
  }

  async ask(thread: Thread, command: Command): Promise<unknown> {
    thread.post(command);
    return (await this.next('message')).message;
  }

  async lostTo(thread: Thread, command: Command): Promise<Of<'lost'>['error']> {
    thread.post(command);
    const event = await this.next('lost');
    assert.is(event.thread, thread);
    return event.error;
  }

  /** The next thread that is ready does its work. */
  async works(): Promise<void> {
    assert.is(await this.ask(await this.up(), { do: 'echo', value: 'well' }), 'well');
  }
}

/** A test of threads, which are closed at the end whatever happens. */
function claim(name: string, options: Partial<ThreadsOptions>, body: (watched: Watched) => Promise<void>): void {
  test(name, async () => {
    const watched = new Watched(options);
    try {
      await body(watched);
    } finally {
      await watched.threads.close();
    }
  });
}

const unhandled: unknown[] = [];
process.on('unhandledRejection', (error) => unhandled.push(error));

const osThreads = () => readdirSync('/proc/self/task').length;
const linux = existsSync('/proc/self/task');

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (condition()) return;
    await sleep(5);
  }
  assert.unreachable(`it never came to this: ${what}`);
}

/** Node's ids of the threads, when all are ready. */
async function threadIds(watched: Watched): Promise<number[]> {
  const ids = [];
  for (let thread = 0; thread < watched.threads.size; thread++) {
    const facts = (await watched.ask(await watched.up(), { do: 'facts' })) as { threadId: number };
    ids.push(facts.threadId);
  }
  return ids;
}

/** A file in which fixtures count the threads that were started. */
async function counting(deaths: number, body: (count: () => number) => Promise<void>): Promise<void> {
  const file = join(tmpdir(), `millrace-threads-${process.pid}`);
  writeFileSync(file, '');
  process.env.MILLRACE_TEST_FILE = file;
  process.env.MILLRACE_TEST_DEATHS = String(deaths);
  try {
    await body(() => readFileSync(file, 'utf8').length);
  } finally {
    rmSync(file);
  }
}

interface Exit {
  code: number | string | null;
  stdout: string;
  seen: unknown[];
}

/** Runs the child fixture; it is killed, and its code is null, when it has not ended by itself in half a minute. */
function child(args: string[], execArgv: string[] = []): Promise<Exit> {
  const argv = [...execArgv, fileURLToPath(fixture('child')), ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { timeout: 30_000 }, (error, stdout, stderr) => {
      const report = stderr.trimEnd().split('\n').pop() as string;
      resolve({
        code: error ? (error.code ?? null) : 0,
        stdout,
        seen: report.startsWith('[') ? JSON.parse(report) : [stderr],
      });
    });
  });
}

// In session

claim('a thread has its own words, all zero, which the worker sees too', {}, async (watched) => {
  watched.threads.acquire();
  const thread = await watched.up();
  assert.equal([...thread.words], new Array(WORDS).fill(0));
  assert.is(await watched.ask(thread, { do: 'write', index: 3, value: 42 }), 'written');
  assert.is(thread.words[3], 42);
});

claim('the services port reaches the worker', {}, async (watched) => {
  watched.threads.acquire();
  const { services } = await watched.up();
  services.postMessage('hello');
  assert.equal(await once(services, 'message'), ['hello']);
});

claim('a worker inherits the environment and the options of node', {}, async (watched) => {
  process.env.MILLRACE_TEST = 'inherited';
  watched.threads.acquire();
  const facts = (await watched.ask(await watched.up(), { do: 'facts' })) as { env: string };
  assert.is(facts.env, 'inherited');
  const { seen } = await child(['facts'], ['--no-warnings']);
  assert.equal((seen[1] as { execArgv: string[] }).execArgv, ['--no-warnings']);
});

claim('a message that cannot be cloned is refused, and the thread goes on', {}, async (watched) => {
  watched.threads.acquire();
  const thread = await watched.up();
  assert.throws(
    () => thread.post({ do: 'echo', value: () => {} }),
    (error: Error) => error.name === 'DataCloneError',
  );
  assert.is(await watched.ask(thread, { do: 'echo', value: 1 }), 1);
});

claim('all threads of a pool are started, each once', { size: 3 }, async (watched) => {
  watched.threads.acquire();
  watched.threads.acquire();
  assert.is(new Set(await threadIds(watched)).size, 3);
  assert.is(new Set([...watched.alive].map((thread) => thread.id)).size, 3);
});

// Death

for (const code of [0, 7]) {
  claim(`process.exit(${code}) loses the thread once, and another takes its place`, {}, async (watched) => {
    watched.threads.acquire();
    const error = await watched.lostTo(await watched.up(), { do: 'exit', code });
    assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
    assert.match(error.message, `exit code ${code};`);
    await watched.works();
    assert.equal(watched.log, ['ready', 'lost', 'ready', 'message well']);
  });
}

for (const how of ['exit', 'throw'] as const) {
  claim(`what a worker sent before it died is heard before it is lost: ${how}`, {}, async (watched) => {
    watched.threads.acquire();
    const thread = await watched.up();
    thread.post({ do: 'say and die', messages: 3000, word: 0, how });
    Atomics.wait(thread.words, 0, 0, 5000);
    Atomics.wait(thread.words, 1, 0, 50); // both the messages and the death are waiting to be seen here
    await watched.next('lost');
    const said = Array.from({ length: 3000 }, (_, index) => `message ${index}`);
    assert.equal(watched.log, ['ready', ...said, 'lost']);
  });
}

claim('an uncaught error arrives with its class and its code', {}, async (watched) => {
  watched.threads.acquire();
  const error = await watched.lostTo(await watched.up(), { do: 'throw TypeError' });
  assert.instance(error, TypeError);
  assert.is(error.code, 'E_MINE');
  assert.is(error.message, 'thrown in a timer');
  await watched.works();
});

claim('a rejection that nothing handles in the worker ends the thread', {}, async (watched) => {
  watched.threads.acquire();
  const error = await watched.lostTo(await watched.up(), { do: 'reject' });
  assert.is(error.message, 'rejected and not handled');
  await watched.works();
});

claim('a worker that throws null is lost too', {}, async (watched) => {
  watched.threads.acquire();
  const error = await watched.lostTo(await watched.up(), { do: 'throw', value: null });
  assert.is(error.code, 'ERR_MILLRACE_WORKER_EXIT');
  await watched.works();
});

claim('a worker out of memory is lost as such', { resourceLimits: { maxOldGenerationSizeMb: 16 } }, async (watched) => {
  watched.threads.acquire();
  const error = await watched.lostTo(await watched.up(), { do: 'fill the memory' });
  assert.is(error.code, 'ERR_WORKER_OUT_OF_MEMORY');
  await watched.works();
});

claim(
  'terminate() ends an infinite loop, and nothing of it runs any more when the thread is lost',
  {},
  async (watched) => {
    watched.threads.acquire();
    const thread = await watched.up();
    thread.post({ do: 'loop', word: 5 });
    await until(() => Atomics.load(thread.words, 5) !== 0, 'the loop runs');
    const reason = new Error('enough');
    thread.terminate(reason);
    thread.terminate(new Error('said twice'));
    assert.equal(watched.log, ['ready'], 'lost() is not called from within terminate()');
    assert.is((await watched.next('lost')).error, reason);
    const turns = Atomics.load(thread.words, 5);
    await watched.works();
    assert.is(Atomics.load(thread.words, 5), turns);
    assert.is(watched.log.filter((entry) => entry === 'lost').length, 1);
  },
);

claim('a thread that is lost takes no more messages, and terminate() does nothing to it', {}, async (watched) => {
  watched.threads.acquire();
  const thread = await watched.up();
  await watched.lostTo(thread, { do: 'exit', code: 1 });
  thread.post({ do: 'echo', value: 1 });
  thread.terminate(new Error('too late'));
  await watched.works();
  assert.equal(watched.log, ['ready', 'lost', 'ready', 'message well']);
});

claim('all threads that die together are replaced, and there are never more of them', { size: 4 }, async (watched) => {
  const before = linux ? osThreads() : 0;
  watched.threads.acquire();
  for (const way of ['exit', 'terminate', 'throw']) {
    const threads = [await watched.up(), await watched.up(), await watched.up(), await watched.up()];
    for (const thread of threads) {
      if (way === 'exit') thread.post({ do: 'exit', code: 1 });
      else if (way === 'throw') thread.post({ do: 'throw TypeError' });
      else thread.terminate(new Error('all of you'));
    }
    for (const _ of threads) await watched.next('lost');
  }
  for (let thread = 0; thread < 4; thread++) await watched.up();
  if (linux) await until(() => osThreads() <= before + 4, 'as many threads as asked for');
  assert.is(watched.log.filter((entry) => entry === 'ready').length, 16);
});

// Rest

claim('threads that are released stay warm, and serve again', {}, async (watched) => {
  const ids = [];
  for (let round = 0; round < 2; round++) {
    watched.threads.acquire();
    ids.push(...(await threadIds(watched)));
    watched.threads.release();
    assert.is((await watched.next('lost')).error.code, 'ERR_MILLRACE_CLOSED');
    await sleep(30);
  }
  assert.is(ids[0], ids[1]);
});

claim('runs in a row share the session', {}, async (watched) => {
  watched.threads.acquire();
  const thread = await watched.up();
  watched.threads.release();
  await Promise.resolve();
  watched.threads.acquire();
  assert.is(await watched.ask(thread, { do: 'echo', value: 1 }), 1);
  assert.equal(watched.log, ['ready', 'message 1']);
});

claim('threads stay in session as long as one of several needs them', {}, async (watched) => {
  watched.threads.acquire();
  watched.threads.acquire();
  const thread = await watched.up();
  watched.threads.release();
  await sleep(30);
  assert.is(await watched.ask(thread, { do: 'echo', value: 1 }), 1);
});

claim('threads can be acquired again while their sessions stop', { size: 2 }, async (watched) => {
  watched.threads.acquire();
  await watched.up();
  await watched.up();
  watched.threads.release();
  await watched.next('lost');
  watched.threads.acquire();
  await watched.works();
  await watched.works();
});

claim('threads can be acquired and released quickly, also before they are ready', { size: 2 }, async (watched) => {
  const before = linux ? osThreads() : 0;
  for (let round = 0; round < 50; round++) {
    watched.threads.acquire();
    if (round % 3 === 1) await sleep(1);
    if (round % 10 === 7) await until(() => watched.alive.size > 0, 'a thread is ready');
    watched.threads.release();
    if (round % 5 === 4) await sleep(8);
  }
  if (linux) assert.ok(osThreads() <= before + 2);
  watched.threads.acquire();
  await until(() => watched.alive.size === 2, 'both threads are ready');
  for (const thread of watched.alive) assert.is(await watched.ask(thread, { do: 'echo', value: thread.id }), thread.id);
});

claim(
  'threads that are not needed end after the idle timeout, and start anew',
  { size: 2, idleTimeout: 1 },
  async (watched) => {
    const before = linux ? osThreads() : 0;
    watched.threads.acquire();
    const first = await threadIds(watched);
    watched.threads.release();
    if (linux) await until(() => osThreads() <= before, 'the threads are gone');
    else await sleep(500);
    watched.threads.acquire();
    const second = await threadIds(watched);
    assert.not(second.some((id) => first.includes(id)));
  },
);

claim('a released thread that does not stop is ended', { size: 1 }, async (watched) => {
  watched.threads.acquire();
  const thread = await watched.up();
  thread.post({ do: 'loop', word: 0 });
  watched.threads.release();
  await watched.next('lost');
  watched.threads.acquire();
  await watched.works();
});

test('threads that were made but never acquired do not keep the process alive', async () => {
  assert.equal(await child(['only make']), { code: 0, stdout: '', seen: [] });
});

test('threads that were released do not keep the process alive', async () => {
  assert.equal(await child(['use']), { code: 0, stdout: '', seen: ['ready', 'ERR_MILLRACE_CLOSED'] });
});

test('threads that were released before they were ready do not keep the process alive', async () => {
  assert.equal(await child(['release at once', '2']), { code: 0, stdout: '', seen: [] });
});

test('timers that a task left in a thread do not keep the process alive', async () => {
  assert.equal(await child(['leave a timer']), { code: 0, stdout: '', seen: ['ready', 'left', 'ERR_MILLRACE_CLOSED'] });
});

test('what a worker printed is not lost when the threads are closed', async () => {
  const { code, stdout } = await child(['print']);
  assert.is(code, 0);
  assert.is(stdout.split('\n').length, 2001);
});

// Close

claim('close() tells of each thread that it is lost', { size: 2 }, async (watched) => {
  watched.threads.acquire();
  await watched.up();
  await watched.up();
  const closing = watched.threads.close();
  assert.equal(watched.log, ['ready', 'ready'], 'not from within close()');
  await closing;
  assert.equal(watched.log, ['ready', 'ready', 'lost', 'lost']);
  assert.is((await watched.next('lost')).error.code, 'ERR_MILLRACE_CLOSED');
});

claim('close() ends the threads while they start', { size: 2 }, async (watched) => {
  const before = linux ? osThreads() : 0;
  watched.threads.acquire();
  await watched.threads.close();
  assert.equal(watched.log, []);
  if (linux) await until(() => osThreads() <= before, 'the threads are gone');
});

claim('close() ends a thread in an infinite loop', { size: 2 }, async (watched) => {
  const before = linux ? osThreads() : 0;
  watched.threads.acquire();
  const thread = await watched.up();
  await watched.up();
  thread.post({ do: 'loop', word: 0 });
  await until(() => Atomics.load(thread.words, 0) !== 0, 'the loop runs');
  await watched.threads.close();
  assert.equal(watched.log, ['ready', 'ready', 'lost', 'lost']);
  if (linux) await until(() => osThreads() <= before, 'the threads are gone');
});

claim('close() may be called before the first use, and again', {}, async ({ threads }) => {
  assert.is(threads.close(), threads.close());
  await threads.close();
});

claim('closed threads cannot be acquired, and a late release() is harmless', {}, async (watched) => {
  watched.threads.acquire();
  await watched.up();
  const closing = watched.threads.close();
  assert.throws(
    () => watched.threads.acquire(),
    (error: { code: string }) => error.code === 'ERR_MILLRACE_CLOSED',
  );
  watched.threads.release();
  await closing;
  await sleep(20);
  assert.equal(watched.log, ['ready', 'lost']);
});

test('a thread that throws while it is ended does not come back', async () => {
  const { code, seen } = await child(['throw late']);
  assert.is(code, 0);
  assert.equal(seen, ['ready', 'armed', 'ERR_MILLRACE_CLOSED', 'no thread is left']);
});

// Start

for (const [entry, why] of [
  ['missing', /Cannot find module/],
  ['nothing', /default is not a function/],
] as const) {
  claim(
    `an entry that is ${entry} is told, and not tried for ever`,
    { size: 2, entry: fixture(entry) },
    async (watched) => {
      for (let round = 0; round < 2; round++) {
        watched.threads.acquire();
        const { error } = await watched.next('broken');
        assert.is(error.code, 'ERR_MILLRACE_WORKER_START');
        assert.match(error.message, why);
        assert.instance(error.cause, Error);
        watched.threads.release();
        await sleep(50);
        assert.is(watched.log.length, round + 1);
      }
    },
  );
}

claim(
  'threads that die before they are ready are tried three times, and again at the next acquire()',
  { entry: fixture('exits') },
  async (watched) => {
    await counting(7, async (count) => {
      for (const tried of [3, 6]) {
        watched.threads.acquire();
        const { error } = await watched.next('broken');
        assert.is((error.cause as { code: string }).code, 'ERR_MILLRACE_WORKER_EXIT');
        assert.match((error.cause as Error).message, 'exit code 3;');
        await sleep(100);
        assert.is(count(), tried);
        watched.threads.release();
      }
      watched.threads.acquire();
      await watched.works();
      assert.equal(watched.log, ['broken', 'broken', 'ready', 'message well']);
    });
  },
);

for (const size of [1, 3]) {
  test(`${size} threads: deaths while Node.js starts them leave none missing`, async () => {
    const preload = ['--import', fixture('preload').href];
    await counting(2, async (count) => {
      const { code, seen } = await child(['leave a timer', String(size)], preload);
      assert.is(code, 0);
      assert.is(seen[0], 'ready');
      assert.is(count(), size + 2);
    });
    await counting(1000, async (count) => {
      const { code, seen } = await child(['use', String(size)], preload);
      assert.is(code, 0);
      assert.is(seen[0], 'broken');
      assert.match(seen[1] as string, /the preload failed|ended with exit code 4|ended at once/);
      assert.ok(count() < 3 + 2 * size);
    });
  });
}

test('a process that may not start threads is told so', async () => {
  const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
  const { code, seen } = await child(['use'], [flag, '--allow-fs-read=*']);
  assert.is(code, 0);
  assert.is(seen[0], 'broken');
});

for (const size of [0, 1.5, Number.NaN, '2' as unknown as number]) {
  test(`${JSON.stringify(size)} threads are refused`, () => {
    assert.throws(
      () => new Watched({ size }),
      (error: { code: string; message: string }) =>
        error.code === 'ERR_MILLRACE_INVALID_ARG' && /whole number/.test(error.message),
    );
  });
}

test('an idle timeout that is no time is refused', () => {
  assert.throws(() => new Watched({ idleTimeout: -1 }), /Infinity; received a number \(-1\)/);
});

test('none of all this left a rejection that nothing handled', () => {
  assert.equal(unhandled, []);
});

test.run();
