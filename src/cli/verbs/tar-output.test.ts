import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { toTar } from './tar-output.js';
import type { VerbIo } from './verb.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-tar-output-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const disk = vi.hoisted(() => ({ synced: [] as string[], fails: false }));
afterEach(() => {
  disk.fails = false;
});

/** A disk that may fail when what was written is made durable. */
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const open = async (...how: Parameters<typeof real.open>): Promise<FileHandle> => {
    const handle = await real.open(...how);
    const sync = handle.sync.bind(handle);
    handle.sync = () => {
      disk.synced.push(readlinkSync(`/proc/self/fd/${handle.fd}`) + (how[1] === 'r' ? '/' : ''));
      return disk.fails ? Promise.reject(new Error('EIO: i/o error, fsync')) : sync();
    };
    return handle;
  };
  return { ...real, open };
});

const io = {} as VerbIo;
const words = async (write: (bytes: Uint8Array) => Promise<void>) => {
  await write(Buffer.from('words'));
  return 'written';
};

it('a tar is durable when it is told as written, and so is its name, where a symlink leads to it too', async () => {
  const [file, link] = [join(base, 'below/whole.tar'), join(base, 'link.tar')];
  mkdirSync(join(base, 'below'));
  symlinkSync(file, link);
  expect(await toTar(link, io, words)).toBe('written');
  expect([disk.synced, readFileSync(file, 'utf8')]).toEqual([[file, `${join(base, 'below')}/`], 'words']);
});

it('a disk that cannot make it durable is an error', async () => {
  disk.fails = true;
  await expect(toTar(join(base, 'lost.tar'), io, words)).rejects.toMatchObject({
    code: 'target',
    message: expect.stringMatching(/EIO.* The tar is not complete/),
  });
});

it('what is no file need not be durable', async () => {
  const synced = disk.synced.length;
  expect(await toTar('/dev/null', io, words)).toBe('written');
  expect(disk.synced).toHaveLength(synced);
});
