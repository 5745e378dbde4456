import { Tally } from '../books/tally.js';
import { ClfsError, isClfsError } from '../error.js';
import { decodeObject } from '../format/envelope.js';
import { fileBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { decodeInode, type Inode } from '../format/inode.js';
import { decodeObjectName, objectNamePrefix } from '../format/names.js';
import { blockNames } from '../worker/indirect-blocks.js';
import type { EndTools } from './end-tools.js';
import { OBJECT_LIMIT_BYTES } from './guard.js';
import type { JobContext } from './job-context.js';
import type { Presence } from './presence.js';

/** An inode that counts, as the container has it. */
export interface StoredInode {
  readonly inode: Inode;
  /** Length of its blob. */
  readonly storedBytes: number;
}

/** An inode whose objects are to be counted. */
export interface CountedInode {
  /** Name of the blob. */
  readonly name: string;
  readonly handle: Uint8Array;
  readonly sequence: number;
}

/** What an inode and its blocks are in the container. */
export interface StoredObjects {
  /** Of the inode, its segments and indirect blocks. */
  readonly tally: Tally;
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
export async function readStoredInode(
  context: JobContext,
  tools: EndTools,
  name: string,
): Promise<StoredInode | undefined> {
  try {
    const blob = await tools.work.container.get(name, OBJECT_LIMIT_BYTES);
    return { inode: decodeInode(decodeObject(blob, OBJECT_LIMIT_BYTES, tools.lz4).body), storedBytes: blob.length };
  } catch (error) {
    if (!isClfsError(error, 'not-found', 'format')) throw error;
    return missing(context, name, error);
  }
}

/**
 * Looks up the objects of an entry of a chunk: the lengths of what a finished entry has put are recorded nowhere else.
 *
 * @returns undefined, or throws, as {@link readStoredInode}
 */
export async function readStoredObjects(
  context: JobContext,
  tools: EndTools,
  presence: Presence,
  { name, handle, sequence }: CountedInode,
): Promise<StoredObjects | undefined> {
  const stored = await readStoredInode(context, tools, name);
  if (!stored) return undefined;
  const { type, lengthBytes } = stored.inode.attributes;
  const { geometry } = context.constants;
  const regular = type === ObjectType.regular;
  const blocks = regular ? fileBlockCount(Number(lengthBytes), geometry) : 1;
  const tally = new Tally();
  tally.add(type, name, stored.storedBytes);
  const known = presence.blocks(handle);
  const range = {
    handle,
    sequence,
    generation: 0,
    segments: blocks - 1,
    indirectBlocks: blocks > geometry.directBlocks ? blocks : 0,
  };
  for (const block of blockNames(range, tools.work)) {
    const sizeBytes = known ? known.get(block) : await sizeOf(tools, block);
    if (sizeBytes === undefined) missing(context, block, undefined);
    else tally.add(decodeObjectName(block)?.type ?? ObjectType.segment, block, sizeBytes);
  }
  return { tally, blocks, bytes: regular ? Number(lengthBytes) : 0 };
}

async function sizeOf({ work }: EndTools, name: string): Promise<number | undefined> {
  const id = decodeObjectName(name)?.id ?? new Uint8Array(0);
  for await (const page of work.container.list(objectNamePrefix(id))) {
    const found = page.find((blob) => blob.name === name);
    if (found) return found.sizeBytes;
  }
  return undefined;
}

function missing({ state }: JobContext, name: string, cause: unknown): undefined {
  if (!state.record.books) return undefined;
  throw new ClfsError(
    'container-differs',
    `The container ${JSON.stringify(state.record.spec.container)} lacks ${name}, or holds another blob in its place, which this job put into it and wants to remove since its directory has left its place. Find out what differs by "clfsload fsck --content" with the container, put back what was removed, and go on with --new-session=false; else load into an empty container.`,
    { cause },
  );
}
