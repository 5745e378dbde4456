import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { MountBelow } from '../posix/mounts.js';
import { openPosixSource } from './posix-source.js';
import { differenceFrom, evidenceOf } from './same-tree.js';
import { EVERYTHING } from './selection.js';
import { pathOfDevice, withDevicesOf } from './shared-devices.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-same-tree-'));
afterAll(() => rmSync(base, { recursive: true }));
const open = (path: string) => openPosixSource(Buffer.from(path));

function makeTree(name: string): string {
  const root = join(base, name);
  mkdirSync(join(root, 'directory'), { recursive: true });
  writeFileSync(join(root, 'file'), '');
  return root;
}

describe('a tree', () => {
  it('is the same by another path, and after more has come into it', () => {
    const root = makeTree('moved');
    const evidence = evidenceOf(open(root));
    renameSync(root, join(base, 'by another path'));
    writeFileSync(join(base, 'by another path', 'further'), '');
    expect(differenceFrom(evidence, open(join(base, 'by another path')))).toBeUndefined();
  });

  it('is another one by its root, and by what is in it', () => {
    const root = makeTree('one');
    const evidence = evidenceOf(open(root));
    expect(differenceFrom(evidence, open(makeTree('another')))).toContain('the root has inode');
    rmSync(join(root, 'directory'), { recursive: true });
    renameSync(join(root, 'file'), join(root, 'former'));
    writeFileSync(join(root, 'file'), '');
    expect(differenceFrom(evidence, open(root))).toMatch(/another tree: .* is (?:another entry|not) there/);
    rmSync(join(root, 'file'));
    expect(differenceFrom(evidence, open(root))).toContain('is not there');
  });

  it('stays the same while some of its entries are written anew, or go', () => {
    const root = makeTree('moving');
    for (const name of ['a', 'b', 'c']) writeFileSync(join(root, name), '');
    const evidence = evidenceOf(open(root));
    for (const name of ['a', 'b']) {
      writeFileSync(join(root, 'new'), '');
      renameSync(join(root, 'new'), join(root, name));
    }
    expect(differenceFrom(evidence, open(root))).toBeUndefined();
    rmSync(join(root, 'c'));
    expect(differenceFrom(evidence, open(root))).toContain('its source is another tree');
  });

  it('must show the same owners, groups and modes, as long as nobody has changed them', () => {
    const root = makeTree('owners');
    const evidence = evidenceOf(open(root));
    const [first, ...others] = evidence.samples;
    const mapped = { ...evidence, samples: [{ ...first, owned: '65534:65534 40755' }, ...others] };
    expect(differenceFrom(mapped, open(root))).toMatch(
      /with owner, group and mode .* the driver's with 65534:65534 40755/,
    );
    const changed = { ctimeSeconds: 1, ctimeNanoseconds: 0 };
    const before = { ...evidence, samples: [{ ...mapped.samples[0], changed }, ...others] };
    expect(differenceFrom(before, open(root))).toBeUndefined();
  });

  it('is another one where its root, or any entry, was last changed before the driver has seen it', () => {
    const root = makeTree('cloned');
    const clone = evidenceOf(open(root));
    const { ctimeSeconds, ctimeNanoseconds } = clone.changed;
    const laterBy = (seconds: number, nanoseconds = 0) => ({
      ctimeSeconds: ctimeSeconds + seconds,
      ctimeNanoseconds: ctimeNanoseconds + nanoseconds,
    });
    const older = /an older state of it .*: the driver has seen a later change of/;
    expect(differenceFrom({ ...clone, changed: laterBy(1) }, open(root))).toMatch(older);
    expect(differenceFrom({ ...clone, changed: laterBy(0, 1) }, open(root))).toMatch(older);
    expect(differenceFrom({ ...clone, changed: laterBy(-1) }, open(root))).toBeUndefined();
    for (const at of clone.samples.keys()) {
      const samples = clone.samples.map((sample, each) => (each === at ? { ...sample, changed: laterBy(9) } : sample));
      expect(differenceFrom({ ...clone, samples }, open(root))).toMatch(older);
    }
    // What a client remembers of an entry is not what its server has.
    const remembers = {
      ...open(root),
      openDirectory: (path: Buffer) => {
        const directory = open(root).openDirectory(path);
        const attributesOf = directory.attributesOf.bind(directory);
        return Object.assign(directory, {
          attributesOf: (name: Buffer) => ({ ...attributesOf(name), ctimeSeconds: 1 }),
        });
      },
    };
    expect(differenceFrom(clone, remembers)).toBeUndefined();
  });

  it('is not seen as a whole where something is not mounted, unless that is left out', () => {
    const root = makeTree('mounted');
    const mounted = join(root, 'directory', 'mounted');
    mkdirSync(mounted);
    const tree = open(root);
    const driver = { ...tree, mounts: () => [mountAt('directory/mounted')] };
    const evidence = evidenceOf(driver);
    expect(differenceFrom(evidence, open(root))).toBeUndefined();
    const selections = [
      ...['directory', 'directory/mounted'].map((path) => ({ ...EVERYTHING, excludePaths: [path] })),
      { ...EVERYTHING, excludePatterns: ['mount*'] },
    ];
    const others = selections.map((selection) => evidenceOf(driver, selection));
    const onOneFileSystem = { ...EVERYTHING, oneFileSystem: true };
    const ofOne = evidenceOf(driver, onOneFileSystem);
    expect(differenceFrom(ofOne, driver, onOneFileSystem)).toBeUndefined();
    // What is there now is what is below the mount point.
    renameSync(mounted, join(base, 'what was mounted'));
    mkdirSync(mounted);
    expect(differenceFrom(evidence, open(root))).toMatch(/lacks what is mounted at "directory\/mounted"/);
    rmSync(mounted, { recursive: true });
    expect(differenceFrom(evidence, open(root))).toMatch(/lacks what is mounted at "directory\/mounted"/);
    for (const [at, other] of others.entries())
      expect(differenceFrom(other, open(root), selections[at])).toBeUndefined();
    // It would load what is below the mount point, which the driver leaves out.
    expect(differenceFrom(ofOne, open(root), onOneFileSystem)).toMatch(/lacks what is mounted/);
  });

  it('is another one where more is mounted, unless that is left out or the system mounts the same everywhere', () => {
    const root = makeTree('more mounted');
    const tree = open(root);
    const evidence = evidenceOf(tree);
    const worker = (...mounts: MountBelow[]) => ({ ...tree, mounts: () => mounts });
    const more = /has something mounted at "directory\/m" that is not mounted there on the driver's machine/;
    expect(differenceFrom(evidence, worker(mountAt('directory/m')))).toMatch(more);
    const without = { ...EVERYTHING, excludePaths: ['directory/m'] };
    expect(differenceFrom(evidence, worker(mountAt('directory/m')), without)).toBeUndefined();
    expect(differenceFrom(evidence, worker({ ...mountAt('directory/m'), isAutomatic: true }))).toBeUndefined();
    const later = { ...mountAt('directory'), isLater: true };
    const mayMount = evidenceOf(worker(later));
    expect(differenceFrom(mayMount, worker(later, mountAt('directory/m')))).toBeUndefined();
    expect(differenceFrom(mayMount, worker(mountAt('file')))).toMatch(/has something mounted at "file"/);
    const all = evidenceOf(worker({ ...later, path: Buffer.alloc(0) }));
    expect(differenceFrom(all, worker(mountAt('file')))).toBeUndefined();
    const onOneFileSystem = { ...EVERYTHING, oneFileSystem: true };
    expect(differenceFrom(evidenceOf(tree, onOneFileSystem), worker(mountAt('directory/m')), onOneFileSystem)).toMatch(
      more,
    );
  });

  it('is compared by files that are mounted, too', () => {
    const root = makeTree('a file mounted');
    const evidence = evidenceOf({ ...open(root), mounts: () => [mountAt('file')] });
    const worker = { ...open(root), mounts: () => [mountAt('file')] };
    expect(differenceFrom(evidence, worker)).toBeUndefined();
    writeFileSync(join(root, 'other'), '');
    renameSync(join(root, 'other'), join(root, 'file'));
    expect(differenceFrom(evidence, worker)).toMatch(/lacks what is mounted at "file"/);
  });
});

