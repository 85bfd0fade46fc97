/** Runs a program with a task service in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TaskServiceOptions } from 'millrace/service';

const path = fileURLToPath(new URL('../fixtures/service/scripted.js', import.meta.url));

/** How a process has ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Program {
  readonly exit: Promise<Exit>;
  /** What it has written to its standard error output. */
  complaints = '';
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #said: string[] = [];

  /** @param steps as the program describes them */
  constructor(options: TaskServiceOptions, ...steps: string[]) {
    const child = spawn(process.execPath, [path, JSON.stringify(options), ...steps], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.complaints += text;
    });
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.exit = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
    this.#child = child;
  }

  /** Waits until it has said something that starts so, and returns the rest of that. What else it says is kept for later. */
  async says(start: string): Promise<string> {
    for (;;) {
      const found = this.#said.findIndex((line) => line.startsWith(start));
      if (found >= 0) return this.#said.splice(found, 1)[0].slice(start.length).trim();
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`The program ended and did not say '${start}'. ${this.complaints}`);
      this.#said.push(value);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it at once. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exit;
  }
}
