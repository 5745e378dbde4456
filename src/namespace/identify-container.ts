import type { BlobMark, Container } from '../container/container.js';
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

/**
 * What somebody on another machine must find in the container of a job. Where the root cannot be read, its name and the
 * container's number are empty: then only the blobs prove that it is not another container without a root, or none.
 */
export interface ContainerEvidence extends ContainerIdentity {
  /** Names of some blobs that are in it. */
  readonly blobs: readonly string[];
  /** Of a container on disk, what tells some of them, and the root, from copies. */
  readonly marks: readonly (BlobMark & { readonly name: string })[];
}

/** Looks what somebody else must find. @param blobs some of its listing @throws whatever the container throws */
export async function containerEvidence(reader: ContainerReader, blobs: readonly string[]): Promise<ContainerEvidence> {
  const identity = await identityIfAny(reader);
  return { ...identity, blobs, marks: await marksOf(reader.container, identity, blobs) };
}

/** What tells some blobs of a container from copies. @throws whatever the container throws */
export async function marksOf(
  container: Container,
  { rootName }: Pick<ContainerIdentity, 'rootName'>,
  blobs: readonly string[] = [],
): Promise<ContainerEvidence['marks']> {
  const marks: (BlobMark & { readonly name: string })[] = [];
  for (const name of rootName === '' ? blobs : [rootName, ...blobs]) {
    const mark = await container.markOf?.(name);
    if (mark) marks.push({ name, ...mark });
  }
  return marks;
}

/**
 * Makes sure that a container is the one of a job. It need not have anything where the job has found nothing in it: then
 * there is nothing to be read.
 *
 * @throws ClfsError `container-other`; whatever the container throws
 */
export async function requireEvidence(reader: ContainerReader, expected: ContainerEvidence): Promise<void> {
  const found = await identityIfAny(reader);
  const isSame =
    found.rootName === expected.rootName &&
    found.bucketUuid === expected.bucketUuid &&
    found.containerId === expected.containerId;
  if (!isSame || !(await hasAll(reader.container, expected.blobs)))
    throw new ClfsError(
      'container-other',
      'it finds another container there than the driver, or another version of it.',
    );
  if (await isCopy(reader.container, expected))
    throw new ClfsError(
      'container-other',
      `its container is a copy of the driver's: mount the same directory here, and name it by --container.`,
    );
}

/** What is read of a copy says nothing of the container: whether that is damaged, or the copy is. */
async function isCopy(container: Container, { marks }: ContainerEvidence): Promise<boolean> {
  for (const { name, inode, changedNs } of marks) {
    const mark = await container.markOf?.(name);
    // There are file systems that number files by themselves on each machine.
    if (mark && mark.inode !== inode && mark.changedNs !== changedNs) return true;
  }
  return false;
}

async function hasAll(container: Container, blobs: readonly string[]): Promise<boolean> {
  for (const name of blobs) {
    try {
      await container.get(name, 0);
    } catch (error) {
      if (isClfsError(error, 'not-found')) return false;
      // It is there, and longer than nothing; or it is there all the same.
      if (!isClfsError(error, 'format', 'unreadable')) throw error;
    }
  }
  return true;
}

/** {@link identifyContainer}, as far as it can be read. @throws whatever the container throws beside */
async function identityIfAny(reader: ContainerReader): Promise<ContainerIdentity> {
  try {
    return await identifyContainer(reader);
  } catch (error) {
    if (!isClfsError(error, 'not-found', 'format')) throw error;
    return { bucketUuid: await bucketUuid(reader), rootName: '', containerId: '' };
  }
}

async function bucketUuid(reader: ContainerReader): Promise<string> {
  try {
    return decodeBucket((await reader.fetch(BUCKET_NAME)).body).get('bucketUUID') ?? '';
  } catch (error) {
    if (isClfsError(error, 'not-found', 'format')) return '';
    throw error;
  }
}
