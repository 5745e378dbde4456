import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createManifest } from '../src/audit/create-manifest.js';
import { fsck } from '../src/audit/fsck.js';
import { expectSource } from '../src/audit/source-expectation.js';
import { verify } from '../src/audit/verify.js';
import { storedShare } from '../src/container/content-read.js';
import { Traffic } from '../src/container/traffic.js';
import type { ThreadSetup } from '../src/engine/thread-runner.js';
import { ObjectType } from '../src/format/ids.js';
import { load } from '../src/load/load.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { countListed } from '../src/namespace/count-listed.js';
import { indexContainer } from '../src/namespace/object-index.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { type OpenReader, openReader } from '../src/open-reader.js';
import { openPosixSource } from '../src/source/posix-source.js';
import { SMALL } from './support/check.js';
import { loadSmall, objectNames } from './support/small-container.js';
import { removeTree, someBytes } from './support/tree.js';

// A thread runs what was built.
vi.mock('../src/engine/thread-runner.js', async (original) => {
  const real = await original<typeof import('../src/engine/thread-runner.js')>();
  const createThreadRunner = (setup: ThreadSetup<unknown>) =>
    real.createThreadRunner({ ...setup, entry: new URL(setup.entry.href.replace('/src/', '/dist/')) });
  return { ...real, createThreadRunner };
});

const base = mkdtempSync(join(tmpdir(), 'clfs-content-progress-'));
afterAll(() => removeTree(base));
const tree = join(base, 'tree');
const container = join(base, 'container');
const COMPARE = { content: true, sample: 1, timeToleranceNs: 0n };
const MIB = 1048576;

beforeAll(async () => {
  mkdirSync(join(tree, 'many'), { recursive: true });
  // So that its directory takes a segment of its own.
  for (let file = 0; file < 1500; file++)
    writeFileSync(join(tree, 'many', `${file} is a file with a long name, ${'x'.repeat(100)}`), '');
  writeFileSync(join(tree, 'empty'), '');
  writeFileSync(join(tree, 'small'), someBytes(1000, 1));
  writeFileSync(join(tree, 'incompressible'), someBytes(10 * MIB + 5, 2));
  writeFileSync(join(tree, 'compressible'), Buffer.alloc(20 * MIB, 'all the same '));
  mkdirSync(container);
  const statePath = mkdtempSync(join(base, 'state-'));
  const { status } = await load({ source: tree, destination: container, statePath, compression: 'LZ4' });
  expect(status).toBe('Completed');
});

async function shareAfter(
  threads: number,
  run: (
    open: OpenReader,
    listed: Awaited<ReturnType<OpenReader['index']>>,
    crew: Awaited<ReturnType<OpenReader['crew']>>,
  ) => Promise<unknown>,
) {
  const open = await openReader(container);
  try {
    const listed = await open.index();
    const { contentBytes } = await countListed(listed.index, listed.reader);
    const crew = await open.crew(listed.index, {
      threads,
      compare: COMPARE,
      source: { path: Buffer.from(tree), selection: { excludePaths: [], excludePatterns: [], oneFileSystem: false } },
    });
    try {
      await run(open, listed, crew);
    } finally {
      await crew.close();
    }
    return { ...storedShare(open.contentRead(), contentBytes), contentBytes };
  } finally {
    await open.close();
  }
}

const VERBS = {
  fsck: async (_open, { reader, index }, crew) => {
    const { errors } = await fsck(reader, index, { content: true, crew }, () => undefined);
    expect(errors).toBe(0);
  },
  manifest: async (_open, { reader }, crew) => {
    for await (const { error } of createManifest(reader, { hash: true, crew })) expect(error).toBeUndefined();
  },
  verify: async (_open, { reader }, crew) => {
    const expectation = expectSource(openPosixSource(Buffer.from(tree)));
    const summary = await verify(expectation, reader, { ...COMPARE, crew }, () => undefined);
    expectation.close();
    expect([summary.different, summary.unchecked, summary.missing, summary.extra]).toEqual([0, 0, 0, 0]);
  },
} satisfies Record<string, Parameters<typeof shareAfter>[1]>;

it.each(Object.keys(VERBS) as (keyof typeof VERBS)[])(
  'in the end %s has read as many bytes as the listing has, whoever read them',
  async (verb) => {
    for (const threads of [0, 2]) {
      const { bytes, bytesTotal, contentBytes } = await shareAfter(threads, VERBS[verb]);
      expect(bytes).toBe(bytesTotal);
      // Stored, not taken out: most of it is compressed away.
      expect(bytes).toBeGreaterThan(5 * MIB);
      expect(bytes).toBeLessThan(12 * MIB);
      // The segment of a directory is no content.
      expect(contentBytes).toBeGreaterThan(bytes);
    }
  },
);

it('what is read of a large file is told while it is read', async () => {
  const source = join(base, 'one');
  mkdirSync(source);
  writeFileSync(join(source, 'large'), someBytes(40 * SMALL.fileSegmentBytes, 3));
  const memory = await loadSmall(source, base);
  const index = await indexContainer(memory);
  const traffic = new Traffic(1);
  const segments = new Set(objectNames(memory, ObjectType.segment));
  const shares: number[] = [];
  let listed = 0;
  const get = memory.get.bind(memory);
  memory.get = async (name, limit) => {
    if (segments.has(name)) shares.push(storedShare(traffic.totals(), listed).bytes);
    return get(name, limit);
  };
  const reader = new ContainerReader(memory, index, openLz4(), SMALL, undefined, undefined, traffic);
  listed = (await countListed(index, reader)).contentBytes;
  for await (const { error } of createManifest(reader, { hash: true })) expect(error).toBeUndefined();
  expect(storedShare(traffic.totals(), listed)).toEqual({ bytes: listed, bytesTotal: listed });
  expect(new Set(shares).size).toBeGreaterThan(5);
  expect([...shares].sort((a, b) => a - b)).toEqual(shares);
  index.close();
});

it('what need not be compared is taken off what there is', async () => {
  const source = join(base, 'differs');
  mkdirSync(source);
  for (const name of ['first', 'second']) writeFileSync(join(source, name), someBytes(40 * SMALL.fileSegmentBytes, 3));
  const memory = await loadSmall(source, base);
  writeFileSync(join(source, 'first'), 'another length');
  const index = await indexContainer(memory);
  const traffic = new Traffic(1);
  const reader = new ContainerReader(memory, index, openLz4(), SMALL, undefined, undefined, traffic);
  const { contentBytes } = await countListed(index, reader);
  const expectation = expectSource(openPosixSource(Buffer.from(source)));
  const { different } = await verify(expectation, reader, COMPARE, () => undefined);
  expectation.close();
  expect(different).toBe(1);
  const { bytes, bytesTotal = 0 } = storedShare(traffic.totals(), contentBytes);
  expect(bytes / contentBytes).toBeCloseTo(0.5, 2);
  expect(bytesTotal / bytes).toBeCloseTo(1, 2);
  index.close();
});
