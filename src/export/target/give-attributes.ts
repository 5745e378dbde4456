import { constants as system } from 'node:os';
import { type Attributes, fileTimes } from '../../format/attributes.js';
import { modeTypeBits, ObjectType } from '../../format/ids.js';
import { type FileStatus, S_IFMT } from '../../posix/file-status.js';
import { Open } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import type { KeptAttributes } from './kept-attributes.js';
import type { AnyCalls } from './target-calls.js';

const IS_ROOT = process.getuid?.() === 0;
const OWN_UID = process.geteuid?.();
const PRIVATE_FILE = 0o600;
/** Permissions beside which set-id and sticky bits are: no file is made with those. */
const PLAIN_BITS = 0o777;
const ALL_BITS = 0o7777;
const OWNER_WRITES = 0o200;

/**
 * Gives an open file or directory its owner (as root), its mode and its times, in the order in which none undoes
 * another.
 *
 * @throws PosixError; ClfsError `format` when it has a time that cannot be one
 */
export async function giveAttributesFd(calls: AnyCalls, fd: number, attributes: Attributes): Promise<void> {
  const { atime, mtime } = fileTimes(attributes);
  if (IS_ROOT) await calls.setOwnerFd(fd, attributes.uid, attributes.gid);
  await calls.setModeFd(fd, permissions(attributes));
  await calls.setTimesFd(fd, atime, mtime);
}

/** Permissions that a file which is made now is to have from the start; to be given to {@link giveOwnerAndMode}. */
export function firstMode(files: NewFiles, attributes: Attributes): number {
  const wanted = permissions(attributes);
  // As long as it may be somebody else's, nobody else may open it.
  return isOwned(files, attributes) && wanted <= PLAIN_BITS && (wanted & OWNER_WRITES) !== 0 ? wanted : PRIVATE_FILE;
}

/**
 * Gives a file that was just made its owner (as root) and its mode, as far as it has not got them by being made.
 *
 * @param made the mode that it was made with
 * @throws PosixError
 */
export async function giveOwnerAndMode(
  calls: AnyCalls,
  fd: number,
  attributes: Attributes,
  files: NewFiles,
  made: number,
): Promise<void> {
  const wanted = permissions(attributes);
  const isNews = made === wanted && (made & ~(files.kept | files.dropped)) !== 0;
  if (!files.owner || isNews) learn(files, made, await calls.statFd(fd));
  if (!isOwned(files, attributes)) await calls.setOwnerFd(fd, attributes.uid, attributes.gid);
  const isOther = made !== wanted || (made & files.dropped) !== 0 || (files.added & ~wanted) !== 0;
  if (isOther) await calls.setModeFd(fd, wanted);
}

function isOwned({ owner }: NewFiles, { uid, gid }: Attributes): boolean {
  return !IS_ROOT || (owner?.uid === uid && owner.gid === gid);
}

/** What the system gives files that are made in one directory: who need not be given something is not. */
export interface NewFiles {
  /** undefined before the first one. */
  owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Permission bits that were asked for and given, that were asked for and not given, and that were given unasked. */
  kept: number;
  dropped: number;
  added: number;
}

/** Nothing is known yet. */
export function newFiles(): NewFiles {
  return { owner: undefined, kept: 0, dropped: 0, added: 0 };
}

function learn(files: NewFiles, made: number, { uid, gid, mode }: FileStatus): void {
  files.owner = { uid, gid };
  files.kept |= made & mode;
  files.dropped |= made & ~mode;
  files.added |= mode & ALL_BITS & ~made;
}

/**
 * {@link giveAttributesFd} without the times for a symlink, device, fifo or socket, which is opened as a place only.
 *
 * What has its name meanwhile may be somebody else's symlink, or a file: that gets no owner and no mode.
 *
 * @throws PosixError
 */
export async function giveOwnerAndModeAt(
  calls: AnyCalls,
  at: number,
  name: Uint8Array,
  attributes: Attributes,
): Promise<void> {
  const place = await calls.openAt(at, name, Open.path | Open.noFollow);
  try {
    const { mode } = await calls.statFd(place);
    if ((mode & S_IFMT) !== modeTypeBits(attributes.type)) throw new PosixError('chmod', system.errno.ESTALE);
    if (IS_ROOT) await calls.setOwnerOfPlace(place, attributes.uid, attributes.gid);
    if (attributes.type !== ObjectType.symlink) await calls.setModeOfPlace(place, permissions(attributes));
  } finally {
    await calls.close(place);
  }
}

/** {@link giveAttributesFd} for a directory, also for one that must not be read. @throws as that */
export async function giveAttributesToDirectory(
  calls: AnyCalls,
  at: number,
  name: Uint8Array,
  attributes: Attributes,
): Promise<void> {
  const flags = Open.directory | Open.noFollow;
  let fd: number;
  try {
    fd = await calls.openAt(at, name, Open.readOnly | flags);
  } catch (error) {
    if (!(error instanceof PosixError && error.errno === 'EACCES')) throw error;
    await giveAttributesToPlace(calls, at, name, attributes);
    return;
  }
  try {
    await giveAttributesFd(calls, fd, attributes);
  } finally {
    await calls.close(fd);
  }
}

/**
 * Whether what is there has the owner and the mode that it would get, as far as the target keeps them and this process may
 * give them: an ordinary user gives no owner, and what is somebody else's no mode.
 */
export function hasOwnerAndMode({ uid, gid, mode }: FileStatus, attributes: Attributes, kept: KeptAttributes): boolean {
  if (!IS_ROOT && uid !== OWN_UID) return true;
  if (IS_ROOT && kept.owner && (uid !== attributes.uid || gid !== attributes.gid)) return false;
  if (attributes.type === ObjectType.symlink || !kept.mode) return true;
  return (mode & permissions({ mode: ALL_BITS })) === permissions(attributes);
}

/**
 * Gives what is there another owner and mode. @returns whether it has changed: some file systems keep none, and do not say
 * so. @throws as {@link giveOwnerAndModeAt}
 */
export async function changeOwnerAndModeAt(
  calls: AnyCalls,
  at: number,
  name: Uint8Array,
  attributes: Attributes,
): Promise<boolean> {
  const text = ({ uid, gid, mode }: FileStatus) => `${uid}:${gid}:${mode}`;
  const before = text(await calls.statAt(at, name));
  await giveOwnerAndModeAt(calls, at, name, attributes);
  return text(await calls.statAt(at, name)) !== before;
}

/** Only without root: whoever is root can open it. */
async function giveAttributesToPlace(
  calls: AnyCalls,
  at: number,
  name: Uint8Array,
  attributes: Attributes,
): Promise<void> {
  const { atime, mtime } = fileTimes(attributes);
  const fd = await calls.openAt(at, name, Open.path | Open.directory | Open.noFollow);
  try {
    await calls.setModeOfPlace(fd, permissions(attributes));
  } finally {
    await calls.close(fd);
  }
  await calls.setTimes(at, name, atime, mtime);
}

/** Without root the owner is another one: set-id bits would then give away what they should not. */
function permissions({ mode }: Pick<Attributes, 'mode'>): number {
  return IS_ROOT ? mode & 0o7777 : mode & 0o1777;
}
