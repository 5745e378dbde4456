import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeBucket, encodeBucketPairs } from '../src/format/bucket.js';
import { decodeDirents, encodeDirents } from '../src/format/dirents.js';
import { compressObject, decodeObject } from '../src/format/envelope.js';
import { hash64Hex } from '../src/format/hash.js';
import { decodeInode, encodeInode } from '../src/format/inode.js';
import { decodeObjectName, encodeObjectName, encodeObjectNameV1 } from '../src/format/names.js';
import { decodeSegment, encodeSegment } from '../src/format/segment.js';
import { openLiblz4 } from '../src/lz4/liblz4.js';
import { openNapiLz4 } from '../src/lz4/napi-lz4.js';
import { GOLDEN, unpackGolden } from './support/golden.js';

describe.each(GOLDEN)('the reference container %s', (name) => {
  const golden = unpackGolden(name);
  afterAll(() => golden.remove());
  const liblz4 = openLiblz4();
  const napi = openNapiLz4();

  it('decodes blob by blob, and every body encodes to the same bytes', () => {
    let objects = 0;
    for (const blobName of readdirSync(golden.blobs)) {
      const key = decodeObjectName(blobName);
      if (!key) continue;
      objects++;
      const blob = readFileSync(join(golden.blobs, blobName));
      const { body, compressed } = decodeObject(blob, 1 << 24, napi);
      if (liblz4) {
        expect(decodeObject(blob, 1 << 24, liblz4).body.equals(body)).toBe(true);
        const plain = Buffer.concat([Buffer.alloc(4), body]);
        const target = Buffer.alloc(plain.length);
        const length = compressObject(plain, target, liblz4);
        expect((length === 0 ? plain : target.subarray(0, length)).equals(blob)).toBe(compressed || length === 0);
      }
      if (key.nameVersion === 1) {
        expect(encodeObjectNameV1(key.id, key.version)).toBe(blobName);
        expect(encodeBucketPairs(decodeBucket(body)).equals(body)).toBe(true);
      } else if (key.type === 8 || key.type === 9) {
        const segment = decodeSegment(body);
        expect(encodeSegment(segment).equals(body)).toBe(true);
        expect(encodeObjectName({ ...key, owner: segment.owner.handle })).toBe(blobName);
      } else {
        const inode = decodeInode(body);
        expect(encodeInode(inode).equals(body)).toBe(true);
        expect(inode.attributes.type).toBe(key.type);
        if (inode.backPointers) expect(hash64Hex(inode.backPointers[0])).toBe(key.ownerHash);
        else expect(encodeDirents(decodeDirents(inode.dirents as Buffer)).equals(inode.dirents as Buffer)).toBe(true);
      }
    }
    expect(objects).toBeGreaterThanOrEqual(golden.manifest.length > 0 ? 3 : 0);
  });
});
