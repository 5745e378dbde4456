import { execFileSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { parseExportChoice } from '../src/export/choice.js';
import { SYSTEM_CALLS, type TargetCalls } from '../src/export/target/target-calls.js';
import { decodeSegment } from '../src/format/segment.js';
import { PosixError } from '../src/posix/posix-error.js';
import { exportSmall, type SmallExport } from './support/export-small.js';
import { loadSmall, objectBody, objectNames } from './support/small-container.js';
import { isRoot, removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-export-links-'));
afterAll(() => removeTree(base));
const NAMES = ['a', 'b', 'zz'];
const CONTENT = someBytes(9000, 5);

type Overwrite = 'never' | 'if-different' | 'always';

function exportTo(container: MemoryContainer, target: string, overwrite: Overwrite): Promise<SmallExport> {
  return exportSmall(container, base, target, { overwrite });
}

describe('export of a file with three names', () => {
  let container: MemoryContainer;
  beforeAll(async () => {
    const source = join(base, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'a'), CONTENT);
    linkSync(join(source, 'a'), join(source, 'b'));
    linkSync(join(source, 'a'), join(source, 'zz'));
    container = await loadSmall(source, base);
  });

  it.each(NAMES)(
    '--overwrite=never never links to an unrelated file that has the name %s; the other names are links among themselves',
    async (foreign) => {
      const target = mkdtempSync(join(base, 'never-'));
      writeFileSync(join(target, foreign), 'not of the container');
      const summary = await exportTo(container, target, 'never');
      expect(readFileSync(join(target, foreign), 'utf8')).toBe('not of the container');
      expect(statSync(join(target, foreign)).nlink).toBe(1);
      const others = NAMES.filter((name) => name !== foreign);
      for (const name of others) expect(readFileSync(join(target, name)).equals(CONTENT), name).toBe(true);
      expect(new Set(others.map((name) => statSync(join(target, name)).ino)).size).toBe(1);
      // Three names and the root: each counted once.
      expect(summary).toMatchObject({ written: 3, left: 1, failed: 0 });
    },
  );

  it('--overwrite=never counts each entry that is there once', async () => {
    const target = join(base, 'all-there');
    expect(await exportTo(container, target, 'never')).toMatchObject({ written: 4, left: 0, failed: 0 });
    expect(await exportTo(container, target, 'never')).toMatchObject({ written: 1, left: 3, failed: 0 });
  });

  it('after a missing segment no name is written, and each is a failure', async () => {
    const damaged = await loadSmall(join(base, 'source'), base);
    const segments = objectNames(damaged, 8).filter(
      (name) => decodeSegment(objectBody(damaged, name)).owner.offset > 5000n,
    );
    expect(segments.length).toBeGreaterThan(0);
    for (const name of segments) damaged.blobs.delete(name);
    const target = join(base, 'missing-segment');
    const summary = await exportTo(damaged, target, 'if-different');
    expect(readdirSync(target)).toEqual([]);
    expect(summary).toMatchObject({ written: 1, failed: 3, failures: NAMES });
  });

  it.each(NAMES)(
    'an export that is repeated makes the name %s, which the first had not come to, a link of the others again',
    async (lost) => {
      const target = mkdtempSync(join(base, 'again-'));
      await exportTo(container, target, 'if-different');
      unlinkSync(join(target, lost));
      await exportTo(container, target, 'if-different');
      expect(new Set(NAMES.map((name) => statSync(join(target, name)).ino)).size).toBe(1);
      expect(await exportTo(container, target, 'if-different')).toMatchObject({ written: 1, left: 3 });
    },
  );

  it.each(NAMES)(
    'links the name %s, which is missing, with the others, although these have all their links',
    async (missing) => {
      const target = mkdtempSync(join(base, 'split-'));
      expect((await exportTo(container, target, 'if-different')).failed).toBe(0);
      // As the temporary file of an export that was killed, or somebody else's link.
      linkSync(join(target, missing), join(target, 'elsewhere'));
      unlinkSync(join(target, missing));
      const summary = await exportTo(container, target, 'if-different');
      expect(summary).toMatchObject({ status: 'Completed', failed: 0 });
      expect(summary.written + summary.replaced + summary.left).toBe(NAMES.length + 1);
      expect(new Set(NAMES.map((name) => statSync(join(target, name)).ino)).size).toBe(1);
    },
  );

  it('another file in place of the one that was written is not linked to', async () => {
    const target = join(base, 'replaced');
    let replaced = '';
    const makeLink: TargetCalls['makeLink'] = (...how) => {
      SYSTEM_CALLS.makeLink(...how);
      if (replaced !== '') return;
      replaced = NAMES.find((name) => existsSync(join(target, name))) as string;
      unlinkSync(join(target, replaced));
      writeFileSync(join(target, replaced), 'somebody else');
    };
    await exportSmall(container, base, target, {
      overwrite: 'always',
      internals: { calls: { ...SYSTEM_CALLS, makeLink } },
    });
    expect(replaced).not.toBe('');
    for (const name of NAMES)
      if (name !== replaced) expect(readFileSync(join(target, name)).equals(CONTENT), name).toBe(true);
  });

  it('a name that cannot be replaced is a failure, and the content is not written once more for it', async () => {
    const target = mkdtempSync(join(base, 'immutable-'));
    writeFileSync(join(target, 'b'), 'to be replaced');
    let bytes = 0;
    const calls: TargetCalls = {
      ...SYSTEM_CALLS,
      write: (fd, piece, position) => {
        bytes += piece.length;
        SYSTEM_CALLS.write(fd, piece, position);
      },
      renameAt: (...how) => {
        if (Buffer.from(how[3]).toString() === 'b') throw new PosixError('rename', 1);
        SYSTEM_CALLS.renameAt(...how);
      },
    };
    const summary = await exportSmall(container, base, target, { internals: { calls } });
    expect(summary).toMatchObject({ written: 3, failed: 1, failures: ['b'] });
    expect(bytes).toBe(CONTENT.length);
    expect(readdirSync(target).sort()).toEqual(NAMES);
  });

  it('a file system without links gets files of their own', async () => {
    const target = join(base, 'no-links');
    const makeLink = () => {
      throw new PosixError('link', 1);
    };
    const summary = await exportSmall(container, base, target, { internals: { calls: { ...SYSTEM_CALLS, makeLink } } });
    expect(summary).toMatchObject({ written: 4, failed: 0, linkCopies: 2 });
    expect(readdirSync(target).sort()).toEqual(NAMES);
    for (const name of NAMES) expect(readFileSync(join(target, name)).equals(CONTENT), name).toBe(true);
  });
});

describe.skipIf(!isRoot)('export of a file of which names are on two file systems', () => {
  it('has a file on each of them, says so, and finds them there when it is repeated', async () => {
    const source = join(base, 'two systems');
    for (const directory of ['here', 'there']) mkdirSync(join(source, directory), { recursive: true });
    const names = ['here/a', 'there/b', 'here/c', 'there/d', 'e'];
    writeFileSync(join(source, names[0]), CONTENT);
    for (const name of names.slice(1)) linkSync(join(source, names[0]), join(source, name));
    const container = await loadSmall(source, base);
    const target = join(base, 'two systems target');
    mkdirSync(join(target, 'there'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(target, 'there')]);
    try {
      // The root and two directories count as written each time.
      expect(await exportTo(container, target, 'if-different')).toMatchObject({ written: 8, linkCopies: 1, failed: 0 });
      for (const [index, count] of [3, 2].entries()) {
        const own = names.filter((name) => name.startsWith('there') === (index === 1));
        for (const name of own) expect(readFileSync(join(target, name)).equals(CONTENT), name).toBe(true);
        expect(own.map((name) => statSync(join(target, name)).nlink)).toEqual(new Array(count).fill(count));
      }
      expect(await exportTo(container, target, 'if-different')).toMatchObject({
        written: 3,
        replaced: 0,
        left: 5,
        bytes: 0,
        linkCopies: 1,
      });
    } finally {
      execFileSync('umount', ['-l', join(target, 'there')]);
    }
  });
});

describe('a file with more names than one task deals with', () => {
  const COUNT = 600;
  let source: string;
  let container: MemoryContainer;
  const nameOf = (index: number) => `${index % 2 === 0 ? 'here' : 'there'}/${index}`;
  beforeAll(async () => {
    source = join(base, 'many names');
    for (const directory of ['here', 'there']) mkdirSync(join(source, directory), { recursive: true });
    writeFileSync(join(source, nameOf(0)), CONTENT);
    for (let index = 1; index < COUNT; index++) linkSync(join(source, nameOf(0)), join(source, nameOf(index)));
    container = await loadSmall(source, base);
  });

  it('has each copy told where there are no links', async () => {
    const target = join(base, 'many names without links');
    const makeLink = () => {
      throw new PosixError('link', 1);
    };
    const summary = await exportSmall(container, base, target, { internals: { calls: { ...SYSTEM_CALLS, makeLink } } });
    expect(summary).toMatchObject({ status: 'Completed', written: COUNT + 3, linkCopies: COUNT - 1 });
  });

  it.skipIf(!isRoot)('is one file on each of two file systems', async () => {
    const target = join(base, 'many names on two');
    mkdirSync(join(target, 'there'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(target, 'there')]);
    try {
      const summary = await exportTo(container, target, 'if-different');
      expect(summary).toMatchObject({ status: 'Completed', written: COUNT + 3, linkCopies: 1 });
      for (const index of [0, 1]) expect(statSync(join(target, nameOf(index))).nlink).toBe(COUNT / 2);
    } finally {
      execFileSync('umount', ['-l', join(target, 'there')]);
    }
  });

  it.skipIf(!isRoot)('is that whatever order its names come in', async () => {
    const DIRECTORIES = 30;
    const NAMES_IN_EACH = 33;
    const places = Array.from({ length: DIRECTORIES }, (_, index) => `${index % 2 === 0 ? 'here' : 'there'}/${index}`);
    const tree = join(base, 'names in many directories');
    for (const place of places) mkdirSync(join(tree, place), { recursive: true });
    writeFileSync(join(tree, 'here/0/0'), CONTENT);
    for (let index = 1; index < DIRECTORIES * NAMES_IN_EACH; index++)
      linkSync(join(tree, 'here/0/0'), join(tree, places[index % DIRECTORIES], String(index)));
    const target = join(base, 'names in many directories on two');
    mkdirSync(join(target, 'there'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(target, 'there')]);
    try {
      const summary = await exportTo(await loadSmall(tree, base), target, 'if-different');
      expect(summary).toMatchObject({ status: 'Completed', linkCopies: 1 });
      const links = (path: string) => statSync(join(target, path)).nlink;
      expect([links('here/0/0'), links('there/1/1')]).toEqual([495, 495]);
    } finally {
      execFileSync('umount', ['-l', join(target, 'there')]);
    }
  });
});

describe('on a file system that keeps times to the second', () => {
  const coarse: TargetCalls = {
    ...SYSTEM_CALLS,
    setTimes: (at, name, atime, mtime) =>
      SYSTEM_CALLS.setTimes(at, name, { ...atime, nanoseconds: 0 }, { ...mtime, nanoseconds: 0 }),
    setTimesFd: (fd, atime, mtime) =>
      SYSTEM_CALLS.setTimesFd(fd, { ...atime, nanoseconds: 0 }, { ...mtime, nanoseconds: 0 }),
  };
  it.each([
    ['a large file with several names', 30_000, 3],
    ['a file with more names than one task deals with', 900, 300],
  ])('%s is written once, and has all its names', async (what, sizeBytes, count) => {
    const source = join(base, `coarse ${what}`);
    mkdirSync(source);
    const content = someBytes(sizeBytes, 1);
    writeFileSync(join(source, 'n0'), content);
    for (let name = 1; name < count; name++) linkSync(join(source, 'n0'), join(source, `n${name}`));
    utimesSync(join(source, 'n0'), 1_000_000.5, 1_000_000.5);
    const container = await loadSmall(source, base);
    const target = join(base, `coarse target ${what}`);
    const controller = new AbortController();
    let written = 0;
    const write: TargetCalls['write'] = (fd, bytes, position) => {
      written += bytes.length;
      if (written > 10 * sizeBytes) controller.abort();
      SYSTEM_CALLS.write(fd, bytes, position);
    };
    const summary = await exportSmall(container, base, target, {
      signal: controller.signal,
      internals: { calls: { ...coarse, write } },
    });
    expect(summary).toMatchObject({ status: 'Completed', written: count + 1, bytes: sizeBytes });
    expect(written).toBe(sizeBytes);
    expect(statSync(join(target, 'n0')).nlink).toBe(count);
    expect(readFileSync(join(target, 'n0')).equals(content)).toBe(true);
    expect(readdirSync(target).length).toBe(count);
  });
});

describe('a directory of which a piece is missing', () => {
  it('is closed only when its entries have been written: none gets into another directory', async () => {
    const source = join(base, 'pieces');
    mkdirSync(join(source, 'wide'), { recursive: true });
    for (let i = 0; i < 40; i++)
      writeFileSync(join(source, 'wide', `entry ${i} ${'y'.repeat(30)}`), someBytes(9000, i));
    const container = await loadSmall(source, base);
    const wide = objectNames(container, 8).filter(
      (name) => decodeSegment(objectBody(container, name)).kind === 'directory',
    );
    expect(wide.length).toBeGreaterThan(2);
    container.blobs.delete(wide[wide.length - 1]);
    container.blobs.delete(wide[0]);
    const get = container.get.bind(container);
    let underWay = 0;
    // Segments of files come late, so that entries are under way when the missing piece is met.
    container.get = async (name, limit) => {
      if (!/\.0008\./.test(name) || decodeSegment(objectBody(container, name)).kind === 'directory')
        return get(name, limit);
      underWay++;
      await new Promise((resolve) => setTimeout(resolve, 20));
      underWay--;
      return get(name, limit);
    };
    const target = join(base, 'pieces-target');
    const failures: string[] = [];
    const summary = await exportSmall(container, base, target, {
      onFailure: (path, _reason, message) => failures.push(`${path.toString()}: ${message}`),
    });
    expect(underWay).toBe(0);
    expect(failures).toEqual([expect.stringMatching(/^wide: .*is not in the container/)]);
    const written = readdirSync(join(target, 'wide'));
    expect(written.length).toBeGreaterThan(0);
    expect(summary.written).toBe(written.length + 1);
    for (const name of written) expect(statSync(join(target, 'wide', name)).size).toBe(9000);
  });
});

describe('a target in which other names are links', () => {
  const TIME = 1_000_000_000;
  const make = (tree: string, groups: readonly (readonly string[])[]) => {
    mkdirSync(tree);
    for (const [first, ...others] of groups) {
      writeFileSync(join(tree, first), 'same');
      utimesSync(join(tree, first), TIME, TIME);
      for (const other of others) linkSync(join(tree, first), join(tree, other));
    }
  };

  it.each([
    ['a group and a file alone', [['a', 'c'], ['x']], [['c', 'x']]],
    [
      'two groups',
      [
        ['a', 'c'],
        ['b', 'd'],
      ],
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    ['files alone', [['a'], ['b']], [['a', 'b']]],
    ['a group whose file has a name elsewhere', [['a', 'b', 'c']], [['a', 'b', 'elsewhere']]],
  ])(
    'has the links of the container after an export, and is left as it is by the next: %s',
    async (what, has, there) => {
      const [source, target] = ['source', 'target'].map((tree) => join(base, `${tree} ${what}`));
      make(source, has);
      make(target, there);
      const container = await loadSmall(source, base);
      expect(await exportTo(container, target, 'if-different')).toMatchObject({ status: 'Completed', failed: 0 });
      const inodeOf = (name: string) => statSync(join(target, name)).ino;
      for (const group of has)
        for (const name of group) {
          expect(statSync(join(target, name)).nlink, name).toBe(group.length);
          expect(inodeOf(name), name).toBe(inodeOf(group[0]));
        }
      expect(await exportTo(container, target, 'if-different')).toMatchObject({ written: 1, left: has.flat().length });
    },
  );

  it.each([
    ['of which one is left out', 3, '*n1'],
    ['that are more than a task deals with', 300, undefined],
  ])('names %s stay when the export is repeated', async (what, count, excluded) => {
    const source = join(base, `kept ${what}`);
    make(source, [Array.from({ length: count }, (_, name) => `n${name}`)]);
    const container = await loadSmall(source, base);
    const choice = excluded === undefined ? undefined : parseExportChoice('', '', excluded);
    const target = join(base, `kept target ${what}`);
    const repeat = () => exportSmall(container, base, target, { overwrite: 'if-different', choice });
    const { written } = await repeat();
    expect(await repeat()).toMatchObject({ written: 1, replaced: 0, left: written - 1, bytes: 0 });
  });
});
