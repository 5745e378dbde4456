import { koffi } from './koffi.js';
import {
  cString,
  decodeEntries,
  decodeStatus,
  encodeDevice,
  type FileStatus,
  type FileTime,
  Open,
  ofOpenFile,
  PosixError,
  type RawEntry,
  STATUS_BYTES,
  SYS_GETDENTS64,
  timespecs,
} from './libc.js';
import { UNKNOWN_THERE } from './libc-change.js';
import { type BoundCall, callInPool } from './pool-calls.js';

/*
 * Calls of `libc.ts` and `libc-change.ts` that wait in a thread of Node's pool, several at once: for file systems of
 * which a call takes long. They mean what those of the same name mean, and reject with the same errors.
 *
 * More of them at once than `CALLS_AT_ONCE` in one thread cost more each. A descriptor is to be closed when all calls by
 * it have ended.
 */

const c = koffi.load(null as unknown as string);
const openat = c.func('int openat(int, const void *, int, uint32_t)');
const statx = c.func('int statx(int, const void *, int, uint32_t, void *)');
const pread = c.func('int64_t pread64(int, void *, size_t, int64_t)');
const readlinkat = c.func('int64_t readlinkat(int, const void *, void *, size_t)');
const getdents = c.func('int64_t syscall(int64_t, int, void *, size_t)');
const pwrite = c.func('int64_t pwrite64(int, const void *, size_t, int64_t)');
const ftruncate = c.func('int ftruncate64(int, int64_t)');
const closeFd = c.func('int close(int)');
const syncfs = c.func('int syncfs(int)');
const mknodat = c.func('int mknodat(int, const void *, uint32_t, uint64_t)');
const mkdirat = c.func('int mkdirat(int, const void *, uint32_t)');
const symlinkat = c.func('int symlinkat(const void *, int, const void *)');
const linkat = c.func('int linkat(int, const void *, int, const void *, int)');
const unlinkat = c.func('int unlinkat(int, const void *, int)');
const utimensat = c.func('int utimensat(int, const void *, const void *, int)');
const futimens = c.func('int futimens(int, const void *)');
const fchown = c.func('int fchown(int, uint32_t, uint32_t)');
const fchownat = c.func('int fchownat(int, const void *, uint32_t, uint32_t, int)');
const fchmod = c.func('int fchmod(int, uint32_t)');
const chmod = c.func('int chmod(const void *, uint32_t)');
const renameat = c.func('int renameat(int, const void *, int, const void *)');
const renameat2 = c.func('int64_t syscall(int64_t, int, const void *, int, const void *, uint32_t)');

const SYS_RENAMEAT2 = process.arch === 'arm64' ? 276n : 316n;
const RENAME_NOREPLACE = 1;
const LINK_BYTES = 4096;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;
const STATX_WANTED = 0xfff;
const EMPTY_PATH = Buffer.from([0]);

export async function openAtLater(at: number, path: Uint8Array, flags: number, mode = 0): Promise<number> {
  return run('open', openat, at, cString(path), flags | Open.closeOnExec, mode);
}

export async function statAtLater(at: number, name: Uint8Array): Promise<FileStatus> {
  const status = Buffer.alloc(STATUS_BYTES);
  await run('stat', statx, at, cString(name), AT_SYMLINK_NOFOLLOW, STATX_WANTED, status);
  return decodeStatus(status);
}

export async function lookAtLater(at: number, name: Uint8Array): Promise<FileStatus | undefined> {
  try {
    return await statAtLater(at, name);
  } catch (error) {
    if (error instanceof PosixError && error.errno === 'ENOENT') return undefined;
    throw error;
  }
}

export async function statFdLater(fd: number, fresh = false): Promise<FileStatus> {
  const status = Buffer.alloc(STATUS_BYTES);
  await run('stat', statx, fd, EMPTY_PATH, ofOpenFile(fresh), STATX_WANTED, status);
  return decodeStatus(status);
}

/** Reads into `target`, which must not be touched before the end. */
export async function readAtLater(fd: number, target: Buffer, position: number): Promise<number> {
  return run('read', pread, fd, target, target.length, position);
}

