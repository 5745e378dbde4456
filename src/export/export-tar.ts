import { ClfsError, isClfsError } from '../error.js';
import type { Attributes } from '../format/attributes.js';
import { isSafeName } from '../format/dirents.js';
import { idHex, ObjectType } from '../format/ids.js';
import { fileSize, linkTarget, readContent, requireSegments } from '../namespace/content.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';
import { isAtOrBelow, isBelow } from '../paths/is-below.js';
import { SpilledMap } from '../spill/spilled-map.js';
import { SpilledSet } from '../spill/spilled-set.js';
import { encodeTarHeader, isTarType, requireTarAttributes, TAR_BLOCK_BYTES, tarPadding } from './tar-header.js';

/** A pipe that is filled in whole blocks of this many bytes is what tape tools expect. */
const RECORD_BYTES = 20 * TAR_BLOCK_BYTES;

const SLASH = 0x2f;

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
 * A tar says the length of a file before its bytes. So a file of which the container lacks a segment, or of which one of
 * the first 8 MiB is damaged, is left out. Where a later segment turns out to be damaged, the rest is filled up with
 * zeros, and a second member of the same name follows, which takes the place of the first: empty, and of 1970, so that
 * nobody takes it for the file. Each is reported.
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
  const names = new NamesOnTheWay();
  try {
    return await writeTar(reader, start, write, options, linked, names);
  } finally {
    linked.close();
    names.close();
  }
}

/** @param linked takes the paths of files that have several links, by the ids of their inodes */
async function writeTar(
  reader: ContainerReader,
  start: FoundInode,
  write: (bytes: Uint8Array) => Promise<void>,
  options: TarOptions,
  linked: SpilledMap,
  names: NamesOnTheWay,
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
  for await (const { path, name, found, error } of walk(reader, start.id)) {
    options.signal?.throwIfAborted();
    await reader.pause();
    const isNew = names.take(path, name);
    if (isNew === 'below') continue;
    if (isNew === 'repeated') {
      fail(path, new ClfsError('format', 'the name is in its directory twice'));
      continue;
    }
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
      const header = encodeTarHeader({ path: shown, attributes, sizeBytes, linkTarget: target, isHardLink: false });
      if (!isRegular) await put(header);
      else {
        const lacks = await putFile(reader, found, header, put);
        if (lacks) {
          if (lacks.isBegun) await put(encodeNoFile(shown, attributes));
          fail(path, lacks.problem);
          continue;
        }
      }
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

/** Memory for the names of one directory. */
const NAMES_BYTES = 1048576;

/** The names of the directories that lead to where a walk is: who unpacks has one of two entries of one name. */
class NamesOnTheWay {
  readonly #open: { readonly path: Buffer; readonly names: SpilledSet }[] = [];
  /** An entry of which the name was there before. */
  #repeated: Buffer | undefined;

  /** Takes the next entry of the walk. @returns whether its name is there already, or it is below one of which it is */
  take(path: Buffer, name: Uint8Array): 'new' | 'repeated' | 'below' {
    if (this.#repeated && isBelow(path, this.#repeated)) return 'below';
    this.#repeated = undefined;
    // The start, or what says that the rest of a directory cannot be read.
    if (path.length === 0 || name.length === 0) return 'new';
    const parent = path.subarray(0, Math.max(0, path.lastIndexOf(SLASH)));
    while (this.#open.length > 0 && !isAtOrBelow(parent, this.#open[this.#open.length - 1].path))
      this.#open.pop()?.names.close();
    let last = this.#open.at(-1);
    if (!last?.path.equals(parent)) {
      last = { path: parent, names: new SpilledSet(NAMES_BYTES) };
      this.#open.push(last);
    }
    if (last.names.add(Buffer.from(name))) return 'new';
    this.#repeated = path;
    return 'repeated';
  }

  close(): void {
    for (const { names } of this.#open) names.close();
  }
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

/** Why a member is not the whole file. */
interface Lack {
  readonly problem: Error;
  /** Whether the member was begun, and is in the tar with zeros. */
  readonly isBegun: boolean;
}

/** So much of a file is read before its header is written. */
const READ_BEFORE_BYTES = 8 * 1048576;

/** @returns undefined when all of it could be read */
async function putFile(
  reader: ContainerReader,
  found: FoundInode,
  header: Buffer,
  put: (bytes: Uint8Array) => Promise<void>,
): Promise<Lack | undefined> {
  const sizeBytes = fileSize(found);
  const before: Buffer[] = [header];
  let read = 0;
  let isBegun = false;
  const begin = async () => {
    isBegun = true;
    for (const piece of before.splice(0)) await put(piece);
  };
  let problem: Error | undefined;
  try {
    for await (const piece of readContent(reader, found)) {
      read += piece.length;
      if (isBegun) await put(piece);
      else {
        before.push(piece);
        if (read >= READ_BEFORE_BYTES) await begin();
      }
    }
    if (!isBegun) await begin();
  } catch (error) {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    problem = error;
    if (!isBegun) return { problem, isBegun };
  }
  const zeros = Buffer.alloc(65536);
  for (; read < sizeBytes; read += Math.min(zeros.length, sizeBytes - read))
    await put(zeros.subarray(0, Math.min(zeros.length, sizeBytes - read)));
  await put(tarPadding(sizeBytes));
  return problem && { problem, isBegun };
}

/** The member that takes the place of one that is not whole: of no length and time that the file can have. */
function encodeNoFile(path: Buffer, attributes: Attributes): Buffer {
  const never = { seconds: 0, nanoseconds: 0 };
  return encodeTarHeader({
    path,
    attributes: { ...attributes, mtime: never, atime: never },
    sizeBytes: 0,
    linkTarget: undefined,
    isHardLink: false,
  });
}
