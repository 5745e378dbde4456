import { ClfsError, isClfsError } from '../error.js';
import { type DirectoryEntry, decodeDirents, isDotDot } from '../format/dirents.js';
import { hash64Hex } from '../format/hash.js';
import { decodeObjectName } from '../format/names.js';
import { fileSize, requireSegments } from '../namespace/content.js';
import type { ObjectBlob } from '../namespace/object-blob.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';

/** Inodes that are fetched at once. */
const FETCH_AHEAD = 64;

/** What is read; undefined where the container has not what it should have. @throws whatever else `read` throws */
export async function orLost<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isClfsError(error, 'format', 'not-found')) return undefined;
    throw error;
  }
}

/** Does something for each blob, some of them ahead, and gives the results in order. */
export async function* inOrder<T>(
  blobs: AsyncIterable<ObjectBlob>,
  work: (blob: ObjectBlob) => Promise<T>,
): AsyncGenerator<{ readonly blob: ObjectBlob; readonly result: T }> {
  const ahead: { readonly blob: ObjectBlob; readonly result: Promise<T> }[] = [];
  const next = async () => {
    const { blob, result } = ahead.shift() as (typeof ahead)[number];
    return { blob, result: await result };
  };
  for await (const blob of blobs) {
    if (ahead.length >= FETCH_AHEAD) yield await next();
    const result = work(blob);
    result.catch(() => undefined);
    ahead.push({ blob, result });
  }
  while (ahead.length > 0) yield await next();
}

/** A blob by its name. @throws ClfsError `format` when it is not that of an object */
export function blobOf(name: string): Omit<ObjectBlob, 'sizeBytes'> {
  const key = decodeObjectName(name);
  if (!key) throw new ClfsError('format', `${name} is not the name of an object.`);
  return { name, key };
}

/** Whether the container has all that the length of a regular file calls for, as far as a listing tells. */
export async function isComplete(reader: ContainerReader, found: FoundInode): Promise<boolean> {
  const isThere = async () => {
    const wanted = Math.min(fileSize(found), reader.geometry.firstSegmentBytes);
    if (found.inode.data?.length !== wanted) throw new ClfsError('format', `${found.blob.name} holds too little.`);
    await requireSegments(reader, found);
    return true;
  };
  return (await orLost(isThere)) ?? false;
}

/**
 * Entries of a directory as its own inode and segments have them; what is behind a segment that cannot be read is read
 * all the same.
 *
 * @returns whether nothing was missing
 */
export async function readEntries(
  reader: ContainerReader,
  found: FoundInode,
  take: (entry: DirectoryEntry) => Promise<void>,
): Promise<boolean> {
  let isWhole = true;
  const takeAll = async (payload: Buffer) => {
    const entries = await orLost(() => decodeDirents(payload));
    if (!entries) isWhole = false;
    for (const entry of entries ?? []) await take(entry);
  };
  await takeAll(found.inode.dirents ?? Buffer.alloc(0));
  const met = new Set<string>();
  const rest = async () => {
    for await (const { id } of reader.blocks(found)) {
      await reader.pause();
      const key = Buffer.from(id).toString('latin1');
      const read = met.has(key) ? undefined : await orLost(() => reader.segment(id, found.id));
      met.add(key);
      if (read?.segment.kind === 'directory') await takeAll(read.segment.dirents);
      else isWhole = false;
    }
    return true;
  };
  if (!(await orLost(rest))) isWhole = false;
  return isWhole;
}

/** Handle of the directory that an inode says it belongs to; undefined where it does not say. */
export function parentOf({ inode, blob }: FoundInode): Uint8Array | undefined {
  if (inode.backPointers) return inode.backPointers[0];
  try {
    const parent = decodeDirents(inode.dirents ?? Buffer.alloc(0)).find(({ name }) => isDotDot(name))?.handle;
    // Its name says so too, if nobody has changed either.
    return parent && hash64Hex(parent) === blob.key.ownerHash ? Buffer.from(parent) : undefined;
  } catch (error) {
    if (isClfsError(error, 'format')) return undefined;
    throw error;
  }
}
