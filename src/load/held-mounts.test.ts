import { describe, expect, it } from 'vitest';
import { DescriptorPlaces } from '../posix/descriptors.js';
import { entryFailure, type SourceDirectory } from '../source/source-tree.js';
import { HeldMounts } from './held-mounts.js';
import type { SourceTools } from './look-at-source.js';

const path = Buffer.from('m');
const identity = (device: string | undefined) => ({ device, inode: 2n, bornNs: 0n });

/** A source of which everything is on one device, and what is open of it. */
function begin({ oneFileSystem = false, places = 8, device = '0:50' } = {}) {
  const told: string[] = [];
  const asked: (string | undefined)[] = [];
  let open = 0;
  const source = {
    openDirectory(_: Buffer, expected: { readonly device: string | undefined }) {
      asked.push(expected.device);
      if (device === '') throw entryFailure('directory-unreadable', 'permission denied');
      open++;
      return { attributes: () => ({ device }), close: () => open-- } as unknown as SourceDirectory;
    },
  };
  const pace = { isAsync: false, waits: { blocks: () => undefined, unblocks: () => undefined } };
  const tools = { work: { source, pace }, signal: new AbortController().signal } as unknown as SourceTools;
  const job = {
    log: { write: (_: string, text: string) => told.push(text) },
    constants: { spec: { selection: { oneFileSystem } } },
  };
  return { held: new HeldMounts(job, tools, new DescriptorPlaces(places)), told, asked, open: () => open };
}

describe('file systems that a session holds', () => {
  it('are those without a device of their own, each once, until it ends', async () => {
    const { held, open, asked } = begin();
    expect(await held.look(1, path, identity(undefined))).toEqual({ device: '0:50' });
    await held.look(1, path, identity(undefined));
    await held.take(1, path, identity('0:50'));
    expect(asked).toHaveLength(2);
    await held.take(2, path, identity('0:50'));
    expect(open()).toBe(2);
    held.close();
    expect(open()).toBe(0);
    await held.look(3, path, identity(undefined));
    expect(open()).toBe(0);
  });

  it('are not those whose number nothing else gets', async () => {
    const { held, open } = begin({ device: '8:1' });
    await held.look(1, path, identity(undefined));
    await held.take(2, path, identity('8:1'));
    expect(open()).toBe(0);
  });

  it('are none where what is mounted is left out: nothing is asked of it', async () => {
    const { held, open, asked } = begin({ oneFileSystem: true });
    await held.take(1, path, identity('0:50'));
    expect(asked).toEqual([]);
    await held.look(1, path, identity(undefined));
    expect(open()).toBe(0);
  });

  it('are no more than there are descriptors for, which is said once', async () => {
    const { held, open, told } = begin({ places: 2 });
    for (let fileSystem = 1; fileSystem <= 5; fileSystem++) await held.take(fileSystem, path, identity('0:50'));
    expect(open()).toBe(2);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/"m": not all file systems .* can be held/);
  });

  it('are none that cannot be opened: what is in them fails by itself', async () => {
    const { held, open } = begin({ device: '' });
    await held.take(1, path, identity('0:50'));
    await expect(held.look(1, path, identity(undefined))).rejects.toThrow('permission denied');
    expect(open()).toBe(0);
  });
});
