import { ClfsError } from '../../error.js';
import { modeTypeBits, ObjectType } from '../../format/ids.js';
import { fileSize, isGap, linkTarget, readContent, wholeContent } from '../../namespace/content.js';
import type { FoundInode } from '../../namespace/reader.js';
import { Open } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import { firstMode, giveOwnerAndMode, giveOwnerAndModeAt, type NewFiles, newFiles } from '../target/give-attributes.js';
import type { ExportContext } from './context.js';

const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
const PRIVATE_FILE = 0o600;
/** Zeros that are worth a hole. */
const HOLE_BYTES = 65536;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/** An open directory in which entries are made. */
export class EntryPlace {
  readonly at: number;
  readonly files: NewFiles = newFiles();
  /** Whether the latest entry was not there: then the next one is made without a look before. */
  isFresh = true;

  constructor(at: number) {
    this.at = at;
  }
}

/**
 * Makes an entry that is not there, with its owner and mode, but not its times; nothing of it stays when that fails.
 *
 * @returns bytes of data
 * @throws PosixError, `EEXIST` before anything is made or fetched; ClfsError as `readContent` does
 */
export async function createEntry(
  context: ExportContext,
  place: EntryPlace,
  name: Buffer,
  found: FoundInode,
): Promise<number> {
  const { calls } = context.target;
  const { at } = place;
  const { attributes } = found.inode;
  if (attributes.type === ObjectType.regular) return createFile(context, place, name, found);
  if (attributes.type === ObjectType.symlink) await calls.makeSymlink(linkTarget(found), at, name);
  else {
    // By its type, which is what counts for every reader: its mode may say something else.
    const mode = modeTypeBits(attributes.type) | PRIVATE_FILE;
    await calls.makeNode(at, name, mode, attributes.deviceMajor, attributes.deviceMinor);
  }
  try {
    await giveOwnerAndModeAt(calls, at, name, attributes);
  } catch (error) {
    await removeMade(context, at, name);
    throw error;
  }
  return 0;
}

async function createFile(context: ExportContext, place: EntryPlace, name: Buffer, found: FoundInode): Promise<number> {
  const { target, contentBudget, files, reader } = context;
  const { attributes } = found.inode;
  const content = wholeContent(reader, found);
  const giveBack = [files.tryTake() ?? (await files.take())];
  try {
    if (!content) giveBack.push(await contentBudget.take(fileSize(found)));
    const mode = firstMode(place.files, attributes);
    const fd = await target.calls.openAt(place.at, name, CREATE_FLAGS, mode);
    let isOpen = true;
    try {
      const bytes = content ? await writePiece(context, fd, content, 0) : await writeContent(context, fd, found, 0);
      if (context.constants.sparse || found.hasGaps) await target.calls.truncate(fd, fileSize(found));
      await giveOwnerAndMode(target.calls, fd, attributes, place.files, mode);
      isOpen = false;
      await target.calls.closeWritten(fd);
      return bytes;
    } catch (error) {
      if (isOpen) await target.calls.close(fd);
      await removeMade(context, place.at, name);
      throw error;
    }
  } finally {
    for (const release of giveBack) release();
  }
}

/**
 * Writes the content of a file from `offset` on.
 *
 * @param length most bytes; undefined for all that follow
 * @param onWritten told of the offset behind each piece that is written
 * @returns bytes
 * @throws PosixError; ClfsError as `readContent` does, and `cancelled` when nobody waits any more
 */
export async function writeContent(
  context: ExportContext,
  fd: number,
  found: FoundInode,
  offset: number,
  length?: number,
  onWritten: (offset: number) => Promise<void> | undefined = () => undefined,
): Promise<number> {
  let position = offset;
  for await (const piece of readContent(context.reader, found, offset, length, true)) {
    if (context.stop.abandoned) throw new ClfsError('cancelled', 'The export was stopped.');
    // A gap becomes a hole, however long it is.
    if (!isGap(piece)) await writePiece(context, fd, piece, position);
    position += piece.length;
    await onWritten(position);
  }
  return position - offset;
}

/** @returns its length */
async function writePiece(
  { constants, target }: ExportContext,
  fd: number,
  piece: Buffer,
  position: number,
): Promise<number> {
  if (!constants.sparse) {
    if (piece.length > 0) await target.calls.write(fd, piece, position);
    return piece.length;
  }
  for (let from = 0; from < piece.length; from += HOLE_BYTES) {
    const part = piece.subarray(from, from + HOLE_BYTES);
    if (!part.equals(ZEROS.subarray(0, part.length))) await target.calls.write(fd, part, position + from);
  }
  return piece.length;
}

/** Removes what was made, if that is possible: what went wrong before is what is told. */
export async function removeMade({ target }: ExportContext, at: number, name: Uint8Array): Promise<void> {
  try {
    await target.remove(at, name);
  } catch (second) {
    if (!(second instanceof PosixError)) throw second;
  }
}
