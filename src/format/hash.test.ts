import { describe, expect, it } from 'vitest';
import { fnv1, hash64Hex, hex32, murmur2, writeHash64, writeHex } from './hash.js';

describe('the hashes of an id', () => {
  // Those of 16 and 24 bytes are in the vectors of the reference loader; a damaged container may hold ids of any length.
  it.each([
    ['', '00000000', '69C2EB67'],
    ['ff', '000000FF', '69EF9940'],
    ['01ff', '0100016C', '1BC686DA'],
    ['0102ff', '240277BC', '3FC38AC2'],
    ['010203ff', 'EFE1B93F', '16EF61F3'],
    ['01020304ff', '64576F73', '81DCDF49'],
    ['808182838485', 'AD442589', '3A9A9EF6'],
    ['80818283848586', '4B47162D', '35C61272'],
    ['c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf', '3B770BB0', 'E2861464'],
  ])('of %j are FNV-1 from 0 and MurmurHash2 from the seed of the format', (hex, fnv, murmur) => {
    const id = Buffer.from(hex, 'hex');
    expect(hex32(fnv1(id))).toBe(fnv);
    expect(hex32(murmur2(id))).toBe(murmur);
    expect(hash64Hex(id)).toBe(fnv + murmur);
  });

  it('are written as upper-case hex where they are wanted', () => {
    const target = Buffer.alloc(20, '.');
    expect(writeHash64(target, 2, Buffer.from('ff', 'hex'))).toBe(18);
    expect(target.toString()).toBe('..000000FF69EF9940..');
    expect(writeHex(target, 1, Buffer.from([0x0a, 0xb9]))).toBe(5);
    expect(target.toString()).toBe('.0AB9000FF69EF9940..');
    expect(hex32(0xfedcba98)).toBe('FEDCBA98');
  });
});
