import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { decodeStatus, type FileStatus, isSameStatus, STATUS_BYTES } from './file-status.js';
import { koffi } from './koffi.js';
import { openedByNode } from './opened-by-node.js';
import { PosixError } from './posix-error.js';

/**
 * Calls into the C library that Node has not: relative to a directory's descriptor, with names as bytes, times in
 * nanoseconds.
 *
 * Every function returns what the C function returns; {@link failed} turns a negative result into a {@link PosixError}.
 */
const c = koffi.load(null as unknown as string);

const openat = c.func('int openat(int, const void *, int, uint32_t)');
const statx = c.func('int statx(int, const void *, int, uint32_t, void *)');
const pread = c.func('int64_t pread64(int, void *, size_t, int64_t)');
const pwrite = c.func('int64_t pwrite64(int, const void *, size_t, int64_t)');
const closeFd = c.func('int close(int)');
const fcntl = c.func('int fcntl(int, int, int)');
const readlinkat = c.func('int64_t readlinkat(int, const void *, void *, size_t)');
const syscall = c.func('int64_t syscall(int64_t, int, void *, size_t)');
const syncfs = c.func('int syncfs(int)');
const flock = c.func('int flock(int, int)');
const mknodat = c.func('int mknodat(int, const void *, uint32_t, uint64_t)');
const mkdirat = c.func('int mkdirat(int, const void *, uint32_t)');
const symlinkat = c.func('int symlinkat(const void *, int, const void *)');
const linkat = c.func('int linkat(int, const void *, int, const void *, int)');
const unlinkat = c.func('int unlinkat(int, const void *, int)');
const utimensat = c.func('int utimensat(int, const void *, const void *, int)');
const fchownat = c.func('int fchownat(int, const void *, uint32_t, uint32_t, int)');
const fchmod = c.func('int fchmod(int, uint32_t)');

/** Number of the system call that lists a directory. */
export const SYS_GETDENTS64 = process.arch === 'arm64' ? 61n : 217n;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const AT_STATX_FORCE_SYNC = 0x2000;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_BASIC = 0x7ff;
const STATX_BTIME = 0x800;
const STATX_WANTED = STATX_BASIC | STATX_BTIME;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const LOCK_SHARED_NOW = 5;
const LOCK_EXCLUSIVE_NOW = 6;
const LOCK_RELEASE = 8;
const EMPTY_PATH = Buffer.from([0]);
const statusBuffer = Buffer.from(new ArrayBuffer(STATUS_BYTES));
const ARM = process.arch === 'arm64';

/** Flags of {@link openAt}; two of them differ on arm64. */
export const Open = {
  readOnly: 0,
  writeOnly: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  truncate: 0o1000,
  nonBlock: 0o4000,
  directory: ARM ? 0o40000 : 0o200000,
  noFollow: ARM ? 0o100000 : 0o400000,
  noAccessTime: 0o1000000,
  closeOnExec: 0o2000000,
  /** A place only: nothing can be read by it, and no permission is needed for it. */
  path: 0o10000000,
} as const;

/** Throws what the latest call failed with. */
export function failed(call: string): never {
  throw new PosixError(call, koffi.errno());
}

/** Bytes with a NUL behind them. */
export function cString(bytes: Uint8Array): Buffer {
  const text = Buffer.allocUnsafe(bytes.length + 1);
  text.set(bytes);
  text[bytes.length] = 0;
  return text;
}

/** Stands for the current directory, from which a relative path is taken. */
export const CURRENT_DIRECTORY = AT_FDCWD;

/** Opens `path`, relative to the directory `at`. @throws PosixError */
export function openAt(at: number, path: Uint8Array, flags: number, mode = 0): number {
  const fd = openat(at, cString(path), flags | Open.closeOnExec, mode);
  return fd < 0 ? failed('open') : fd;
}

/** lstat of `name` in the directory `at`. @throws PosixError */
export function statAt(at: number, name: Uint8Array): FileStatus {
  if (statx(at, cString(name), AT_SYMLINK_NOFOLLOW, STATX_WANTED, statusBuffer) < 0) failed('stat');
  return decodeStatus(statusBuffer);
}

/**
 * {@link statAt} of what need not be there; undefined when it is not: an error for each of many millions would cost
 * more than the call. @throws PosixError
 */
export function lookAt(at: number, name: Uint8Array): FileStatus | undefined {
  if (statx(at, cString(name), AT_SYMLINK_NOFOLLOW, STATX_WANTED, statusBuffer) >= 0) return decodeStatus(statusBuffer);
  return koffi.errno() === constants.errno.ENOENT ? undefined : failed('stat');
}

/**
 * fstat.
 *
 * @param fresh as its server has it now: a client of a network file system remembers attributes for a while
 * @throws PosixError
 */
