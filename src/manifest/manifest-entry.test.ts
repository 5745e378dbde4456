import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EntryType, ObjectType } from '../format/ids.js';
import { formatManifestEntry, type ManifestEntry, parseManifestEntry } from './manifest-entry.js';

const MODES = [0, 0o100000, 0o040000, 0o060000, 0o020000, 0o120000, 0o140000, 0o010000];

const entry = fc
  .record({
    type: fc.integer({ min: 1, max: 7 }),
    path: fc.uint8Array({ minLength: 1 }),
    permissions: fc.nat(0o7777),
    uid: fc.nat(0xffffffff),
    gid: fc.nat(0xffffffff),
    size: fc.maxSafeNat(),
    major: fc.nat(),
    minor: fc.nat(),
    mtimeNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
    links: fc.integer({ min: 1, max: 9 }),
    target: fc.uint8Array(),
    hash: fc.boolean(),
  })
  .map(({ type, path, permissions, uid, gid, size, major, minor, mtimeNs, links, target, hash }): ManifestEntry => {
    const device = type === ObjectType.block || type === ObjectType.char;
    return {
      path: Buffer.from(path),
      type: type as EntryType,
      mode: MODES[type] | permissions,
      uid,
      gid,
      sizeBytes: BigInt(size),
      deviceMajor: device ? major : 0,
      deviceMinor: device ? minor : 0,
      mtimeNs,
      linkCount: links,
      linkGroup: type !== ObjectType.directory && links > 1 ? 'group' : undefined,
      target: type === ObjectType.symlink ? Buffer.from(target) : undefined,
      sha256: type === ObjectType.regular && hash ? 'ab'.repeat(32) : undefined,
    };
  });

describe('a line of a manifest', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(entry, (written) => {
        expect(parseManifestEntry(formatManifestEntry(written), 1)).toEqual(written);
      }),
    );
  });

  const whole = { mode: 0o100644, path_hex: '61', uid: 1, gid: 2, size: 3, mtime_ns: '4' };
  const symlink = { ...whole, mode: 0o120777, target_hex: '62' };
  const device = { ...whole, mode: 0o020644, rdev_major: 1, rdev_minor: 2 };

  it('needs no more than what is compared', () => {
    for (const each of [
      whole,
      symlink,
      device,
      { ...whole, type: 'regular' },
      { ...whole, sha256: null, link_group: null },
    ])
      expect(parseManifestEntry(JSON.stringify(each), 1).linkCount).toBe(1);
  });

  it('has a sum in whatever letters', () => {
    const line = JSON.stringify({ ...whole, sha256: 'AB'.repeat(32) });
    expect(parseManifestEntry(line, 1).sha256).toBe('ab'.repeat(32));
  });

  it.each([
    ...['', '{', '{}', '[]', 'null', '7', '{"mode":33188}', '{"mode":1,"path_hex":"61"}'],
    ...['uid', 'gid', 'size', 'mtime_ns', 'path_hex', 'mode'].flatMap((key) => [
      JSON.stringify({ ...whole, [key]: undefined }),
      JSON.stringify({ ...whole, [key]: null }),
      JSON.stringify({ ...whole, [key]: 'x' }),
      JSON.stringify({ ...whole, [key]: '' }),
    ]),
    ...['-1', '1.5', '4294967296'].map((uid) => JSON.stringify({ ...whole, uid })),
    ...['656d7074zz', '6', '0x61'].map((hex) => JSON.stringify({ ...whole, path_hex: hex })),
    ...['', 'ab', 'zz'.repeat(32), 7].map((sha256) => JSON.stringify({ ...whole, sha256 })),
    ...[undefined, null, '6', 'zz'].map((hex) => JSON.stringify({ ...symlink, target_hex: hex })),
    ...['fifo', 'x', '', 4].map((type) => JSON.stringify({ ...whole, type })),
    ...[undefined, null, 'x'].map((major) => JSON.stringify({ ...device, rdev_major: major })),
  ])('is refused with its number where it is %s', (line) => {
    expect(() => parseManifestEntry(line, 7)).toThrow('Line 7 of the manifest');
  });
});
