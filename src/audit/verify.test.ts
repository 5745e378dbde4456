import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  blobNamed,
  editAttributes,
  editEntries,
  editNamed,
  editSegment,
  LARGE_FILE_BYTES,
  makeAudited,
  segmentsOf,
} from '../../test/support/audited.js';
import { changed, compareSmall } from '../../test/support/compared.js';
import { copyOf, objectBody, putObject } from '../../test/support/small-container.js';
import { removeTree } from '../../test/support/tree.js';
import type { MemoryContainer } from '../container/memory-container.js';
import type { Asker } from '../engine/asker.js';
import { ClfsError } from '../error.js';
import { decodeInode, encodeInode } from '../format/inode.js';
import { MOST_LINKS } from '../format/limits.js';
import { encodeObjectName } from '../format/names.js';
import type { FileSegment } from '../format/segment.js';
import { openPosixSource } from '../source/posix-source.js';
import { entryFailure } from '../source/source-tree.js';
import type { Expectation, ExpectedDirectory, ExpectedEntry } from './expectation.js';
import { expectSource } from './source-expectation.js';
import { LARGE_BYTES } from './tasks/compare-content.js';
import type { AuditKinds, PassedOver, RangeResult, RangeTask } from './tasks/kinds.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-verify-unit-'));
let whole: MemoryContainer;
let tree: Expectation;
/** The same, called as a slow file system is. */
let slowTree: Expectation;
beforeAll(async () => {
  const { source, whole: loaded } = await makeAudited(base);
  whole = loaded;
  tree = expectSource(openPosixSource(Buffer.from(source)));
  const posix = openPosixSource(Buffer.from(source));
  slowTree = expectSource({
    openDirectory: (path, expected) => posix.openDirectory(path, expected),
    async: posix.async,
    isRemote: true,
    close: () => posix.close(),
  });
});
afterAll(() => {
  tree.close();
  slowTree.close();
  removeTree(base);
});

const ENTRIES = 1 + 3 + 3 + 3 + 30;
const FILES = 2 + 2 + 30;
const named = (name: string) => Buffer.from(name);
const is = (name: Buffer, text: string) => name.toString() === text;
/** The tree with another entry of a name. */
const expecting = (name: string, change: (entry: ExpectedEntry) => Partial<ExpectedEntry>) =>
  changed(tree, (directory) => ({
    async entry(each) {
      const entry = await directory.entry(each);
      return is(each, name) ? { ...entry, ...change(entry) } : entry;
    },
  }));
/** Puts a copy of the linked inode in place of the name in `b`. */
function separateLink(c: MemoryContainer, linkCount = 2, linkCountOfCopy = linkCount): void {
  const { blob, key } = blobNamed(c, 'linked');
  const id = Buffer.from(key.id);
  id[16] ^= 1;
  editAttributes(c, 'linked', () => ({ linkCount }));
  const inode = decodeInode(objectBody(c, blob));
  // An inode says which one it is.
  const blockMap = { ...inode.blockMap, direct: [id, ...inode.blockMap.direct.slice(1)] };
  const attributes = { ...inode.attributes, linkCount: linkCountOfCopy };
  const name = encodeObjectName({ id, type: 1, owner: blobNamed(c, 'b').key.id, version: 9 });
  putObject(c, name, encodeInode({ ...inode, attributes, blockMap }));
  editEntries(c, 'b', (all) =>
    all.map((each) => (is(Buffer.from(each.name), 'linked') ? { ...each, handle: id } : each)),
  );
}

