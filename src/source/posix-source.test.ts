import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openPosixSource } from './posix-source.js';
import { parseSelection, selectFrom } from './selection.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-source-'));
afterAll(() => rmSync(base, { recursive: true }));

describe('the root of a source', () => {
  it('is the same directory in every thread, whatever its path has come to lead to', () => {
    const path = join(base, 'source');
    mkdirSync(path);
    writeFileSync(join(path, 'file'), 'the true one');
    const first = selectFrom(openPosixSource(Buffer.from(path)), parseSelection('nothing', '', false));
    renameSync(path, join(base, 'elsewhere'));
    mkdirSync(path);
    const second = openPosixSource(Buffer.from(path), first.root);
    const directory = second.openDirectory(Buffer.alloc(0));
    expect([...directory.list()].flat().map(({ name }) => name.toString())).toEqual(['file']);
    expect(directory.attributes().bornNs).toBe(first.openDirectory(Buffer.alloc(0)).attributes().bornNs);
    directory.close();
    second.close();
    first.close();
  });

  it('opens a directory only as the one that it was', () => {
    const path = join(base, 'other');
    mkdirSync(join(path, 'd'), { recursive: true });
    const source = openPosixSource(Buffer.from(path));
    const opened = source.openDirectory(Buffer.from('d'));
    const { device, inode, bornNs } = opened.attributes();
    opened.close();
    source.openDirectory(Buffer.from('d'), { device, inode, bornNs }).close();
    source.openDirectory(Buffer.from('d'), { device: undefined, inode, bornNs: 0n }).close();
    for (const expected of [
      { device, inode: inode + 1n, bornNs },
      { device: '0:0', inode, bornNs },
    ])
      expect(() => source.openDirectory(Buffer.from('d'), expected)).toThrow('another directory');
    if (bornNs !== 0n)
      expect(() => source.openDirectory(Buffer.from('d'), { device, inode, bornNs: bornNs + 1n })).toThrow('another');
    source.close();
  });
});