function mountAt(path: string): MountBelow {
  return { path: Buffer.from(path), id: path, isLater: false, isAutomatic: false };
}

describe('devices of another machine', () => {
  const empty = Buffer.alloc(0);

  it('stand for those of this one, below the root too', () => {
    const root = makeTree('devices');
    const source = withDevicesOf(open(root), '9:9');
    expect(source.openDirectory(empty).attributes().device).toBe('9:9');
    expect(source.openDirectory(empty).attributesOf(Buffer.from('directory')).device).toBe('9:9');
    const inode = BigInt(statSync(join(root, 'directory')).ino);
    const path = Buffer.from('directory');
    expect(source.openDirectory(path, { device: '9:9', inode, bornNs: 0n }).attributes().inode).toBe(inode);
    // The other machine has a file system there, and this one has not.
    expect(() => source.openDirectory(path, { device: '8:8', inode, bornNs: 0n })).toThrow('on another file system');
    expect(() => source.openDirectory(path, { device: '9:9', inode: inode + 1n, bornNs: 0n })).toThrow(
      'another directory',
    );
  });

  it('are called by a path where they are not known, and by their number in a directory that was opened by it', () => {
    const tree = open(makeTree('mounts'));
    const mounted = {
      ...tree,
      openDirectory: (path: Buffer) => {
        const directory = tree.openDirectory(path);
        const device = (name: Buffer) =>
          Buffer.from('directory').equals(name) ? 'other' : directory.attributes().device;
        return {
          ...directory,
          list: () => directory.list(),
          close: () => directory.close(),
          attributes: () => ({ ...directory.attributes(), device: device(path) }),
          attributesOf: (name: Buffer) => ({ ...directory.attributesOf(name), device: device(name) }),
          readLink: (name: Buffer) => directory.readLink(name),
          openFile: (name: Buffer) => directory.openFile(name),
        };
      },
    };
    const source = withDevicesOf(mounted, '9:9');
    const path = Buffer.from('directory');
    const { device, inode } = source.openDirectory(empty).attributesOf(path);
    expect(pathOfDevice(device)?.toString()).toBe('directory');
    expect(pathOfDevice('9:9')).toBeUndefined();
    const opened = source.openDirectory(path, { device: '7:7', inode, bornNs: 0n });
    expect(opened.attributes().device).toBe('7:7');
    // When it is closed, its number may be that of something else.
    expect(source.openDirectory(empty).attributesOf(path).device).toBe(device);
    expect(source.openDirectory(path, { device: '8:8', inode, bornNs: 0n }).attributes().device).toBe('8:8');
  });
});