/** What is changed in the container, and every line that is not the same. */
const CASES: Record<string, readonly [(container: MemoryContainer) => void, ...string[]]> = {
  nothing: [() => undefined],
  'an entry less': [(c) => editEntries(c, 'b', (all) => all.filter(({ name }) => name.length !== 4)), '+ b/fifo'],
  'an entry more': [
    (c) => editEntries(c, 'b', (all) => [...all, { name: named('new\n'), handle: all[2].handle }]),
    '- b/new\\x0a',
  ],
  'an entry twice': [
    (c) => editEntries(c, 'b', (all) => [...all, ...all.filter(({ name }) => name.length === 4)]),
    '* b "fifo" is in it twice',
  ],
  'all but the size': [
    (c) =>
      editAttributes(c, 'file', ({ mode }) => ({
        mode: (mode & 0o170000) | 0o4711,
        uid: 7,
        gid: 8,
        mtime: { seconds: 1, nanoseconds: 2 },
      })),
    `* a/file mode 644 in the source, 4711 in the container, uid ${process.getuid?.()} in the source, 7 in the container, gid ${process.getgid?.()} in the source, 8 in the container, modified 2017-07-14 02:40:00.123456789Z in the source, 1970-01-01 00:00:01.000000002Z in the container`,
  ],
  'a time that is none': [
    (c) =>
      editAttributes(c, 'file', ({ mtime }) => ({
        mtime: { seconds: mtime.seconds - 1, nanoseconds: mtime.nanoseconds + 1_000_000_000 },
      })),
    '* a/file modified 2017-07-14 02:40:00.123456789Z in the source, a time of 1123456789 nanoseconds in the container',
  ],
  'bits of another type': [
    (c) => editAttributes(c, 'file', ({ mode }) => ({ mode: (mode & 0o7777) | 0o120000 })),
    '* a/file mode 644 in the source, 120644 in the container',
  ],
  'a size': [
    (c) => editAttributes(c, 'file', () => ({ lengthBytes: 6n })),
    '* a/file size 7 in the source, 6 in the container',
  ],
  'a directory': [
    (c) => editAttributes(c, 'wide', () => ({ uid: 7 })),
    `* wide uid ${process.getuid?.()} in the source, 7 in the container`,
  ],
  'two entries exchanged': [
    (c) => {
      const [symlink, fifo] = ['symlink', 'fifo'].map((name) => blobNamed(c, name).key.id);
      const other = (name: Uint8Array, handle: Uint8Array) =>
        is(Buffer.from(name), 'fifo') ? symlink : is(Buffer.from(name), 'symlink') ? fifo : handle;
      editEntries(c, 'b', (all) => all.map(({ name, handle }) => ({ name, handle: other(name, handle) })));
    },
    '* b/fifo type fifo in the source, symlink in the container',
    '* b/symlink type symlink in the source, fifo in the container',
  ],
  'a file in place of a directory': [
    (c) => {
      const [wide, file] = ['wide', 'file'].map((name) => blobNamed(c, name).key.id);
      editEntries(c, '/', (all) => all.map((each) => (wide.equals(each.handle) ? { ...each, handle: file } : each)));
    },
    '* wide type directory in the source, regular in the container',
  ],
  'a target': [
    (c) => editNamed(c, 'symlink', () => ({ data: named('elsewhere') })),
    '* b/symlink link target "../a/file" in the source, "elsewhere" in the container',
  ],
  'the content of a small file': [
    (c) => editNamed(c, 'file', () => ({ data: named('cOntent') })),
    '* a/file content differs within the 7 bytes from 0 on',
  ],
  'a segment': [
    (c) =>
      editSegment(c, segmentsOf(c, 'large')[1], (each) => ({
        data: Buffer.from((each as FileSegment).data).fill(0, 2499),
      })),
    '* a/large content differs within the 2500 bytes from 3100 on',
  ],
  'an inode less': [
    (c) => void c.blobs.delete(blobNamed(c, 'file').blob),
    '! a/file The inode ID is not in the container.',
  ],
  'a segment less': [
    (c) => void c.blobs.delete(segmentsOf(c, 'large')[0]),
    '! a/large The segment ID is not in the container.',
  ],
  'the inode of a directory less': [
    (c) => void c.blobs.delete(blobNamed(c, 'b').blob),
    '! b The inode ID is not in the container.',
  ],
  'a segment of a directory less': [
    (c) => void c.blobs.delete(segmentsOf(c, 'wide')[0]),
    '! wide The segment ID is not in the container.',
  ],
  'two inodes of one file': [
    (c) => separateLink(c),
    expect.stringMatching(/^\* [ab]\/linked not linked with another name of the same file$/) as unknown as string,
  ],
  'a directory in place of a linked file': [
    (c) => {
      const { key } = blobNamed(c, 'wide');
      editEntries(c, 'b', (all) =>
        all.map((each) => (is(Buffer.from(each.name), 'linked') ? { ...each, handle: key.id } : each)),
      );
    },
    '* b/linked type regular in the source, directory in the container',
  ],
  'a copy in place of a link': [
    (c) => separateLink(c, 2, 1),
    expect.stringMatching(/^\* [ab]\/linked not linked with another name of the same file$/) as unknown as string,
  ],
  'copies alone, as of a load that does not keep links': [(c) => separateLink(c, 1)],
  'two inodes of a file that has more links than one can have': [(c) => separateLink(c, MOST_LINKS)],
};

