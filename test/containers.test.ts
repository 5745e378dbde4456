import fs, { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Container } from '../src/container/container.js';
import { openLocalContainer } from '../src/container/local-container.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { openContainer, parseContainer } from '../src/container/open-container.js';
import { Traffic } from '../src/container/traffic.js';
import { CURRENT_DIRECTORY, makeNode } from '../src/posix/libc.js';
import { type Azurite, startAzurite } from './support/azurite.js';
import { containerContract } from './support/container-contract.js';

/** A proxy that breaks each connection off after 100 KB of what is sent. */
async function startCuttingProxy(target: number): Promise<{ readonly port: number; readonly cuts: () => number }> {
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    let bytes = 0;
    client.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes <= 100_000) upstream.write(chunk);
      else if (!client.destroyed) {
        cuts++;
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      }
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return { port: (server.address() as { port: number }).port, cuts: () => cuts };
}

describe('a container in memory', () => containerContract(async () => new MemoryContainer()));

describe('a container on disk', () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-local-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  describe.each([
    ['at once', false],
    ['in the pool', true],
  ])('that is called %s', (_way, isRemote) => {
    containerContract(async () => openLocalContainer(mkdtempSync(join(base, 'c-')), { isRemote, mayBlock: !isRemote }));
    describe('and whose names are kept', () => {
      const how = { keepsNames: true, isRemote, mayBlock: !isRemote };
      containerContract(async () => openLocalContainer(mkdtempSync(join(base, 'c-')), how));
    });
  });

  describe('whose names are kept', () => {
    it('are read once, and again when the directory has changed', async () => {
      const directory = mkdtempSync(join(base, 'c-'));
      const name = (i: number) => `${String(i % 7).padStart(16, '0')}_${String(i).padStart(9, '0')}`;
      for (let i = 0; i < 20_000; i++) writeFileSync(join(directory, name(i)), '');
      writeFileSync(join(directory, 'short'), '');
      const container = await openLocalContainer(directory, { keepsNames: true });
      const other = await openLocalContainer(directory);
      const listed = async (prefix: string) => {
        const names: string[] = [];
        for await (const page of container.list(prefix)) names.push(...page.map((blob) => blob.name));
        return names.sort();
      };
      const opened = vi.spyOn(fs, 'opendirSync');
      syncBuiltinESMExports();
      // Its change time is of now: that it is changed once more might not show.
      utimesSync(directory, 1_700_000_000, 1_700_000_000);
      expect(await listed(name(8))).toEqual([name(8)]);
      expect(await listed(name(8))).toEqual([name(8)]);
      expect(opened).toHaveBeenCalledTimes(2);
      await new Promise((resolve) => setTimeout(resolve, 3100));
      opened.mockClear();
      const all = await Promise.all(Array.from({ length: 20 }, (_, i) => listed(name(i * 900))));
      expect(all).toEqual(Array.from({ length: 20 }, (_, i) => [name(i * 900)]));
      expect(await listed(`${'0'.repeat(15)}3`)).toHaveLength(Math.ceil((20_000 - 3) / 7));
      expect(await listed(`${name(5)}x`)).toEqual([]);
      expect(opened).toHaveBeenCalledTimes(1);
      await other.put(name(20_001), Buffer.from('new'));
      await other.delete(name(8));
      expect(await listed(name(20_001))).toEqual([name(20_001)]);
      expect(await listed(name(8))).toEqual([]);
      await container.close();
      await other.close();
      opened.mockRestore();
      syncBuiltinESMExports();

      await new Promise((resolve) => setTimeout(resolve, 3100));
      vi.stubEnv('TMPDIR', '/nowhere/at/all');
      const without = await openLocalContainer(directory, { keepsNames: true });
      const names: string[] = [];
      for await (const page of without.list(name(9))) names.push(...page.map((blob) => blob.name));
      expect(names).toEqual([name(9)]);
      await without.close();
      vi.unstubAllEnvs();
    });
  });

  it('leaves no temporary file, and removes those of others', async () => {
    const directory = mkdtempSync(join(base, 'c-'));
    const container = await openLocalContainer(directory);
    await container.put('one', Buffer.from('1'));
    await container.put('one', Buffer.from('2'));
    await container.put('two', Buffer.from('2'), { onlyNew: true });
    expect(readdirSync(directory).sort()).toEqual(['one', 'two']);
    writeFileSync(join(directory, '.clfsload-put-left-over'), 'x');
    await container.tidy();
    expect(readdirSync(directory).sort()).toEqual(['one', 'two']);
    await container.close();
  });

  it('refuses names that are no file names', async () => {
    const container = await openLocalContainer(mkdtempSync(join(base, 'c-')));
    for (const name of ['', '.', '..', 'a/b', '../x', 'a\0b'])
      await expect(container.put(name, Buffer.alloc(1))).rejects.toMatchObject({ code: 'container' });
    await container.close();
  });
});

it('a container on disk has no blob where a listing shows none: nothing waits for a FIFO', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'clfs-container-fifo-'));
  mkdirSync(join(directory, 'a directory'));
  makeNode(CURRENT_DIRECTORY, Buffer.from(join(directory, 'a fifo')), 0o010600, 0, 0);
  const container = await openLocalContainer(directory);
  for (const name of ['a directory', 'a fifo'])
    await expect(container.get(name, 100)).rejects.toMatchObject({ code: 'not-found' });
  await container.close();
  rmSync(directory, { recursive: true });
});

describe('a container of the Blob service', () => {
  let azurite: Azurite;
  let count = 0;
  beforeAll(async () => {
    azurite = await startAzurite();
  });
  afterAll(() => azurite.stop());
  const open = async (url: string): Promise<Container> => {
    const { place, query } = parseContainer(url);
    return openContainer(place, { query, bearer: '' }, { retryWindowMs: 5000, traffic: new Traffic(1) });
  };
  containerContract(
    async () => open(await azurite.createContainer(`contract-${count++}`)),
    async () => {
      const url = await azurite.createContainer(`contract-${count++}`);
      const proxy = await startCuttingProxy(azurite.port);
      const { place, query } = parseContainer(url.replace(`:${azurite.port}`, `:${proxy.port}`));
      const breaking = await openContainer(
        place,
        { query, bearer: '' },
        { retryWindowMs: 300, traffic: new Traffic(1) },
      );
      return { breaking, whole: await open(url), broken: proxy.cuts };
    },
  );

  it('says that a container is missing', async () => {
    const container = await open(azurite.sasUrl('not-there'));
    await expect(container.put('a', Buffer.alloc(1))).rejects.toMatchObject({ code: 'container-missing' });
    await container.close();
  });

  it('counts the bytes of what is read', async () => {
    const { place, query } = parseContainer(await azurite.createContainer('counted'));
    const traffic = new Traffic(1);
    const container = await openContainer(place, { query, bearer: '' }, { retryWindowMs: 5000, traffic });
    await container.put('a', Buffer.alloc(1000));
    for (let reads = 0; reads < 2; reads++) await container.get('a', 10_000);
    expect(traffic.totals().bytesReceived).toBe(2000);
    await container.close();
  });

  it('says that access is denied', async () => {
    await azurite.createContainer('denied');
    const container = await open(azurite.sasUrl('denied', { permissions: 'r' }));
    await expect(container.put('a', Buffer.alloc(1))).rejects.toMatchObject({ code: 'access-denied' });
    await container.close();
  });
});
