import { chmodSync } from 'node:fs';
import { koffi } from './koffi.js';
import { cString, type FileTime, failed, timespecs, toPosixError } from './libc.js';
import { PosixError } from './posix-error.js';

/* Calls of the C library by which a file is given its attributes and its name, as `libc.ts` has the others. */

const c = koffi.load(null as unknown as string);

const fchown = c.func('int fchown(int, uint32_t, uint32_t)');
const fchownat = c.func('int fchownat(int, const void *, uint32_t, uint32_t, int)');
const futimens = c.func('int futimens(int, const void *)');
const renameat = c.func('int renameat(int, const void *, int, const void *)');
const renameat2 = c.func('int64_t syscall(int64_t, int, const void *, int, const void *, uint32_t)');

const SYS_RENAMEAT2 = process.arch === 'arm64' ? 276n : 316n;
const RENAME_NOREPLACE = 1;
const AT_EMPTY_PATH = 0x1000;
const EMPTY_PATH = Buffer.from([0]);

/** Sets the owner of an open file. @throws PosixError */
export function setOwnerFd(fd: number, uid: number, gid: number): void {
  if (fchown(fd, uid, gid) < 0) failed('chown');
}

/** Sets the times of an open file. @throws PosixError */
export function setTimesFd(fd: number, atime: FileTime, mtime: FileTime): void {
  if (futimens(fd, timespecs(atime, mtime)) < 0) failed('futimens');
}

/** Sets the owner of what a descriptor leads to that was opened as a place only. @throws PosixError */
export function setOwnerOfPlace(fd: number, uid: number, gid: number): void {
  if (fchownat(fd, EMPTY_PATH, uid, gid, AT_EMPTY_PATH) < 0) failed('chown');
}

/**
 * Sets the permission bits of what a descriptor leads to that was opened as a place only. @throws PosixError, also
 * where /proc is missing
 */
export function setModeOfPlace(fd: number, mode: number): void {
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } catch (error) {
    throw toPosixError('chmod', error);
  }
}

/**
 * Gives a file another name in the same file system; what has that name is replaced, but for a directory. @throws
 * PosixError
 */
export function renameAt(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): void {
  if (renameat(at, cString(name), toAt, cString(toName)) < 0) failed('rename');
}

/**
 * {@link renameAt} that replaces nothing.
 *
 * @returns false where the kernel or the file system cannot do that
 * @throws PosixError, `EEXIST` when the name is taken
 */
export function renameNew(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): boolean {
  if (renameat2(SYS_RENAMEAT2, at, cString(name), toAt, cString(toName), RENAME_NOREPLACE) >= 0) return true;
  try {
    return failed('rename');
  } catch (error) {
    if (error instanceof PosixError && UNKNOWN_THERE.has(error.errno)) return false;
    throw error;
  }
}

/** What renaming without replacing fails with where that is not known. */
export const UNKNOWN_THERE = new Set(['EINVAL', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP']);