describe('a comparison', () => {
  it.each(Object.entries(CASES))('sees of %s just that', async (_, [change, ...wanted]) => {
    const container = copyOf(whole);
    change(container);
    const { lines, summary } = await compareSmall(container, tree);
    expect(lines).toEqual([...wanted].sort());
    expect(await compareSmall(container, slowTree)).toEqual({ lines, summary });
    const count = (mark: string) => lines.filter((line) => line.startsWith(mark)).length;
    expect(summary).toMatchObject({
      missing: count('+'),
      extra: count('-'),
      different: count('*'),
      unchecked: count('!'),
    });
    expect(summary.onlyRounding).toBe(false);
  });

  it('counts what it compared, and tells of its progress', async () => {
    const progress: (readonly [number, number])[] = [];
    const { summary } = await compareSmall(whole, tree, { onProgress: (...told) => void progress.push(told) });
    expect(summary).toEqual({
      same: ENTRIES,
      missing: 0,
      extra: 0,
      different: 0,
      unchecked: 0,
      contents: FILES,
      bytes: 7 + LARGE_FILE_BYTES + 2 * 6 + 10 + 2 * 20,
      onlyRounding: false,
    });
    expect(progress.at(-1)).toEqual([ENTRIES, summary.bytes]);
  });

  it('compares no content unless it is wanted, and of a sample of files the same each time', async () => {
    expect((await compareSmall(whole, tree, { content: false })).summary).toMatchObject({ contents: 0, bytes: 0 });
    expect((await compareSmall(whole, tree, { sample: 0 })).summary.contents).toBe(0);
    const { contents } = (await compareSmall(whole, tree, { sample: 0.5 })).summary;
    expect(contents).toBeGreaterThan(0);
    expect(contents).toBeLessThan(FILES);
    expect((await compareSmall(whole, tree, { sample: 0.5 })).summary.contents).toBe(contents);
  });

  it('tells differences of times below a microsecond from all others', async () => {
    const container = copyOf(whole);
    editAttributes(container, 'file', ({ mtime }) => ({ mtime: { ...mtime, nanoseconds: mtime.nanoseconds - 999 } }));
    const { lines, summary } = await compareSmall(container, tree);
    expect(lines).toEqual([
      '* a/file modified 2017-07-14 02:40:00.123456789Z in the source, 2017-07-14 02:40:00.123455790Z in the container',
    ]);
    expect(summary.onlyRounding).toBe(true);
    expect((await compareSmall(container, tree, { timeToleranceNs: 999n })).lines).toEqual([]);
    expect((await compareSmall(container, tree, { timeToleranceNs: 998n })).lines).toHaveLength(1);
    editEntries(container, 'b', (all) => all.filter(({ name }) => name.length !== 4));
    expect((await compareSmall(container, tree)).summary).toMatchObject({
      different: 1,
      missing: 1,
      onlyRounding: false,
    });
  });

  it('passes over owners, modes and times where that is wanted, and compares the content all the same', async () => {
    const container = copyOf(whole);
    editAttributes(container, 'file', ({ uid, mode, mtime }) => ({
      uid: uid + 1,
      mode: mode ^ 0o7,
      mtime: { ...mtime, seconds: mtime.seconds + 1 },
    }));
    editAttributes(container, 'a', ({ gid }) => ({ gid: gid + 1 }));
    const { lines, summary } = await compareSmall(container, tree);
    expect(lines).toHaveLength(2);
    expect(summary.contents).toBe(FILES - 1);
    const told = async (ignored: readonly PassedOver[]) =>
      (await compareSmall(container, tree, { ignored })).lines.map((line) => line.replaceAll(/[^a-z ]/g, ''));
    expect(await told(['owner'])).toEqual([expect.stringMatching(/^ afile mode .* modified /)]);
    expect(await told(['owner', 'mode'])).toEqual([expect.stringMatching(/^ afile modified /)]);
    const all = await compareSmall(container, tree, { ignored: ['owner', 'mode', 'mtime'] });
    expect(all.lines).toEqual([]);
    expect(all.summary.contents).toBe(FILES);
  });

  it('finds what is linked in the container alone', async () => {
    const single = expecting('linked', () => ({ linkKey: undefined }));
    const [first, second] = (await compareSmall(whole, single)).lines;
    expect(first).toBe('* a/linked linked, with a file that has one link in the source');
    expect(second).toBe('* b/linked linked, with a file that has one link in the source');
    const two = changed(tree, (directory, path) => ({
      async entry(name) {
        const entry = await directory.entry(name);
        return is(name, 'linked') ? { ...entry, linkKey: path } : entry;
      },
    }));
    const { lines } = await compareSmall(whole, two);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\* [ab]\/linked linked with what is another file in the source$/);
  });
});