export function statFd(fd: number, fresh = false): FileStatus {
  if (statx(fd, EMPTY_PATH, ofOpenFile(fresh), STATX_WANTED, statusBuffer) < 0) failed('stat');
  return decodeStatus(statusBuffer);
}

/**
 * fstat of what the system has in memory: the clients of NFS, Lustre, Ceph, SMB and FUSE ask no server for it, so that
 * it may be of before. Others answer as {@link statFd}. @throws PosixError
 */
export function statKnownFd(fd: number): FileStatus {
  if (statx(fd, EMPTY_PATH, AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_WANTED, statusBuffer) < 0) failed('stat');
  return decodeStatus(statusBuffer);
}

/** Flags of statx for an open file. @param fresh as for {@link statFd} */
export function ofOpenFile(fresh: boolean): number {
  return fresh ? AT_EMPTY_PATH | AT_STATX_FORCE_SYNC : AT_EMPTY_PATH;
}

/** Whether an open file is as it was, as its server has it: see {@link isSameStatus}. @throws PosixError */
export function isUnchangedFd(fd: number, before: FileStatus): boolean {
  if (statx(fd, EMPTY_PATH, ofOpenFile(true), STATX_BASIC, statusBuffer) < 0) failed('stat');
  return isSameStatus(statusBuffer, before);
}

/**
 * Reads into `target` from `position`; what can be read only later is waited for, by whatever flags it was opened.
 *
 * @returns bytes read, 0 at the end
 * @throws PosixError
 */
export function readAt(fd: number, target: Buffer, position: number): number {
  let count = Number(pread(fd, target, target.length, position));
  if (count < 0 && koffi.errno() === constants.errno.EAGAIN && waitsFromNowOn(fd))
    count = Number(pread(fd, target, target.length, position));
  return count < 0 ? failed('read') : count;
}

/**
 * Has reads of what was opened without waiting wait from now on: a file on Lustre that another client has locked for a
 * group is refused otherwise.
 *
 * @returns false when they do already
 */
export function waitsFromNowOn(fd: number): boolean {
  const flags = fcntl(fd, F_GETFL, 0);
  return flags >= 0 && (flags & Open.nonBlock) !== 0 && fcntl(fd, F_SETFL, flags & ~Open.nonBlock) >= 0;
}

/** Writes from `position` on. @returns bytes written, at least one of those that there are. @throws PosixError */
export function writeAt(fd: number, bytes: Uint8Array, position: number): number {
  const count = Number(pwrite(fd, bytes, bytes.length, position));
  return count < 0 ? failed('write') : count;
}

/** A further descriptor of what one leads to: nothing is asked of its file system. @throws PosixError */
export function duplicate(fd: number): number {
  const again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return again < 0 ? failed('duplicate') : again;
}

/**
 * Where what is open is now, without symlinks, as the kernel has it: nothing is asked of its file system. Undefined where
 * that is not known.
 */
export function pathOfOpen(fd: number): Buffer | undefined {
  try {
    return readLinkAt(CURRENT_DIRECTORY, Buffer.from(`/proc/self/fd/${fd}`));
  } catch {
    return undefined;
  }
}

/** Closes a descriptor that was read from: errors are ignored, what was read is not affected. */
export function close(fd: number): void {
  try {
    closeWritten(fd);
  } catch {
    // Nothing depends on it.
  }
}

/**
 * Closes a descriptor that was written through; some file systems tell only then that the disk is full. @throws
 * PosixError
 */
export function closeWritten(fd: number): void {
  if (!openedByNode.delete(fd)) {
    if (closeFd(fd) < 0) failed('close');
    return;
  }
  try {
    closeSync(fd);
  } catch (error) {
    throw toPosixError('close', error);
  }
}

/** A failure of one of Node's own calls, as those here tell it; anything else as it is. */
export function toPosixError(call: string, error: unknown): unknown {
  const { errno } = error as { errno?: unknown };
  return error instanceof Error && !(error instanceof PosixError) && typeof errno === 'number'
    ? new PosixError(call, -errno)
    : error;
}

/**
 * Target of the symbolic link `name` in the directory `at`; empty `name` for the descriptor itself. @throws PosixError
 */
export function readLinkAt(at: number, name: Uint8Array): Buffer {
  for (let size = 4096; ; size *= 2) {
    const target = Buffer.allocUnsafe(size);
    const length = Number(readlinkat(at, cString(name), target, size));
    if (length < 0) failed('readlink');
    if (length < size) return target.subarray(0, length);
  }
}

/** One raw directory entry. */
export interface RawEntry {
  readonly name: Buffer;
  /** DT_… of the entry; 0 when the file system does not tell. */
  readonly type: number;
}

/**
 * Entries of the open directory, `.` and `..` left out, as many as one call brings; empty at the end. @throws
 * PosixError
 */
