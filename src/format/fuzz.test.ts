import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClfsError } from '../error.js';
import { openLz4 } from '../lz4/lz4.js';
import { NO_ROOTS } from './block-map.js';
import { decodeBucket, encodeBucket } from './bucket.js';
import { type DirectoryEntry, decodeDirents, encodeDirents } from './dirents.js';
import { compressObject, decodeObject } from './envelope.js';
import { decodeFileHandle, type EntryType, encodeFileHandle } from './ids.js';
import { decodeInode, encodeInode, type Inode } from './inode.js';
import { decodeObjectName, encodeObjectName } from './names.js';
import { decodeSegment, encodeSegment } from './segment.js';

const lz4 = openLz4();
const LIMIT_BYTES = 1 << 20;
const bytes = (maxLength: number, minLength = 0) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const time = fc.record({ seconds: u32, nanoseconds: fc.integer({ min: 0, max: 999_999_999 }) });
const handle = bytes(24, 24);
const blockId = bytes(16, 16);

const inode: fc.Arbitrary<Inode> = fc.constantFrom<EntryType>(1, 2, 3, 4, 5, 6, 7).chain((type) =>
  fc.record({
    attributes: fc.record({
      mode: fc.integer({ min: 0, max: 0xffff }),
      type: fc.constant(type),
      flags: u32,
      uid: u32,
      gid: u32,
      lengthBytes: u64,
      dtime: time,
      mtime: time,
      ctime: time,
      atime: time,
      usedBytes: u64,
      fsid: u64,
      inodeNumber: u64,
      deviceMajor: u32,
      deviceMinor: u32,
      linkCount: u32,
      containerId: u64,
    }),
    blockMap: fc.record({
      firstSegmentBytes: u32,
      segmentBytes: u32,
      direct: fc.array(fc.oneof(handle, blockId), { maxLength: 5 }),
      roots: fc.constant(NO_ROOTS.map((id) => Buffer.from(id))),
    }),
    backPointers: type === 2 ? fc.constant(undefined) : fc.array(handle, { maxLength: 4 }),
    name: bytes(255),
    data: type === 1 || type === 5 ? bytes(300) : fc.constant(undefined),
    dirents: type === 2 ? bytes(200) : fc.constant(undefined),
    extendedAttributes:
      type === 2
        ? fc.option(
            fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }).map((pairs) => new Map(Object.entries(pairs))),
            { nil: undefined },
          )
        : fc.constant(undefined),
    otherRecords: fc.array(fc.record({ type: fc.constantFrom(6, 8, 11, 13, 14, 15), payload: bytes(40) }), {
      maxLength: 2,
    }),
  }),
);

const entry: fc.Arbitrary<DirectoryEntry> = fc.record({ name: bytes(255, 1), handle: fc.oneof(handle, blockId) });
const owner = fc.record({ ctimeSeconds: u32, offset: u64, handle });
const segment = fc.oneof(
  fc.record({ kind: fc.constant('file' as const), data: bytes(300), owner }),
  fc.record({ kind: fc.constant('directory' as const), dirents: bytes(300), owner }),
  fc.record({ kind: fc.constant('indirect' as const), children: fc.array(blockId, { maxLength: 5 }), owner }),
);

describe('round trips', () => {
  it('handles', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x07ffffff }),
        fc.nat(255),
        fc.nat(255),
        fc.constantFrom<EntryType>(1, 2, 3, 4, 5, 6, 7),
        u64,
        u64,
        (containerId, sourceManager, targetManager, type, sequence, random) => {
          const fields = { containerId, sourceManager, targetManager, type, sequence, random };
          expect(decodeFileHandle(encodeFileHandle(fields))).toEqual(fields);
        },
      ),
    ));
  it('names', () =>
    fc.assert(
      fc.property(
        fc.oneof(handle, blockId),
        fc.integer({ min: 1, max: 12 }),
        handle,
        fc.integer({ min: 0, max: 99_999_999_999 }),
        (id, type, ownerId, version) => {
          expect(decodeObjectName(encodeObjectName({ id, type, owner: ownerId, version }))).toMatchObject({
            id,
            type,
            version,
          });
        },
      ),
    ));
  it('inodes', () =>
    fc.assert(
      fc.property(inode, (value) => {
        expect(decodeInode(encodeInode(value))).toEqual(value);
      }),
    ));
  it('segments and indirect blocks', () =>
    fc.assert(
      fc.property(segment, (value) => {
        expect(decodeSegment(encodeSegment(value))).toEqual(value);
      }),
    ));
  it('directory entries', () =>
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(decodeDirents(encodeDirents(entries))).toEqual(entries);
      }),
    ));
  it('compression', () =>
    fc.assert(
      fc.property(bytes(2000), fc.nat(400), (unit, times) => {
        const object = Buffer.concat([Buffer.alloc(4), ...new Array<Buffer>(times).fill(unit)]);
        const target = Buffer.alloc(object.length);
        const length = compressObject(object, target, lz4);
        const blob = length === 0 ? object : target.subarray(0, length);
        expect(length).toBeLessThanOrEqual(object.length);
        const decoded = decodeObject(blob, object.length, lz4);
        expect(decoded.body.equals(object.subarray(4))).toBe(true);
        expect(decoded.storedBlocks).toBe(false);
      }),
      { numRuns: 300 },
    ));
});

/** Requires a decoder to give a value or a format error. */
function valueOrFormatError(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof ClfsError && error.code === 'format')) throw error;
  }
}

function decodeAll(input: Buffer): void {
  valueOrFormatError(() => decodeInode(input));
  valueOrFormatError(() => decodeSegment(input));
  valueOrFormatError(() => decodeBucket(input));
  valueOrFormatError(() => decodeDirents(input));
  valueOrFormatError(() => decodeObject(input, LIMIT_BYTES, lz4));
}

describe('malformed input gives a value or a format error', () => {
  const next = (() => {
    let state = 20261123;
    return () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state;
    };
  })();

  it('any bytes', () => fc.assert(fc.property(bytes(400), decodeAll), { numRuns: 20_000 }));

  it('a million mutated objects, memory bounded', () => {
    const samples: Buffer[] = [encodeBucket('5a478fa3-f0ea-4382-8dbb-667193d901c6', ['a.log'])];
    for (const value of fc.sample(inode, 40)) samples.push(encodeInode(value));
    for (const value of fc.sample(segment, 40)) samples.push(encodeSegment(value));
    for (const body of [...samples]) {
      const object = Buffer.concat([Buffer.alloc(4), body, Buffer.alloc(500, body.subarray(0, 40))]);
      const target = Buffer.alloc(object.length);
      const length = compressObject(object, target, lz4);
      if (length > 0) samples.push(Buffer.from(target.subarray(0, length)));
    }
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 250_000; round++) {
      const input = Buffer.from(samples[next() % samples.length]);
      for (let flips = next() % 4; flips >= 0; flips--)
        input[next() % input.length] = next() & (next() % 3 === 0 ? 0xff : 0x81);
      const cut = next() % 8 === 0 ? next() % input.length : input.length;
      const mutated = input.subarray(0, cut);
      valueOrFormatError(() => decodeInode(mutated));
      valueOrFormatError(() => decodeSegment(mutated));
      valueOrFormatError(() => decodeDirents(mutated));
      valueOrFormatError(() => decodeObject(mutated, LIMIT_BYTES, lz4));
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(500 * 1048576);
  });
});
