import { ClfsError } from '../error.js';
import { decodeExtendedAttributes, type ExtendedAttributes, encodeExtendedAttributes } from './extattrs.js';
import { decodeRecords, encodeRecord, RecordType } from './records.js';

/**
 * The body of the bucket object.
 *
 * @param bucketUuid lower case, dashed
 * @param logNames names of the log blobs, in order; empty until the end of a load
 * Source: docs/format.md 9
 */
export function encodeBucket(bucketUuid: string, logNames: readonly string[]): Buffer {
  const pairs = new Map([
    ['bucketCurrentNameVersion', '2'],
    ['bucketNameVersion', '2'],
    ['bucketObjVersion', '2'],
    ['bucketUUID', bucketUuid],
  ]);
  for (const [index, name] of logNames.entries()) pairs.set(`logfile${String(index + 1).padStart(3, '0')}`, name);
  return encodeBucketPairs(pairs);
}

/** The body of a bucket object with any pairs. */
export function encodeBucketPairs(pairs: ExtendedAttributes): Buffer {
  return encodeRecord(RecordType.extattrs, encodeExtendedAttributes(pairs));
}

/** @throws ClfsError `format` when the body is not one EXTATTRS record */
export function decodeBucket(body: Uint8Array): ExtendedAttributes {
  const records = decodeRecords(body).filter((record) => record.type === RecordType.extattrs);
  if (records.length !== 1) throw new ClfsError('format', 'The bucket object does not hold one EXTATTRS record.');
  return decodeExtendedAttributes(records[0].payload);
}
