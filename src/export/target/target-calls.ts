import { ftruncateSync } from 'node:fs';
import type { FileStatus } from '../../posix/file-status.js';
import type { FileTime, RawEntry } from '../../posix/libc.js';
import {
  close,
  closeWritten,
  lookAt,
  makeDirectory,
  makeLink,
  makeNode,
  makeSymlink,
  openAt,
  readEntries,
  readLinkAt,
  removeAt,
  setModeFd,
  setTimes,
  statAt,
  statFd,
  syncFileSystem,
  toPosixError,
  writeAt,
} from '../../posix/libc.js';
import {
  renameAt,
  renameNew,
  setModeOfPlace,
  setOwnerFd,
  setOwnerOfPlace,
  setTimesFd,
} from '../../posix/libc-change.js';
import {
  closeLater,
  closeWrittenLater,
  lookAtLater,
  makeDirectoryLater,
  makeLinkLater,
  makeNodeLater,
  makeSymlinkLater,
  openAtLater,
  readEntriesLater,
  readLinkAtLater,
  removeAtLater,
  renameAtLater,
  renameNewLater,
  setModeFdLater,
  setModeOfPlaceLater,
  setOwnerFdLater,
  setOwnerOfPlaceLater,
  setTimesFdLater,
  setTimesLater,
  statAtLater,
  statFdLater,
  syncFileSystemLater,
  truncateLater,
  writeLater,
} from '../../posix/libc-later.js';
import { openBelow, openBelowLater } from '../../posix/open-below.js';

const SLASH = 0x2f;

/**
 * The calls by which an export changes, and looks at, the tree that it writes: the port behind which the system stands,
 * or a test that has some of them fail.
 *
 * Names are single components, taken from an open directory, but for what is opened and there; no call follows a symlink,
 * in whatever component. All of them throw PosixError.
 */
export interface TargetCalls {
  /** @param name may be a path, of what is not made: that is opened at once, however long it is */
  openAt(at: number, name: Uint8Array, flags: number, mode?: number): number;
  statAt(at: number, name: Uint8Array): FileStatus;
  /** lstat of an entry that need not be there. */
  lookAt(at: number, name: Uint8Array): FileStatus | undefined;
  /** @param fresh ask the server, whatever the system remembers */
  statFd(fd: number, fresh?: boolean): FileStatus;
  /** Text of a symlink. */
  readLink(at: number, name: Uint8Array): Buffer;
  /** Further entries of an open directory, read by way of `buffer`; none at its end. */
  readEntries(fd: number, buffer: Buffer): readonly RawEntry[];
  /** Writes all of the bytes at `position`. */
  write(fd: number, bytes: Uint8Array, position: number): void;
  truncate(fd: number, sizeBytes: number): void;
  makeDirectory(at: number, name: Uint8Array, mode: number): void;
  makeSymlink(target: Uint8Array, at: number, name: Uint8Array): void;
  makeLink(fromAt: number, fromName: Uint8Array, at: number, name: Uint8Array): void;
  makeNode(at: number, name: Uint8Array, mode: number, major: number, minor: number): void;
  removeAt(at: number, name: Uint8Array, directory?: boolean): void;
  renameAt(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): void;
  /** See `renameNew` of `libc-change.ts`. */
  renameNew(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): boolean;
  setTimes(at: number, name: Uint8Array, atime: FileTime, mtime: FileTime): void;
  setOwnerFd(fd: number, uid: number, gid: number): void;
  setModeFd(fd: number, mode: number): void;
  setOwnerOfPlace(fd: number, uid: number, gid: number): void;
  setModeOfPlace(fd: number, mode: number): void;
  setTimesFd(fd: number, atime: FileTime, mtime: FileTime): void;
  close(fd: number): void;
  /** Closes what was written through: some file systems tell only then that the disk is full. */
  closeWritten(fd: number): void;
  /** Makes everything written to the file system durable. */
  sync(fd: number): void;
}

/** Those that change something; so does `openAt` when it makes a file. */
export const CHANGES = [
  'write',
  'truncate',
  'makeDirectory',
  'makeSymlink',
  'makeLink',
  'makeNode',
  'removeAt',
  'renameAt',
  'renameNew',
  'setTimes',
  'setOwnerFd',
  'setModeFd',
  'setOwnerOfPlace',
  'setModeOfPlace',
  'setTimesFd',
] as const satisfies readonly (keyof TargetCalls)[];

/** The same calls, in a thread of Node's pool: for a file system of which a call takes long. */
export type LaterCalls = {
  readonly [K in keyof TargetCalls]: (...how: Parameters<TargetCalls[K]>) => Promise<ReturnType<TargetCalls[K]>>;
};

/** The same calls, made now or later, as `TargetWays` has chosen. */
export type AnyCalls = {
  readonly [K in keyof TargetCalls]: (
    ...how: Parameters<TargetCalls[K]>
  ) => ReturnType<TargetCalls[K]> | Promise<ReturnType<TargetCalls[K]>>;
};

/** The system's own. */
export const SYSTEM_CALLS: TargetCalls = {
  openAt: (at, name, flags, mode) =>
    name.includes(SLASH) ? openBelow(at, name, flags) : openAt(at, name, flags, mode),
  statAt,
  lookAt,
  statFd,
  readLink: readLinkAt,
  readEntries,
  write,
  truncate,
  makeDirectory,
  makeSymlink,
  makeLink,
  makeNode,
  removeAt,
  renameAt,
  renameNew,
  setTimes,
  setOwnerFd,
  setModeFd,
  setOwnerOfPlace,
  setModeOfPlace,
  setTimesFd,
  close,
  closeWritten,
  sync: syncFileSystem,
};

/** The system's own, in threads of Node's pool. */
export const SYSTEM_CALLS_LATER: LaterCalls = {
  openAt: (at, name, flags, mode) =>
    name.includes(SLASH) ? openBelowLater(at, name, flags) : openAtLater(at, name, flags, mode),
  statAt: statAtLater,
  lookAt: lookAtLater,
  statFd: statFdLater,
  readLink: readLinkAtLater,
  readEntries: readEntriesLater,
  write: writeLater,
  truncate: truncateLater,
  makeDirectory: makeDirectoryLater,
  makeSymlink: makeSymlinkLater,
  makeLink: makeLinkLater,
  makeNode: makeNodeLater,
  removeAt: removeAtLater,
  renameAt: renameAtLater,
  renameNew: renameNewLater,
  setTimes: setTimesLater,
  setOwnerFd: setOwnerFdLater,
  setModeFd: setModeFdLater,
  setOwnerOfPlace: setOwnerOfPlaceLater,
  setModeOfPlace: setModeOfPlaceLater,
  setTimesFd: setTimesFdLater,
  close: closeLater,
  closeWritten: closeWrittenLater,
  sync: syncFileSystemLater,
};

/** A disk that gets full takes a part: what is left is tried again, and then fails. */
function write(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) at += writeAt(fd, at === 0 ? bytes : bytes.subarray(at), position + at);
}

function truncate(fd: number, sizeBytes: number): void {
  try {
    ftruncateSync(fd, sizeBytes);
  } catch (error) {
    throw toPosixError('truncate', error);
  }
}
