import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { PosixError } from '../posix/posix-error.js';
import { openTarget } from './open-target.js';

const disk = vi.hoisted(() => ({ syncs: 0, fails: false }));
vi.mock('../posix/libc-later.js', async (importOriginal) => {
  const libc = await importOriginal<typeof import('../posix/libc-later.js')>();
  return {
    ...libc,
    async syncFileSystemLater() {
      disk.syncs++;
      if (disk.fails) throw new PosixError('sync', 5);
    },
  };
});

const base = mkdtempSync(join(tmpdir(), 'clfs-open-target-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

it('a target that is made is durable before a state can name it', async () => {
  const path = join(base, 'made');
  (await openTarget(Buffer.from(path), true)).close();
  expect(disk.syncs).toBe(1);
  (await openTarget(Buffer.from(path), true)).close();
  expect(disk.syncs).toBe(1);
});

it('a target that cannot be made durable is refused, and nothing of it is left', async () => {
  const path = join(base, 'refused');
  const before = readdirSync('/proc/self/fd').length;
  disk.fails = true;
  await expect(openTarget(Buffer.from(path), true)).rejects.toThrow(/^Cannot write to .*refused": sync: /);
  disk.fails = false;
  expect(existsSync(path)).toBe(false);
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});
