import { decodeBucket } from '../format/bucket.js';
import { BUCKET_ID } from '../format/ids.js';
import { BUCKET_NAME } from '../format/names.js';
import { type FsckContext, reportDamage } from './fsck-context.js';

/** Form of a UUID of version 4, as the format writes one. */
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Tells of blobs that are no object's current version. */
export async function checkNames({ index, report, turns }: FsckContext): Promise<void> {
  for await (const page of index.superseded()) {
    for (const { name, key } of page) {
      await turns.next();
      report(
        'warning',
        'superseded-version',
        undefined,
        name,
        `An older or unfinished version (${key.version}) lies beside the one that counts.`,
      );
    }
  }
  for (const { name } of index.others()) {
    await turns.next();
    if (name.startsWith('tmp'))
      report('warning', 'temporary-blob', undefined, name, 'A blob that an unfinished load left.');
  }
}

/** Checks the bucket object, and the log files against it. Source: docs/format.md 9 */
export async function checkBucket(context: FsckContext): Promise<void> {
  const { reader, index, report, turns } = context;
  const blob = await index.find(BUCKET_ID);
  const logs = new Set<string>();
  if (!blob) report('error', 'no-bucket-object', undefined, BUCKET_NAME, 'The container has no bucket object.');
  else {
    context.used.add(BUCKET_ID);
    if (blob.name !== BUCKET_NAME)
      report('error', 'bucket-name', undefined, blob.name, 'The bucket object has another name than it must have.');
    try {
      const pairs = decodeBucket((await reader.fetch(blob.name)).body);
      for (const key of ['bucketCurrentNameVersion', 'bucketNameVersion', 'bucketObjVersion']) {
        if (pairs.get(key) !== '2')
          report(
            'error',
            'bucket-pairs',
            undefined,
            blob.name,
            `The bucket object's ${key} is ${JSON.stringify(pairs.get(key))}, not "2".`,
          );
      }
      if (!UUID.test(pairs.get('bucketUUID') ?? ''))
        report('error', 'bucket-pairs', undefined, blob.name, 'The bucket object has no bucketUUID that is a UUID.');
      for (const [key, value] of pairs) if (/^logfile\d{3,}$/.test(key)) logs.add(value);
    } catch (error) {
      reportDamage(context, undefined, blob.name, error);
    }
  }
  const missing = new Set(logs);
  for (const { name } of index.others()) {
    await turns.next();
    missing.delete(name);
    if (!logs.has(name) && !name.startsWith('tmp'))
      report(
        'warning',
        'foreign-blob',
        undefined,
        name,
        'A blob that is neither an object nor a log file that the bucket object names.',
      );
  }
  for (const name of missing)
    report('error', 'log-missing', undefined, name, 'The bucket object names a log file that is not there.');
}
