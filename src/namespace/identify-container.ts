import { ClfsError, isClfsError } from '../error.js';
import { decodeBucket } from '../format/bucket.js';
import { ROOT_ID } from '../format/ids.js';
import { BUCKET_NAME } from '../format/names.js';
import type { ContainerReader } from './reader.js';

/** By what a container is known again. */
export interface ContainerIdentity {
  /** Empty when there is no bucket object that can be read. */
  readonly bucketUuid: string;
  /** Changes with each version of the root. */
  readonly rootName: string;
  /** Number that the load which made it has drawn, as the root's attributes have it. */
  readonly containerId: string;
}

/**
 * Looks by what a container is known again.
 *
 * @throws ClfsError `not-found`, `format` when the root cannot be read; whatever the container throws
 */
export async function identifyContainer(reader: ContainerReader): Promise<ContainerIdentity> {
  const { blob, inode } = await reader.inode(ROOT_ID);
  return {
    bucketUuid: await bucketUuid(reader),
    rootName: blob.name,
    containerId: String(inode.attributes.containerId),
  };
}

/** {@link identifyContainer}; undefined when the root cannot be read. @throws whatever the container throws beside */
export async function identityIfAny(reader: ContainerReader): Promise<ContainerIdentity | undefined> {
  try {
    return await identifyContainer(reader);
  } catch (error) {
    if (isClfsError(error, 'not-found', 'format')) return undefined;
    throw error;
  }
}

/** Makes sure that a container is the one that somebody else has identified. @throws ClfsError `container-other` */
export async function requireIdentity(reader: ContainerReader, expected: ContainerIdentity | undefined): Promise<void> {
  const found = await identityIfAny(reader);
  if (found?.rootName === expected?.rootName && found?.bucketUuid === expected?.bucketUuid) return;
  throw new ClfsError('container-other', 'it finds another container there than the driver, or another version of it.');
}

async function bucketUuid(reader: ContainerReader): Promise<string> {
  try {
    return decodeBucket((await reader.fetch(BUCKET_NAME)).body).get('bucketUUID') ?? '';
  } catch (error) {
    if (isClfsError(error, 'not-found', 'format')) return '';
    throw error;
  }
}
