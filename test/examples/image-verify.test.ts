import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load, run } from 'millrace';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importFlow, importInputs } from '../../examples/image-import/flow.js';

const CHUNK = 64 * 1024;
const ENGINES = ['serial', 'parallel'] as const;

interface Place {
  folder: string;
  image: string;
  inputs: ReturnType<typeof importInputs>;
}

const test = suite<Place>('what an import verifies');

test.before.each((place) => {
  place.folder = mkdtempSync(join(tmpdir(), 'image-verify-test-'));
  place.image = join(place.folder, 'disk.img');
  writeFileSync(place.image, randomBytes(3 * CHUNK + 7));
  place.inputs = importInputs(place.image, statSync(place.image).size, join(place.folder, 'store'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

type ErrorWithCode = Error & { code?: string };

interface Undo {
  readonly after: string;
  run(): void;
}

/** Runs the import, with something done to a file once the task `stage` has succeeded; gives what it failed with. */
async function failureAfter(stage: string, { inputs }: Place, harm: () => void, undo?: Undo): Promise<ErrorWithCode> {
  await using engine = load(importFlow(inputs.size, CHUNK), { inputs, engine: 'serial' });
  engine.on('task', ({ name, state }) => {
    if (name === stage && state === 'SUCCESS') harm();
    if (name === undo?.after && state === 'SUCCESS') undo.run();
  });
  try {
    await engine.run();
  } catch (error) {
    return (error instanceof AggregateError ? error.errors[0] : error) as Error;
  }
  return assert.unreachable('Expected the import to fail') as never;
}

/** Changes a file, whose length stays the same. */
function edit(path: string, change: (content: Buffer) => void): void {
  const content = readFileSync(path);
  change(content);
  writeFileSync(path, content);
}

const listing = (folder: string) => (readdirSync(folder, { recursive: true }) as string[]).sort();

for (const stage of ['sha256', 'sha512']) {
  for (const [which, at] of [
    ['first', 0],
    ['last', -1],
  ] as const) {
    test(`a ${which} byte that changes after ${stage} is found out, and nothing is left`, async (place) => {
      const before = listing(place.folder);
      const error = await failureAfter(stage, place, () =>
        edit(place.image, (content) => {
          content[at === 0 ? 0 : content.length - 1] ^= 1;
        }),
      );
      assert.is(error.code, 'ERR_IMAGE_CHANGED');
      assert.match(error.message, `chunk ${at === 0 ? 0 : 3}: what was compressed is not what was digested`);
      assert.equal(listing(place.folder), before);
    });
  }
}

test('a file that was another one while its SHA-512 was taken is found out', async (place) => {
  const flip = () =>
    edit(place.image, (content) => {
      content[CHUNK] ^= 1;
    });
  const error = await failureAfter('sha256', place, flip, { after: 'sha512', run: flip });
  assert.match(error.message, 'chunk 1: what was compressed is not what was digested');
});

test('two chunks that change places after they were digested are found out', async (place) => {
  const error = await failureAfter('sha512', place, () =>
    edit(place.image, (content) => {
      const first = Buffer.from(content.subarray(0, CHUNK));
      content.copyWithin(0, CHUNK, 2 * CHUNK);
      first.copy(content, CHUNK);
    }),
  );
  assert.match(error.message, 'chunk 0: what was compressed is not what was digested');
});

test('a member of the archive that is damaged on the disk is found out, and nothing is left', async (place) => {
  const before = listing(place.folder);
  const { workspace } = place.inputs;
  for (const at of [0.1, 0.5, 0.9]) {
    await failureAfter('assemble', place, () =>
      edit(join(workspace, 'image.gz'), (archive) => {
        archive[Math.floor(archive.length * at)] ^= 0x10;
      }),
    );
    assert.equal(listing(place.folder), before);
  }
});

test('zeros behind a member are found out, though gunzip passes over them', async (place) => {
  const error = await failureAfter('compress-1', place, () =>
    writeFileSync(join(place.inputs.workspace, 'part-1.gz'), Buffer.alloc(512), { flag: 'a' }),
  );
  assert.match(error.message, 'chunk 1: what was compressed is not what was digested');
});

test('a member that unpacks to more than its chunk is refused before it fills the memory', async (place) => {
  const { workspace } = place.inputs;
  const error = await failureAfter('compress-3', place, () =>
    writeFileSync(join(workspace, 'part-3.gz'), readFileSync(join(workspace, 'part-0.gz'))),
  );
  assert.is(error.code, 'ERR_BUFFER_TOO_LARGE');
});

for (const engine of ENGINES) {
  test(`the ${engine} engine gives the digests of the whole file, however it is cut`, async ({ image, inputs }) => {
    const content = readFileSync(image);
    const digestOf = (algorithm: string) => createHash(algorithm).update(content).digest('hex');
    const { sha256, sha512, compressedSize, stored } = await run(importFlow(inputs.size, CHUNK), inputs, { engine });
    assert.equal([sha256, sha512], [digestOf('sha256'), digestOf('sha512')]);
    assert.is(statSync(stored.path).size, compressedSize);
  });
}

test.run();
