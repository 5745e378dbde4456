import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Open } from '../posix/libc.js';
import { PosixError } from '../posix/posix-error.js';
import { openPosixSource } from './posix-source.js';

const NAME = Buffer.from('file');
const world = vi.hoisted(() => ({ beforeOpen: (_path: Uint8Array, _flags: number): void => undefined }));
vi.mock('../posix/libc.js', async (importOriginal) => {
  const libc = await importOriginal<typeof import('../posix/libc.js')>();
  return {
    ...libc,
    openAt(at: number, path: Uint8Array, flags: number) {
      world.beforeOpen(path, flags);
      return libc.openAt(at, path, flags);
    },
  };
});
vi.mock('../posix/libc-later.js', async (importOriginal) => {
  const libc = await importOriginal<typeof import('../posix/libc-later.js')>();
  return {
    ...libc,
    async openAtLater(at: number, path: Uint8Array, flags: number) {
      world.beforeOpen(path, flags);
      return libc.openAtLater(at, path, flags);
    },
  };
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'clfsload-leased-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

it.each(['at once', 'later'])('a file that is waited for is the one that was looked at, by calls %s', async (way) => {
  const path = join(directory, 'file');
  const fifo = join(directory, 'fifo');
  writeFileSync(path, 'content');
  execFileSync('mkfifo', [fifo]);
  let swaps = 0;
  world.beforeOpen = (opened, flags) => {
    if (NAME.equals(opened) && flags & Open.nonBlock) throw new PosixError('open', constants.errno.EWOULDBLOCK);
    if (flags & (Open.nonBlock | Open.path | Open.directory)) return;
    // Whoever has the lease hears that somebody wants the file.
    renameSync(fifo, path);
    swaps++;
    // Who waits for the FIFO all the same does not wait for ever.
    spawn('sh', ['-c', 'sleep 1; timeout 1 sh -c ": >file"'], { cwd: directory });
  };
  const source = openPosixSource(Buffer.from(directory));
  const opened = source.openDirectory(Buffer.alloc(0));
  const file = await ((way === 'later' && opened.async) || opened).openFile(NAME);
  expect(swaps).toBe(1);
  expect((await file.attributes()).sizeBytes).toBe(7n);
  await file.close();
  opened.close();
  source.close();
});
