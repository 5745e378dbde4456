import { rename } from '../../test/support/audited.js';
import { describeFindings } from '../../test/support/check-cases.js';
import { sampleBlockId } from '../../test/support/samples.js';
import { objectBody, putObject } from '../../test/support/small-container.js';
import { decodeBucket, encodeBucketPairs } from '../format/bucket.js';
import { NULL_BLOCK_ID } from '../format/ids.js';
import { BUCKET_NAME, encodeObjectName, encodeObjectNameV1 } from '../format/names.js';

const nobodys = (type: number) => encodeObjectName({ id: sampleBlockId(type), type, owner: NULL_BLOCK_ID, version: 9 });

describeFindings('objects by their names', {
  'a bucket object of another name': [
    (c) => rename(c, BUCKET_NAME, BUCKET_NAME.replace('.00000000009.', '.00000000010.')),
    'error bucket-name: The bucket object has another name than it must have.',
  ],
  'a bucket object of other pairs': [
    (c) => {
      const pairs = new Map(decodeBucket(objectBody(c, BUCKET_NAME)))
        .set('bucketNameVersion', '1')
        .set('bucketUUID', 'x');
      pairs.delete('bucketObjVersion');
      putObject(c, BUCKET_NAME, encodeBucketPairs(pairs));
    },
    'error bucket-pairs: The bucket object has no bucketUUID that is a UUID.',
    'error bucket-pairs: The bucket object\'s bucketNameVersion is "1", not "2".',
    'error bucket-pairs: The bucket object\'s bucketObjVersion is undefined, not "2".',
  ],
  'a damaged bucket object': [
    (c) => putObject(c, BUCKET_NAME, Buffer.from('rubbish')),
    'error damaged-object: Trailing bytes at offset 0: no room for a record header.',
    'warning foreign-blob: A blob that is neither an object nor a log file that the bucket object names.',
  ],
  'no bucket object': [
    (c) => void c.blobs.delete(BUCKET_NAME),
    'error no-bucket-object: The container has no bucket object.',
    'warning foreign-blob: A blob that is neither an object nor a log file that the bucket object names.',
  ],
  'no log file': [
    (c) => {
      for (const name of c.blobs.keys()) if (name.endsWith('.log')) c.blobs.delete(name);
    },
    'error log-missing: The bucket object names a log file that is not there.',
  ],
  'blobs of other names': [
    (c) => {
      c.blobs.set('tmp1', Buffer.alloc(1));
      c.blobs.set('foreign', Buffer.alloc(1));
    },
    'warning foreign-blob: A blob that is neither an object nor a log file that the bucket object names.',
    'warning temporary-blob: A blob that an unfinished load left.',
  ],
  'an older version': [
    (c) => {
      for (const [name, blob] of [...c.blobs])
        if (name.includes('.0007.')) c.blobs.set(name.replace('.00000000009.', '.00000000008.'), blob);
    },
    'warning superseded-version: An older or unfinished version (8) lies beside the one that counts.',
  ],
  'objects that loaders do not write': [
    (c) => {
      for (const type of [10, 11, 12]) c.blobs.set(nobodys(type), Buffer.alloc(4));
      c.blobs.set(encodeObjectNameV1(sampleBlockId(1), 9), Buffer.alloc(4));
    },
    'warning unknown-kind: An object of a kind that loaders do not write ID, which is left alone.',
    'warning unknown-kind: An object of type 10 ID, which is left alone.',
    'warning unknown-kind: An object of type 11 ID, which is left alone.',
    'warning unknown-kind: An object of type 12 ID, which is left alone.',
  ],
  'objects that nothing refers to': [
    (c) => {
      for (const type of [1, 2, 8, 9]) c.blobs.set(nobodys(type), Buffer.alloc(4));
    },
    'error orphan: Nothing refers to this directory inode.',
    'error orphan: Nothing refers to this indirect block.',
    'error orphan: Nothing refers to this regular inode.',
    'error orphan: Nothing refers to this segment.',
  ],
});
