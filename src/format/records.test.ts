import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../test/support/samples.js';
import { decodeRecords, encodeRecord, PayloadReader, recordBytes, writeId, writeRecordFrame } from './records.js';

const FIRST = encodeRecord(4, Buffer.from('abc'));
const SECOND = encodeRecord(16, Buffer.from('payload'));
/** Two records: the second at offset 24, with 7 bytes of payload and 5 of padding. */
const BODY = Buffer.concat([FIRST, SECOND]);

/** The body with one word, or one byte, changed. */
function withWord(at: number, value: number): Buffer {
  const body = Buffer.from(BODY);
  body.writeUInt32LE(value, at);
  return body;
}
function withByte(at: number, value: number): Buffer {
  const body = Buffer.from(BODY);
  body[at] = value;
  return body;
}

describe('a record', () => {
  it('is header and payload, rounded up to a multiple of 8', () => {
    expect([0, 1, 3, 4, 5, 12, 13].map(recordBytes)).toEqual([24, 24, 24, 24, 32, 32, 40]);
  });

  it('has these bytes, whatever was there before', () => {
    const target = Buffer.alloc(40, 0xee);
    target.set(Buffer.from('abcde'), 24);
    expect(writeRecordFrame(target, 4, 12, 5)).toBe(36);
    expect(target.toString('hex')).toBe(
      `eeeeeeee${'05600103'}${'20000000'}${'05000000'}${'0c000000'}${'00000000'}${'6162636465'}${'00'.repeat(7)}eeeeeeee`,
    );
  });

  it('comes back as type and payload, which is a view', () => {
    const records = decodeRecords(BODY);
    expect(records.map(({ type, payload }) => [type, payload.toString()])).toEqual([
      [4, 'abc'],
      [16, 'payload'],
    ]);
    expect(records[1].payload.buffer).toBe(BODY.buffer);
    expect(decodeRecords(Buffer.alloc(0))).toEqual([]);
  });

  it('is read from a view into a larger buffer', () => {
    const larger = Buffer.concat([Buffer.alloc(3), BODY, Buffer.alloc(9)]);
    const view = new Uint8Array(larger.buffer, larger.byteOffset + 3, BODY.length);
    expect(decodeRecords(view).map(({ payload }) => payload.toString())).toEqual(['abc', 'payload']);
  });

  it('may be of each type from 2 to 16, and of no other', () => {
    for (let type = 2; type <= 16; type++) expect(decodeRecords(withWord(24 + 12, type))[1].type).toBe(type);
    for (const type of [0, 1, 17, 0x10002, 0xffffffff])
      expect(refusal(() => decodeRecords(withWord(24 + 12, type)))).toBe(
        `format: The record at offset 24 has the unknown type ${type}.`,
      );
  });

  it.each<[string, Buffer, string]>([
    [
      'a byte behind it',
      Buffer.concat([BODY, Buffer.alloc(1)]),
      'Trailing bytes at offset 56: no room for a record header.',
    ],
    [
      'a header without its last byte',
      BODY.subarray(0, 43),
      'Trailing bytes at offset 24: no room for a record header.',
    ],
    ['another magic', withByte(24, 6), 'No record magic at offset 24.'],
    [
      'a header and nothing else',
      BODY.subarray(0, 44),
      'The record at offset 24 is longer (32 bytes) than its object.',
    ],
    [
      'an object that ends in it',
      BODY.subarray(0, 55),
      'The record at offset 24 is longer (32 bytes) than its object.',
    ],
    [
      'a length over the object',
      withWord(28, 0xfffffff8),
      'The record at offset 24 is longer (4294967288 bytes) than its object.',
    ],
    ['a length of 0', withWord(28, 0), 'The record at offset 24 has length 0 for a payload of 7 bytes.'],
    ['a length that is too small', withWord(28, 24), 'The record at offset 24 has length 24 for a payload of 7 bytes.'],
    [
      'a payload for which it is too small',
      withWord(32, 13),
      'The record at offset 24 has length 32 for a payload of 13 bytes.',
    ],
    [
      'a payload for which it is too large',
      withWord(32, 4),
      'The record at offset 24 has length 32 for a payload of 4 bytes.',
    ],
    [
      'a payload near 2^32',
      withWord(32, 0xfffffff8),
      'The record at offset 24 has length 32 for a payload of 4294967288 bytes.',
    ],
    ['a header word', withWord(40, 1), 'The record at offset 24 has a header word that is not 0.'],
    ['padding at its begin', withByte(51, 1), 'The record at offset 24 has padding that is not zero.'],
    ['padding at its end', withByte(55, 1), 'The record at offset 24 has padding that is not zero.'],
  ])('is refused for %s', (_, body, message) => {
    expect(refusal(() => decodeRecords(body))).toBe(`format: ${message}`);
  });

  it('comes back whatever its payload is', () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ type: fc.integer({ min: 2, max: 16 }), payload: fc.uint8Array({ maxLength: 40 }) })),
        (records) => {
          const wanted = records.map(({ type, payload }) => ({ type, payload: Buffer.from(payload) }));
          const body = Buffer.concat(wanted.map(({ type, payload }) => encodeRecord(type, payload)));
          expect(decodeRecords(body)).toEqual(wanted);
        },
      ),
    ));
});

describe('the fields of a payload', () => {
  const bytes = Buffer.from('010203040506070809101112131415160200ffee', 'hex');

  it('are read in their order', () => {
    const r = new PayloadReader(bytes, 'SAMPLE');
    expect(r.remaining).toBe(20);
    expect([r.u8(), r.u16(), r.u32()]).toEqual([1, 0x0302, 0x07060504]);
    expect(r.u64()).toBe(0x1514131211100908n);
    expect(r.bytes(1)).toEqual(Buffer.from([0x16]));
    expect(r.id()).toEqual(Buffer.from([0xff, 0xee]));
    expect(r.remaining).toBe(0);
    r.end();
  });

  it.each<[string, number, (r: PayloadReader) => unknown]>([
    ['u8', 0, (r) => r.u8()],
    ['u16', 1, (r) => r.u16()],
    ['u32', 3, (r) => r.u32()],
    ['u64', 7, (r) => r.u64()],
    ['bytes', 8, (r) => r.bytes(9)],
    ['id', 1, (r) => r.id()],
    ['count', 3, (r) => r.count(1)],
  ])('%s is refused where the payload ends before it does', (_, length, read) => {
    expect(refusal(() => read(new PayloadReader(bytes.subarray(0, length), 'SAMPLE')))).toBe(
      'format: Malformed SAMPLE record: it ends early.',
    );
  });

  it('end where the payload does', () => {
    const r = new PayloadReader(bytes, 'SAMPLE');
    r.bytes(17);
    expect(refusal(() => r.end())).toBe('format: Malformed SAMPLE record: 3 bytes too many.');
  });

  it('cannot be more than the payload has room for', () => {
    const four = Buffer.from('0400000000000000000000000000', 'hex');
    expect(new PayloadReader(four.subarray(0, 12), 'SAMPLE').count(2)).toBe(4);
    expect(refusal(() => new PayloadReader(four.subarray(0, 11), 'SAMPLE').count(2))).toBe(
      'format: Malformed SAMPLE record: a count of 4 does not fit.',
    );
  });

  it('have ids behind their lengths', () => {
    const target = Buffer.alloc(8, 0xee);
    expect(writeId(target, 1, Buffer.from([1, 2, 3]))).toBe(6);
    expect(target.toString('hex')).toBe('ee0300010203eeee');
  });
});
