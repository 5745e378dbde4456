import { linkSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { decodeBucket, encodeBucketPairs } from '../src/format/bucket.js';
import { type DirectoryEntry, decodeDirents, encodeDirents } from '../src/format/dirents.js';
import { ENVELOPE_BYTES } from '../src/format/envelope.js';
import { NULL_BLOCK_ID, ROOT_ID } from '../src/format/ids.js';
import { decodeInode, encodeInode, type Inode } from '../src/format/inode.js';
import { BUCKET_NAME, decodeObjectName, encodeObjectName } from '../src/format/names.js';
import { decodeSegment, encodeSegment } from '../src/format/segment.js';
import { findingsOf, SMALL } from './support/check.js';
import { copyOf, loadSmall } from './support/small-container.js';
import { randomNumbers, removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-damage-'));
afterAll(() => removeTree(base));
const next = randomNumbers(99);

/** A healthy container with every structure, of which each damage has a copy. */
let whole: MemoryContainer;

type Kind = 'regular' | 'symlink' | 'directory' | 'linked' | 'file-segment' | 'directory-segment' | 'indirect' | 'tree';

function pick(container: MemoryContainer, kind: Kind): string {
  const names = [...container.blobs.keys()].filter((name) => {
    const key = decodeObjectName(name);
    if (!key || key.nameVersion === 1) return false;
    const body = (container.blobs.get(name) as Buffer).subarray(ENVELOPE_BYTES);
    if (key.type === 8)
      return (
        decodeSegment(body).kind ===
        (kind === 'file-segment' ? 'file' : kind === 'directory-segment' ? 'directory' : '')
      );
    if (key.type === 9) return kind === 'indirect';
    const inode = decodeInode(body);
    if (kind === 'linked') return (inode.backPointers?.length ?? 0) > 1;
    if (kind === 'tree') return inode.blockMap.roots.some((root) => root.some((byte) => byte !== 0));
    if (kind === 'regular') return key.type === 1 && inode.backPointers?.length === 1;
    return key.type === (kind === 'symlink' ? 5 : kind === 'directory' ? 2 : 0) && !name.startsWith('00000064');
  });
  expect(names.length, kind).toBeGreaterThan(0);
  return names[next() % names.length];
}

const put = (container: MemoryContainer, name: string, body: Buffer) =>
  void container.blobs.set(name, Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), body]));
const bodyOf = (container: MemoryContainer, name: string) =>
  (container.blobs.get(name) as Buffer).subarray(ENVELOPE_BYTES);

function editInode(container: MemoryContainer, kind: Kind | 'root', edit: (inode: Inode) => Partial<Inode>): void {
  const name =
    kind === 'root'
      ? ([...container.blobs.keys()].find((key) => key.startsWith('00000064')) as string)
      : pick(container, kind);
  const inode = decodeInode(bodyOf(container, name));
  put(container, name, encodeInode({ ...inode, ...edit(inode) }));
}

function editEntries(container: MemoryContainer, edit: (entries: DirectoryEntry[]) => DirectoryEntry[]): void {
  editInode(container, 'root', (inode) => ({
    dirents: encodeDirents(edit([...decodeDirents(inode.dirents as Buffer)])),
  }));
}

const rename = (container: MemoryContainer, from: string, to: string) => {
  const blob = container.blobs.get(from) as Buffer;
  container.blobs.delete(from);
  container.blobs.set(to, blob);
};
const attribute =
  (kind: Kind, change: (a: Inode['attributes']) => Partial<Inode['attributes']>) => (container: MemoryContainer) =>
    editInode(container, kind, ({ attributes }) => ({ attributes: { ...attributes, ...change(attributes) } }));

const block0 = (kind: Kind, id: Uint8Array) => (container: MemoryContainer) =>
  editInode(container, kind, ({ blockMap }) => ({
    blockMap: { ...blockMap, direct: [id, ...blockMap.direct.slice(1)] },
  }));

