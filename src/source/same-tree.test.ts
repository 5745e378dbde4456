import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPosixSource } from './posix-source.js';
import { differenceFrom, evidenceOf } from './same-tree.js';
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
    renameSync(join(root, 'file'), join(root, 'former'));
    writeFileSync(join(root, 'file'), '');
    expect(differenceFrom(evidence, open(root))).toContain('"file" is another entry there');
    rmSync(join(root, 'file'));
    rmSync(join(root, 'directory'), { recursive: true });
    expect(differenceFrom(evidence, open(root))).toContain('is not there');
  });
});

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

  it('are called by a path where they are not known, and by their number once a directory was opened by it', () => {
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
    source.openDirectory(path, { device: '7:7', inode, bornNs: 0n });
    expect(source.openDirectory(empty).attributesOf(path).device).toBe('7:7');
  });
});
