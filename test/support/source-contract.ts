import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isClfsError } from '../../src/error.js';
import { CURRENT_DIRECTORY, setTimes } from '../../src/posix/libc.js';
import type {
  AsyncSourceDirectory,
  AsyncSourceFile,
  DirectoryIdentity,
  SourceAttributes,
  SourceDirectory,
  SourceTree,
} from '../../src/source/source-tree.js';

/** A source as one of its two ways of calling shows it. */
interface CalledSource {
  openDirectory(path: Buffer, expected?: DirectoryIdentity): Promise<CalledDirectory>;
}

type CalledDirectory = Pick<AsyncSourceDirectory, 'attributes' | 'attributesOf' | 'list' | 'openFile' | 'readLink'> & {
  close(): void;
};

/** The ways of calling a source. */
export const WAYS: Readonly<Record<'synchronous' | 'asynchronous', (source: SourceTree) => CalledSource>> = {
  synchronous: (source) => ({
    openDirectory: async (path, expected) => synchronous(source.openDirectory(path, expected)),
  }),
  asynchronous: (source) => ({
    async openDirectory(path, expected) {
      if (!source.async) throw new Error('The source has no asynchronous side.');
      const directory = await source.async.openDirectory(path, expected);
      const { async } = directory;
      if (!async) throw new Error('A directory of the source has no asynchronous side.');
      return {
        attributes: (fresh) => async.attributes(fresh),
        attributesOf: (name) => async.attributesOf(name),
        list: () => async.list(),
        openFile: (name) => async.openFile(name),
        readLink: (name) => async.readLink(name),
        close: () => directory.close(),
      };
    },
  }),
};

function synchronous(directory: SourceDirectory): CalledDirectory {
  return {
    attributes: async (fresh) => directory.attributes(fresh),
    attributesOf: async (name) => directory.attributesOf(name),
    async *list() {
      yield* directory.list();
    },
    async openFile(name): Promise<AsyncSourceFile> {
      const file = directory.openFile(name);
      return {
        attributes: async (fresh) => file.attributes(fresh),
        isUnchanged: async (before) => file.isUnchanged(before),
        read: async (target, position, enough) => file.read(target, position, enough),
        close: async () => file.close(),
      };
    },
    readLink: async (name) => directory.readLink(name),
    close: () => directory.close(),
  };
}

const ROOT = Buffer.alloc(0);
const reasonOf = async (what: Promise<unknown>): Promise<string> => {
  const error = await what.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return isClfsError(error, 'entry') ? (error.reason ?? '') : `no failure of an entry: ${String(error)}`;
};

/**
 * What every source over a directory of the machine does, in the way of calling that is given.
 *
 * @param open a source over the directory at `path`
 */
