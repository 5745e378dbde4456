import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { fsck } from '../src/audit/fsck.js';
import { type AuditCrew, openAuditCrew } from '../src/audit/open-crew.js';
import { expectSource } from '../src/audit/source-expectation.js';
import { type VerifyLine, verify } from '../src/audit/verify.js';
import { openLocalContainer } from '../src/container/local-container.js';
import type { MemoryContainer } from '../src/container/memory-container.js';
import type { ThreadSetup } from '../src/engine/thread-runner.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { indexContainer, type ObjectIndex } from '../src/namespace/object-index.js';
import { Pace } from '../src/namespace/pace.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { openPosixSource } from '../src/source/posix-source.js';
import { editNamed, findingLines, makeAudited, segmentsOf } from './support/audited.js';
import { SMALL } from './support/check.js';
import { removeTree } from './support/tree.js';

// A thread runs what was built.
vi.mock('../src/engine/thread-runner.js', async (original) => {
  const real = await original<typeof import('../src/engine/thread-runner.js')>();
  const createThreadRunner = (setup: ThreadSetup<unknown>) =>
    real.createThreadRunner({ ...setup, entry: new URL(setup.entry.href.replace('/src/', '/dist/')) });
  return { ...real, createThreadRunner };
});

const base = mkdtempSync(join(tmpdir(), 'clfs-crew-'));
const directory = join(base, 'container');
const COMPARE = { content: true, sample: 1, timeToleranceNs: 0n };
let source: string;
let whole: MemoryContainer;
let index: ObjectIndex;
beforeAll(async () => {
  ({ source, whole } = await makeAudited(base));
  editNamed(whole, 'file', () => ({ data: Buffer.from('cOntent') }));
  whole.blobs.delete(segmentsOf(whole, 'large')[3]);
  mkdirSync(directory);
  for (const [name, blob] of whole.blobs) writeFileSync(join(directory, name), blob);
  index = await indexContainer(await openLocalContainer(directory));
});
afterAll(() => {
  index.close();
  removeTree(base);
});

async function withCrew<T>(threads: number, use: (crew: AuditCrew, reader: ContainerReader) => Promise<T>): Promise<T> {
  const crew = await openAuditCrew(
    {
      place: { kind: 'local', directory },
      identity: { authorization: { query: '', bearer: '' }, onRenewed: () => undefined, close: () => undefined },
      index,
      reader: new ContainerReader(await openLocalContainer(directory), index, openLz4(), SMALL),
      retryWindowMs: 1000,
      signal: undefined,
      pace: new Pace(),
      traffic: [],
    },
    {
      threads,
      compare: COMPARE,
      source: { path: Buffer.from(source), selection: { excludePaths: [], excludePatterns: [], oneFileSystem: false } },
    },
  );
  try {
    expect(crew.lanes).toBe(threads + 1);
    return await use(crew, new ContainerReader(await openLocalContainer(directory), index, openLz4(), SMALL));
  } finally {
    await crew.close();
  }
}

it.each([0, 1, 3])('a comparison by %i threads finds what one in the calling thread finds', async (threads) => {
  const lines: string[] = [];
  const expectation = expectSource(openPosixSource(Buffer.from(source)));
  const told = ({ mark, path, details }: VerifyLine) =>
    void (mark === '=' || lines.push(`${mark} ${path.toString()} ${details.join()}`));
  const summary = await withCrew(threads, (crew, reader) => verify(expectation, reader, { ...COMPARE, crew }, told));
  expectation.close();
  expect(lines.map((line) => line.replace(/[0-9A-F]{32}/, 'ID')).sort()).toEqual([
    '! a/large The segment ID is not in the container.',
    '* a/file content differs within the 7 bytes from 0 on',
  ]);
  expect(summary).toMatchObject({ same: 38, different: 1, unchecked: 1, contents: 34 });
});

it.each([0, 1, 3])('a check by %i threads finds what one in the calling thread finds', async (threads) => {
  const findings: Parameters<typeof findingLines>[0][number][] = [];
  await withCrew(threads, (crew, reader) =>
    fsck(reader, index, { content: true, crew }, (each) => findings.push(each)),
  );
  expect(findingLines(findings)).toEqual(['error missing-object a/large: The segment ID is not in the container.']);
});