/** Kinds of damage, and a code that tells of each. */
const DAMAGES: Record<string, [(container: MemoryContainer) => void, RegExp]> = {};
for (const kind of ['regular', 'symlink', 'directory', 'linked'] as const) {
  DAMAGES[`delete a ${kind} inode`] = [(c) => void c.blobs.delete(pick(c, kind)), /dangling-entry/];
  DAMAGES[`truncate a ${kind} inode`] = [
    (c) => {
      const name = pick(c, kind);
      const blob = c.blobs.get(name) as Buffer;
      c.blobs.set(name, blob.subarray(0, blob.length - 1 - (next() % (blob.length - 8))));
    },
    /damaged-object/,
  ];
  DAMAGES[`empty a ${kind} inode`] = [(c) => void c.blobs.set(pick(c, kind), Buffer.alloc(0)), /damaged-object/];
  DAMAGES[`mark a ${kind} inode encrypted`] = [
    (c) => void c.blobs.get(pick(c, kind))?.writeUInt16LE(1, 0),
    /damaged-object/,
  ];
  DAMAGES[`an unknown compression of a ${kind} inode`] = [
    (c) => void c.blobs.get(pick(c, kind))?.writeUInt16LE(7, 2),
    /damaged-object/,
  ];
  DAMAGES[`a wrong owner in the name of a ${kind} inode`] = [
    (c) => {
      const name = pick(c, kind);
      rename(c, name, name.replace(/\.([0-9A-F]{16})\./, '.0123456789ABCDEF.'));
    },
    /owner/,
  ];
  DAMAGES[`a wrong type in the name of a ${kind} inode`] = [
    (c) => {
      const name = pick(c, kind);
      rename(c, name, name.replace(/\.000\d\./, '.0007.'));
    },
    /type-mismatch/,
  ];
  DAMAGES[`a wrong mode type of a ${kind} inode`] = [
    attribute(kind, ({ mode }) => ({ mode: mode ^ 0o170000 })),
    /mode-type/,
  ];
  DAMAGES[`a wrong link count of a ${kind} inode`] = [
    attribute(kind, ({ linkCount }) => ({ linkCount: linkCount + 1 })),
    /link-count/,
  ];
  DAMAGES[`another fsid of a ${kind} inode`] = [attribute(kind, ({ fsid }) => ({ fsid: fsid + 1n })), /load-ids/];
  DAMAGES[`too many nanoseconds of a ${kind} inode`] = [
    attribute(kind, ({ mtime }) => ({ mtime: { ...mtime, nanoseconds: 1_000_000_000 } })),
    /time/,
  ];
  DAMAGES[`block 0 of a ${kind} inode is no inode`] = [block0(kind, NULL_BLOCK_ID), /block-map/];
  DAMAGES[`block 0 of a ${kind} inode is another`] = [block0(kind, ROOT_ID), /damaged-object/];
}
for (const kind of ['file-segment', 'directory-segment', 'indirect'] as const) {
  DAMAGES[`delete a ${kind}`] = [(c) => void c.blobs.delete(pick(c, kind)), /missing-object/];
  DAMAGES[`truncate a ${kind}`] = [
    (c) => {
      const name = pick(c, kind);
      c.blobs.set(name, (c.blobs.get(name) as Buffer).subarray(0, -8));
    },
    /damaged-object/,
  ];
  DAMAGES[`another owner of a ${kind}`] = [
    (c) => {
      const name = pick(c, kind);
      const segment = decodeSegment(bodyOf(c, name));
      put(c, name, encodeSegment({ ...segment, owner: { ...segment.owner, handle: ROOT_ID } }));
    },
    /damaged-object/,
  ];
  DAMAGES[`a wrong offset of a ${kind}`] = [
    (c) => {
      const name = pick(c, kind);
      const segment = decodeSegment(bodyOf(c, name));
      put(c, name, encodeSegment({ ...segment, owner: { ...segment.owner, offset: segment.owner.offset + 77n } }));
    },
    /segment-offset|indirect-tree/,
  ];
  DAMAGES[`a record magic of a ${kind} flipped`] = [
    (c) => void (c.blobs.get(pick(c, kind)) as Buffer).writeUInt8(0, ENVELOPE_BYTES),
    /damaged-object/,
  ];
}
Object.assign(DAMAGES, {
  'no bucket object': [(c: MemoryContainer) => void c.blobs.delete(BUCKET_NAME), /no-bucket-object/],
  'a bucket object without a UUID': [
    (c: MemoryContainer) => {
      const pairs = new Map(decodeBucket(bodyOf(c, BUCKET_NAME)));
      pairs.delete('bucketUUID');
      put(c, BUCKET_NAME, encodeBucketPairs(pairs));
    },
    /bucket-pairs/,
  ],
  'a log file gone': [
    (c: MemoryContainer) => void c.blobs.delete([...c.blobs.keys()].find((name) => name.endsWith('.log')) as string),
    /log-missing/,
  ],
  'no root': [
    (c: MemoryContainer) =>
      void c.blobs.delete([...c.blobs.keys()].find((name) => name.startsWith('00000064')) as string),
    /no-root/,
  ],
  'a root without its attributes': [
    (c: MemoryContainer) => editInode(c, 'root', () => ({ extendedAttributes: undefined })),
    /root-attributes/,
  ],
  'an entry gone': [(c: MemoryContainer) => editEntries(c, (entries) => entries.slice(0, -1)), /orphan|link-count/],
  'an entry twice': [
    (c: MemoryContainer) => editEntries(c, (entries) => [...entries, entries[entries.length - 1]]),
    /duplicate-name/,
  ],
  'an entry named ..': [
    (c: MemoryContainer) =>
      editEntries(c, (entries) => [
        ...entries.slice(0, -1),
        { ...entries[entries.length - 1], name: Buffer.from('a/b') },
      ]),
    /bad-name/,
  ],
  'no dot entries': [(c: MemoryContainer) => editEntries(c, (entries) => entries.slice(2)), /dot-entries/],
  'a directory in itself': [
    (c: MemoryContainer) => editEntries(c, (entries) => [...entries, { name: Buffer.from('loop'), handle: ROOT_ID }]),
    /directory-cycle/,
  ],
  'an entry of a handle that nobody has': [
    (c: MemoryContainer) =>
      editEntries(c, (entries) => [...entries, { name: Buffer.from('ghost'), handle: Buffer.alloc(24, 7) }]),
    /dangling-entry/,
  ],
  'a link in a directory that the inode does not know': [
    (c: MemoryContainer) =>
      editEntries(c, (entries) => [
        ...entries,
        { name: Buffer.from('more'), handle: decodeObjectName(pick(c, 'linked'))?.id as Buffer },
      ]),
    /link-count/,
  ],
  'a stale version beside the newer one': [
    (c: MemoryContainer) => {
      const name = pick(c, 'regular');
      c.blobs.set(name.replace('00000000009.FFFFFFFF', '00000000008.FFFFFFFF'), c.blobs.get(name) as Buffer);
    },
    /superseded-version/,
  ],
  'a length that is too large': [
    attribute('regular', ({ lengthBytes }) => ({ lengthBytes: lengthBytes + 1n })),
    /length|block-count/,
  ],
  'a length beyond reason': [attribute('regular', () => ({ lengthBytes: 2n ** 64n - 1n })), /damaged-object/],
  'an indirect root gone from the map': [
    (c: MemoryContainer) =>
      editInode(c, 'tree', ({ blockMap }) => ({
        blockMap: { ...blockMap, roots: blockMap.roots.map(() => NULL_BLOCK_ID) },
      })),
    /orphan|block-count/,
  ],
  'an orphan segment': [
    (c: MemoryContainer) => {
      const name = pick(c, 'file-segment');
      const id = Buffer.alloc(16, 0x4a);
      const body = bodyOf(c, name);
      put(c, orphanName(id), Buffer.from(body));
    },
    /orphan/,
  ],
  'a segment exchanged for one of another file': [
    (c: MemoryContainer) => {
      const first = pick(c, 'file-segment');
      let second = first;
      for (
        let tries = 0;
        tries < 200 && decodeObjectName(second)?.ownerHash === decodeObjectName(first)?.ownerHash;
        tries++
      )
        second = pick(c, 'file-segment');
      const blob = c.blobs.get(first) as Buffer;
      c.blobs.set(first, c.blobs.get(second) as Buffer);
      c.blobs.set(second, blob);
    },
    /damaged-object/,
  ],
  'an object that expands without bound': [
    (c: MemoryContainer) => {
      const bomb = Buffer.alloc(70_000, 0xff);
      Buffer.from('0000010004224d18405077', 'hex').copy(bomb);
      bomb.writeUInt32LE(65_000, 11);
      bomb[15] = 0x1f;
      c.blobs.set(pick(c, 'regular'), bomb);
    },
    /damaged-object/,
  ],
});

