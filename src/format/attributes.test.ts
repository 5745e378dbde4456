import { describe, expect, it } from 'vitest';
import { refusal, sampleAttributes } from '../../test/support/samples.js';
import { clampTimestamp, decodeAttributes, VATTR_RECORD_BYTES, writeAttributes } from './attributes.js';
import { packAttributes, unpackAttributes } from './packed-attributes.js';
import { decodeRecords } from './records.js';

const RECORD = packAttributes(sampleAttributes(1));
const [{ type, payload: PAYLOAD }] = decodeRecords(RECORD);

/** The payload with one byte changed. */
function withByte(at: number, value: number): Buffer {
  const payload = Buffer.from(PAYLOAD);
  payload[at] = value;
  return payload;
}

describe('attributes', () => {
  it('are a record of this layout', () => {
    expect(VATTR_RECORD_BYTES).toBe(128);
    expect(type).toBe(4);
    expect(PAYLOAD.toString('hex')).toBe(
      [
        '68000000', // length
        'a08101000403020' + '1', // mode, type, reserved, flags
        'feffffffe9030000', // uid, gid
        '0500000000000080', // length of the file
        '0b0000000c000000', // dtime
        'ffffffff0e000000', // mtime
        '0f00000010000000', // ctime
        '11000000ffc99a3b', // atime
        '2827262524232221', // used
        '3837363534333231', // fsid
        'ffffffffffffffff', // inode number
        '4443424154535251', // device
        '0300000000000000', // links, reserved
        '6867666564636261', // container
      ].join(''),
    );
  });

  it('are written over whatever was there, and tell where they end', () => {
    const target = Buffer.alloc(VATTR_RECORD_BYTES + 8, 0xee);
    expect(writeAttributes(target, 4, sampleAttributes(1))).toBe(VATTR_RECORD_BYTES + 4);
    expect(target.subarray(4, -4)).toEqual(RECORD);
  });

  it.each([1, 2, 3, 4, 5, 6, 7] as const)('of type %i come back', (each) => {
    const attributes = sampleAttributes(each);
    expect(unpackAttributes(packAttributes(attributes))).toEqual(attributes);
  });

  it.each<[string, Buffer, string]>([
    ['another length', withByte(0, 103), 'A VATTR record holds 104 bytes, not 103.'],
    ['no type', withByte(6, 0), 'A VATTR record has the object type 0.'],
    ['the type of a segment', withByte(6, 8), 'A VATTR record has the object type 8.'],
    ['a reserved byte', withByte(7, 1), 'A VATTR record has a reserved field that is not 0.'],
    ['a reserved word', withByte(99, 0x80), 'A VATTR record has a reserved field that is not 0.'],
    ['its last byte lacking', PAYLOAD.subarray(0, -1), 'Malformed VATTR record: it ends early.'],
    ['no length', PAYLOAD.subarray(0, 3), 'Malformed VATTR record: it ends early.'],
    ['a byte too many', Buffer.concat([PAYLOAD, Buffer.alloc(1)]), 'Malformed VATTR record: 1 bytes too many.'],
  ])('are refused for %s', (_, payload, message) => {
    expect(refusal(() => decodeAttributes(payload))).toBe(`format: ${message}`);
  });

  it('have times from 1970 to 2106: others are moved to the nearest', () => {
    expect(clampTimestamp(-1, 999_999_999)).toEqual({ seconds: 0, nanoseconds: 0 });
    expect(clampTimestamp(0, 1)).toEqual({ seconds: 0, nanoseconds: 1 });
    expect(clampTimestamp(0xffffffff, 999_999_999)).toEqual({ seconds: 0xffffffff, nanoseconds: 999_999_999 });
    expect(clampTimestamp(0x100000000, 5)).toEqual({ seconds: 0xffffffff, nanoseconds: 0 });
  });
});
