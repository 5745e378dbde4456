import type { Container } from '../container/container.js';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import { decodeBucket, encodeBucket } from '../format/bucket.js';
import { decodeObject, ENVELOPE_BYTES, type Lz4 } from '../format/envelope.js';
import { BUCKET_NAME } from '../format/names.js';

const BUCKET_LIMIT_BYTES = 1048576;

/** Writes the bucket object: in place, or with `onlyNew` as the first object of a job. */
export async function putBucket(
  container: Container,
  bucketUuid: string,
  logNames: readonly string[],
  onlyNew = false,
): Promise<void> {
  // Never compressed: it is the first thing that anybody reads.
  const blob = Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), encodeBucket(bucketUuid, logNames)]);
  await container.put(BUCKET_NAME, blob, onlyNew ? { onlyNew } : undefined);
}

/** UUID of the container's bucket object; undefined when it has none. @throws ClfsError `container-other` when it is damaged */
export async function readBucketUuid(container: Container, lz4: Lz4): Promise<string | undefined> {
  try {
    const blob = await container.get(BUCKET_NAME, BUCKET_LIMIT_BYTES);
    return decodeBucket(decodeObject(blob, BUCKET_LIMIT_BYTES, lz4).body).get('bucketUUID');
  } catch (error) {
    if (isClfsError(error, 'not-found')) return undefined;
    if (!isClfsError(error, 'format')) throw error;
    throw new ClfsError(
      'container-other',
      `The container's bucket object, ${BUCKET_NAME}, is damaged: ${messageOf(error)} Put back what it held, or load into another, empty container.`,
      { cause: error },
    );
  }
}

/**
 * Makes sure that a container is the one that a job began.
 *
 * @param where the container, for people
 * @throws ClfsError `container-other`
 */
export async function requireOwnBucket(
  container: Container,
  lz4: Lz4,
  bucketUuid: string,
  where: string,
): Promise<void> {
  const uuid = await readBucketUuid(container, lz4);
  if (uuid === bucketUuid) return;
  const what =
    uuid === undefined
      ? 'has no bucket object: it was emptied or made again, or is another one'
      : 'belongs to another load';
  throw new ClfsError(
    'container-other',
    `The container ${JSON.stringify(where)} ${what}. Go on with the container of the job, or start a new job.`,
  );
}