describe('what of the source cannot be read', () => {
  const failure = entryFailure('entry-unreadable', 'permission denied');
  const fail = (): never => {
    throw failure;
  };
  const failing = (change: (directory: ExpectedDirectory, path: string) => Partial<ExpectedDirectory>) =>
    compareSmall(whole, changed(tree, change));

  it('is not checked, and said of each entry', async () => {
    const entry = await failing((directory) => ({
      entry: (name) => (is(name, 'file') ? fail() : directory.entry(name)),
    }));
    expect(entry.lines).toEqual(['! a/file permission denied']);
    const content = await failing((directory) => ({
      content: (name) => (is(name, 'file') ? fail() : directory.content(name)),
    }));
    expect(content.lines).toEqual(['! a/file permission denied']);
    const directory = await failing((_, path) => (path === 'b' ? fail() : {}));
    expect(directory.lines).toEqual(['! b permission denied']);
  });

  it('is a directory whose listing breaks off: what was listed is compared, the rest is not said to be extra', async () => {
    const { lines, summary } = await failing((directory, path) => ({
      async *names() {
        let left = path === 'wide' ? 5 : 1000;
        for await (const name of directory.names()) yield left-- === 0 ? fail() : name;
      },
    }));
    expect(lines).toEqual(['! wide permission denied']);
    expect(summary.same).toBe(ENTRIES - 1 - 25);
  });

  it('ends the comparison where it is no fault of an entry', async () => {
    const outOfDescriptors = new ClfsError('open-files', 'There is no descriptor left.');
    const throwing = changed(tree, (_, path) => {
      if (path === 'wide') throw outOfDescriptors;
      return {};
    });
    await expect(compareSmall(whole, throwing)).rejects.toBe(outOfDescriptors);
    const inEntry = changed(tree, (directory) => ({
      entry(name) {
        if (is(name, 'file')) throw outOfDescriptors;
        return directory.entry(name);
      },
    }));
    await expect(compareSmall(whole, inEntry)).rejects.toBe(outOfDescriptors);
  });

  it('may end before what is expected, or go on behind it', async () => {
    const content = (read: (target: Buffer, position: number) => number) =>
      failing((directory) => ({
        content: (name) =>
          is(name, 'file') ? { kind: 'bytes', read, close: () => undefined } : directory.content(name),
      }));
    expect(
      (await content((target, position) => Buffer.from('content and more').copy(target, 0, position))).lines,
    ).toEqual(['* a/file content ends at 7']);
    const short = (target: Buffer) => Buffer.from('conten').copy(target);
    expect((await content(short)).lines).toEqual(['* a/file content differs within the 7 bytes from 0 on']);
  });
});

