import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, open, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { poolThreads } from '../src/posix/pool-threads.js';
import { removeTree } from './support/tree.js';

const disk = vi.hoisted(() => ({ fails: false, syncs: 0, held: Promise.resolve() }));
vi.mock('../src/posix/libc-later.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('../src/posix/libc-later.js')>()),
  syncFileSystemLater: async () => {
    disk.syncs++;
    await disk.held;
    if (disk.fails) throw Object.assign(new Error('sync: input/output error'), { code: 'EIO' });
  },
}));

const base = mkdtempSync(join(tmpdir(), 'clfs-sync-'));
afterAll(() => removeTree(base));

it('after a sync that failed nothing of this container is durable any more, though a later sync would succeed', async () => {
  const container = await openLocalContainer(base);
  await container.put('one', Buffer.from('1'));
  disk.fails = true;
  await expect(container.flush()).rejects.toMatchObject({ code: 'container' });
  disk.fails = false;
  await container.put('two', Buffer.from('2'));
  await expect(container.flush()).rejects.toMatchObject({ code: 'container' });
  expect(disk.syncs).toBe(1);
  await container.close();
  await container.close();
});

it('a container that is closed makes nothing durable', async () => {
  const container = await openLocalContainer(base);
  await container.put('three', Buffer.from('3'));
  await container.close();
  await expect(container.flush()).rejects.toMatchObject({ code: 'cancelled' });
});

it('a flush waits for the sync that makes durable what was put before', async () => {
  const container = await openLocalContainer(base);
  await container.put('four', Buffer.from('4'));
  let release: () => void = () => undefined;
  disk.held = new Promise((resolve) => {
    release = resolve;
  });
  disk.fails = true;
  let isFlushed = false;
  const first = container.flush();
  const second = container.flush().then(() => {
    isFlushed = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isFlushed).toBe(false);
  release();
  // Nor does it say that all is well when that has failed.
  await expect(first).rejects.toMatchObject({ code: 'container' });
  await expect(second).rejects.toMatchObject({ code: 'container' });
  disk.fails = false;
  await container.close();
});

it('a container is closed, though nothing of what others do in the pool is answered', async () => {
  disk.held = Promise.resolve();
  const fifo = join(base, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const container = await openLocalContainer(base);
  await container.put('five', Buffer.from('5'));
  await container.flush();
  const opened: number[] = [];
  const opens = Array.from(
    { length: poolThreads() },
    () =>
      new Promise<void>((resolve, reject) => {
        open(fifo, constants.O_RDONLY, (error, fd) => {
          if (error) reject(error);
          else opened.push(fd);
          resolve();
        });
      }),
  );
  try {
    const begun = performance.now();
    await container.close();
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(opened).toEqual([]);
  } finally {
    closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK));
    await Promise.all(opens);
    for (const fd of opened) closeSync(fd);
  }
});
