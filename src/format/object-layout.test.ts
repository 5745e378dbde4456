import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attributes, EPOCH } from './attributes.js';
import { NO_ROOTS } from './block-map.js';
import { ENVELOPE_BYTES } from './envelope.js';
import { GEOMETRY } from './geometry.js';
import { decodeInode, encodeInode } from './inode.js';
import { MOST_LINKS } from './limits.js';
import {
  buildInode,
  buildSegment,
  largestObjectBytes,
  layoutInode,
  SEGMENT_DATA_AT,
  segmentObjectBytes,
} from './object-layout.js';
import { encodeSegment } from './segment.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const handle = bytes(24);
const name = fc.uint8Array({ minLength: 1, maxLength: 255 });
const data = fc.uint8Array({ maxLength: 300 });

function attributesOf(type: 1 | 7, lengthBytes: number, linkCount: number): Attributes {
  const times = {
    dtime: EPOCH,
    mtime: { seconds: 1, nanoseconds: 2 },
    ctime: { seconds: 3, nanoseconds: 4 },
    atime: { seconds: 5, nanoseconds: 6 },
  };
  const numbers = { fsid: 7n, inodeNumber: 8n, deviceMajor: 0, deviceMinor: 0, linkCount, containerId: 9n };
  return {
    mode: 0o644,
    type,
    flags: 0,
    uid: 1,
    gid: 2,
    lengthBytes: BigInt(lengthBytes),
    usedBytes: BigInt(lengthBytes),
    ...times,
    ...numbers,
  };
}

describe('an object that is built around its data', () => {
  it('is the inode that the codec encodes, where there is more room than data too', () => {
    fc.assert(
      fc.property(
        handle,
        fc.array(handle, { minLength: 1, maxLength: 5 }),
        name,
        fc.option(data, { nil: undefined }),
        fc.nat(9),
        (id, backPointers, own, content, spare) => {
          const attributes = attributesOf(content ? 1 : 7, content?.length ?? 0, backPointers.length);
          const identity = { handle: id, backPointers, name: own };
          const layout = layoutInode(identity, [id], content && content.length + spare);
          const target = Buffer.alloc(layout.sizeBytes, 0xee);
          if (content) target.set(content, layout.dataAt);
          const end = buildInode(target, layout, identity, attributes, content?.length, GEOMETRY);
          const body = target.subarray(ENVELOPE_BYTES, end);
          const blockMap = {
            firstSegmentBytes: GEOMETRY.firstSegmentBytes,
            segmentBytes: GEOMETRY.fileSegmentBytes,
            direct: [id],
            roots: NO_ROOTS,
          };
          const inode = { attributes, blockMap, backPointers, name: own, data: content && Buffer.from(content) };
          expect(end).toBeLessThanOrEqual(layout.sizeBytes);
          if (!content || spare === 0) expect(end).toBe(layout.sizeBytes);
          expect(body).toEqual(
            encodeInode({ ...inode, dirents: undefined, extendedAttributes: undefined, otherRecords: [] }),
          );
          expect(Buffer.from(decodeInode(body).name)).toEqual(Buffer.from(own));
        },
      ),
    );
  });

  it('is the segment that the codec encodes', () => {
    fc.assert(
      fc.property(handle, data, fc.nat(2 ** 31), fc.maxSafeNat(), (id, content, ctimeSeconds, offset) => {
        const target = Buffer.alloc(segmentObjectBytes(content.length, id), 0xee);
        target.set(content, SEGMENT_DATA_AT);
        const end = buildSegment(target, content.length, ctimeSeconds, offset, id);
        expect(end).toBe(target.length);
        const owner = { ctimeSeconds, offset: BigInt(offset), handle: id };
        expect(target.subarray(ENVELOPE_BYTES)).toEqual(
          encodeSegment({ kind: 'file', data: Buffer.from(content), owner }),
        );
      }),
    );
  });

  it('has room for the widest indirect block', () => {
    const fanOut = 100_000;
    const children = new Array<Uint8Array>(fanOut).fill(new Uint8Array(16));
    const owner = { ctimeSeconds: 1, offset: 0n, handle: new Uint8Array(24) };
    const block = encodeSegment({ kind: 'indirect', children, owner });
    const small = { ...GEOMETRY, fileSegmentBytes: 1024, directorySegmentBytes: 1024, directBlocks: 5, fanOut };
    expect(ENVELOPE_BYTES + block.length).toBeLessThanOrEqual(largestObjectBytes(small));
  });

  it('is never larger than the largest', () => {
    const id = new Uint8Array(24);
    const largest = { handle: id, backPointers: new Array<Uint8Array>(MOST_LINKS).fill(id), name: new Uint8Array(255) };
    const direct = new Array<Uint8Array>(GEOMETRY.directBlocks).fill(id);
    for (const geometry of [
      GEOMETRY,
      { ...GEOMETRY, fileSegmentBytes: 1024, directorySegmentBytes: 1024, fanOut: 4 },
    ]) {
      const limit = largestObjectBytes(geometry);
      expect(layoutInode(largest, direct, geometry.firstSegmentBytes).sizeBytes).toBeLessThanOrEqual(limit);
      expect(segmentObjectBytes(geometry.fileSegmentBytes, id)).toBeLessThanOrEqual(limit);
    }
  });
});
