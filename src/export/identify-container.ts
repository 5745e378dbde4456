import { isClfsError } from '../error.js';
import { decodeBucket } from '../format/bucket.js';
import { ROOT_ID } from '../format/ids.js';
import { BUCKET_NAME } from '../format/names.js';
import type { ContainerReader } from '../namespace/reader.js';

/**
 * By what a container is known again: the UUID of its bucket object, and the name of its root's inode, which changes with each version.
 *
 * @throws ClfsError `not-found`, `format` when the root cannot be read; whatever the container throws
 */
export async function identifyContainer(reader: ContainerReader): Promise<{ readonly bucketUuid: string; readonly rootName: string }> {
  const { blob } = await reader.inode(ROOT_ID);
  return { bucketUuid: await bucketUuid(reader), rootName: blob.name };
}

/** Empty when there is no bucket object that can be read. */
async function bucketUuid(reader: ContainerReader): Promise<string> {
  try {
    return decodeBucket((await reader.fetch(BUCKET_NAME)).body).get('bucketUUID') ?? '';
  } catch (error) {
    if (isClfsError(error, 'not-found', 'format')) return '';
    throw error;
  }
}
