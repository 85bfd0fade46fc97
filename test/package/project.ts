/** The package as users have it: packed, and installed in an empty project outside of this repository. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));

const quiet = ['--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];

/** A project with the package in it. What else it installs comes from this repository, so that no network is needed. */
export class Project {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-package-')));
  /** The files of the tarball. */
  readonly packed: readonly string[];
  readonly #tarball: string;

  constructor() {
    process.once('exit', () => rmSync(this.folder, { recursive: true, force: true }));
    const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', this.folder];
    const [{ filename, files }] = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8' }));
    this.packed = files.map((file: { path: string }) => file.path);
    this.#tarball = join(this.folder, filename);
    this.write({ 'package.json': JSON.stringify({ name: 'project', private: true, type: 'module' }) });
  }

  /** Installs the package with what it depends on, and packages of this repository by name. */
  install(...names: readonly string[]): void {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const others = [...Object.keys(dependencies), ...names].map((name) => `file:${join(root, 'node_modules', name)}`);
    execFileSync('npm', ['install', '--offline', ...quiet, this.#tarball, ...others], {
      cwd: this.folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  /** Unpacks the package without its dependencies. */
  unpack(): void {
    const target = join(this.folder, 'node_modules/millrace');
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['-xzf', this.#tarball, '-C', target, '--strip-components=1']);
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), text);
    }
  }

  /** Runs Node.js, the one that runs this test. */
  node(args: readonly string[], cwd = '.', variables: Readonly<Record<string, string>> = {}): Ended {
    return this.#run(process.execPath, args, cwd, variables);
  }

  /** Runs a command that a package of the project brings. */
  command(name: string, args: readonly string[], cwd = '.'): Ended {
    return this.#run(join(this.folder, 'node_modules/.bin', name), args, cwd);
  }

  #run(file: string, args: readonly string[], cwd: string, variables: Readonly<Record<string, string>> = {}): Ended {
    const { NODE_OPTIONS: _, ...rest } = process.env;
    const env = { ...rest, ...variables };
    const ended = spawnSync(file, args, { cwd: join(this.folder, cwd), env, encoding: 'utf8', timeout: 60_000 });
    return { code: ended.status, stdout: ended.stdout, output: ended.stdout + ended.stderr };
  }
}

/** A process that has ended. `output` is all that it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly output: string;
}

/** A block of code in a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** The name of the file, when the first line is a comment that says it. */
  readonly name: string | undefined;
}

/** The blocks of code of a page, by its path in the repository. */
export function blocksOf(page: string): Block[] {
  return blocksIn(readFileSync(join(root, page), 'utf8'));
}

/** The blocks of code of a text. */
export function blocksIn(markdown: string): Block[] {
  const found = markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms);
  return [...found].map(([, language, text]) => ({
    ...{ language: language!, text: text! },
    name: /^\/\/ (\S+\.[cm]?[jt]s)\n/.exec(text!)?.[1],
  }));
}
