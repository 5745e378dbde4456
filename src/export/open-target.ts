import { fstatSync, readlinkSync } from 'node:fs';
import { ClfsError, messageOf } from '../error.js';
import {
  CURRENT_DIRECTORY,
  close,
  type FileStatus,
  makeDirectory,
  Open,
  openAt,
  PosixError,
  readEntries,
  removeAt,
  statFd,
  syncFileSystem,
} from '../posix/libc.js';
import { setModeOfPlace } from '../posix/libc-change.js';
import { readMounts } from '../posix/mounts.js';
import { isOtherRoot, placeOf, type RootPlace } from '../source/source-place.js';
import { quotePath } from '../text/escape-path.js';
import { type NameFolding, probeNames } from './target/name-folding.js';

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
  /** What is at a path below it, whether it can be read or not; undefined where nothing is. @throws PosixError */
  look(path: Uint8Array): FileStatus | undefined;
  /** Which names it takes for one. */
  probeNames(): NameFolding;
  readonly descriptor: number;
  readonly status: FileStatus;
  /** Opens it for a lane, by a description of its own, which is closed with the target. @throws ClfsError `usage` */
  openAgain(): number;
  /** Takes back what was made: for a job that was refused before it began. */
  discard(): void;
  close(): void;
}

/**
 * Opens the directory that is written to.
 *
 * @param make make it when it is not there, so that it outlasts a power cut; its parent must be there
 * @throws ClfsError `usage`
 */
export function openTarget(path: Buffer, make: boolean): OpenTarget {
  let made = false;
  let opened: number | undefined;
  try {
    if (make) made = makeMissing(path);
    const fd = openAt(CURRENT_DIRECTORY, path, Open.readOnly | Open.directory);
    opened = fd;
    // The state, which is durable at once, is going to know it by its inode number.
    if (made) syncFileSystem(fd);
    return held(path, fd, markOf(fd), made);
  } catch (error) {
    if (opened !== undefined) close(opened);
    if (made) removeIfEmpty(path);
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
  /** State of the job. */
  readonly state: string;
}

/**
 * Opens the directory that a job has begun to write. Another one that has its path is not touched.
 *
 * @throws ClfsError `target` when it is not there any more
 */
export function reopenTarget(path: Buffer, begun: BegunTarget): OpenTarget {
  let place: number | undefined;
  let cause: unknown;
  try {
    place = openAt(CURRENT_DIRECTORY, path, Open.path | Open.directory);
    const mark = markOf(place);
    const fd = isSameMark(begun.mark, mark) ? openPlace(path, place, begun.isOurs) : undefined;
    // Where no more is known than its number, one that was made anew may have the same: it is empty.
    const isTold = begun.mark.place !== undefined && mark.place !== undefined;
    if (fd !== undefined && (isTold || !begun.hasEntries || !isEmpty(fd))) return held(path, fd, mark, false);
    if (fd !== undefined) close(fd);
  } catch (error) {
    cause = error;
  } finally {
    if (place !== undefined) close(place);
  }
  throw new ClfsError(
    'target',
    `The directory ${quotePath(path)} is not the one that the export began to write whose state is in ${JSON.stringify(begun.state)}. Put that back; or remove the state to begin anew.`,
    { cause },
  );
}

/** @param made whether it was made now */
function held(path: Buffer, fd: number, mark: TargetMark, made: boolean): OpenTarget {
  const all = [fd];
  const closeAll = () => {
    for (const each of all) close(each);
  };
  return {
    mark,
    mounted: mountedBelow(pathOf(fd) ?? path),
    look: (below) => lookBelow(fd, below),
    probeNames: () => probeNames(fd),
    descriptor: fd,
    status: statFd(fd),
    openAgain() {
      try {
        const again = openAt(fd, Buffer.from('.'), Open.readOnly | Open.directory);
        all.push(again);
        return again;
      } catch (error) {
        throw cannotWrite(path, error);
      }
    },
    discard() {
      closeAll();
      if (made) removeIfEmpty(path);
    },
    close: closeAll,
  };
}

/** Where an open directory is, without symlinks; undefined where the system does not tell. */
function pathOf(fd: number): Buffer | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`, 'buffer');
  } catch {
    return undefined;
  }
}

function lookBelow(at: number, path: Uint8Array): FileStatus | undefined {
  let place: number;
  try {
    place = openAt(at, path, Open.path | Open.directory | Open.noFollow);
  } catch (error) {
    if (error instanceof PosixError && MISSING.has(error.errno)) return undefined;
    throw error;
  }
  try {
    return statFd(place);
  } finally {
    close(place);
  }
}

const MISSING = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES']);

function mountedBelow(path: Buffer): readonly Buffer[] {
  const prefix = path.length === 1 ? path : Buffer.concat([path, Buffer.from('/')]);
  const below = (readMounts() ?? []).filter(({ point }) => point.subarray(0, prefix.length).equals(prefix));
  // The root is below itself where it is "/".
  return below.map(({ point }) => point.subarray(prefix.length)).filter(({ length }) => length > 0);
}

function cannotWrite(path: Buffer, error: unknown): ClfsError {
  return new ClfsError('usage', `Cannot write to ${quotePath(path)}: ${messageOf(error)}.`, { cause: error });
}

function markOf(fd: number): TargetMark {
  const { ino, birthtimeNs } = fstatSync(fd, { bigint: true });
  // Without a time of its making it is its number that tells.
  return {
    inode: ino,
    place: birthtimeNs === 0n ? undefined : placeOf({ descriptor: fd, inode: ino, bornNs: birthtimeNs })?.root,
  };
}

function isSameMark(before: TargetMark, now: TargetMark): boolean {
  if (before.inode !== now.inode) return false;
  if (before.place === undefined || now.place === undefined) return true;
  return !isOtherRoot({ root: before.place, mounts: {} }, { root: now.place, mounts: {} });
}

/** @returns undefined when another directory has its path now. @throws PosixError */
function openPlace(path: Uint8Array, place: number, isOurs: boolean): number | undefined {
  const open = () => openAt(CURRENT_DIRECTORY, path, Open.readOnly | Open.directory);
  let fd: number;
  try {
    fd = open();
  } catch (error) {
    if (!isOurs || !(error instanceof PosixError && error.errno === 'EACCES')) throw error;
    setModeOfPlace(place, PRIVATE_DIRECTORY);
    fd = open();
  }
  const [was, is] = [fstatSync(place, { bigint: true }), fstatSync(fd, { bigint: true })];
  if (was.ino === is.ino && was.dev === is.dev) return fd;
  close(fd);
  return undefined;
}

function isEmpty(fd: number): boolean {
  return readEntries(fd, Buffer.alloc(4096)).length === 0;
}

function makeMissing(path: Uint8Array): boolean {
  try {
    makeDirectory(CURRENT_DIRECTORY, path, PRIVATE_DIRECTORY);
    return true;
  } catch (error) {
    if (error instanceof PosixError && error.errno === 'EEXIST') return false;
    throw error;
  }
}

function removeIfEmpty(path: Uint8Array): void {
  try {
    removeAt(CURRENT_DIRECTORY, path, true);
  } catch {
    // Somebody uses it.
  }
}