export async function readLinkAtLater(at: number, name: Uint8Array): Promise<Buffer> {
  for (let size = LINK_BYTES; ; size *= 2) {
    const target = Buffer.allocUnsafeSlow(size);
    const length = await run('readlink', readlinkat, at, cString(name), target, size);
    if (length < size) return target.subarray(0, length);
  }
}

/** @param buffer what the system fills; not touched before the end */
export async function readEntriesLater(fd: number, buffer: Buffer): Promise<readonly RawEntry[]> {
  for (;;) {
    const length = await run('list', getdents, SYS_GETDENTS64, fd, buffer, buffer.length);
    const entries = decodeEntries(buffer.subarray(0, length));
    if (length === 0 || entries.length > 0) return entries;
  }
}

/** Writes all of the bytes. They must not be touched before the end. */
export async function writeLater(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const rest = at === 0 ? bytes : bytes.subarray(at);
    at += await run('write', pwrite, fd, rest, rest.length, position + at);
  }
}

export async function truncateLater(fd: number, sizeBytes: number): Promise<void> {
  await run('truncate', ftruncate, fd, sizeBytes);
}

export async function makeDirectoryLater(at: number, name: Uint8Array, mode: number): Promise<void> {
  await run('mkdir', mkdirat, at, cString(name), mode);
}

export async function makeSymlinkLater(target: Uint8Array, at: number, name: Uint8Array): Promise<void> {
  await run('symlink', symlinkat, cString(target), at, cString(name));
}

export async function makeLinkLater(fromAt: number, from: Uint8Array, at: number, name: Uint8Array): Promise<void> {
  await run('link', linkat, fromAt, cString(from), at, cString(name), 0);
}

export async function makeNodeLater(
  at: number,
  name: Uint8Array,
  mode: number,
  major: number,
  minor: number,
): Promise<void> {
  await run('mknod', mknodat, at, cString(name), mode, encodeDevice(major, minor));
}

export async function removeAtLater(at: number, name: Uint8Array, directory = false): Promise<void> {
  await run('remove', unlinkat, at, cString(name), directory ? AT_REMOVEDIR : 0);
}

export async function renameAtLater(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): Promise<void> {
  await run('rename', renameat, at, cString(name), toAt, cString(toName));
}

export async function renameNewLater(at: number, name: Uint8Array, toAt: number, toName: Uint8Array): Promise<boolean> {
  try {
    await run('rename', renameat2, SYS_RENAMEAT2, at, cString(name), toAt, cString(toName), RENAME_NOREPLACE);
    return true;
  } catch (error) {
    if (error instanceof PosixError && UNKNOWN_THERE.has(error.errno)) return false;
    throw error;
  }
}

export async function setTimesLater(at: number, name: Uint8Array, atime: FileTime, mtime: FileTime): Promise<void> {
  await run('utimensat', utimensat, at, cString(name), timespecs(atime, mtime), AT_SYMLINK_NOFOLLOW);
}

export async function setTimesFdLater(fd: number, atime: FileTime, mtime: FileTime): Promise<void> {
  await run('futimens', futimens, fd, timespecs(atime, mtime));
}

export async function setOwnerFdLater(fd: number, uid: number, gid: number): Promise<void> {
  await run('chown', fchown, fd, uid, gid);
}

export async function setOwnerOfPlaceLater(fd: number, uid: number, gid: number): Promise<void> {
  await run('chown', fchownat, fd, EMPTY_PATH, uid, gid, AT_EMPTY_PATH);
}

export async function setModeFdLater(fd: number, mode: number): Promise<void> {
  await run('chmod', fchmod, fd, mode);
}

export async function setModeOfPlaceLater(fd: number, mode: number): Promise<void> {
  await run('chmod', chmod, cString(Buffer.from(`/proc/self/fd/${fd}`)), mode);
}

/** Errors are ignored. */
export async function closeLater(fd: number): Promise<void> {
  await run('close', closeFd, fd).catch(() => undefined);
}

export async function closeWrittenLater(fd: number): Promise<void> {
  await run('close', closeFd, fd);
}

export async function syncFileSystemLater(fd: number): Promise<void> {
  await run('sync', syncfs, fd);
}

function run(call: string, bound: BoundCall, ...how: unknown[]): Promise<number> {
  return callInPool(bound, how, (errno) => new PosixError(call, errno));
}
