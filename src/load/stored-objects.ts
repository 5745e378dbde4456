import { ClfsError, isClfsError } from '../error.js';
import { decodeObject } from '../format/envelope.js';
import { fileBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { decodeInode, type Inode } from '../format/inode.js';
import type { EndTools } from './end-tools.js';
import { OBJECT_LIMIT_BYTES } from './guard.js';
import type { JobContext } from './job-context.js';

/** How much the container has of an entry. */
export interface StoredSize {
  /** Block 0 included. */
  readonly blocks: number;
  /** Bytes of file data; 0 for what is no regular file. */
  readonly bytes: number;
}

/**
 * Reads an inode that counts.
 *
 * @returns undefined when it is missing in the container of a job that keeps no books
 * @throws ClfsError `container-differs` when it is missing or damaged: what it counted for could not be told
 */
export async function readStoredInode(context: JobContext, tools: EndTools, name: string): Promise<Inode | undefined> {
  try {
    const blob = await tools.work.container.get(name, OBJECT_LIMIT_BYTES);
    return decodeInode(decodeObject(blob, OBJECT_LIMIT_BYTES, tools.lz4).body);
  } catch (error) {
    if (!isClfsError(error, 'not-found', 'format')) throw error;
    return missing(context, name, error);
  }
}

/**
 * Looks how much an entry of a chunk has put: that is recorded nowhere else.
 *
 * @param name of the blob of its inode
 * @returns undefined, or throws, as {@link readStoredInode}
 */
export async function readStoredSize(
  context: JobContext,
  tools: EndTools,
  name: string,
): Promise<StoredSize | undefined> {
  const inode = await readStoredInode(context, tools, name);
  if (!inode) return undefined;
  const { type, lengthBytes } = inode.attributes;
  if (type !== ObjectType.regular) return { blocks: 1, bytes: 0 };
  const bytes = Number(lengthBytes);
  return { blocks: fileBlockCount(bytes, context.constants.geometry), bytes };
}

function missing({ state }: JobContext, name: string, cause: unknown): undefined {
  if (!state.record.books) return undefined;
  throw new ClfsError(
    'container-differs',
    `The container ${JSON.stringify(state.record.spec.container)} lacks ${name}, or holds another blob in its place, which this job put into it and wants to remove since its directory has left its place. Find out what differs by "clfsload fsck --content" with the container, put back what was removed, and go on with --new-session=false; else load into an empty container.`,
    { cause },
  );
}