function orphanName(id: Buffer): string {
  return encodeObjectName({ id, type: 8, owner: ROOT_ID, version: 9 });
}

describe('damage of every kind', () => {
  beforeAll(async () => {
    const source = join(base, 'source');
    for (const directory of ['a/b', 'wide', 'c']) mkdirSync(join(source, directory), { recursive: true });
    for (let i = 0; i < 80; i++) writeFileSync(join(source, 'wide', `entry ${i} ${'y'.repeat(i % 40)}`), `${i}`);
    for (let i = 0; i < 6; i++) writeFileSync(join(source, 'a', `large ${i}`), someBytes(600 + 2500 * (3 + i * 2), i));
    writeFileSync(join(source, 'a', 'linked'), 'linked');
    linkSync(join(source, 'a', 'linked'), join(source, 'c', 'linked'));
    symlinkSync('../wide', join(source, 'c', 'symlink'));
    writeFileSync(join(source, 'last'), 'l');
    whole = await loadSmall(source, base);
  });

  it('a healthy container has no finding', async () => {
    expect(await findingsOf(whole, SMALL)).toEqual([]);
  });

  it('there are at least 40 kinds', () => expect(Object.keys(DAMAGES).length).toBeGreaterThanOrEqual(40));

  it.each(Object.entries(DAMAGES))('%s is found', async (_, [damage, code]) => {
    for (let round = 0; round < 3; round++) {
      const container = copyOf(whole);
      damage(container);
      const findings = await findingsOf(container, SMALL);
      expect(findings.map((finding) => finding.code).join(' ')).toMatch(code);
    }
  });
});
