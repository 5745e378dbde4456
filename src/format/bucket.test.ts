import { describe, expect, it } from 'vitest';
import { refusal } from '../../test/support/samples.js';
import { decodeBucket, encodeBucket, encodeBucketPairs } from './bucket.js';
import { encodeRecord, RecordType } from './records.js';

const UUID = '5a478fa3-f0ea-4382-8dbb-667193d901c6';

describe('the bucket object', () => {
  it('names the versions of the format, the bucket and its log files, in this order', () => {
    expect([...decodeBucket(encodeBucket(UUID, ['a.log', 'b.log']))]).toEqual([
      ['bucketCurrentNameVersion', '2'],
      ['bucketNameVersion', '2'],
      ['bucketObjVersion', '2'],
      ['bucketUUID', UUID],
      ['logfile001', 'a.log'],
      ['logfile002', 'b.log'],
    ]);
  });

  it('has pairs of counted texts', () => {
    expect(
      encodeBucketPairs(new Map([['ä', 'b']]))
        .subarray(20, 35)
        .toString('hex'),
    ).toBe(`01000000${'02000000c3a4'}${'0100000062'}`);
  });

  it('may have records of other types beside its one', () => {
    const body = Buffer.concat([encodeRecord(RecordType.name, Buffer.from('x')), encodeBucket(UUID, [])]);
    expect(decodeBucket(body).get('bucketUUID')).toBe(UUID);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no such record', encodeRecord(RecordType.name, Buffer.alloc(0))],
    ['two of them', Buffer.concat([encodeBucket(UUID, []), encodeBucket(UUID, [])])],
  ])('is refused with %s', (_, body) => {
    expect(refusal(() => decodeBucket(body))).toBe('format: The bucket object does not hold one EXTATTRS record.');
  });
});
