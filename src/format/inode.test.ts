import { describe, expect, it } from 'vitest';
import { refusal, sampleHandle, sampleInode } from '../../test/support/samples.js';
import type { EntryType } from './ids.js';
import { decodeCounted, decodeInode, encodeData, encodeInode, inodeHeadBytes } from './inode.js';
import { decodeRecords, encodeRecord, type RawRecord, RecordType } from './records.js';

const TYPES: readonly EntryType[] = [1, 2, 3, 4, 5, 6, 7];
const recordsOf = (type: EntryType) => decodeRecords(encodeInode(sampleInode(type)));
const bodyOf = (records: readonly RawRecord[]) =>
  Buffer.concat(records.map(({ type, payload }) => encodeRecord(type, payload)));
const without = (type: EntryType, record: number) => bodyOf(recordsOf(type).filter((each) => each.type !== record));
const withMore = (type: EntryType, ...more: readonly RawRecord[]) => bodyOf([...recordsOf(type), ...more]);
/** The inode with other bytes in one of its records. */
const withPayload = (type: EntryType, record: number, payload: Buffer) =>
  bodyOf(recordsOf(type).map((each) => (each.type === record ? { type: record, payload } : each)));
const NOTHING = Buffer.alloc(0);
const R = RecordType;

describe('an inode', () => {
  it.each(TYPES)('of type %i comes back', (type) => {
    expect(decodeInode(encodeInode(sampleInode(type)))).toEqual(sampleInode(type));
  });

  it('has the records of its type in the order that the format gives', () => {
    const order = (type: EntryType) => recordsOf(type).map((record) => record.type);
    expect(order(1)).toEqual([R.vattr, R.bmap, R.back, R.name, R.data, 15]);
    expect(order(2)).toEqual([R.vattr, R.bmap, R.name, R.dirents, R.extattrs, 15]);
    expect(order(5)).toEqual([R.vattr, R.bmap, R.back, R.name, R.data, 15]);
    for (const type of [3, 4, 6, 7] as const) expect(order(type)).toEqual([R.vattr, R.bmap, R.back, R.name, 15]);
  });

  it('has counted back pointers, name and data', () => {
    const payload = (record: number) =>
      recordsOf(1)
        .find(({ type }) => type === record)
        ?.payload.toString('hex');
    const [first, second] = [1500, 1501].map((sequence) => sampleHandle(sequence, 2).toString('hex'));
    expect(payload(R.back)).toBe(`02000000${`1800${first}`}${`1800${second}`}`);
    expect(payload(R.name)).toBe('050000006ec3a46d65');
    expect(payload(R.data)).toBe(`09000000${Buffer.from('some data').toString('hex')}`);
  });

  it('tells how long its first records are', () => {
    for (const type of [1, 2] as const) {
      const inode = sampleInode(type);
      const head = encodeInode({
        ...inode,
        data: undefined,
        dirents: undefined,
        extendedAttributes: undefined,
        otherRecords: [],
      });
      expect(inodeHeadBytes(inode, inode.blockMap.direct)).toBe(head.length);
    }
  });

  const ALWAYS = [R.vattr, R.bmap, R.name];
  it.each<[EntryType, readonly number[]]>([
    [1, [...ALWAYS, R.back, R.data]],
    [2, [...ALWAYS, R.dirents]],
    [3, [...ALWAYS, R.back]],
    [4, [...ALWAYS, R.back]],
    [5, [...ALWAYS, R.back, R.data]],
    [6, [...ALWAYS, R.back]],
    [7, [...ALWAYS, R.back]],
  ])('of type %i must have its records, once', (type, records) => {
    for (const record of records) {
      expect(refusal(() => decodeInode(without(type, record)))).toBe(
        `format: An inode has no record of type ${record}.`,
      );
      const again = { type: record, payload: NOTHING };
      expect(refusal(() => decodeInode(withMore(type, again)))).toBe(
        `format: An inode has two records of type ${record}.`,
      );
    }
  });

  it.each<[EntryType, readonly number[]]>([
    [1, [R.dirents, R.extattrs]],
    [2, [R.back, R.data]],
    [3, [R.dirents, R.extattrs, R.data]],
    [4, [R.dirents, R.extattrs, R.data]],
    [5, [R.dirents, R.extattrs]],
    [6, [R.dirents, R.extattrs, R.data]],
    [7, [R.dirents, R.extattrs, R.data]],
  ])('of type %i must not have those of another', (type, records) => {
    for (const record of records)
      expect(refusal(() => decodeInode(withMore(type, { type: record, payload: NOTHING })))).toBe(
        `format: An inode has a record of type ${record} that its type does not have.`,
      );
  });

  it('of a directory need not have extended attributes', () => {
    expect(decodeInode(without(2, R.extattrs)).extendedAttributes).toBeUndefined();
  });

  it('keeps every record that this program does not write, also one that is there twice', () => {
    const more = [6, 7, 8, 10, 11, 13, 14, 15, 15].map((type, at) => ({ type, payload: Buffer.from([at]) }));
    expect(decodeInode(withMore(7, ...more)).otherRecords).toEqual([...sampleInode(7).otherRecords, ...more]);
  });

  const u32 = (value: number) => Buffer.from([value, 0, 0, 0]);
  it.each<[string, EntryType, number, Buffer, string]>([
    [
      'a name that is cut',
      1,
      R.name,
      Buffer.concat([u32(3), Buffer.from('ab')]),
      'Malformed NAME record: it ends early.',
    ],
    [
      'bytes behind a name',
      2,
      R.name,
      Buffer.concat([u32(1), Buffer.from('ab')]),
      'Malformed NAME record: 1 bytes too many.',
    ],
    ['data that are cut', 1, R.data, u32(1), 'Malformed DATA record: it ends early.'],
    [
      'back pointers that are cut',
      7,
      R.back,
      Buffer.concat([u32(1), Buffer.from([3, 0, 1])]),
      'Malformed BACK record: it ends early.',
    ],
    [
      'bytes behind back pointers',
      7,
      R.back,
      Buffer.concat([u32(0), u32(0)]),
      'Malformed BACK record: 4 bytes too many.',
    ],
    ['a count of back pointers without them', 7, R.back, u32(1), 'Malformed BACK record: a count of 1 does not fit.'],
    [
      'pairs that are cut',
      2,
      R.extattrs,
      Buffer.concat([u32(1), u32(4), u32(0)]),
      'Malformed EXTATTRS record: it ends early.',
    ],
    [
      'bytes behind the pairs',
      2,
      R.extattrs,
      Buffer.concat([u32(0), u32(0)]),
      'Malformed EXTATTRS record: 4 bytes too many.',
    ],
    [
      'a count of pairs without them',
      2,
      R.extattrs,
      Buffer.concat([u32(1), Buffer.alloc(7)]),
      'Malformed EXTATTRS record: a count of 1 does not fit.',
    ],
  ])('is refused for %s', (_, type, record, payload, message) => {
    expect(refusal(() => decodeInode(withPayload(type, record, payload)))).toBe(`format: ${message}`);
  });

  it('has no more back pointers than bytes for them', () => {
    const none = decodeInode(withPayload(7, R.back, u32(0)));
    expect(none.backPointers).toEqual([]);
  });
});

describe('a counted record', () => {
  it('is its length and its bytes', () => {
    expect(encodeData(Buffer.from('ab')).toString('hex')).toBe(
      `056001032000000006000000${'02000000'}00000000${'02000000'}6162${'000000000000'}`,
    );
    expect(decodeCounted(Buffer.from([1, 0, 0, 0, 7]), 'NAME')).toEqual(Buffer.from([7]));
    expect(decodeCounted(Buffer.alloc(4), 'NAME')).toEqual(Buffer.alloc(0));
  });
});
