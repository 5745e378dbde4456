import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryContainer } from '../src/container/memory-container.js';
import { decodeDirents, encodeDirents } from '../src/format/dirents.js';
import { decodeInode, encodeInode } from '../src/format/inode.js';
import { encodeObjectName } from '../src/format/names.js';
import { load } from '../src/load/load.js';
import { SMALL } from './support/check.js';
import { removeTree } from './support/tree.js';
import {
  base,
  blocksOf,
  bodyOf,
  check,
  inodeOf,
  isRootName,
  keyOf,
  makeSource,
  put,
  source,
  uncommitted,
} from './support/uncommitted.js';

beforeAll(makeSource);
afterAll(() => removeTree(base));

describe('what is extra', () => {
  it('a blob of a foreign name', async () => {
    const container = await uncommitted();
    container.blobs.set('foreign', Buffer.from('x'));
    expect((await check(container)).findings).toEqual(['foreign-blob', 'no-root']);
  });

  it('a segment of an inode that does not name it, and of none', async () => {
    const container = await uncommitted();
    const [segment] = blocksOf(container, 'large', 8);
    const names = [inodeOf(container, 'large').id, Buffer.alloc(24, 7)].map((owner, n) =>
      encodeObjectName({ id: Buffer.alloc(16, 0x4a + n), type: 8, owner, version: 9 }),
    );
    for (const name of names) put(container, name, Buffer.from(bodyOf(container, segment)));
    const { raw } = await check(container);
    const orphans = raw.filter(({ code }) => code === 'orphan');
    expect(raw).toHaveLength(3);
    expect(orphans.map(({ object }) => object)).toEqual(names);
    expect(orphans[0].message).toContain('the inode that it belongs to does not');
    expect(orphans[1].message).toContain('is not in the container');
  });

  it.each(['x', 'large', 'symlink'])('a copy of the inode of %s under another id', async (name) => {
    const container = await uncommitted();
    const { blob, id } = inodeOf(container, name);
    const other = Buffer.from(id);
    other[16] ^= 1;
    const copy = encodeObjectName({
      id: other,
      type: keyOf(blob).type,
      owner: decodeInode(bodyOf(container, blob)).backPointers?.[0] as Uint8Array,
      version: 9,
    });
    put(container, copy, Buffer.from(bodyOf(container, blob)));
    const { raw, findings } = await check(container);
    expect(findings).toEqual(['no-root', 'orphan']);
    expect(raw.find(({ code }) => code === 'orphan')?.object).toBe(copy);
  });

  it.each(['deep', 'b'])('a copy of the directory %s under another id', async (name) => {
    const container = await uncommitted();
    const { blob, inode, id } = inodeOf(container, name);
    const other = Buffer.from(id);
    other[16] ^= 1;
    const parent = decodeDirents(inode.dirents as Buffer)[1].handle;
    const copy = encodeObjectName({ id: other, type: 2, owner: parent, version: 9 });
    put(container, copy, Buffer.from(bodyOf(container, blob)));
    const { findings, raw } = await check(container);
    expect(raw.filter(({ code }) => code === 'orphan').map(({ object }) => object)).toEqual([copy]);
    // The copy says of itself that it is the other one: what is below it is not told of again.
    expect(new Set(findings)).toEqual(new Set(['orphan', 'no-root', 'damaged-object']));
  });

  it('a directory that its parent does not list, with what is below it', async () => {
    const container = await uncommitted();
    const { blob, inode } = inodeOf(container, 'a');
    const dirents = decodeDirents(inode.dirents as Buffer).filter(({ name }) => Buffer.from(name).toString() !== 'b');
    expect(dirents).toHaveLength(decodeDirents(inode.dirents as Buffer).length - 1);
    put(container, blob, encodeInode({ ...inode, dirents: encodeDirents(dirents) }));
    const { findings, raw } = await check(container);
    expect(findings).toEqual(['directory-length a', 'link-count a', 'no-root', 'orphan']);
    expect(raw.find(({ code }) => code === 'orphan')?.object).toBe(inodeOf(container, 'b').blob);
  });

  it('an inode that its directory does not list, and its blocks', async () => {
    const container = await uncommitted();
    const { blob, inode } = inodeOf(container, 'a');
    const dirents = decodeDirents(inode.dirents as Buffer).filter(
      ({ name }) => Buffer.from(name).toString() !== 'large',
    );
    put(container, blob, encodeInode({ ...inode, dirents: encodeDirents(dirents) }));
    const { findings, raw } = await check(container);
    const large = [
      inodeOf(container, 'large').blob,
      ...blocksOf(container, 'large', 8),
      ...blocksOf(container, 'large', 9),
    ];
    expect(new Set(raw.filter(({ code }) => code === 'orphan').map(({ object }) => object))).toEqual(new Set(large));
    expect(findings.filter((finding) => finding !== 'orphan')).toEqual(['directory-length a', 'no-root']);
  });

  it('a link that a known directory lost', async () => {
    const container = await uncommitted();
    const { blob, inode } = inodeOf(container, 'c');
    const dirents = decodeDirents(inode.dirents as Buffer).filter(
      ({ name }) => Buffer.from(name).toString() !== 'linked',
    );
    put(container, blob, encodeInode({ ...inode, dirents: encodeDirents(dirents) }));
    const { findings } = await check(container);
    expect(findings.some((finding) => finding.startsWith('link-count') && finding.includes('linked'))).toBe(true);
  });

  it('an older version, and a temporary blob', async () => {
    const container = await uncommitted();
    const { blob } = inodeOf(container, 'x');
    container.blobs.set(
      blob.replace('00000000009.FFFFFFFF', '00000000008.FFFFFFFF'),
      container.blobs.get(blob) as Buffer,
    );
    container.blobs.set(`tmp${blob}`, Buffer.alloc(0));
    expect((await check(container)).findings).toEqual(['no-root', 'superseded-version', 'temporary-blob']);
  });
});