export function sourceContract(way: keyof typeof WAYS, open: (path: string) => SourceTree): void {
  let base: string;
  let source: SourceTree;
  let called: CalledSource;
  const inBase = (...names: string[]) => join(base, ...names);
  const bytes = (text: string) => Buffer.from(text);
  const root = () => called.openDirectory(ROOT);
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'clfs-source-contract-'));
    source = open(base);
    called = WAYS[way](source);
  });
  afterEach(() => {
    source.close();
    rmSync(base, { recursive: true, force: true });
  });

  it('lists names as bytes, with their types', async () => {
    mkdirSync(inBase('directory'));
    writeFileSync(inBase('file'), '');
    writeFileSync(Buffer.concat([bytes(`${base}/`), Buffer.from([0xff, 0xfe, 0x0a])]), '');
    writeFileSync(inBase('x'.repeat(255)), '');
    symlinkSync('file', inBase('symlink'));
    execFileSync('mkfifo', [inBase('fifo')]);
    const directory = await root();
    const found = new Map<string, number | undefined>();
    for await (const batch of directory.list())
      for (const { name, type } of batch) found.set(name.toString('latin1'), type);
    directory.close();
    expect(found).toEqual(
      new Map([
        ['directory', 2],
        ['file', 1],
        ['\xff\xfe\n', 1],
        ['x'.repeat(255), 1],
        ['symlink', 5],
        ['fifo', 7],
      ]),
    );
  });

  it('lists anew each time, and a large directory whole', async () => {
    for (let n = 0; n < 3000; n++) writeFileSync(inBase(`a-name-that-fills-the-buffer-of-a-listing-${n}`), '');
    const directory = await root();
    for (let time = 0; time < 2; time++) {
      const names = new Set<string>();
      for await (const batch of directory.list()) for (const { name } of batch) names.add(name.toString());
      expect(names.size).toBe(3000);
    }
    // A listing that is left half-way holds nothing open.
    for await (const batch of directory.list()) if (batch.length > 0) break;
    directory.close();
  });

  it('tells attributes exactly, of an entry and of what is open', async () => {
    writeFileSync(inBase('file'), 'content');
    symlinkSync('nowhere', inBase('symlink'));
    const times = [
      { seconds: -7, nanoseconds: 123_456_789 },
      { seconds: 4_000_000_000, nanoseconds: 1 },
    ] as const;
    setTimes(CURRENT_DIRECTORY, bytes(inBase('file')), ...times);
    setTimes(CURRENT_DIRECTORY, bytes(inBase('symlink')), ...times);
    const directory = await root();
    const file = await directory.openFile(bytes('file'));
    for (const found of [await directory.attributesOf(bytes('file')), await file.attributes()])
      expect(found).toMatchObject({
        type: 1,
        sizeBytes: 7n,
        atimeSeconds: -7,
        atimeNanoseconds: 123_456_789,
        mtimeSeconds: 4_000_000_000,
        mtimeNanoseconds: 1,
        linkCount: 1,
        bornNs: 0n,
      });
    // Not followed: the times are its own.
    expect(await directory.attributesOf(bytes('symlink'))).toMatchObject({ type: 5, mtimeSeconds: 4_000_000_000 });
    // Both ways tell the same.
    const other = source.openDirectory(ROOT);
    const self = await directory.attributes();
    const without = ({ atimeNanoseconds: _a, atimeSeconds: _b, ...rest }: SourceAttributes) => rest;
    expect(without(self)).toEqual(without(other.attributes()));
    expect(without(await directory.attributesOf(bytes('file')))).toEqual(without(other.attributesOf(bytes('file'))));
    // What the system knows of an open file is that, as long as nothing happens to it.
    const known = 'knownAttributes' in file ? file.knownAttributes?.() : undefined;
    if (known) expect(without(known)).toEqual(without(await file.attributes()));
    await file.close();
    other.close();
    directory.close();
  });

  it('opens a directory only as the one that it was', async () => {
    mkdirSync(inBase('d'));
    const opened = await called.openDirectory(bytes('d'));
    const { device, inode, bornNs } = await opened.attributes();
    opened.close();
    (await called.openDirectory(bytes('d'), { device, inode, bornNs })).close();
    (await called.openDirectory(bytes('d'), { device: undefined, inode, bornNs: 0n })).close();
    const others: DirectoryIdentity[] = [
      { device, inode: inode + 1n, bornNs },
      { device: '0:0', inode, bornNs },
      ...(bornNs === 0n ? [] : [{ device, inode, bornNs: bornNs + 1n }]),
    ];
    for (const other of others)
      expect(await reasonOf(called.openDirectory(bytes('d'), other))).toBe('directory-changed');
  });

  it('tells a directory that is gone, or none, from one that cannot be read', async () => {
    writeFileSync(inBase('file'), '');
    mkdirSync(inBase('real/below/deep'), { recursive: true });
    symlinkSync('real', inBase('symlink'));
    // A symlink on the way would lead out of the tree.
    const throughSymlink = ['symlink', 'symlink/below', 'symlink/below/deep'];
    for (const path of ['missing', 'missing/below', 'file', 'file/below', ...throughSymlink])
      expect([path, await reasonOf(called.openDirectory(bytes(path)))]).toEqual([path, 'directory-changed']);
    expect(await reasonOf(called.openDirectory(bytes('n'.repeat(300))))).toBe('directory-unreadable');
  });

  it('opens a path of more bytes than the system takes', async () => {
    const name = 'n'.repeat(200);
    const deep = `for (let n = 0; n < 30; n++) { fs.mkdirSync('${name}'); process.chdir('${name}'); } fs.writeFileSync('file', 'deep')`;
    execFileSync(process.execPath, ['-e', deep], { cwd: base });
    const directory = await called.openDirectory(bytes(new Array(30).fill(name).join('/')));
    const file = await directory.openFile(bytes('file'));
    const target = Buffer.alloc(10);
    expect(target.toString('latin1', 0, await file.read(target, 0))).toBe('deep');
    await file.close();
    directory.close();
    execFileSync('rm', ['-rf', inBase(name)]);
  });

  it('reads until the target is full or the file ends', async () => {
    writeFileSync(inBase('file'), '0123456789');
    const directory = await root();
    const file = await directory.openFile(bytes('file'));
    const read = async (count: number, position: number) => {
      const target = Buffer.alloc(count);
      return target.toString('latin1', 0, await file.read(target, position));
    };
    expect([await read(4, 0), await read(4, 8), await read(20, 0), await read(1, 10), await read(0, 3)]).toEqual([
      '0123',
      '89',
      '0123456789',
      '',
      '',
    ]);
    const target = Buffer.alloc(20);
    expect([await file.read(target, 0, 10), await file.read(target.subarray(0, 11), 1, 8)]).toEqual([10, 9]);
    await file.close();
    directory.close();
  });

  it('sees that an open file has changed', async () => {
    writeFileSync(inBase('file'), '0123456789');
    const directory = await root();
    const file = await directory.openFile(bytes('file'));
    const before = await file.attributes();
    expect(await file.isUnchanged(before)).toBe(true);
    appendFileSync(inBase('file'), 'x');
    expect(await file.isUnchanged(before)).toBe(false);
    truncateSync(inBase('file'), 10);
    expect(await file.isUnchanged({ ...(await file.attributes()), ctimeNanoseconds: -1 })).toBe(false);
    await file.close();
    directory.close();
  });

  it('tells an entry that is gone from one of another type', async () => {
    symlinkSync('target', inBase('symlink'));
    writeFileSync(inBase('file'), '');
    const directory = await root();
    const gone = bytes('gone');
    expect((await directory.readLink(bytes('symlink'))).toString()).toBe('target');
    expect(await reasonOf(directory.openFile(gone))).toBe('entry-vanished');
    expect(await reasonOf(directory.attributesOf(gone))).toBe('entry-vanished');
    expect(await reasonOf(directory.readLink(gone))).toBe('entry-vanished');
    expect(await reasonOf(directory.openFile(bytes('symlink')))).toBe('entry-type-changed');
    expect(await reasonOf(directory.readLink(bytes('file')))).toBe('entry-type-changed');
    expect(await reasonOf(directory.openFile(bytes('n'.repeat(300))))).toBe('entry-unreadable');
    directory.close();
  });

  it('looks anew at what is open', async () => {
    mkdirSync(inBase('d'));
    writeFileSync(inBase('file'), 'x');
    const directory = await called.openDirectory(bytes('d'));
    const above = await root();
    const file = await above.openFile(bytes('file'));
    writeFileSync(inBase('d', 'added'), '');
    appendFileSync(inBase('file'), 'y');
    setTimes(CURRENT_DIRECTORY, bytes(inBase('d')), { seconds: 1, nanoseconds: 0 }, { seconds: 2, nanoseconds: 3 });
    expect(await directory.attributes(true)).toMatchObject({ mtimeSeconds: 2, mtimeNanoseconds: 3 });
    expect((await file.attributes(true)).sizeBytes).toBe(2n);
    await file.close();
    above.close();
    directory.close();
  });

  it('reads no directory as a file, and does not wait for a fifo', async () => {
    mkdirSync(inBase('directory'));
    execFileSync('mkfifo', [inBase('fifo')]);
    const directory = await root();
    const opened = await directory.openFile(bytes('directory'));
    expect(await opened.attributes()).toMatchObject({ type: 2 });
    expect(await reasonOf(opened.read(Buffer.alloc(1), 0))).toBe('entry-unreadable');
    await opened.close();
    const fifo = await directory.openFile(bytes('fifo'));
    expect(await fifo.attributes()).toMatchObject({ type: 7 });
    await fifo.close();
    directory.close();
  });

  it('a directory that was open is read on after its name is gone', async () => {
    mkdirSync(inBase('d'));
    writeFileSync(inBase('d', 'file'), 'x');
    const directory = await called.openDirectory(bytes('d'));
    execFileSync('mv', [inBase('d'), inBase('moved')]);
    mkdirSync(inBase('d'));
    const file = await directory.openFile(bytes('file'));
    expect((await file.attributes()).sizeBytes).toBe(1n);
    await file.close();
    directory.close();
  });

  it('an open directory and an open file outlive the calls that are under way when they are closed', async () => {
    mkdirSync(inBase('d'));
    for (let n = 0; n < 40; n++) writeFileSync(inBase('d', `file-${n}`), `content ${n}`);
    const directory = await called.openDirectory(bytes('d'));
    const looks = Array.from({ length: 40 }, (_, n) => directory.attributesOf(bytes(`file-${n}`)));
    const file = await directory.openFile(bytes('file-7'));
    const target = Buffer.alloc(20);
    const read = file.read(target, 0);
    const closed = file.close();
    directory.close();
    // What is opened now gets the numbers of descriptors that are free.
    const others = await Promise.all(Array.from({ length: 8 }, () => root()));
    for (const look of await Promise.all(looks)) expect(look.type).toBe(1);
    expect(target.toString('latin1', 0, await read)).toBe('content 7');
    await closed;
    for (const other of others) other.close();
  });
}
