import { ClfsError, messageOf } from '../error.js';
import type { EntryType } from '../format/ids.js';
import { type FileStatus, S_IFMT } from '../posix/file-status.js';
import { Open } from '../posix/libc.js';
import { PosixError } from '../posix/posix-error.js';
import { type DirectoryIdentity, entryFailure, type SourceAttributes } from './source-tree.js';

/* What both ways of calling a POSIX source share: how things are opened, and what they are found to be. */

export const READ_FLAGS = Open.readOnly | Open.noFollow | Open.nonBlock;
/** For a regular file: whoever has a lease of it is waited for. */
export const WAITING_FLAGS = Open.readOnly | Open.noFollow;
export const DIRECTORY_FLAGS = Open.readOnly | Open.noFollow | Open.directory | Open.nonBlock;
/** The directory itself. */
export const DOT = Buffer.from('.');

/** Longest piece of a path that is opened in one call: below PATH_MAX, with what stands before it. */
const PATH_PIECE_BYTES = 4000;

/** Object type by `st_mode >> 12`. */
export const TYPE_BY_MODE: Record<number, EntryType | undefined> = { 8: 1, 4: 2, 6: 3, 2: 4, 10: 5, 12: 6, 1: 7 };

/** A path in pieces, each to be opened relative to the one before. */
export function* pathPieces(path: Buffer): Generator<Buffer> {
  let rest = path.length === 0 ? DOT : path;
  for (;;) {
    const cut = rest.length <= PATH_PIECE_BYTES ? rest.length : rest.lastIndexOf(0x2f, PATH_PIECE_BYTES);
    yield rest.subarray(0, cut);
    if (cut === rest.length) return;
    rest = rest.subarray(cut + 1);
  }
}

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
  return error instanceof PosixError && (error.errno === 'EWOULDBLOCK' || error.errno === 'EAGAIN');
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
