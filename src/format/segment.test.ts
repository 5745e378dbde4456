import { describe, expect, it } from 'vitest';
import { refusal, sampleBlockId, sampleHandle } from '../../test/support/samples.js';
import { encodeData } from './inode.js';
import { encodeRecord, RecordType } from './records.js';
import { decodeSegment, encodeSegment, indirectOffset, ownerReferenceBytes, writeOwnerReference } from './segment.js';

const OWNER = { ctimeSeconds: 0x01020304, offset: 0x1112131415161718n, handle: sampleHandle(2000) };
const BACK = Buffer.alloc(ownerReferenceBytes(OWNER.handle));
writeOwnerReference(BACK, 0, OWNER);
const DATA = encodeData(Buffer.from('data'));
const NO_DATA = encodeData(Buffer.alloc(0));
const DIRENTS = encodeRecord(RecordType.dirents, Buffer.from('entries'));
const u32 = (value: number) => Buffer.from([value, 0, 0, 0]);
const idField = (id: Uint8Array) => Buffer.concat([Buffer.from([id.length, 0]), id]);
const children = (count: number, ...ids: readonly Uint8Array[]) =>
  encodeRecord(RecordType.indir, Buffer.concat([u32(count), ...ids.map(idField)]));
const [A, B] = [sampleBlockId(1), sampleBlockId(2)];

describe('a segment', () => {
  it('of a file is its data and its owner', () => {
    const segment = { kind: 'file' as const, data: Buffer.from('data'), owner: OWNER };
    expect(encodeSegment(segment)).toEqual(Buffer.concat([DATA, BACK]));
    expect(decodeSegment(Buffer.concat([DATA, BACK]))).toEqual(segment);
  });

  it('of a directory is its entries, no data, and its owner', () => {
    const segment = { kind: 'directory' as const, dirents: Buffer.from('entries'), owner: OWNER };
    expect(encodeSegment(segment)).toEqual(Buffer.concat([DIRENTS, NO_DATA, BACK]));
    expect(decodeSegment(Buffer.concat([DIRENTS, NO_DATA, BACK]))).toEqual(segment);
  });

  it('of ids is an indirect block', () => {
    const segment = { kind: 'indirect' as const, children: [A, B], owner: OWNER };
    expect(encodeSegment(segment)).toEqual(Buffer.concat([children(2, A, B), BACK]));
    expect(decodeSegment(Buffer.concat([children(2, A, B), BACK]))).toEqual(segment);
  });

  it('names its owner in this layout', () => {
    expect(BACK.subarray(12, 16)).toEqual(u32(10));
    expect(BACK.subarray(20, 58).toString('hex')).toBe(
      `04030201${'1817161514131211'}${'1800'}${OWNER.handle.toString('hex')}`,
    );
    expect(BACK.length).toBe(64);
  });

  it('may have records of kinds that this program does not write', () => {
    for (const type of [6, 8, 11, 13, 14, 15])
      expect(decodeSegment(Buffer.concat([DATA, encodeRecord(type, Buffer.from('x')), BACK])).kind).toBe('file');
  });

  it('says of an indirect block which tree and depth it is of', () => {
    expect(indirectOffset(0, 0)).toBe(0n);
    expect(indirectOffset(3, 2)).toBe(0x30002n);
  });

  it.each<[string, readonly Buffer[], string]>([
    ['nothing', [], 'The records  are those of no segment and no indirect block.'],
    ['no owner', [DATA], 'The records 2 are those of no segment and no indirect block.'],
    ['no data', [BACK], 'The records 10 are those of no segment and no indirect block.'],
    ['the owner first', [BACK, DATA], 'The records 10 2 are those of no segment and no indirect block.'],
    ['two owners', [DATA, BACK, BACK], 'The records 2 10 10 are those of no segment and no indirect block.'],
    [
      'entries without a DATA record',
      [DIRENTS, BACK],
      'The records 3 10 are those of no segment and no indirect block.',
    ],
    [
      'entries and data that are cut',
      [DIRENTS, encodeRecord(RecordType.data, u32(1)), BACK],
      'Malformed DATA record: it ends early.',
    ],
    ['entries and data', [DIRENTS, DATA, BACK], 'A directory segment has data.'],
    ['an id of 15 bytes', [children(1, A.subarray(1)), BACK], 'An indirect block lists an id of 15 bytes.'],
    ['a handle as a child', [children(1, OWNER.handle), BACK], 'An indirect block lists an id of 24 bytes.'],
    ['more ids than it says', [children(1, A, B), BACK], 'Malformed INDIR record: 18 bytes too many.'],
    ['fewer ids than it says', [children(2, A), BACK], 'Malformed INDIR record: it ends early.'],
    ['a count without ids', [children(200), BACK], 'Malformed INDIR record: a count of 200 does not fit.'],
    [
      'an owner that is cut',
      [DATA, encodeRecord(RecordType.databack, Buffer.alloc(13))],
      'Malformed DATABACK record: it ends early.',
    ],
    [
      'an owner with more behind it',
      [DATA, encodeRecord(RecordType.databack, Buffer.alloc(15))],
      'Malformed DATABACK record: 1 bytes too many.',
    ],
    [
      'data shorter than it says',
      [encodeRecord(RecordType.data, u32(1)), BACK],
      'Malformed DATA record: it ends early.',
    ],
    [
      'data longer than it says',
      [encodeRecord(RecordType.data, Buffer.alloc(6)), BACK],
      'Malformed DATA record: 2 bytes too many.',
    ],
  ])('is refused for %s', (_, parts, message) => {
    expect(refusal(() => decodeSegment(Buffer.concat(parts)))).toBe(`format: ${message}`);
  });
});