export function readEntries(fd: number, buffer: Buffer): RawEntry[] {
  for (;;) {
    const length = Number(syscall(SYS_GETDENTS64, fd, buffer, buffer.length));
    if (length < 0) failed('list');
    if (length === 0) return [];
    const entries = decodeEntries(buffer.subarray(0, length));
    if (entries.length > 0) return entries;
  }
}

/** Entries that the system has put into a buffer, `.` and `..` left out. */
export function decodeEntries(bytes: Buffer): RawEntry[] {
  const entries: RawEntry[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16LE(at + 16)) {
    const start = at + 19;
    const end = bytes.indexOf(0, start);
    const dots = bytes[start] === 0x2e && (end === start + 1 || (end === start + 2 && bytes[start + 1] === 0x2e));
    if (!dots) entries.push({ name: Buffer.from(bytes.subarray(start, end)), type: bytes[at + 18] });
  }
  return entries;
}

/** Makes everything written to the file system of `fd` durable. @throws PosixError */
export function syncFileSystem(fd: number): void {
  if (syncfs(fd) < 0) failed('sync');
}

/** What a lock is refused with that another process holds; the second by servers of SMB. */
const HELD = [constants.errno.EWOULDBLOCK, constants.errno.EACCES];

/**
 * Takes an exclusive lock that the kernel releases with the process. @returns false when another process holds one of
 * any kind. @throws PosixError when it cannot be known: not every file system has locks
 */
export function tryLock(fd: number): boolean {
  if (flock(fd, LOCK_EXCLUSIVE_NOW) === 0) return true;
  return HELD.includes(koffi.errno()) ? false : failed('lock');
}

/**
 * Looks whether nobody holds an exclusive lock, by a shared one that is held for an instant. @param fd open for reading
 */
export function isUnlocked(fd: number): boolean {
  const unlocked = flock(fd, LOCK_SHARED_NOW) === 0;
  if (unlocked) flock(fd, LOCK_RELEASE);
  return unlocked;
}

/** Makes a fifo, socket or device. @throws PosixError */
export function makeNode(at: number, name: Uint8Array, mode: number, major: number, minor: number): void {
  if (mknodat(at, cString(name), mode, encodeDevice(major, minor)) < 0) failed('mknod');
}

/** A device's number as mknod takes it. */
export function encodeDevice(major: number, minor: number): bigint {
  const ma = BigInt(major);
  const mi = BigInt(minor);
  return (mi & 0xffn) | ((ma & 0xfffn) << 8n) | ((mi & ~0xffn) << 12n) | ((ma & ~0xfffn) << 32n);
}

/** @throws PosixError */
export function makeDirectory(at: number, name: Uint8Array, mode: number): void {
  if (mkdirat(at, cString(name), mode) < 0) failed('mkdir');
}

/** @throws PosixError */
export function makeSymlink(target: Uint8Array, at: number, name: Uint8Array): void {
  if (symlinkat(cString(target), at, cString(name)) < 0) failed('symlink');
}

/** Makes `name` a hard link to `fromName`; never follows a link. @throws PosixError */
export function makeLink(fromAt: number, fromName: Uint8Array, at: number, name: Uint8Array): void {
  if (linkat(fromAt, cString(fromName), at, cString(name), 0) < 0) failed('link');
}

/** @throws PosixError */
export function removeAt(at: number, name: Uint8Array, directory = false): void {
  if (unlinkat(at, cString(name), directory ? AT_REMOVEDIR : 0) < 0) failed('remove');
}

/** A time to set: whole seconds, possibly negative, and nanoseconds. */
export interface FileTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Sets times of `name` in the directory `at`, of a symlink itself. @throws PosixError */
export function setTimes(at: number, name: Uint8Array, atime: FileTime, mtime: FileTime): void {
  if (utimensat(at, cString(name), timespecs(atime, mtime), AT_SYMLINK_NOFOLLOW) < 0) failed('utimensat');
}

/** The two times as utimensat takes them. */
export function timespecs(atime: FileTime, mtime: FileTime): Buffer {
  const times = Buffer.from(new ArrayBuffer(32));
  times.writeBigInt64LE(BigInt(atime.seconds), 0);
  times.writeBigInt64LE(BigInt(atime.nanoseconds), 8);
  times.writeBigInt64LE(BigInt(mtime.seconds), 16);
  times.writeBigInt64LE(BigInt(mtime.nanoseconds), 24);
  return times;
}

/** Sets the owner of `name`, of a symlink itself. @throws PosixError */
export function setOwner(at: number, name: Uint8Array, uid: number, gid: number): void {
  if (fchownat(at, cString(name), uid, gid, AT_SYMLINK_NOFOLLOW) < 0) failed('chown');
}

/** Sets the permission bits of an open file. @throws PosixError */
export function setModeFd(fd: number, mode: number): void {
  if (fchmod(fd, mode) < 0) failed('chmod');
}
