import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type Delay, rememberFirst, withAsyncSide } from '../../test/support/async-source.js';
import { MemoryContainer } from '../container/memory-container.js';
import { GEOMETRY } from '../format/geometry.js';
import { ObjectType, ROOT_ID, targetManagerOf } from '../format/ids.js';
import { packAttributes } from '../format/packed-attributes.js';
import { openLz4 } from '../lz4/lz4.js';
import { openPosixSource } from '../source/posix-source.js';
import { EVERYTHING } from '../source/selection.js';
import type { SourceTree } from '../source/source-tree.js';
import { systemClock } from '../time/clock.js';
import { askToStop, createContext, type WorkContext } from './context.js';
import { toAttributes } from './file-attributes.js';
import { loadFiles } from './load-files.js';
import { loadSegments } from './load-large.js';
import { EntryPacker } from './packed-entries.js';
import type { DirectoryPlace, FilesPart, FilesTask, JobConstants, LargeFile } from './tasks.js';

const MIB = 1048576;
/** As long after a change no look at a remote file is made again. */
const SETTLED_MS = 600;
const MANAGER = targetManagerOf(ROOT_ID);
const CONSTANTS = {
  spec: { compression: 'DISABLED', selection: EVERYTHING, preserveHardLinks: false },
  secret: Buffer.alloc(16, 1),
  containerId: 1,
  fsid: 1,
  geometry: GEOMETRY,
} as unknown as JobConstants;
const base = mkdtempSync(join(tmpdir(), 'clfs-load-slow-'));
afterAll(() => rmSync(base, { recursive: true }));

/** A lane whose source takes its time. */
function laneOf(path: string, delay: Delay): WorkContext {
  const source = withAsyncSide(openPosixSource(Buffer.from(path)), delay, true);
  return createContext(CONSTANTS, source, new MemoryContainer(), openLz4(), 1);
}

function makeFile(directory: string, name: string, sizeBytes: number): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, name), '');
  truncateSync(join(directory, name), sizeBytes);
}

function placeOf({ source }: WorkContext, path: string): DirectoryPlace {
  const directory = source.openDirectory(Buffer.from(path));
  const { device, inode, bornNs } = directory.attributes();
  directory.close();
  return { path: Buffer.from(path), device, inode, bornNs };
}

/** A chunk of the root with these files. */
function chunkOf(context: WorkContext, firstSequence: number, names: readonly string[]): FilesTask {
  const packer = new EntryPacker();
  for (const name of names) packer.add(ObjectType.regular, Buffer.from(name));
  const { count, entries } = packer.take();
  return { place: placeOf(context, ''), directoryHandle: ROOT_ID, firstSequence, count, entries };
}

function largeOf(context: WorkContext, sequence: number, name: string): LargeFile {
  const root = context.source.openDirectory(Buffer.alloc(0));
  const attributes = root.attributesOf(Buffer.from(name));
  root.close();
  return {
    place: placeOf(context, ''),
    sourceName: Buffer.from(name),
    sequence,
    handle: context.ids.handle(sequence, ObjectType.regular, MANAGER, MANAGER),
    backPointers: [ROOT_ID],
    name: Buffer.from(name),
    version: 1,
    generation: 0,
    attributes: packAttributes(toAttributes(attributes, CONSTANTS, Number(attributes.sizeBytes), 1)),
    paths: [],
  };
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo() && tries < 1000; tries++) await sleep(10);
  expect(isSo()).toBe(true);
}

describe('a lane with a slow source', () => {
  it('does not come to a stand when large files have the memory that small ones wait for', async () => {
    vi.stubEnv('UV_THREADPOOL_SIZE', '4');
    const path = join(base, 'stand');
    // To be read with one byte more, so that growth is seen, each takes a third of the memory, and a bit.
    const names = Array.from({ length: 10 }, (_, n) => `eight-${n}`);
    for (const name of names) makeFile(path, name, 8 * MIB);
    makeFile(path, 'large', 24 * MIB);
    // Of what has just changed there are further looks.
    await sleep(SETTLED_MS);
    const calls = { attributes: 0, read: 0 };
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const context = laneOf(path, async (what, call) => {
      await sleep(1);
      if (what !== 'entry') return;
      if (call === 'attributes') calls.attributes++;
      // The first two files are being read until everybody waits for something.
      if (call === 'read' && ++calls.read <= 2) await gate;
    });
    const chunk = (first: number, count: number) =>
      loadFiles(chunkOf(context, 1 + first, names.slice(first, first + count)), context, () => undefined);
    const results: Promise<unknown>[] = [chunk(0, 2)];
    await until(() => calls.read === 2);
    const file = largeOf(context, 100, 'large');
    for (const block of [1, 2])
      results.push(loadSegments({ file, first: block, last: block }, context, () => undefined));
    await until(() => calls.attributes === 4);
    for (let first = 2; first < names.length; first++) results.push(chunk(first, 1));
    await until(() => calls.attributes >= 6);
    open();
    const ends = await Promise.race([Promise.all(results), sleep(30_000)]);
    expect(ends).toHaveLength(11);
    const { blobs } = context.container as MemoryContainer;
    expect(blobs.size).toBe(2 * names.length + 2);
    vi.unstubAllEnvs();
  });

  it('tells what is acknowledged while a call of the source hangs', async () => {
    const path = join(base, 'hang');
    const names = Array.from({ length: 60 }, (_, n) => `${n}`);
    for (const name of names) makeFile(path, name, 7);
    // What has just changed would be looked at several times.
    await sleep(SETTLED_MS);
    let calls = 0;
    // Some files are read, and then nothing is answered any more.
    const context = laneOf(path, () => (++calls > 40 ? new Promise(() => undefined) : sleep(1)));
    const parts: FilesPart[] = [];
    const done = loadFiles(chunkOf(context, 1, names), context, (part) => parts.push(part));
    await until(() => parts.length > 0);
    askToStop(context);
    context.stop.abandoned = true;
    const result = await done;
    const told = parts.reduce((sum, part) => sum + part.done, result.done);
    expect(told).toBeGreaterThan(5);
    expect(result.begun).toBeLessThan(names.length);
    expect(result.broken?.code).toBe('cancelled');
  });

  it('tells what is acknowledged between files that take seconds, where it waits for each call', async () => {
    const path = join(base, 'seconds');
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) makeFile(path, name, 7);
    let nowMs = 1_000_000;
    const clock = { ...systemClock, monotonic: () => nowMs, now: () => Date.now() + 60_000 };
    const source = openPosixSource(Buffer.from(path));
    const lane = createContext(
      CONSTANTS,
      slowToOpen(source, () => (nowMs += 1500)),
      new MemoryContainer(),
      openLz4(),
      1,
      clock,
    );
    const parts: FilesPart[] = [];
    const result = await loadFiles(chunkOf(lane, 1, names), lane, (part) => parts.push(part));
    // Of the last ones the result tells.
    expect(parts.length).toBeGreaterThanOrEqual(2);
    expect(parts.reduce((sum, { done }) => sum + done, result.done)).toBe(4);
    source.close();
  });
});

