import { constants as system } from 'node:os';
import { ClfsError } from '../../error.js';
import type { Attributes } from '../../format/attributes.js';
import { fileBlockCount } from '../../format/geometry.js';
import { ObjectType } from '../../format/ids.js';
import { fileSize, isGap, readContent } from '../../namespace/content.js';
import type { FoundInode } from '../../namespace/reader.js';
import { patiently } from '../../posix/descriptors.js';
import { type FileStatus, Open, PosixError, S_IFMT } from '../../posix/libc.js';
import { giveOwnerAndModeAt, giveOwnerAndModeFd } from '../target/give-attributes.js';
import type { TargetCalls } from '../target/target-calls.js';
import type { ExportContext } from './context.js';
import type { ExportConstants } from './kinds.js';

const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
const PRIVATE_FILE = 0o600;
const S_IFDIR = 0o040000;
/** Zeros that are worth a hole. */
const HOLE_BYTES = 65536;
const ZEROS = Buffer.alloc(HOLE_BYTES);
/** What a file system without hard links says. */
const NO_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK']);
/** A file of more segments than this is written in parts. */
const WHOLE_SEGMENTS = 2;

/** What became of an entry that did not fail. */
export interface Written {
  readonly outcome: 'written' | 'replaced' | 'left';
  readonly bytes: number;
}

/**
 * Blocks of a regular file that is to be written in parts, block 0 included; undefined for all else. @throws ClfsError
 * `format`
 */
export function largeBlocks({ reader }: ExportContext, found: FoundInode): number | undefined {
  if (found.inode.attributes.type !== ObjectType.regular) return undefined;
  const blocks = fileBlockCount(fileSize(found), reader.geometry);
  return blocks > 1 + WHOLE_SEGMENTS ? blocks : undefined;
}

/** Whether what is there, if anything, stays as it is. */
export function staysAsItIs(
  { constants }: { readonly constants: Pick<ExportConstants, 'overwrite' | 'isTree'> },
  there: FileStatus | undefined,
  attributes: Attributes,
): boolean {
  if (!there) return false;
  if (constants.overwrite !== 'if-different') return constants.overwrite === 'never';
  return (
    isWhole(there, attributes) &&
    // Names that an interrupted export had not come to are linked only to what this one writes.
    (!constants.isTree || attributes.linkCount === 1 || there.linkCount === attributes.linkCount)
  );
}

/** Whether a file has the type, time and length that it gets last of all. */
export function isWhole(there: FileStatus, attributes: Attributes): boolean {
  return (
    hasTypeAndLength(there, attributes) &&
    there.mtimeSeconds === attributes.mtime.seconds &&
    there.mtimeNanoseconds === attributes.mtime.nanoseconds
  );
}

/** What can be told of a file that is known otherwise: not every file system keeps times to the nanosecond. */
export function hasTypeAndLength(there: FileStatus, attributes: Attributes): boolean {
  return (
    (there.mode & S_IFMT) === (attributes.mode & S_IFMT) &&
    (attributes.type !== ObjectType.regular || there.sizeBytes === attributes.lengthBytes)
  );
}

/** An entry that was made, as far as it may be before what was written of it is durable. */
export interface Made {
  readonly at: number;
  readonly name: Buffer;
  /** What it is called until then; undefined: it has its name. */
  readonly temporary: Buffer | undefined;
  readonly attributes: Attributes;
  readonly replaces: boolean;
  readonly bytes: number;
}

/**
 * Makes an entry that is no directory; it is whole when {@link finishEntry} has followed on a flush.
 *
 * What tells a whole file comes last, so that one that was interrupted, be it by a power cut, is known and written again:
 * its times; or, where something is there, which stays until then, or where nothing that is there is touched, its name,
 * until which it has the temporary one.
 *
 * @returns undefined when what is there stays as it is
 * @throws PosixError; ClfsError as `readContent` does
 */
export async function makeEntry(
  context: ExportContext,
  at: number,
  name: Buffer,
  found: FoundInode,
  temporaryName: () => Buffer,
): Promise<Made | undefined> {
  const { target, constants } = context;
  const { attributes } = found.inode;
  const there = target.look(at, name);
  const made = { at, name, attributes, replaces: there !== undefined };
  if (constants.isResumed) target.removeTemporary(at, temporaryName());
  if (staysAsItIs(context, there, attributes)) return undefined;
  if (there) requireReplaceable(there);
  else if (constants.overwrite !== 'never')
    return { ...made, temporary: undefined, bytes: await createEntry(context, at, name, found) };
  const temporary = temporaryName();
  const bytes = await createEntry(context, at, temporary, found);
  giveTimes(context, at, temporary, attributes);
  return { ...made, temporary, bytes };
}

/** Makes an entry whole of which everything that was written is durable. @throws PosixError */
export function finishEntry(context: ExportContext, made: Made): Written {
  const { at, name, temporary, attributes, replaces, bytes } = made;
  if (temporary === undefined) giveTimes(context, at, name, attributes);
  else if (replaces) rename(context, at, temporary, name);
  else if (!nameNew(context, at, temporary, name)) return { outcome: 'left', bytes: 0 };
  return { outcome: replaces ? 'replaced' : 'written', bytes };
}

/** Gives an entry that was made its times; nothing of it stays when that fails. @throws PosixError */
export function giveTimes(context: ExportContext, at: number, name: Uint8Array, attributes: Attributes): void {
  try {
    context.target.calls.setTimes(at, name, attributes.atime, attributes.mtime);
  } catch (error) {
    removeMade(context, at, name);
    throw error;
  }
}

