import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { removeTree } from './support/tree.js';

const disk = vi.hoisted(() => ({ fails: false, syncs: 0 }));
vi.mock('../src/posix/libc.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('../src/posix/libc.js')>()),
  syncFileSystem: () => {
    disk.syncs++;
    if (disk.fails) throw Object.assign(new Error('sync: input/output error'), { code: 'EIO' });
  },
}));

const base = mkdtempSync(join(tmpdir(), 'clfs-sync-'));
afterAll(() => removeTree(base));

it('after a sync that failed nothing of this container is durable any more, though a later sync would succeed', async () => {
  const container = openLocalContainer(base);
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
  const container = openLocalContainer(base);
  await container.put('three', Buffer.from('3'));
  await container.close();
  await expect(container.flush()).rejects.toMatchObject({ code: 'cancelled' });
});
