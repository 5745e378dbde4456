import { ClfsError, messageOf } from '../error.js';
import type { FileStatus } from '../posix/file-status.js';
import { isRemoteFileSystemLater } from '../posix/file-system-type.js';
import { CURRENT_DIRECTORY, close, Open, pathOfOpen } from '../posix/libc.js';
import {
  closeLater,
  makeDirectoryLater,
  openAtLater,
  readEntriesLater,
  removeAtLater,
  setModeOfPlaceLater,
  statFdLater,
  syncFileSystemLater,
} from '../posix/libc-later.js';
import { type MountBelow, mountsBelow } from '../posix/mounts.js';
import { PosixError } from '../posix/posix-error.js';
import { SharedDescriptor } from '../posix/shared-descriptor.js';
import { isOtherRoot, placeOf, type RootPlace } from '../source/source-place.js';
import { quotePath } from '../text/escape-path.js';
import { type KeptAttributes, probeKept } from './target/kept-attributes.js';
import { type NameFolding, probeNames } from './target/name-folding.js';
import { SYSTEM_CALLS_LATER } from './target/target-calls.js';

/*
 * All of it is done by calls in the pool: the file system may not answer, and the thread carries the line of progress and
 * the stop.
 */

const PRIVATE_DIRECTORY = 0o700;

/** What tells a directory that is written to from another one at its path. */
interface TargetMark {
  readonly inode: bigint;
  /** Its file system, and when it was made; undefined where that cannot be told. */
  readonly place: RootPlace | undefined;
}

/** A directory that is written to, open. */
export interface OpenTarget {
  readonly mark: TargetMark;
  /** Paths below it at which other file systems are mounted. */
  readonly mounted: readonly Buffer[];
  /** The same, as it is now. */
  mountedNow(): readonly MountBelow[];
  /** What is at a path below it, whether it can be read or not; undefined where nothing is. @throws PosixError */
  look(path: Uint8Array): Promise<FileStatus | undefined>;
  /** Which names it takes for one, found by a file whose name begins so: as {@link probeNames}. */
  probeNames(prefix: string): Promise<NameFolding | undefined>;
  /** What it keeps of attributes, found by a file of this name: as {@link probeKept}. */
  probeKept(name: Buffer): Promise<KeptAttributes | undefined>;
  /** Does something by its descriptor, which stays open until that has ended. @throws whatever it throws */
  use<T>(call: (descriptor: number) => Promise<T>): Promise<T>;
  readonly status: FileStatus;
  /** Whether another machine or process has it, so that it may not answer for long. */
  readonly isRemote: boolean;
  /** Opens it for a lane, by a description of its own, which is closed with the target. @throws ClfsError `usage` */
  openAgain(): Promise<number>;
  /** Takes back what was made: for a job that was refused before it began. */
  discard(): Promise<void>;
  close(): void;
}

/**
 * Opens the directory that is written to.
 *
 * @param make make it when it is not there, so that it outlasts a power cut; its parent must be there
 * @throws ClfsError `usage`
 */
export async function openTarget(path: Buffer, make: boolean): Promise<OpenTarget> {
  let made = false;
  let opened: number | undefined;
  try {
    if (make) made = await makeMissing(path);
    opened = await openAtLater(CURRENT_DIRECTORY, path, Open.readOnly | Open.directory);
    // The state, which is durable at once, is going to know it by its inode number.
    if (made) await syncFileSystemLater(opened);
    return await held(path, opened, await markOf(opened), made);
  } catch (error) {
    if (opened !== undefined) close(opened);
    if (made) await removeIfEmpty(path);
    throw cannotWrite(path, error);
  }
}

/** What is known of a target that a job has begun to write. */
export interface BegunTarget {
  readonly mark: TargetMark;
  /** Whether it is the job's own: then a mode that forbids it is no obstacle. */
  readonly isOurs: boolean;
  /** Whether the job has written something. */
  readonly hasEntries: boolean;
  /** How the export can begin anew. */
  readonly wayAnew: string;
}

/**
 * Opens the directory that a job has begun to write. Another one that has its path is not touched.
 *
 * @throws ClfsError `target` when it is not there any more
 */
export async function reopenTarget(path: Buffer, begun: BegunTarget): Promise<OpenTarget> {
  let place: number | undefined;
  try {
    place = await openAtLater(CURRENT_DIRECTORY, path, Open.path | Open.directory);
    const mark = await markOf(place);
    const fd = isSameMark(begun.mark, mark) ? await openPlace(path, place, begun.isOurs) : undefined;
    // Where no more is known than its number, one that was made anew may have the same: it is empty.
    const isTold = begun.mark.place !== undefined && mark.place !== undefined;
    if (fd !== undefined && (isTold || !begun.hasEntries || !(await isEmpty(fd))))
      return await held(path, fd, mark, false);
    if (fd !== undefined) close(fd);
  } catch (error) {
    // What does not answer, or refuses, may be the one all the same.
    if (!(error instanceof PosixError && GONE.has(error.errno))) throw cannotGoOn(path, error);
  } finally {
    if (place !== undefined) close(place);
  }
  throw new ClfsError(
    'target',
    `The directory ${quotePath(path)} is not the one that the export began to write. Put that back (is its file system mounted?), and repeat the export; or ${begun.wayAnew}`,
  );
}