describe('what is damaged', () => {
  it.each(['x', 'large', 'a file at the top', 'symlink', 'deep', 'wide', 'a'])('the inode of %s cut', async (name) => {
    const container = await uncommitted();
    const { blob } = inodeOf(container, name);
    container.blobs.set(blob, (container.blobs.get(blob) as Buffer).subarray(0, -8));
    const { findings, raw, summary } = await check(container);
    expect(raw.find(({ code }) => code === 'damaged-object')?.object).toBe(blob);
    // Blocks that only this inode can name are left; nothing else is.
    expect(new Set(findings.map((finding) => finding.split(' ')[0]).filter((code) => code !== 'orphan'))).toEqual(
      new Set(['damaged-object', 'no-root']),
    );
    if (['deep', 'wide', 'a'].includes(name)) expect(summary.withoutRoot?.unreadDirectoryEntries).toBeGreaterThan(0);
  });

  it('a segment cut', async () => {
    const container = await uncommitted();
    const [segment] = blocksOf(container, 'large', 8);
    container.blobs.set(segment, (container.blobs.get(segment) as Buffer).subarray(0, -8));
    expect((await check(container)).findings).toEqual(['damaged-object a/large', 'no-root']);
    expect((await check(container, false)).findings).toEqual(['no-root']);
  });

  it('inodes of another load', async () => {
    const container = await uncommitted();
    for (const name of ['x', 'symlink']) {
      const { blob, inode } = inodeOf(container, name);
      put(container, blob, encodeInode({ ...inode, attributes: { ...inode.attributes, fsid: 77n } }));
    }
    const { findings, raw } = await check(container);
    expect(findings).toEqual(['load-ids', 'no-root']);
    expect(raw.find(({ code }) => code === 'load-ids')?.message).toContain('2 inodes are of another load');
  });

  it.each(['before', 'after'])(
    'a directory whose name has another owner than the one that lists it, found %s that one',
    async (order) => {
      const container = await uncommitted();
      const { blob } = inodeOf(container, 'deep');
      const renamed = [
        blob.replace(/\.([0-9A-F]{16})\./, '.0123456789ABCDEF.'),
        container.blobs.get(blob) as Buffer,
      ] as const;
      const others = [...container.blobs].filter(([name]) => name !== blob);
      container.blobs.clear();
      for (const [name, bytes] of order === 'before' ? [renamed, ...others] : [...others, renamed])
        container.blobs.set(name, bytes);
      const { findings } = await check(container);
      expect(findings.filter((finding) => finding.startsWith('owner'))).toContain('owner a/b/deep');
      expect(findings.join()).not.toContain('directory-cycle');
    },
  );

  it('two directories that list each other', async () => {
    const container = await uncommitted();
    const [outer, inner] = [inodeOf(container, 'b'), inodeOf(container, 'deep')];
    const body = container.blobs.get(outer.blob) as Buffer;
    container.blobs.delete(outer.blob);
    container.blobs.set(encodeObjectName({ id: outer.id, type: 2, owner: inner.id, version: 9 }), body);
    const dirents = [...decodeDirents(inner.inode.dirents as Buffer), { name: Buffer.from('up'), handle: outer.id }];
    put(container, inner.blob, encodeInode({ ...inner.inode, dirents: encodeDirents(dirents) }));
    const { raw } = await check(container);
    expect(raw.map(({ code }) => code)).toContain('directory-cycle');
  });

  it('a root that cannot be read: what belongs to it is no orphan', async () => {
    const whole = new MemoryContainer();
    await load({
      source,
      destination: '/unused',
      statePath: mkdtempSync(join(base, 'state-')),
      compression: 'DISABLED',
      preserveHardLinks: true,
      internals: { container: whole, geometry: SMALL },
    });
    const root = [...whole.blobs.keys()].find(isRootName) as string;
    whole.blobs.set(root, (whole.blobs.get(root) as Buffer).subarray(0, -8));
    const { findings, summary } = await check(whole);
    expect(findings).toEqual(['damaged-object ']);
    expect(summary.withoutRoot?.rootEntries).toBeGreaterThanOrEqual(4);
  });
});
