import { constants as system } from 'node:os';
import { type Attributes, fileTimes } from '../../format/attributes.js';
import { fileBlockCount } from '../../format/geometry.js';
import { modeTypeBits, ObjectType } from '../../format/ids.js';
import { fileSize, linkTarget } from '../../namespace/content.js';
import type { FoundInode } from '../../namespace/reader.js';
import { type FileStatus, S_IFMT } from '../../posix/file-status.js';
import { PosixError } from '../../posix/posix-error.js';
import { changeOwnerAndModeAt, hasOwnerAndMode } from '../target/give-attributes.js';
import { KEPT_WHOLE, type KeptAttributes } from '../target/kept-attributes.js';
import type { AnyCalls } from '../target/target-calls.js';
import type { ExportContext } from './context.js';
import { createEntry, type EntryPlace, removeMade } from './create-entry.js';
import type { ExportConstants } from './kinds.js';

const S_IFDIR = 0o040000;
/** Steps in which file systems keep times: whole seconds (Lustre), 10 ms (exFAT), microseconds, those of NTFS and SMB. */
const STEPS_NS = [1_000_000_000, 10_000_000, 1_000_000, 1000, 100] as const;
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

/** How many names of an entry a file has that is there. */
type OwnNames = (there: FileStatus) => number | Promise<number>;

/** What becomes of a name: what is there stays, or gets another owner and mode; or it is written, whatever is there. */
type Fate = 'stays' | 'attributes' | 'written';

/**
 * What becomes of a name, by what is there, if anything. A file that has names elsewhere never stays: what has another
 * name of it, be it an entry of the tree or somebody else, would have a name of this entry.
 *
 * @param readLink text of the symlink that is there
 * @param ownNames names of this entry that the file which is there has: asked only where it could stay
 * @throws whatever that throws; ClfsError `format`
 */
export async function fateOf(
  { overwrite, kept }: Pick<ExportConstants, 'overwrite' | 'kept'>,
  there: FileStatus | undefined,
  found: FoundInode,
  readLink: () => Buffer | Promise<Buffer>,
  ownNames: OwnNames = () => 1,
): Promise<Fate> {
  if (!there) return 'written';
  if (overwrite !== 'if-different') return overwrite === 'never' ? 'stays' : 'written';
  const { attributes } = found.inode;
  if (!isWhole(there, attributes, kept)) return 'written';
  if (there.linkCount > 1 && there.linkCount > (await ownNames(there))) return 'written';
  if (attributes.type === ObjectType.symlink && !linkTarget(found).equals(await readLink())) return 'written';
  return hasOwnerAndMode(there, attributes, kept) ? 'stays' : 'attributes';
}

/**
 * {@link fateOf} for a name of the target. What gets another owner and mode has got them then.
 *
 * @returns undefined where it is to be written
 * @throws PosixError; ClfsError `format`
 */
export async function keepThere(
  { target, constants }: ExportContext,
  at: number,
  name: Uint8Array,
  there: FileStatus | undefined,
  found: FoundInode,
  ownNames: OwnNames = () => 1,
): Promise<Written | undefined> {
  const fate = await fateOf(constants, there, found, () => target.calls.readLink(at, name), ownNames);
  if (fate === 'written') return undefined;
  const isChanged =
    fate === 'attributes' && (await changeOwnerAndModeAt(target.calls, at, name, found.inode.attributes));
  return { outcome: isChanged ? 'replaced' : 'left', bytes: 0 };
}

/** Whether a file has the type, time and length that it gets last of all. */
export function isWhole(there: FileStatus, attributes: Attributes, kept: KeptAttributes): boolean {
  return hasTypeAndLength(there, attributes) && isKept(there, nearest(attributes.mtime, kept), kept);
}

/** What becomes of a time where others are not kept. */
function nearest(time: Attributes['mtime'], { earliest, latest }: KeptAttributes): Attributes['mtime'] {
  if (time.seconds >= earliest && (time.seconds < latest || latest === KEPT_WHOLE.latest)) return time;
  return { seconds: time.seconds < earliest ? earliest : latest, nanoseconds: 0 };
}

/**
 * Whether a time is the one that was given, as its file system keeps it: some drop what is below their steps. The steps
 * show in the time of the last change, too, which nobody can set: a time alone may be coarse since it came from an archive.
 */
function isKept(
  there: FileStatus,
  { seconds, nanoseconds }: Attributes['mtime'],
  { evenSeconds }: KeptAttributes,
): boolean {
  if (evenSeconds) return there.mtimeSeconds === seconds - (seconds % 2) && there.mtimeNanoseconds === 0;
  const step = STEPS_NS.find((ns) => there.mtimeNanoseconds % ns === 0 && there.ctimeNanoseconds % ns === 0) ?? 1;
  return there.mtimeSeconds === seconds && there.mtimeNanoseconds === nanoseconds - (nanoseconds % step);
}

