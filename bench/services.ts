/** The executors of the task service: each carries the same task out, by a service of its own. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTaskService, MemoryTaskRepository, type TaskService, type TaskType, taskType } from 'millrace/service';
import { importType } from '../examples/image-import/import.type.js';
import type { Workload } from './flows.js';
import type { Contender } from './measure.js';

/** A task that is carried out again and again. */
interface Job {
  readonly type: TaskType;
  readonly input?: unknown;
  /** Comes before each time, and is not timed. */
  prepare?(): void;
  /** Takes back what making it has left. */
  remove?(): void;
}

/** How much of a file is imported, in bytes, so that a turn takes about a second. */
const IMPORTED = 24 * 1024 ** 2;
/** Smaller than usual, since the file is: the last chunk keeps one worker waiting for the other. */
const CHUNK_SIZE = 1024 ** 2;

/**
 * The direct executor, and the taskflow executor with both engines. A turn is what a user of the service waits for: the task is
 * recorded, its flow is made, compiled and run, and its end is recorded.
 */
export function executors(make: () => Job | Promise<Job>, workers: number): Contender[] {
  const contender = (name: string, settings: Parameters<typeof createTaskService>[0]): Contender => {
    let job: Job | undefined;
    let service: TaskService | undefined;
    return {
      name,
      async open() {
        job = await make();
        service = await createTaskService({
          types: [job.type],
          repository: new MemoryTaskRepository(),
          handleSignals: false,
          ...settings,
        });
      },
      prepare: () => job?.prepare?.(),
      async run() {
        const { id } = await service!.create(job!.type.name, job!.input);
        await service!.run(id);
        const { status, message } = await service!.get(id);
        if (status !== 'success') throw new Error(`${name}: the task ended in '${status}': ${message}`);
      },
      async close() {
        await service?.close();
        job?.remove?.();
      },
    };
  };
  const task = { executor: 'taskflow' };
  return [
    contender('direct', { task: { executor: 'direct' } }),
    contender('taskflow serial', { task, taskflowExecutor: { engineMode: 'serial' } }),
    contender('taskflow parallel', { task, taskflowExecutor: { engineMode: 'parallel', maxWorkers: workers } }),
  ];
}

/** Imports the first MB of the Node.js binary into an empty store, all in memory if the system has a place for that. */
export async function imageImport(): Promise<Job> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'millrace-bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const path = join(folder, 'image');
    await writeFile(path, await startOf(process.execPath, IMPORTED));
    const root = join(folder, 'store');
    return {
      type: importType({ root, chunkSize: CHUNK_SIZE }),
      input: { path },
      prepare: () => rmSync(root, { recursive: true, force: true }),
      remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Runs a flow, which is made anew for each task, as flows are that depend on their input. */
export function flowOf(workload: Workload): Job {
  return {
    type: taskType(workload.name, {
      flow: () => workload.compose(workload.tasks()),
      inputs: () => workload.inputs,
      result: () => null,
    }),
  };
}

async function startOf(path: string, size: number): Promise<Buffer> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, 0);
  return buffer.subarray(0, bytesRead);
}
