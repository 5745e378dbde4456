import { ClfsError, messageOf } from '../error.js';
import { type EntryType, ObjectType } from '../format/ids.js';
import { type FileStatus, S_IFMT } from '../posix/file-status.js';
import { Open } from '../posix/libc.js';
import { PosixError, wouldWait } from '../posix/posix-error.js';
import { type DirectoryIdentity, entryFailure, type SourceAttributes } from './source-tree.js';

/* What both ways of calling a POSIX source share: how things are opened, and what they are found to be. */

export const READ_FLAGS = Open.readOnly | Open.noFollow | Open.nonBlock;
/** For what a name leads to, whatever that is: nothing is waited for, and nothing can be read by it. */
export const PLACE_FLAGS = Open.path | Open.noFollow;
export const DIRECTORY_FLAGS = Open.readOnly | Open.noFollow | Open.directory | Open.nonBlock;
/** The directory itself. */
export const DOT = Buffer.from('.');

/** Object type by `st_mode >> 12`. */
export const TYPE_BY_MODE: Record<number, EntryType | undefined> = { 8: 1, 4: 2, 6: 3, 2: 4, 10: 5, 12: 6, 1: 7 };

/** @throws ClfsError `entry`: `directory-changed` when the directory that was opened is not the expected one */
export function requireIdentity(expected: DirectoryIdentity | undefined, found: FileStatus): void {
  if (expected && !isDirectory(expected, found))
    throw entryFailure('directory-changed', 'another directory has taken its place since it was listed');
}

function isDirectory({ device, inode, bornNs }: DirectoryIdentity, found: FileStatus): boolean {
  if (found.inode !== inode || (device !== undefined && found.device !== device)) return false;
  return bornNs === 0n || found.bornNs === 0n || found.bornNs === bornNs;
}

/** Whether opening failed since only owner and root may leave the access time alone. */
export function mustTouchAccessTime(error: unknown): boolean {
  return error instanceof PosixError && error.errno === 'EPERM';
}

/**
 * Whether a file was not opened, without waiting, since another process has a lease of it, as servers of files take
 * them: it has been asked to give that back.
 */
export function isLeased(error: unknown): boolean {
  return wouldWait(error);
}

/**
 * By what a regular file is opened that is open as a place: whoever has a lease of it is waited for. By its name a FIFO
 * could be, which has taken its place meanwhile.
 *
 * @throws ClfsError `entry`; `refusal` when it is no regular file
 */
export function pathOfLeased(place: number, status: FileStatus, refusal: unknown): Buffer {
  if (attributes(status).type !== ObjectType.regular) throw refusal;
  return Buffer.from(`/proc/self/fd/${place}`);
}

/** @throws ClfsError `entry`: `entry-unreadable` when its type is none of those that there are */
export function attributes(status: FileStatus): SourceAttributes {
  const type = TYPE_BY_MODE[(status.mode & S_IFMT) >> 12];
  if (type === undefined)
    throw entryFailure('entry-unreadable', `its type ${(status.mode & S_IFMT).toString(8)} is unknown`);
  // Field by field: this runs twice a file, and a spread costs more than the system call.
  return {
    mode: status.mode,
    type,
    uid: status.uid,
    gid: status.gid,
    linkCount: status.linkCount,
    inode: status.inode,
    sizeBytes: status.sizeBytes,
    mtimeSeconds: status.mtimeSeconds,
    mtimeNanoseconds: status.mtimeNanoseconds,
    ctimeSeconds: status.ctimeSeconds,
    ctimeNanoseconds: status.ctimeNanoseconds,
    atimeSeconds: status.atimeSeconds,
    atimeNanoseconds: status.atimeNanoseconds,
    specialMajor: status.specialMajor,
    specialMinor: status.specialMinor,
    bornNs: status.bornNs,
    device: status.device,
  };
}

/** The failure that an error of a call for an entry stands for. */
export function fileFailure(error: unknown): ClfsError {
  if (error instanceof ClfsError) return error;
  const errno = error instanceof PosixError ? error.errno : '';
  if (errno === 'ENOENT')
    return entryFailure('entry-vanished', 'it was there when its directory was listed, and is not any more', error);
  if (errno === 'ELOOP' || errno === 'ENXIO')
    return entryFailure('entry-type-changed', 'it is no regular file any more', error);
  return entryFailure('entry-unreadable', reasonText(error), error);
}

/** The failure that an error of a call for a directory stands for. */
export function directoryFailure(error: unknown): ClfsError {
  if (error instanceof ClfsError) return error;
  const errno = error instanceof PosixError ? error.errno : '';
  if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') {
    return entryFailure('directory-changed', 'it was there when its parent was listed, and is not any more', error);
  }
  return entryFailure('directory-unreadable', reasonText(error), error);
}

/** The failure that an error in the middle of a listing stands for: some file systems tell so that theirs goes in circles. */
export function listingFailure(error: unknown): ClfsError {
  if (error instanceof PosixError && error.errno === 'ELOOP')
    return entryFailure('directory-unreadable', 'its listing does not come to an end (ELOOP)', error);
  return directoryFailure(error);
}

/** An error of the system without the name of its call. */
export function reasonText(error: unknown): string {
  return messageOf(error).replace(/^(open|stat|list|read|readlink): /, '');
}

/** The failure that an error of readlink stands for. */
export function linkFailure(error: unknown): ClfsError {
  if (error instanceof PosixError && error.errno === 'EINVAL')
    return entryFailure('entry-type-changed', 'it is no symbolic link any more', error);
  return fileFailure(error);
}