/** What can be told of a file that is known otherwise, whatever its times are. */
export function hasTypeAndLength(there: FileStatus, attributes: Attributes): boolean {
  return (
    (there.mode & S_IFMT) === modeTypeBits(attributes.type) &&
    (!isDevice(attributes) ||
      (there.specialMajor === attributes.deviceMajor && there.specialMinor === attributes.deviceMinor)) &&
    (attributes.type !== ObjectType.regular || there.sizeBytes === attributes.lengthBytes)
  );
}

function isDevice({ type }: Attributes): boolean {
  return type === ObjectType.block || type === ObjectType.char;
}

/** An entry that was made, as far as it may be before what was written of it is durable. */
export interface Made {
  readonly place: EntryPlace;
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
 * its times; or, where something is there, which stays until then, or where nothing that is there is touched, or where
 * other machines write too, its name, until which it has the temporary one.
 *
 * @param ownNames names of this entry that the file which is there has: asked only where it could stay
 * @returns what has become of it, where what is there stays
 * @throws PosixError; ClfsError as `readContent` does
 */
export async function makeEntry(
  context: ExportContext,
  place: EntryPlace,
  name: Buffer,
  found: FoundInode,
  temporaryName: () => Buffer,
  ownNames: OwnNames = () => 1,
): Promise<Made | Written> {
  const { target, constants } = context;
  const { at } = place;
  const { attributes } = found.inode;
  const anew = async (): Promise<Made> => {
    const bytes = await createEntry(context, place, name, found);
    return { place, name, attributes, replaces: false, temporary: undefined, bytes };
  };
  const isNamedAtOnce = constants.overwrite !== 'never' && !constants.isShared;
  if (place.isFresh && isNamedAtOnce) {
    try {
      return await anew();
    } catch (error) {
      if (!(error instanceof PosixError && error.errno === 'EEXIST')) throw error;
    }
  }
  const there = await target.look(at, name);
  place.isFresh = there === undefined;
  const kept = await keepThere(context, at, name, there, found, ownNames);
  if (kept) return kept;
  if (there) requireReplaceable(there);
  else if (isNamedAtOnce) return anew();
  const temporary = temporaryName();
  const bytes = await createEntry(context, place, temporary, found);
  await giveTimes(context, at, temporary, attributes);
  return { place, name, attributes, replaces: there !== undefined, temporary, bytes };
}

/** Makes an entry whole of which everything that was written is durable. @throws PosixError */
export async function finishEntry(context: ExportContext, made: Made): Promise<Written> {
  const { place, name, temporary, attributes, replaces, bytes } = made;
  const { at } = place;
  if (temporary === undefined) await giveTimes(context, at, name, attributes);
  else if (replaces || context.constants.overwrite !== 'never') await rename(context, at, temporary, name);
  else if (!(await nameNew(context, at, temporary, name))) return { outcome: 'left', bytes: 0 };
  return { outcome: replaces ? 'replaced' : 'written', bytes };
}

/**
 * Gives an entry that was made its times; nothing of it stays when that fails. @throws PosixError; ClfsError `format`
 * when one cannot be a time
 */
export async function giveTimes(
  context: ExportContext,
  at: number,
  name: Uint8Array,
  attributes: Attributes,
): Promise<void> {
  try {
    const { atime, mtime } = fileTimes(attributes);
    await context.target.calls.setTimes(at, name, atime, mtime);
  } catch (error) {
    await removeMade(context, at, name);
    throw error;
  }
}

/** @throws PosixError when it is a directory, which nothing is put in the place of */
export function requireReplaceable({ mode }: FileStatus): void {
  if ((mode & S_IFMT) === S_IFDIR) throw new PosixError('replace', system.errno.EISDIR);
}

/** Gives a temporary file its name, in place of what has it. @throws PosixError; the temporary name is gone then, too */
export async function rename(
  context: ExportContext,
  at: number,
  temporary: Uint8Array,
  name: Uint8Array,
): Promise<void> {
  try {
    await context.target.calls.renameAt(at, temporary, at, name);
  } catch (error) {
    await removeMade(context, at, temporary);
    throw error;
  }
}

/**
 * Gives a temporary file its name, unless that is taken. @returns whether it was given; the temporary name is gone in
 * any case. @throws PosixError
 */
export async function nameNew(
  { target }: ExportContext,
  at: number,
  temporary: Uint8Array,
  name: Uint8Array,
): Promise<boolean> {
  const { calls } = target;
  try {
    if (await calls.renameNew(at, temporary, at, name)) return true;
    await linkNew(calls, at, temporary, name);
    return true;
  } catch (error) {
    await target.remove(at, temporary);
    if (error instanceof PosixError && error.errno === 'EEXIST') return false;
    throw error;
  }
}

/** Where nothing renames without replacing, a link does the same; where there are no links, a look before has to do. */
async function linkNew(calls: AnyCalls, at: number, temporary: Uint8Array, name: Uint8Array): Promise<void> {
  try {
    await calls.makeLink(at, temporary, at, name);
  } catch (error) {
    if (!(error instanceof PosixError && NO_LINKS.has(error.errno))) throw error;
    if (await calls.lookAt(at, name)) throw new PosixError('rename', system.errno.EEXIST);
    await calls.renameAt(at, temporary, at, name);
    return;
  }
  await calls.removeAt(at, temporary);
}
