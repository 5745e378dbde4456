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
    uid: fc.nat(),
    gid: fc.nat(),
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

  it('is refused with its number where it is none', () => {
    for (const line of ['', '{', '{}', '{"mode":33188}', '[]', '{"mode":1,"path_hex":"61"}']) {
      expect(() => parseManifestEntry(line, 7)).toThrow('Line 7 of the manifest');
    }
  });
});
