import { ClfsError, isClfsError } from '../error.js';
import { isSafeName } from '../format/dirents.js';
import { idHex, ObjectType } from '../format/ids.js';
import { fileSize, linkTarget, readContent, requireSegments } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';
import { SpilledMap } from '../spill/spilled-map.js';
import { encodeTarHeader, isTarType, requireTarAttributes, TAR_BLOCK_BYTES, tarPadding } from './tar-header.js';

/** A pipe that is filled in whole blocks of this many bytes is what tape tools expect. */
const RECORD_BYTES = 20 * TAR_BLOCK_BYTES;

/** How a tar is written. */
export interface TarOptions {
  readonly signal?: AbortSignal;
  /** Name of what is written where it is no directory. Default: the one that its inode says, or its handle. */
  readonly name?: Uint8Array;
  readonly onProgress?: (entries: number, bytes: number) => void;
  /** Told of each entry that could not be written. */
  readonly onFailure: (path: Buffer, error: Error) => void;
}

/** How the writing of a tar ended. */
export interface TarSummary {
  readonly written: number;
  readonly failed: number;
  readonly bytes: number;
}

/**
 * Writes the tree below `start` as a POSIX tar.
 *
 * A tar says the length of a file before its bytes. So a file of which the container lacks a segment is left out, and
 * one of which a segment turns out to be damaged is filled up with zeros; both are reported.
 *
 * @param write takes the next bytes of the tar
 * @throws whatever `write` throws, and the container beside `format` and `not-found`
 */
export async function exportTar(
  reader: ContainerReader,
  start: FoundInode,
  write: (bytes: Uint8Array) => Promise<void>,
  options: TarOptions,
): Promise<TarSummary> {
  const linked = new SpilledMap();
  try {
    return await writeTar(reader, start, write, options, linked);
  } finally {
    linked.close();
  }
}

/** @param linked takes the paths of files that have several links, by the ids of their inodes */
async function writeTar(
  reader: ContainerReader,
  start: FoundInode,
  write: (bytes: Uint8Array) => Promise<void>,
  options: TarOptions,
  linked: SpilledMap,
): Promise<TarSummary> {
  const summary = { written: 0, failed: 0, bytes: 0 };
  let length = 0;
  const put = async (bytes: Uint8Array) => {
    length += bytes.length;
    await write(bytes);
  };
  const fail = (path: Buffer, error: Error) => {
    summary.failed++;
    options.onFailure(path, error);
  };
  for await (const { path, found, error } of walk(reader, start.id)) {
    options.signal?.throwIfAborted();
    await reader.pause();
    if (!found) {
      fail(path, error ?? new ClfsError('format', 'it cannot be read'));
      continue;
    }
    const { attributes } = found.inode;
    const shown = path.length === 0 ? nameOfStart(found, options) : path;
    if (!isTarType(attributes.type)) {
      fail(path, new ClfsError('usage', 'a tar has no sockets'));
      continue;
    }
    const problem = await lackOf(reader, found);
    if (problem) {
      fail(path, problem);
      continue;
    }
    const id = attributes.type !== ObjectType.directory && attributes.linkCount > 1 ? found.id : undefined;
    const first = id === undefined ? undefined : linked.get(id);
    if (first)
      await put(
        encodeTarHeader({ path: shown, attributes, sizeBytes: 0, linkTarget: Buffer.from(first), isHardLink: true }),
      );
    else {
      const isRegular = attributes.type === ObjectType.regular;
      const sizeBytes = isRegular ? fileSize(found) : 0;
      const target = attributes.type === ObjectType.symlink ? linkTarget(found) : undefined;
      await put(encodeTarHeader({ path: shown, attributes, sizeBytes, linkTarget: target, isHardLink: false }));
      if (isRegular && !(await putContent(reader, found, sizeBytes, put, (error) => fail(path, error)))) continue;
      if (id !== undefined) linked.set(id, shown);
      summary.bytes += sizeBytes;
    }
    summary.written++;
    options.onProgress?.(summary.written, summary.bytes);
  }
  await put(Buffer.alloc(2 * TAR_BLOCK_BYTES));
  await put(Buffer.alloc((RECORD_BYTES - (length % RECORD_BYTES)) % RECORD_BYTES));
  return summary;
}

/** What the entry is called that the tree begins with. */
function nameOfStart({ id, inode }: FoundInode, { name = inode.name }: TarOptions): Buffer {
  if (inode.attributes.type === ObjectType.directory) return Buffer.from('.');
  return isSafeName(name) ? Buffer.from(name) : Buffer.from(idHex(id));
}

/** Why an entry cannot be written at all; undefined when the container has what its length and type call for. */
async function lackOf(reader: ContainerReader, found: FoundInode): Promise<ClfsError | undefined> {
  const { attributes } = found.inode;
  try {
    requireTarAttributes(attributes);
    if (attributes.type === ObjectType.symlink) linkTarget(found);
    if (attributes.type === ObjectType.regular) await requireSegments(reader, found);
    return undefined;
  } catch (error) {
    if (isClfsError(error, 'format', 'not-found')) return error;
    throw error;
  }
}

/** @returns whether all of it could be read */
async function putContent(
  reader: ContainerReader,
  found: FoundInode,
  sizeBytes: number,
  put: (bytes: Uint8Array) => Promise<void>,
  fail: (problem: Error) => void,
): Promise<boolean> {
  let written = 0;
  let whole = true;
  try {
    for await (const piece of readContent(reader, found)) {
      await put(piece);
      written += piece.length;
    }
  } catch (error) {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    fail(error);
    whole = false;
  }
  const zeros = Buffer.alloc(65536);
  for (; written < sizeBytes; written += Math.min(zeros.length, sizeBytes - written))
    await put(zeros.subarray(0, Math.min(zeros.length, sizeBytes - written)));
  await put(tarPadding(sizeBytes));
  return whole;
}
