import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CURRENT_DIRECTORY, close, Open, openAt, pathOfOpen } from './libc.js';
import { openBelow, openBelowLater } from './open-below.js';

const FLAGS = Open.readOnly | Open.directory;
const WAYS = {
  'at once, by paths': openBelow,
  'at once, by components': (at: number, path: Buffer, flags: number) => openBelow(at, path, flags, false),
  'in the pool, by paths': openBelowLater,
  'in the pool, by components': (at: number, path: Buffer, flags: number) => openBelowLater(at, path, flags, false),
} as const;

describe.each(Object.entries(WAYS))('opening below a directory, %s', (_, open) => {
  let base: string;
  let root: number;

  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), 'open-below-'));
    mkdirSync(join(base, 'root/a/b/c'), { recursive: true });
    mkdirSync(join(base, 'outside/b/c'), { recursive: true });
    symlinkSync('../outside', join(base, 'root/out'));
    symlinkSync('a', join(base, 'root/inside'));
    root = openAt(CURRENT_DIRECTORY, Buffer.from(join(base, 'root')), FLAGS);
  });

  afterAll(() => {
    close(root);
    rmSync(base, { recursive: true });
  });

  it('opens what is there', async () => {
    for (const path of ['.', 'a', 'a/b', 'a/b/c']) {
      const fd = await open(root, Buffer.from(path), FLAGS);
      expect(pathOfOpen(fd)?.toString()).toBe(join(base, 'root', path));
      close(fd);
    }
  });

  it('follows no symlink, in whatever component', async () => {
    const opening = async (path: string) => open(root, Buffer.from(path), FLAGS);
    for (const path of ['out', 'out/b', 'out/b/c', 'inside', 'inside/b', 'inside/b/c'])
      await expect(opening(path)).rejects.toThrow(/ELOOP|ENOTDIR/);
  });

  it('says what is not there', async () => {
    const opening = async (path: string) => open(root, Buffer.from(path), FLAGS);
    for (const path of ['none', 'a/none', 'a/none/c']) await expect(opening(path)).rejects.toThrow(/ENOENT/);
  });
});