/** @throws PosixError when it is a directory, which nothing is put in the place of */
export function requireReplaceable({ mode }: FileStatus): void {
  if ((mode & S_IFMT) === S_IFDIR) throw new PosixError('replace', system.errno.EISDIR);
}

/** Gives a temporary file its name, in place of what has it. @throws PosixError; the temporary name is gone then, too */
export function rename(context: ExportContext, at: number, temporary: Uint8Array, name: Uint8Array): void {
  try {
    context.target.calls.renameAt(at, temporary, at, name);
  } catch (error) {
    removeMade(context, at, temporary);
    throw error;
  }
}

/**
 * Gives a temporary file its name, unless that is taken. @returns whether it was given; the temporary name is gone in
 * any case. @throws PosixError
 */
export function nameNew({ target }: ExportContext, at: number, temporary: Uint8Array, name: Uint8Array): boolean {
  const { calls } = target;
  try {
    if (calls.renameNew(at, temporary, at, name)) return true;
    linkNew(calls, at, temporary, name);
    return true;
  } catch (error) {
    target.remove(at, temporary);
    if (error instanceof PosixError && error.errno === 'EEXIST') return false;
    throw error;
  }
}

/** Where nothing renames without replacing, a link does the same; where there are no links, a look before has to do. */
function linkNew(calls: TargetCalls, at: number, temporary: Uint8Array, name: Uint8Array): void {
  try {
    calls.makeLink(at, temporary, at, name);
  } catch (error) {
    if (!(error instanceof PosixError && NO_LINKS.has(error.errno))) throw error;
    if (calls.lookAt(at, name)) throw new PosixError('rename', system.errno.EEXIST);
    calls.renameAt(at, temporary, at, name);
    return;
  }
  calls.removeAt(at, temporary);
}

/**
 * Makes an entry that is not there, with its owner and mode, but not its times; nothing of it stays when that fails.
 *
 * @returns bytes of data
 */
export async function createEntry(
  context: ExportContext,
  at: number,
  name: Buffer,
  found: FoundInode,
): Promise<number> {
  const { target } = context;
  const { calls } = target;
  const { attributes, data } = found.inode;
  if (attributes.type === ObjectType.regular) return createFile(context, at, name, found);
  if (attributes.type === ObjectType.symlink) {
    if (!data || data.length === 0 || data.includes(0)) throw new ClfsError('format', 'its link target cannot be one');
    calls.makeSymlink(data, at, name);
  } else calls.makeNode(at, name, nodeMode(attributes), attributes.deviceMajor, attributes.deviceMinor);
  await orRemove(context, at, name, () => giveOwnerAndModeAt(calls, at, name, attributes));
  return 0;
}

function nodeMode({ mode }: Attributes): number {
  return (mode & S_IFMT) | PRIVATE_FILE;
}

async function createFile(context: ExportContext, at: number, name: Buffer, found: FoundInode): Promise<number> {
  const { target, contentBudget, files, reader } = context;
  const { calls } = target;
  const sizeBytes = fileSize(found);
  // What the inode holds is written at once: nothing is waited for while it is open.
  const isWaitedFor = sizeBytes > reader.geometry.firstSegmentBytes;
  const giveBack: (() => void)[] = [];
  try {
    if (isWaitedFor) giveBack.push(await files.take(), await contentBudget.take(sizeBytes));
    const fd = await patiently(name.toString(), () => calls.openAt(at, name, CREATE_FLAGS, PRIVATE_FILE));
    let open = true;
    return await orRemove(context, at, name, async () => {
      try {
        const bytes = await writeContent(context, fd, found, 0);
        if (context.constants.sparse || found.hasGaps) calls.truncate(fd, sizeBytes);
        giveOwnerAndModeFd(calls, fd, found.inode.attributes);
        open = false;
        calls.closeWritten(fd);
        return bytes;
      } finally {
        if (open) calls.close(fd);
      }
    });
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
  { constants, reader, target, stop }: ExportContext,
  fd: number,
  found: FoundInode,
  offset: number,
  length?: number,
  onWritten: (offset: number) => Promise<void> | undefined = () => undefined,
): Promise<number> {
  let position = offset;
  for await (const piece of readContent(reader, found, offset, length)) {
    if (stop.abandoned) throw new ClfsError('cancelled', 'The export was stopped.');
    if (isGap(piece)) {
      // It becomes a hole, however long it is.
    } else if (constants.sparse) writeSparsely(target.calls.write, fd, piece, position);
    else target.calls.write(fd, piece, position);
    position += piece.length;
    await onWritten(position);
  }
  return position - offset;
}

function writeSparsely(
  write: (fd: number, bytes: Uint8Array, position: number) => void,
  fd: number,
  piece: Buffer,
  position: number,
): void {
  for (let from = 0; from < piece.length; from += HOLE_BYTES) {
    const part = piece.subarray(from, from + HOLE_BYTES);
    if (!part.equals(ZEROS.subarray(0, part.length))) write(fd, part, position + from);
  }
}

/** Removes what was made when `work` fails. */
async function orRemove<T>(
  context: ExportContext,
  at: number,
  name: Uint8Array,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    removeMade(context, at, name);
    throw error;
  }
}

/** Removes what was made, if that is possible: what went wrong before is what is told. */
function removeMade({ target }: ExportContext, at: number, name: Uint8Array): void {
  try {
    target.remove(at, name);
  } catch (second) {
    if (!(second instanceof PosixError)) throw second;
  }
}