describe('a file of which the system has in memory what it was', () => {
  it('is read as it is now, and tried as often as any other', async () => {
    const path = join(base, 'remembered');
    const names = ['same', 'grown', 'shrunk', 'restless'];
    for (const name of names) makeFile(path, name, 9);
    await sleep(SETTLED_MS);
    let reads = 0;
    const rewrite = (name: string, sizeBytes: number) => {
      writeFileSync(join(path, name), Buffer.alloc(sizeBytes, 'now '));
      // As if it had been long ago, as far as its time of modification goes.
      utimesSync(join(path, name), 1, 1);
    };
    let next = 0;
    const source = withAsyncSide(
      openPosixSource(Buffer.from(path)),
      async (_, call) => {
        // Two of three times that it is read it has changed in the end; what is in memory is not one of them.
        if (call === 'read' && names[next] === 'restless' && ++reads <= 3)
          appendFileSync(join(path, 'restless'), 'more');
      },
      true,
      rememberFirst((file) => file.attributes()),
    );
    const container = new MemoryContainer();
    const lane = createContext(CONSTANTS, source, container, openLz4(), 1);
    const root = source.openDirectory(Buffer.alloc(0));
    for (const name of names) await (await root.async?.openFile(Buffer.from(name)))?.close();
    root.close();
    rewrite('grown', 5000);
    rewrite('shrunk', 4);
    await sleep(SETTLED_MS);
    for (; next < names.length; next++) {
      const { failures, done } = await loadFiles(chunkOf(lane, 1 + next, [names[next]]), lane, () => undefined);
      expect([names[next], done, failures]).toEqual([names[next], 1, []]);
    }
    expect(reads).toBe(4);
    const stored = [...container.blobs.values()].map((blob) => Buffer.from(blob).toString('latin1'));
    expect(stored.some((blob) => blob.includes('now '.repeat(1250)))).toBe(true);
    expect(stored.some((blob) => blob.includes('more'.repeat(3)))).toBe(true);
  });
});

describe('a file that is said to be empty, and is not', () => {
  it.each([false, true])('fails (many calls at once: %s)', async (isAsync) => {
    const path = join(base, `said-${isAsync}`);
    for (const name of ['empty', 'said']) makeFile(path, name, 0);
    await sleep(SETTLED_MS);
    const posix = openPosixSource(Buffer.from(path));
    const source: SourceTree = {
      ...posix,
      async: undefined,
      openDirectory(at, expected) {
        const directory = posix.openDirectory(at, expected);
        const openFile = directory.openFile.bind(directory);
        directory.openFile = (name) => {
          const file = openFile(name);
          if (name.toString() === 'said') file.read = (target) => target.fill(1).length;
          return file;
        };
        return directory;
      },
    };
    const lane = createContext(
      CONSTANTS,
      isAsync ? withAsyncSide(source, async () => undefined, true) : source,
      new MemoryContainer(),
      openLz4(),
      1,
    );
    const { failures, done } = await loadFiles(chunkOf(lane, 1, ['empty', 'said']), lane, () => undefined);
    expect(done).toBe(1);
    expect(failures).toMatchObject([{ index: 1, reason: 'entry-changed' }]);
    posix.close();
  });
});

/** A source of which it takes long to open a file. */
function slowToOpen(source: SourceTree, opens: () => void): SourceTree {
  return {
    ...source,
    async: undefined,
    openDirectory(path, expected) {
      const directory = source.openDirectory(path, expected);
      const openFile = directory.openFile.bind(directory);
      directory.openFile = (name) => {
        opens();
        return openFile(name);
      };
      return directory;
    },
  };
}