/** @param made whether it was made now */
async function held(path: Buffer, fd: number, mark: TargetMark, made: boolean): Promise<OpenTarget> {
  const own = new SharedDescriptor(fd);
  const all = [own];
  const closeAll = () => {
    for (const each of all) void each.close();
  };
  const mountedNow = () => mountsBelow(pathOfOpen(fd) ?? path).filter(({ isLater }) => !isLater);
  return {
    mark,
    mounted: mountedNow().map(({ path: point }) => point),
    mountedNow,
    look: (below) => own.use((at) => lookBelow(at, below)),
    probeNames: (prefix) => own.use((at) => probeNames(SYSTEM_CALLS_LATER, at, prefix)),
    probeKept: (name) => own.use((at) => probeKept(SYSTEM_CALLS_LATER, at, name)),
    use: (call) => own.use(call),
    status: await statFdLater(fd),
    isRemote: await isRemoteFileSystemLater(fd),
    async openAgain() {
      try {
        const again = await own.use((at) => openAtLater(at, Buffer.from('.'), Open.readOnly | Open.directory));
        all.push(new SharedDescriptor(again));
        return again;
      } catch (error) {
        throw cannotWrite(path, error);
      }
    },
    async discard() {
      closeAll();
      if (made) await removeIfEmpty(path);
    },
    close: closeAll,
  };
}

async function lookBelow(at: number, path: Uint8Array): Promise<FileStatus | undefined> {
  let place: number;
  try {
    place = await openAtLater(at, path, Open.path | Open.directory | Open.noFollow);
  } catch (error) {
    if (error instanceof PosixError && MISSING.has(error.errno)) return undefined;
    throw error;
  }
  try {
    return await statFdLater(place);
  } finally {
    await closeLater(place);
  }
}

/** What says that a directory is not there. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);
const MISSING = new Set([...GONE, 'EACCES']);

/** What a target that a job has begun to write fails with. */
function cannotGoOn(path: Buffer, error: unknown): ClfsError {
  return new ClfsError(
    'target',
    `Cannot write to ${quotePath(path)}: ${messageOf(error)}. Mend it, and repeat the export: it goes on where it stopped.`,
    { cause: error },
  );
}

function cannotWrite(path: Buffer, error: unknown): ClfsError {
  return new ClfsError('usage', `Cannot write to ${quotePath(path)}: ${messageOf(error)}.`, { cause: error });
}

async function markOf(descriptor: number): Promise<TargetMark> {
  const { inode, bornNs } = await statFdLater(descriptor);
  // Without a time of its making it is its number that tells.
  return { inode, place: bornNs === 0n ? undefined : placeOf({ descriptor, inode, bornNs })?.root };
}

function isSameMark(before: TargetMark, now: TargetMark): boolean {
  if (before.inode !== now.inode) return false;
  if (before.place === undefined || now.place === undefined) return true;
  return !isOtherRoot({ root: before.place, mounts: {} }, { root: now.place, mounts: {} });
}

/** @returns undefined when another directory has its path now. @throws PosixError */
async function openPlace(path: Uint8Array, place: number, isOurs: boolean): Promise<number | undefined> {
  const open = () => openAtLater(CURRENT_DIRECTORY, path, Open.readOnly | Open.directory);
  let fd: number;
  try {
    fd = await open();
  } catch (error) {
    if (!isOurs || !(error instanceof PosixError && error.errno === 'EACCES')) throw error;
    await setModeOfPlaceLater(place, PRIVATE_DIRECTORY);
    fd = await open();
  }
  const [was, is] = [await statFdLater(place), await statFdLater(fd)];
  if (was.inode === is.inode && was.device === is.device) return fd;
  close(fd);
  return undefined;
}

async function isEmpty(fd: number): Promise<boolean> {
  return (await readEntriesLater(fd, Buffer.alloc(4096))).length === 0;
}

async function makeMissing(path: Uint8Array): Promise<boolean> {
  try {
    await makeDirectoryLater(CURRENT_DIRECTORY, path, PRIVATE_DIRECTORY);
    return true;
  } catch (error) {
    if (error instanceof PosixError && error.errno === 'EEXIST') return false;
    throw error;
  }
}

/** When it is not, somebody uses it. */
async function removeIfEmpty(path: Uint8Array): Promise<void> {
  await removeAtLater(CURRENT_DIRECTORY, path, true).catch(() => undefined);
}