describe('a comparison that is ended', () => {
  it('throws the reason of its signal', async () => {
    const reason = new Error('enough');
    await expect(compareSmall(whole, tree, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('waits while lines are written, and ends with what that throws', async () => {
    let drained = 0;
    const drain = async () => {
      drained++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    };
    await compareSmall(whole, tree, { drain });
    expect(drained).toBeGreaterThan(1);
    const failure = new ClfsError('target', 'The disk is full.');
    await expect(compareSmall(whole, tree, { drain: () => Promise.reject(failure) })).rejects.toBe(failure);
  });

  it('is not begun without a root', async () => {
    const container = copyOf(whole);
    container.blobs.delete(blobNamed(container, '/').blob);
    await expect(compareSmall(container, tree)).rejects.toMatchObject({ code: 'not-found' });
  });
});

describe('a large file', () => {
  const SIZE = 2 * LARGE_BYTES + 1;

  /** Compares with lanes that say of `a/file` that it is large, and answer for each of its parts. */
  async function withParts(answer: (task: RangeTask) => Partial<RangeResult>) {
    const tasks: RangeTask[] = [];
    const crew: Asker<AuditKinds> = {
      lanes: 1,
      mayRepeat: false,
      async ask(kind, task): Promise<never> {
        if (kind === 'range') {
          const range = task as RangeTask;
          tasks.push(range);
          return {
            difference: undefined,
            unchecked: undefined,
            bytes: range.endByte - range.firstByte,
            ...answer(range),
          } as never;
        }
        const outcomes = [{ largeBytes: SIZE }];
        return { outcomes, contents: 1, bytes: 0 } as never;
      },
    };
    const container = copyOf(whole);
    editEntries(container, '/', (all) => [
      ...all.slice(0, 2),
      { name: named('file'), handle: blobNamed(container, 'file').key.id },
    ]);
    const names = (directory: ExpectedDirectory) => ({
      *names() {
        yield named('file');
      },
      entry: (): ExpectedEntry => ({ ...directory.self }),
    });
    const plain: Expectation = { ...changed(tree, names), isPlain: true };
    const given = changed(plain, () => ({ content: () => ({ kind: 'unknown' }) }));
    const { lines, summary } = await compareSmall(container, given, { crew });
    return { tasks, lines: lines.filter((line) => line.includes('file')), summary };
  }

  it('is compared in parts, the last of which knows it', async () => {
    const { tasks, lines, summary } = await withParts(() => ({}));
    expect(lines).toEqual([]);
    expect(tasks.map(({ firstByte, endByte, isLast }) => [firstByte, endByte, isLast])).toEqual([
      [0, LARGE_BYTES, false],
      [LARGE_BYTES, 2 * LARGE_BYTES, false],
      [2 * LARGE_BYTES, SIZE, true],
    ]);
    expect(summary).toMatchObject({ contents: 1, bytes: SIZE });
  });

  it('differs where its first part does', async () => {
    const { lines } = await withParts(({ firstByte }) => ({
      difference: firstByte > 0 ? `it differs at ${firstByte}` : undefined,
    }));
    expect(lines).toEqual([`* file it differs at ${LARGE_BYTES}`]);
  });

  it('is not checked where its first part was not', async () => {
    const { lines } = await withParts(({ firstByte }) =>
      firstByte === 0 ? { unchecked: 'no reason' } : { difference: 'x' },
    );
    expect(lines).toEqual(['! file no reason']);
  });
});
