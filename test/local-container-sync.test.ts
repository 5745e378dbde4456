import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, open, openSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { poolThreads } from '../src/posix/pool-threads.js';
import { removeTree } from './support/tree.js';

const disk = vi.hoisted(() => ({ fails: false, syncs: 0, held: Promise.resolve(), now: 0 }));
vi.mock('../src/posix/libc.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('../src/posix/libc.js')>()),
  syncFileSystem: () => {
    disk.now++;
  },
}));
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
  await expect(container.put('late', Buffer.from('late'))).rejects.toMatchObject({ code: 'cancelled' });
  expect(readdirSync(base).sort()).toEqual(['one', 'three', 'two']);
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

/** Has all threads of the pool wait for something that is not answered. @returns ends that */
function fillPool(): () => Promise<void> {
  const fifo = join(mkdtempSync(join(base, 'pool-')), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const opens = Array.from(
    { length: poolThreads() },
    () => new Promise<number>((resolve) => open(fifo, constants.O_RDONLY, (_error, fd) => resolve(fd))),
  );
  return async () => {
    closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK));
    for (const fd of await Promise.all(opens)) closeSync(fd);
  };
}

it('a container is closed, though nothing of what others do in the pool is answered', async () => {
  disk.held = Promise.resolve();
  const container = await openLocalContainer(base);
  await container.put('five', Buffer.from('5'));
  await container.flush();
  const emptyPool = fillPool();
  try {
    const begun = performance.now();
    await container.close();
    expect(performance.now() - begun).toBeLessThan(5000);
  } finally {
    await emptyPool();
  }
});

it('a flush ends, though nothing of what others do in the pool is answered, and hears of what the disk did not take', async () => {
  let release: () => void = () => undefined;
  disk.held = new Promise((resolve) => {
    release = resolve;
  });
  disk.now = 0;
  const container = await openLocalContainer(base);
  const emptyPool = fillPool();
  try {
    for (const name of ['six', 'seven']) {
      await container.put(name, Buffer.from(name));
      await container.flush();
    }
    expect(disk.now).toBe(2);
  } finally {
    await emptyPool();
  }
  // The call in the pool was told of it, and nobody will be again.
  disk.fails = true;
  release();
  await new Promise((resolve) => setTimeout(resolve, 10));
  disk.fails = false;
  await container.put('eight', Buffer.from('8'));
  await expect(container.flush()).rejects.toMatchObject({ code: 'container' });
  await container.close();
});

it.each([false, true])(
  'a sync that takes long is waited for (by a pool that is full, on a remote disk: %s)',
  async (isRemote) => {
    let release: () => void = () => undefined;
    disk.held = new Promise((resolve) => {
      release = resolve;
    });
    disk.now = 0;
    const container = await openLocalContainer(base, { isRemote });
    await container.put('nine', Buffer.from('9'));
    const emptyPool = isRemote ? fillPool() : async () => undefined;
    let isFlushed = false;
    const flushed = container.flush().then(() => {
      isFlushed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect({ isFlushed, now: disk.now }).toEqual({ isFlushed: false, now: 0 });
    release();
    // Whether the directory is the same is asked behind it.
    await emptyPool();
    await flushed;
    await container.close();
  },
);
